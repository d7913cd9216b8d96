"""History in a table of DynamoDB. There are no transactions: each write stands alone, in an order that a kill may cut.

An origin is an item of its own, put before its first version: one without a version is none yet. A lock is a lease, so
that a run that was killed keeps the next ones out until it ends.
"""

import math
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from itertools import islice
from typing import cast
from uuid import uuid4

from ddns_updater.errors import NEXT_RUN, HistoryError, NotInitialised, VersionTaken
from ddns_updater.history import dynamodb_table
from ddns_updater.history.dynamodb_claims import claims_of
from ddns_updater.history.dynamodb_rights import check_rights
from ddns_updater.history.dynamodb_summary import is_within, summary_of
from ddns_updater.history.dynamodb_versions import VersionKey, Versions, now, origin_key
from ddns_updater.lib.at_once import at_once
from ddns_updater.lib.dynamodb import Changed, Lease, Table
from ddns_updater.model import (
    Address,
    Claim,
    Family,
    HistoryEntry,
    HistorySummary,
    Journal,
    Origin,
    Publication,
    Record,
    Sent,
    StoredOrigin,
    Version,
    Window,
)

ORIGINS, HOSTS = "origin", "host"  # partitions: the origins of lines, and the names of hosts
_LOOK_BACK = 200  # versions in which a value that DNS holds is looked for
_BUILDING = 120.0  # seconds for which `init` holds its lease
_LONGEST_KEY = 1000  # bytes of the key of an origin; a sort key has at most 1024, and that of a lease a prefix


class DynamoDbHistory:
    """The whole history in one table; every method raises HistoryError, NotInitialised without the table."""

    has_own_clock = False

    def __init__(
        self, table: Table, place: str, lease_seconds: float, wall_clock: Callable[[], float] = time.time
    ) -> None:
        """Take the table, where it is in words, and for how long the lock of an origin holds."""
        self.table = table
        self.place = place
        self._lease_seconds = lease_seconds
        self._lease_ends: dict[str, float] = {}  # of the origins that are locked
        self._wall_clock = wall_clock  # which goes on while the machine is suspended
        self.versions = Versions(table)
        self._lease: Lease | None = None

    # What a run needs

    def origins(self, name: str | None = None) -> tuple[StoredOrigin, ...]:
        """Return the origins with this name, or all but those of hosts."""
        items = self.table.query(ORIGINS, prefix="" if name is None else f"{name}#")
        found = [(item["name"], Family(item["family"]), False) for item in items if name in (None, item["name"])]
        if name is not None and not found:
            found = [(name, family, True) for family in Family]
        return tuple(
            StoredOrigin(key, called, family, is_host=is_host)
            for called, family, is_host in found
            if self.versions.has_any(key := origin_key(called, family))
        )

    def has_host(self, name: str) -> bool:
        """Return whether there is, or was, a host of the update endpoint called `name`."""
        return self.table.get(HOSTS, name) is not None or any(each.is_host for each in self.origins(name))

    def newest(self, origin: Origin) -> Version:
        """Return the version with the highest number."""
        return self.latest(origin).version

    def joining(self, kept: Origin, moved: Origin) -> str:
        """Raise AssertionError: a name has one origin in a family here."""
        raise AssertionError(f"{kept.name} and {moved.name} are two origins of one name and family")

    def reconnect(self) -> None:
        """Do nothing: there is no session that could be lost."""

    @contextmanager
    def lock(self, origin: Origin) -> Iterator[bool]:
        """Take the lease of `origin` without waiting; yield False when another run holds it."""
        key = _key(origin)
        self._lease_ends[key] = self._wall_clock() + self._lease_seconds
        try:
            with self.table.lease(f"{ORIGINS}#{key}", self._lease_seconds) as lease:
                yield lease is not None
        finally:
            del self._lease_ends[key]

    def _check_lease(self, key: str) -> None:
        """Raise HistoryError when the lease of an origin has ended: what was read and detected under it may be old."""
        if self._wall_clock() >= self._lease_ends.get(key, math.inf):
            name, _, family = key.rpartition("#")
            raise HistoryError(f"this run of {name}, {family}, was suspended for longer than its lease", then=NEXT_RUN)

    @contextmanager
    def holding(self, name: str, seconds: float) -> Iterator[bool]:
        """Take a lease that `keep` and every save renew, without waiting; yield False when another one holds it."""
        with self.table.lease(name, seconds) as self._lease:
            try:
                yield self._lease is not None
            finally:
                self._lease = None

    def keep(self) -> None:
        """Renew the lease that is held, if any, before it ends; raises HistoryError when another one has it by now."""
        if self._lease:
            self._lease.keep()

    def latest(self, origin: Origin) -> Journal:
        """Return the version with the highest number, and its publications."""
        journal = self.versions.latest(_key(origin))
        if journal is None:
            raise HistoryError(f"origin {origin.name} has no versions left: its items were deleted")
        return journal

    def append(self, origin: Origin, previous: Version, address: Address) -> Journal:
        """Append the version after `previous`; raises VersionTaken when another run has appended it.

        `previous` is closed first: a run whose lease ended while it was suspended can save nothing for it any more, and
        so sends no change that would undo this one's.
        """
        self._check_lease(_key(origin))
        number = previous.version + 1
        try:
            self.versions.close(_key(origin), previous.version)
            self.versions.append(_key(origin), number, address)
        except (Changed, VersionTaken) as error:
            if self.latest(origin).version.version < number:
                raise
            raise VersionTaken(f"version {number} of {origin.name} was appended by another run") from error
        return self.latest(origin)

    def sent_before(self, versions: Mapping[Origin, Version]) -> dict[Origin, set[Sent]]:
        """Return what DNS may have been sent for the versions just before one of each origin."""
        return dict(zip(versions, at_once(self._sent_before, versions.items()), strict=True))

    def _sent_before(self, version_of: tuple[Origin, Version]) -> set[Sent]:
        origin, version = version_of
        if version.version == 1:
            return set()
        journals = self.versions.readable(_key(origin), below=version.version, limit=_LOOK_BACK)
        return {each.sent for journal in journals for each in journal.publications if each.sent}

    def claims(self, records: Collection[Record], since: datetime) -> Sequence[Claim]:
        """Return the claims of every origin on `records` that were checked at `since` or later, by the origin."""
        if not records:
            return ()
        keys = {item["sk"] for item in self.table.query(ORIGINS)}
        keys |= {origin_key(each.name, Family.of_record(each.type)) for each in records}  # a host has its name
        found = at_once(lambda key: list(claims_of(self.versions, key, records, since)), sorted(keys))
        return [claim for claims in found for claim in claims]

    def save(self, publications: Iterable[tuple[Version, Publication]]) -> None:
        """Save each publication of its version over the existing one, one version after another.

        Raises HistoryError when another one has saved some since the version was read.
        """
        saved = list(publications)
        for version, _ in saved:
            self._check_lease(cast(VersionKey, version.id).origin)
        self.keep()
        self.versions.save(saved)

    # What the commands need that look back

    def entries(self, origin: Origin, limit: int, window: Window, *, below: int | None = None) -> list[HistoryEntry]:
        """Return at most `limit` of the versions of `origin` that were current within `window`, newest first.

        Versions from the number `below` on are left out.
        """
        found = (
            entry
            for entry in self._entries(origin, None if below is None else below + 1)
            if is_within(entry, window) and (below is None or entry.version.version < below)
        )
        return list(islice(found, limit))

    def summary(self, origin: Origin, window: Window) -> HistorySummary:
        """Return how often the address of `origin` changed within `window`; this reads all of its versions."""
        self.latest(origin)
        return summary_of(self._entries(origin, None), window, now())

    def _entries(self, origin: Origin, below: int | None) -> Iterator[HistoryEntry]:
        until = None
        for version, publications, read_at in self.versions.journals(_key(origin), below=below):
            yield HistoryEntry(version, origin.family, until, read_at, publications)
            until = version.created_at

    # What `init` needs

    @contextmanager
    def lock_init(self) -> Iterator[bool]:
        """Take the lease of `init` without waiting; yield False when it is taken. A table that is missing has none."""
        try:
            self.table.get(ORIGINS, " ")
        except NotInitialised:
            yield True
            return
        with self.table.lease("init", _BUILDING) as lease:
            yield lease is not None

    def rehearse(self, _name: str, _families: Sequence[Family]) -> None:
        """Do nothing: no other program writes this table, and it takes every version."""

    def upgrade(self) -> int:
        """Create the table, or what it lacks, and return how many steps that took."""
        return dynamodb_table.upgrade(self.table)

    def seed(self, name: str, family: Family, address: Address, note: str | None) -> Origin:
        """Create an origin with `address` as its version 1. After a kill in between, it is done again."""
        origin = Origin(origin_key(name, family), name, family)
        if len(_key(origin).encode()) > _LONGEST_KEY:
            raise HistoryError(f"the name {name} is too long for DynamoDB", "choose one that is shorter in UTF-8")
        with suppress(Changed):  # a seed before this one was killed, or is at it
            self.table.put(ORIGINS, _key(origin), {"name": name, "family": family.value}, token=uuid4().hex)
        self.versions.append(_key(origin), 1, address, note=note)
        return origin

    # What `doctor` needs

    def now(self) -> datetime:
        """Return the time by this machine's clock, which dates the versions, once the table has answered."""
        with suppress(NotInitialised):  # init makes the table
            self.table.get(ORIGINS, " ")
        return now()

    def remarks(self) -> Sequence[tuple[str, str | None]]:
        """Return what is worth knowing about the connection: who holds a lease now."""
        try:
            held = list(self.table.leases())
        except HistoryError:  # whatever needs the table as well tells it
            return ()
        return [
            (f"the lease {name} is held, for {seconds:.0f} s at most if its holder was killed", None)
            for name, seconds in held
        ]

    def outdated(self) -> Sequence[str]:
        """Return what the table lacks; writes nothing."""
        return dynamodb_table.lacks(self.table)

    def check_writing(self) -> None:
        """Raise HistoryError when AWS refuses anything that a run or a server does; nothing is written."""
        check_rights(self.table)

    def examine(self, _name: str | None, _families: Sequence[Family]) -> Sequence[tuple[str, str | None]]:
        """Return what is worth knowing about the table of versions: nothing, no other program writes it."""
        return ()

    def answers(self) -> bool:
        """Return that it may be kept for another run: each call stands alone."""
        return True

    def close(self) -> None:
        """Do nothing: the client is kept for the process."""


def _key(origin: Origin) -> str:
    return str(origin.id)
