"""The ports: what a run needs from outside, as Protocols; adapters implement them, tests fake them.

A run needs only a part of the history; HistoryStore is the whole, which other commands use and an engine implements.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Protocol

from ddns_updater.errors import DnsError
from ddns_updater.lib.deadline import Deadline
from ddns_updater.model import (
    Address,
    Change,
    Claim,
    Family,
    HistoryEntry,
    HistorySummary,
    Journal,
    Origin,
    Publication,
    Record,
    RecordSet,
    Sent,
    StoredOrigin,
    Submission,
    Version,
    Window,
)


class History(Protocol):
    """Where versions and publications are kept; its methods raise HistoryError.

    ConnectionLost says that the locks are gone too, and that nothing may be done on the ground of what was read.
    """

    def origins(self, name: str | None = None) -> tuple[StoredOrigin, ...]:
        """Return the origins with this name, or all but those of hosts."""

    def has_host(self, name: str) -> bool:
        """Return whether there is, or was, a host of the update endpoint called `name`."""

    def newest(self, origin: Origin) -> Version:
        """Return the latest version of `origin`, also where `upgrade` was never called."""

    def joining(self, kept: Origin, moved: Origin) -> str:
        """Return the statements that make the versions of `moved` versions of `kept`, for the operator to execute."""

    def reconnect(self) -> None:
        """Open a new connection in place of one that was lost, as ConnectionLost says."""

    def lock(self, origin: Origin) -> AbstractContextManager[bool]:
        """Take the lock of `origin` without waiting; False when another run holds it.

        A lock that the database still keeps for the connection before `reconnect` is taken from it.
        """

    def latest(self, origin: Origin) -> Journal:
        """Return the latest version of `origin` and its publications."""

    def examine(self, name: str | None, families: Sequence[Family], /) -> Sequence[tuple[str, str | None]]:
        """Return what is worth knowing about the table of versions, each with what to do or None; writes nothing.

        Raises HistoryError when it is seen that versions of `families` cannot be added to it.
        """

    def lock_init(self) -> AbstractContextManager[bool]:
        """Take the lock of `init` without waiting; False when another one holds it."""

    def seed(self, name: str, family: Family, address: Address, note: str | None) -> Origin:
        """Create an origin with `address` as its version 1."""

    def append(self, origin: Origin, previous: Version, address: Address) -> Journal:
        """Append the version after `previous`; raises VersionTaken if it exists already."""

    def sent_before(self, versions: Mapping[Origin, Version]) -> Mapping[Origin, Collection[Sent]]:
        """Return what DNS may have been sent for the versions just before one of each origin."""

    def claims(self, records: Collection[Record], since: datetime) -> Sequence[Claim]:
        """Return the claims of every origin on `records` that were checked at `since` or later, in a fixed order."""

    def save(self, publications: Iterable[tuple[Version, Publication]]) -> None:
        """Save each publication of its version over the existing one, all in one transaction."""


class HistoryStore(History, Protocol):
    """The whole history, on an open connection: what the other commands need as well."""

    @property
    def place(self) -> str:
        """Return where it is, without secrets."""

    @property
    def has_own_clock(self) -> bool:
        """Return whether versions are dated by another clock than this machine's."""

    def remarks(self) -> Sequence[tuple[str, str | None]]:
        """Return what is worth knowing about the connection, each with what to do or None."""

    def now(self) -> datetime:
        """Return the time by the clock that dates the versions, in whole seconds."""

    def entries(self, origin: Origin, limit: int, window: Window, *, below: int | None = None) -> list[HistoryEntry]:
        """Return at most `limit` of the versions of `origin` that were current within `window`, newest first.

        Versions from the number `below` on are left out.
        """

    def summary(self, origin: Origin, window: Window) -> HistorySummary:
        """Return how often the address of `origin` changed within `window`."""

    def rehearse(self, name: str, families: Sequence[Family], /) -> None:
        """Raise HistoryError when versions of `name` cannot be added to a table that is there; changes nothing."""

    def upgrade(self) -> int:
        """Create what is missing, bring old tables up to date, and return how many steps that took."""

    def outdated(self) -> Sequence[str]:
        """Return what `upgrade` would create or change; writes nothing."""

    def check_writing(self) -> None:
        """Raise HistoryError when the database refuses what a run writes; nothing is written."""

    def answers(self) -> bool:
        """Return whether the connection works and may be kept for another run."""

    def close(self) -> None:
        """Close the connection, which releases its locks."""


class Dns(Protocol):
    """Where records are published; its methods raise DnsError."""

    def zones_for(self, records: Mapping[Record, str | None]) -> Mapping[Record, str | DnsError]:
        """Return the hosted zone of each record, or the error that says why it has none; a zone may be pinned."""

    def read(self, zone_id: str, records: Sequence[Record]) -> Mapping[Record, RecordSet | None]:
        """Return the existing record set of each of `records`."""

    def upsert(self, zone_id: str, changes: Sequence[Change]) -> Iterator[Submission]:
        """Send `changes` and yield each answer as it comes; a change that was not sent is in no answer."""

    def name_servers(self, zone_id: str) -> Sequence[str]:
        """Return the authoritative name servers of a zone."""

    def zone_name(self, zone_id: str) -> str:
        """Return the name of a hosted zone."""

    def in_sync(self, change_id: str) -> bool | None:
        """Return whether the change is INSYNC; None if Route 53 does not know it."""


class Authority(Protocol):
    """Asks authoritative name servers."""

    def mismatch(self, record: Record, address: Address, servers: Sequence[str], deadline: Deadline) -> DnsError | None:
        """Return None if each of `servers` answers with this address alone, else which server answers what.

        Raises TimeoutError when `deadline` is over before all were asked and every answer so far was right.
        """


class AddressSource(Protocol):
    """Knows the public address.

    `name` is its name in messages, without secrets; `host` is the host that answers: two sources on one host do not
    confirm each other. `needs_confirmation` is whether another source should confirm what it says.
    """

    name: str
    host: str
    needs_confirmation: bool

    def fetch(self, family: Family) -> Address:
        """Return the public address; raises SourceError if there is none that can be trusted."""
