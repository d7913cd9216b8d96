"""Alerts about hosts: their records cannot be published, they can again, or hosts change too often.

However many hosts an alert is about, it is one message; those with the same cause are told together.
"""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta

from ddns_updater.alerts.event import Event, Kind, cause_of, iso, sentence
from ddns_updater.hosts import Failing, Host, Sweep
from ddns_updater.lib.humanize import counted, duration, listed, local_time
from ddns_updater.model import Incident

_LISTED = 3  # hosts, records or causes that a text names; the others are only counted
_IN_FACTS = 100  # hosts that the JSON names


def cause(sweep: Sweep) -> str | None:
    """Return why a sweep is not a good one, None when it is."""
    if sweep.error or not sweep.failing:
        return sweep.error
    alike: dict[str, list[Failing]] = {}
    for each in sweep.examples:
        alike.setdefault(_error_of_any(each), []).append(each)
    named = list(alike.items())[:_LISTED]
    more = sweep.failing - sum(len(each) for _, each in named)
    rest = [f"{counted(more, 'further record' if named else 'record')} failing"] if more > 0 else []
    return ". ".join([*(_told(*each) for each in named), *rest])


def failing(sweep: Sweep, incident: Incident, now: datetime) -> Event:
    """Return the event of hosts whose records cannot be published."""
    if sweep.error:
        what = "database"
        then = "Until it is back, requests are answered with 911 and clients try again."
    else:
        what = f"{counted(sweep.failing, 'record')} of {counted(sweep.hosts, 'host')}"
        then = "Nothing is lost: the server keeps each address and tries again. `ddns host list` shows every host."
    still = "still failing" if incident.alerts else "failing"
    return _event(
        Kind.HOSTS_FAILING,
        now,
        f"hosts: {what} {still} since {local_time(incident.since)}",
        f"Cause: {sentence(cause_of(incident))} {then} Run `ddns doctor` on the machine to see what to fix.",
        _incident_facts(incident)
        | {
            "reminder": incident.alerts,
            "hosts": None if sweep.error else sweep.hosts,
            "failing_records": None if sweep.error else sweep.failing,
            "examples": [
                {"record": str(each.record), "error": each.error, "since": iso(each.since)} for each in sweep.examples
            ],
        },
    )


def recovered(sweep: Sweep, incident: Incident, now: datetime) -> Event:
    """Return the event of an incident of the hosts that is over."""
    lasted = max(now - incident.since, timedelta(0))
    return _event(
        Kind.HOSTS_RECOVERED,
        now,
        f"hosts: recovered after {duration(lasted)}",
        f"No record of {counted(sweep.hosts, 'host')} fails any more. Last cause: {sentence(cause_of(incident))}"
        " Nothing to do.",
        _incident_facts(incident) | {"duration_seconds": int(lasted.total_seconds()), "hosts": sweep.hosts},
    )


def slowed(hosts: Sequence[Host], now: datetime) -> Event:
    """Return the event of hosts that are slowed down because they change too often."""
    names = [each.name for each in hosts]
    since = [f"{each.name} since {local_time(each.slowed_at or now)}" for each in hosts]
    verb, first = ("is", names[0]) if len(hosts) == 1 else ("are", "NAME")
    return _event(
        Kind.HOSTS_SLOWED,
        now,
        f"hosts: {listed(names, _LISTED)} {verb} slowed down for changing too often",
        f"One change in ten minutes is taken until there are fewer in a day: {listed(since, _LISTED)}. Find out why"
        " the address changes: two machines may use one login, a client may send a wrong address, or the line may be"
        f" unstable. `ddns history --name {first}` shows the addresses.",
        {"slowed": [{"name": each.name, "since": iso(each.slowed_at)} for each in hosts[:_IN_FACTS]]},
    )


def _error_of_any(one: Failing) -> str:
    """Return the error as it is for every record that fails for the same reason."""
    name = rf"(?<![\w.-]){re.escape(one.record.name)}(?![\w-])"
    return re.sub(name, "the host", re.sub(f"{name} {one.record.type}", "the record", one.error))


def _told(error_of_any: str, alike: Sequence[Failing]) -> str:
    """Return the error of records that fail alike, with their names."""
    first = alike[0]
    if len(alike) > 1:
        return f"{listed([str(each.record) for each in alike], _LISTED)}: {error_of_any}"
    return first.error if first.record.name in first.error else f"{first.record}: {first.error}"


def _incident_facts(incident: Incident) -> dict[str, object]:
    return {"since": iso(incident.since), "failed_sweeps": incident.failed_runs, "cause": cause_of(incident)}


def _event(kind: Kind, now: datetime, title: str, text: str, facts: dict[str, object]) -> Event:
    return Event(kind, now.replace(microsecond=0), None, title, text, facts)
