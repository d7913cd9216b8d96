"""History on MySQL 8.0 and later, and on MariaDB 10.11 and later."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import pymysql
from pymysql.constants import ER

from ddns_updater.history.mysql_connection import Connection
from ddns_updater.history.mysql_errors import DENIED, translated
from ddns_updater.history.queries import Dialect
from ddns_updater.history.sql import Schema, SqlHistory
from ddns_updater.history.url import MySqlUrl

_ANSWER_TIMEOUT = 10  # seconds for one answer
_INIT_IDLE = 3600  # seconds; the session with the lock of `init` waits while another one builds an index
_UNTIL_ENDED = 2  # seconds in which the server releases the locks of a session that was ended
# A default that is no function cannot date a row, such as the '0000-00-00' that a second timestamp column got.
_UNFILLED = """
SELECT LOWER(COLUMN_NAME) FROM information_schema.COLUMNS
WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'admin_ip_history'
AND (COLUMN_NAME = 'note' AND IS_NULLABLE = 'NO'
     OR COLUMN_NAME IN ('createdAt', 'updatedAt') AND DATA_TYPE IN ('datetime', 'timestamp', 'date')
        AND COALESCE(GENERATION_EXPRESSION, '') = ''
        AND NOT (COALESCE(COLUMN_DEFAULT, '') LIKE '%(%' OR COALESCE(COLUMN_DEFAULT, '') LIKE 'CURRENT_TIMESTAMP%'))
"""
_VERIFY = "add ssl_mode=verify to DDNS_DATABASE_URL, or ssl_ca=FILE for an authority of your own"
_HAS_TABLE = """
SELECT 1 FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ?
AND (HEX(TABLE_NAME) = HEX(?) OR @@lower_case_table_names <> 0)
"""


class MySqlHistory(SqlHistory):
    """History on a PyMySQL connection in autocommit mode."""

    engine = "mysql"
    dialect = Dialect(
        now="UNIX_TIMESTAMP()",
        local_seconds="FLOOR(UNIX_TIMESTAMP({}))",
        utc_seconds="TIMESTAMPDIFF(SECOND, '1970-01-01', {})",
        on_conflict="ON DUPLICATE KEY UPDATE",
        inserted="VALUES({})",  # deprecated since MySQL 8.0.20, but MariaDB does not know its successor
        for_update="FOR UPDATE",
        unfilled=_UNFILLED,
    )
    has_own_clock = True

    def __init__(
        self,
        url: MySqlUrl,
        schema: Callable[[], Schema],
        *,
        authorities: Callable[[], str],
        idle: int,
        patient: bool = False,
        read_only: bool = False,
    ) -> None:
        """Connect; the server ends the session after `idle` seconds without a statement, and releases its locks.

        `authorities` gives the file or folder of the public certificate authorities. `patient` sets no time limit (for
        building an index), `read_only` refuses writes.
        """
        # By the answer to either, PyMySQL also learns what an init_connect of the server did to autocommit.
        self._for_writing = f"SET SESSION wait_timeout = {_INIT_IDLE if patient else idle}, sql_safe_updates = 0"
        self._init_command = "SET SESSION TRANSACTION READ ONLY" if read_only else self._for_writing
        self._url = url
        self._authorities = authorities
        self._answer_timeout = None if patient else _ANSWER_TIMEOUT
        self._session: int | None = None  # the ID of this session, once it has taken a lock
        self._lost: int | None = None  # the ID of the session before it, if that had taken one
        with self.errors():
            super().__init__(self.connect(), url.database, schema)

    def connect(self) -> Any:
        return Connection(
            self._url,
            self._authorities,
            answer_timeout=self._answer_timeout,
            init_command=self._init_command,
            read_timeout=_ANSWER_TIMEOUT,
            write_timeout=_ANSWER_TIMEOUT,
        )

    def close(self) -> None:
        with suppress(pymysql.err.MySQLError):  # closed already, because it was lost
            super().close()

    def reconnect(self) -> None:
        self.close()
        self._lost, self._session = self._session, None
        with self.errors():
            self._connection = self.connect()

    def answers(self) -> bool:
        try:
            self._connection.ping(reconnect=False)
        except (pymysql.err.MySQLError, OSError):
            return False
        return True

    @contextmanager
    def _lock(self, key: str) -> Iterator[bool]:
        # The session holds the lock, so it ends with the connection. All databases of a server share the lock names, of
        # at most 64 characters; the digest is made here because MySQL 9.6 and later have no MD5().
        name = f"ddns:{hashlib.sha256(self.database.encode()).hexdigest()[:32]}:{key}"
        with self.errors():
            taken, holder = self._try_lock(name)
            if not taken and holder and holder == self._lost:  # the server has not noticed that it is lost
                with suppress(pymysql.err.MySQLError):
                    self.execute("KILL ?", (holder,))  # an account may always end its own sessions
                taken, holder = self._try_lock(name, wait=_UNTIL_ENDED)
        if taken:
            self._session = holder
        yield taken
        if taken:  # the server may notice late that a connection was closed
            with suppress(pymysql.err.MySQLError):
                self.execute("DO RELEASE_LOCK(?)", (name,))

    def _try_lock(self, name: str, *, wait: int = 0) -> tuple[bool, int | None]:
        """Return whether this session has the lock within `wait` seconds, and the ID of the session that has it."""
        taken, holder = self.execute("SELECT GET_LOCK(?, ?), IS_USED_LOCK(?)", (name, wait, name)).fetchone()
        return taken == 1, holder

    @property
    def place(self) -> str:
        return self._url.place

    def remarks(self) -> Sequence[tuple[str, str | None]]:
        connection = self._connection
        if connection.is_local or connection.is_verified:
            return ()
        where = f"{self._url.host}:{self._url.port}"
        if self._url.server_public_key:
            return ((f"{where} is neither encrypted nor verified; server_public_key protects the password", None),)
        how = "is encrypted, but not verified" if connection.is_encrypted else "is neither encrypted nor verified"
        return ((f"{where} {how}: whoever answers in its place gets the password", _VERIFY),)

    def check_statements(self, statements: Sequence[str]) -> None:
        # EXPLAIN needs the rights of the statement that it explains, including those on single columns and from roles;
        # in a read-only session columns are not looked at.
        own, self._init_command = self._init_command, self._for_writing
        try:
            self.reconnect()
            with self.errors():
                for statement in statements:
                    self.execute(f"EXPLAIN {statement}", [None] * statement.count("?"))
        finally:
            self._init_command = own
            self.reconnect()

    def has_table(self, name: str) -> bool:
        return bool(self.execute(_HAS_TABLE, (name, name)).fetchone())

    @contextmanager
    def transaction(self) -> Iterator[None]:
        self.execute("START TRANSACTION")  # in MariaDB's sql_mode ORACLE, BEGIN begins a block
        try:
            yield
        except BaseException:
            if self._connection.open:
                self._connection.rollback()
            raise
        self._connection.commit()

    def execute(self, sql: str, values: Sequence[object] = ()) -> Any:
        cursor = self._connection.cursor()
        cursor.execute(_with_placeholders(sql), values)
        return cursor

    def execute_many(self, sql: str, rows: Sequence[Sequence[object]]) -> None:
        self._connection.cursor().executemany(_with_placeholders(sql), rows)

    def quoted(self, text: str) -> str:
        return super().quoted(text.replace("\\", "\\\\"))

    def is_duplicate(self, error: BaseException | None) -> bool:
        return isinstance(error, pymysql.err.IntegrityError) and error.args[0] == ER.DUP_ENTRY

    def is_denied(self, error: BaseException | None) -> bool:
        return isinstance(error, pymysql.err.MySQLError) and error.args[0] in DENIED

    def is_conflict(self, error: BaseException | None) -> bool:
        deadlock = isinstance(error, pymysql.err.OperationalError) and error.args[0] == ER.LOCK_DEADLOCK
        return deadlock or self.is_duplicate(error)

    @contextmanager
    def errors(self) -> Iterator[None]:
        try:
            yield
        except (pymysql.err.MySQLError, RuntimeError, UnicodeError) as error:
            raise translated(error, self._url) from error


def _with_placeholders(sql: str) -> str:
    """Return `sql` with PyMySQL's placeholder instead of `?`."""
    return sql.replace("%", "%%").replace("?", "%s")
