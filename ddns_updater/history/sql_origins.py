"""The origins in an SQL database: how they are found, created and joined, and how a version of one is inserted."""

from typing import Any

from ddns_updater.errors import HistoryError
from ddns_updater.history import queries
from ddns_updater.history.rows import family_of, text_of, version_of
from ddns_updater.history.sql_connection import SqlConnection
from ddns_updater.model import Address, Family, Origin, StoredOrigin, Version, parse_address

_SEED_TRIES = 100  # each one that fails means that another writer succeeded
_MAX_ID = 2**63 - 1


class SqlOrigins(SqlConnection):
    """The origins on an open connection; every method raises HistoryError when the database fails."""

    def __init__(self, connection: Any, database: str) -> None:
        """Take an open connection to `database`."""
        super().__init__(connection, database)
        self._unfilled: set[str] | None = None

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
            raise without_versions(origin)
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


def of_host_tables(error: HistoryError) -> bool:
    """Return whether `error` says that the tables of hosts are missing, as before `init`, or not granted."""
    return any(f"admin_ddns_{each}" in str(error.__cause__) for each in ("record", "host", "login"))


def without_versions(origin: Origin) -> HistoryError:
    return HistoryError(f"origin {origin.name} has no versions left: its rows were deleted")


def _renumbered(origin_id: Any, shift: int, rows: str) -> str:
    """Return the UPDATE that gives `rows` to an origin; the condition on `id` is for MySQL's safe-update mode."""
    number = f", version = version {'+' if shift > 0 else '-'} {abs(shift)}" if shift else ""
    return f"UPDATE admin_ip_history SET originId = {origin_id}{number} WHERE {rows} AND id > 0"  # noqa: S608 - only shown
