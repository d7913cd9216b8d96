"""How long the database may take, and reading much of it a page at a time."""

from collections.abc import Callable
from typing import TypeVar

from ddns_updater.errors import ConnectionLost, HistoryError
from ddns_updater.lib.deadline import time_limit
from ddns_updater.run import timetable
from ddns_updater.run.ports import History
from ddns_updater.settings.settings import Settings

_Page = TypeVar("_Page")


def database_limit(settings: Settings, seconds: float, advice: str = "check it and the way to it") -> time_limit:
    """Limit a block that uses the database, whatever it sends: HistoryError says what was waited for."""
    where = settings.database.place
    return time_limit(seconds, HistoryError(f"the database at {where} did not answer within {seconds:g} s", advice))


def answer_limit(settings: Settings) -> time_limit:
    """Limit a block in which the database answers a few questions."""
    return database_limit(settings, timetable.answer_seconds(settings.run_timeout))


def reading_limit(settings: Settings) -> time_limit:
    """Limit a block in which the database hands out much."""
    return database_limit(settings, timetable.reading_seconds(settings.run_timeout))


def read_page(settings: Settings, history: History, read: Callable[[], _Page]) -> _Page:
    """Return what `read` returns, on a new connection if the old one was lost since the page before.

    Whoever reads the output, such as a pager, may take its time.
    """
    with reading_limit(settings):
        try:
            return read()
        except ConnectionLost:
            history.reconnect()
            return read()
