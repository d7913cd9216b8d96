"""Logins: what a request gives as login and secret, and whether that is right."""

import logging
import secrets
from base64 import b64decode
from collections.abc import Sequence
from hmac import compare_digest
from typing import NamedTuple

from ddns_updater.hosts import Login, digest
from ddns_updater.server.ports import Requests
from ddns_updater.server.request import Caller, Request

log = logging.getLogger(__name__)

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base32: no i, l, o and u, nothing that URLs escape
_LENGTH = 32  # characters of 5 bits
_LONGEST_LOGIN = 255  # characters
_DUMMIES = ("0" * 64, "0" * 64)  # no secret is known that has this digest


class Credentials(NamedTuple):
    """A login, in lower case, and a secret; `in_query` is whether they stood in the query or the form."""

    login: str
    secret: str
    in_query: bool = False

    def __repr__(self) -> str:
        return "<credentials>"  # people type a secret where the login belongs


def new_secret() -> str:
    """Return a new secret of 160 bits that no URL, configuration file or router breaks."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))


def credentials(request: Request, fields: Sequence[tuple[str, str]]) -> Credentials | None:
    """Return login and secret of a request, None when it gives none or not clearly one.

    They are those of its Authorization header; without one, the fields `username` and `password` of its query or form.
    """
    headers = request.headers_of("authorization")
    if headers:
        return _basic(headers[0]) if len(headers) == 1 else None
    logins = [value for name, value in fields if name == "username"]
    passwords = [value for name, value in fields if name == "password"]
    if len(logins) != 1 or len(passwords) != 1:
        return None
    return Credentials(logins[0].lower(), passwords[0], in_query=True)


def authenticate(requests: Requests, given: Credentials, caller: Caller) -> Login | None:
    """Return the login with the hosts that `given` opens, None when it opens none.

    Credentials in a query stand in many logs, so they open only the hosts that were added for it. Takes the same work
    for a login that does not exist. Raises HistoryError.
    """
    found = requests.login(given.login) if _may_exist(given.login) else None
    known = (*(found.digests if found else ()), *_DUMMIES)[:2]
    digest_given = digest(given.secret)
    same = [compare_digest(digest_given, each) for each in known]  # both, even when the first one is right
    place = caller.address or "an unknown address"
    if not found or not any(same):
        # People type a secret where the login belongs, so one that does not exist is never named.
        log.warning("%s from %s", f"wrong secret of {found.login}" if found else "unknown login", place)
        return None
    if given.in_query:
        found = found._replace(hosts=tuple(host for host in found.hosts if host.takes_query))
        if not found.hosts:
            log.warning("login %s from %s: its secret may not stand in the query", found.login, place)
            return None
    return found


def _basic(header: str) -> Credentials | None:
    """Return what a header of the scheme Basic holds (RFC 7617), None when it is something else."""
    scheme, _, encoded = header.strip().partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        plain = b64decode(encoded.strip(), validate=True)
    except ValueError:
        return None
    try:
        text = plain.decode()
    except UnicodeDecodeError:
        text = plain.decode("latin-1")  # what older clients send, whatever the challenge says
    login, colon, secret = text.partition(":")
    return Credentials(login.lower(), secret) if colon else None


def _may_exist(login: str) -> bool:
    return 0 < len(login) <= _LONGEST_LOGIN and login.isprintable()
