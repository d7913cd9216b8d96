"""Alerts: what happened to which name, since when, what DNS holds, and what to do."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple

from ddns_updater.lib.humanize import counted, duration, listed, local_time
from ddns_updater.lib.printable import printable
from ddns_updater.model import Address, FamilyResult, Incident, Publication, Record, RunResult, Seen, propagation

SCHEMA = 1  # the version of the JSON form; fields may be added to it
_LISTED = 3  # records listed by name; the others are only counted
_FIELDS = ("schema", "event", "time", "name", "title", "text")  # of every kind
_LONGEST = 1000  # characters of a cause; some services cut long messages, and what to do comes last


class Kind(StrEnum):
    """The kinds of event."""

    CHANGED = "changed"
    REPAIRED = "repaired"
    FAILING = "failing"
    RECOVERED = "recovered"
    HOSTS_FAILING = "hosts_failing"
    HOSTS_RECOVERED = "hosts_recovered"
    HOSTS_SLOWED = "hosts_slowed"
    TEST = "test"


class Event(NamedTuple):
    """An alert; `time` is an aware time in whole seconds, `facts` are the further JSON fields.

    `origin` is None while its name is unknown, and of hosts.
    """

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

    def sent_by(self, host: str) -> "Event":
        """Return the event as `host` sends it, with its name in the text and in the field `host`.

        What a reader's terminal or browser would obey is escaped in every text; the event may be of another version.
        """
        sent = self._replace(text=f"{self.text} Sent by {host}.", facts={"host": host, **self.facts})
        return Event(*(_shown(field) for field in sent))


def parse_event(content: Mapping[str, Any]) -> Event:
    """Parse the JSON form; raises KeyError, TypeError or ValueError when it is another."""
    time = datetime.fromisoformat(content["time"])
    origin, title, text = content["name"], content["title"], content["text"]
    if time.tzinfo is None or not all(isinstance(each, str) for each in (origin or "", title, text)):
        raise ValueError
    facts = {field: value for field, value in content.items() if field not in _FIELDS}
    return Event(Kind(content["event"]), time, origin, title, text, facts)


def changed(result: RunResult, one: FamilyResult, previous: Address | None, now: datetime) -> Event:
    """Return the event of a changed address that DNS was seen to hold."""
    took = propagation(one.publications)
    records = [str(each.record) for each in one.publications]
    followed = (
        f"DNS followed after {duration(took)}: {listed(records, _LISTED)}."
        if took is not None
        else "No DNS record is configured."
    )
    return _event(
        Kind.CHANGED,
        result,
        now,
        f"{result.name}: address changed to {one.address}",
        f"Previous address: {previous or 'unknown'}. Version {one.version} is {one.address}, recorded {_at(one.since)}."
        f" {followed} Nothing to do.",
        {
            "family": str(one.family),
            "address": str(one.address),
            "previous_address": previous and str(previous),
            "version": one.version,
            "since": iso(one.since),
            "dns_seconds": None if took is None else int(took.total_seconds()),
            "records": records,
        },
    )


def repaired(result: RunResult, one: FamilyResult, records: Sequence[Publication], now: datetime) -> Event:
    """Return the event of records that were changed outside this program and are correct again."""
    names = [str(each.record) for each in records]
    held = [f"{each.record} held {each.drift} (found {_at(each.drift_at)})" for each in records]
    return _event(
        Kind.REPAIRED,
        result,
        now,
        f"{result.name}: repaired {listed(names, _LISTED)} after an outside change",
        f"{listed(held, _LISTED, '; ')}. DNS holds {one.address} again. If this happens again, find out what changes"
        " it: two updaters of one name overwrite each other.",
        {
            "family": str(one.family),
            "address": str(one.address),
            "repaired": [
                {"record": str(each.record), "found": each.drift, "found_at": iso(each.drift_at)} for each in records
            ],
        },
    )


def failing(result: RunResult, incident: Incident, seen: Mapping[Record, Seen], now: datetime) -> Event:
    """Return the event of failing runs; `seen` is what each record held when it was last verified."""
    still = "still failing" if incident.alerts else "failing"
    held = [f"{record} held {each.address} ({_at(each.at)})" for record, each in seen.items()]
    dns = f"DNS when last verified: {listed(held, _LISTED, '; ')}." if held else "DNS: no verified record is known."
    return _event(
        Kind.FAILING,
        result,
        now,
        f"{result.name or 'ddns'}: {still} since {_at(incident.since)}, {counted(incident.failed_runs, 'failed run')}",
        f"Cause: {sentence(cause_of(incident))} {dns} Nothing is lost: every run tries again. Run `ddns doctor` on the"
        " machine to see what to fix.",
        _incident_facts(incident)
        | {
            "outcome": str(result.outcome),
            "reminder": incident.alerts,
            "seen": [
                {"record": str(record), "address": str(each.address), "checked_at": iso(each.at)}
                for record, each in seen.items()
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
    return _event(
        Kind.RECOVERED,
        result,
        now,
        f"{result.name or 'ddns'}: recovered after {duration(lasted)}, {counted(incident.failed_runs, 'failed run')}",
        f"Cause: {sentence(cause_of(incident))} Address now: {' and '.join(held)}.{dns} Nothing to do.",
        _incident_facts(incident) | {"duration_seconds": int(lasted.total_seconds()), "records": records},
    )


def test(origin: str | None, now: datetime) -> Event:
    """Return the event that shows whether a channel works."""
    return Event(
        Kind.TEST,
        now.replace(microsecond=0),
        origin,
        f"{origin or 'ddns'}: test message",
        "This is a test: alerts from ddns-updater arrive here. There is nothing to do.",
        {},
    )


def _event(kind: Kind, result: RunResult, now: datetime, title: str, text: str, facts: Mapping[str, object]) -> Event:
    return Event(kind, now.replace(microsecond=0), result.name, title, text, facts)


def _incident_facts(incident: Incident) -> dict[str, object]:
    return {"since": iso(incident.since), "failed_runs": incident.failed_runs, "cause": cause_of(incident)}


def cause_of(incident: Incident) -> str:
    """Return the cause as text that every channel can encode, cut to a safe length."""
    cause = printable(incident.cause)
    return cause if len(cause) <= _LONGEST else cause[: _LONGEST - 1] + "…"


def _shown(value: Any) -> Any:
    """Return a field of an event, whose texts may be from outside, with these escaped."""
    match value:
        case Kind():
            return value
        case str():
            return printable(value)
        case Mapping():
            return {key: _shown(each) for key, each in value.items()}
        case list() | tuple():
            return [_shown(each) for each in value]
    return value


def sentence(text: str) -> str:
    """Return `text` with its end."""
    return text if text.endswith("?") else f"{text}."


def _at(time: datetime | None) -> str:
    return local_time(time) if time else "at an unknown time"


def iso(time: datetime | None) -> str | None:
    """Return a time in UTC, in whole seconds."""
    return time.astimezone(UTC).isoformat(timespec="seconds") if time else None
