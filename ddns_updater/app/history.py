"""What `ddns history` does."""

from collections.abc import Collection, Generator, Iterator
from contextlib import ExitStack
from datetime import datetime
from functools import partial
from heapq import merge
from itertools import islice
from typing import NamedTuple

from ddns_updater.app import factories
from ddns_updater.app.database import answer_limit, read_page, reading_limit
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
    with ExitStack() as stack:
        history, origins = _opened(settings, name, stack)
        found = list(_newest_first([_versions(settings, history, each, limit + 1, window) for each in origins]))
        with reading_limit(settings):
            summaries = [history.summary(origin, window) for origin in origins]
    return HistoryView(found[:limit], summaries, len(found) > limit)


def stream_history(
    settings: Settings, *, name: str | None, limit: int, window: Window
) -> Generator[HistoryEntry, None, None]:
    """Yield at most `limit` of the versions that were current within `window`, of all address families, newest first.

    They are read as they are asked for, so that any number of them takes little memory.
    """
    with ExitStack() as stack:
        history, origins = _opened(settings, name, stack)
        versions = [_versions(settings, history, each, limit, window) for each in origins]
        yield from islice(_newest_first(versions), limit)


def read_history_at(settings: Settings, *, name: str | None, second: Window) -> HistoryView:
    """Return the version of each family that was current in `second`, and a summary of each family without one."""
    with reading_limit(settings), ExitStack() as stack:
        history, origins = _opened(settings, name, stack)
        found = {origin: history.entries(origin, 1, second) for origin in origins}
        summaries = [history.summary(origin, second) for origin, entries in found.items() if not entries]
    return HistoryView(list(_newest_first([iter(entries) for entries in found.values()])), summaries)


def _opened(settings: Settings, name: str | None, stack: ExitStack) -> tuple[HistoryStore, Collection[Origin]]:
    """Return the database, which `stack` closes, and the origin of each address family."""
    with answer_limit(settings):
        history = stack.enter_context(factories.open_history(settings))
        origins = choose_origins(history, name or settings.name, settings.ip_families, with_hosts=True)
        return history, origins.values()


def _versions(
    settings: Settings, history: HistoryStore, origin: Origin, limit: int, window: Window
) -> Iterator[HistoryEntry]:
    """Yield at most `limit` versions of one family, newest first, a page at a time."""
    below = None
    while limit > 0:
        size = min(limit, _PAGE)
        read = partial(history.entries, origin, size, window, below=below)
        page = read_page(settings, history, read)
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
