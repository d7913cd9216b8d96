"""Hosts and logins that are added to a table of DynamoDB, changed and removed: what the operator does.

The name of a host is taken first, and said to be there last: one whose adding was killed can be added again, by any
login, and so can one whose removal was killed. Two operators who add the same name at once: one is refused.
"""

from contextlib import suppress
from uuid import uuid4

from ddns_updater.errors import HostError
from ddns_updater.history.dynamodb import ORIGINS
from ddns_updater.history.dynamodb_host_items import (
    DUE,
    EXISTS,
    LOGIN,
    NAMES,
    SEEN,
    HostItems,
    HostKey,
    partition_of,
    record_key,
)
from ddns_updater.history.dynamodb_versions import origin_key, time_text
from ddns_updater.history.host_refusals import check_login, login_taken, name_of_line, name_taken
from ddns_updater.hosts import Host, NewHost, digest
from ddns_updater.lib.dynamodb import Changed, Item, Update
from ddns_updater.model import Family

_OWN = "#token = :token"
_OWN_OR_NEW = "#token = :token OR #token = :new"
_FREE = "(#token = :token OR #token = :new) AND attribute_not_exists(#isThere)"


class DynamoDbHostAdding(HostItems):
    """What the operator changes; every method raises HistoryError when the table fails."""

    def add(self, new: NewHost) -> Host:
        """Add a host; raises HostError when its name is taken, or its login does not exist or exists already.

        One that was removed continues its history.
        """
        if any(self.table.get(ORIGINS, origin_key(new.name, family)) for family in Family):
            raise name_of_line(new.name)
        taken = name_taken(new.name)
        token = uuid4().hex
        entry = self.table.get(NAMES, new.name)
        if entry and entry.get("isThere"):
            raise taken
        self._check_login(new)
        try:
            self._take_name(new, entry, token)
            self._make_login(new)
            self.put_host(new)
            self._hold_login(new)
            is_there = Update({"isThere": True}, condition=_OWN, names=("token",), values={"token": token})
            self.table.update(NAMES, new.name, is_there)
        except Changed as error:
            entry = self.table.get(NAMES, new.name)
            if entry and entry["login"] != new.login:  # which has taken the name over, perhaps before put_host
                self.delete_host(HostKey(new.login, new.name))
            raise taken from error
        host = self.host(HostKey(new.login, new.name))
        assert host is not None
        return host

    def _take_name(self, new: NewHost, entry: Item | None, token: str) -> None:
        """Take the name of a host, also from an adding or a removal that did not end; raises Changed."""
        if entry is None:
            self.table.put(NAMES, new.name, {"login": new.login}, token=token)
            return
        values = {"token": entry["token"], "new": token}
        changes = {"login": new.login, "token": token}
        self.table.update(
            NAMES,
            new.name,
            Update(
                changes,
                remove=("blockedAt", "slowedAt"),
                condition=_FREE,
                names=("token", "isThere"),
                values=values,
            ),
        )
        if entry["login"] != new.login:
            self.delete_host(HostKey(entry["login"], new.name))

    def _check_login(self, new: NewHost) -> None:
        """Raise HostError when the login of a new host does not fit."""
        found = self.table.get(partition_of(new.login), LOGIN)
        exists = found is not None and (new.secret is None or any(self.hosts_of(new.login)))
        check_login(new, exists=exists, keeps_secret=bool(found and found["secrets"]))

    def _make_login(self, new: NewHost) -> None:
        """Make the login of a host that brings a secret, also over one whose first host was never added."""
        if new.secret is None:
            return
        secrets = [new.secret] if new.takes_aws else []
        item = {"digests": [digest(new.secret)], "secrets": secrets, "createdAt": time_text(self.now())}
        partition, token = partition_of(new.login), uuid4().hex
        found = self.table.get(partition, LOGIN)
        try:
            if found is None:
                self.table.put(partition, LOGIN, item, token=token)
            elif any(each["sk"] != f"host#{new.name}" for each in self.hosts_of(new.login)):
                raise login_taken(new.login)
            else:
                self._change_login(new.login, found, item, token)
        except Changed as error:
            raise login_taken(new.login) from error

    def _hold_login(self, new: NewHost) -> None:
        """Let nobody delete the login of a host that was put, who has not seen it; raises HostError when one has."""
        changed = Update({"token": uuid4().hex}, condition=EXISTS)
        try:
            self.table.update(partition_of(new.login), LOGIN, changed)
        except Changed as error:
            self.delete_host(HostKey(new.login, new.name))
            raise HostError(f"the last host of login {new.login} was removed meanwhile", "add it again") from error

    def rotate(self, host: Host, secret: str) -> None:
        """Make `secret` the newest of its login; the one before stays valid, older ones do not."""
        found = self._login_item(host)
        secrets = [secret, *found["secrets"][:1]] if found["secrets"] else []
        changes = {"digests": [digest(secret), *found["digests"][:1]], "secrets": secrets}
        self._change_login(host.login, found, changes, uuid4().hex)

    def end_rotation(self, host: Host) -> bool:
        """End the secret before the newest of its login; False when there is one alone."""
        found = self._login_item(host)
        if len(found["digests"]) < 2:
            return False
        changes = {"digests": found["digests"][:1], "secrets": found["secrets"][:1]}
        self._change_login(host.login, found, changes, uuid4().hex)
        return True

    def _login_item(self, host: Host) -> Item:
        found = self.table.get(partition_of(host.login), LOGIN)
        if found is None:
            raise HostError(f"there is no login {host.login} any more", f"add {host.name} again")
        return found

    def _change_login(self, login: str, found: Item, changes: Item, token: str) -> None:
        """Change a login as it was read; raises Changed when another one has changed it since."""
        values = {"token": found["token"], "new": token}
        self.table.update(
            partition_of(login),
            LOGIN,
            Update({**changes, "token": token}, condition=_OWN_OR_NEW, names=("token",), values=values),
        )

    def block(self, host: Host, *, blocked: bool) -> None:
        """Block a host, or unblock it."""
        self.set_time(host, "blockedAt", self.now() if blocked else None)

    def remove(self, host: Host) -> None:
        """Remove a host and, with the last of its hosts, its login; the history of its addresses stays.

        When it is killed it can be done again; until then the host records nothing.
        """
        token = uuid4().hex
        self.table.update(NAMES, host.name, Update({"login": host.login, "token": token}, remove=("isThere",)))
        self.delete_host(HostKey(host.login, host.name))
        for family in Family:
            for mark in (DUE, SEEN):
                self.table.delete(mark, record_key(host.name, family))
        login = self.table.get(partition_of(host.login), LOGIN)
        if login and not any(self.hosts_of(host.login)):
            with suppress(Changed):  # a host has joined it meanwhile
                self.table.delete(partition_of(host.login), LOGIN, _OWN, ("token",), {"token": login["token"]})
        try:
            self.table.delete(NAMES, host.name, _OWN, ("token",), {"token": token})
        except Changed:  # it was added again meanwhile
            return
