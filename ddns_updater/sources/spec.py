"""The grammar of an address source in `DDNS_IP_SOURCES`: its kind, a colon, and the rest, which the kind defines."""

import os
import re
import shlex
from abc import ABC, abstractmethod
from base64 import b64encode
from typing import Any
from urllib.parse import parse_qsl, unquote, unquote_to_bytes, urlsplit

from ddns_updater.errors import InvalidValue
from ddns_updater.lib.files import named_path

_INVALID = "is not an address source"
_URL = "a URL such as https://ifconfig.me/ip"
_RESOLVERS = {  # open ones that have a name: what to ask for at which server
    "opendns": "myip.opendns.com@resolver1.opendns.com",
    "google": "o-o.myaddr.l.google.com@ns1.google.com?type=TXT",
    "cloudflare": "whoami.cloudflare@one.one.one.one?type=TXT&class=CH",
}
_LABEL = r"[A-Za-z0-9_-]{1,63}"
_PLAIN = r"(?:(?:ip)?v[46]|[a-z]{1,9}(?:[-_.][a-z]{1,9})?)?"  # `ipv4`, `ip`, `cdn-cgi`, `address.json`; not a key


class SourceSpec(ABC):
    """An address source as configured; each kind adds the parts that it needs.

    `text` is how it is written, and may hold a secret; `name` is what messages show. `host` is what answers for it:
    sources with the same host count as one, however they are written. `needs_confirmation` is whether another source
    should confirm what it says: AWS's word about an instance of its own is final.

    The kinds are no NamedTuples, because each run defines all of them, and a NamedTuple takes much longer to define.
    """

    kind: str
    form: str  # what to write for one, as advice
    extra: str | None = None  # the optional packages that it needs
    needs_confirmation = True
    holds_secret = False  # whether `text` may hold one that only its owner should be able to read

    def __init__(self, text: str) -> None:
        """Take the whole text, with the kind in lower case; raises ValueError when it is not of this kind's form."""
        self.text = self.name = text
        self.host = self._parse(text.partition(":")[2])

    @abstractmethod
    def _parse(self, rest: str) -> str:
        """Set the parts from the text after the colon, and return the host; raises ValueError."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SourceSpec) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)

    def __repr__(self) -> str:
        return f"<{self.name}>"


class HttpSpec(SourceSpec):
    """A service at `url`; `pointer` (RFC 6901) leads to the address in a JSON answer, and is empty for plain text.

    `login` is the user and password as they are sent, None without a password. `secrets` are the parts of the URL that
    may be secret, as a service might quote them.
    """

    kind = "http"
    form = f"{_URL}, with #/FIELD after one that answers JSON"

    def _parse(self, rest: str) -> str:
        self.url, _, self.pointer = self.text.partition("#")
        self.text.encode()  # the environment may hold any bytes; those that are not UTF-8 raise a ValueError
        url = urlsplit(self.url)
        is_one = self.text.split() == [self.text] and "," not in self.text.partition("?")[0]
        if not (is_one and url.hostname and url.port != 0 and self.pointer[:1] in ("", "/")):
            raise ValueError
        path = _shown_path(url.path)
        self.name = f"{url.scheme}://{url.netloc.rpartition('@')[2]}{path}"
        hidden = [each for each in url.path.split("/") if not re.fullmatch(_PLAIN, each)]
        self.holds_secret = "@" in rest or "?" in rest or bool(hidden)
        self.secrets = (*map(unquote, hidden), *(value for _, value in parse_qsl(url.query)))
        self.login: str | None = None
        if url.password is not None:
            login = unquote_to_bytes(url.username or "") + b":" + unquote_to_bytes(url.password)  # UTF-8 (RFC 7617)
            self.login = b64encode(login).decode()
            self.secrets += (unquote(url.password), self.login)
        return url.hostname.rstrip(".")


class DnsSpec(SourceSpec):
    """A DNS server that answers `question` with the address of the client.

    `type` is that of the record to ask for, None for the one of the wanted address; `class_` is IN or CH.
    """

    kind = extra = "dns"
    form = "dns:opendns, dns:google, dns:cloudflare or dns:NAME@SERVER?type=TXT&class=CH"

    def _parse(self, rest: str) -> str:
        question, server, options = _matched(
            rf"((?:{_LABEL}\.)*{_LABEL}\.?)@([^\s@?#/]+)(?:\?((?:(?:type=(?:A|AAAA|TXT)|class=(?:IN|CH))(?:&|$))+))?",
            _RESOLVERS.get(rest, rest),
        )
        url, chosen = urlsplit(f"//{server}"), dict(parse_qsl(options or ""))
        if not url.hostname or len(question) > 253:
            raise ValueError
        self.question: str = question
        self.server, self.port = url.hostname, url.port or 53
        self.type, self.class_ = chosen.get("type"), chosen.get("class", "IN")
        return url.hostname.rstrip(".")


class InterfaceSpec(SourceSpec):
    """A network interface of this machine; `temporary` asks for its temporary IPv6 address (RFC 8981)."""

    kind = extra = "interface"
    form = "interface:eth0 or interface:eth0?temporary"

    def _parse(self, rest: str) -> str:
        self.interface, temporary = _matched(r"([^\s/?]{1,15})(\?temporary)?", rest)
        self.temporary = temporary is not None
        return f"interface:{self.interface}"


class Ec2Spec(SourceSpec):
    """An EC2 instance by its ID; `region` is None for the one that the SDK is configured with."""

    kind = "ec2"
    needs_confirmation = False
    form = "ec2:i-0123456789abcdef0 or with ?region=eu-west-1"

    def _parse(self, rest: str) -> str:
        self.instance, self.region = _matched(r"(i-[0-9a-f]{8,17})(?:\?region=([a-z0-9-]+))?", rest)
        return f"ec2:{self.instance}"


class ImdsSpec(SourceSpec):
    """The metadata service of the EC2 instance that this machine is; `endpoint` is None for its usual address."""

    kind = "imds"
    needs_confirmation = False
    form = "imds:"

    def _parse(self, rest: str) -> str:
        (self.endpoint,) = _matched(r"(?:(https?://[^\s/@]+)/*)?", rest)
        return "imds"


class FileSpec(SourceSpec):
    """A file at `path`."""

    kind = "file"
    form = "file:/full/path"

    def _parse(self, rest: str) -> str:
        (path,) = _matched(r"((?:~[^/]*)?/.*[^/])", rest)
        self.path = named_path(path)
        return f"file:{os.path.realpath(self.path)}"


class CommandSpec(SourceSpec):
    """A program with its arguments, in `words`; only the program is shown, as the arguments may hold a secret."""

    kind = "command"
    form = "command:PROGRAM ARGUMENT, with every quote closed"

    def _parse(self, rest: str) -> str:
        self.words = tuple(shlex.split(rest))
        if not self.words:
            raise ValueError
        program, *arguments = self.words
        self.name = f"command:{program}"
        if program.startswith("~") and "/" in program:
            self.words = (str(named_path(program)), *arguments)
        return f"command:{shlex.join(self.words)}"


_KINDS = {each.kind: each for each in (HttpSpec, DnsSpec, InterfaceSpec, Ec2Spec, ImdsSpec, FileSpec, CommandSpec)} | {
    "https": HttpSpec
}

# A URL or a command may contain commas: a comma separates only where the next source follows.
SEPARATOR = rf"(?i),(?=[\s,]*(?:$|(?:{'|'.join(_KINDS)}):))"


def parse_source(text: str) -> SourceSpec:
    """Return the source that `text` names; whether its file, host or interface exists is not checked.

    Raises InvalidValue, which says what to write, when the kind is unknown or the rest does not match it.
    """
    scheme, _, rest = text.partition(":")
    kind = _KINDS.get(scheme.lower())
    if kind is None:
        raise InvalidValue(_INVALID, f"write {_URL}, or see .env.example for the other kinds")
    try:
        return kind(f"{scheme.lower()}:{rest}")
    except ValueError:
        raise InvalidValue(_INVALID, f"write {kind.form}") from None


def without_secrets(text: str) -> str:
    """Quote a text that is no source, without what may be secret: user, key and query of a URL, program arguments."""
    shown = re.split(r"[?\s]", text, maxsplit=1)[0]
    hidden = text[len(shown) :]
    kind = shown.partition(":")[0].lower()
    if kind == "command" or "@" in hidden:
        return repr(f"{text.partition(':')[0]}:…")
    if kind != "dns":
        shown = shown.rpartition("@")[2]
    if _KINDS.get(kind, HttpSpec) is HttpSpec:
        scheme, mark, rest = shown.rpartition("://")
        place, pound, pointer = rest.partition("#")
        host, slash, path = place.partition("/")
        shown = f"{scheme}{mark}{host}{slash}{_shown_path(path)}{pound}{pointer}"
    return repr(shown + ("…" if hidden else ""))


def _shown_path(path: str) -> str:
    """Return `path` with dots in place of all but plain words: anything else may be the key of an account."""
    return "/".join(each if re.fullmatch(_PLAIN, each) else "…" for each in path.split("/"))


def _matched(pattern: str, text: str) -> tuple[Any, ...]:
    """Return the groups of `pattern` in the whole of `text`; raises ValueError when it does not match."""
    found = re.fullmatch(pattern, text)
    if found is None:
        raise ValueError
    return found.groups()


# One object, so that the factories know whether it is the default or was configured.
DEFAULT_SOURCES = tuple(
    map(parse_source, ("https://ifconfig.me/ip", "https://icanhazip.com", "https://api64.ipify.org"))
)
