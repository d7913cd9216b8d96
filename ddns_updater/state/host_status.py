"""The status of each host of the update endpoint, and what is wrong with it."""

from collections.abc import Hashable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from ddns_updater.hosts import Held, Host, HostEntry, Overview
from ddns_updater.lib.humanize import duration
from ddns_updater.model import Family, Incident, Journal, Publication, PublicationState, Record

_GRACE = timedelta(minutes=10)  # for DNS to follow, before that is a problem


class HostsStatus(NamedTuple):
    """The status of all hosts; times are by the database's clock.

    `entries` are those to list, by name, all unless they are too many. `addresses` are those of the listed hosts since
    `since`, by the key of the host and the family, the newest first, at most `most` of each. `incident` is the open one
    of the server on this machine, of which alerts tell.
    """

    overview: Overview
    entries: Sequence[HostEntry]
    since: datetime
    addresses: Mapping[tuple[Hashable, Family], Sequence[Held]]
    most: int
    incident: Incident | None = None


class HostNumbers(NamedTuple):
    """What the database counts: the hosts, the records that are due, since when the oldest, and its time."""

    hosts: int
    due: int
    due_since: datetime | None
    now: datetime


def host_problems(entry: HostEntry) -> list[str]:
    """Return every problem of a host, a line each; that the operator has blocked it is none."""
    found = [record_problem(entry.host, family, journal) for family, journal in entry.journals.items()]
    if entry.host.slowed_at:
        found.append("changes too often, so that it is slowed down")
    return list(dict.fromkeys(each for each in found if each))


def record_problem(host: Host, family: Family, journal: Journal) -> str | None:
    """Return the problem of a host's record for its latest version; None when there is none."""
    known = publication_of(host, family, journal)
    if known and known.error:
        return known.error
    if known and known.state is PublicationState.VERIFIED:
        return None
    waiting = journal.read_at - (known.created_at if known else journal.version.created_at)
    if known and known.state is PublicationState.FAILED:
        return "DNS refuses it"
    return f"not seen to hold it for {duration(waiting)}" if waiting > _GRACE else None


def publication_of(host: Host, family: Family, journal: Journal) -> Publication | None:
    """Return the publication of a host's latest version in its own record; None when there is none."""
    return journal.publication(Record(host.name, family.record_type))
