"""Reading much of the database, a page at a time."""

from collections.abc import Callable
from typing import TypeVar

from ddns_updater.app import factories
from ddns_updater.errors import ConnectionLost
from ddns_updater.lib.deadline import time_limit
from ddns_updater.run import timetable
from ddns_updater.run.ports import History
from ddns_updater.settings.settings import Settings

_Page = TypeVar("_Page")


def reading_limit(settings: Settings) -> time_limit:
    """Limit a block in which the database hands out much."""
    return factories.database_limit(settings, timetable.reading_seconds(settings.run_timeout))


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
