"""What `ddns serve` does: answers the requests of hosts, and publishes what they record."""

import logging
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from functools import partial
from types import FrameType

from ddns_updater.app import server_factories
from ddns_updater.app.operator_pages import operator_pages
from ddns_updater.app.publishing import host_publisher, open_pool
from ddns_updater.dns.names import normalize_name
from ddns_updater.errors import HistoryError, NotInitialised
from ddns_updater.server.caller import ProxyWarnings, caller_of
from ddns_updater.server.dyndns2 import Dyndns2
from ddns_updater.server.endpoint import Endpoint
from ddns_updater.server.failed_logins import FailedLogins
from ddns_updater.server.last_requests import LastRequests
from ddns_updater.server.plain import Health, answer_ip
from ddns_updater.server.pool import Pool
from ddns_updater.server.ports import Requests
from ddns_updater.server.recorder import Recorder
from ddns_updater.server.request import Answer, Caller, Request
from ddns_updater.server.shared_secret import SharedSecret
from ddns_updater.server.worker import Worker
from ddns_updater.server.wsgi import application
from ddns_updater.settings.settings import Settings

log = logging.getLogger(__name__)

_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_LAST_ROUNDS = 20.0  # seconds in which what is due is sent at the end


def serve(settings: Settings, *, started: Callable[[str], None], waits: Callable[[], None]) -> None:
    """Answer requests until SIGTERM or SIGINT, then answer those in hand and send what is due; a second signal kills.

    `started` is told where it listens; `waits` is called, from within a signal handler, when SIGINT came. Raises
    SettingsError, ServerError, and NotInitialised. A database that is away is no error: it may come back.
    """
    pool = open_pool(settings)
    last_requests = LastRequests()
    operator = operator_pages(settings, pool)
    publisher = host_publisher(settings, pool, change_called=operator.change_called)
    worker = Worker(pool, publisher, last_requests, server_factories.sweep_reporter(settings).report)
    routes = _routes(pool, Recorder(pool, worker.wake), last_requests, worker, operator.failed_logins)
    endpoint = Endpoint({**routes, **operator.routes}, _callers(settings), count=partial(_count, operator.observe))
    with ExitStack() as stack:
        server = server_factories.web_server(settings, application(endpoint.answer))
        stack.callback(server.close)
        _check(pool, settings)
        stack.callback(pool.close)
        stack.enter_context(_stopped_by_signals(server.stop, waits))
        worker.start()
        started(server.place)
        server.run()
        if not worker.stop(_LAST_ROUNDS):
            log.warning("what is due was not sent within %g s; the next start sends it", _LAST_ROUNDS)


def _routes(
    pool: Pool, requests: Requests, last_requests: LastRequests, worker: Worker, failed_logins: FailedLogins
) -> Mapping[str, Answer]:
    """Return what answers each path of the hosts."""
    dyndns2 = Dyndns2(requests, failed_logins, normalize=normalize_name, now=_now, note=last_requests.note)
    shared = SharedSecret(requests, failed_logins, normalize=normalize_name, now=_now, note=last_requests.note)
    return {
        "/nic/update": dyndns2.answer,
        "/v3/update": dyndns2.answer,
        "/": shared.answer,
        "/ip": answer_ip,
        "/health": Health(pool.answers, lambda: worker.came_round_at).answer,
    }


def _callers(settings: Settings) -> Callable[[Request], Caller]:
    """Return what tells where a request came from."""
    warnings = ProxyWarnings(lambda text: log.warning("%s", text))

    def caller(request: Request) -> Caller:
        found = caller_of(request, settings.serve_trusted_proxies)
        warnings.check(request, found)
        return found

    return caller


def _count(observe: Callable[[str, str, float], None], protocol: str, answer: str, seconds: float) -> None:
    observe(protocol, answer, seconds)
    log.info("%s: %s in %.1f ms", protocol, answer, seconds * 1000)


def _now() -> datetime:
    return datetime.now(UTC)


def _check(pool: Pool, settings: Settings) -> None:
    """Use the database once, so that one without tables is told at the start, and a host that the line takes."""
    try:
        with pool.taken() as hosts:
            hosts.count()
            for name in sorted({each.name for each in settings.record_sets}):
                if hosts.login_of(name):
                    log.warning("host %s is in DDNS_RECORDS, so it is not published; remove it there or here", name)
    except NotInitialised:
        raise
    except HistoryError as error:
        log.warning("%s", error)


@contextmanager
def _stopped_by_signals(stop: Callable[[], None], waits: Callable[[], None]) -> Iterator[None]:
    """Call `stop` at the first SIGTERM or SIGINT, and `waits` before if it is SIGINT; a second one ends the process."""

    def received(signum: int, _frame: FrameType | None) -> None:
        for each in _SIGNALS:
            signal.signal(each, signal.SIG_DFL)
        if signum == signal.SIGINT:
            waits()
        stop()

    before = {each: signal.signal(each, received) for each in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
