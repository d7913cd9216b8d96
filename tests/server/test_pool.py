"""Connections to the database for many threads."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from ddns_updater.errors import HistoryError
from ddns_updater.server.pool import Pool


class _Store:
    def __init__(self) -> None:
        self.works = True
        self.is_closed = False

    def answers(self) -> bool:
        return self.works


class _Database:
    """Opens stores, unless it is away."""

    def __init__(self) -> None:
        self.opened: list[_Store] = []
        self.tried = 0
        self.is_away = False
        self.time = 100.0
        self.pool = Pool(self._open, lambda: self.time)

    @contextmanager
    def _open(self) -> Iterator[Any]:
        self.tried += 1
        if self.is_away:
            raise HistoryError("the database is away")
        store = _Store()
        self.opened.append(store)
        yield store
        store.is_closed = True


def test_a_store_is_used_again_and_two_threads_never_have_the_same() -> None:
    database = _Database()
    with database.pool.taken() as first, database.pool.taken() as second:
        assert first is not second
    with database.pool.taken():
        pass
    assert database.tried == 2


def test_a_store_that_was_idle_is_checked_and_replaced_when_its_connection_is_gone() -> None:
    database = _Database()
    with database.pool.taken():
        pass
    database.opened[0].works = False
    database.time += 2
    with database.pool.taken():
        assert [each.is_closed for each in database.opened] == [True, False]


def test_a_database_that_is_away_is_tried_once_a_second_for_all_threads() -> None:
    database = _Database()
    database.is_away = True
    lengths = set()
    for _ in range(50):
        with pytest.raises(HistoryError, match="the database is away") as raised, database.pool.taken():
            pass
        lengths.add(len(list(raised.traceback)))
    assert database.tried == 1
    assert len(lengths) <= 2  # the error that is raised again does not grow
    database.is_away = False
    database.time += 1
    with database.pool.taken():
        assert database.tried == 2
