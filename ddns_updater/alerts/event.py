"""What is told, in words: each event says what happened, since when, what DNS holds, and what to do."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from ddns_updater.lib.humanize import counted, duration, local_time
from ddns_updater.model import FamilyResult, Incident, Publication, RunResult, propagation

SCHEMA = 1  # the version of the JSON form; fields may be added to it
_NAMED = 3  # records named one by one before they are only counted
_LONGEST = 1000  # characters of a cause; the messages of some services are cut, and what to do stands at the end


class Kind(StrEnum):
    """What kinds of event there are."""

    CHANGED = "changed"
    REPAIRED = "repaired"
    FAILING = "failing"
    RECOVERED = "recovered"


class Event(NamedTuple):
    """Something to tell; `facts` are the same in JSON values, by name. `origin` is None while its name is unknown."""

    kind: Kind
    time: datetime
    origin: str | None
    title: str
    text: str
    facts: Mapping[str, object]

    def json(self) -> dict[str, object]:
        """Return the documented JSON form."""
        return {
            "schema": SCHEMA,
            "event": str(self.kind),
            "time": self.time.isoformat(timespec="seconds"),
            "name": self.origin,
            "title": self.title,
            "text": self.text,
            **self.facts,
        }


def changed(result: RunResult, one: FamilyResult, previous: str | None, now: datetime) -> Event:
    """Return the event of an address that changed and was seen to hold in DNS."""
    took = propagation(one.publications)
    records = [str(each.record) for each in one.publications]
    followed = f"DNS followed after {duration(took)}: {_named(records)}." if took is not None else "DNS is left alone."
    return Event(
        Kind.CHANGED,
        now,
        result.name,
        f"{result.name}: the address changed to {one.address}",
        f"It was {previous or 'unknown'}; {one.address} is version {one.version}, since {_at(one.since)}."
        f" {followed} Nothing is left to do.",
        {
            "family": str(one.family),
            "address": one.address,
            "previous_address": previous,
            "version": one.version,
            "since": _iso(one.since),
            "dns_seconds": None if took is None else int(took.total_seconds()),
            "records": records,
        },
    )


def repaired(result: RunResult, one: FamilyResult, records: Sequence[Publication], now: datetime) -> Event:
    """Return the event of records that somebody else changed and that are right again."""
    names = [str(each.record) for each in records]
    held = [f"{each.record} held {each.drift}, found {_at(each.drift_at)}" for each in records]
    return Event(
        Kind.REPAIRED,
        now,
        result.name,
        f"{result.name}: {_named(names)} {'was' if len(names) == 1 else 'were'} changed by somebody else, and repaired",
        f"{_named(held, '; ')}. DNS holds {one.address} again. If it comes again, find out who changes it: two updaters"
        " of one name undo each other's work.",
        {
            "family": str(one.family),
            "address": one.address,
            "repaired": [
                {"record": str(each.record), "found": each.drift, "found_at": _iso(each.drift_at)} for each in records
            ],
        },
    )


def failing(result: RunResult, incident: Incident, seen: Mapping[str, tuple[str, datetime]], now: datetime) -> Event:
    """Return the event of runs that fail, with what each record held when it was last `seen` in order."""
    still = "still failing" if incident.alerts else "failing"
    lines = [f"{record} was last seen in order {_at(at)}, with {address}" for record, (address, at) in seen.items()]
    dns = f"DNS: {_named(lines, '; ')}." if lines else "DNS: no record is known to have been in order."
    return Event(
        Kind.FAILING,
        now,
        result.name,
        f"{result.name or 'ddns'}: {still} since {_at(incident.since)}, {counted(incident.failed_runs, 'failed run')}",
        f"Cause: {_cause(incident)}. {dns} Nothing is lost: what is due stays due; on the machine, `ddns doctor` tells"
        " what to mend.",
        _incident_facts(incident)
        | {
            "outcome": str(result.outcome),
            "reminder": incident.alerts,
            "seen": [
                {"record": record, "address": address, "checked_at": _iso(at)} for record, (address, at) in seen.items()
            ],
        },
    )


def recovered(result: RunResult, incident: Incident, now: datetime) -> Event:
    """Return the event of an incident that is over."""
    lasted = max(now - incident.since, timedelta(0))
    held = [f"{one.address} is version {one.version}" for one in result.results if one.address]
    records = [str(each.record) for one in result.results for each in one.publications]
    checked = [
        f"{each.record} held {each.address} {_at(each.checked_at)}"
        for one in result.results
        for each in one.publications
    ]
    dns = f"; DNS when last checked: {_named(checked, '; ')}" if checked else ""
    return Event(
        Kind.RECOVERED,
        now,
        result.name,
        f"{result.name or 'ddns'}: recovered after {duration(lasted)}, {counted(incident.failed_runs, 'failed run')}",
        f"Cause: {_cause(incident)}. Now {' and '.join(held)}{dns}. Nothing is left to do.",
        _incident_facts(incident) | {"duration_seconds": int(lasted.total_seconds()), "records": records},
    )


def _incident_facts(incident: Incident) -> dict[str, object]:
    return {"since": _iso(incident.since), "failed_runs": incident.failed_runs, "cause": _cause(incident)}


def _cause(incident: Incident) -> str:
    """Return the cause as text that every channel can take."""
    cause = incident.cause.encode(errors="replace").decode()
    return cause if len(cause) <= _LONGEST else cause[: _LONGEST - 1] + "…"


def _named(texts: Sequence[str], mark: str = ", ") -> str:
    more = f" and {len(texts) - _NAMED} more" if len(texts) > _NAMED else ""
    return mark.join(texts[:_NAMED]) + more


def _at(time: datetime | None) -> str:
    return local_time(time) if time else "at an unknown time"


def _iso(time: datetime | None) -> str | None:
    return time.astimezone(UTC).isoformat(timespec="seconds") if time else None
