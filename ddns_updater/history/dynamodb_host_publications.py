"""The hosts in a table of DynamoDB, as the publisher needs them: the port Publications of the update endpoint.

A record has a due mark until its latest version was read back from the table and seen to hold in DNS, and a mark that
tells when to look at it again. A mark whose version was never appended is removed when it is old.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import uuid4

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
from ddns_updater.hosts import Failing, Host, HostRecord, Looked
from ddns_updater.lib.at_once import at_once
from ddns_updater.lib.dynamodb import Changed, Item, Update
from ddns_updater.model import Journal, Record

_LEASE = 90.0  # seconds, after which another server goes on for one that was killed
_GRACE = timedelta(minutes=2)  # from a mark to its version, twice what a writer takes that does not mark again
_TOGETHER = 200  # records that are saved between two looks at the lease
_SAME = "#token = :token"
_UNSEEN = "attribute_not_exists(#token) OR #token = :token"
_SEEN_AS_READ = "#token = :was OR #token = :token"


class Marks(NamedTuple):
    """The marks of a record as they were read: the due mark, and the token of whoever looked at it last."""

    due: Mark | None
    seen: str | None


class _Found(NamedTuple):
    host: Host
    journal: Journal


class DynamoDbPublications(DynamoDbRequests):
    """The port Publications, less the history; every method raises HistoryError when the table fails."""

    def lock_publisher(self) -> AbstractContextManager[bool]:
        """Take the lease of the publisher without waiting; False when another server holds it.

        It is renewed while there is progress. One who is late all the same does no harm: a journal, and the marks of a
        record, are only changed as they were read.
        """
        return self.history.holding("publisher", _LEASE)

    def due(self, limit: int) -> list[HostRecord]:
        """Return at most `limit` records to look at by now: those first that are due, and of these the oldest.

        One whose versions were deleted is not looked at until it has another.
        """
        self.history.keep()
        until = time_text(self.now())
        due = sorted(self.table.query(DUE, looks_until=until), key=lambda item: item["dueSince"])
        marked = {item["sk"] for item in due}
        due = due[:limit]
        seen = self.table.get_many((SEEN, item["sk"]) for item in due)
        others = [each for each in self.table.query(SEEN, looks_until=until, limit=limit) if each["sk"] not in marked]
        records = self._records([*due, *others[: limit - len(due)]])
        found = [each for item in due if (each := self._due(item, seen.get((SEEN, item["sk"])), records))]
        return found + [each for item in others[: limit - len(due)] if (each := self._seen(item, records))]

    def _due(self, item: Item, seen: Item | None, records: "Mapping[str, _Found]") -> HostRecord | None:
        mark, found = mark_of(item), records.get(item["sk"])
        if found is None:
            if self._is_over(mark):
                self._change_mark(item["sk"], mark, None)
            return None
        return _record(item, found, seen)._replace(due_since=time_of(item["dueSince"]), mark=Marks(mark, _token(seen)))

    def _seen(self, item: Item, records: "Mapping[str, _Found]") -> HostRecord | None:
        found = records.get(item["sk"])
        if found is None:
            self.table.delete(SEEN, item["sk"])
            return None
        return _record(item, found, item)._replace(mark=Marks(None, _token(item)))

    def _records(self, marks: Sequence[Item]) -> "dict[str, _Found]":
        """Return the host and the latest version of each marked record that has both, by the key of the mark."""
        hosts = self.hosts(record_of(item)[0] for item in marks)
        numbers = {item["sk"]: item["version"] for item in marks if record_of(item)[0] in hosts}
        journals = self.versions.latest_of(numbers)
        keys = {item["sk"]: record_of(item)[0] for item in marks}
        return {sort: _Found(hosts[keys[sort]], journal) for sort, journal in journals.items()}

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
        """Return each due mark of a host that is there, with the latest version of its record."""
        marks = list(self.table.query(DUE))
        logins = {item["sk"]: item["login"] for item in self.table.query(NAMES)} if marks else {}
        kept = [item for item in marks if logins.get(record_of(item)[0].name) == item["login"]]
        journals = self.versions.latest_of({item["sk"]: item["version"] for item in kept})
        return ((item, journals[item["sk"]]) for item in kept if item["sk"] in journals)

    def looked(self, found: Sequence[Looked]) -> None:
        """Save what was found, one record after another; a version that was recorded meanwhile stays due.

        What is done is first marked to be looked at again, and only then due no more. What another publisher has saved
        of a record since this one read it stays.
        """
        for start in range(0, len(found), _TOGETHER):
            self.history.keep()
            at_once(self._save_looked, found[start : start + _TOGETHER])

    def _save_looked(self, looked: Looked) -> None:
        at, look_at = looked.at, time_text(looked.look_at) if looked.look_at else None
        key = record_key(at.host.name, at.family)
        marks = at.mark if isinstance(at.mark, Marks) else Marks(None, None)
        mark, token = marks.due, uuid4().hex
        is_due = mark is not None and not looked.is_done
        seen: dict[str, object] = {
            "login": at.host.login,
            "version": at.journal.version.version,
            "token": token,
        }
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
        condition = _UNSEEN if marks.seen is None else _SEEN_AS_READ
        values = {"token": token} | ({"was": marks.seen} if marks.seen else {})
        try:
            self.table.update(SEEN, key, Update(seen, remove=removed, condition=condition, values=values))
        except Changed:  # another publisher has it, or the host was removed
            return
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


def _record(item: Item, found: _Found, seen: Item | None) -> HostRecord:
    _, family = record_of(item)
    sent_at = time_or_none((seen or {}).get("sentAt"))
    return HostRecord(found.host, family, item["sk"], found.journal, None, sent_at, free_of(seen or {}))


def _token(seen: Item | None) -> str | None:
    return seen.get("token") if seen else None
