"""How often an address changed, counted over versions that are read one after another."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta

from ddns_updater.model import HistoryEntry, HistorySummary, Window

_EVER = datetime.max.replace(tzinfo=UTC)
_NOTHING = timedelta(0)


def is_within(entry: HistoryEntry, window: Window) -> bool:
    """Return whether a version was current within a window."""
    began = entry.version.created_at
    if window.end is not None and began >= window.end:
        return False
    return window.start is None or began >= window.start or (entry.until or _EVER) > window.start


def summary_of(entries: Iterable[HistoryEntry], window: Window, now: datetime) -> HistorySummary:
    """Return the summary of a window; `entries` are all versions of an origin, the newest first, at least one."""
    longest: timedelta | None = None
    known: timedelta | None = None  # the longest of those with a known start and end
    shortest: timedelta | None = None
    versions = changes = 0
    for each, is_first in _with_first(entries):
        if is_within(each, window):
            began = each.version.created_at
            held = max((each.until or now) - began, _NOTHING)
            longest, versions = max(longest or held, held), versions + 1
            changes += not is_first and (window.start is None or began >= window.start)
            if each.until is not None and not is_first:
                known, shortest = max(known or held, held), held if shortest is None else min(shortest, held)
    first = each.version.created_at
    start = max(first, min(window.start or first, now))
    return HistorySummary(
        family=each.family,
        first_recorded_at=first,
        start=start,
        end=max(start, min(window.end or now, now)),
        versions=versions,
        changes=changes,
        longest=longest or _NOTHING,
        at_least=longest != known,
        shortest=shortest,
    )


def _with_first(entries: Iterable[HistoryEntry]) -> Iterator[tuple[HistoryEntry, bool]]:
    """Yield each entry, and whether it is the first version, which is the last of them."""
    before: HistoryEntry | None = None
    for each in entries:
        if before:
            yield before, False
        before = each
    if before:
        yield before, True
