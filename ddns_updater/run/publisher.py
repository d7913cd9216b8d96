"""The publish phase: find out which records are due, and send their changes.

The write order: the journal says `pending` before a change is sent, and `submitted` with its ID once Route 53 has
accepted it. A kill in between leaves a record that is still due, and an UPSERT can be repeated safely.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from ddns_updater.errors import DnsError
from ddns_updater.model import (
    Change,
    Claim,
    Publication,
    PublicationState,
    Record,
    RecordSet,
    Submission,
    described,
)
from ddns_updater.run.claims import claims_since, refusal
from ddns_updater.run.journal import (
    RESOLUTION,
    Entry,
    JournalWriter,
    read_sent,
    stronger_claims,
    write_error,
    write_publications,
)
from ddns_updater.run.ports import Dns
from ddns_updater.run.steps import Policy, Step, may_be_unread, needs_upsert, next_step, unread_step


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
            unread = {each.record for each in ours if may_be_unread(self._policy, each, zone_id)}
            existing = self._read(zone_id, [each for each in ours if each.record not in unread])
            read_sent(each.journal for each in ours if each.record in existing and each.record not in rechecked)
            steps: list[tuple[Entry, Step]] = []
            for each in ours:
                if each.record in unread:
                    steps.append((each, unread_step(self._policy, each, zone_id)))
                elif each.record in existing:
                    found, was_verified = existing[each.record], each.record in rechecked
                    steps.append((each, next_step(self._policy, each, found, zone_id, was_verified=was_verified)))
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
            sent = [record for record in others if needs_upsert(self._policy, journal, record)]
            if sent:
                journal.log(f"due to be published: {', '.join(map(str, sent))}", sent)
            if checked:
                journal.log(f"due to be checked: {', '.join(map(str, checked))}", checked)
            taken.update(checked, sent)
            to_recheck += [Entry(journal, record) for record in checked]
            to_send += [Entry(journal, record) for record in sent]
        return to_recheck, to_send

    def _needs_recheck(self, journal: JournalWriter, record: Record) -> bool:
        publication = journal.get(record)
        if publication.state is not PublicationState.VERIFIED or needs_upsert(self._policy, journal, record):
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
        """Yield the entries of each hosted zone; note the error of those without one.

        A record that may be sent unread is in the zone where it was seen: to look for delegations above each of
        hundreds could cost a call each.
        """
        inside: dict[str, list[Entry]] = {}
        others: list[Entry] = []
        for each in entries:
            seen = each.journal.seen_free.get(each.record)
            if (
                seen
                and may_be_unread(self._policy, each, seen.zone_id)
                and self._policy.may_use(each.record, seen.zone_id)
            ):
                inside.setdefault(seen.zone_id, []).append(each)
            else:
                others.append(each)
        for each, zone in self._looked_up(others):
            inside.setdefault(zone, []).append(each)
        yield from inside.items()

    def _looked_up(self, entries: Sequence[Entry]) -> Sequence[tuple[Entry, str]]:
        """Return the entries that have a hosted zone, each with it; note the error of the others."""
        if not entries:
            return ()
        try:
            zones = self._open_dns().zones_for({each.record: self._policy.pins.get(each.record) for each in entries})
        except DnsError as error:
            write_error(entries, error)
            return ()
        found: list[tuple[Entry, str]] = []
        outside: list[tuple[JournalWriter, Publication]] = []
        for each in entries:
            zone = zones[each.record]
            if isinstance(zone, DnsError):
                outside.append((each.journal, each.publication._replace(error=str(zone))))
            else:
                found.append((each, zone))
        if outside:
            write_publications(outside)
        return found

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
