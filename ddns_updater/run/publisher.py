"""The phases publish and verify: bring DNS to the latest version and see it hold.

The write order: the journal says `pending` before a change is sent, `submitted` with its ID once Route 53 accepted it,
`verified` once it is in sync and was read back. A kill in between leaves a record that is still due, and an UPSERT can
be repeated safely.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from types import MappingProxyType
from typing import NamedTuple

from ddns_updater.errors import DnsError
from ddns_updater.lib.deadline import Monotonic
from ddns_updater.model import Change, OnDrift, Publication, PublicationState, Record, RecordSet, same_address
from ddns_updater.run.journal import JournalWriter
from ddns_updater.run.ports import Authority, Dns

_DEFAULT_TTL = 60  # seconds, for a record set that does not exist yet
_POLL_FIRST, _POLL_MOST, _POLL_GROWTH = 1.0, 5.0, 1.5  # seconds between two GetChange calls


class Policy(NamedTuple):
    """How to publish; times in seconds.

    `ttl` None keeps the existing TTL, `recheck_every` 0 never rechecks, `hosted_zone_ids` are the only zones to use,
    and `pins` gives the zone of single records.
    """

    ttl: int | None = None
    verify_timeout: float = 45
    recheck_every: float = 3600
    on_drift: OnDrift = OnDrift.REPAIR
    hosted_zone_ids: tuple[str, ...] = ()
    pins: Mapping[Record, str] = MappingProxyType({})


class Publisher:
    """Publishes versions through one `Dns`, which is opened when it is first needed."""

    def __init__(
        self,
        policy: Policy,
        open_dns: Callable[[], Dns],
        *,
        authority: Authority | None = None,
        monotonic: Monotonic = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._policy = policy
        self._open_dns = open_dns
        self._authority = authority
        self._monotonic = monotonic
        self._sleep = sleep
        self._opened: Dns | None = None

    def publish(self, journal: JournalWriter, records: Sequence[Record]) -> None:
        """Send what is due of `records`: one change batch per hosted zone, more where AWS's limits require it."""
        stale = [record for record in records if self._is_stale(journal, record)]
        unsent = [record for record in records if self._is_unsent(journal, record)]
        for zone_id, inside in self._by_zone(journal, stale + unsent):
            try:
                existing = self._dns.read(zone_id, inside)
            except DnsError as error:
                journal.note(inside, error)
                continue
            here = {
                record for record in stale if journal.get(record).hosted_zone_id == zone_id
            }  # not moved to another zone
            changes = self._changes(journal, existing, here)
            self._send(journal, zone_id, changes)

    def verify(self, journals: Sequence[tuple[JournalWriter, Sequence[Record]]], until: float) -> None:
        """Wait until the submitted changes are in sync and read them back, at most until `until` (monotonic)."""
        until = min(until, self._monotonic() + self._policy.verify_timeout)
        waiting: dict[tuple[JournalWriter, str], list[Publication]] = {}
        for journal, records in journals:
            for publication in map(journal.get, records):
                if publication.state is PublicationState.SUBMITTED:
                    waiting.setdefault((journal, publication.change_id or ""), []).append(publication)
        synced: dict[tuple[JournalWriter, str], list[Publication]] = {}
        pause = _POLL_FIRST
        while waiting:
            for (journal, change_id), publications in list(waiting.items()):
                answer = self._ask(change_id)
                if answer is False:
                    seen = [replace(each, error=None) for each in publications if each.error]  # an earlier check failed
                    journal.write(seen)
                    waiting[journal, change_id] = [journal.get(each.record) for each in publications]
                    continue
                del waiting[journal, change_id]
                if answer is True:
                    for each in publications:
                        synced.setdefault((journal, each.hosted_zone_id or ""), []).append(each)
                elif answer is None:
                    journal.write(
                        replace(each, state=PublicationState.PENDING, change_id=None) for each in publications
                    )
                else:
                    journal.write(replace(each, error=_unconfirmed(journal, each, answer)) for each in publications)
            if not waiting or self._monotonic() + pause > until:
                break
            self._sleep(pause)
            pause = min(pause * _POLL_GROWTH, _POLL_MOST)
        for (journal, zone_id), publications in synced.items():
            self._read_back(journal, zone_id, publications, until)

    @property
    def _dns(self) -> Dns:
        if self._opened is None:
            self._opened = self._open_dns()
        return self._opened

    def _is_unsent(self, journal: JournalWriter, record: Record) -> bool:
        publication = journal.get(record)
        if publication.state in (PublicationState.PENDING, PublicationState.FAILED):
            return True
        if not same_address(publication.address, journal.version.ip):  # the row was edited, or its id was reused
            return True
        pin = self._policy.pins.get(record)
        zones = (pin,) if pin else self._policy.hosted_zone_ids
        moved = bool(zones) and publication.hosted_zone_id not in zones
        return moved or (self._policy.ttl is not None and publication.ttl != self._policy.ttl)

    def _is_stale(self, journal: JournalWriter, record: Record) -> bool:
        publication = journal.get(record)
        if publication.state is not PublicationState.VERIFIED or self._is_unsent(journal, record):
            return False
        if publication.error or not self._policy.recheck_every:
            return publication.error is not None  # the last check failed: only another check clears that
        age = journal.now() - (publication.checked_at or publication.created_at)
        return not timedelta(0) <= age < timedelta(seconds=self._policy.recheck_every)

    def _by_zone(self, journal: JournalWriter, records: Sequence[Record]) -> Iterator[tuple[str, list[Record]]]:
        """Yield the records of each hosted zone; note the error of those without one."""
        if not records:
            return
        try:
            zones = self._dns.zones_for({record: self._policy.pins.get(record) for record in records})
        except DnsError as error:
            journal.note(records, error)
            return
        inside: dict[str, list[Record]] = {}
        for record in records:
            zone = zones[record]
            if isinstance(zone, DnsError):
                journal.note([record], zone)
            else:
                inside.setdefault(zone, []).append(record)
        yield from inside.items()

    def _changes(
        self, journal: JournalWriter, existing: Mapping[Record, RecordSet | None], stale: set[Record]
    ) -> list[Change]:
        """Return the changes to send; write down which records still hold, and which must not be overwritten."""
        changes: list[Change] = []
        known: list[Publication] = []
        for record, found in existing.items():
            publication = journal.get(record)
            if record in stale:
                if _holds(found, journal.version.ip, publication.ttl):
                    known.append(replace(publication, checked_at=journal.now(), error=None))
                    continue
                publication = replace(publication, drift=_shown(found), drift_at=journal.now())
                if self._policy.on_drift is OnDrift.REPORT:
                    known.append(replace(publication, error=_drifted(journal, publication, found)))
                    continue
            if found and found.obstacle:
                error = (
                    f"failed to change {record}: {found.obstacle} exists there and is never overwritten;"
                    " remove it, or take the name out of DDNS_RECORDS"
                )
                known.append(replace(publication, state=PublicationState.FAILED, error=error))
                continue
            if record in stale:
                known.append(publication)
                verb = "would be" if journal.dry_run else "is being"
                journal.warnings.append(f"{record} held {publication.drift}; it {verb} repaired")
            asked = publication.ttl if publication.drift else None  # a repair may take several runs
            ttls = (self._policy.ttl, asked, found.ttl if found else None, _DEFAULT_TTL)
            changes.append(Change(record, journal.version.ip, next(ttl for ttl in ttls if ttl is not None)))
        journal.write(known)
        return sorted(changes, key=lambda change: (journal.get(change.record).attempts, change.record))

    def _send(self, journal: JournalWriter, zone_id: str, changes: Sequence[Change]) -> None:
        if not changes:
            return
        journal.touched = True
        journal.write(self._to_be_sent(journal.get(change.record), change, zone_id) for change in changes)
        if journal.dry_run:
            return
        for answer in self._dns.upsert(zone_id, changes):
            state = PublicationState.SUBMITTED if answer.change_id else PublicationState.FAILED
            journal.write(
                replace(
                    journal.get(change.record), state=state, change_id=answer.change_id, error=answer.error,
                    attempts=journal.get(change.record).attempts + 1, submitted_at=journal.now(),
                )
                for change in answer.changes
            )  # fmt: skip

    def _to_be_sent(self, publication: Publication, change: Change, zone_id: str) -> Publication:
        if publication.address and not same_address(publication.address, change.address):
            publication = Publication(
                publication.record, publication.created_at
            )  # what the journal says is about another address
        return replace(
            publication,
            state=PublicationState.PENDING,
            hosted_zone_id=zone_id,
            address=change.address,
            ttl=change.ttl,
            change_id=None,
            error=None,
        )

    def _ask(self, change_id: str) -> bool | DnsError | None:
        try:
            return self._dns.in_sync(change_id)
        except DnsError as error:
            return error

    def _read_back(
        self, journal: JournalWriter, zone_id: str, publications: Sequence[Publication], until: float
    ) -> None:
        """Read back `publications`, whose changes are in sync, and write what was found."""
        try:
            existing = self._dns.read(zone_id, [each.record for each in publications])
            servers = self._dns.name_servers(zone_id) if self._authority else ()
        except DnsError as error:
            journal.write(replace(each, error=_unconfirmed(journal, each, error)) for each in publications)
            return
        journal.touched = True
        seen: list[Publication] = []
        try:
            for each in publications:
                left = until - self._monotonic()
                if not seen:
                    left = max(left, 1)  # at least one a run, so that every run makes progress
                seen.append(self._seen(journal, each, existing[each.record], servers, left))
        finally:
            journal.write(seen)  # also when the run is stopped

    def _seen(
        self, journal: JournalWriter, each: Publication, found: RecordSet | None, servers: Sequence[str], seconds: float
    ) -> Publication:
        """Return `each` after reading it back and asking its name servers, for at most `seconds`."""
        if not _holds(found, journal.version.ip, each.ttl):
            cause = f"DNS holds {_shown(found)}; the next run sends it again"
            return replace(each, state=PublicationState.FAILED, error=_unconfirmed(journal, each, cause))
        try:
            complaint = self._authority and self._authority.answers(each.record, journal.version.ip, servers, seconds)
        except TimeoutError:
            return replace(each, error=None)  # the next run asks the name servers
        if complaint:
            return replace(each, error=_unconfirmed(journal, each, complaint))
        now = journal.now()
        verified_at = each.verified_at or now
        return replace(each, state=PublicationState.VERIFIED, error=None, checked_at=now, verified_at=verified_at)


def _holds(found: RecordSet | None, ip: str, ttl: int | None) -> bool:
    """Return whether `found` is this address alone, with `ttl` unless that is None."""
    if found is None or found.obstacle or len(found.values) != 1:
        return False
    return same_address(found.values[0], ip) and ttl in (None, found.ttl)


def _drifted(journal: JournalWriter, publication: Publication, found: RecordSet | None) -> str:
    repair = "" if found and found.obstacle else ", or set DDNS_ON_DRIFT=repair"
    return (
        f"{publication.record} should hold {journal.version.ip} with TTL {publication.ttl}, not {publication.drift};"
        f" correct it{repair}"
    )


def _shown(found: RecordSet | None) -> str:
    if found is None:
        return "no record set"
    return found.obstacle or f"{', '.join(found.values)} with TTL {found.ttl}"


def _unconfirmed(journal: JournalWriter, publication: Publication, cause: object) -> str:
    advice = "" if str(cause).endswith("again") else "; the next run checks again"
    return f"could not confirm that {publication.record} now points to {journal.version.ip}: {cause}{advice}"
