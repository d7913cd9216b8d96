"""The hosts that update themselves, as the publisher needs them: the port Publications of the update endpoint."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from functools import partial
from typing import Any

from ddns_updater.history import host_queries
from ddns_updater.history.host_table import HostTable, host_of
from ddns_updater.history.rows import text_of, time_of, time_or_none, utc_text
from ddns_updater.hosts import Failing, HostRecord, Looked
from ddns_updater.model import Family, Record, SeenFree


class SqlPublications(HostTable):
    """The port Publications; every method raises HistoryError when the database fails."""

    def lock_publisher(self) -> AbstractContextManager[bool]:
        """Take the lock of the publisher without waiting; False when another server holds it."""
        return self.history.lock_publisher()

    def due(self, limit: int) -> list[HostRecord]:
        """Return at most `limit` records to look at by now: those first that are due, and of these the oldest.

        One whose versions were deleted is not looked at until it has another.
        """
        rows = self.rows(host_queries.due(self.dialect), (utc_text(self.now()), limit))
        hosts = [host_of(row) for row in rows]
        current = self.current(list(dict.fromkeys(host.id for host in hosts)))
        found = []
        for host, row in zip(hosts, rows, strict=True):
            record_type, origin_id, due_since, sent_at, free_at, zone_id, ttl = row[host_queries.HOST_COLUMNS :]
            family = Family.of_record(record_type)
            free = SeenFree(zone_id, time_of(free_at), ttl) if free_at is not None else None
            known = current.get((host.id, family))
            if known is None:
                with self.history.errors():
                    self.history.execute(host_queries.FORGET_RECORD, (host.id, record_type))
            else:
                due = time_or_none(due_since)
                found.append(HostRecord(host, family, origin_id, known.journal, due, time_or_none(sent_at), free))
        return found

    def next_look(self) -> datetime | None:
        """Return when the next record has to be looked at; None when none ever has."""
        rows = self.rows(host_queries.NEXT_LOOK.format(at=self.dialect.utc_seconds.format("lookAt")))
        return time_or_none(rows[0][0]) if rows else None

    def count_due(self) -> tuple[int, datetime | None]:
        """Return how many records are not yet seen to hold the latest version, and since when the oldest is."""
        oldest = self.dialect.utc_seconds.format("MIN(dueSince)")
        ((number, since),) = self.rows(host_queries.DUE.format(oldest=oldest))
        return number, time_or_none(since)

    def failing(self, limit: int) -> tuple[int, list[Failing]]:
        """Return how many records are due and have an error, and at most `limit` of them, the oldest first."""
        ((number,),) = self.rows(host_queries.COUNT_FAILING)
        rows = self.rows(host_queries.failing(self.dialect), (limit,)) if number else []
        found = [
            Failing(Record(name, record_type), text_of(error), time_of(since))
            for name, record_type, error, since in rows
        ]
        return number, found

    def looked(self, found: Sequence[Looked]) -> None:
        """Save what was found, in one transaction; a version that was recorded meanwhile stays due."""
        rows = [
            (
                each.at.host.id,
                each.at.family.record_type,
                each.at.origin_id,
                each.at.journal.version.version,
                None if each.is_done else utc_text(each.at.due_since or each.at.journal.read_at),
                utc_text(each.look_at),
                utc_text(each.sent_at),
                *((each.free.zone_id, each.free.ttl, utc_text(each.free.at)) if each.free else (None, None, None)),
            )
            for each in sorted(found, key=lambda each: each.at.host.id)  # type: ignore[arg-type, return-value] # int
        ]
        self.again(partial(self._save_looked, rows))

    def _save_looked(self, rows: Sequence[Sequence[Any]]) -> None:
        with self.history.errors(), self.history.transaction():
            self.write(host_queries.looked(self.dialect), rows)
