"""The hosts that update themselves, as their requests need them: the port Requests of the update endpoint."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple

from ddns_updater.history import host_queries, queries
from ddns_updater.history.host_table import Current, HostTable, chunks, host_of
from ddns_updater.history.rows import publication_row, text_of, time_of, utc_text
from ddns_updater.history.sql import SqlHistory
from ddns_updater.hosts import NOT_NOW, Decision, Host, Judge, LastRequest, Login, Result, Verdict, result_of
from ddns_updater.model import Address, Family, Origin, Publication, PublicationState, Record, Version, parse_address


class _Step(NamedTuple):
    """What an update does to one record of a host."""

    host: Host
    family: Family
    address: Address
    known: Current | None
    decision: Decision


class SqlRequests(HostTable):
    """The port Requests; every method raises HistoryError when the database fails."""

    def __init__(self, history: SqlHistory, judge: Judge) -> None:
        """Take an open history, and the function that decides what a request may do."""
        super().__init__(history)
        self._judge = judge

    def login(self, login: str) -> Login | None:
        """Return the login with its hosts, None when there is none; `login` is lower-case."""
        return self.logins([login]).get(login)

    def logins(self, wanted: Sequence[str]) -> dict[str, Login]:
        """Return those of the logins that exist, each with its hosts; they are lower-case."""
        found: dict[str, Login] = {}
        for chunk in chunks(wanted):
            found |= _logins(self.rows(host_queries.logins(self.dialect, len(chunk)), chunk))
        return found

    def login_of(self, name: str) -> Login | None:
        """Return the login of the host called `name` with that host alone, None when there is no such host."""
        rows = self.rows(host_queries.login_of(self.dialect), (name,))
        # The database may ignore case and accents when it compares.
        return next(iter(_logins(row for row in rows if host_of(row).name == name).values()), None)

    def answers(self) -> bool:
        """Return whether the connection works and may be kept."""
        return self.history.is_usable()

    def update(self, updates: Sequence[tuple[Host, Mapping[Family, Address]]]) -> list[Result]:
        """Record the addresses of hosts, all in one transaction, and return the result of each.

        An address that is not that of the latest version becomes the next version, with a publication that is pending
        and due. Once this returns, a kill loses nothing of it. No host is in `updates` twice.
        """
        return _results(updates, self.again(partial(self._recorded, updates)))

    def _judged(self, updates: Sequence[tuple[Host, Mapping[Family, Address]]]) -> list[_Step]:
        """Return what has to be done, in the order of the keys of the hosts: two servers lock them in the same."""
        current = self.current([host.id for host, _ in updates])
        steps = []
        for host, addresses in sorted(updates, key=lambda each: each[0].id):  # type: ignore[arg-type, return-value] # int
            for family, address in addresses.items():
                known = current.get((host.id, family))
                recorded_at = partial(self._recorded_at, known)
                decision = self._judge(host, address, known.journal if known else None, recorded_at)
                steps.append(_Step(host, family, address, known, decision))
        return steps

    def _recorded(self, updates: Sequence[tuple[Host, Mapping[Family, Address]]]) -> list[_Step]:
        """Judge again, where nobody else can change the hosts, and record what is new."""
        with self.history.errors(), self.history.transaction():
            now = self.now()
            ids = [host.id for host, _ in updates]
            there = {key for (key,) in self.rows(host_queries.locked(self.dialect, len(ids)), ids)}
            steps = [each if each.host.id in there else _removed(each) for each in self._judged(updates)]
            new = [(each, *self._append(each, now)) for each in steps if each.decision.verdict is Verdict.GOOD]
            pending = [
                publication_row(version, Publication(Record(step.host.name, step.family.record_type), now))
                for step, version, _ in new
            ]
            self.write(queries.save(self.dialect), pending)
            self.write(
                host_queries.recorded(self.dialect),
                [
                    (step.host.id, step.family.record_type, origin_id, version.version, utc_text(now), utc_text(now))
                    for step, version, origin_id in new
                ],
            )
            at = utc_text(now)
            self.write(
                host_queries.DUE_AGAIN,
                [(at, at, each.host.id, each.family.record_type) for each in steps if _is_unpublished(each)],
            )
            for each in steps:
                if each.decision.is_slowed and not each.host.slowed_at:
                    self.history.execute(host_queries.SLOW, (utc_text(now), each.host.id))
                elif each.host.slowed_at and not each.decision.is_slowed and each.decision.verdict is Verdict.GOOD:
                    self.history.execute(host_queries.SLOW, (None, each.host.id))
        return steps

    def _append(self, step: _Step, now: datetime) -> tuple[Version, Hashable]:
        """Insert the next version of a record, or the first one with its own `id` as `originId`, and return both."""
        if step.known is None:
            highest: tuple[Any, ...] = self.history.execute(queries.HIGHEST).fetchone()
            key: int | None = max(each or 0 for each in highest) + 1
            origin_id: Hashable = key
            number = 1
        else:
            origin_id, journal = step.known
            key = None
            number = journal.version.version + 1
        origin = Origin(origin_id, step.host.name, step.family)
        row_id = self.history.insert(origin, number, step.address, key=key)
        return Version(row_id, origin.name, number, str(step.address), step.address, now), origin_id

    def _recorded_at(self, known: Current | None, version: int) -> datetime | None:
        """Return when a version of the same origin was recorded; None when there is none."""
        sql = host_queries.CREATED_AT.format(seconds=self.dialect.local_seconds.format("createdAt"))
        rows = self.rows(sql, (known.origin_id, version)) if known else []
        return time_of(rows[0][0]) if rows and rows[0][0] is not None else None

    def note_requests(self, requests: Mapping[Hashable, LastRequest]) -> None:
        """Note the last request of each host, by its key, in one transaction."""
        rows = [(utc_text(each.at), each.client, each.caller, each.verdict, key) for key, each in requests.items()]
        with self.history.errors(), self.history.transaction():
            self.write(host_queries.NOTE_REQUEST, rows)


def _logins(rows: Iterable[Sequence[Any]]) -> dict[str, Login]:
    """Return the logins in `rows`; a host has a row for each of its records."""
    hosts: dict[str, dict[Hashable, Host]] = {}
    secrets: dict[str, Sequence[str | None]] = {}
    for row in rows:
        host = host_of(row)
        *secrets[host.login], ip = row[host_queries.HOST_COLUMNS :]
        held = {address} if (address := parse_address(text_of(ip))) else frozenset()
        others = hosts.setdefault(host.login, {})
        known = others.get(host.id, host)
        others[host.id] = known._replace(held=known.held | held)
    return {
        login: Login(
            login, tuple(filter(None, given[:2])), tuple(filter(None, given[2:])), tuple(hosts[login].values())
        )
        for login, given in secrets.items()
    }


def _is_unpublished(step: _Step) -> bool:
    """Return whether a host that is there gives its latest version, which was not yet seen to hold.

    It is due, unless the host was removed meanwhile and added again.
    """
    if step.known is None or step.decision == NOT_NOW or step.decision.verdict is Verdict.BLOCKED:
        return False
    publication = step.known.journal.publication(Record(step.host.name, step.family.record_type))
    is_latest = step.known.journal.version.address == step.address
    return is_latest and publication is not None and publication.state is not PublicationState.VERIFIED


def _removed(step: _Step) -> _Step:
    """Return what is done for a host that was removed since its request came: the next one meets no such host."""
    return step._replace(decision=NOT_NOW)


def _results(updates: Sequence[tuple[Host, Mapping[Family, Address]]], steps: Sequence[_Step]) -> list[Result]:
    """Return the result for each host: the worst of its records."""
    by_host: dict[Hashable, list[Decision]] = {}
    for each in steps:
        by_host.setdefault(each.host.id, []).append(each.decision)
    return [result_of(by_host[host.id], tuple(addresses.values())) for host, addresses in updates]
