"""The verify phase: wait until the submitted changes are in sync, and read the records back.

The journal says `verified` only after both. A kill before that leaves the record `submitted`, and the next run checks
it again.
"""

import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Any, NamedTuple

from ddns_updater.errors import DnsError
from ddns_updater.lib.deadline import Deadline
from ddns_updater.model import Publication, PublicationState, Record, RecordSet, described
from ddns_updater.run.journal import Entry, JournalWriter, read_sent, write_publications
from ddns_updater.run.ports import Authority, Dns

_POLL_FIRST, _POLL_MOST, _POLL_GROWTH = 1.0, 5.0, 1.5  # seconds between two GetChange calls


class _Sync(Enum):
    PENDING = auto()
    IN_SYNC = auto()
    UNKNOWN = auto()  # Route 53 does not know the change, or did not answer


class _Sent(NamedTuple):
    """A change that Route 53 accepted, with its records."""

    change_id: str
    entries: tuple[Entry, ...]

    def log(self, text: str) -> None:
        """Log `text` once for each journal that has records in it."""
        by_journal: dict[JournalWriter, list[Record]] = {}
        for journal, record in self.entries:
            by_journal.setdefault(journal, []).append(record)
        for journal, records in by_journal.items():
            journal.log(text, records)


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
        """Wait until the submitted changes are in sync, and read them back; the journals have one history."""
        deadline = deadline.at_most(self._timeout)
        waiting = _submitted(journals)
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
                sent.log(f"{what} for change {sent.change_id} to be in sync")
            if is_over:
                break
            self._sleep(pause)
            pause = min(pause * _POLL_GROWTH, _POLL_MOST)
        for zone_id, entries in _by_zone(synced).items():
            self._read_back(zone_id, entries, deadline)

    def _poll(self, sent: _Sent) -> _Sync:
        """Ask once whether a change is in sync, and save what the answer means for its records."""
        try:
            in_sync = self._open_dns().in_sync(sent.change_id)
        except DnsError as error:
            _write_unconfirmed(sent.entries, error)
            return _Sync.UNKNOWN
        if in_sync is None:
            _write(sent.entries, state=PublicationState.PENDING, change_id=None, error=None)
            return _Sync.UNKNOWN
        if in_sync:
            sent.log(f"change {sent.change_id} is in sync")
            return _Sync.IN_SYNC
        _write([each for each in sent.entries if each.publication.error], error=None)  # an earlier one
        return _Sync.PENDING

    def _read_back(self, zone_id: str, entries: Sequence[Entry], deadline: Deadline) -> None:
        """Read back `entries`, whose changes are in sync, and write what was found."""
        try:
            existing = self._open_dns().read(zone_id, list(dict.fromkeys(each.record for each in entries)))
            servers = self._open_dns().name_servers(zone_id) if self._authority else ()
        except DnsError as error:
            _write_unconfirmed(entries, error)
            return
        read_sent(each.journal for each in entries)
        seen: list[tuple[JournalWriter, Publication]] = []
        try:
            for each in entries:
                each.journal.touched = True
                # at least one record of each zone, so that every run makes progress
                asked = deadline if seen else deadline.at_least(1)
                seen.append((each.journal, self._seen(each, existing[each.record], servers, asked)))
        finally:
            write_publications(seen)  # also when the run is stopped

    def _seen(self, entry: Entry, found: RecordSet | None, servers: Sequence[str], deadline: Deadline) -> Publication:
        """Return the publication after reading the record back and asking its name servers."""
        journal, record = entry
        each = entry.publication
        journal.log(f"{record} in hosted zone {each.hosted_zone_id} holds {described(found)}", [record])
        if not (found and found.holds(journal.address, each.ttl)):
            cause = DnsError(f"DNS holds {described(found)}", then="the next run sends it again")
            return each._replace(state=PublicationState.FAILED, error=_unconfirmed(entry, cause))
        try:
            mismatch = self._authority and self._authority.mismatch(record, journal.address, servers, deadline)
        except TimeoutError:
            return each._replace(error=None)  # the next run asks the name servers
        if mismatch:
            return each._replace(error=_unconfirmed(entry, mismatch))
        now = journal.now()
        if self._may_be_replaced(journal, each, now):
            journal.log(f"an earlier change of {record} without an answer may still arrive", [record])
            return each._replace(error=None)  # a later run reads it again
        verified_at = each.verified_at or now
        return each._replace(state=PublicationState.VERIFIED, error=None, checked_at=now, verified_at=verified_at)

    def _may_be_replaced(self, journal: JournalWriter, each: Publication, now: datetime) -> bool:
        """Return whether another address may still arrive, sent by a run that saw no answer."""
        sent_at = journal.unanswered_at(each)
        # a time far ahead is that of a clock that has gone back since
        return sent_at is not None and abs(now - sent_at) < self._arrival


def _submitted(journals: Sequence[tuple[JournalWriter, Sequence[Record]]]) -> list[_Sent]:
    by_change: dict[str, list[Entry]] = {}
    for journal, records in journals:
        for each in (Entry(journal, record) for record in records):
            if each.publication.state is PublicationState.SUBMITTED:
                by_change.setdefault(each.publication.change_id or "", []).append(each)
    return [_Sent(change_id, tuple(entries)) for change_id, entries in by_change.items()]


def _by_zone(synced: Sequence[_Sent]) -> dict[str, list[Entry]]:
    grouped: dict[str, list[Entry]] = {}
    for sent in synced:
        for each in sent.entries:
            grouped.setdefault(each.publication.hosted_zone_id or "", []).append(each)
    return grouped


def _write(entries: Sequence[Entry], **changes: Any) -> None:
    write_publications((each.journal, each.publication._replace(**changes)) for each in entries)


def _write_unconfirmed(entries: Sequence[Entry], cause: DnsError) -> None:
    write_publications((each.journal, each.publication._replace(error=_unconfirmed(each, cause))) for each in entries)


def _unconfirmed(entry: Entry, cause: DnsError) -> str:
    problem = f"could not confirm that {entry.record} now points to {entry.journal.address}: {cause.problem}"
    return str(DnsError(problem, cause.advice, then=cause.then or "the next run checks again"))
