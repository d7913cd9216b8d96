"""The tables of the hosts that update themselves: what their queries share, and the values in their rows."""

from collections.abc import Callable, Hashable, Iterator, Sequence
from datetime import datetime
from ipaddress import IPv6Address
from typing import Any, NamedTuple, TypeVar

from ddns_updater.errors import HistoryError
from ddns_updater.history import host_queries
from ddns_updater.history.rows import journal_of, text_of, time_of, time_or_none
from ddns_updater.history.sql import SqlHistory
from ddns_updater.hosts import Host, LastRequest, Verdict
from ddns_updater.model import Family, Journal

_T = TypeVar("_T")

_TRIES = 100  # each one that fails means that another writer succeeded
_CHUNK = 500  # hosts in one query


class Current(NamedTuple):
    """The latest version of a host in one family."""

    origin_id: Hashable
    journal: Journal


class HostTable:
    """The tables of hosts on the connection of a history."""

    def __init__(self, history: SqlHistory) -> None:
        """Take an open history."""
        self.history = history
        self.dialect = history.dialect

    def current(self, host_ids: Sequence[Hashable]) -> dict[tuple[Hashable, Family], Current]:
        """Return the latest versions of hosts, by the key of the host and the family."""
        by_record: dict[tuple[Hashable, Family, Hashable], list[Any]] = {}
        for chunk in chunks(host_ids):
            for row in self.rows(host_queries.current(self.dialect, len(chunk)), chunk):
                host_id, record_type, origin_id = row[-3:]
                by_record.setdefault((host_id, Family.of_record(record_type), origin_id), []).append(row[:-3])
        return {
            (host_id, family): Current(origin_id, journal_of(rows))
            for (host_id, family, origin_id), rows in by_record.items()
        }

    def now(self) -> datetime:
        """Return the time by the database's clock, in whole seconds."""
        return self.history.now()

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[Any]:
        """Return the rows of a query."""
        with self.history.errors():
            return list(self.history.execute(sql, values).fetchall())

    def write(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        """Execute a statement for each row of values, in the current transaction."""
        if rows:
            self.history.execute_many(sql, rows)

    def again(self, transaction: Callable[[], _T]) -> _T:
        """Return what `transaction` returns, done again for as long as another writer was first."""
        for _ in range(_TRIES):
            try:
                return transaction()
            except HistoryError as error:
                if not self.history.is_conflict(error.__cause__):
                    raise
                conflict = error
        raise conflict


def chunks(host_ids: Sequence[Hashable]) -> Iterator[Sequence[Hashable]]:
    """Yield the keys of hosts, as many at a time as one query takes."""
    for start in range(0, len(host_ids), _CHUNK):
        yield host_ids[start : start + _CHUNK]


def host_of(row: Sequence[Any]) -> Host:
    """Return the host in the first columns of `row`."""
    key, name, login, takes_aws, takes_query, is_apex, suffix, created_at, blocked_at, slowed_at = row[
        : host_queries.HOST_COLUMNS
    ]
    return Host(
        id=key,
        name=name,
        login=login,
        created_at=time_of(created_at),
        takes_aws=bool(takes_aws),
        takes_query=bool(takes_query),
        is_apex=bool(is_apex),
        suffix=IPv6Address(suffix) if suffix else None,
        blocked_at=time_or_none(blocked_at),
        slowed_at=time_or_none(slowed_at),
    )


def last_request(row: Sequence[Any]) -> LastRequest | None:
    """Return the last request in `row`, None when there was none."""
    at, client, caller, verdict = row
    if at is None:
        return None
    return LastRequest(time_of(at), text_of(client) or "", text_of(caller) or "", Verdict(verdict))
