"""Versions and publications in an SQL database; the engines differ in connecting, locking, clocks and error codes."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any, ClassVar

from ddns_updater.errors import HistoryError, VersionTaken
from ddns_updater.history.rows import journal_of, time_of, time_or_none, utc_text
from ddns_updater.model import (
    Address,
    Family,
    HistoryEntry,
    HistorySummary,
    Journal,
    Origin,
    Publication,
    Version,
    Window,
)

_SEED_TRIES = 100  # each one that fails means that another writer succeeded

_VERSIONS = """
SELECT h.id, h.originId, h.name, h.version, COALESCE(h.ip, ''), COALESCE({created}, 0), h.note, {now},
       p.recordName, p.recordType, {p_created}, p.state, p.hostedZoneId, p.address, p.ttl,
       p.changeId, p.attempts, p.lastError,
       {p_submitted}, {p_verified}, {p_checked}, p.drift, {p_drift}{until}
FROM ({chosen}) h
LEFT JOIN admin_dns_publication p ON p.historyId = h.id
ORDER BY h.version DESC, p.recordName, p.recordType
"""
_LATEST = "SELECT * FROM admin_ip_history WHERE originId = ? ORDER BY version DESC LIMIT 1"

# The versions current within a window: those that began in it, and those that began before it and ended after its
# start. The shared table has no index on createdAt, so this walks down from the newest version and stops at the limit.
# The next version is looked up by its number first: across a gap MariaDB reads all the lower versions to find it.
_ENDED = """COALESCE(
    (SELECT {next_began} FROM admin_ip_history n WHERE n.originId = v.originId AND n.version = v.version + 1),
    (SELECT {next_began} FROM admin_ip_history n WHERE n.originId = v.originId AND n.version > v.version
     ORDER BY n.version LIMIT 1)
)"""
_WITHIN = """
SELECT v.*, {ended} AS ended FROM admin_ip_history v
WHERE v.originId = ? AND {began} < ? AND ({began} >= ? OR COALESCE({ended}, ?) > ?)
ORDER BY v.version DESC LIMIT ?
"""

# The same choice over every version of an origin. LAG would cost a second sort, hence the comparison with the first.
_SUMMARY = """
SELECT {now}, MIN(CASE WHEN isFirst THEN began END), SUM(chosen),
       SUM(CASE WHEN NOT isFirst AND began >= ? AND began < ? THEN 1 ELSE 0 END),
       MAX(CASE WHEN chosen THEN COALESCE(ended, CAST({now} AS SIGNED)) - began END),
       MAX(CASE WHEN chosen AND NOT isFirst THEN ended - began END),
       MIN(CASE WHEN chosen AND NOT isFirst THEN ended - began END)
FROM (SELECT began, ended, isFirst, began < ? AND (began >= ? OR COALESCE(ended, ?) > ?) AS chosen
      FROM (SELECT {began} AS began, LEAD({began}) OVER (ORDER BY v.version) AS ended,
                   v.version = (SELECT MIN(version) FROM admin_ip_history WHERE originId = ?) AS isFirst
            FROM admin_ip_history v WHERE v.originId = ?) h) h
"""
_EVER = 2**62  # seconds; later than any time, and earlier than any when negative
_ALWAYS = Window()
_COLUMNS = (
    "state", "hostedZoneId", "address", "ttl", "changeId", "attempts", "lastError",
    "submittedAt", "verifiedAt", "checkedAt", "drift", "driftAt",
)  # fmt: skip


class SqlHistory(ABC):
    """History on one open connection; every method raises HistoryError when the database fails."""

    engine: ClassVar[str]
    database: str

    # The engine's SQL for the seconds since 1970 of a column in its time zone, of a column in UTC, and of now; and for
    # an INSERT that meets an existing row.
    local_epoch: ClassVar[str]
    utc_epoch: ClassVar[str]
    now_epoch: ClassVar[str]
    on_conflict: ClassVar[str]
    excluded: ClassVar[str]

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._latest = self._versions_sql(_LATEST)

    @abstractmethod
    def connect(self) -> Any:
        """Open one more connection of the same kind; raises the driver's own exceptions."""

    @abstractmethod
    def lock(self, key: str) -> AbstractContextManager[bool]:
        """Take the lock `key` without waiting; yield False when it is taken. It ends with the process at the latest."""

    @abstractmethod
    def has_table(self, name: str) -> bool:
        """Return whether the database holds a table `name`."""

    @abstractmethod
    def transaction(self) -> AbstractContextManager[None]:
        """Make the statements in the block one transaction."""

    @abstractmethod
    def errors(self) -> AbstractContextManager[None]:
        """Translate the driver's exceptions in the block into HistoryError."""

    @abstractmethod
    def is_duplicate(self, error: BaseException | None) -> bool:
        """Return whether a driver's exception says that a unique key was violated."""

    def is_conflict(self, error: BaseException | None) -> bool:
        """Return whether a driver's exception says that another writer was first; the transaction can be repeated."""
        return self.is_duplicate(error)

    @abstractmethod
    def execute(self, sql: str, values: Sequence[Any] = ()) -> Any:
        """Execute one statement with `?` for its values and return the cursor."""

    @abstractmethod
    def execute_many(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        """Execute one statement for every row of values."""

    @property
    def place(self) -> str:
        """Return where the database is, without secrets."""
        return self.database

    def now(self) -> datetime:
        """Return the time by the database's clock, in whole seconds."""
        with self.errors():
            return time_of(self.execute(f"SELECT {self.now_epoch}").fetchone()[0])

    def missing_grants(self) -> Sequence[str]:
        """Return the grants that a run needs and this account lacks; grants through a role are not seen."""
        return ()

    @abstractmethod
    def answers(self) -> bool:
        """Return whether the connection works and may be kept."""

    def close(self) -> None:
        """Close the connection, which releases its locks."""
        self._connection.close()

    def origins(self, name: str | None = None) -> tuple[Origin, ...]:
        """Return every origin, or those called `name`, oldest first.

        The first row of an origin is version 1, and the family is that of its address.
        """
        sql = (
            "SELECT originId, name, ip FROM admin_ip_history WHERE version = 1 AND name IS NOT NULL AND ip IS NOT NULL"
        )
        with self.errors():
            if name is None:
                rows = self.execute(f"{sql} ORDER BY id").fetchall()
            else:  # the database may ignore case and accents when it compares names
                found = self.execute(f"{sql} AND name = ? ORDER BY id", (name,)).fetchall()
                rows = [row for row in found if row[1] == name]
        return tuple(Origin(row[0], row[1], Family.IPV6 if ":" in row[2] else Family.IPV4) for row in rows)

    def latest(self, origin: Origin) -> Journal:
        """Return the version with the highest number, and its publications."""
        with self.errors():
            rows = self.execute(self._latest, (origin.id,)).fetchall()
        if not rows:
            raise HistoryError(f"origin {origin.name} has no versions left: its rows were deleted")
        return journal_of(rows)

    def entries(self, origin: Origin, limit: int, window: Window = _ALWAYS) -> list[HistoryEntry]:
        """Return at most `limit` of the versions of `origin` that were current within `window`, newest first."""
        began, ended = self._seconds("v.createdAt"), _ENDED.format(next_began=self._seconds("n.createdAt"))
        sql = self._versions_sql(_WITHIN.format(began=began, ended=ended), ", h.ended")
        begin, end = _bounds(window)
        with self.errors():
            rows = self.execute(sql, (origin.id, end, begin, _EVER, begin, limit)).fetchall()
        entries = []
        for _, group in groupby(rows, key=lambda row: row[0]):
            of_version = list(group)
            version, publications, read_at = journal_of(of_version)
            entries.append(HistoryEntry(version, origin.family, time_or_none(of_version[0][-1]), read_at, publications))
        return entries

    def summary(self, origin: Origin, window: Window = _ALWAYS) -> HistorySummary:
        """Return how often the address of `origin` changed within `window`; this reads all of its versions."""
        sql = _SUMMARY.format(now=self.now_epoch, began=self._seconds("v.createdAt"))
        begin, end = _bounds(window)
        with self.errors():
            row = self.execute(sql, (begin, end, end, begin, _EVER, begin, origin.id, origin.id)).fetchone()
        if row[1] is None:
            raise HistoryError(f"origin {origin.name} has no versions left: its rows were deleted")
        now, began, versions, changes = (int(each) for each in row[:4])
        longest, seen, shortest = (None if each is None else timedelta(seconds=max(int(each), 0)) for each in row[4:])
        start = max(began, min(begin, now))
        return HistorySummary(
            family=origin.family,
            began=time_of(began),
            begin=time_of(start),
            end=time_of(max(start, min(end, now))),
            versions=versions,
            changes=changes,
            longest=longest or timedelta(0),
            at_least=seen is None or longest != seen,
            shortest=shortest,
        )

    def append(self, origin: Origin, previous: Version, address: Address) -> Journal:
        """Append the version after `previous`; raises VersionTaken when another run has appended it."""
        try:
            with self.errors(), self.transaction():
                self._insert(origin, previous.version + 1, address)
        except HistoryError as error:
            if self.is_duplicate(error.__cause__) and self.latest(origin).version.version > previous.version:
                raise VersionTaken(
                    f"version {previous.version + 1} of {origin.name} was appended by another run"
                ) from error
            raise
        return self.latest(origin)

    def seed(self, name: str, family: Family, address: Address, note: str | None) -> Origin:
        """Insert the first row of a new origin: version 1, with its own `id` as `originId`.

        One statement gives both numbers. A number that another writer took first is chosen anew.
        """
        for _ in range(_SEED_TRIES):
            try:
                return self._seed(name, family, address, note)
            except HistoryError as error:
                if not self.is_conflict(error.__cause__):
                    raise
                conflict = error
        raise conflict

    def _seed(self, name: str, family: Family, address: Address, note: str | None) -> Origin:
        with self.errors(), self.transaction():
            like = "%:%" if family is Family.IPV6 else "%.%"
            rows = self.execute(
                "SELECT originId, name FROM admin_ip_history WHERE name = ? AND ip LIKE ?", (name, like)
            )
            orphan = next((row[0] for row in rows.fetchall() if row[1] == name), None)
            if orphan is not None:
                raise HistoryError(
                    f"failed to create origin {name}: rows of originId {orphan} have that name and none is version 1;"
                    " give the oldest of them version 1, or choose another name"
                )
            highest = self.execute("SELECT MAX(id), MAX(originId) FROM admin_ip_history").fetchone()
            number = max(each or 0 for each in highest) + 1
            self.execute(
                "INSERT INTO admin_ip_history (id, ip, name, version, originId, note) VALUES (?, ?, ?, 1, ?, ?)",
                (number, str(address), name, number, note),
            )
        return Origin(number, name, family)

    def save(self, version: Version, publications: Iterable[Publication]) -> None:
        """Write the publications of `version`; each replaces the one that exists for its record."""
        rows = [
            (
                version.id, each.record.name, each.record.type, utc_text(each.created_at),
                each.state.value, each.hosted_zone_id, each.address and str(each.address), each.ttl, each.change_id,
                each.attempts,
                each.error and each.error[:1000],
                utc_text(each.submitted_at), utc_text(each.verified_at), utc_text(each.checked_at),
                each.drift and each.drift[:1000], utc_text(each.drift_at),
            )
            for each in publications
        ]  # fmt: skip
        columns = ("historyId", "recordName", "recordType", "createdAt", *_COLUMNS)
        updates = ", ".join(f"{column} = {self.excluded.format(column)}" for column in _COLUMNS)
        sql = (
            f"INSERT INTO admin_dns_publication ({', '.join(columns)})"  # noqa: S608 - only names from this file
            f" VALUES ({', '.join('?' for _ in columns)}) {self.on_conflict} {updates}"
        )
        with self.errors(), self.transaction():
            self.execute_many(sql, rows)

    def _versions_sql(self, chosen: str, until: str = "") -> str:
        """Return the query for the versions that `chosen` selects, with `until` as one more column."""
        return _VERSIONS.format(
            chosen=chosen,
            until=until,
            created=self.local_epoch.format("h.createdAt"),
            now=self.now_epoch,
            **{
                f"p_{name}": self.utc_epoch.format(f"p.{name}At")
                for name in ("created", "submitted", "verified", "checked", "drift")
            },
        )

    def _seconds(self, column: str) -> str:
        """Return the SQL for a column in the database's time zone as signed seconds, which can be subtracted."""
        return f"CAST(COALESCE({self.local_epoch.format(column)}, 0) AS SIGNED)"  # MySQL's own is unsigned

    def _insert(self, origin: Origin, version: int, address: Address) -> None:
        self.execute(
            "INSERT INTO admin_ip_history (ip, name, version, originId, note) VALUES (?, ?, ?, ?, NULL)",
            (str(address), origin.name, version, origin.id),
        )


def _bounds(window: Window) -> tuple[int, int]:
    """Return a window in seconds since 1970."""
    return (
        -_EVER if window.begin is None else int(window.begin.timestamp()),
        _EVER if window.end is None else int(window.end.timestamp()),
    )
