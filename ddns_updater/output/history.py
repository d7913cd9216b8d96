"""Versions as a table, JSON and CSV."""

import csv
import io
import json
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

from ddns_updater.lib.humanize import duration, local_second
from ddns_updater.model import (
    HistoryEntry,
    PublicationState,
    propagation,
)
from ddns_updater.output.run import record_json


def history_table(entries: Sequence[HistoryEntry], width: int | None) -> str:
    """Return the versions as a table, newest first, in local time; lines are truncated to `width` columns."""
    rows = [("VERSION", "ADDRESS", "SINCE", "HELD", "DNS", "NOTE")]
    rows += [
        (
            str(entry.version.version),
            entry.version.ip,
            local_second(entry.version.created_at),
            duration(entry.held),
            _dns_state(entry),
            " ".join((entry.version.note or "").split()),
        )
        for entry in entries
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(wide) for cell, wide in zip(row, widths, strict=True)).rstrip() for row in rows]
    if width:
        lines = [line if len(line) <= width else line[: width - 1] + "…" for line in lines]
    return "\n".join(lines)


def history_json(entries: Sequence[HistoryEntry]) -> str:
    """Return the versions as a JSON array, newest first; times in UTC."""
    return json.dumps([_entry_json(entry) for entry in entries], indent=2)


def history_csv(entries: Sequence[HistoryEntry]) -> str:
    """Return the versions as CSV (RFC 4180) with a header and one row per version; times in UTC."""
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
    writer.writerows(_entry_json(entry) for entry in entries)
    return text.getvalue()


def _dns_state(entry: HistoryEntry) -> str:
    if not entry.publications:
        return "-"
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
