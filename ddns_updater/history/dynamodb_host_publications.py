"""The hosts in a table of DynamoDB, as the publisher needs them: the port Publications of the update endpoint.

A record has a due mark until its latest version was read back from the table and seen to hold in DNS, and another mark
that tells when to look at it again. A due mark whose version never comes is removed: how long it has been missing is
told by the clock of the publisher, for that of the writer may be wrong.
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from datetime import datetime, timedelta
from typing import cast
from uuid import uuid4

from ddns_updater.history.dynamodb_host_items import (
    DUE,
    NAMES,
    SEEN,
    Mark,
    Marks,
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
_MOST = 250  # records in a round
_GRACE = timedelta(minutes=2)  # for a version that is missing, twice what a writer takes that does not mark again
_SOON = timedelta(seconds=5)  # until it is looked for again
_SAME = "#token = :token"
_SEEN_OR_OWN = "#token = :seen OR #token = :new"
_UNSEEN_OR_OWN = "attribute_not_exists(#token) OR #token = :new"


class DynamoDbPublications(DynamoDbRequests):
    """The port Publications, less the history; every method raises HistoryError when the table fails."""

    def lock_publisher(self) -> AbstractContextManager[bool]:
        """Take the lease of the publisher without waiting; False when another server holds it.

        One who is late does no harm: a journal, and the marks of a record, are only changed as they were read.
        """
        return self.table.lease("publisher", _LEASE)

    def due(self, limit: int) -> list[HostRecord]:
        """Return at most `limit` records to look at by now: those first that are due, and of these the oldest.

        One whose versions were deleted is not looked at until it has another. Each takes some ten calls, one after
        another: there are never more than a round does within the lease, and within the time that a function has.
        """
        limit = min(limit, _MOST)
        self.versions.forget()
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
            self._wait_for_version(item["sk"], mark)
            return None
        return record._replace(due_since=time_of(item["dueSince"]), mark=Marks(mark, seen.get("token")))

    def _seen(self, item: Item) -> HostRecord | None:
        record = self._record(item, item)
        if record is None:
            with suppress(Changed):
                self.table.delete(SEEN, item["sk"], _SAME, ("token",), {"token": item["token"]})
            return None
        return record._replace(mark=Marks(None, item["token"]))

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
            journal = self.versions.seen(item["sk"]) if logins.get(key.name) == key.login else None
            if journal:
                yield item, journal

    def looked(self, found: Sequence[Looked]) -> None:
        """Save what was found, one record after another; a version that was recorded meanwhile stays due.

        What is done is first marked to be looked at again, and only then due no more.
        """
        for each in found:
            with suppress(Changed):  # a version was recorded, or another publisher has looked, since it was read
                self._save_looked(each)

    def _save_looked(self, looked: Looked) -> None:
        at = looked.at
        key = record_key(at.host.name, at.family)
        due, seen = cast(Marks, at.mark)
        self._save_seen(looked, key, seen, is_due=due is not None and not looked.is_done)
        if due is None:
            if not looked.is_done:
                self._mark_again(looked, key)
        elif due.version > at.journal.version.version and not self._is_over(due):
            self._wait_for_version(key, due)
        elif looked.is_done:
            self._forget(key, due)
        else:
            look_at = looked.look_at
            self._change_due(
                key, due, Update({"lookAt": time_text(look_at)}) if look_at else Update(remove=("lookAt",))
            )

    def _save_seen(self, looked: Looked, key: str, seen: str | None, *, is_due: bool) -> None:
        """Save what was seen of a record; the due mark of one that is due tells when to look at it."""
        at = looked.at
        sent_at = looked.sent_at or at.sent_at
        token = uuid4().hex
        values = {
            "login": at.host.login,
            "version": at.journal.version.version,
            "token": token,
            "lookAt": time_text(looked.look_at) if looked.look_at and not is_due else None,
            "free": free_item(looked.free) if looked.free else None,
            "sentAt": time_text(sent_at) if sent_at else None,
        }
        update = Update(
            {name: value for name, value in values.items() if value is not None},
            remove=[name for name, value in values.items() if value is None],
            condition=_UNSEEN_OR_OWN if seen is None else _SEEN_OR_OWN,
            names=("token",),
            values={"new": token} if seen is None else {"seen": seen, "new": token},
        )
        self.table.update(SEEN, key, update)

    def _is_over(self, mark: Mark) -> bool:
        """Return whether the version of a mark has been missing for so long that nobody is writing it any more."""
        return mark.missed_at is not None and self.now() - mark.missed_at >= _GRACE

    def _wait_for_version(self, key: str, mark: Mark) -> None:
        """Look soon again at a mark whose version is missing, for it may be on its way; remove one that is over."""
        with suppress(Changed):  # it was marked again
            if self._is_over(mark):
                self._forget(key, mark)
            else:
                now = self.now()
                self._change_due(key, mark, Update({"lookAt": time_text(now + _SOON)}, {"missedAt": time_text(now)}))

    def _change_due(self, key: str, mark: Mark, update: Update) -> None:
        """Change a due mark as it was read; raises Changed when a version was recorded since."""
        self.table.update(DUE, key, update._replace(condition=_SAME, names=("token",), values={"token": mark.token}))

    def _forget(self, key: str, mark: Mark) -> None:
        """Remove a due mark as it was read; raises Changed when a version was recorded since."""
        self.table.delete(DUE, key, _SAME, ("token",), {"token": mark.token})

    def _mark_again(self, looked: Looked, key: str) -> None:
        """Mark a record as due that held its version and holds it no more; raises Changed when a recording has."""
        at = looked.at
        since = time_text(at.journal.read_at)
        mark = {
            "dueSince": since,
            "version": at.journal.version.version,
            "login": at.host.login,
            "lookAt": time_text(looked.look_at) if looked.look_at else since,
        }
        self.table.put(DUE, key, mark, token=uuid4().hex)
