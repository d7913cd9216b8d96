"""The status of an origin as text and JSON."""

import json
from collections.abc import Iterator
from datetime import datetime

from ddns_updater.hosts import Overview
from ddns_updater.lib.humanize import counted, duration, local_time
from ddns_updater.model import Family, Journal, Publication, PublicationState, Record
from ddns_updater.output.layout import Paint, wrapped
from ddns_updater.state.run_state import RunState
from ddns_updater.state.status import Status

_MAX_LISTED = 10  # records; of more, only those with a problem are listed
_MAX_PROBLEMS = 5


def status_text(status: Status, width: int | None, paint: Paint) -> str:
    """Return the status as text for one screen, the verdict first; times are local.

    Lines have at most `width` columns; None means no limit.
    """
    problems = status.problems
    lines = [paint(counted(len(problems), "problem"), "red") if problems else paint("all is well", "green")]
    for problem in problems[:_MAX_PROBLEMS]:
        lines += wrapped(" ".join(problem.split()), width, "- ", "  ")
    if len(problems) > _MAX_PROBLEMS:
        more = counted(len(problems) - _MAX_PROBLEMS, "more problem")
        lines += wrapped(f"- {more}; --json lists them", width, rest="  ")
    for note in status.notes:
        lines += wrapped(note, width, rest="  ")
    for family, journal in status.journals.items():
        version = journal.version
        since = f"since {local_time(version.created_at)} ({duration(journal.read_at - version.created_at)})"
        line = f"{status.name}, {family}: {version.ip}, version {version.version}, {since}"
        lines += wrapped(line, width, rest="  ")
        for record_line in _record_lines(status, journal, family):
            lines += wrapped(record_line, width, "  ", "    ")
    for line in _run_lines(status):
        lines += wrapped(line, width, rest="  ")
    if status.hosts and status.hosts.hosts:
        lines += wrapped(_hosts_line(status.hosts), width, rest="  ")
    return "\n".join(lines)


def status_json(status: Status) -> str:
    """Return the status as one JSON object; times in UTC."""
    run_state = status.run_state or RunState()
    incident = run_state.incident
    return json.dumps(
        {
            "ok": not status.problems,
            "problems": status.problems,
            "notes": status.notes,
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
                "time": _iso(run_state.recent[-1]),
                "outcome": "skipped" if run_state.was_skipped else run_state.outcome,
                "error": None if run_state.was_skipped else run_state.error,
            }
            if run_state.recent
            else None,
            "last_success": _iso(run_state.last_success),
            "incident": {
                "since": _iso(incident.since),
                "failed_runs": incident.failed_runs,
                "cause": incident.cause,
                "told": incident.alerts,
            }
            if incident
            else None,
            "undelivered": [
                {
                    "channel": backlog.channel,
                    "since": _iso(backlog.since),
                    "alerts": [
                        {"event": each.event.kind, "title": each.event.title, "since": _iso(each.since)}
                        for each in backlog.alerts
                    ],
                }
                for backlog in status.backlogs
            ],
            "hosts": _hosts_json(status.hosts) if status.hosts else None,
        },
        indent=2,
    )


def _run_lines(status: Status) -> Iterator[str]:
    run_state = status.run_state
    if run_state is None or not run_state.recent:
        return
    last = run_state.recent[-1]
    outcome = "skipped" if run_state.was_skipped else run_state.outcome
    yield f"last run: {local_time(last)} ({duration(status.now - last)} ago), {outcome}"
    if run_state.was_skipped and run_state.ended:
        yield f"last run not skipped: {local_time(run_state.ended)}, {run_state.outcome}"
    if run_state.last_success:
        yield f"last successful run: {local_time(run_state.last_success)}"


def _hosts_line(hosts: Overview) -> str:
    parts = [f"{hosts.records - hosts.due} of {counted(hosts.records, 'record')} verified"]
    if hosts.waiting and hosts.waiting_since:
        parts.append(f"{hosts.waiting} due, the oldest for {duration(hosts.read_at - hosts.waiting_since)}")
    counts = ((hosts.refused, "refused"), (hosts.slowed, "slowed down"), (hosts.blocked, "blocked"))
    parts += [f"{number} {what}" for number, what in counts if number]
    return f"{counted(hosts.hosts, 'host')}: {', '.join(parts)}"


def _hosts_json(hosts: Overview) -> dict[str, object]:
    return {
        "count": hosts.hosts,
        "records": hosts.records,
        "verified": hosts.records - hosts.due,
        "due": hosts.waiting,
        "due_since": _iso(hosts.waiting_since),
        "refused": hosts.refused,
        "slowed": hosts.slowed,
        "blocked": hosts.blocked,
    }


def _record_lines(status: Status, journal: Journal, family: Family) -> Iterator[str]:
    """Yield a line for each record; of many, a line for each with a problem, and the number of the others."""
    records = status.records.get(family)
    if records is None:
        yield f"{family} is not in DDNS_IP_FAMILIES"
        return
    bad = [each for each in records if status.record_problem(journal, *each)]
    shown = records if len(records) <= _MAX_LISTED else bad[:_MAX_LISTED]
    wide = max((len(str(record)) for record, _ in shown), default=0)
    for record, known in shown:
        yield f"{str(record).ljust(wide)}  {_publication_text(known)}"
    if len(records) <= _MAX_LISTED:
        return
    if len(bad) > _MAX_LISTED:
        yield f"{len(bad) - _MAX_LISTED} more with a problem; --json lists them"
    if len(bad) < len(records):
        yield f"{len(records) - len(bad)} records have no problem; --json lists them"


def _publication_text(known: Publication | None) -> str:
    if known is None:
        return "not published yet"
    if known.state is PublicationState.VERIFIED and known.checked_at and not known.error:
        return f"verified, last seen with {known.address} at {local_time(known.checked_at)}"
    return str(known.state)


def _record_json(record: Record, known: Publication | None) -> dict[str, object]:
    return {
        "name": record.name,
        "type": record.type,
        "state": known.state if known else None,
        "address": str(known.address) if known and known.address else None,
        "verified_at": _iso(known.verified_at) if known else None,
        "checked_at": _iso(known.checked_at) if known else None,
        "error": known.error if known else None,
    }


def _iso(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat(timespec="seconds")
