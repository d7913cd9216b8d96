"""The dyndns2 protocol, which routers, NAS devices, ddclient and inadyn speak.

Reference: https://help.dyn.com/remote-access-api/perform-update/ and /return-codes/
"""

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from functools import cache, partial
from typing import NamedTuple

from ddns_updater.errors import HistoryError, InvalidValue, UnusableAnswer
from ddns_updater.hosts import Host, LastRequest, Login, Result, Verdict
from ddns_updater.model import Address, Family
from ddns_updater.server.logins import authenticate, credentials
from ddns_updater.server.ports import LoginLimits, Requests
from ddns_updater.server.request import Caller, Request, Response
from ddns_updater.server.update_request import UpdateRequest, parse_update
from ddns_updater.server.updates import ADDRESS_RETRY, DATABASE_RETRY, record
from ddns_updater.sources.request import addresses_of, parse_given

log = logging.getLogger(__name__)

PROTOCOL = "dyndns2"

# The codes from the worst to the best, each with its status: the worst one of a response decides. inadyn ends for good
# on any body of a 200 that it does not know, and takes one that contains ok, good, true, updated, success or nochg for
# a success; OPNsense takes every 200 for one. So what may pass, or what the operator must fix, is 503.
_STATUSES: Mapping[str, int] = {
    "badauth": 401,
    "911": 503,
    "abuse": 200,
    "badagent": 200,
    "!donator": 200,
    "numhost": 200,
    "notfqdn": 200,
    "nohost": 200,
    "good": 200,
    "nochg": 200,
}
_CHALLENGE = ("WWW-Authenticate", 'Basic realm="ddns", charset="UTF-8"')  # wget and pfSense log in only when asked
_METHODS = ("GET", "POST")
_MAX_HOSTS = 20  # of a request, by the reference


class _Line(NamedTuple):
    """The answer for one name, or for the whole request; `retry_after` is in seconds, for 911."""

    code: str
    addresses: tuple[Address, ...] = ()
    retry_after: int = 0

    def __str__(self) -> str:
        return " ".join(filter(None, (self.code, ",".join(map(str, self.addresses)))))


class Dyndns2:
    """The protocol in front of the hosts."""

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
        """Return the response to a request, after everything that it asks for is recorded."""
        if request.method not in _METHODS:  # HEAD too: it must not change anything
            return Response(405, headers=(("Allow", ", ".join(_METHODS)),), counted=(PROTOCOL, "405"))
        try:
            update = parse_update(request)
        except InvalidValue:
            return _response(_Line("badagent"))
        given = credentials(request, update.fields)
        if self._failed_logins.is_limited(caller, given.login if given else None):
            return Response(429, counted=(PROTOCOL, "429"))
        if given is None:
            return _response(_Line("badauth"))
        try:
            login = authenticate(self._requests, given, caller)
        except HistoryError as error:
            log.warning("failed to look a login up: %s", error)
            return _response(_Line("911", retry_after=DATABASE_RETRY))
        if login is None:
            self._failed_logins.failed(caller, given.login)
            return _response(_Line("badauth"))
        return _response(*self._lines(update.without(given.secret), login, caller))

    def _lines(self, update: UpdateRequest, login: Login, caller: Caller) -> Sequence[_Line]:
        """Return the lines of the response: one for each name, or one for all of them."""
        if update.is_offline:
            return [_Line("!donator")]
        hosts = {host.name: host for host in login.hosts}
        names = update.names or [name for name in hosts if name == login.login]
        if not names:
            return [_Line("notfqdn")]
        if len(names) > _MAX_HOSTS:
            return [_Line("numhost")]
        targets = [self._target(name, hosts) for name in names]
        wanted = {each.name: each for each in targets if isinstance(each, Host)}
        results = self._update(wanted.values(), update, caller)
        return [_line(results[each.name]) if isinstance(each, Host) else _Line(each) for each in targets]

    def _target(self, name: str, hosts: Mapping[str, Host]) -> Host | str:
        """Return the host that a name means, else the code that says why not."""
        try:
            return hosts.get(self._normalize(name), "nohost")  # the same for a host of others and one that nobody has
        except InvalidValue:
            return "notfqdn"

    def _update(self, hosts: Collection[Host], update: UpdateRequest, caller: Caller) -> Mapping[str, Result]:
        """Record the addresses of all hosts at once, note the request, and return the result of each by its name."""
        results: dict[str, Result] = {}
        wanted: list[tuple[Host, Mapping[Family, Address]]] = []
        given = cache(partial(parse_given, update.fields))
        for host in hosts:
            try:
                wanted.append((host, addresses_of(given(), host.suffix, caller.own_address)))
            except UnusableAnswer as error:
                # A router that has no address yet sends its placeholder or a private one. dyn.com would take the
                # caller's address, which may be another machine's. This passes when the line is up, or the owner
                # corrects the client: no word may end that client for good, nor look like a success to it.
                log.warning("%s: its request gave %s", host.name, update.shown(error.answer))
                results[host.name] = Result(Verdict.LATER, retry_after=ADDRESS_RETRY)
        recorded = record(self._requests, wanted)
        results |= {host.name: result for (host, _), result in zip(wanted, recorded, strict=True)}
        came_from = "" if caller.address is None else str(caller.address)
        for host in hosts:
            self._note(host, LastRequest(self._now(), update.client, came_from, results[host.name].verdict))
        return results


def _line(result: Result) -> _Line:
    if result.verdict in (Verdict.GOOD, Verdict.NOCHG):
        return _Line(result.verdict.value, result.addresses)
    return _Line(result.verdict.value, retry_after=result.retry_after)


def _response(*lines: _Line) -> Response:
    worst = next(code for code in _STATUSES if any(line.code == code for line in lines))
    headers: tuple[tuple[str, str], ...] = ()
    if worst == "badauth":
        headers = (_CHALLENGE,)
    elif worst == "911":
        headers = (("Retry-After", str(min(line.retry_after for line in lines if line.code == worst))),)
    body = "\n".join(map(str, lines))  # without a final line break, which ddclient could take for another line
    return Response(_STATUSES[worst], body, headers=headers, counted=(PROTOCOL, worst))
