"""How everything stands, from the database and the diary alone: what is published where, and what is wrong."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from ddns_updater.lib.humanize import counted, duration, local_time
from ddns_updater.model import Family, Journal, Publication, PublicationState, Record, same_address
from ddns_updater.state.run_state import Standing

_GRACE = timedelta(minutes=10)  # a change may take so long before it is called wrong that DNS has not followed
_LISTED = 10  # records that are listed each; of more, those that are not well
_OVERDUE, _LEAST_OVERDUE = 3, timedelta(minutes=5)  # runs that stay away for so many intervals, and for so long


class Status(NamedTuple):
    """How an origin stands; `journals` is empty when the database could not be asked.

    `records` are the configured ones of each configured family, with what is known of them for the latest version;
    `standing` is None when what is remembered of the runs could not be read.
    """

    name: str | None
    now: datetime
    journals: Mapping[Family, Journal]
    records: Mapping[Family, Sequence[tuple[Record, Publication | None]]]
    standing: Standing | None
    errors: tuple[str, ...] = ()

    @property
    def problems(self) -> list[str]:
        """Return what is wrong, a line each."""
        found = [*self.errors]
        for family, records in self.records.items():
            if journal := self.journals.get(family):
                found += [wrong for record, known in records if (wrong := _record_problem(journal, record, known))]
        return found + (run_problems(self.standing, self.now) if self.standing else [])


def run_problems(standing: Standing, now: datetime) -> list[str]:
    """Return what is wrong with the runs themselves: that they fail, or that they stay away."""
    if not standing.recent:
        return ["no run is remembered on this machine; let cron start `ddns run`, as the user who asks now"]
    found = []
    if incident := standing.incident:
        runs = counted(incident.failed_runs, "run")
        found.append(f"failing since {local_time(incident.since)}, {runs}: {incident.cause}")
    if is_overdue(standing, now):
        age = duration(now - standing.recent[-1])
        found.append(f"the last run was {age} ago; see whether cron, or what else starts `ddns run`, is at work")
    elif standing.ended is None or now - standing.ended > _patience(standing):
        since = f"since {local_time(standing.ended)}" if standing.ended else "so far"
        found.append(f"every run {since} was skipped; see which other run, here or elsewhere, holds the lock")
    return found


def is_overdue(standing: Standing, now: datetime) -> bool:
    """Return whether a run should have come since the last one, of which there must be one."""
    return now - standing.recent[-1] > _patience(standing)


def _patience(standing: Standing) -> timedelta:
    return max((standing.interval or timedelta(0)) * _OVERDUE, _LEAST_OVERDUE)


def status_text(status: Status) -> str:
    """Return one screen for a person, in local time."""
    lines = []
    for family, journal in status.journals.items():
        version = journal.version
        since = f"since {local_time(version.created_at)} ({duration(journal.read_at - version.created_at)})"
        lines.append(f"{status.name}, {family}: {version.ip}, version {version.version}, {since}")
        lines += [f"  {line}" for line in _record_lines(journal, family, status.records.get(family))]
    standing = status.standing
    if standing and standing.recent:
        last = standing.recent[-1]
        outcome = "skipped" if standing.was_skipped else standing.outcome
        lines.append(f"last run: {local_time(last)} ({duration(status.now - last)} ago), {outcome}")
        if standing.was_skipped and standing.ended:
            lines.append(f"last run that was not skipped: {local_time(standing.ended)}, {standing.outcome}")
        if standing.last_success:
            lines.append(f"last run that found all well: {local_time(standing.last_success)}")
    problems = status.problems
    lines += [f"wrong: {problem}" for problem in problems] or ["all is well"]
    return "\n".join(lines)


def status_json(status: Status) -> str:
    """Return the same as one JSON object; times in UTC."""
    standing = status.standing or Standing()
    incident = standing.incident
    return json.dumps(
        {
            "ok": not status.problems,
            "problems": status.problems,
            "name": status.name,
            "families": [
                {
                    "family": family,
                    "address": journal.version.ip,
                    "version": journal.version.version,
                    "since": journal.version.created_at.isoformat(),
                    "records": [_record_json(record, known) for record, known in status.records.get(family, ())],
                }
                for family, journal in status.journals.items()
            ],
            "last_run": {
                "time": _iso(standing.recent[-1]),
                "outcome": "skipped" if standing.was_skipped else standing.outcome,
                "error": None if standing.was_skipped else standing.error,
            }
            if standing.recent
            else None,
            "last_success": _iso(standing.last_success),
            "incident": {
                "since": _iso(incident.since),
                "failed_runs": incident.failed_runs,
                "cause": incident.cause,
                "told": incident.told,
            }
            if incident
            else None,
        },
        indent=2,
    )


def _record_lines(
    journal: Journal, family: Family, records: Sequence[tuple[Record, Publication | None]] | None
) -> Iterator[str]:
    """Yield a line for each record, or where there are many, for those that are not well, and how many are."""
    if records is None:
        yield f"{family} is not in DDNS_IP_FAMILIES"
        return
    if not records:
        yield f"no {family.record_type} record in DDNS_RECORDS"
    shown = records if len(records) <= _LISTED else [each for each in records if _record_problem(journal, *each)]
    wide = max((len(str(record)) for record, _ in shown), default=0)
    for record, known in shown:
        yield f"{str(record).ljust(wide)}  {_known_words(known)}"
    if len(shown) < len(records):
        yield f"{len(records) - len(shown)} records have nothing wrong; --json lists them"


def _record_problem(journal: Journal, record: Record, known: Publication | None) -> str | None:
    state = known.state if known else PublicationState.PENDING
    version = journal.version
    if known and known.error:
        return known.error
    if known and state is PublicationState.VERIFIED and same_address(known.address, version.ip):
        return None
    due = (
        max(version.created_at, *(at for at in (known.created_at, known.submitted_at) if at))
        if known
        else version.created_at
    )
    if state is not PublicationState.FAILED and journal.read_at - due <= _GRACE:
        return None
    return f"{record} is not verified for version {version.version}, {version.ip}; the next run tries again"


def _known_words(known: Publication | None) -> str:
    if known is None:
        return "not published yet"
    if known.state is PublicationState.VERIFIED and known.checked_at and not known.error:
        return f"verified, last seen to hold {known.address} {local_time(known.checked_at)}"
    return str(known.state)


def _record_json(record: Record, known: Publication | None) -> dict[str, object]:
    return {
        "name": record.name,
        "type": record.type,
        "state": known.state if known else None,
        "address": known.address if known else None,
        "verified_at": _iso(known.verified_at) if known else None,
        "checked_at": _iso(known.checked_at) if known else None,
        "error": known.error if known else None,
    }


def _iso(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat(timespec="seconds")
