"""The hosts in a table of DynamoDB, as the publisher needs them: the port Publications of the update endpoint.

A record has a due mark until its latest version was read back from the table and seen to hold in DNS, and another mark
that tells when to look at it again. A due mark whose version never comes is removed: how long it has been missing is
told by the clock of the publisher, for that of the writer may be wrong.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from datetime import datetime, timedelta
from typing import NamedTuple, cast
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
from ddns_updater.hosts import Failing, Host, HostRecord, Looked
from ddns_updater.lib.at_once import at_once
from ddns_updater.lib.dynamodb import Changed, Item, Update
from ddns_updater.model import Journal, Record

_LEASE = 90.0  # seconds, after which another server goes on for one that was killed
_TOGETHER = 50  # records that are saved between two looks at the lease
_GRACE = timedelta(minutes=2)  # for a version that is missing, twice what a writer takes that does not mark again
_SOON = timedelta(seconds=5)  # until it is looked for again
_SAME = "#token = :token"
_SEEN_OR_OWN = "#token = :seen OR #token = :new"
_UNSEEN_OR_OWN = "attribute_not_exists(#token) OR #token = :new"


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
        others = others[: limit - len(due)]
        records = self._records([*due, *others])
        found = at_once(lambda item: self._due(item, seen.get((SEEN, item["sk"]), {}), records), due)
        found += at_once(lambda item: self._seen(item, records), others)
        return [each for each in found if each]

    def _due(self, item: Item, seen: Item, records: Mapping[str, _Found]) -> HostRecord | None:
        mark, found = mark_of(item), records.get(item["sk"])
        if found is None:
            self._wait_for_version(item["sk"], mark)
            return None
        record = _record(item, found, seen)
        return record._replace(due_since=time_of(item["dueSince"]), mark=Marks(mark, seen.get("token")))

    def _seen(self, item: Item, records: Mapping[str, _Found]) -> HostRecord | None:
        found = records.get(item["sk"])
        if found is None:
            with suppress(Changed):
                self.table.delete(SEEN, item["sk"], _SAME, ("token",), {"token": item["token"]})
            return None
        return _record(item, found, item)._replace(mark=Marks(None, item["token"]))

    def _records(self, marks: Sequence[Item]) -> dict[str, _Found]:
        """Return the host and the latest version of each marked record that has both, by the key of the mark."""
        keys = {item["sk"]: record_of(item)[0] for item in marks}
        hosts = self.hosts(keys.values())
        journals = self.versions.latest_of({item["sk"]: item["version"] for item in marks if keys[item["sk"]] in hosts})
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
        journals = self.versions.seen_of({item["sk"]: item["version"] for item in kept})
        return ((item, journals[item["sk"]]) for item in kept if item["sk"] in journals)

    def looked(self, found: Sequence[Looked]) -> None:
        """Save what was found, one record after another; a version that was recorded meanwhile stays due.

        What is done is first marked to be looked at again, and only then due no more.
        """
        for start in range(0, len(found), _TOGETHER):
            self.history.keep()
            at_once(self._save_looked_as_read, found[start : start + _TOGETHER])

    def _save_looked_as_read(self, looked: Looked) -> None:
        with suppress(Changed):  # a version was recorded, or another publisher has looked, since it was read
            self._save_looked(looked)

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


def _record(item: Item, found: _Found, seen: Item) -> HostRecord:
    _, family = record_of(item)
    sent_at = time_or_none(seen.get("sentAt"))
    return HostRecord(found.host, family, item["sk"], found.journal, None, sent_at, free_of(seen))
