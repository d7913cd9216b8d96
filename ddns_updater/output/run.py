"""The result of a run as text and JSON."""

import json
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

from ddns_updater.alerts.event import Event
from ddns_updater.lib.humanize import duration
from ddns_updater.model import (
    FamilyResult,
    Outcome,
    Publication,
    PublicationState,
    RunResult,
    propagation,
)

Facts = dict[str, object]

_NAMED = 3  # records; more are only counted


def run_lines(result: RunResult) -> list[tuple[Outcome, str]]:
    """Return one line for each address family, with its outcome; a line common to all families only once."""
    lines = _lines(result)
    if len(set(lines)) == 1:
        return lines[:1]
    return [
        (outcome, f"{each.family}: {line}" if _needs_family(each) else line)
        for each, (outcome, line) in zip(result.results, lines, strict=True)
    ]


def run_facts(result: RunResult) -> list[Facts]:
    """Return what each of the `run_lines` is about, as JSON values.

    A line common to all families is about what they share, and about the records of all.
    """
    facts = [_facts(each) for each in result.results]
    if len(set(_lines(result))) > 1:
        return facts
    shared = {name: value for name, value in facts[0].items() if all(each.get(name) == value for each in facts)}
    records = [str(publication.record) for each in result.results for publication in each.publications]
    return [shared | ({"records": records} if records else {})]


def run_warnings(result: RunResult) -> list[tuple[str, Facts]]:
    """Return every warning of the run, and what it is about as `run_facts` does."""
    of_families = [(warning, _facts(each)) for each in result.results for warning in each.warnings]
    return [*of_families, *((warning, {}) for warning in result.warnings)]


def alert_line(event: Event) -> str:
    """Return an alert as one line."""
    return " ".join(f"{event.title}. {event.text}".split())


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
                    "address": each.address and str(each.address),
                    "previous_address": each.previous_address and str(each.previous_address),
                    "version": each.version,
                    "source": each.source,
                    "records": [record_json(publication) for publication in each.publications],
                    "warnings": each.warnings,
                    "error": each.error,
                }
                for each in result.results
            ],
        }
    )


def _lines(result: RunResult) -> list[tuple[Outcome, str]]:
    return [(each.outcome, " ".join(_run_line(result, each).split())) for each in result.results]


def _facts(each: FamilyResult) -> Facts:
    facts: Facts = {
        "family": each.family,
        "address": each.address and str(each.address),
        "version": each.version,
        "records": [str(publication.record) for publication in each.publications],
    }
    return {name: value for name, value in facts.items() if value}


def _run_line(result: RunResult, each: FamilyResult) -> str:
    outcome = f"dry run, {each.outcome}" if result.dry_run else str(each.outcome)
    if each.outcome is Outcome.SKIPPED:
        return f"{outcome}: another run of {result.name} is in progress"
    if each.off:
        return f"{outcome}: {each.off}"
    if each.error and not each.recorded:
        return f"{outcome}: {each.error}".replace("failed: failed to", "failed to", 1)
    before = f" (was {each.previous_address or 'no address'})" if each.recorded else ""
    verb = "would be" if result.dry_run and each.recorded else "is"
    line = f"{outcome}: {each.address}{before} {verb} version {each.version} of {result.name}"
    return f"{line}, but {each.error}" if each.error else f"{line}; {_dns_line(result, each)}"


def _needs_family(each: FamilyResult) -> bool:
    """Return whether the line of `each` contains neither its address nor its family."""
    if each.outcome in (Outcome.SKIPPED, Outcome.OFF):
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
        parts.append(f"{named} {_state_text(result, each, state, those)}")
    return "; ".join(parts)


def _state_text(result: RunResult, each: FamilyResult, state: PublicationState, those: Sequence[Publication]) -> str:
    if result.dry_run and state is PublicationState.PENDING:
        return "would be published"
    if state is PublicationState.VERIFIED:
        if each.outcome is Outcome.UNCHANGED:
            return "verified"
        if all(one.verified_at != one.checked_at for one in those):
            return "verified again"
        return f"verified after {duration(propagation(those) or timedelta(0))}"
    if state is PublicationState.SUBMITTED:
        return "submitted and not yet verified; the next run checks again"
    return "not published yet; the next run tries again"


def record_json(publication: Publication) -> dict[str, object]:
    """Return the state of a published record as JSON values."""
    return {
        "name": publication.record.name,
        "type": publication.record.type,
        "hosted_zone_id": publication.hosted_zone_id,
        "state": publication.state,
        "change_id": publication.change_id,
        "error": publication.error,
    }
