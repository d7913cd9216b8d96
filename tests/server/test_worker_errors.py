"""The thread that publishes goes on, whatever happens in it."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ddns_updater.errors import HistoryError
from ddns_updater.hosts import Sweep
from ddns_updater.server.last_requests import LastRequests
from ddns_updater.server.pool import Pool
from ddns_updater.server.publishing import Round
from ddns_updater.server.worker import Worker

_NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)


class _Hosts:
    """A store without a host, and a publisher without work; the method called `broken` raises `error`."""

    def __init__(self, broken: str, error: Exception) -> None:
        self.broken, self.error = broken, error
        self.rounds = 0
        self.sweeps: list[Sweep] = []

    def _does(self, name: str, result: Any) -> Any:
        if name == self.broken:
            raise self.error
        return result

    def round(self) -> Round:
        self.rounds += 1
        self._does("round", None)
        return Round()

    def report(self, sweep: Sweep) -> None:
        self.sweeps.append(sweep)
        self._does("report", None)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        results = {
            "next_look": _NOW - timedelta(1),
            "now": _NOW,
            "failing": (0, ()),
            "count": 0,
            "slowed": (),
            "answers": True,
        }
        return lambda *_: self._does(name, results[name])


@contextmanager
def _running(hosts: _Hosts) -> Iterator[Worker]:
    @contextmanager
    def opened() -> Iterator[Any]:
        yield hosts

    worker = Worker(Pool(opened), hosts, LastRequests(), hosts.report)  # type: ignore[arg-type] # it has what is used
    worker.start()
    try:
        yield worker
    finally:
        assert worker.stop(5)


@pytest.mark.parametrize("error", [HistoryError("the database is away"), TypeError("a bug")])
@pytest.mark.parametrize("place", ["round", "report", "count", "next_look"])
def test_an_error_does_not_end_the_publisher(place: str, error: Exception) -> None:
    hosts = _Hosts(place, error)
    with _running(hosts) as worker:
        end = time.monotonic() + 10
        while hosts.rounds < 2 and time.monotonic() < end:
            worker.wake()
            time.sleep(0.05)
    assert hosts.rounds >= 2
    assert hosts.sweeps or (place == "count" and isinstance(error, TypeError))


def test_a_sweep_says_why_the_database_does_not_answer() -> None:
    hosts = _Hosts("count", HistoryError("the database is away"))
    with _running(hosts):
        end = time.monotonic() + 10
        while not hosts.sweeps and time.monotonic() < end:
            time.sleep(0.05)
    assert hosts.sweeps[0] == Sweep("the database is away")
