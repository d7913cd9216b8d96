"""The thread of a server that publishes: a round when something is due, and a sweep every minute."""

import logging
import time
from collections.abc import Callable
from threading import Event, Thread

from ddns_updater.errors import HistoryError
from ddns_updater.hosts import Sweep
from ddns_updater.lib.deadline import Deadline, Monotonic
from ddns_updater.server.last_requests import LastRequests
from ddns_updater.server.pool import Pool
from ddns_updater.server.publishing import HostPublisher, Round
from ddns_updater.server.sweeping import swept

log = logging.getLogger(__name__)

_WINDOW = 1.0  # seconds in which changes gather before a round
_LONG_WINDOW = 3.0  # while changes keep coming, or more wait than a call of Route 53 holds
_SWEEP_EVERY = 60.0  # seconds
_ROUND_EVERY = 15.0  # seconds; also when nothing is due: /health asks for one a minute, and a database may be back


class Worker:
    """Runs the publisher beside the requests until it is stopped."""

    def __init__(
        self,
        pool: Pool,
        publisher: HostPublisher,
        last_requests: LastRequests,
        report: Callable[[Sweep], None],
        *,
        monotonic: Monotonic = time.monotonic,
        wait: Callable[[Event, float], object] = Event.wait,
    ) -> None:
        """Take the connections, the publisher, and what is told of every sweep."""
        self._pool = pool
        self._publisher = publisher
        self._last_requests = last_requests
        self._report = report
        self._monotonic = monotonic
        self._wait_for = wait
        self._woken = Event()
        self._stopping = Event()
        self._thread = Thread(target=self._run, name="publisher", daemon=True)
        self._grace = 0.0
        self._swept_at = monotonic() - _SWEEP_EVERY
        self.came_round_at = monotonic()  # when the last round ended that could use the database

    def start(self) -> None:
        """Begin with what is due."""
        self._thread.start()

    def wake(self) -> None:
        """Say that something was recorded."""
        self._woken.set()

    def stop(self, seconds: float) -> bool:
        """Send what is due and end, within `seconds`; return whether it ended in time."""
        self._grace = seconds
        self._stopping.set()
        self._woken.set()
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while not self._stopping.is_set():
            done = self._round()
            if self._monotonic() - self._swept_at >= _SWEEP_EVERY:
                self._sweep()
            self._wait(done)
        last = Deadline(self._grace, self._monotonic)
        while self._round().sent and last.left():
            pass
        self._sweep()

    def _round(self) -> Round:
        try:
            done = self._publisher.round()
        except HistoryError as error:
            log.warning("%s", error)
            return Round()
        except Exception:  # a bug; what is due stays due
            log.exception("a round of the publisher failed")
            return Round()
        self.came_round_at = self._monotonic()
        if done.sent or done.verified:
            log.info("published: %d sent, %d verified", done.sent, done.verified)
        return done

    def _wait(self, done: Round) -> None:
        """Wait until something is due, and then for more."""
        if not done.has_more:
            self._wait_for(self._woken, self._until_next_round())
        self._woken.clear()
        self._wait_for(self._stopping, _LONG_WINDOW if done.has_more or done.sent else _WINDOW)

    def _until_next_round(self) -> float:
        """Return the seconds until a record or a sweep is due, or another round."""
        most = min(max(self._swept_at + _SWEEP_EVERY - self._monotonic(), 0), _ROUND_EVERY)
        try:
            with self._pool.taken() as hosts:
                at = hosts.next_look()
                seconds = (at - hosts.now()).total_seconds() if at else most
        except HistoryError:
            return most
        except Exception:  # a bug; the next sweep or request goes on
            log.exception("looking for what is due next failed")
            return most
        return min(max(seconds, 0), most)

    def _sweep(self) -> None:
        """Save the last requests and report how the hosts are."""
        self._swept_at = self._monotonic()
        try:
            self._report(swept(self._pool, self._last_requests))
        except Exception:  # a bug; the server answers and publishes all the same
            log.exception("a sweep failed")
