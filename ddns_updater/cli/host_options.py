"""What the arguments and options of `ddns host` mean."""

import sys
from getpass import getpass
from ipaddress import AddressValueError, IPv6Address
from urllib.parse import urlsplit

from ddns_updater.dns.names import normalize_name
from ddns_updater.errors import HostError, InvalidValue, SettingsError

_SHORTEST_SECRET = 16  # characters
_LONGEST_SECRET = 255  # characters, as the database keeps the one of AWS's protocol
_LONGEST_LOGIN = 255  # characters
_LOGIN_SIGNS = "._@-"
_SUFFIX_BITS = 64


def new_name(text: str) -> str:
    """Return `text` as the name of a host to add; raises HostError."""
    try:
        name = normalize_name(text)
    except InvalidValue as error:
        raise HostError(f"{text!r} {error.problem}", error.advice or "write it as nas.example.com") from None
    if name.startswith("*"):
        raise HostError(f"{text!r} is a wildcard, which no client updates", "write a name such as nas.example.com")
    return name


def known_name(text: str) -> str:
    """Return `text` as the name of a host that may exist."""
    try:
        return normalize_name(text)
    except InvalidValue:
        return text.strip().removesuffix(".").lower()


def login_name(text: str) -> str:
    """Return `text` as a login that every client can send; raises SettingsError."""
    login = text.lower()
    if not (login and len(login) <= _LONGEST_LOGIN and login.isascii() and login.strip(_LOGIN_SIGNS)):
        raise SettingsError(f"--login {text!r} is not a login", "use letters, digits, and . _ - @")
    if not all(each.isalnum() or each in _LOGIN_SIGNS for each in login):
        raise SettingsError(f"--login {text!r} has a character that some client cannot send", "use a-z, 0-9, . _ - @")
    return login


def given_secret(*, weak: bool) -> str:
    """Return the secret in the first line of stdin, which is typed unseen on a terminal; raises SettingsError."""
    if sys.stdin is None:  # it is closed
        raise SettingsError("--secret - reads stdin, which is closed", "write the secret there")
    if sys.stdin.isatty():
        line = getpass("Secret: ")
    else:
        try:
            line = sys.stdin.buffer.readline().decode()
        except UnicodeDecodeError:
            raise SettingsError("the secret on stdin is not UTF-8 text", "write it in UTF-8 or ASCII") from None
    secret = line.removesuffix("\n").removesuffix("\r")
    if not secret:
        raise SettingsError("--secret - reads a secret from stdin, and there is none", "write it there, in one line")
    if not secret.isprintable():
        raise SettingsError("the secret on stdin holds a control character", "use only printable characters")
    if len(secret) > _LONGEST_SECRET:
        raise SettingsError(f"the secret on stdin has more than {_LONGEST_SECRET} characters", "shorten it")
    if len(secret) < _SHORTEST_SECRET and not weak:
        raise SettingsError(
            f"the secret on stdin has fewer than {_SHORTEST_SECRET} characters, and may be guessed",
            "leave out --secret to get a new one, or keep this one with --weak",
        )
    return secret


def suffix(text: str) -> IPv6Address:
    """Return `text` as an interface identifier; raises SettingsError."""
    try:
        address = IPv6Address(text)
    except AddressValueError:
        address = None
    if address is None or address.scope_id or not 0 < int(address) < 2**_SUFFIX_BITS:
        raise SettingsError(
            f"--suffix {text!r} is not the last {_SUFFIX_BITS} bits of an IPv6 address",
            "write it as ::211:32ff:fe12:3456",
        )
    return address


def server_url(text: str) -> str:
    """Return `text` as the URL at which the server is reached, without a final slash; raises SettingsError."""
    wrong = SettingsError(f"--url {text!r} is not the URL of a server", "write it as https://ddns.example.com")
    if not (text.isascii() and text.isprintable()) or " " in text:
        raise wrong
    try:
        url = urlsplit(text)
        is_url = url.scheme in ("http", "https") and bool(url.hostname) and url.port != 0
    except ValueError:
        raise wrong from None
    if not is_url or url.query or url.fragment or "@" in url.netloc or set(url.path) & set("'\"\\%?"):
        raise wrong
    return f"{url.scheme}://{url.netloc}{url.path.rstrip('/')}"
