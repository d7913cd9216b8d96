"""The words of the program as immutable values; nothing here does any work but compare.

Most are NamedTuples and not frozen dataclasses: those take 0.4 ms each to define, which every quiet run would pay for.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import NamedTuple

Address = IPv4Address | IPv6Address


def same_address(one: str | None, other: str) -> bool:
    """Return whether two texts are one address, however it is written; white space makes a text none."""
    try:
        return one is not None and ip_address(one) == ip_address(other)
    except ValueError:
        return False


class Family(StrEnum):
    """An address family, and the type of the records that carry it."""

    IPV4 = "ipv4"
    IPV6 = "ipv6"

    @property
    def record_type(self) -> str:
        """Return the type of the record sets that hold addresses of this family."""
        return "A" if self is Family.IPV4 else "AAAA"


class Agreement(StrEnum):
    """Whether a second source has to say the same before a change is recorded."""

    REQUIRED = "required"
    PREFERRED = "preferred"  # when no second source answers, the change goes through with a warning
    OFF = "off"


class OnDrift(StrEnum):
    """What to do when a verified record was changed by somebody else."""

    REPAIR = "repair"
    REPORT = "report"


class Outcome(StrEnum):
    """How a run ended, from best to worst."""

    SKIPPED = "skipped"
    UNCHANGED = "unchanged"
    UPDATED = "updated"
    PENDING = "pending"
    HELD = "held"
    FAILED = "failed"

    @property
    def is_bad(self) -> bool:
        """Return whether the run did not do what it is for; the exit status is 1 then."""
        return self in (Outcome.FAILED, Outcome.HELD)

    @property
    def is_good(self) -> bool:
        """Return whether the run saw everything in place."""
        return self in (Outcome.UNCHANGED, Outcome.UPDATED)

    @classmethod
    def worst(cls, outcomes: Sequence["Outcome"]) -> "Outcome":
        """Return the worst of `outcomes`, which must not be empty."""
        return max(outcomes, key=list(cls).index)


class PublicationState(StrEnum):
    """What is known of one record set for one version."""

    PENDING = "pending"  # an UPSERT may or may not have been sent
    SUBMITTED = "submitted"  # Route 53 took the change and gave it an ID
    VERIFIED = "verified"  # the change is INSYNC and the record set was seen to hold the address
    FAILED = "failed"  # refused, or something else stands there


class Origin(NamedTuple):
    """One line being tracked, in one address family."""

    id: int
    name: str
    family: Family


class Version(NamedTuple):
    """One row of `admin_ip_history`; `created_at` is aware, in UTC, by the database's clock."""

    id: int
    origin_id: int
    name: str
    version: int
    ip: str
    created_at: datetime
    note: str | None = None


class Record(NamedTuple):
    """A record set that follows the line: name (lower-case, no final dot) and type."""

    name: str
    type: str

    def __str__(self) -> str:
        return f"{self.name} {self.type}"


class WantedRecord(NamedTuple):
    """What the operator wrote of a record: every family unless one is named, and the hosted zone if it is pinned."""

    name: str
    family: Family | None = None
    zone_id: str | None = None


class RecordSet(NamedTuple):
    """What DNS holds at a name.

    `obstacle` says in words why the set must not be overwritten (alias, routing policy, CNAME); None when it may be.
    """

    values: tuple[str, ...]
    ttl: int | None
    obstacle: str | None = None

    def holds(self, address: str, ttl: int | None) -> bool:
        """Return whether it is this address alone, with `ttl` unless that is None."""
        if self.obstacle or len(self.values) != 1:
            return False
        return same_address(self.values[0], address) and ttl in (None, self.ttl)


def described(found: RecordSet | None) -> str:
    """Return what a name holds, in words; None is no record set."""
    if found is None:
        return "no record set"
    return found.obstacle or f"{', '.join(found.values)} with TTL {found.ttl}"


class Change(NamedTuple):
    """One record set as it is to be; `ttl` in seconds."""

    record: Record
    address: str
    ttl: int


class Submission(NamedTuple):
    """The answer to some of the changes sent: an ID to follow, or the error that concerns them."""

    changes: tuple[Change, ...]
    change_id: str | None = None
    error: str | None = None


@dataclass(frozen=True)
class Publication:
    """One row of `admin_dns_publication`: what DNS was asked for one version and record set.

    Times are aware, in UTC, by the database's clock. `created_at` is when the record was first due, `verified_at` when
    the address was first seen to hold, `checked_at` when it was last seen to hold. `address` and `ttl` (in seconds) are
    what was asked. `drift` is what was last found in its place after it had been verified, and `drift_at` when.
    """

    record: Record
    created_at: datetime
    state: PublicationState = PublicationState.PENDING
    hosted_zone_id: str | None = None
    address: str | None = None
    ttl: int | None = None
    change_id: str | None = None
    attempts: int = 0
    error: str | None = None
    submitted_at: datetime | None = None
    verified_at: datetime | None = None
    checked_at: datetime | None = None
    drift: str | None = None
    drift_at: datetime | None = None


class Journal(NamedTuple):
    """The latest version of an origin, its publications, and the database's clock when they were read."""

    version: Version
    publications: tuple[Publication, ...]
    read_at: datetime


class HistoryEntry(NamedTuple):
    """A version and what DNS was asked for it; `until` is when the next version came, None for the latest."""

    version: Version
    family: Family
    until: datetime | None
    read_at: datetime
    publications: tuple[Publication, ...]

    @property
    def held(self) -> timedelta:
        """Return how long the address was, or has been, the current one."""
        return (self.until or self.read_at) - self.version.created_at


class Window(NamedTuple):
    """A stretch of time in whole seconds, from `begin` to before `end`; None is an open end."""

    begin: datetime | None = None
    end: datetime | None = None


class HistorySummary(NamedTuple):
    """How often the address of one family changed within a window, by the database's clock.

    `began` is when the history of the origin begins, `begin` and `end` are the part of the window that lies between
    that and now; they are equal when no part does. `versions` were current in it, `changes` of them began in it, the
    first version of all being none. `longest` and `shortest` are of the whole time those versions were held:
    `shortest` only of those whose begin and end were both seen, None when there is none, and `at_least` says that
    `longest` is of one whose begin or end was not.
    """

    family: Family
    began: datetime
    begin: datetime
    end: datetime
    versions: int
    changes: int
    longest: timedelta
    at_least: bool
    shortest: timedelta | None


class FamilyResult(NamedTuple):
    """How a run ended for one address family.

    `publications` are those of the configured records, `since` is when the version was recorded.
    """

    family: Family
    outcome: Outcome
    address: str | None = None
    previous_address: str | None = None
    version: int | None = None
    since: datetime | None = None
    source: str | None = None
    recorded: bool = False
    publications: tuple[Publication, ...] = ()
    warnings: tuple[str, ...] = ()
    error: str | None = None


class RunResult(NamedTuple):
    """How a run ended; one result for each address family.

    `warnings` are those of the phase report: of what was to be told, written or remembered of the run.
    """

    name: str | None
    results: tuple[FamilyResult, ...]
    dry_run: bool = False
    warnings: tuple[str, ...] = ()

    @property
    def outcome(self) -> Outcome:
        """Return the worst outcome of the families."""
        return Outcome.worst([result.outcome for result in self.results])

    @property
    def error(self) -> str | None:
        """Return what went wrong, once for each cause; None when nothing did."""
        return " | ".join(dict.fromkeys(result.error for result in self.results if result.error)) or None


class Incident(NamedTuple):
    """Runs that failed or were held, one after the other.

    `cause` is the last run's; `alerts` is how many were sent about it, `alerted_at` when the last one was.
    """

    since: datetime
    failed_runs: int
    cause: str
    alerts: int = 0
    alerted_at: datetime | None = None


def propagation(publications: Iterable[Publication]) -> timedelta | None:
    """Return how long DNS took to follow, by the slowest record; None when none has followed.

    Counted from when a record was first due for its version.
    """
    times = [each.verified_at - each.created_at for each in publications if each.verified_at]
    return max([timedelta(0), *times]) if times else None
