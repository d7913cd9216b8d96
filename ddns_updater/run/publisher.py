"""The publish phase: find out which records are due, and send their changes.

The write order: the journal says `pending` before a change is sent, and `submitted` with its ID once Route 53 has
accepted it. A kill in between leaves a record that is still due, and an UPSERT can be repeated safely.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import NamedTuple

from ddns_updater.errors import DnsError, NoHostedZone
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
from ddns_updater.run.journal import RESOLUTION, Entry, JournalWriter, stronger_claims, write_error, write_publications
from ddns_updater.run.ports import Dns

_DEFAULT_TTL = 60  # seconds, for a record set that does not exist yet


class Policy(NamedTuple):
    """How to publish; times in seconds.

    `ttl` None keeps the existing TTL, `recheck_every` 0 never rechecks, `recheck` checks every record in this run,
    `hosted_zone_ids` are the only zones to use, and `pins` gives the zone of individual records. `or_else` is what the
    operator can do about a record that may not be changed, besides removing what is there.
    """

    ttl: int | None = None
    recheck_every: float = 3600
    recheck: bool = False
    on_drift: OnDrift = OnDrift.REPAIR
    hosted_zone_ids: tuple[str, ...] = ()
    pins: Mapping[Record, str] = MappingProxyType({})
    or_else: str = "remove the name from DDNS_RECORDS"


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

    def publish(self, journals: Sequence[tuple[JournalWriter, Sequence[Record]]]) -> None:
        """Send what is due of the records: one change batch per hosted zone, more where AWS's limits require it.

        The journals have one history. A record that several of them publish is that of the first; the others meet the
        claim of its origin when they are published again.
        """
        to_recheck, to_send = self._due(journals)
        rechecked = {each.record for each in to_recheck}
        for zone_id, inside in self._by_zone(to_recheck + to_send):
            ours = self._ours(zone_id, inside)
            unread = {each.record for each in ours if self._may_be_unread(each, zone_id)}
            existing = self._read(zone_id, [each for each in ours if each.record not in unread])
            steps = [
                (each, self._next_step(each, existing[each.record], zone_id, was_verified=each.record in rechecked))
                if each.record in existing
                else (each, self._unread_step(each, zone_id))
                for each in ours
                if each.record in existing or each.record in unread
            ]
            write_publications((each.journal, step.publication) for each, step in steps if step.publication)
            for each, step in steps:
                each.journal.warnings += [step.warning] if step.warning else []
            self._send(zone_id, [(each.journal, step.change) for each, step in steps if step.change])

    def _due(self, journals: Sequence[tuple[JournalWriter, Sequence[Record]]]) -> tuple[list[Entry], list[Entry]]:
        """Return what is due to be checked, and what is due to be published; each record once."""
        to_recheck: list[Entry] = []
        to_send: list[Entry] = []
        taken: set[Record] = set()
        for journal, records in journals:
            others = [record for record in records if record not in taken]
            checked = [record for record in others if self._needs_recheck(journal, record)]
            sent = [record for record in others if self._needs_upsert(journal, record)]
            if sent:
                journal.log(f"due to be published: {', '.join(map(str, sent))}", sent)
            if checked:
                journal.log(f"due to be checked: {', '.join(map(str, checked))}", checked)
            taken.update(checked, sent)
            to_recheck += [Entry(journal, record) for record in checked]
            to_send += [Entry(journal, record) for record in sent]
        return to_recheck, to_send

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

    def _by_zone(self, entries: Sequence[Entry]) -> Iterator[tuple[str, list[Entry]]]:
        """Yield the entries of each hosted zone; note the error of those without one."""
        if not entries:
            return
        try:
            zones = self._open_dns().zones_for({each.record: self._policy.pins.get(each.record) for each in entries})
        except DnsError as error:
            write_error(entries, error)
            return
        inside: dict[str, list[Entry]] = {}
        outside: list[tuple[JournalWriter, Publication]] = []
        for each in entries:
            zone = zones[each.record]
            if isinstance(zone, DnsError):
                outside.append((each.journal, _without_zone(each.publication, zone)))
            else:
                inside.setdefault(zone, []).append(each)
        if outside:
            write_publications(outside)
        yield from inside.items()

    def _ours(self, zone_id: str, entries: Sequence[Entry]) -> list[Entry]:
        """Return those of `entries` that no other origin publishes; note the error of the others."""
        since = claims_since(min(each.journal.now() for each in entries), self._policy.recheck_every)
        claims = stronger_claims(entries, zone_id, since)
        refused = [each for each in entries if each.record in claims]
        write_publications(
            (each.journal, _refused(each, claims[each.record], self._policy.recheck_every)) for each in refused
        )
        return [each for each in entries if each.record not in claims]

    def _read(self, zone_id: str, entries: Sequence[Entry]) -> Mapping[Record, RecordSet | None]:
        """Return what the zone holds; nothing when it cannot be read, which is noted."""
        if not entries:
            return {}
        try:
            existing = self._open_dns().read(zone_id, [each.record for each in entries])
        except DnsError as error:
            write_error(entries, error)
            return {}
        for each in entries:
            text = f"{each.record} in hosted zone {zone_id} holds {described(existing[each.record])}"
            each.journal.log(text, [each.record])
        return existing

    def _may_be_unread(self, entry: Entry, zone_id: str) -> bool:
        """Return whether a record may be sent without a look at what the zone holds.

        It was seen free of obstacles within a recheck interval. With OnDrift.REPORT it is always read, for what
        somebody else wrote there is not replaced then.
        """
        seen = entry.journal.seen_free.get(entry.record)
        if seen is None or seen.zone_id != zone_id or self._policy.on_drift is OnDrift.REPORT:
            return False
        if entry.publication.state is not PublicationState.PENDING:
            return False  # it was seen to hold something else, or is due for a recheck
        return timedelta(0) <= entry.journal.now() - seen.at < timedelta(seconds=self._policy.recheck_every)

    def _unread_step(self, entry: Entry, zone_id: str) -> _Step:
        journal, record = entry
        seen = journal.seen_free[record]
        journal.log(
            f"{record} in hosted zone {zone_id} was seen without an obstacle at {seen.at:%H:%M:%S} UTC", [record]
        )
        before = entry.publication
        known = before.ttl if before.hosted_zone_id in (None, zone_id) else None
        ttls = (self._policy.ttl, known, seen.ttl, _DEFAULT_TTL)
        return _Step(change=Change(record, (str(journal.address),), next(ttl for ttl in ttls if ttl is not None)))

    def _next_step(self, entry: Entry, found: RecordSet | None, zone_id: str, *, was_verified: bool) -> _Step:
        """Decide what to do about a record by what was `found` at its name; `was_verified` before, in some zone."""
        journal, record = entry
        publication = entry.publication
        is_recheck = was_verified and publication.hosted_zone_id == zone_id
        if is_recheck and found and found.holds(journal.address, publication.ttl):
            return _Step(publication._replace(checked_at=journal.now(), error=None))
        if publication.hosted_zone_id not in (None, zone_id):
            publication = publication._replace(ttl=None)  # that of the record in the zone where it was before
        ours = journal.sent(record, zone_id)
        has_several = found is not None and len(found.values) > 1
        if found and has_several and not ours:
            return _Step(publication._replace(state=PublicationState.FAILED, error=str(self._foreign(record, found))))
        has_drifted = is_recheck or not _is_expected(found, {journal.address, *ours})  # a recheck that got here failed
        if has_drifted:
            publication = publication._replace(drift=described(found), drift_at=journal.now())
            if (is_recheck or ours) and self._policy.on_drift is OnDrift.REPORT:
                error = str(_drifted(journal, publication, found))
                return _Step(publication._replace(error=error, checked_at=journal.now()))
        if found and found.obstacle:
            return _Step(
                publication._replace(state=PublicationState.FAILED, error=str(self._blocked(record, found.obstacle)))
            )
        change = Change(record, (str(journal.address),), self._ttl(publication, found))
        if not has_drifted:
            return _Step(change=change)
        verb = "would be" if journal.dry_run else "is being"
        done = "repaired" if ours else "replaced"
        return _Step(publication, change, f"{record} held {publication.drift}; it {verb} {done}")

    def _blocked(self, record: Record, obstacle: str) -> DnsError:
        return DnsError(
            f"failed to change {record}: {obstacle} exists there and is never overwritten",
            f"remove it, or {self._policy.or_else}",
        )

    def _foreign(self, record: Record, found: RecordSet) -> DnsError:
        return DnsError(
            f"failed to change {record}: it holds {len(found.values)} values ({', '.join(found.values)}), and none was"
            " written by this program",
            f"leave only one of them, or {self._policy.or_else}",
        )

    def _ttl(self, publication: Publication, found: RecordSet | None) -> int:
        asked = publication.ttl if publication.drift else None  # what a repair restores; it may take several runs
        ttls = (self._policy.ttl, asked, found.ttl if found else None, _DEFAULT_TTL)
        return next(ttl for ttl in ttls if ttl is not None)

    def _send(self, zone_id: str, changes: Sequence[tuple[JournalWriter, Change]]) -> None:
        """Send the changes and write each answer as it comes.

        Those with the fewest attempts are first, because AWS's limits can leave the last ones unsent.
        """
        changes = sorted(changes, key=lambda each: (each[0].get(each[1].record).attempts, each[1].record))
        journals = {change.record: journal for journal, change in changes}
        sent = {record: journal.get(record).sent for record, journal in journals.items()}
        unanswered = {record for record, each in sent.items() if each and each.unanswered_at}
        for journal in journals.values():
            journal.touched = True
        write_publications((journal, _to_be_sent(journal, change, zone_id)) for journal, change in changes)
        for journal, change in changes:
            verb = "would be set" if journal.dry_run else "is being set"
            text = f"{change.record} in hosted zone {zone_id} {verb} to {', '.join(change.values)}, TTL {change.ttl}"
            journal.log(text, [change.record])
        wanted = [change for journal, change in changes if not journal.dry_run]
        if not wanted:
            return
        for answer in self._open_dns().upsert(zone_id, wanted):
            write_publications(
                (journals[record], _after(journals[record].get(record), answer, was_unanswered=record in unanswered))
                for record in (each.record for each in answer.changes)
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


def _refused(entry: Entry, claim: Claim, recheck_every: float) -> Publication:
    """Return a new publication: what an earlier one says was sent is no longer this origin's to check."""
    return Publication(
        entry.record,
        entry.publication.created_at,
        state=PublicationState.FAILED,
        hosted_zone_id=claim.zone_id,
        error=str(refusal(claim, recheck_every)),
        checked_at=entry.journal.now(),
    )


def _without_zone(publication: Publication, error: DnsError) -> Publication:
    """Return the publication of a record that has no hosted zone, or may not be changed there: as refused.

    A change that was sent before may arrive yet, and a zone that could not be read says nothing of the record.
    """
    is_unsent = publication.state is PublicationState.PENDING and publication.sent is None
    state = PublicationState.FAILED if is_unsent and isinstance(error, NoHostedZone) else publication.state
    return publication._replace(state=state, error=str(error))


def _is_expected(found: RecordSet | None, addresses: Collection[Address]) -> bool:
    """Return whether a due record holds nothing, one of `addresses`, or an obstacle, which is looked at later."""
    return found is None or found.obstacle is not None or any(found.holds(each, None) for each in addresses)


def _drifted(journal: JournalWriter, publication: Publication, found: RecordSet | None) -> DnsError:
    repair = "" if found and found.obstacle else ", or set DDNS_ON_DRIFT=repair"
    wanted = f"{journal.address}" if publication.ttl is None else f"{journal.address} with TTL {publication.ttl}"
    return DnsError(f"{publication.record} should hold {wanted}, not {publication.drift}", f"correct it{repair}")
