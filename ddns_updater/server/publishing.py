"""Publish what hosts have recorded: one round after another, each for all that is due.

A request only records a version, with a publication that is pending; this sends it. The journal in the database is the
queue, and an index finds what is due in it, so a round goes on where a killed process stopped. One server at a time
publishes: it holds the lock for a round. Route 53 takes few calls a second, and hundreds of changes in each, so a round
waits a moment for company; records are read back, a whole zone at once, when nothing waits to be sent.
"""

import logging
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from typing import NamedTuple

from ddns_updater.hosts import HostRecord, Looked
from ddns_updater.lib.deadline import Deadline, Monotonic
from ddns_updater.model import Origin, PublicationState, Record, SeenFree
from ddns_updater.run.journal import JournalWriter
from ddns_updater.run.publisher import Publisher
from ddns_updater.run.verifier import Verifier
from ddns_updater.server.pool import Pool
from ddns_updater.server.ports import HostStore

log = logging.getLogger(__name__)

_MOST = 2000  # records in a round
_BATCH = 500  # changes in a call of Route 53
_BETWEEN_CHANGES = timedelta(minutes=1)  # of one record
_READ_BACK_WITHIN = timedelta(minutes=1)  # although others still wait to be sent
_POLL_FIRST, _POLL_MOST = timedelta(seconds=5), timedelta(minutes=1)  # between two looks at a change that is pending
_RETRY_FIRST, _RETRY_MOST = timedelta(minutes=1), timedelta(hours=1)  # of a record that was refused
_GROUPS = 12  # of the recheck interval, in which records are rechecked together
_UNANSWERED = timedelta(seconds=15)  # until a change without an answer is sent again


class Round(NamedTuple):
    """What a round did: how many changes it sent, how many records it saw to hold their versions.

    `has_more` is whether more than a call of Route 53 holds is still due, `is_elsewhere` whether another server
    publishes, so that this one did nothing. `failed` is how many records have an error, and `error` the first of them.
    """

    sent: int = 0
    verified: int = 0
    has_more: bool = False
    is_elsewhere: bool = False
    failed: int = 0
    error: str | None = None


class _Look:
    """A record in a round."""

    def __init__(self, at: HostRecord, hosts: HostStore, monotonic: Monotonic, *, is_reserved: bool) -> None:
        self.at = at
        self.record = at.record
        seen_free = {at.record: at.free} if at.free and not is_reserved else {}
        origin = Origin(at.origin_id, at.host.name, at.family)
        self.journal = JournalWriter(hosts.history, origin, at.journal, monotonic, dry_run=False, seen_free=seen_free)
        self.sent = False

    @property
    def state(self) -> PublicationState:
        return self.journal.get(self.record).state

    @property
    def pair(self) -> tuple[JournalWriter, Sequence[Record]]:
        return self.journal, [self.record]

    def waits_until(self, now: datetime) -> datetime | None:
        """Return when another change may be sent, a minute after the last one; None when that may be now."""
        sent_at = self.at.sent_at
        if sent_at is None or self.state not in (PublicationState.PENDING, PublicationState.FAILED):
            return None
        until = sent_at + _BETWEEN_CHANGES
        return until if sent_at <= now < until else None  # the clock may have gone back since


class HostPublisher:
    """Publishes the hosts' versions, and verifies and rechecks their records."""

    def __init__(
        self,
        pool: Pool,
        publisher: Publisher,
        verifier: Verifier,
        *,
        recheck_every: float,
        reserved: Collection[Record] = (),
        allow_apexes: Callable[[Collection[str]], None] = lambda _names: None,
        monotonic: Monotonic = time.monotonic,
    ) -> None:
        """Take the connections, and what publishes and verifies the journals of one round.

        `recheck_every` is in seconds, 0 is never. No change of a record of `reserved` is sent without asking DNS, which
        refuses it. `allow_apexes` is told which hosts may be the apex of a zone.
        """
        self._pool = pool
        self._publisher = publisher
        self._verifier = verifier
        self._recheck_every = timedelta(seconds=recheck_every)
        self._reserved = reserved
        self._allow_apexes = allow_apexes
        self._monotonic = monotonic

    def round(self) -> Round:
        """Do what is due by now, unless another server does; raises HistoryError."""
        with self.turn() as do_round:
            return do_round() if do_round else Round(is_elsewhere=True)

    @contextmanager
    def turn(self) -> Iterator[Callable[[], Round] | None]:
        """Take the lock of the publisher and yield what does a round, None when another server holds it."""
        with self._pool.taken() as hosts, hosts.lock_publisher() as is_ours:
            yield partial(self._round, hosts) if is_ours else None

    def _round(self, hosts: HostStore) -> Round:
        due = hosts.due(_MOST)
        if not due:
            return Round()
        now = hosts.now()
        self._allow_apexes({each.host.name for each in due if each.host.is_apex})
        looks: list[_Look] = []
        others: list[Looked] = []
        for each in due:
            look = _Look(each, hosts, self._monotonic, is_reserved=each.record in self._reserved)
            if not each.journal.version.address:
                others.append(Looked(each, False, now + _RETRY_MOST))
            elif later := look.waits_until(now):
                others.append(Looked(each, False, later, each.free))
            else:
                looks.append(look)
        self._send(looks)
        sent = [each for each in looks if each.sent]
        self._verify(looks, now, has_sent=bool(sent))
        hosts.looked([*others, *(self._looked(each, now) for each in looks)])
        verified = [each for each in looks if each.state is PublicationState.VERIFIED]
        errors = [error for each in looks if (error := each.journal.get(each.record).error)]
        return Round(
            len(sent), len(verified), len(due) > _BATCH, failed=len(errors), error=errors[0] if errors else None
        )

    def _send(self, looks: Sequence[_Look]) -> None:
        self._publisher.publish([each.pair for each in looks])
        for each in looks:
            each.sent = each.journal.touched
            for warning in each.journal.warnings:
                log.warning("%s", warning)

    def _verify(self, looks: Sequence[_Look], now: datetime, *, has_sent: bool) -> None:
        """Read back what was submitted; when others were sent just now, only what has waited for long."""
        submitted = [each for each in looks if each.state is PublicationState.SUBMITTED and not each.sent]
        if has_sent:
            submitted = [
                each
                for each in submitted
                if (at := each.journal.get(each.record).submitted_at) and now - at >= _READ_BACK_WITHIN
            ]
        if submitted:
            self._verifier.verify([each.pair for each in submitted], Deadline(0, self._monotonic))

    def _looked(self, look: _Look, now: datetime) -> Looked:
        """Return what to remember of a record, and when to look at it again."""
        publication = look.journal.get(look.record)
        sent_at = now if look.sent else None
        free = look.at.free
        if publication.state is PublicationState.VERIFIED and not publication.error:
            zone_id = publication.hosted_zone_id or ""
            return Looked(look.at, True, self._next_recheck(now), SeenFree(zone_id, now, publication.ttl), sent_at)
        waited = max(now - (look.at.due_since or now), timedelta(0))
        if publication.state is PublicationState.SUBMITTED:
            waited = max(now - (publication.submitted_at or now), timedelta(0))
            return Looked(look.at, False, now + min(max(waited / 4, _POLL_FIRST), _POLL_MOST), free, sent_at)
        if publication.state is PublicationState.FAILED:
            free = None  # what stands there is looked at before anything is sent again
        if look.sent and publication.state is PublicationState.PENDING:
            return Looked(look.at, False, now + _UNANSWERED, free, None)
        return Looked(look.at, False, now + min(max(waited / 10, _RETRY_FIRST), _RETRY_MOST), free, sent_at)

    def _next_recheck(self, now: datetime) -> datetime | None:
        """Return when a verified record is rechecked: together with others, so that a zone is read once for all."""
        if not self._recheck_every:
            return None
        step = max(int(self._recheck_every.total_seconds()) // _GROUPS, 1)
        at = int((now + self._recheck_every).timestamp())
        return datetime.fromtimestamp(at + -at % step, now.tzinfo)
