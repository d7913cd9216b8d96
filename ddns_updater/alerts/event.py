"""The text of alerts: what happened to which name, since when, what DNS holds, and what to do."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from ddns_updater.lib.humanize import counted, duration, listed, local_time
from ddns_updater.model import Address, FamilyResult, Incident, Publication, RunResult, propagation

SCHEMA = 1  # the version of the JSON form; fields may be added to it
_LISTED = 3  # records listed by name; the others are only counted
_LONGEST = 1000  # characters of a cause; some services cut long messages, and what to do comes last


class Kind(StrEnum):
    """The kinds of event."""

    CHANGED = "changed"
    REPAIRED = "repaired"
    FAILING = "failing"
    RECOVERED = "recovered"


class Event(NamedTuple):
    """An alert; `facts` are its further JSON fields. `origin` is None while its name is unknown."""

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


def changed(result: RunResult, one: FamilyResult, previous: Address | None, now: datetime) -> Event:
    """Return the event of a changed address that DNS was seen to hold."""
    took = propagation(one.publications)
    records = [str(each.record) for each in one.publications]
    followed = (
        f"DNS followed after {duration(took)}: {listed(records, _LISTED)}."
        if took is not None
        else "No DNS record is configured."
    )
    return Event(
        Kind.CHANGED,
        now,
        result.name,
        f"{result.name}: address changed to {one.address}",
        f"Previous address: {previous or 'unknown'}. Version {one.version} is {one.address}, recorded {_at(one.since)}."
        f" {followed} Nothing to do.",
        {
            "family": str(one.family),
            "address": str(one.address),
            "previous_address": previous and str(previous),
            "version": one.version,
            "since": _iso(one.since),
            "dns_seconds": None if took is None else int(took.total_seconds()),
            "records": records,
        },
    )


def repaired(result: RunResult, one: FamilyResult, records: Sequence[Publication], now: datetime) -> Event:
    """Return the event of records that were changed outside this program and are correct again."""
    names = [str(each.record) for each in records]
    held = [f"{each.record} held {each.drift} (found {_at(each.drift_at)})" for each in records]
    return Event(
        Kind.REPAIRED,
        now,
        result.name,
        f"{result.name}: repaired {listed(names, _LISTED)} after an outside change",
        f"{listed(held, _LISTED, '; ')}. DNS holds {one.address} again. If this happens again, find out what changes"
        " it: two updaters of one name overwrite each other.",
        {
            "family": str(one.family),
            "address": str(one.address),
            "repaired": [
                {"record": str(each.record), "found": each.drift, "found_at": _iso(each.drift_at)} for each in records
            ],
        },
    )


def failing(
    result: RunResult, incident: Incident, seen: Mapping[str, tuple[Address, datetime]], now: datetime
) -> Event:
    """Return the event of failing runs; `seen` is what each record held when it was last verified, and when."""
    still = "still failing" if incident.alerts else "failing"
    held = [f"{record} held {address} ({_at(at)})" for record, (address, at) in seen.items()]
    dns = f"DNS when last verified: {listed(held, _LISTED, '; ')}." if held else "DNS: no verified record is known."
    return Event(
        Kind.FAILING,
        now,
        result.name,
        f"{result.name or 'ddns'}: {still} since {_at(incident.since)}, {counted(incident.failed_runs, 'failed run')}",
        f"Cause: {_cause(incident)}. {dns} Nothing is lost: every run tries again. Run `ddns doctor` on the machine to"
        " see what to fix.",
        _incident_facts(incident)
        | {
            "outcome": str(result.outcome),
            "reminder": incident.alerts,
            "seen": [
                {"record": record, "address": str(address), "checked_at": _iso(at)}
                for record, (address, at) in seen.items()
            ],
        },
    )


def recovered(result: RunResult, incident: Incident, now: datetime) -> Event:
    """Return the event of an incident that is over."""
    lasted = max(now - incident.since, timedelta(0))
    held = [f"{one.address} (version {one.version})" for one in result.results if one.address]
    records = [str(each.record) for one in result.results for each in one.publications]
    verified = [
        f"{each.record} held {each.address} ({_at(each.checked_at)})"
        for one in result.results
        for each in one.publications
    ]
    dns = f" DNS when last verified: {listed(verified, _LISTED, '; ')}." if verified else ""
    return Event(
        Kind.RECOVERED,
        now,
        result.name,
        f"{result.name or 'ddns'}: recovered after {duration(lasted)}, {counted(incident.failed_runs, 'failed run')}",
        f"Cause: {_cause(incident)}. Address now: {' and '.join(held)}.{dns} Nothing to do.",
        _incident_facts(incident) | {"duration_seconds": int(lasted.total_seconds()), "records": records},
    )


def _incident_facts(incident: Incident) -> dict[str, object]:
    return {"since": _iso(incident.since), "failed_runs": incident.failed_runs, "cause": _cause(incident)}


def _cause(incident: Incident) -> str:
    """Return the cause as text that every channel can encode, cut to a safe length."""
    cause = incident.cause.encode(errors="replace").decode()
    return cause if len(cause) <= _LONGEST else cause[: _LONGEST - 1] + "…"


def _at(time: datetime | None) -> str:
    return local_time(time) if time else "at an unknown time"


def _iso(time: datetime | None) -> str | None:
    return time.astimezone(UTC).isoformat(timespec="seconds") if time else None
