"""The hosts in a table of DynamoDB, as the publisher needs them: the port Publications of the update endpoint.

A record has a due mark until its latest version was read back from the table and seen to hold in DNS, and a mark that
tells when to look at it again. A mark whose version was never appended is removed when it is old.
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta

from ddns_updater.history.dynamodb_host_items import (
    DUE,
    EXISTS,
    NAMES,
    SEEN,
    Mark,
    free_item,
    free_of,
    mark_of,
    record_key,
    record_of,
)
from ddns_updater.history.dynamodb_host_requests import DynamoDbRequests
from ddns_updater.history.dynamodb_versions import time_of, time_or_none, time_text
from ddns_updater.hosts import Failing, HostRecord, Looked
from ddns_updater.lib.dynamodb import Changed, Item, Update
from ddns_updater.model import Journal, Record

_LEASE = 90.0  # seconds; each round takes it anew
_GRACE = timedelta(minutes=2)  # from a mark to its version, twice what a writer takes that does not mark again
_SAME = "#token = :token"


class DynamoDbPublications(DynamoDbRequests):
    """The port Publications, less the history; every method raises HistoryError when the table fails."""

    def lock_publisher(self) -> AbstractContextManager[bool]:
        """Take the lease of the publisher without waiting; False when another server holds it.

        One who is late does no harm: a journal, and a due mark, are only changed as they were read.
        """
        return self.table.lease("publisher", _LEASE)

    def due(self, limit: int) -> list[HostRecord]:
        """Return at most `limit` records to look at by now: those first that are due, and of these the oldest.

        One whose versions were deleted is not looked at until it has another.
        """
        until = time_text(self.now())
        due = sorted(self.table.query(DUE, looks_until=until), key=lambda item: item["dueSince"])
        marked = {item["sk"] for item in due}
        found = [record for item in due[:limit] if (record := self._due(item))]
        if len(due) < limit:
            for item in self.table.query(SEEN, looks_until=until, limit=limit):
                if item["sk"] not in marked and len(found) < limit and (record := self._seen(item)):
                    found.append(record)
        return found

    def _due(self, item: Item) -> HostRecord | None:
        mark = mark_of(item)
        seen = self.table.get(SEEN, item["sk"]) or {}
        record = self._record(item, seen)
        if record is None:
            if self._is_over(mark):
                self._change_mark(item["sk"], mark, None)
            return None
        return record._replace(due_since=time_of(item["dueSince"]), mark=mark)

    def _seen(self, item: Item) -> HostRecord | None:
        record = self._record(item, item)
        if record is None:
            self.table.delete(SEEN, item["sk"])
        return record

    def _record(self, item: Item, seen: Item) -> HostRecord | None:
        """Return a record to look at; None when its host was removed, or has no version."""
        key, family = record_of(item)
        host = self.host(key)
        journal = self.versions.latest(item["sk"]) if host else None
        if host is None or journal is None:
            return None
        return HostRecord(host, family, item["sk"], journal, None, time_or_none(seen.get("sentAt")), free_of(seen))

    def next_look(self) -> datetime | None:
        """Return when the next record has to be looked at; None when none ever has."""
        looks = [item["lookAt"] for mark in (DUE, SEEN) for item in self.table.query(mark, looks_until="9", limit=1)]
        return time_of(min(looks)) if looks else None

    def count_due(self) -> tuple[int, datetime | None]:
        """Return how many records are not yet seen to hold the latest version, and since when the oldest is."""
        since = [item["dueSince"] for item in self.table.query(DUE)]
        return len(since), time_of(min(since)) if since else None

    def failing(self, limit: int) -> tuple[int, list[Failing]]:
        """Return how many records are due and have an error, and at most `limit` of them, the oldest first."""
        found = []
        for item, journal in self.due_journals():
            name, record_type = record_of(item)[0].name, record_of(item)[1].record_type
            publication = journal.publication(Record(name, record_type))
            if publication and publication.error is not None:
                found.append(Failing(publication.record, publication.error, time_of(item["dueSince"])))
        found.sort(key=lambda each: (each.since, each.record.name))
        return len(found), found[:limit]

    def due_journals(self) -> Iterator[tuple[Item, Journal]]:
        """Yield each due mark of a host that is there, with the latest version of its record."""
        marks = list(self.table.query(DUE))
        logins = {item["sk"]: item["login"] for item in self.table.query(NAMES)} if marks else {}
        for item in marks:
            key, _ = record_of(item)
            journal = self.versions.latest(item["sk"]) if logins.get(key.name) == key.login else None
            if journal:
                yield item, journal

    def looked(self, found: Sequence[Looked]) -> None:
        """Save what was found, one record after another; a version that was recorded meanwhile stays due.

        What is done is first marked to be looked at again, and only then due no more.
        """
        for each in found:
            self._save_looked(each)

    def _save_looked(self, looked: Looked) -> None:
        at, look_at = looked.at, time_text(looked.look_at) if looked.look_at else None
        key = record_key(at.host.name, at.family)
        mark = at.mark if isinstance(at.mark, Mark) else None
        is_due = mark is not None and not looked.is_done
        seen: dict[str, object] = {"login": at.host.login, "version": at.journal.version.version}
        removed = []
        for name, value in {
            "lookAt": None if is_due else look_at,
            "free": free_item(looked.free) if looked.free else None,
            "sentAt": time_text(sent) if (sent := looked.sent_at or at.sent_at) else None,
        }.items():
            if value is None:
                removed.append(name)
            else:
                seen[name] = value
        self.table.update(SEEN, key, Update(seen, remove=removed))
        if mark is None:
            if not looked.is_done:
                self._due_again(looked, key, look_at)
        elif not looked.is_done:
            self._change_mark(key, mark, looked.look_at, never=looked.look_at is None)
        elif mark.version <= at.journal.version.version or self._is_over(mark):
            self._change_mark(key, mark, None)
        else:  # the version that it was made for may be on its way
            self._change_mark(key, mark, mark.recorded_at + _GRACE)

    def _is_over(self, mark: Mark) -> bool:
        """Return whether the version of a mark that has none is not to be expected any more."""
        return self.now() - mark.recorded_at >= _GRACE

    def _change_mark(self, key: str, mark: Mark, look_at: datetime | None, *, never: bool = False) -> None:
        """Let a due record be looked at by a time, or never; without one it is due no more.

        Nothing changes when a version was recorded since the mark was read.
        """
        values = {"token": mark.token}
        try:
            if look_at is None and not never:
                self.table.delete(DUE, key, _SAME, ("token",), values)
            else:
                changes = {"set": {"lookAt": time_text(look_at)}} if look_at else {"remove": ("lookAt",)}
                self.table.update(DUE, key, Update(**changes, condition=_SAME, names=("token",), values=values))
        except Changed:
            return

    def _due_again(self, looked: Looked, key: str, look_at: str | None) -> None:
        """Mark a record as due that held its version and holds it no more, unless a recording has marked it."""
        at = looked.at
        since = time_text(at.due_since or at.journal.read_at)
        mark = {
            "dueSince": since,
            "recordedAt": since,
            "version": at.journal.version.version,
            "login": at.host.login,
            "lookAt": look_at or since,
        }
        try:
            self.table.put(DUE, key, mark, token=f"{at.journal.version.version}")
        except Changed:
            return
        self.table.update(SEEN, key, Update(remove=("lookAt",), condition=EXISTS))
