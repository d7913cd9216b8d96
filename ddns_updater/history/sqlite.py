"""History in an SQLite file, the embedded default."""

import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ddns_updater.errors import NEXT_RUN, ConnectionLost, HistoryError, NotInitialised
from ddns_updater.history.queries import Dialect
from ddns_updater.history.sql import Schema, SqlHistory
from ddns_updater.history.url import SqliteUrl
from ddns_updater.lib.files import flocked, is_at
from ddns_updater.lib.trust import Distrusted, check_alone, make_folder, open_own

_BUSY_TIMEOUT = 5  # seconds to wait for another writer

# A default that is no function cannot date a row.
_UNFILLED = """
SELECT lower(name) FROM pragma_table_xinfo('admin_ip_history')
WHERE hidden = 0 AND (lower(name) = 'note' AND "notnull" OR lower(name) IN ('createdat', 'updatedat')
      AND (dflt_value IS NULL OR lower(dflt_value) = 'null' OR dflt_value GLOB '[-+0-9''"]*'))
"""


class SqliteHistory(SqlHistory):
    """History in one SQLite file; the file and its lock files are readable by their owner alone."""

    engine = "sqlite"
    dialect = Dialect(
        now="CAST(strftime('%s', 'now') AS INTEGER)",
        # SQLite dates rows in UTC; Prisma does so in milliseconds.
        local_seconds="CAST(CASE typeof({0}) WHEN 'integer' THEN {0} / 1000 ELSE strftime('%s', {0}) END AS INTEGER)",
        utc_seconds="CAST(strftime('%s', {}) AS INTEGER)",
        on_conflict="ON CONFLICT ({}) DO UPDATE SET",
        inserted="excluded.{}",
        for_update="",  # a transaction keeps others from changing anything
        unfilled=_UNFILLED,
    )
    has_own_clock = False

    def __init__(
        self, url: SqliteUrl, schema: Callable[[], Schema], *, create: bool = False, read_only: bool = False
    ) -> None:
        """Open the file; `create` creates it when it does not exist, `read_only` never writes to it."""
        self._mode = "ro" if read_only else "rw"
        self._path = url.file
        self._locks: dict[Path, int] = {}  # held: the file of each and its descriptor
        try:
            url.check()
            if create:
                self._create()
        except Distrusted as error:
            raise HistoryError(f"cannot use the database {self._path}: {error.problem}", error.advice) from error
        if not create and not self._exists():
            raise NotInitialised(f"there is no database at {self._path}", 'run "ddns init --name NAME"')
        with self.errors():
            super().__init__(self.connect(), str(self._path), schema)
        self._file = self._place()

    def connect(self) -> Any:
        return sqlite3.connect(
            f"{self._path.as_uri()}?mode={self._mode}",
            uri=True,
            timeout=_BUSY_TIMEOUT,
            isolation_level=None,
            check_same_thread=False,  # the threads of a server use it in turn
        )

    def _exists(self) -> bool:
        try:
            return self._path.is_file()
        except OSError as error:
            raise HistoryError(
                f"failed to open the database {self._path}: {error.strerror}", "correct DDNS_DATABASE_URL"
            ) from error

    def _create(self) -> None:
        try:
            make_folder(self._path.parent)
            check_alone(self._path.parent)
            os.close(open_own(self._path))
        except Distrusted:
            raise
        except OSError as error:
            raise HistoryError(
                f"failed to create {self._path}: {error.strerror}",
                "choose another file with DDNS_DATABASE_URL=sqlite:////folder/file",
            ) from error

    def reconnect(self) -> None:
        if self.answers():
            return  # only a lock was lost, and it is taken anew
        self.close()
        with self.errors():
            self._connection = self.connect()
        self._file = self._place()

    def answers(self) -> bool:
        return False  # opening a file is cheap, and the file may have been replaced

    def is_usable(self) -> bool:
        return self._file is not None and self._file == self._place()  # else it was replaced, as by a backup

    def _place(self) -> tuple[int, int] | None:
        """Return what tells the file from one that replaces it; None when there is none."""
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino

    @contextmanager
    def _lock(self, key: str) -> Iterator[bool]:
        path = self._path.with_name(f"{self._path.name}.{key}.lock")
        try:
            file = open_own(path)
        except Distrusted as error:
            raise HistoryError(f"cannot use the lock file: {error.problem}", error.advice) from error
        except OSError as error:
            raise HistoryError(f"failed to open the lock file {path}: {error.strerror}", "check who owns it") from error
        with flocked(file, wait=False) as taken:
            if taken:
                self._locks[path] = file
            try:
                yield taken
            finally:
                self._locks.pop(path, None)

    def _check_locks(self) -> None:
        """Raise ConnectionLost when the file of a lock was removed: another run may have the lock by now."""
        for path, file in self._locks.items():
            if not is_at(file, path):
                raise ConnectionLost(f"lost the lock file {path}: it was removed", then=NEXT_RUN)

    def check_statements(self, statements: Sequence[str]) -> None:
        pass  # who may write the file is seen from outside: doctor/files.py

    def has_table(self, name: str) -> bool:
        return bool(
            self.execute(
                "SELECT 1 FROM sqlite_master WHERE type IN ('table', 'view') AND lower(name) = ?", (name,)
            ).fetchone()
        )

    @contextmanager
    def transaction(self) -> Iterator[None]:
        self._check_locks()
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.rollback()
            raise
        self._connection.commit()

    def execute(self, sql: str, values: Sequence[object] = ()) -> Any:
        return self._connection.execute(sql, values)

    def execute_many(self, sql: str, rows: Sequence[Sequence[object]]) -> None:
        self._connection.executemany(sql, rows)

    def is_duplicate(self, error: BaseException | None) -> bool:
        return isinstance(error, sqlite3.IntegrityError)

    @contextmanager
    def errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise self._translated(error) from error
        except OverflowError as error:  # Python's own, before SQLite sees the number
            raise HistoryError(
                f"a number in the database {self._path} is at its end", "correct the version or id that is so large"
            ) from error

    def _translated(self, error: sqlite3.Error) -> HistoryError:
        text = str(error)
        if "no such table" in text or "no such column" in text:
            return NotInitialised(
                f"the schema of {self._path} is missing or old: {text}", 'run "ddns init --name NAME"'
            )
        if "locked" in text:
            return HistoryError(
                f"the database {self._path} is locked by another program: {text}", then="the next run tries again"
            )
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_READONLY_DBMOVED:
            return ConnectionLost(f"the database {self._path} was moved or replaced", then=NEXT_RUN)
        if "readonly" in text or "unable to open" in text:
            return HistoryError(
                f"failed to write or open the database {self._path}: {text}", "check who owns it and its folder"
            )
        if "not a database" in text:
            return HistoryError(f"{self._path} is not an SQLite database", "name another file in DDNS_DATABASE_URL")
        return HistoryError(f"the database {self._path} failed: {text}")
