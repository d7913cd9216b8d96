"""A timeline of the versions in plain text: how long each address was held, on one axis."""

from collections.abc import Sequence
from datetime import datetime

from ddns_updater.lib.humanize import duration
from ddns_updater.model import HistoryEntry, Window

_WITHOUT_TERMINAL = 80  # columns
_SHORTEST = 10  # columns of an axis on which lengths can still be compared
_GAP = "  "
_FORMS = ("%Y-%m-%d %H:%M", "%Y-%m-%d")


def history_chart(entries: Sequence[HistoryEntry], window: Window, width: int | None, encoding: str | None) -> str:
    """Return one row for each of `entries`, newest first, each family by itself: address, bar, how long it was held.

    The axis is the part of `window`, by which the entries were chosen, that they lie in; it ends now at the latest and
    is labelled in local time. There must be an entry. `width` is the terminal's, None where there is none; `encoding`
    is what the text will be written in, for not every one has block characters.
    """
    width = width or _WITHOUT_TERMINAL
    mark = "█" if _can_carry(encoding, "█") else "#"
    begin, end = _axis(entries, window)
    addresses = max(len(entry.version.ip) for entry in entries)
    held = max(len("HELD"), *(len(duration(entry.held)) for entry in entries))
    columns = width - addresses - held - 2 * len(_GAP)
    stacked = columns < _SHORTEST  # the address on a line of its own
    if stacked:
        columns = max(width - held - len(_GAP), _SHORTEST)
    labels = _labels(begin, end, columns)
    lines = [] if labels else [" to ".join(_local(each, _FORMS[0]) for each in (begin, end))]
    families = sorted({entry.family for entry in entries})
    for family in families:
        title = family.upper() if len(families) > 1 else "ADDRESS"
        lines += _row(title, labels.ljust(columns), "HELD", addresses, stacked)
        for entry in entries:
            if entry.family is family:
                start, stop = span(entry, begin, end, columns)
                bar = " " * start + mark * (stop - start) + " " * (columns - stop)
                lines += _row(entry.version.ip, bar, duration(entry.held), addresses, stacked)
    return "\n".join(line.rstrip() for line in lines)


def span(entry: HistoryEntry, begin: datetime, end: datetime, columns: int) -> tuple[int, int]:
    """Return the first column of an entry's bar and the one after its last; it has at least one.

    Of an axis of so many columns from `begin` to `end`. Where one version follows another, so do their bars, but for
    those that are too short for a column.
    """
    length = max((end - begin).total_seconds(), 1)

    def column(time: datetime) -> int:
        return int((min(max(time, begin), end) - begin).total_seconds() * columns / length)

    start = min(column(entry.version.created_at), columns - 1)
    return start, max(column(entry.until or end), start + 1)


def _axis(entries: Sequence[HistoryEntry], window: Window) -> tuple[datetime, datetime]:
    begin = min(entry.version.created_at for entry in entries)
    end = max(entry.read_at for entry in entries)
    begin = max(begin, window.begin) if window.begin else begin
    end = min(end, window.end) if window.end else end
    return begin, max(begin, end)


def _labels(begin: datetime, end: datetime, columns: int) -> str:
    """Return both ends of the axis above its ends, as exactly as there is room; empty when there is none."""
    for form in _FORMS:
        left, right = _local(begin, form), _local(end, form)
        if len(left) + len(_GAP) + len(right) <= columns and left != right:
            return left + right.rjust(columns - len(left))
    return ""


def _row(address: str, bar: str, held: str, addresses: int, stacked: bool) -> list[str]:
    line = f"{bar}{_GAP}{held}"
    return [address, line] if stacked else [f"{address.ljust(addresses)}{_GAP}{line}"]


def _local(time: datetime, form: str) -> str:
    return time.astimezone().strftime(form)


def _can_carry(encoding: str | None, text: str) -> bool:
    try:
        return bool(text.encode(encoding or "ascii"))
    except (UnicodeEncodeError, LookupError):
        return False
