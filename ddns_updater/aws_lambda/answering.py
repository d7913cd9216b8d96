"""Answer requests that Lambda hands over, and sweep the hosts: what `ddns serve` does, without a process that stays.

Many processes may answer at the same time. A request publishes what it recorded before it is answered, unless another
process publishes just then. A sweep, once a minute, finds what was left, and reads back what was sent.
"""

import logging
import time
from functools import cache
from typing import Any

from ddns_updater.app import server_factories
from ddns_updater.app.endpoint import host_endpoint
from ddns_updater.app.publishing import host_publisher, open_pool
from ddns_updater.aws_lambda.log import log_problem, log_warnings, say
from ddns_updater.aws_lambda.payload import payload_of, request_of
from ddns_updater.errors import HistoryError, SettingsError
from ddns_updater.lib.deadline import Deadline, time_limit
from ddns_updater.lib.humanize import counted
from ddns_updater.server.endpoint import Endpoint
from ddns_updater.server.failed_logins import FailedLogins
from ddns_updater.server.last_requests import LastRequests
from ddns_updater.server.pool import Pool
from ddns_updater.server.publishing import HostPublisher
from ddns_updater.server.request import BUG
from ddns_updater.server.rounds import publish_due
from ddns_updater.server.sweep_report import SweepReporter
from ddns_updater.server.sweeping import swept
from ddns_updater.settings.load import read_settings

log = logging.getLogger(__name__)

_REQUEST = 5.0, 15.0  # seconds in which a request begins rounds, and in which they end: an HTTP API waits for 30 s
_SWEEP = 20.0, 30.0  # those of a sweep
_READING = 10.0  # seconds to read how the hosts are; a report of 8 s follows, and a function has a minute at least
_SAVE_EVERY = 60.0  # seconds; the next sweep may run in another process


class _Server:
    """All that stays between two events; `has_recorded` is whether the request at hand recorded something."""

    def __init__(self) -> None:
        """Read the settings; nothing is opened yet. Raises SettingsError."""
        loaded = read_settings()
        settings = loaded.valid()
        for warning in loaded.warnings:
            log.warning("%s", warning)
        self.pool: Pool = open_pool(settings)
        self.publisher: HostPublisher = host_publisher(settings, self.pool)
        self.reporter: SweepReporter = server_factories.sweep_reporter(settings)
        self.last_requests = LastRequests()
        self.saved_at = time.monotonic() - _SAVE_EVERY
        self.has_recorded = False
        self.endpoint: Endpoint = host_endpoint(
            settings, self.pool, self.last_requests, recorded=self._recorded, failed_logins=FailedLogins()
        )

    def _recorded(self) -> None:
        self.has_recorded = True

    def save_last_requests(self) -> None:
        """Save them, once a minute at most."""
        if time.monotonic() - self.saved_at < _SAVE_EVERY:
            return
        self.saved_at = time.monotonic()
        try:
            with self.pool.taken() as hosts:
                self.last_requests.save(hosts)
        except HistoryError as error:
            log.warning("%s", error)

    def report(self) -> None:
        """Save the last requests, and report how the hosts are, unless so many are due that reading takes too long."""
        too_long = HistoryError(
            f"reading how the hosts are took more than {_READING:g} s", then="the next sweep tells it"
        )
        try:
            with time_limit(_READING, too_long):
                sweep = swept(self.pool, self.last_requests)
        except HistoryError as error:  # nothing is known to fail, so it begins no incident
            log.warning("%s", error)
        else:
            self.reporter.report(sweep)

    def publish(self, begin: float, most: float) -> None:
        """Publish what is due, for `most` seconds; no round begins after `begin` seconds. What fails stays due."""
        too_long = HistoryError(f"publishing took more than {most:g} s", then="the next sweep continues")
        try:
            with time_limit(most, too_long):
                done = publish_due(self.publisher, self.pool, Deadline(begin))
        except HistoryError as error:
            log.warning("%s", error)
        except Exception:
            log.exception("a round of the publisher failed")
        else:
            facts: dict[str, object] = {"sent": done.sent, "failed": done.failed}
            if done.failed:
                say("error", f"failed to publish {counted(done.failed, 'record')}: {done.error}", facts)
            elif done.sent:
                say("info", f"sent {counted(done.sent, 'change')}", facts)


@cache
def _server() -> _Server:
    log_warnings()
    return _Server()


def answer(event: dict[str, Any]) -> dict[str, Any]:
    """Return the response to the request in `event`; what it recorded is sent before."""
    request = request_of(event)
    if request is None:
        say("error", "the event is not of payload format 2.0; set it in the integration of the API", {})
        return payload_of(BUG, None)
    try:
        server = _server()
    except SettingsError as error:
        log_problem(error)
        return payload_of(BUG, request)
    server.has_recorded = False
    response = server.endpoint.answer(request)
    if server.has_recorded:
        server.publish(*_REQUEST)
    server.save_last_requests()
    return payload_of(response, request)


def sweep() -> dict[str, Any]:
    """Publish what is due, and report how the hosts are."""
    try:
        server = _server()
    except SettingsError as error:
        log_problem(error)
        return {"error": str(error)}
    server.publish(*_SWEEP)
    server.report()
    return {}
