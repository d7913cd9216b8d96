"""The phases publish and verify: bring DNS to the latest version and see it hold.

The write order: the journal says `pending` before a change is sent, `submitted` with its ID once it was taken,
`verified` once it is in sync and was read back. A kill in between leaves a state that is due, and an
UPSERT may be repeated.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime, timedelta
from ipaddress import ip_address
from typing import NamedTuple, Protocol

from ddns_updater.errors import DnsError
from ddns_updater.model import (
    Change,
    Journal,
    Origin,
    Publication,
    PublicationState,
    Record,
    RecordSet,
    Submission,
    Version,
)

_DEFAULT_TTL = 60  # seconds, for a record set that does not exist yet
_POLL_FIRST, _POLL_MOST, _POLL_GROWTH = 1.0, 5.0, 1.5  # seconds between two looks at a change

Monotonic = Callable[[], float]


class History(Protocol):
    """Where versions and publications are kept; its methods raise HistoryError."""

    def lock(self, key: str) -> AbstractContextManager[bool]:
        """Take a lock without waiting; False when another run holds it."""

    def origins(self, name: str | None = None) -> tuple[Origin, ...]:
        """Return the origins called `name`, or every origin."""

    def latest(self, origin: Origin) -> Journal:
        """Return the latest version of `origin` and its publications."""

    def append(self, origin: Origin, previous: Version, ip: str) -> Journal:
        """Append the version after `previous`; VersionTaken when it exists already."""

    def save(self, version: Version, publications: Iterable[Publication]) -> None:
        """Write the publications of `version` over what is there."""


class Dns(Protocol):
    """Where records are published; its methods raise DnsError."""

    def zones_for(self, names: Sequence[str]) -> Mapping[str, str | DnsError]:
        """Return the hosted zone that each name belongs to, or why it has none."""

    def read(self, zone_id: str, records: Sequence[Record]) -> Mapping[Record, RecordSet | None]:
        """Return what stands at each of `records`."""

    def upsert(self, zone_id: str, changes: Sequence[Change]) -> Iterator[Submission]:
        """Send `changes` and yield the answers as they come; those not sent are in none."""

    def in_sync(self, change_id: str) -> bool | None:
        """Return whether every name server has the change; None when the change is unknown."""


class Policy(NamedTuple):
    """How to publish; times in seconds.

    `ttl` None keeps what stands, `recheck_every` 0 is never, `hosted_zone_ids` are the only zones to use.
    """

    ttl: int | None = None
    verify_timeout: float = 45
    recheck_every: float = 3600
    hosted_zone_ids: tuple[str, ...] = ()


class Ledger:
    """The journal of one version in hand: what is written goes to the database at once (not in a dry run)."""

    def __init__(self, history: History, journal: Journal, monotonic: Monotonic, *, dry_run: bool) -> None:
        self.version = journal.version
        self.touched = False  # something was sent, or seen to hold for the first time
        self._publications = {each.record: each for each in journal.publications}
        self._history = history
        self.dry_run = dry_run
        self._read_at, self._monotonic, self._start = journal.read_at, monotonic, monotonic()

    def now(self) -> datetime:
        """Return the time by the database's clock."""
        return self._read_at + timedelta(seconds=self._monotonic() - self._start)

    def get(self, record: Record) -> Publication:
        """Return the publication of `record`; a new one when it has none."""
        return self._publications.get(record) or Publication(record, self.now())

    def write(self, publications: Iterable[Publication]) -> None:
        """Remember `publications` and save them."""
        written = list(publications)
        self._publications |= {each.record: each for each in written}
        if written and not self.dry_run:
            self._history.save(self.version, written)

    def note(self, records: Iterable[Record], error: object) -> None:
        """Write why nothing could be learned or done about `records`; their state stays what it was."""
        self.write(replace(self.get(each), error=str(error)) for each in records)


class Publisher:
    """Publishes versions through one `Dns`, which is made when it is first needed."""

    def __init__(
        self,
        policy: Policy,
        open_dns: Callable[[], Dns],
        *,
        monotonic: Monotonic = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._policy = policy
        self._open_dns = open_dns
        self._monotonic = monotonic
        self._sleep = sleep
        self._opened: Dns | None = None

    def publish(self, ledger: Ledger, records: Sequence[Record]) -> None:
        """Send what is due of `records`, one change batch per hosted zone (several where AWS's limits demand it)."""
        stale = [record for record in records if self._is_stale(ledger, record)]
        unsent = [record for record in records if self._is_unsent(ledger, record)]
        for zone_id, inside in self._by_zone(ledger, stale + unsent):
            try:
                standing = self._dns.read(zone_id, inside)
            except DnsError as error:
                ledger.note(inside, error)
                continue
            changes = self._changes(ledger, standing, set(stale))
            self._send(ledger, zone_id, changes)

    def verify(self, ledgers: Sequence[tuple[Ledger, Sequence[Record]]], until: float) -> None:
        """Wait until the submitted changes are in sync and read them back, at most until the monotonic `until`."""
        until = min(until, self._monotonic() + self._policy.verify_timeout)
        waiting: dict[tuple[Ledger, str], list[Publication]] = {}
        for ledger, records in ledgers:
            for publication in map(ledger.get, records):
                if publication.state is PublicationState.SUBMITTED:
                    waiting.setdefault((ledger, publication.change_id or ""), []).append(publication)
        synced: dict[tuple[Ledger, str], list[Publication]] = {}
        pause = _POLL_FIRST
        while waiting:
            for (ledger, change_id), publications in list(waiting.items()):
                answer = self._ask(change_id)
                if answer is False:
                    seen = [replace(each, error=None) for each in publications if each.error]  # an earlier look failed
                    ledger.write(seen)
                    waiting[ledger, change_id] = [ledger.get(each.record) for each in publications]
                    continue
                del waiting[ledger, change_id]
                if answer is True:
                    for each in publications:
                        synced.setdefault((ledger, each.hosted_zone_id or ""), []).append(each)
                elif answer is None:
                    ledger.write(replace(each, state=PublicationState.PENDING, change_id=None) for each in publications)
                else:
                    ledger.write(replace(each, error=_unconfirmed(ledger, each, answer)) for each in publications)
            if not waiting or self._monotonic() + pause > until:
                break
            self._sleep(pause)
            pause = min(pause * _POLL_GROWTH, _POLL_MOST)
        for (ledger, zone_id), publications in synced.items():
            self._read_back(ledger, zone_id, publications)

    @property
    def _dns(self) -> Dns:
        if self._opened is None:
            self._opened = self._open_dns()
        return self._opened

    def _is_unsent(self, ledger: Ledger, record: Record) -> bool:
        publication = ledger.get(record)
        if publication.state in (PublicationState.PENDING, PublicationState.FAILED):
            return True
        zones = self._policy.hosted_zone_ids
        moved = bool(zones) and publication.hosted_zone_id not in zones
        return moved or (self._policy.ttl is not None and publication.ttl != self._policy.ttl)

    def _is_stale(self, ledger: Ledger, record: Record) -> bool:
        publication = ledger.get(record)
        if publication.state is not PublicationState.VERIFIED or self._is_unsent(ledger, record):
            return False
        if publication.error or not self._policy.recheck_every:
            return publication.error is not None  # of a look that failed: only another look takes it away
        age = ledger.now() - (publication.checked_at or publication.created_at)
        return not timedelta(0) <= age < timedelta(seconds=self._policy.recheck_every)

    def _by_zone(self, ledger: Ledger, records: Sequence[Record]) -> Iterator[tuple[str, list[Record]]]:
        """Yield the records of each hosted zone; those that have none fail."""
        if not records:
            return
        try:
            zones = self._dns.zones_for([record.name for record in records])
        except DnsError as error:
            ledger.note(records, error)
            return
        inside: dict[str, list[Record]] = {}
        for record in records:
            zone = zones[record.name]
            if isinstance(zone, DnsError):
                ledger.note([record], zone)
            else:
                inside.setdefault(zone, []).append(record)
        yield from inside.items()

    def _changes(self, ledger: Ledger, standing: Mapping[Record, RecordSet | None], stale: set[Record]) -> list[Change]:
        """Return what has to be sent; what must not be overwritten fails, what still holds is noted."""
        changes: list[Change] = []
        known: list[Publication] = []
        for record, found in standing.items():
            publication = ledger.get(record)
            if found and found.obstacle:
                error = (
                    f"failed to change {record}: {found.obstacle} stands there and is never overwritten;"
                    " remove it, or take the name out of DDNS_RECORDS"
                )
                known.append(replace(publication, state=PublicationState.FAILED, error=error))
            elif record in stale and _holds(found, ledger.version.ip, self._policy.ttl):
                known.append(replace(publication, checked_at=ledger.now(), error=None))
            else:
                ttl = self._policy.ttl or (found and found.ttl) or _DEFAULT_TTL
                changes.append(Change(record, ledger.version.ip, ttl))
        ledger.write(known)
        return sorted(changes, key=lambda change: (ledger.get(change.record).attempts, change.record))

    def _send(self, ledger: Ledger, zone_id: str, changes: Sequence[Change]) -> None:
        if not changes:
            return
        ledger.touched = True
        ledger.write(
            replace(
                ledger.get(change.record), state=PublicationState.PENDING, hosted_zone_id=zone_id, ttl=change.ttl,
                change_id=None, error=None,
            )
            for change in changes
        )  # fmt: skip
        if ledger.dry_run:
            return
        for answer in self._dns.upsert(zone_id, changes):
            state = PublicationState.SUBMITTED if answer.change_id else PublicationState.FAILED
            ledger.write(
                replace(
                    ledger.get(change.record), state=state, change_id=answer.change_id, error=answer.error,
                    attempts=ledger.get(change.record).attempts + 1, submitted_at=ledger.now(),
                )
                for change in answer.changes
            )  # fmt: skip

    def _ask(self, change_id: str) -> bool | DnsError | None:
        try:
            return self._dns.in_sync(change_id)
        except DnsError as error:
            return error

    def _read_back(self, ledger: Ledger, zone_id: str, publications: Sequence[Publication]) -> None:
        try:
            standing = self._dns.read(zone_id, [each.record for each in publications])
        except DnsError as error:
            ledger.write(replace(each, error=_unconfirmed(ledger, each, error)) for each in publications)
            return
        ledger.touched = True
        now = ledger.now()
        seen = []
        for each in publications:
            found = standing[each.record]
            if _holds(found, ledger.version.ip, each.ttl):
                seen.append(
                    replace(
                        each, state=PublicationState.VERIFIED, error=None, verified_at=each.verified_at or now,
                        checked_at=now,
                    )
                )  # fmt: skip
            else:
                cause = f"DNS holds {_shown(found)}; the next run sends it again"
                seen.append(replace(each, state=PublicationState.FAILED, error=_unconfirmed(ledger, each, cause)))
        ledger.write(seen)


def _holds(found: RecordSet | None, ip: str, ttl: int | None) -> bool:
    """Return whether `found` is just this address, with this TTL where one is asked for."""
    if found is None or found.obstacle or len(found.values) != 1:
        return False
    try:
        same = ip_address(found.values[0]) == ip_address(ip)
    except ValueError:
        return False
    return same and ttl in (None, found.ttl)


def _shown(found: RecordSet | None) -> str:
    if found is None:
        return "nothing there"
    return found.obstacle or f"{', '.join(found.values)} with TTL {found.ttl}"


def _unconfirmed(ledger: Ledger, publication: Publication, cause: object) -> str:
    advice = "" if str(cause).endswith("again") else "; the next run checks again"
    return f"could not confirm that {publication.record} now points to {ledger.version.ip}: {cause}{advice}"
