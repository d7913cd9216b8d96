"""What `ddns history` does."""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from ddns_updater.app import factories
from ddns_updater.model import Family, HistoryEntry, HistorySummary, Window
from ddns_updater.run.origins import choose_origins
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
    with factories.open_history(settings) as history:
        origins = choose_origins(history, name or settings.name, settings.ip_families).values()
        entries = [entry for origin in origins for entry in history.entries(origin, limit + 1, window)]
        summaries = [history.summary(origin, window) for origin in origins] if counted else []
    return HistoryView(_newest_first(entries)[:limit], summaries, len(entries) > limit)


def read_history_at(settings: Settings, *, name: str | None, second: Window) -> HistoryView:
    """Return the version of each family that was current in `second`, and a summary of each family without one."""
    with factories.open_history(settings) as history:
        origins = choose_origins(history, name or settings.name, settings.ip_families).values()
        found = {origin: history.entries(origin, 1, second) for origin in origins}
        summaries = [history.summary(origin, second) for origin, entries in found.items() if not entries]
    return HistoryView(_newest_first(entry for entries in found.values() for entry in entries), summaries)


def _newest_first(entries: Iterable[HistoryEntry]) -> list[HistoryEntry]:
    return sorted(entries, key=_order, reverse=True)


def _order(entry: HistoryEntry) -> tuple[datetime, int, Family]:
    """Return what orders entries of several families: the time, and within a second the version."""
    return entry.version.created_at, entry.version.version, entry.family
