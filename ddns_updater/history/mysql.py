"""History on MySQL 8.0 and later, and on MariaDB 10.11 and later."""

import hashlib
import re
import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import pymysql
import pymysql.connections
from pymysql.constants import CR, ER

from ddns_updater.errors import HistoryError, NotInitialised
from ddns_updater.history.queries import Dialect
from ddns_updater.history.sql import Schema, SqlHistory
from ddns_updater.history.url import MySqlUrl

_CONNECT_TIMEOUT = 5  # seconds
_ANSWER_TIMEOUT = 10  # seconds for one answer
_READ_ONLY = (
    ER.OPTION_PREVENTS_STATEMENT,
    1792,
    1836,
)  # --read-only, a read-only transaction, read-only mode
_LOST = (CR.CR_SERVER_GONE_ERROR, CR.CR_SERVER_LOST)
_LOCKED = (ER.LOCK_WAIT_TIMEOUT, ER.LOCK_DEADLOCK)
_DENIED = (ER.DBACCESS_DENIED_ERROR, ER.TABLEACCESS_DENIED_ERROR, ER.COLUMNACCESS_DENIED_ERROR)
_OLD_SCHEMA = (ER.NO_SUCH_TABLE, ER.BAD_FIELD_ERROR)

_NEEDED = {
    "admin_ip_history": ("SELECT", "INSERT"),
    "admin_dns_publication": ("SELECT", "INSERT", "UPDATE"),
}
_GRANTS = """
SELECT GRANTEE, PRIVILEGE_TYPE FROM information_schema.USER_PRIVILEGES
UNION SELECT GRANTEE, PRIVILEGE_TYPE FROM information_schema.SCHEMA_PRIVILEGES WHERE DATABASE() LIKE TABLE_SCHEMA
UNION SELECT GRANTEE, PRIVILEGE_TYPE FROM information_schema.TABLE_PRIVILEGES
  WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ?
"""
# A default that is no function cannot date a row, such as the '0000-00-00' that a second timestamp column got.
_UNFILLED = """
SELECT LOWER(COLUMN_NAME) FROM information_schema.COLUMNS
WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'admin_ip_history'
AND (COLUMN_NAME = 'note' AND IS_NULLABLE = 'NO'
     OR COLUMN_NAME IN ('createdAt', 'updatedAt') AND DATA_TYPE IN ('datetime', 'timestamp', 'date')
        AND COALESCE(GENERATION_EXPRESSION, '') = ''
        AND NOT (COALESCE(COLUMN_DEFAULT, '') LIKE '%(%' OR COALESCE(COLUMN_DEFAULT, '') LIKE 'CURRENT_TIMESTAMP%'))
"""
_HAS_TABLE = """
SELECT 1 FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ?
AND (BINARY TABLE_NAME = ? OR @@lower_case_table_names <> 0)
"""


class _Connection(pymysql.connections.Connection):
    """A connection that uses TLS where the server offers it, as PyMySQL does, but at less cost.

    PyMySQL reads all system certificates even for a server that it does not verify: 20 ms of CPU, a seventh of a quiet
    run. Its argument `ssl` takes a context as well, but then refuses a server without TLS. If a later PyMySQL no longer
    calls this method, only that cost returns.
    """

    def _create_ssl_ctx(self, sslp: dict[str, Any]) -> ssl.SSLContext:
        if sslp:
            return super()._create_ssl_ctx(sslp)  # type: ignore[misc, no-any-return] # the stubs lack it
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context


class MySqlHistory(SqlHistory):
    """History on a PyMySQL connection in autocommit mode."""

    engine = "mysql"
    dialect = Dialect(
        now="UNIX_TIMESTAMP()",
        local_seconds="FLOOR(UNIX_TIMESTAMP({}))",
        utc_seconds="TIMESTAMPDIFF(SECOND, '1970-01-01', {})",
        on_conflict="ON DUPLICATE KEY UPDATE",
        inserted="VALUES({})",  # deprecated since MySQL 8.0.20, but MariaDB does not know its successor
        unfilled=_UNFILLED,
    )
    has_own_clock = True

    def __init__(
        self, url: MySqlUrl, schema: Callable[[], Schema], *, patient: bool = False, read_only: bool = False
    ) -> None:
        """Connect; `patient` sets no time limit (for building an index), `read_only` refuses writes."""
        self._init_command = "SET SESSION TRANSACTION READ ONLY" if read_only else None
        self._url = url
        self._answer_timeout = None if patient else _ANSWER_TIMEOUT
        with self.errors():
            super().__init__(self.connect(), url.database, schema)

    def connect(self) -> Any:
        url = self._url
        return _Connection(
            host=url.host,
            port=url.port,
            user=url.user,
            password=url.password,
            database=url.database,
            charset="utf8mb4",
            autocommit=True,
            init_command=self._init_command,
            connect_timeout=_CONNECT_TIMEOUT,
            read_timeout=self._answer_timeout,
            write_timeout=_ANSWER_TIMEOUT,
            ssl_ca=url.ssl_ca,
            ssl_cert=url.ssl_cert,
            ssl_key=url.ssl_key,
            ssl_verify_cert=True if url.ssl_ca else None,
            ssl_verify_identity=url.ssl_verify_identity if url.ssl_ca else None,
        )

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
            taken = self.execute("SELECT GET_LOCK(?, 0)", (name,)).fetchone()[0]
        yield taken == 1
        if taken == 1:  # the server may notice late that a connection was closed
            with suppress(pymysql.err.MySQLError):
                self.execute("DO RELEASE_LOCK(?)", (name,))

    @property
    def place(self) -> str:
        return self._url.place

    def missing_grants(self) -> Sequence[str]:
        with self.errors():
            user, _, host = self.execute("SELECT CURRENT_USER()").fetchone()[0].rpartition("@")
            rows = {table: self.execute(_GRANTS, (table,)).fetchall() for table in _NEEDED}
        given = {table: {row[1].upper() for row in rows[table] if row[0] == f"'{user}'@'{host}'"} for table in _NEEDED}
        return [
            f"{each} on {table}" for table, needed in _NEEDED.items() for each in needed if each not in given[table]
        ]

    def has_table(self, name: str) -> bool:
        return bool(self.execute(_HAS_TABLE, (name, name)).fetchone())

    @contextmanager
    def transaction(self) -> Iterator[None]:
        self._connection.begin()
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

    def is_conflict(self, error: BaseException | None) -> bool:
        deadlock = isinstance(error, pymysql.err.OperationalError) and error.args[0] == ER.LOCK_DEADLOCK
        return deadlock or self.is_duplicate(error)

    @contextmanager
    def errors(self) -> Iterator[None]:
        try:
            yield
        except (pymysql.err.MySQLError, RuntimeError, UnicodeError) as error:
            raise self._translated(error) from error

    def _translated(self, error: Exception) -> HistoryError:
        code = error.args[0] if error.args else 0
        text = str(error.args[1]) if len(error.args) > 1 else str(error)
        where = f"{self._url.host}:{self._url.port}"
        if isinstance(error, UnicodeError):
            return HistoryError(
                f"failed to reach the database: {where} is not a valid host", "correct DDNS_DATABASE_URL"
            )
        if code == CR.CR_CONN_HOST_ERROR and "certificate" in text:
            return HistoryError(
                f"failed to verify the database at {where}: {_cause(text)}", "check ssl_ca in DDNS_DATABASE_URL"
            )
        if code == CR.CR_CONN_HOST_ERROR:
            return HistoryError(
                f"failed to reach the database at {where}: {_cause(text)}", "is it running, and is that its address?"
            )
        if code == ER.ACCESS_DENIED_ERROR:
            return HistoryError(
                f"the database at {where} refused the login of {self._url.user}",
                "check user and password in DDNS_DATABASE_URL",
            )
        if code == ER.BAD_DB_ERROR:
            return HistoryError(
                f"database {self._url.database} does not exist at {where}", "create it, or correct DDNS_DATABASE_URL"
            )
        if code in _OLD_SCHEMA:
            return NotInitialised(
                f"the schema of {self._url.database} is missing or old: {text}", 'run "ddns init --name NAME"'
            )
        if code in _DENIED:
            return HistoryError(
                f"the database at {where} denied access: {text}", "give the account the grants in the README"
            )
        if code in _READ_ONLY:
            return HistoryError(f"the database at {where} is read-only: {text}", "use the primary server")
        if code in _LOST:
            return HistoryError(
                f"lost the connection to the database at {where}: {_cause(text)}", then="the next run tries again"
            )
        if code in _LOCKED:
            return HistoryError(f"the database at {where} is locked: {text}", then="the next run tries again")
        return HistoryError(f"the database at {where} failed: {text} ({code})")


def _with_placeholders(sql: str) -> str:
    """Return `sql` with PyMySQL's placeholder instead of `?`."""
    return sql.replace("%", "%%").replace("?", "%s")


def _cause(text: str) -> str:
    """Return the operating system's message from the parentheses in which the driver quotes it."""
    inner = re.search(r"\((?:\[[^]]*\] )?(.*?)(?: \(_ssl\.c:\d+\))?\)$", text)
    return inner[1] if inner else text
