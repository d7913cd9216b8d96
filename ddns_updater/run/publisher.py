"""The publish phase: find out which records are due, and send their changes.

The write order: the journal says `pending` before a change is sent, and `submitted` with its ID once Route 53 has
accepted it. A kill in between leaves a record that is still due, and an UPSERT can be repeated safely.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import NamedTuple

from ddns_updater.errors import DnsError
from ddns_updater.model import (
    Address,
    Change,
    Claim,
    OnDrift,
    Publication,
    PublicationState,
    Record,
    RecordSet,
    Submission,
    described,
)
from ddns_updater.run.claims import claims_since, refusal
from ddns_updater.run.journal import RESOLUTION, JournalWriter
from ddns_updater.run.ports import Dns

_DEFAULT_TTL = 60  # seconds, for a record set that does not exist yet


class Policy(NamedTuple):
    """How to publish; times in seconds.

    `ttl` None keeps the existing TTL, `recheck_every` 0 never rechecks, `recheck` checks every record in this run,
    `hosted_zone_ids` are the only zones to use, and `pins` gives the zone of individual records.
    """

    ttl: int | None = None
    recheck_every: float = 3600
    recheck: bool = False
    on_drift: OnDrift = OnDrift.REPAIR
    hosted_zone_ids: tuple[str, ...] = ()
    pins: Mapping[Record, str] = MappingProxyType({})


class _Step(NamedTuple):
    """What to do about one record: what to write into the journal, what to send, and what to warn of."""

    publication: Publication | None = None
    change: Change | None = None
    warning: str | None = None


class Publisher:
    """Sends what is due to the DNS provider."""

    def __init__(
        self, policy: Policy, open_dns: Callable[[], Dns], seen_at: Callable[[], Mapping[Record, datetime]] = dict
    ) -> None:
        """Take the policy; `open_dns` is called when the DNS provider is needed, and gives the same one each time.

        `seen_at` returns when this machine last saw each record hold its address, by the database's clock.
        """
        self._policy = policy
        self._open_dns = open_dns
        self._seen_at = seen_at

    def publish(self, journal: JournalWriter, records: Sequence[Record]) -> None:
        """Send what is due of `records`: one change batch per hosted zone, more where AWS's limits require it."""
        to_recheck = [record for record in records if self._needs_recheck(journal, record)]
        to_send = [record for record in records if self._needs_upsert(journal, record)]
        if to_send:
            journal.log(f"due to be published: {', '.join(map(str, to_send))}", to_send)
        if to_recheck:
            journal.log(f"due to be checked: {', '.join(map(str, to_recheck))}", to_recheck)
        for zone_id, inside in self._by_zone(journal, to_recheck + to_send):
            ours = self._ours(journal, zone_id, inside)
            if not ours:
                continue
            try:
                existing = self._open_dns().read(zone_id, ours)
            except DnsError as error:
                journal.save_error(ours, error)
                continue
            unmoved = {record for record in to_recheck if journal.get(record).hosted_zone_id == zone_id}
            for record, found in existing.items():
                journal.log(f"{record} in hosted zone {zone_id} holds {described(found)}", [record])
            steps = [
                self._next_step(journal, record, found, zone_id, is_recheck=record in unmoved)
                for record, found in existing.items()
            ]
            journal.write(step.publication for step in steps if step.publication)
            journal.warnings += [step.warning for step in steps if step.warning]
            self._send(journal, zone_id, [step.change for step in steps if step.change])

    def _needs_upsert(self, journal: JournalWriter, record: Record) -> bool:
        publication = journal.get(record)
        if publication.state in (PublicationState.PENDING, PublicationState.FAILED):
            return True
        if publication.address != journal.address:  # the row was edited, or the id of its version was reused
            return True
        pin = self._policy.pins.get(record)
        zones = (pin,) if pin else self._policy.hosted_zone_ids
        moved = bool(zones) and publication.hosted_zone_id not in zones
        is_reported = publication.error is not None and self._policy.on_drift is OnDrift.REPORT
        return moved or (self._policy.ttl not in (None, publication.ttl) and not is_reported)

    def _needs_recheck(self, journal: JournalWriter, record: Record) -> bool:
        publication = journal.get(record)
        if publication.state is not PublicationState.VERIFIED or self._needs_upsert(journal, record):
            return False
        if self._policy.recheck:
            return True
        if publication.error:
            return True  # the last check failed: only another check clears that
        checked_at = publication.checked_at or publication.created_at
        if self._seen_at().get(record, checked_at) - checked_at >= RESOLUTION:
            return True  # the journal is that of a backup: what was published after it may be what DNS holds
        if not self._policy.recheck_every:
            return False
        age = journal.now() - checked_at
        return not timedelta(0) <= age < timedelta(seconds=self._policy.recheck_every)

    def _by_zone(self, journal: JournalWriter, records: Sequence[Record]) -> Iterator[tuple[str, list[Record]]]:
        """Yield the records of each hosted zone; note the error of those without one."""
        if not records:
            return
        try:
            zones = self._open_dns().zones_for({record: self._policy.pins.get(record) for record in records})
        except DnsError as error:
            journal.save_error(records, error)
            return
        inside: dict[str, list[Record]] = {}
        for record in records:
            zone = zones[record]
            if isinstance(zone, DnsError):
                journal.save_error([record], zone)
            else:
                inside.setdefault(zone, []).append(record)
        yield from inside.items()

    def _ours(self, journal: JournalWriter, zone_id: str, records: Sequence[Record]) -> list[Record]:
        """Return those of `records` that no other origin publishes; note the error of the others."""
        since = claims_since(journal.now(), self._policy.recheck_every)
        claims = journal.stronger_claims(records, zone_id, since)
        journal.write(_refused(journal, claim, self._policy.recheck_every) for claim in claims.values())
        return [record for record in records if record not in claims]

    def _next_step(
        self, journal: JournalWriter, record: Record, found: RecordSet | None, zone_id: str, *, is_recheck: bool
    ) -> _Step:
        """Decide what to do about a record by what was `found` at its name; `is_recheck`: it was verified before."""
        publication = journal.get(record)
        if is_recheck and found and found.holds(journal.address, publication.ttl):
            return _Step(publication._replace(checked_at=journal.now(), error=None))
        if publication.hosted_zone_id not in (None, zone_id):
            publication = publication._replace(ttl=None)  # that of the record in the zone where it was before
        ours = journal.sent(record, zone_id)
        has_several = found is not None and len(found.values) > 1
        if found and has_several and not ours:
            return _Step(publication._replace(state=PublicationState.FAILED, error=str(_foreign(record, found))))
        has_drifted = is_recheck or not _is_expected(found, {journal.address, *ours})  # a recheck that got here failed
        if has_drifted:
            publication = publication._replace(drift=described(found), drift_at=journal.now())
            if (is_recheck or ours) and self._policy.on_drift is OnDrift.REPORT:
                error = str(_drifted(journal, publication, found))
                return _Step(publication._replace(error=error, checked_at=journal.now()))
        if found and found.obstacle:
            return _Step(
                publication._replace(state=PublicationState.FAILED, error=str(_blocked(record, found.obstacle)))
            )
        change = Change(record, (str(journal.address),), self._ttl(publication, found))
        if not has_drifted:
            return _Step(change=change)
        verb = "would be" if journal.dry_run else "is being"
        done = "repaired" if ours else "replaced"
        return _Step(publication, change, f"{record} held {publication.drift}; it {verb} {done}")

    def _ttl(self, publication: Publication, found: RecordSet | None) -> int:
        asked = publication.ttl if publication.drift else None  # what a repair restores; it may take several runs
        ttls = (self._policy.ttl, asked, found.ttl if found else None, _DEFAULT_TTL)
        return next(ttl for ttl in ttls if ttl is not None)

    def _send(self, journal: JournalWriter, zone_id: str, changes: Sequence[Change]) -> None:
        """Send `changes` and write each answer as it comes.

        Those with the fewest attempts are first, because AWS's limits can leave the last ones unsent.
        """
        if not changes:
            return
        changes = sorted(changes, key=lambda change: (journal.get(change.record).attempts, change.record))
        journal.touched = True
        sent = {change.record: journal.get(change.record).sent for change in changes}
        unanswered = {record for record, each in sent.items() if each and each.unanswered_at}
        journal.write(_to_be_sent(journal, change, zone_id) for change in changes)
        verb = "would be set" if journal.dry_run else "is being set"
        for change in changes:
            values = ", ".join(change.values)
            journal.log(
                f"{change.record} in hosted zone {zone_id} {verb} to {values}, TTL {change.ttl}", [change.record]
            )
        if journal.dry_run:
            return
        for answer in self._open_dns().upsert(zone_id, changes):
            journal.write(
                _after(journal.get(each.record), answer, was_unanswered=each.record in unanswered)
                for each in answer.changes
            )


def _to_be_sent(journal: JournalWriter, change: Change, zone_id: str) -> Publication:
    publication = journal.get(change.record)
    if publication.address not in (None, journal.address):  # what the journal says is about another address
        publication = Publication(publication.record, publication.created_at)
    return publication._replace(
        state=PublicationState.PENDING,
        hosted_zone_id=zone_id,
        address=journal.address,
        ttl=change.ttl,
        change_id=None,
        error=None,
        submitted_at=None if journal.dry_run else journal.now(),
    )


def _after(publication: Publication, answer: Submission, *, was_unanswered: bool) -> Publication:
    """Return the publication after an answer; without one, then or before, it is `pending`: it may arrive yet."""
    if answer.change_id:
        state = PublicationState.SUBMITTED
    else:
        state = PublicationState.FAILED if answer.is_refused and not was_unanswered else PublicationState.PENDING
    return publication._replace(
        state=state, change_id=answer.change_id, error=answer.error, attempts=publication.attempts + 1
    )


def _refused(journal: JournalWriter, claim: Claim, recheck_every: float) -> Publication:
    """Return a new publication: what an earlier one says was sent is no longer this origin's to check."""
    return Publication(
        claim.record,
        journal.get(claim.record).created_at,
        state=PublicationState.FAILED,
        hosted_zone_id=claim.zone_id,
        error=str(refusal(claim, recheck_every)),
        checked_at=journal.now(),
    )


def _is_expected(found: RecordSet | None, addresses: Collection[Address]) -> bool:
    """Return whether a due record holds nothing, one of `addresses`, or an obstacle, which is looked at later."""
    return found is None or found.obstacle is not None or any(found.holds(each, None) for each in addresses)


def _drifted(journal: JournalWriter, publication: Publication, found: RecordSet | None) -> DnsError:
    repair = "" if found and found.obstacle else ", or set DDNS_ON_DRIFT=repair"
    wanted = f"{journal.address}" if publication.ttl is None else f"{journal.address} with TTL {publication.ttl}"
    return DnsError(f"{publication.record} should hold {wanted}, not {publication.drift}", f"correct it{repair}")


def _blocked(record: Record, obstacle: str) -> DnsError:
    return DnsError(
        f"failed to change {record}: {obstacle} exists there and is never overwritten",
        "remove it, or take the name out of DDNS_RECORDS",
    )


def _foreign(record: Record, found: RecordSet) -> DnsError:
    return DnsError(
        f"failed to change {record}: it holds {len(found.values)} values ({', '.join(found.values)}), and none was"
        " written by this program",
        "leave only one of them, or remove the name from DDNS_RECORDS",
    )
