"""The verify phase: wait until the submitted changes are in sync, and read the records back.

The journal says `verified` only after both. A kill before that leaves the record `submitted`, and the next run checks
it again.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import NamedTuple

from ddns_updater.errors import DnsError
from ddns_updater.lib.deadline import Deadline
from ddns_updater.model import Publication, PublicationState, Record, RecordSet, described
from ddns_updater.run.journal import JournalWriter
from ddns_updater.run.ports import Authority, Dns

_POLL_FIRST, _POLL_MOST, _POLL_GROWTH = 1.0, 5.0, 1.5  # seconds between two GetChange calls


class _Sync(Enum):
    PENDING = auto()
    IN_SYNC = auto()
    UNKNOWN = auto()  # Route 53 does not know the change, or did not answer


class _Sent(NamedTuple):
    """A change that Route 53 accepted, with its records in one journal."""

    journal: JournalWriter
    change_id: str
    records: tuple[Record, ...]

    @property
    def publications(self) -> list[Publication]:
        return [self.journal.get(record) for record in self.records]


class Verifier:
    """Follows changes until DNS holds them."""

    def __init__(
        self,
        open_dns: Callable[[], Dns],
        *,
        timeout: float = 45,
        arrival: timedelta = timedelta(0),
        authority: Authority | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Take `open_dns` as Publisher does; `timeout` is the longest wait in seconds.

        A change that was sent without an answer may arrive until `arrival` later.
        """
        self._open_dns = open_dns
        self._timeout = timeout
        self._arrival = arrival
        self._authority = authority
        self._sleep = sleep

    def verify(self, journals: Sequence[tuple[JournalWriter, Sequence[Record]]], deadline: Deadline) -> None:
        """Wait until the submitted changes are in sync, and read them back."""
        deadline = deadline.at_most(self._timeout)
        waiting = [sent for journal, records in journals for sent in _submitted(journal, records)]
        synced: list[_Sent] = []
        pause = _POLL_FIRST
        while waiting:
            answers = [(sent, self._poll(sent)) for sent in waiting]
            synced += [sent for sent, answer in answers if answer is _Sync.IN_SYNC]
            waiting = [sent for sent, answer in answers if answer is _Sync.PENDING]
            if not waiting:
                break
            is_over = deadline.left() < pause
            for sent in waiting:
                what = "there is no time left to wait" if is_over else f"waiting {pause:g} s"
                sent.journal.log(f"{what} for change {sent.change_id} to be in sync", sent.records)
            if is_over:
                break
            self._sleep(pause)
            pause = min(pause * _POLL_GROWTH, _POLL_MOST)
        for journal, zone_id, publications in _by_journal_and_zone(synced):
            self._read_back(journal, zone_id, publications, deadline)

    def _poll(self, sent: _Sent) -> _Sync:
        """Ask once whether a change is in sync, and save what the answer means for its records."""
        journal, publications = sent.journal, sent.publications
        try:
            in_sync = self._open_dns().in_sync(sent.change_id)
        except DnsError as error:
            journal.write(each._replace(error=_unconfirmed(journal, each, error)) for each in publications)
            return _Sync.UNKNOWN
        if in_sync is None:
            journal.write(
                each._replace(state=PublicationState.PENDING, change_id=None, error=None) for each in publications
            )
            return _Sync.UNKNOWN
        if in_sync:
            journal.log(f"change {sent.change_id} is in sync", sent.records)
            return _Sync.IN_SYNC
        journal.write(each._replace(error=None) for each in publications if each.error)  # an earlier one
        return _Sync.PENDING

    def _read_back(
        self, journal: JournalWriter, zone_id: str, publications: Sequence[Publication], deadline: Deadline
    ) -> None:
        """Read back `publications`, whose changes are in sync, and write what was found."""
        try:
            existing = self._open_dns().read(zone_id, [each.record for each in publications])
            servers = self._open_dns().name_servers(zone_id) if self._authority else ()
        except DnsError as error:
            journal.write(each._replace(error=_unconfirmed(journal, each, error)) for each in publications)
            return
        journal.touched = True
        seen: list[Publication] = []
        try:
            for each in publications:
                # at least one record of each zone, so that every run makes progress
                asked = deadline if seen else deadline.at_least(1)
                seen.append(self._seen(journal, each, existing[each.record], servers, asked))
        finally:
            journal.write(seen)  # also when the run is stopped

    def _seen(
        self,
        journal: JournalWriter,
        each: Publication,
        found: RecordSet | None,
        servers: Sequence[str],
        deadline: Deadline,
    ) -> Publication:
        """Return `each` after reading it back and asking its name servers."""
        journal.log(f"{each.record} in hosted zone {each.hosted_zone_id} holds {described(found)}", [each.record])
        if not (found and found.holds(journal.address, each.ttl)):
            cause = DnsError(f"DNS holds {described(found)}", then="the next run sends it again")
            return each._replace(state=PublicationState.FAILED, error=_unconfirmed(journal, each, cause))
        try:
            mismatch = self._authority and self._authority.mismatch(each.record, journal.address, servers, deadline)
        except TimeoutError:
            return each._replace(error=None)  # the next run asks the name servers
        if mismatch:
            return each._replace(error=_unconfirmed(journal, each, mismatch))
        now = journal.now()
        if self._may_be_replaced(journal, each, now):
            journal.log(f"an earlier change of {each.record} without an answer may still arrive", [each.record])
            return each._replace(error=None)  # a later run reads it again
        verified_at = each.verified_at or now
        return each._replace(state=PublicationState.VERIFIED, error=None, checked_at=now, verified_at=verified_at)

    def _may_be_replaced(self, journal: JournalWriter, each: Publication, now: datetime) -> bool:
        """Return whether another address may still arrive, sent by a run that saw no answer."""
        sent_at = journal.unanswered_at(each)
        # a time far ahead is that of a clock that has gone back since
        return sent_at is not None and abs(now - sent_at) < self._arrival


def _submitted(journal: JournalWriter, records: Sequence[Record]) -> list[_Sent]:
    by_change: dict[str, list[Record]] = {}
    for each in map(journal.get, records):
        if each.state is PublicationState.SUBMITTED:
            by_change.setdefault(each.change_id or "", []).append(each.record)
    return [_Sent(journal, change_id, tuple(inside)) for change_id, inside in by_change.items()]


def _by_journal_and_zone(synced: Sequence[_Sent]) -> Iterator[tuple[JournalWriter, str, list[Publication]]]:
    grouped: dict[tuple[JournalWriter, str], list[Publication]] = {}
    for sent in synced:
        for each in sent.publications:
            grouped.setdefault((sent.journal, each.hosted_zone_id or ""), []).append(each)
    for (journal, zone_id), publications in grouped.items():
        yield journal, zone_id, publications


def _unconfirmed(journal: JournalWriter, publication: Publication, cause: DnsError) -> str:
    problem = f"could not confirm that {publication.record} now points to {journal.address}: {cause.problem}"
    return str(DnsError(problem, cause.advice, then=cause.then or "the next run checks again"))
