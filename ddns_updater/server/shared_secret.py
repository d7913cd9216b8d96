"""The protocol of AWS's own sample of dynamic DNS, with a secret that client and server share.

Its clients prove the secret by a hash over the caller's address, the host name and the secret. There are three wire
forms: POST with JSON, and the GET forms of 2015 and 2018, which differ in the final dot of the name.
https://github.com/awslabs/route53-dynamic-dns-with-lambda
"""

import json
import logging
import re
from collections.abc import Callable
from datetime import datetime
from hashlib import sha256
from hmac import compare_digest
from http import HTTPStatus
from secrets import token_hex
from typing import NamedTuple
from urllib.parse import parse_qsl

from ddns_updater.errors import HistoryError, InvalidValue, UnusableAnswer
from ddns_updater.hosts import Host, LastRequest, Result, Verdict
from ddns_updater.model import Address, parse_address
from ddns_updater.server.ports import LoginLimits, Requests
from ddns_updater.server.request import Caller, Request, Response
from ddns_updater.server.updates import ADDRESS_RETRY, DATABASE_RETRY, record
from ddns_updater.sources.request import Given, addresses_of

log = logging.getLogger(__name__)

PROTOCOL = "aws"

_METHODS = ("GET", "POST")
_HASH = re.compile("[0-9a-f]{64}")
_LONGEST_NAME = 255  # characters
_MAX_FIELDS = 20  # of a query
_DUMMIES = (token_hex(), token_hex())  # stand for the secrets that a host has not; nobody knows them
_NOT_NOW = "The request cannot be answered now; try again later."
_JSON = "application/json"
_HEADERS = (  # as the sample sends them
    ("Access-Control-Allow-Origin", "*"),
    ("Access-Control-Allow-Headers", "Content-Type"),
    ("Access-Control-Allow-Methods", "GET"),
)


class _Failure(Exception):
    """A request that fails: with which status and why; `retry_after` is in seconds, for 503.

    The text never quotes the request: some clients look for words such as "good" anywhere in a response.
    """

    def __init__(self, status: HTTPStatus, text: str, *, retry_after: int = 0) -> None:
        super().__init__(text)
        self.status = status
        self.text = text
        self.retry_after = retry_after


class _Set(NamedTuple):
    """A request to set the address of a host: the name as typed, the hash in lower case, and the internal address."""

    name: str
    hash: str
    internal_ip: str = ""


class SharedSecret:
    """The protocol in front of the hosts that take it."""

    def __init__(
        self,
        requests: Requests,
        failed_logins: LoginLimits,
        *,
        normalize: Callable[[str], str],
        now: Callable[[], datetime],
        note: Callable[[Host, LastRequest], None],
    ) -> None:
        """Take how to write a name as hosts are named, raising InvalidValue, and what notes the last request."""
        self._requests = requests
        self._failed_logins = failed_logins
        self._normalize = normalize
        self._now = now
        self._note = note

    def answer(self, request: Request, caller: Caller) -> Response:
        """Return the response to a request, after what it asks for is recorded.

        The GET forms have status 200 whatever is wrong with the request, as AWS's had: their clients read
        `return_status` alone, and `curl --fail` would lose the message. What is ours and passes is 503 in every form.
        """
        if request.method not in _METHODS:  # HEAD too: it must not change anything
            headers = (("Allow", ", ".join(_METHODS)),)
            return Response(HTTPStatus.METHOD_NOT_ALLOWED, headers=headers, counted=(PROTOCOL, "405"))
        is_post = request.method == "POST"
        try:
            wanted = _posted(request.body) if is_post else _queried(request.query)
            address = caller.own_address
            if address is None:
                raise _later("It cannot be told where this request came from.", ADDRESS_RETRY)
            if wanted is None:
                return _success(HTTPStatus.OK, str(address), "get")
            if wanted.internal_ip and parse_address(wanted.internal_ip) != address:
                raise _invalid("internalIp must be the address that the request comes from, or be left out.")
            name = self._host_name(wanted.name)
            if self._failed_logins.is_limited(caller, name):
                return Response(HTTPStatus.TOO_MANY_REQUESTS, counted=(PROTOCOL, "429"))
            verdict = self._set(self._authenticated(wanted, name, caller, address), address, request)
        except _Failure as failure:
            return _failed(failure, is_post=is_post)
        if verdict is Verdict.NOCHG:
            return _success(HTTPStatus.OK, "Your IP address matches the current Route53 DNS record.", verdict)
        if is_post:
            return _success(HTTPStatus.CREATED, f"{wanted.name} has been updated to {address}", verdict)
        dotted = _dotted(wanted.name)
        return _success(HTTPStatus.OK, f"Your hostname record {dotted} has been set to {address}", verdict)

    def _host_name(self, typed: str) -> str | None:
        """Return a name as hosts are named, None when it is none."""
        if len(typed) > _LONGEST_NAME:
            return None
        try:
            return self._normalize(typed)
        except InvalidValue:
            return None

    def _authenticated(self, wanted: _Set, name: str | None, caller: Caller, address: Address) -> Host:
        """Return the host whose secret made the hash.

        Takes the same work and says the same when there is no such host, or it does not take this protocol.
        """
        try:
            login = self._requests.login_of(name) if name else None
        except HistoryError as error:
            log.warning("failed to look a host up: %s", error)
            raise _later(_NOT_NOW, DATABASE_RETRY) from None
        host = login.hosts[0] if login else None
        secrets = login.shared_secrets if login and host and host.takes_aws else ()
        hashes = [
            _hash(address, typed, secret)
            for secret in (*secrets, *_DUMMIES)[:2]
            for typed in (wanted.name, _dotted(wanted.name))
        ]
        matches = sum(compare_digest(each, wanted.hash) for each in hashes)  # all are compared, whichever is right
        if host and secrets and matches:
            return host
        # People type a secret where the name belongs, so one that is no host's is never logged.
        problem = "wrong hash" if secrets else "a hash, but AWS's protocol is not allowed,"
        log.warning("%s from %s", f"{problem} for {host.name}" if host else "a hash for an unknown host", address)
        self._failed_logins.failed(caller, name)
        raise _Failure(HTTPStatus.UNAUTHORIZED, "Validation hashes do not match.")

    def _set(self, host: Host, address: Address, request: Request) -> Verdict:
        """Record the address of a host, note the request, and return GOOD or NOCHG."""
        result = self._recorded(host, address)
        self._note(host, LastRequest(self._now(), request.client, str(address), result.verdict))
        if result.verdict is Verdict.BLOCKED:
            raise _Failure(HTTPStatus.FORBIDDEN, "The operator has blocked this host, update denied.")
        if result.verdict is Verdict.LATER:
            raise _later(_NOT_NOW, result.retry_after)
        return result.verdict

    def _recorded(self, host: Host, address: Address) -> Result:
        try:
            addresses = addresses_of(Given(), None, address)
        except UnusableAnswer as error:
            log.warning("%s: its request came from %s", host.name, error.answer)
            return Result(Verdict.LATER, retry_after=ADDRESS_RETRY)
        return record(self._requests, [(host, addresses)])[0]


def _posted(body: bytes) -> _Set | None:
    """Return what a JSON body wants set; None when it wants the caller's address."""
    try:
        wanted = json.loads(body)
    except (ValueError, RecursionError):
        wanted = None
    if not isinstance(wanted, dict):
        raise _invalid("The body must be a JSON object.")
    if wanted.get("execution_mode") not in ("get", "set"):
        raise _invalid('execution_mode must be "get" or "set".')
    if wanted["execution_mode"] == "get":
        return None
    return _wanted(wanted.get("ddns_hostname"), wanted.get("validation_hash"), "ddns_hostname")


def _queried(query: str) -> _Set | None:
    """Return what a query wants set; None when it wants the caller's address."""
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=_MAX_FIELDS)
    except ValueError:
        raise _invalid("The query has too many arguments.") from None
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise _invalid("The query has an argument twice.")
    mode = fields.get("mode")
    if mode == "list_hosts":
        raise _invalid("mode=list_hosts does not exist here; you must pass mode=get or mode=set arguments.")
    if mode not in ("get", "set"):
        raise _invalid("You must pass mode=get or mode=set arguments.")
    if mode == "get":
        return None
    wanted = _wanted(fields.get("hostname"), fields.get("hash"), "hostname")
    return wanted._replace(internal_ip=fields.get("internalIp", "").strip())


def _wanted(name: object, given: object, field: str) -> _Set:
    if not isinstance(name, str) or not name:
        raise _invalid(f"{field} must be the name of the host.")
    if not isinstance(given, str) or not _HASH.fullmatch(given.lower()):
        raise _invalid("You must pass a valid sha256 hash in the hash= argument.")
    return _Set(name, given.lower())


def _dotted(name: str) -> str:
    return name if name.endswith(".") else f"{name}."


def _hash(address: Address, typed: str, secret: str) -> str:
    return sha256(f"{address}{typed}{secret}".encode("utf-8", "surrogatepass")).hexdigest()


def _invalid(text: str) -> _Failure:
    return _Failure(HTTPStatus.BAD_REQUEST, text)


def _later(text: str, seconds: int) -> _Failure:
    return _Failure(HTTPStatus.SERVICE_UNAVAILABLE, text, retry_after=seconds)


def _success(status: HTTPStatus, text: str, counted: str) -> Response:
    return Response(status, _body("success", text), _JSON, _HEADERS, (PROTOCOL, counted))


def _failed(failure: _Failure, *, is_post: bool) -> Response:
    is_later = failure.status is HTTPStatus.SERVICE_UNAVAILABLE
    status = failure.status if is_post or is_later else HTTPStatus.OK
    headers = (*_HEADERS, ("Retry-After", str(failure.retry_after))) if is_later else _HEADERS
    return Response(status, _body("fail", failure.text), _JSON, headers, (PROTOCOL, str(failure.status.value)))


def _body(return_status: str, text: str) -> str:
    return json.dumps({"return_status": return_status, "return_message": text})
