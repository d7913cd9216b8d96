"""Versions as a table, JSON and CSV."""

import csv
import io
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from itertools import islice
from typing import NamedTuple

from ddns_updater.lib.humanize import duration, local_second
from ddns_updater.lib.printable import printable, printable_lines
from ddns_updater.model import (
    HistoryEntry,
    PublicationState,
    propagation,
)
from ddns_updater.output.layout import wrapped
from ddns_updater.output.run import record_json

_GAP = "  "
_NO_DNS = "-"
_BATCH = 100  # versions that are printed at once
_FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")  # also in full width


def history_table(entries: Sequence[HistoryEntry], width: int | None) -> str:
    """Return the versions as a table, newest first, in local time.

    Where `width` columns are too few, notes stand below their versions, and then everything below the address.
    """
    titles, rows = _Row("VERSION", "ADDRESS", "SINCE", "HELD", "DNS", "NOTE"), [_row(entry) for entry in entries]
    whole = _aligned([titles, *rows])
    if width is None or _widest(whole) <= width:
        return "\n".join(whole)
    header, *lines = _aligned([row[:-1] for row in (titles, *rows)])
    if _widest([header, *lines]) > width:
        return "\n".join(line for row in rows for line in _stacked(row, width))
    indent = " " * (len(titles.version) + len(_GAP))
    noted = [[line, *wrapped(row.note, width, indent, indent)] for row, line in zip(rows, lines, strict=True)]
    return "\n".join([header, *(line for each in noted for line in each)])


def history_json(entries: Iterable[HistoryEntry]) -> Iterator[str]:
    """Yield the parts of a JSON array of the versions, newest first; times in UTC."""
    begin = "[\n"
    for some in _batches(entries):
        yield begin + json.dumps([_entry_json(entry) for entry in some], indent=2)[2:-2]
        begin = ",\n"
    yield "[]\n" if begin == "[\n" else "\n]\n"


def history_csv(entries: Iterable[HistoryEntry]) -> Iterator[str]:
    """Yield the parts of CSV (RFC 4180) with a header and one row per version; times in UTC.

    An address or a note that a spreadsheet would take for a formula has an apostrophe before it.
    """
    columns = (
        "version",
        "address",
        "family",
        "since",
        "until",
        "held_seconds",
        "dns",
        "followed_after_seconds",
        "note",
    )
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, extrasaction="ignore")
    writer.writeheader()
    for some in _batches(entries):
        writer.writerows(_entry_json(entry) | _texts(entry) for entry in some)
        yield text.getvalue()
        text.seek(0)
        text.truncate()
    yield text.getvalue()


def _batches(entries: Iterable[HistoryEntry]) -> Iterator[Sequence[HistoryEntry]]:
    """Yield a number of entries at a time."""
    rest = iter(entries)
    while some := list(islice(rest, _BATCH)):
        yield some


def _texts(entry: HistoryEntry) -> dict[str, str]:
    """Return the cells that hold a text from the table."""
    return {"address": _cell(entry.version.ip), "note": _cell(entry.version.note or "")}


def _cell(text: str) -> str:
    """Return a text from the table as a cell that is no formula (https://owasp.org/www-community/attacks/CSV_Injection).

    A tab or a carriage return at its start is escaped, and begins none.
    """
    return ("'" if text.lstrip().startswith(_FORMULA) else "") + printable_lines(text)


class _Row(NamedTuple):
    """The cells of one version."""

    version: str
    address: str
    since: str
    held: str
    dns: str
    note: str


def _row(entry: HistoryEntry) -> _Row:
    return _Row(
        version=str(entry.version.version),
        address=printable(entry.version.ip),
        since=local_second(entry.version.created_at),
        held=duration(entry.held),
        dns=_dns_state(entry),
        note=printable(" ".join((entry.version.note or "").split())),
    )


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [_GAP.join(cell.ljust(wide) for cell, wide in zip(row, widths, strict=True)).rstrip() for row in rows]


def _widest(lines: Sequence[str]) -> int:
    return max(map(len, lines))


def _stacked(row: _Row, width: int) -> list[str]:
    published = f", DNS: {row.dns}" if row.dns != _NO_DNS else ""
    lines = wrapped(f"{row.version}{_GAP}{row.address}", width)
    lines += wrapped(f"since {row.since}, held\N{NO-BREAK SPACE}{row.held}{published}", width, _GAP, _GAP)
    return lines + (wrapped(f"note: {row.note}", width, _GAP, _GAP) if row.note else [])


def _dns_state(entry: HistoryEntry) -> str:
    if not entry.publications:
        return _NO_DNS
    states = Counter(publication.state for publication in entry.publications)
    count, verified = len(entry.publications), states.pop(PublicationState.VERIFIED, 0)
    followed = f"verified after {duration(propagation(entry.publications) or timedelta(0))}" if verified else ""
    if verified == count:
        return followed if count == 1 else f"{count} {followed}"
    rest = ", ".join(f"{number} {state}" if count > 1 else str(state) for state, number in states.items())
    return f"{verified} {followed}, {rest}" if verified else rest


def _followed_seconds(entry: HistoryEntry) -> int | None:
    took = propagation(entry.publications)
    return None if took is None else int(took.total_seconds())


def _entry_json(entry: HistoryEntry) -> dict[str, object]:
    return {
        "version": entry.version.version,
        "address": entry.version.ip,
        "family": entry.family,
        "since": entry.version.created_at.isoformat(),
        "until": entry.until.isoformat() if entry.until else None,
        "held_seconds": int(entry.held.total_seconds()),
        "dns": _dns_state(entry),
        "followed_after_seconds": _followed_seconds(entry),
        "note": entry.version.note,
        "records": [
            record_json(each)
            | {
                "ttl": each.ttl,
                "attempts": each.attempts,
                "submitted_at": each.submitted_at.isoformat() if each.submitted_at else None,
                "verified_at": each.verified_at.isoformat() if each.verified_at else None,
                "checked_at": each.checked_at.isoformat() if each.checked_at else None,
                "drift": each.drift,
                "drift_at": each.drift_at.isoformat() if each.drift_at else None,
            }
            for each in entry.publications
        ],
    }
