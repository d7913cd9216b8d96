"""Versions and publications in an SQL database; the engines differ in connecting, locking, clocks and error codes."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from itertools import groupby
from typing import Any, ClassVar

from ddns_updater.errors import HistoryError, VersionTaken
from ddns_updater.model import (
    Family,
    HistoryEntry,
    Journal,
    Origin,
    Publication,
    PublicationState,
    Record,
    Version,
)

Row = Sequence[Any]

# A row of a new origin needs an originId before its own id is known. Nobody's row has this one, and 0 may be in use.
_UNSETTLED = 2**63 - 1

_VERSIONS = """
SELECT h.id, h.originId, h.name, h.version, COALESCE(h.ip, ''), COALESCE({created}, 0), h.note, {now},
       p.recordName, p.recordType, {p_created}, p.state, p.hostedZoneId, p.address, p.ttl,
       p.changeId, p.attempts, p.lastError,
       {p_submitted}, {p_verified}, {p_checked}, p.drift, {p_drift}
FROM (SELECT * FROM admin_ip_history WHERE originId = ? ORDER BY version DESC LIMIT ?) h
LEFT JOIN admin_dns_publication p ON p.historyId = h.id
ORDER BY h.version DESC, p.recordName, p.recordType
"""
_COLUMNS = (
    "state", "hostedZoneId", "address", "ttl", "changeId", "attempts", "lastError",
    "submittedAt", "verifiedAt", "checkedAt", "drift", "driftAt",
)  # fmt: skip


class SqlHistory(ABC):
    """History on one open connection; every method raises HistoryError when the database does not do its part."""

    engine: ClassVar[str]
    database: str

    # What the engine calls things: the seconds since 1970 of a column in its own time zone, of one in UTC, and of now;
    # and how an INSERT that meets an existing row goes on.
    local_epoch: ClassVar[str]
    utc_epoch: ClassVar[str]
    now_epoch: ClassVar[str]
    on_conflict: ClassVar[str]
    excluded: ClassVar[str]

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._versions = _VERSIONS.format(
            created=self.local_epoch.format("h.createdAt"),
            now=self.now_epoch,
            **{
                f"p_{name}": self.utc_epoch.format(f"p.{name}At")
                for name in ("created", "submitted", "verified", "checked", "drift")
            },
        )

    @abstractmethod
    def connect(self) -> Any:
        """Open one more connection of the same kind; raises the driver's own exceptions."""

    @abstractmethod
    def lock(self, key: str) -> AbstractContextManager[bool]:
        """Take the lock `key` without waiting; False when somebody holds it. It ends with the process at the latest."""

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

    @abstractmethod
    def execute(self, sql: str, values: Sequence[Any] = ()) -> Any:
        """Execute one statement with `?` for its values and return the cursor."""

    @abstractmethod
    def execute_many(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        """Execute one statement for every row of values."""

    @property
    def place(self) -> str:
        """Return where the database is, as it may be shown."""
        return self.database

    def now(self) -> datetime:
        """Return the time by the database's clock, in whole seconds."""
        with self.errors():
            return _time(self.execute(f"SELECT {self.now_epoch}").fetchone()[0])

    def missing_grants(self) -> Sequence[str]:
        """Return what a run needs and this account was not given itself; roles are not looked into."""
        return ()

    def close(self) -> None:
        """Close the connection, which gives back its locks."""
        self._connection.close()

    def origins(self, name: str | None = None) -> tuple[Origin, ...]:
        """Return every origin, or those called `name`, oldest first.

        The first row of each is version 1, and its address tells the family.
        """
        sql = (
            "SELECT originId, name, ip FROM admin_ip_history WHERE version = 1 AND name IS NOT NULL AND ip IS NOT NULL"
        )
        with self.errors():
            if name is None:
                rows = self.execute(f"{sql} ORDER BY id").fetchall()
            else:  # the database may take names for equal that are not: case, accents
                found = self.execute(f"{sql} AND name = ? ORDER BY id", (name,)).fetchall()
                rows = [row for row in found if row[1] == name]
        return tuple(Origin(row[0], row[1], Family.IPV6 if ":" in row[2] else Family.IPV4) for row in rows)

    def latest(self, origin: Origin) -> Journal:
        """Return the version with the highest number, and what DNS was asked for it."""
        entries = self.entries(origin, 1)
        if not entries:
            raise HistoryError(f"origin {origin.name} has no version any more; its rows were deleted by hand")
        return Journal(entries[0].version, entries[0].publications, entries[0].read_at)

    def entries(self, origin: Origin, limit: int) -> list[HistoryEntry]:
        """Return at most `limit` versions of `origin`, newest first."""
        with self.errors():
            rows = self.execute(self._versions, (origin.id, limit)).fetchall()
        entries: list[HistoryEntry] = []
        for _, group in groupby(rows, key=lambda row: row[0]):
            lines = list(group)
            version, read_at = _version(lines[0]), _time(lines[0][7])
            until = entries[-1].version.created_at if entries else None
            publications = tuple(_publication(line[8:]) for line in lines if line[8] is not None)
            entries.append(HistoryEntry(version, origin.family, until, read_at, publications))
        return entries

    def append(self, origin: Origin, previous: Version, ip: str) -> Journal:
        """Append the version after `previous`; raises VersionTaken when somebody else has done so."""
        try:
            with self.errors(), self.transaction():
                self._insert(ip, origin.name, previous.version + 1, origin.id, None)
        except HistoryError as error:
            if self.is_duplicate(error.__cause__) and self.latest(origin).version.version > previous.version:
                raise VersionTaken(
                    f"version {previous.version + 1} of {origin.name} was appended by another run"
                ) from error
            raise
        return self.latest(origin)

    def seed(self, name: str, family: Family, ip: str, note: str | None) -> Origin:
        """Insert the first row of a new origin: version 1, its `originId` its own `id`."""
        with self.errors(), self.transaction():
            like = "%:%" if family is Family.IPV6 else "%.%"
            rows = self.execute(
                "SELECT originId, name FROM admin_ip_history WHERE name = ? AND ip LIKE ?", (name, like)
            )
            orphan = next((row[0] for row in rows.fetchall() if row[1] == name), None)
            if orphan is not None:
                raise HistoryError(
                    f"failed to create origin {name}: rows of originId {orphan} bear that name and none is version 1;"
                    " give the oldest of them version 1, or choose another name"
                )
            row_id = self._insert(ip, name, 1, _UNSETTLED, note)
            self.execute("UPDATE admin_ip_history SET originId = ? WHERE id = ?", (row_id, row_id))
        return Origin(row_id, name, family)

    def save(self, version: Version, publications: Iterable[Publication]) -> None:
        """Write the publications of `version`, each over what is there for its record."""
        rows = [
            (
                version.id, each.record.name, each.record.type, _text(each.created_at),
                each.state.value, each.hosted_zone_id, each.address, each.ttl, each.change_id, each.attempts,
                each.error and each.error[:1000],
                _text(each.submitted_at), _text(each.verified_at), _text(each.checked_at),
                each.drift and each.drift[:1000], _text(each.drift_at),
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

    def _insert(self, ip: str, name: str, version: int, origin_id: int, note: str | None) -> int:
        cursor = self.execute(
            "INSERT INTO admin_ip_history (ip, name, version, originId, note) VALUES (?, ?, ?, ?, ?)",
            (ip, name, version, origin_id, note),
        )
        return int(cursor.lastrowid)


def _version(row: Row) -> Version:
    return Version(row[0], row[1], row[2], row[3], row[4], _time(row[5]), row[6])


def _publication(row: Row) -> Publication:
    (
        name,
        kind,
        created,
        state,
        zone,
        address,
        ttl,
        change,
        attempts,
        error,
        submitted,
        verified,
        checked,
        drift,
        drift_at,
    ) = row
    return Publication(
        record=Record(name, kind),
        created_at=_time(created),
        state=PublicationState(state),
        hosted_zone_id=zone,
        address=address,
        ttl=ttl,
        change_id=change,
        attempts=attempts,
        error=error,
        submitted_at=_time_or_none(submitted),
        verified_at=_time_or_none(verified),
        checked_at=_time_or_none(checked),
        drift=drift,
        drift_at=_time_or_none(drift_at),
    )


def _time(epoch: Any) -> datetime:
    return datetime.fromtimestamp(int(epoch), UTC)


def _time_or_none(epoch: Any) -> datetime | None:
    return None if epoch is None else _time(epoch)


def _text(time: datetime | None) -> str | None:
    return None if time is None else time.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
