"""The items of hosts in a table of DynamoDB, and what they mean."""

from collections.abc import Hashable, Iterable, Iterator
from datetime import datetime
from ipaddress import IPv6Address
from typing import Any, NamedTuple, cast

from ddns_updater.history.dynamodb import DynamoDbHistory
from ddns_updater.history.dynamodb_versions import now, origin_key, time_of, time_or_none, time_text
from ddns_updater.hosts import Host, LastRequest, NewHost, Verdict
from ddns_updater.lib.dynamodb import Changed, Item, Update
from ddns_updater.model import Family, SeenFree

NAMES, DUE, SEEN = "host", "due", "seen"  # partitions: the names of all hosts, and the marks of their records
LOGIN = "login"  # the sort key of a login in its partition
_HOST = "host#"  # begins that of each of its hosts
EXISTS = "attribute_exists(pk)"


class HostKey(NamedTuple):
    """The key of a host: a name that moves to another login is another host."""

    login: str
    name: str


class Mark(NamedTuple):
    """A due mark as it was read: by which recording, for which version, and since when that is known to be missing."""

    token: str
    version: int
    missed_at: datetime | None


class Marks(NamedTuple):
    """The marks of a record as they were read: the due one, and the token of the other; None where there is none."""

    due: Mark | None
    seen: str | None


class HostItems:
    """The items of hosts in one table."""

    def __init__(self, history: DynamoDbHistory) -> None:
        """Take the history of the same table."""
        self.history = history
        self.table = history.table
        self.versions = history.versions

    def now(self) -> datetime:
        """Return the time by this machine's clock, in whole seconds."""
        return now()

    def item_of(self, key: HostKey) -> Item | None:
        """Return the item of a host, None when it was removed."""
        return self.table.get(partition_of(key.login), f"{_HOST}{key.name}")

    def hosts(self, keys: Iterable[HostKey]) -> dict[HostKey, Host]:
        """Return those of many hosts that are there, by their keys."""
        sorts = {(partition_of(key.login), f"{_HOST}{key.name}"): key for key in keys}
        items = self.table.get_many(sorts)
        return {key: host_of(key.login, items[sort]) for sort, key in sorts.items() if sort in items}

    def host(self, key: HostKey) -> Host | None:
        """Return a host, None when it was removed."""
        item = self.item_of(key)
        return None if item is None else host_of(key.login, item)

    def is_registered(self, key: HostKey) -> bool:
        """Return whether a host is there: its name belongs to its login, and it is neither being added nor removed."""
        entry = self.table.get(NAMES, key.name)
        return entry is not None and bool(entry.get("isThere")) and entry["login"] == key.login

    def change_host(self, key: Hashable, update: Update) -> None:
        """Change the item of a host; one that was removed stays so."""
        login, name = cast(HostKey, key)
        try:
            self.table.update(partition_of(login), f"{_HOST}{name}", update._replace(condition=EXISTS))
        except Changed:
            return

    def set_time(self, host: Host, attribute: str, time: datetime | None) -> None:
        """Set or remove a time of a host, first where the names of all are, from which they are counted."""
        update = Update({attribute: time_text(time)}) if time else Update(remove=(attribute,))
        try:
            self.table.update(NAMES, host.name, update._replace(condition=EXISTS))
        except Changed:
            return
        self.change_host(host.id, update)

    def put_host(self, new: NewHost) -> None:
        """Write the item of a new host."""
        self.table.put(
            partition_of(new.login),
            f"{_HOST}{new.name}",
            {
                "createdAt": time_text(self.now()),
                "takesAws": new.takes_aws,
                "takesQuery": new.takes_query,
                "isApex": new.is_apex,
                "suffix": new.suffix and str(new.suffix),
            },
        )

    def delete_host(self, key: HostKey) -> None:
        """Delete the item of a host."""
        self.table.delete(partition_of(key.login), f"{_HOST}{key.name}")

    def hosts_of(self, login: str) -> Iterator[Item]:
        """Yield the items of the hosts of a login."""
        return self.table.query(partition_of(login), prefix=_HOST)


def partition_of(login: str) -> str:
    """Return the partition of a login."""
    return f"login#{login}"


def host_of(login: str, item: Item) -> Host:
    """Return the host in an item of its login."""
    name = item["sk"].removeprefix(_HOST)
    return Host(
        id=HostKey(login, name),
        name=name,
        login=login,
        created_at=time_of(item["createdAt"]),
        takes_aws=item["takesAws"],
        takes_query=item["takesQuery"],
        is_apex=item["isApex"],
        suffix=IPv6Address(item["suffix"]) if item["suffix"] else None,
        blocked_at=time_or_none(item.get("blockedAt")),
        slowed_at=time_or_none(item.get("slowedAt")),
    )


def is_host(item: Item) -> bool:
    """Return whether an item in the partition of a login is that of a host."""
    return str(item["sk"]).startswith(_HOST)


def request_item(request: LastRequest) -> dict[str, str]:
    """Return a last request as the item of its host has it."""
    return {"at": time_text(request.at), "client": request.client, "caller": request.caller, "verdict": request.verdict}


def last_request(item: Item) -> LastRequest | None:
    """Return the last request in the item of a host, None when there was none."""
    found = item.get("request")
    if found is None:
        return None
    return LastRequest(time_of(found["at"]), found["client"], found["caller"], Verdict(found["verdict"]))


def record_of(item: Item) -> tuple[HostKey, Family]:
    """Return the host and the family of a mark."""
    name, _, family = item["sk"].rpartition("#")
    return HostKey(item["login"], name), Family[family.upper()]


def record_key(name: str, family: Family) -> str:
    """Return the sort key of the marks of a record, which is that of its origin."""
    return origin_key(name, family)


def mark_of(item: Item) -> Mark:
    """Return a due mark as it was read."""
    return Mark(item["token"], item["version"], time_or_none(item.get("missedAt")))


def free_item(free: SeenFree) -> dict[str, Any]:
    """Return when a record was seen to be free as its mark has it."""
    return {"zone": free.zone_id, "at": time_text(free.at), "ttl": free.ttl}


def free_of(item: Item) -> SeenFree | None:
    """Return when a record was last seen to be free, None when it was not."""
    found = item.get("free")
    return SeenFree(found["zone"], time_of(found["at"]), found["ttl"]) if found else None
