"""The history in an SQL database; the engines differ in connecting, locking, dialect and error codes."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from itertools import chain
from typing import Any, ClassVar, Protocol

from ddns_updater.errors import HistoryError, VersionTaken
from ddns_updater.history import queries
from ddns_updater.history.queries import Dialect
from ddns_updater.history.rows import (
    claims_of,
    entries_of,
    family_of,
    journal_of,
    publication_row,
    sent_of,
    summary_of,
    text_of,
    time_of,
    utc_text,
    version_of,
)
from ddns_updater.model import (
    Address,
    Claim,
    Family,
    HistoryEntry,
    HistorySummary,
    Journal,
    Origin,
    Publication,
    Record,
    Sent,
    StoredOrigin,
    Version,
    Window,
    parse_address,
)

_SEED_TRIES = 100  # each one that fails means that another writer succeeded
_ASKED_TOGETHER = 100  # origins in one query
_LOOK_BACK = 200  # versions in which a value that DNS holds is looked for
_MAX_ID = 2**63 - 1
_EVER = 2**62  # seconds; later than any time, and earlier than any when negative


class Schema(Protocol):
    """The tables: history/schema.py, which is imported late because it needs yoyo."""

    def upgrade(self, history: "SqlHistory") -> int:
        """Create or upgrade the tables and return how many migrations were applied."""

    def outdated(self, history: "SqlHistory") -> Sequence[str]:
        """Return what the tables lack."""

    def examine(
        self, history: "SqlHistory", name: str | None, families: Sequence[Family]
    ) -> Sequence[tuple[str, str | None]]:
        """Return what is worth knowing about the shared table; raises HistoryError when it takes no new versions."""

    def rehearse(self, history: "SqlHistory", name: str, families: Sequence[Family]) -> None:
        """Raise HistoryError when the shared table takes no new versions."""


class SqlHistory(ABC):
    """The port HistoryStore on one open connection; every method raises HistoryError when the database fails."""

    engine: ClassVar[str]  # the name of its folder of migrations
    dialect: ClassVar[Dialect]
    has_own_clock: ClassVar[bool]

    def __init__(self, connection: Any, database: str, schema: Callable[[], Schema]) -> None:
        """Take an open connection to `database`, and the function that imports its schema."""
        self._connection = connection
        self.database = database
        self._schema = schema
        self._unfilled: set[str] | None = None

    # What a run needs

    def origins(self, name: str | None = None) -> tuple[StoredOrigin, ...]:
        """Return every origin but those of hosts, or all called `name`, in the order of their keys.

        The newest row of an originId gives its name and family, a late one the family when that holds no address; no
        other row has to exist. One without any address is an origin only for who names it.
        """
        origins: list[StoredOrigin] = []
        with self.errors():
            for origin_id, called, ip, record_type in self._newest_rows(name):
                if origins and origins[-1][:2] == (origin_id, called):
                    continue  # its newest version is there twice, which `init` refuses
                if record_type:
                    origins.append(StoredOrigin(origin_id, called, Family.of_record(record_type), is_host=True))
                    continue
                family = family_of(ip)
                if family is None:
                    late = self.execute(queries.LATE_ADDRESSES, (origin_id,)).fetchall()
                    if not late and name is None:
                        continue
                    family = next(filter(None, (family_of(text_of(row[0])) for row in late)), None)
                origins.append(StoredOrigin(origin_id, called, family))
        return tuple(origins)

    def has_host(self, name: str) -> bool:
        """Return whether there is, or was, a host of the update endpoint called `name`."""
        try:
            with self.errors():
                rows = self.execute(queries.HOST, (name,)).fetchall()
        except HistoryError as error:
            if not of_host_tables(error):
                raise
            return False
        return any(text_of(row[0]) == name for row in rows)  # the database may ignore case when it compares

    def _newest_rows(self, name: str | None) -> list[tuple[Any, str, str | None, str | None]]:
        """Return the newest row of each originId, or of those that are called `name`: originId, name and address.

        The last value is the record type of a host. They are read from both ends, two in one query.
        """
        try:
            with self.errors():
                rows = self._read_newest(name, knows_hosts=True)
        except HistoryError as error:
            if not of_host_tables(error):
                raise
            rows = self._read_newest(name, knows_hosts=False)
        # The database may ignore case and accents when it compares names, and the newest row may have another name.
        newest = [
            (each[0], text_of(each[2]), text_of(each[3]), text_of(each[4]))
            for each in rows
            if each[1] is not None and each[2] is not None
        ]
        return sorted({each for each in newest if name in (None, each[1])}, key=lambda each: each[0])

    def _read_newest(self, name: str | None, *, knows_hosts: bool) -> list[Any]:
        sql = queries.outermost(of_name=name is not None, knows_hosts=knows_hosts)
        rows: list[Any] = []
        low, high = -_MAX_ID, _MAX_ID
        while low < high:
            found = self.execute(sql, ((low, high) if name is None else (name, low, high)) * 2).fetchall()
            rows += found
            low, high = (found[0][0], found[-1][0]) if found else (high, high)
        return rows

    def newest(self, origin: Origin) -> Version:
        """Return the version with the highest number; only the shared table has to exist."""
        with self.errors():
            row = self.execute(queries.newest(self.dialect), (origin.id,)).fetchone()
        if not row:
            raise _without_versions(origin)
        return version_of(row)

    def joining(self, kept: Origin, moved: Origin) -> str:
        """Return the statements that make the versions of `moved` versions of `kept`; no version is taken twice.

        The newest stays the newest: older versions go below, where there is room, or those of `kept` go up first.
        """
        with self.errors():
            (first, last), (first_moved, last_moved) = (
                self.execute(queries.VERSIONS, (origin.id,)).fetchone() for origin in (kept, moved)
            )
        theirs = f"originId = {moved.id} AND name = {self.quoted(moved.name)}"
        if self.newest(moved).created_at > self.newest(kept).created_at:
            return _renumbered(kept.id, last + 1 - first_moved, theirs)
        below = first - 1 - last_moved
        if first_moved + below >= 1:
            return _renumbered(kept.id, below, theirs)
        up = max(last + 1 - first, last_moved + 1 - first)
        return f"{_renumbered(kept.id, up, f'originId = {kept.id}')}; {_renumbered(kept.id, 0, theirs)}"

    def lock(self, origin: Origin) -> AbstractContextManager[bool]:
        """Take the lock of `origin` without waiting; yield False when it is taken."""
        return self._lock(str(origin.id))

    def latest(self, origin: Origin) -> Journal:
        """Return the version with the highest number, and its publications."""
        with self.errors():
            rows = self.execute(queries.latest(self.dialect), (origin.id,)).fetchall()
        if not rows:
            raise _without_versions(origin)
        return journal_of(rows)

    def append(self, origin: Origin, previous: Version, address: Address) -> Journal:
        """Append the version after `previous`; raises VersionTaken when another run has appended it."""
        try:
            self._insert(origin, previous.version + 1, address)
        except HistoryError as error:
            if self.is_duplicate(error.__cause__) and self.latest(origin).version.version > previous.version:
                raise VersionTaken(
                    f"version {previous.version + 1} of {origin.name} was appended by another run"
                ) from error
            if error.advice or error.then:
                raise
            raise HistoryError(error.problem, '"ddns doctor" names what refuses a version') from error
        return self.latest(origin)

    def _insert(self, origin: Origin, version: int, address: Address) -> None:
        with self.errors(), self.transaction():
            self.insert(origin, version, address)

    def insert(
        self, origin: Origin, version: int, address: Address, *, note: str | None = None, key: int | None = None
    ) -> int:
        """Insert a version in the current transaction, with the `id` that is `key`, or with the table's next one.

        Return the `id`. The row is read back: a column or a trigger that alters it would make each run append another
        version.
        """
        unfilled = self.unfilled()
        values = {
            "ip": str(address),
            "name": origin.name,
            "version": version,
            "originId": origin.id,
            "note": "" if note is None and "note" in unfilled else note,
        }
        if key is not None:
            values["id"] = key
        self.execute(queries.insert(list(values), unfilled), list(values.values()))
        stored = self.execute(queries.STORED, (origin.id, version)).fetchone()
        key, ip, name = stored or (None, None, None)
        if key is None or not isinstance(ip, str) or (parse_address(ip), name) != (address, origin.name):
            found = f"{ip!r} of {name!r}, id {key}" if stored else "nothing"
            raise HistoryError(
                f"table admin_ip_history alters what is written to it: {address} of {origin.name!r} is read as {found}",
                "make its columns ip and name varchar(255), or correct the trigger that does it",
            )
        return int(key)

    def unfilled(self) -> set[str]:
        """Return the columns of the shared table that only an INSERT fills, though it need not, in lower case."""
        if self._unfilled is None:
            self._unfilled = {row[0] for row in self.execute(self.dialect.unfilled).fetchall()}
        return self._unfilled

    def sent_before(self, versions: Mapping[Origin, Version]) -> dict[Origin, set[Sent]]:
        """Return what DNS may have been sent for the versions just before one of each origin."""
        found: dict[Origin, set[Sent]] = {origin: set() for origin in versions}
        by_key = {origin.id: origin for origin in versions}
        asked = [(origin.id, each.version, each.version - _LOOK_BACK) for origin, each in versions.items()]
        for start in range(0, len(asked), _ASKED_TOGETHER):
            chunk = asked[start : start + _ASKED_TOGETHER]
            with self.errors():
                rows = self.execute(queries.sent(self.dialect, len(chunk)), [*chain.from_iterable(chunk)]).fetchall()
            for origin_id, sent in sent_of(rows):
                found[by_key[origin_id]].add(sent)
        return found

    def claims(self, records: Collection[Record], since: datetime) -> Sequence[Claim]:
        """Return the claims of every origin on `records` that were checked at `since` or later, by originId."""
        names = sorted({each.name for each in records})
        if not names:
            return ()
        time = utc_text(since)
        with self.errors():
            rows = self.execute(queries.claims(self.dialect, len(names)), (*names, time) * 2).fetchall()
        wanted = set(records)
        return [each for each in claims_of(rows) if each.record in wanted]

    def save(self, publications: Iterable[tuple[Version, Publication]]) -> None:
        """Write all publications or none; each replaces the one that exists for its version and record."""
        with self.errors(), self.transaction():
            self.execute_many(queries.save(self.dialect), [publication_row(*each) for each in publications])

    # What the commands need that look back

    def entries(self, origin: Origin, limit: int, window: Window, *, below: int | None = None) -> list[HistoryEntry]:
        """Return at most `limit` of the versions of `origin` that were current within `window`, newest first.

        Versions from the number `below` on are left out.
        """
        start, end = _bounds(window)
        bound = () if below is None else (below,)
        with self.errors():
            values = (origin.id, end, start, _EVER, start, *bound, limit)
            rows = self.execute(queries.entries(self.dialect, below=below is not None), values).fetchall()
        return entries_of(rows, origin.family)

    def summary(self, origin: Origin, window: Window) -> HistorySummary:
        """Return how often the address of `origin` changed within `window`; this reads all of its versions."""
        start, end = _bounds(window)
        with self.errors():
            values = (start, end, end, start, _EVER, start, origin.id, origin.id)
            row = self.execute(queries.summary(self.dialect), values).fetchone()
        if row[1] is None:
            raise _without_versions(origin)
        return summary_of(row, origin.family, start, end)

    # What the update endpoint needs

    def lock_publisher(self) -> AbstractContextManager[bool]:
        """Take the lock of the publisher without waiting; yield False when it is taken."""
        return self._lock("publisher")

    # What `init` needs

    def lock_init(self) -> AbstractContextManager[bool]:
        """Take the lock of `init` without waiting; yield False when it is taken."""
        return self._lock("init")

    def rehearse(self, name: str, families: Sequence[Family]) -> None:
        """Raise HistoryError when versions of `name` cannot be added to a table that is there; changes nothing."""
        self._schema().rehearse(self, name, families)

    def upgrade(self) -> int:
        """Create or upgrade the tables and return how many migrations were applied."""
        return self._schema().upgrade(self)

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
        with self.errors():
            number = max(each or 0 for each in self.execute(queries.HIGHEST).fetchone()) + 1
            self._refuse_strays(name, number)
            origin = Origin(number, name, family)
            with self.transaction():
                self.insert(origin, 1, address, note=note, key=number)
        return origin

    def _refuse_strays(self, name: str, number: int) -> None:
        """Raise HistoryError when there are rows called `name` that no origin has; `number` is a free originId."""
        found = self.execute(queries.OF_NAME, (name,)).fetchall()
        strays = {row[0] for row in found if row[1] == name} - {origin.id for origin in self.origins(name)}
        for stray in strays:
            if self.execute(queries.UNNUMBERED, (name,)).fetchone():
                raise HistoryError(
                    f"rows of origin {name} have no version",
                    "give each its number, 1 to the oldest",
                    then="nothing was changed",
                )
            rows = f"originId {'IS NULL' if stray is None else f'= {stray}'} AND name = {self.quoted(name)}"
            statement = f"UPDATE admin_ip_history SET originId = {number} WHERE {rows}"  # noqa: S608 - only shown
            raise HistoryError(
                f"failed to create origin {name}: rows of originId {stray} have that name, but not its newest row",
                f"choose another name, or make them an origin of their own: {statement}",
            )

    # What `doctor` needs

    @property
    def place(self) -> str:
        """Return where the database is, without secrets."""
        return self.database

    def remarks(self) -> Sequence[tuple[str, str | None]]:
        """Return what is worth knowing about the connection, each with what to do or None."""
        return ()

    def now(self) -> datetime:
        """Return the time by the database's clock, in whole seconds."""
        with self.errors():
            return time_of(self.execute(f"SELECT {self.dialect.now}").fetchone()[0])

    def outdated(self) -> Sequence[str]:
        """Return what the tables lack; writes nothing."""
        return self._schema().outdated(self)

    def check_writing(self) -> None:
        """Raise HistoryError when the database refuses what a run writes; nothing is written."""
        with self.errors():
            unfilled = self.unfilled()
        self.check_statements([queries.insert(queries.VERSION_COLUMNS, unfilled), queries.save(self.dialect)])

    @abstractmethod
    def check_statements(self, statements: Sequence[str]) -> None:
        """Raise HistoryError when the database refuses one of `statements`; nothing is written."""

    def examine(self, name: str | None, families: Sequence[Family]) -> Sequence[tuple[str, str | None]]:
        """Return what is worth knowing about the shared table, each with what to do or None; writes nothing.

        Raises HistoryError when versions of `families` cannot be added to it.
        """
        return self._schema().examine(self, name, families)

    # The connection

    @abstractmethod
    def answers(self) -> bool:
        """Return whether the connection works and may be kept."""

    @abstractmethod
    def reconnect(self) -> None:
        """Open a new connection in place of one that was lost, as ConnectionLost says."""

    def close(self) -> None:
        """Close the connection, which releases its locks."""
        self._connection.close()

    # What each engine does in its own way

    @abstractmethod
    def connect(self) -> Any:
        """Open one more connection of the same kind; raises the driver's own exceptions."""

    @abstractmethod
    def _lock(self, key: str) -> AbstractContextManager[bool]:
        """Take the lock `key` without waiting; yield False when it is taken. It ends with the process at the latest."""

    @abstractmethod
    def has_table(self, name: str) -> bool:
        """Return whether the database holds a table `name`."""

    @abstractmethod
    def transaction(self) -> AbstractContextManager[None]:
        """Make the statements in the block one transaction."""

    @abstractmethod
    def execute(self, sql: str, values: Sequence[Any] = ()) -> Any:
        """Execute one statement with `?` for its values and return the cursor."""

    @abstractmethod
    def execute_many(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        """Execute one statement for every row of values."""

    def quoted(self, text: str) -> str:
        """Return `text` as a literal in SQL for the operator to paste."""
        return "'" + text.replace("'", "''") + "'"

    @abstractmethod
    def errors(self) -> AbstractContextManager[None]:
        """Translate the driver's exceptions in the block into HistoryError."""

    @abstractmethod
    def is_duplicate(self, error: BaseException | None) -> bool:
        """Return whether a driver's exception says that a unique key was violated."""

    def is_denied(self, error: BaseException | None) -> bool:  # noqa: ARG002 - SQLite has no accounts
        """Return whether a driver's exception says that the account lacks a right."""
        return False

    def is_conflict(self, error: BaseException | None) -> bool:
        """Return whether a driver's exception says that another writer was first; the transaction can be repeated."""
        return self.is_duplicate(error)


def of_host_tables(error: HistoryError) -> bool:
    """Return whether `error` says that the tables of hosts are missing, as before `init`, or not granted."""
    return any(f"admin_ddns_{each}" in str(error.__cause__) for each in ("record", "host", "login"))


def _renumbered(origin_id: Any, shift: int, rows: str) -> str:
    """Return the UPDATE that gives `rows` to an origin; the condition on `id` is for MySQL's safe-update mode."""
    number = f", version = version {'+' if shift > 0 else '-'} {abs(shift)}" if shift else ""
    return f"UPDATE admin_ip_history SET originId = {origin_id}{number} WHERE {rows} AND id > 0"  # noqa: S608 - only shown


def _bounds(window: Window) -> tuple[int, int]:
    """Return a window in seconds since 1970."""
    return (
        -_EVER if window.start is None else int(window.start.timestamp()),
        _EVER if window.end is None else int(window.end.timestamp()),
    )


def _without_versions(origin: Origin) -> HistoryError:
    return HistoryError(f"origin {origin.name} has no versions left: its rows were deleted")
