"""A text timeline of the versions: how long each address was held."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from ddns_updater.lib.humanize import duration
from ddns_updater.lib.printable import printable
from ddns_updater.model import HistoryEntry, Window
from ddns_updater.output.time_axis import tick_line

_DEFAULT_WIDTH = 80  # columns, without a terminal
_MIN_AXIS = 10  # columns; on a shorter axis bars cannot be compared
_GAP = "  "
_LABEL_FORMATS = ("%Y-%m-%d %H:%M", "%Y-%m-%d")
_LABEL_FORMATS_OF_SECONDS = ("%Y-%m-%d %H:%M:%S", "%H:%M:%S")  # for a short axis
_SHORT_AXIS = timedelta(minutes=10)
_BLOCKS = {(True, True): "█", (True, False): "▌", (False, True): "▐", (False, False): " "}  # by the halves of a cell


def history_chart(entries: Sequence[HistoryEntry], window: Window, width: int | None, encoding: str | None) -> str:
    """Return one row for each of `entries`, newest first and grouped by family: address, bar, how long it was held.

    The axis covers the entries within `window`, has the local times of its ends above and ticks below; it ends now at
    the latest. `entries` must not be empty. `width` is that of the terminal, None without one. `encoding` is that of
    the output: `#` replaces block characters that it lacks.
    """
    width = width or _DEFAULT_WIDTH
    has_blocks = _can_encode(encoding, "".join(_BLOCKS.values()))
    begin, end = _axis(entries, window)
    addresses = max(len(printable(entry.version.ip)) for entry in entries)
    held = max(len("HELD"), *(len(duration(entry.held)) for entry in entries))
    columns = width - addresses - held - 2 * len(_GAP)
    stacked = columns < _MIN_AXIS  # the address on a separate line
    if stacked:
        columns = max(width - held - len(_GAP), _MIN_AXIS)
    labels = _labels(begin, end, columns)
    ticks = tick_line(begin, end, columns)
    lines = [] if labels else [" to ".join(_local(each, _label_formats(begin, end)[0]) for each in (begin, end))]
    families = sorted({entry.family for entry in entries})
    for family in families:
        title = family.upper() if len(families) > 1 else "ADDRESS"
        lines += _row(title, labels.ljust(columns), "HELD", addresses, stacked)
        for entry in entries:
            if entry.family is family:
                bar = _bar(entry, begin, end, columns, has_blocks=has_blocks)
                lines += _row(printable(entry.version.ip), bar, duration(entry.held), addresses, stacked)
        if ticks:
            lines.append(ticks if stacked else " " * (addresses + len(_GAP)) + ticks)
    return "\n".join(line.rstrip() for line in lines)


def span(entry: HistoryEntry, begin: datetime, end: datetime, columns: int) -> tuple[int, int]:
    """Return the first column of an entry's bar and the column after its last; a bar has at least one column.

    The axis has `columns` columns, or half columns, from `begin` to `end`. Bars of consecutive versions are adjacent,
    unless one is too short for a column.
    """
    length = max((end - begin).total_seconds(), 1)

    def column(time: datetime) -> int:
        return int((min(max(time, begin), end) - begin).total_seconds() * columns / length)

    start = min(column(entry.version.created_at), columns - 1)
    return start, max(column(entry.until or end), start + 1)


def _bar(entry: HistoryEntry, begin: datetime, end: datetime, columns: int, *, has_blocks: bool) -> str:
    if not has_blocks:
        start, stop = span(entry, begin, end, columns)
        return " " * start + "#" * (stop - start) + " " * (columns - stop)
    start, stop = span(entry, begin, end, 2 * columns)
    halves = [start <= half < stop for half in range(2 * columns)]
    return "".join(_BLOCKS[cell] for cell in zip(halves[::2], halves[1::2], strict=True))


def _axis(entries: Sequence[HistoryEntry], window: Window) -> tuple[datetime, datetime]:
    begin = min(entry.version.created_at for entry in entries)
    end = max(entry.read_at for entry in entries)
    begin = max(begin, window.start) if window.start else begin
    end = min(end, window.end) if window.end else end
    return begin, max(begin, end)


def _labels(begin: datetime, end: datetime, columns: int) -> str:
    """Return the labels of both ends of the axis, as precise as fits; empty when none fits."""
    for time_format in _label_formats(begin, end):
        left, right = _local(begin, time_format), _local(end, time_format)
        if len(left) + len(_GAP) + len(right) <= columns and left != right:
            return left + right.rjust(columns - len(left))
    return ""


def _label_formats(begin: datetime, end: datetime) -> tuple[str, str]:
    return _LABEL_FORMATS if end - begin > _SHORT_AXIS else _LABEL_FORMATS_OF_SECONDS


def _row(address: str, bar: str, held: str, addresses: int, stacked: bool) -> list[str]:
    line = f"{bar}{_GAP}{held}"
    return [address, line] if stacked else [f"{address.ljust(addresses)}{_GAP}{line}"]


def _local(time: datetime, time_format: str) -> str:
    return time.astimezone().strftime(time_format)


def _can_encode(encoding: str | None, text: str) -> bool:
    try:
        return bool(text.encode(encoding or "ascii"))
    except (UnicodeEncodeError, LookupError):
        return False
