"""What `ddns history` does."""

from collections.abc import Collection, Iterable
from contextlib import ExitStack
from datetime import datetime
from typing import NamedTuple

from ddns_updater.app import factories
from ddns_updater.lib.deadline import time_limit
from ddns_updater.model import Family, HistoryEntry, HistorySummary, Origin, Window
from ddns_updater.run import timetable
from ddns_updater.run.origins import choose_origins
from ddns_updater.run.ports import HistoryStore
from ddns_updater.settings.settings import Settings


class HistoryView(NamedTuple):
    """Versions of an origin, newest first, and a summary for each address family.

    `has_more` is whether there are versions beyond the limit.
    """

    entries: list[HistoryEntry]
    summaries: list[HistorySummary]
    has_more: bool = False


def read_history(settings: Settings, *, name: str | None, limit: int, window: Window, counted: bool) -> HistoryView:
    """Return the versions that were current within `window`, of all address families; summaries only when `counted`.

    `limit` is the maximum number of versions; the summaries cover all of them.
    """
    with _reading(settings), ExitStack() as stack:
        history, origins = _opened(settings, name, stack)
        entries = [entry for origin in origins for entry in history.entries(origin, limit + 1, window)]
        summaries = [history.summary(origin, window) for origin in origins] if counted else []
    return HistoryView(_newest_first(entries)[:limit], summaries, len(entries) > limit)


def read_history_at(settings: Settings, *, name: str | None, second: Window) -> HistoryView:
    """Return the version of each family that was current in `second`, and a summary of each family without one."""
    with _reading(settings), ExitStack() as stack:
        history, origins = _opened(settings, name, stack)
        found = {origin: history.entries(origin, 1, second) for origin in origins}
        summaries = [history.summary(origin, second) for origin, entries in found.items() if not entries]
    return HistoryView(_newest_first(entry for entries in found.values() for entry in entries), summaries)


def _reading(settings: Settings) -> time_limit:
    return factories.database_limit(settings, timetable.reading_seconds(settings.run_timeout))


def _opened(settings: Settings, name: str | None, stack: ExitStack) -> tuple[HistoryStore, Collection[Origin]]:
    """Return the database, which `stack` closes, and the origin of each address family."""
    with factories.database_limit(settings, timetable.answer_seconds(settings.run_timeout)):
        history = stack.enter_context(factories.open_history(settings))
        return history, choose_origins(history, name or settings.name, settings.ip_families).values()


def _newest_first(entries: Iterable[HistoryEntry]) -> list[HistoryEntry]:
    return sorted(entries, key=_order, reverse=True)


def _order(entry: HistoryEntry) -> tuple[datetime, int, Family]:
    """Return what orders entries of several families: the time, and within a second the version."""
    return entry.version.created_at, entry.version.version, entry.family
