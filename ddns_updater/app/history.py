"""What `ddns history` does."""

from collections.abc import Generator, Iterator
from datetime import datetime
from heapq import merge
from itertools import islice
from typing import NamedTuple

from ddns_updater.app import factories
from ddns_updater.errors import ConnectionLost
from ddns_updater.model import Family, HistoryEntry, HistorySummary, Origin, Window
from ddns_updater.run.origins import choose_origins
from ddns_updater.run.ports import HistoryStore
from ddns_updater.settings.settings import Settings

_PAGE = 1000  # versions that are read at a time


class HistoryView(NamedTuple):
    """Versions of an origin, newest first, and a summary for each address family.

    `has_more` is whether there are versions beyond the limit.
    """

    entries: list[HistoryEntry]
    summaries: list[HistorySummary]
    has_more: bool = False


def read_history(settings: Settings, *, name: str | None, limit: int, window: Window) -> HistoryView:
    """Return the versions that were current within `window`, of all address families, and the summaries.

    `limit` is the maximum number of versions; the summaries cover all of them.
    """
    with factories.open_history(settings) as history:
        origins = choose_origins(history, name or settings.name, settings.ip_families).values()
        found = list(_newest_first([_versions(history, origin, limit + 1, window) for origin in origins]))
        summaries = [history.summary(origin, window) for origin in origins]
    return HistoryView(found[:limit], summaries, len(found) > limit)


def stream_history(
    settings: Settings, *, name: str | None, limit: int, window: Window
) -> Generator[HistoryEntry, None, None]:
    """Yield at most `limit` of the versions that were current within `window`, of all address families, newest first.

    They are read as they are asked for, so that any number of them takes little memory.
    """
    with factories.open_history(settings) as history:
        origins = choose_origins(history, name or settings.name, settings.ip_families).values()
        yield from islice(_newest_first([_versions(history, origin, limit, window) for origin in origins]), limit)


def read_history_at(settings: Settings, *, name: str | None, second: Window) -> HistoryView:
    """Return the version of each family that was current in `second`, and a summary of each family without one."""
    with factories.open_history(settings) as history:
        origins = choose_origins(history, name or settings.name, settings.ip_families).values()
        found = {origin: history.entries(origin, 1, second) for origin in origins}
        summaries = [history.summary(origin, second) for origin, entries in found.items() if not entries]
    return HistoryView(list(_newest_first([iter(entries) for entries in found.values()])), summaries)


def _versions(history: HistoryStore, origin: Origin, limit: int, window: Window) -> Iterator[HistoryEntry]:
    """Yield at most `limit` versions of one family, newest first, a page at a time."""
    below = None
    while limit > 0:
        size = min(limit, _PAGE)
        try:
            page = history.entries(origin, size, window, below=below)
        except ConnectionLost:  # the reader of the output, such as a pager, took its time
            history.reconnect()
            page = history.entries(origin, size, window, below=below)
        yield from page
        if len(page) < size:
            return
        limit, below = limit - size, page[-1].version.version


def _newest_first(families: list[Iterator[HistoryEntry]]) -> Iterator[HistoryEntry]:
    """Merge the versions of several families by time; those of one stay in order, also where the clock went back."""
    return merge(*families, key=_order, reverse=True)


def _order(entry: HistoryEntry) -> tuple[datetime, int, Family]:
    """Return what orders entries of several families: the time, and within a second the version."""
    return entry.version.created_at, entry.version.version, entry.family
