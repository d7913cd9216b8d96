"""The terms of the program as immutable values, without behaviour beyond comparison.

They are NamedTuples, not frozen dataclasses: a dataclass takes a millisecond to define, a cost to every quiet run.
"""

from collections.abc import Hashable, Iterable, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import NamedTuple

Address = IPv4Address | IPv6Address


def parse_address(text: str | None) -> Address | None:
    """Return `text` as an address, in any notation; None when it is none, or has white space around it.

    None with a zone index as well (RFC 4007, `%eth0`): it says nothing to others, and Python takes any text for one.
    """
    try:
        return ip_address(text) if text and "%" not in text else None
    except ValueError:
        return None


class Family(StrEnum):
    """An address family."""

    IPV4 = "ipv4"
    IPV6 = "ipv6"

    @property
    def record_type(self) -> str:
        """Return the type of the record sets that hold addresses of this family."""
        return "A" if self is Family.IPV4 else "AAAA"

    @classmethod
    def of_record(cls, record_type: str) -> "Family":
        """Return the family whose addresses record sets of a type hold."""
        return cls.IPV4 if record_type == "A" else cls.IPV6

    def has(self, address: Address | None) -> bool:
        """Return whether `address` is one of this family; None is not."""
        return address is not None and address.version == (4 if self is Family.IPV4 else 6)


class Agreement(StrEnum):
    """Whether a second source must confirm a changed address before it is recorded."""

    REQUIRED = "required"
    PREFERRED = "preferred"  # without an answer from a second source, the change is recorded with a warning
    OFF = "off"


class OnDrift(StrEnum):
    """What to do about a verified record that was changed outside this program."""

    REPAIR = "repair"
    REPORT = "report"


class Outcome(StrEnum):
    """The outcome of a run, from best to worst."""

    SKIPPED = "skipped"
    OFF = "off"  # the machine that has the address is not running: nothing to publish, and nothing wrong
    UNCHANGED = "unchanged"
    UPDATED = "updated"
    PENDING = "pending"
    HELD = "held"
    FAILED = "failed"

    @property
    def is_bad(self) -> bool:
        """Return whether the run failed or was held; the exit status is then 1."""
        return self in (Outcome.FAILED, Outcome.HELD)

    @property
    def is_good(self) -> bool:
        """Return whether the run found or put everything in place."""
        return self in (Outcome.UNCHANGED, Outcome.UPDATED)

    @property
    def is_quiet(self) -> bool:
        """Return whether the run changed nothing and nothing is wrong, so that there is nothing to say."""
        return self in (Outcome.UNCHANGED, Outcome.SKIPPED, Outcome.OFF)

    @classmethod
    def worst(cls, outcomes: Sequence["Outcome"]) -> "Outcome":
        """Return the worst of `outcomes`, which must not be empty."""
        return max(outcomes, key=list(cls).index)


class PublicationState(StrEnum):
    """What is known about one record set for one version."""

    PENDING = "pending"  # an UPSERT may or may not have been sent
    SUBMITTED = "submitted"  # Route 53 accepted the change and gave it an ID
    VERIFIED = "verified"  # the change is INSYNC and the record set was seen to hold the address
    FAILED = "failed"  # refused, or the record set holds something else


class Origin(NamedTuple):
    """A tracked line, in one address family; `id` is its key, which only the history that gave it can read."""

    id: Hashable
    name: str
    family: Family


class StoredOrigin(NamedTuple):
    """An origin as the database has it; `family` is that of its newest address, None when no late row holds one.

    `is_host` is whether it is a host of the update endpoint, whose address comes from its own requests.
    """

    id: Hashable
    name: str
    family: Family | None
    is_host: bool = False

    def of(self, family: Family) -> Origin:
        """Return it as the origin of `family`."""
        return Origin(self.id, self.name, family)


class Version(NamedTuple):
    """A row of `admin_ip_history`; `created_at` is an aware UTC time by the database's clock.

    `id` is its key, which only the history that gave it can read. `ip` is the text in the row, for output; `address` is
    None when that is not an address.
    """

    id: Hashable
    name: str
    version: int
    ip: str
    address: Address | None
    created_at: datetime
    note: str | None = None


class Record(NamedTuple):
    """A record set that follows the line: name (lower-case, no final dot) and type."""

    name: str
    type: str

    def __str__(self) -> str:
        return f"{self.name} {self.type}"


class WantedRecord(NamedTuple):
    """A record as configured: for every family unless it names one, with its hosted zone if that is pinned."""

    name: str
    family: Family | None = None
    zone_id: str | None = None


class RecordSet(NamedTuple):
    """What DNS holds at a name.

    `obstacle` is text on why the set must not be overwritten (alias, routing policy, CNAME); None when it may be.
    """

    values: tuple[str, ...]
    ttl: int | None
    obstacle: str | None = None

    def holds(self, address: Address, ttl: int | None) -> bool:
        """Return whether it is this address alone, with `ttl` unless that is None."""
        if self.obstacle or len(self.values) != 1:
            return False
        return parse_address(self.values[0]) == address and ttl in (None, self.ttl)


def described(found: RecordSet | None) -> str:
    """Return what a name holds, in words; None is no record set."""
    if found is None:
        return "no record set"
    return found.obstacle or f"{', '.join(found.values)} with TTL {found.ttl}"


class Change(NamedTuple):
    """The desired content of one record set of any type: its values as in a zone file; `ttl` in seconds."""

    record: Record
    values: tuple[str, ...]
    ttl: int


class Sent(NamedTuple):
    """An address that was sent to DNS for a record in a hosted zone.

    `unanswered_at` is when, if no answer to that was seen: it may arrive later. None if it was answered.
    """

    record: Record
    zone_id: str
    address: Address
    unanswered_at: datetime | None = None


class Submission(NamedTuple):
    """The response to some of the changes sent: a change ID to follow, or an error.

    `is_refused` is whether the error is an answer of the DNS provider; without one, the changes may arrive yet.
    """

    changes: tuple[Change, ...]
    change_id: str | None = None
    error: str | None = None
    is_refused: bool = False


class Publication(NamedTuple):
    """A row of `admin_dns_publication`: the publication of one version in one record set.

    Times are aware UTC times by the database's clock. `created_at` is when the record was first due, `submitted_at`
    when a change was last sent, `verified_at` when DNS was first seen to hold the address, `checked_at` when it was
    last seen to, or reported to hold something else, or found to be published by another origin. `address` and `ttl`
    (in seconds) are what was requested. `drift` is what a verified record was last found to hold instead, and
    `drift_at` when.
    """

    record: Record
    created_at: datetime
    state: PublicationState = PublicationState.PENDING
    hosted_zone_id: str | None = None
    address: Address | None = None
    ttl: int | None = None
    change_id: str | None = None
    attempts: int = 0
    error: str | None = None
    submitted_at: datetime | None = None
    verified_at: datetime | None = None
    checked_at: datetime | None = None
    drift: str | None = None
    drift_at: datetime | None = None

    @property
    def is_refused(self) -> bool:
        """Return whether DNS refuses it, or something kept it from being sent at all."""
        is_kept_back = self.state is PublicationState.PENDING and self.error is not None and self.submitted_at is None
        return self.state is PublicationState.FAILED or is_kept_back

    @property
    def sent(self) -> "Sent | None":
        """Return what DNS may have been sent: all but what Route 53 refused. None before the first try."""
        refused = self.state is PublicationState.FAILED and not (self.change_id or self.verified_at)
        if refused or self.address is None or self.hosted_zone_id is None:
            return None
        unanswered_at = (self.submitted_at or self.created_at) if self.state is PublicationState.PENDING else None
        return Sent(self.record, self.hosted_zone_id, self.address, unanswered_at)


class Claim(NamedTuple):
    """What the journal of an origin says of a record in a hosted zone.

    `origin_id` is the key of the origin, `name` its name. `holds` is whether it publishes the record, rather than was
    kept from it by another; `at` is when it last checked.
    """

    record: Record
    zone_id: str
    origin_id: Hashable
    name: str
    holds: bool
    at: datetime


class Journal(NamedTuple):
    """The latest version of an origin with its publications; `read_at` is the database's time when they were read."""

    version: Version
    publications: tuple[Publication, ...]
    read_at: datetime

    def publication(self, record: Record) -> Publication | None:
        """Return the publication in `record`, None when there is none."""
        return next((each for each in self.publications if each.record == record), None)


class HistoryEntry(NamedTuple):
    """A version with its publications; `until` is when the next version was recorded, None for the latest."""

    version: Version
    family: Family
    until: datetime | None
    read_at: datetime
    publications: tuple[Publication, ...]

    @property
    def held(self) -> timedelta:
        """Return how long the address was, or has been, current; nothing if the clock went back meanwhile."""
        return max((self.until or self.read_at) - self.version.created_at, timedelta(0))


class Window(NamedTuple):
    """A period in whole seconds from `start` up to but not including `end`; None leaves that side open."""

    start: datetime | None = None
    end: datetime | None = None


class HistorySummary(NamedTuple):
    """How often the address of one family changed within a window, by the database's clock.

    `first_recorded_at` is when the history of the origin starts. `start` and `end` bound the part of the window between
    that and now; they are equal when there is none. `versions` is how many versions were current in it, `changes` how
    many of them started in it, not counting the very first version. `longest` and `shortest` are how long such versions
    were held, also outside the window. `shortest` counts only versions with a known start and end; it is None without
    one. `at_least` is whether the start or end of the longest is unknown.
    """

    family: Family
    first_recorded_at: datetime
    start: datetime
    end: datetime
    versions: int
    changes: int
    longest: timedelta
    at_least: bool
    shortest: timedelta | None


class FamilyResult(NamedTuple):
    """The result of a run for one address family.

    `publications` are those of the configured records; `since` is when the version was recorded. `previous_address` is
    None also when the version before held no address. `off` is why the origin is off, None when it is not.
    """

    family: Family
    outcome: Outcome
    address: Address | None = None
    previous_address: Address | None = None
    version: int | None = None
    since: datetime | None = None
    source: str | None = None
    recorded: bool = False
    publications: tuple[Publication, ...] = ()
    warnings: tuple[str, ...] = ()
    error: str | None = None
    off: str | None = None


class RunResult(NamedTuple):
    """The result of a run, with one result for each address family.

    `warnings` are those of no single family: a database session that was lost, and those of the report phase (alerts,
    heartbeat, metrics and the state file).
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
        """Return the errors of the families without duplicates; None when there are none."""
        return " | ".join(dict.fromkeys(result.error for result in self.results if result.error)) or None


class Incident(NamedTuple):
    """A series of runs that failed or were held.

    `cause` is that of the last run; `alerts` is how many alerts reported it, `alerted_at` when the last one did.
    `quiet` is whether one of the runs was quiet: then the alerts are printed too, by the next quiet run.
    """

    since: datetime
    failed_runs: int
    cause: str
    alerts: int = 0
    alerted_at: datetime | None = None
    quiet: bool = False


class Seen(NamedTuple):
    """The address that a record was last seen to hold correctly, and when."""

    address: Address
    at: datetime


class SeenFree(NamedTuple):
    """When a record was last seen free of obstacles in a hosted zone, by the database's clock.

    `ttl` is the TTL that it had in seconds, None when that is not known.
    """

    zone_id: str
    at: datetime
    ttl: int | None = None


def propagation(publications: Iterable[Publication]) -> timedelta | None:
    """Return how long DNS took to follow, by the slowest record; None when no record has followed.

    The time counts from when a record was first due for its version.
    """
    times = [each.verified_at - each.created_at for each in publications if each.verified_at]
    return max([timedelta(0), *times]) if times else None
