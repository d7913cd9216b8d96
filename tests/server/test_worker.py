"""The thread of a server that publishes: how often it comes round, by a clock that does not wait."""

from collections.abc import Callable
from threading import Event

import pytest

from ddns_updater.app.publishing import open_pool
from ddns_updater.errors import HistoryError
from ddns_updater.server.last_requests import LastRequests
from ddns_updater.server.publishing import Round
from ddns_updater.server.worker import Worker
from tests.support.database import Database


class Publisher:
    """Does rounds in which nothing is due, unless the database is away."""

    def __init__(self, is_away: Callable[[], bool]) -> None:
        self._is_away = is_away

    def round(self) -> Round:
        """Do one."""
        if self._is_away():
            raise HistoryError("the database does not answer")
        return Round()


@pytest.fixture
def ages(sqlite: Database) -> list[tuple[float, float]]:
    """Give pairs of a time and the age of the last round at that time, from a quarter of an hour.

    The database is away from the fifth to the tenth minute.
    """
    sqlite.create_tables()
    found: list[tuple[float, float]] = []
    now, is_over = [0.0], Event()

    def wait(event: Event, seconds: float) -> None:
        if now[0] >= 900:
            is_over.set()
            event.wait(30)
        elif not event.is_set():
            now[0] += seconds
            found.append((now[0], now[0] - worker.came_round_at))

    publisher = Publisher(lambda: 300 <= now[0] < 600)
    pool = open_pool(sqlite.settings())
    worker = Worker(
        pool,
        publisher,  # type: ignore[arg-type]
        LastRequests(),
        lambda sweep: None,  # noqa: ARG005
        monotonic=lambda: now[0],
        wait=wait,
    )
    worker.start()
    assert is_over.wait(30)
    assert worker.stop(30)
    pool.close()
    return found


def test_it_comes_round_well_within_a_minute_also_when_nothing_is_due(ages: list[tuple[float, float]]) -> None:
    assert max(age for at, age in ages if at < 300) < 30


def test_it_comes_round_soon_after_the_database_is_back(ages: list[tuple[float, float]]) -> None:
    assert min(at for at, age in ages if at >= 600 and age < 30) < 630
