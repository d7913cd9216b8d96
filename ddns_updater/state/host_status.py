"""The status of the hosts of the update endpoint, and what is wrong with them; with the line's, that of everything."""

from collections.abc import Hashable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from ddns_updater.hosts import Held, Host, HostEntry
from ddns_updater.lib.humanize import counted, duration
from ddns_updater.model import Family, Journal, Publication, PublicationState, Record
from ddns_updater.state.status import Status

_GRACE = timedelta(minutes=10)  # for DNS to follow, before that is a problem


class HostsStatus(NamedTuple):
    """The status of all hosts; times are by the database's clock.

    `number` is how many hosts there are; `entries` are those to list, by name, all unless they are too many. `states`
    counts the records of all hosts by the state of their latest version, None is without one. `due` is how many are
    not yet seen to hold it, `due_since` since when the oldest. `addresses` are those of the listed hosts since
    `since`, by the key of the host and the family, the newest first, at most `most` of each.
    """

    now: datetime
    number: int
    entries: Sequence[HostEntry]
    states: Mapping[PublicationState | None, int]
    due: int
    due_since: datetime | None
    since: datetime
    addresses: Mapping[tuple[Hashable, Family], Sequence[Held]]
    most: int

    @property
    def problems(self) -> list[str]:
        """Return what is wrong with the hosts as a whole, a line each."""
        failing = sum(bool(host_problems(each)) for each in self.entries)
        problems = [f"{counted(failing, 'host')} with a problem"] if failing else []
        if self.due_since and self.now - self.due_since > _GRACE:
            waiting = duration(self.now - self.due_since)
            records = counted(self.due, "record")
            problems.append(f"{records} of hosts not yet seen to hold the latest address, the oldest for {waiting}")
        return problems


class HostNumbers(NamedTuple):
    """What the database counts: the hosts, the records that are due, since when the oldest, and its time."""

    hosts: int
    due: int
    due_since: datetime | None
    now: datetime


class Overview(NamedTuple):
    """The status of all that a database and this machine know, at `now` by this machine's clock.

    `line` is None where there is none to keep, `hosts` where there are no tables of hosts; `error` is why one of them
    cannot be read.
    """

    now: datetime
    line: Status | None = None
    hosts: HostsStatus | None = None
    error: str | None = None

    @property
    def problems(self) -> list[str]:
        """Return every problem, a line each."""
        of_line = self.line.problems if self.line else []
        of_hosts = self.hosts.problems if self.hosts else []
        return list(dict.fromkeys([*([self.error] if self.error else []), *of_line, *of_hosts]))


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
    record = Record(host.name, family.record_type)
    return next((each for each in journal.publications if each.record == record), None)
