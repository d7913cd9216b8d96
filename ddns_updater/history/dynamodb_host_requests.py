"""The hosts in a table of DynamoDB, as their requests need them: the port Requests of the update endpoint.

There are no transactions. For each record that changes, the due mark is written before the version: whoever is killed
between the two leaves a mark without its version, which the publisher removes. The mark tells which version it is made
for, so that one whose version is still being written is not taken for done.
"""

import logging
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import cast
from uuid import uuid4

from ddns_updater.errors import HistoryError, NoAnswer, VersionTaken
from ddns_updater.history.dynamodb import DynamoDbHistory
from ddns_updater.history.dynamodb_host_items import (
    DUE,
    LOGIN,
    NAMES,
    HostItems,
    HostKey,
    host_of,
    is_host,
    partition_of,
    record_key,
    request_item,
)
from ddns_updater.history.dynamodb_versions import time_text
from ddns_updater.hosts import NOT_NOW, Decision, Host, Judge, LastRequest, Login, Result, Verdict, result_of
from ddns_updater.lib.at_once import at_once
from ddns_updater.lib.dynamodb import Changed, Update
from ddns_updater.model import Address, Family, Journal, Publication, PublicationState, Record

log = logging.getLogger(__name__)

_TRIES = 100  # each one that fails means that another writer succeeded
_LONG = 60.0  # seconds from a mark to its version, after which the mark may have been removed meanwhile
_NO_LATER_MARK = "attribute_not_exists(pk) OR #version <= :version"


class DynamoDbRequests(HostItems):
    """The port Requests; every method raises HistoryError when the table fails."""

    def __init__(self, history: DynamoDbHistory, judge: Judge, wall_clock: Callable[[], float] = time.time) -> None:
        """Take the history of the table, and the function that decides what a request may do."""
        super().__init__(history)
        self._judge = judge
        self._wall_clock = wall_clock

    def login(self, login: str) -> Login | None:
        """Return the login with its hosts, None when there is none; `login` is lower-case.

        The addresses that the hosts hold are not read with it: a request asks for those of its own host alone.
        """
        items = list(self.table.query(partition_of(login)))
        own = next((each for each in items if each["sk"] == LOGIN), None)
        hosts = tuple(host_of(login, each) for each in items if is_host(each))
        # As in a database, where a login without hosts is not found: it is left by who was killed when adding one.
        return Login(login, tuple(own["digests"]), tuple(own["secrets"]), hosts) if own and hosts else None

    def logins(self, wanted: Sequence[str]) -> dict[str, Login]:
        """Return those of the logins that exist, each with its hosts; they are lower-case."""
        found = zip(wanted, at_once(self.login, wanted), strict=True)
        return {login: each for login, each in found if each}

    def login_of(self, name: str) -> Login | None:
        """Return the login of the host called `name` with that host alone, None when there is no such host."""
        entry = self.table.get(NAMES, name)
        login = self.login(entry["login"]) if entry else None
        hosts = tuple(each for each in login.hosts if each.name == name) if login else ()
        return login._replace(hosts=hosts) if login and hosts else None

    def answers(self) -> bool:
        """Return True: each call connects anew where that is needed."""
        return True

    def update(self, updates: Sequence[tuple[Host, Mapping[Family, Address]]]) -> list[Result]:
        """Record the addresses of hosts, several at once, and return the result of each.

        Each record stands alone. A host whose record could not be written is answered LATER when another one's could:
        what was recorded is answered as recorded. Once the table has not answered, nothing more is asked of it. Raises
        HistoryError when nothing could be recorded.
        """
        records = [(host, family, address) for host, given in updates for family, address in given.items()]
        away: list[NoAnswer] = []

        def decide(record: tuple[Host, Family, Address]) -> Decision | HistoryError:
            try:
                if away:
                    raise away[0].with_traceback(None)
                return self._update(*record)
            except NoAnswer as error:
                away.append(error)
                return error
            except HistoryError as error:
                return error

        found = at_once(decide, records)
        errors = [each for each in found if isinstance(each, HistoryError)]
        if errors and len(errors) == len(records):
            raise errors[0]
        if errors:
            log.warning("failed to record %d addresses of %d: %s", len(errors), len(records), errors[0])
        decided = iter(NOT_NOW if isinstance(each, HistoryError) else each for each in found)
        return [result_of([next(decided) for _ in given], tuple(given.values())) for _, given in updates]

    def _update(self, host: Host, family: Family, address: Address) -> Decision:
        """Judge and record an address, again for as long as another writer was first."""
        for _ in range(_TRIES):
            try:
                decision = self._try(host, family, address)
            except (VersionTaken, Changed) as error:
                conflict = error
                continue
            if decision.is_slowed and not host.slowed_at:
                self.set_time(host, "slowedAt", self.now())
            elif host.slowed_at and not decision.is_slowed and decision.verdict is Verdict.GOOD:
                self.set_time(host, "slowedAt", None)
            return decision
        raise conflict

    def _try(self, host: Host, family: Family, address: Address) -> Decision:
        origin = record_key(host.name, family)
        latest = self.versions.seen(origin)
        decision = self._judge(host, address, latest, partial(self.versions.recorded_at, origin))
        key = cast(HostKey, host.id)
        if decision.verdict is not Verdict.GOOD:
            if latest and latest.version.address == address and decision.verdict is not Verdict.BLOCKED:
                self._see_to_mark(key, family, latest)
            return decision
        if not self.is_registered(key):
            return NOT_NOW
        number = latest.version.version + 1 if latest else 1
        began = self._wall_clock()
        self._mark(key, family, number)
        pending = Publication(Record(host.name, family.record_type), self.now())
        self.versions.append(origin, number, address, [pending])
        if not 0 <= self._wall_clock() - began < _LONG:
            with suppress(Changed):  # a later version is marked
                self._mark(key, family, number)  # which may have been removed while this machine was suspended
        return decision

    def _see_to_mark(self, key: HostKey, family: Family, latest: Journal) -> None:
        """Mark the latest version as due when it was never published and has no mark.

        Its writer was killed after it had been suspended, or its host was removed and added again.
        """
        publication = latest.publication(Record(key.name, family.record_type))
        if publication and publication.state is PublicationState.VERIFIED:
            return
        if self.table.get(DUE, record_key(key.name, family)) is None:
            self._mark(key, family, latest.version.version)

    def _mark(self, key: HostKey, family: Family, number: int) -> None:
        """Mark a record as due for its version with this number; raises Changed when it is marked for a later one."""
        at = time_text(self.now())
        update = Update(
            {"lookAt": at, "version": number, "token": uuid4().hex, "login": key.login},
            {"dueSince": at},
            remove=("missedAt",),
            condition=_NO_LATER_MARK,
            names=("version",),
            values={"version": number},
        )
        self.table.update(DUE, record_key(key.name, family), update)

    def note_requests(self, requests: Mapping[Hashable, LastRequest]) -> None:
        """Note the last request of each host, by its key, several at once."""
        at_once(lambda noted: self.change_host(noted[0], Update({"request": request_item(noted[1])})), requests.items())
