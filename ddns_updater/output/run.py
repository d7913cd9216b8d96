"""Results as text, JSON and CSV; nothing here decides anything."""

import csv
import io
import json
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

from ddns_updater.lib.humanize import duration, local_second
from ddns_updater.model import (
    FamilyResult,
    HistoryEntry,
    Outcome,
    Publication,
    PublicationState,
    RunResult,
)

_NAMED = 3  # records named one by one before they are only counted


def run_lines(result: RunResult) -> list[tuple[Outcome, str]]:
    """Return one line for each address family, with its outcome; what is true of all of them, once."""
    lines = [(each.outcome, " ".join(_run_line(result, each).split())) for each in result.results]
    if len(set(lines)) == 1:
        return lines[:1]
    return [
        (outcome, f"{each.family}: {line}" if _is_of_no_family(each) else line)
        for each, (outcome, line) in zip(result.results, lines, strict=True)
    ]


def run_warnings(result: RunResult) -> list[str]:
    """Return what did not stop the run but should be known."""
    return [*(warning for each in result.results for warning in each.warnings), *result.warnings]


def run_json(result: RunResult) -> str:
    """Return the object that `ddns run --json` prints."""
    return json.dumps(
        {
            "outcome": result.outcome,
            "name": result.name,
            **({"dry_run": True} if result.dry_run else {}),
            **({"warnings": result.warnings} if result.warnings else {}),
            "results": [
                {
                    "family": each.family,
                    "outcome": each.outcome,
                    "address": each.address,
                    "previous_address": each.previous_address,
                    "version": each.version,
                    "source": each.source,
                    "records": [_record_json(publication) for publication in each.publications],
                    "warnings": each.warnings,
                    "error": each.error,
                }
                for each in result.results
            ],
        }
    )


def history_table(entries: Sequence[HistoryEntry], width: int | None) -> str:
    """Return the versions as a table, newest first, in local time; lines are cut at `width` columns."""
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
    """Return the versions as CSV (RFC 4180) with a header, one row a version; times in UTC."""
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


def _run_line(result: RunResult, each: FamilyResult) -> str:
    word = f"dry run, {each.outcome}" if result.dry_run else str(each.outcome)
    if each.outcome is Outcome.SKIPPED:
        return f"{word}: another run of {result.name} is at work"
    if each.error and not each.recorded:
        return f"{word}: {each.error}".replace("failed: failed to", "failed to", 1)
    before = f" (was {each.previous_address})" if each.recorded else ""
    verb = "would be" if result.dry_run and each.recorded else "is"
    line = f"{word}: {each.address}{before} {verb} version {each.version} of {result.name}"
    return f"{line}, but {each.error}" if each.error else f"{line}; {_dns_line(result, each)}"


def _is_of_no_family(each: FamilyResult) -> bool:
    """Return whether the line of `each` tells neither its address nor, for want of one, its family."""
    if each.outcome is Outcome.SKIPPED:
        return True
    return each.outcome is Outcome.FAILED and each.address is not None and not each.recorded


def _dns_line(result: RunResult, each: FamilyResult) -> str:
    if not each.publications and len(result.results) > 1:
        return f"no {each.family.record_type} record in DDNS_RECORDS, so DNS is left alone"
    if not each.publications:
        return "no DDNS_RECORDS, so DNS is left alone"
    parts = []
    for state, count in Counter(publication.state for publication in each.publications).items():
        those = [publication for publication in each.publications if publication.state is state]
        named = ", ".join(str(publication.record) for publication in those) if count <= _NAMED else f"{count} records"
        parts.append(f"{named} {_state_words(result, each, state, those)}")
    return "; ".join(parts)


def _state_words(result: RunResult, each: FamilyResult, state: PublicationState, those: Sequence[Publication]) -> str:
    if result.dry_run and state is PublicationState.PENDING:
        return "would be published"
    if state is PublicationState.VERIFIED:
        if each.outcome is Outcome.UNCHANGED:
            return "verified"
        if all(one.verified_at != one.checked_at for one in those):
            return "verified again"
        return f"verified after {duration(max(map(_followed_after, those)))}"
    if state is PublicationState.SUBMITTED:
        return "submitted and not yet in sync; the next run checks again"
    return "not published yet; the next run tries again"


def _followed_after(publication: Publication) -> timedelta:
    """Return how long DNS took, from when the record was first due for this version."""
    return (publication.verified_at - publication.created_at) if publication.verified_at else timedelta(0)


def _dns_state(entry: HistoryEntry) -> str:
    if not entry.publications:
        return "-"
    states = Counter(publication.state for publication in entry.publications)
    count, verified = len(entry.publications), states.pop(PublicationState.VERIFIED, 0)
    followed = f"verified after {duration(timedelta(seconds=_followed_seconds(entry) or 0))}" if verified else ""
    if verified == count:
        return followed if count == 1 else f"{count} {followed}"
    rest = ", ".join(f"{number} {state}" if count > 1 else str(state) for state, number in states.items())
    return f"{verified} {followed}, {rest}" if verified else rest


def _followed_seconds(entry: HistoryEntry) -> int | None:
    """Return how long the slowest record took to follow; None when none has."""
    times = [_followed_after(each).total_seconds() for each in entry.publications if each.verified_at]
    return max(int(max(times)), 0) if times else None


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
            _record_json(each)
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


def _record_json(publication: Publication) -> dict[str, object]:
    return {
        "name": publication.record.name,
        "type": publication.record.type,
        "hosted_zone_id": publication.hosted_zone_id,
        "state": publication.state,
        "change_id": publication.change_id,
        "error": publication.error,
    }
