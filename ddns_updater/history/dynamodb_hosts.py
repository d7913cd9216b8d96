"""The hosts that update themselves, in a table of DynamoDB, as the endpoint and its operator need them."""

from collections.abc import Hashable, Iterator, Sequence
from datetime import datetime
from typing import cast

from ddns_updater.history.dynamodb_host_adding import DynamoDbHostAdding
from ddns_updater.history.dynamodb_host_items import (
    DUE,
    NAMES,
    SEEN,
    HostKey,
    host_of,
    last_request,
    record_key,
    record_of,
)
from ddns_updater.history.dynamodb_host_publications import DynamoDbPublications
from ddns_updater.history.dynamodb_rights import check_rights
from ddns_updater.history.dynamodb_versions import time_of
from ddns_updater.hosts import Held, Host, HostEntry, Overview
from ddns_updater.lib.dynamodb import Item
from ddns_updater.model import Family, Record


class DynamoDbHosts(DynamoDbHostAdding, DynamoDbPublications):
    """The methods of HostStore, with the versions as history; each raises HistoryError when the table fails."""

    def names(self) -> list[str]:
        """Return the names of all hosts, sorted."""
        return [item["sk"] for item in self._registered()]

    def count(self) -> int:
        """Return how many hosts there are."""
        return sum(1 for _ in self._registered())

    def entries(self, *, after: str = "", limit: int = 1000) -> list[HostEntry]:
        """Return at most `limit` hosts with their state, by name, from the first that sorts after `after`."""
        found: list[HostEntry] = []
        for item in self._registered(after):
            if len(found) >= limit:
                break
            if entry := self._entry(_key(item)):
                found.append(entry)
        return found

    def entry(self, name: str) -> HostEntry | None:
        """Return the host called `name` with its state, None when there is none."""
        item = self.table.get(NAMES, name)
        return self._entry(_key(item)) if item else None

    def due_entries(self, limit: int) -> list[HostEntry]:
        """Return at most `limit` hosts with a record that is due, with their state: those that wait longest first."""
        marks = sorted(self.table.query(DUE), key=lambda item: (item["dueSince"], item["sk"]))
        found: list[HostEntry] = []
        for key in dict.fromkeys(record_of(item)[0] for item in marks):
            if len(found) < limit and (entry := self._entry(key)):
                found.append(entry)
        return found

    def recent_addresses(
        self, host_ids: Sequence[Hashable], since: datetime, most: int
    ) -> dict[tuple[Hashable, Family], list[Held]]:
        """Return the addresses of hosts since a time, by the key of the host and the family, the newest first.

        The last of them is the one that was current then, where there was one and it is among the last `most` versions
        of the record; earlier ones are left out.
        """
        found: dict[tuple[Hashable, Family], list[Held]] = {}
        for host_id in host_ids:
            for family in Family:
                key = record_key(cast(HostKey, host_id).name, family)
                for version, _, _ in self.versions.journals(key, limit=most):
                    held = found.setdefault((host_id, family), [])
                    held.append(Held(version.version, version.ip, version.created_at))
                    if version.created_at <= since:
                        break
        return found

    def slowed(self) -> Iterator[Host]:
        """Yield the hosts that are slowed down because they change too often."""
        for item in self._registered():
            if "slowedAt" in item and (host := self.host(_key(item))):
                yield host

    def overview(self) -> Overview:
        """Return how all hosts stand."""
        hosts = list(self._registered())
        logins = {item["sk"]: item["login"] for item in hosts}
        marks = [item for mark in (DUE, SEEN) for item in self.table.query(mark)]
        records = {item["sk"] for item in marks if logins.get(record_of(item)[0].name) == item["login"]}
        refused = due = 0
        waiting = []
        for item, journal in self.due_journals():
            due += 1
            key, family = record_of(item)
            publication = journal.publication(Record(key.name, family.record_type))
            if publication and publication.is_refused:
                refused += 1
            else:
                waiting.append(item["dueSince"])
        return Overview(
            hosts=len(hosts),
            blocked=sum(1 for item in hosts if "blockedAt" in item),
            slowed=sum(1 for item in hosts if "slowedAt" in item),
            records=len(records),
            due=due,
            refused=refused,
            waiting_since=time_of(min(waiting)) if waiting else None,
            read_at=self.now(),
        )

    def check_writing(self) -> None:
        """Raise HistoryError when AWS refuses anything that a run or a server does; nothing is written."""
        check_rights(self.table)

    def _registered(self, after: str = "") -> Iterator[Item]:
        """Yield what is kept of the name of each host, by name."""
        return (item for item in self.table.query(NAMES, after=after or None) if item.get("isThere"))

    def _entry(self, key: HostKey) -> HostEntry | None:
        item = self.item_of(key)
        if item is None:
            return None
        journals = {family: self.versions.seen(record_key(key.name, family)) for family in Family}
        there = {family: journal for family, journal in journals.items() if journal}
        return HostEntry(host_of(key.login, item), there, last_request(item))


def _key(item: Item) -> HostKey:
    return HostKey(item["login"], item["sk"])
