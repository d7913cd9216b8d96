"""What `ddns serve` does: answers the requests of hosts, and publishes what they record."""

import logging
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import FrameType

from ddns_updater.app import server_factories
from ddns_updater.app.endpoint import host_endpoint
from ddns_updater.app.operator_pages import operator_pages
from ddns_updater.app.publishing import host_publisher, open_pool
from ddns_updater.errors import HistoryError, NotInitialised
from ddns_updater.server.last_requests import LastRequests
from ddns_updater.server.pool import Pool
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
    endpoint = host_endpoint(
        settings,
        pool,
        last_requests,
        recorded=worker.wake,
        failed_logins=operator.failed_logins,
        came_round_at=lambda: worker.came_round_at,
        more_routes=operator.routes,
        observe=operator.observe,
    )
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
