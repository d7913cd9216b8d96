"""Create, adopt and upgrade the schema with yoyo-migrations; only `ddns init` and `ddns doctor` import this.

A kill may come between any two statements. So every migration is one statement that can safely be applied again, and
yoyo's own tables are created again when they are incomplete.
"""

import logging
import socket
import uuid
from collections.abc import Collection
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

import yoyo
from yoyo.backends.core.mysql import MySQLBackend
from yoyo.backends.core.sqlite3 import SQLiteBackend
from yoyo.connections import DatabaseURI

from ddns_updater.errors import HistoryError, NotInitialised
from ddns_updater.history.adoption import examine as examine
from ddns_updater.history.adoption import rehearse as rehearse
from ddns_updater.history.sql import SqlHistory
from ddns_updater.history.table import OURS
from ddns_updater.lib.humanize import listed

log = logging.getLogger(__name__)

_BACKENDS = {"mysql": MySQLBackend, "sqlite": SQLiteBackend}
_COLUMNS = {
    "admin_ip_history": OURS,
    "admin_dns_publication": ("id", "historyId", "recordName", "recordType", "state", "changeId", "lastError"),
}
_HOST_COLUMNS = {
    "admin_ddns_login": ("id", "login", "secretHash"),
    "admin_ddns_host": ("id", "name", "loginId"),
    "admin_ddns_record": ("hostId", "recordType", "originId", "version", "dueSince", "lookAt"),
}
_TABLES = _COLUMNS | _HOST_COLUMNS
# Not yoyo's default names: other programs may use yoyo in the same database.
_MIGRATION, _LOG, _VERSION, _LOCK = (f"admin_ddns_{each}" for each in ("migration", "log", "version", "lock"))
_YOYO_TABLES = (_MIGRATION, _LOG, _VERSION, _LOCK)
# MySQL's ER_DUP_KEYNAME, and MariaDB's error for a table with system versioning, whose indexes `rehearse` demands;
# SQLite's migrations say IF NOT EXISTS.
_INDEX_EXISTS = (1061, 4119)
# A name of 255 characters is too long for the indexes of MyISAM and of old row formats, and a text for any; then this
# part of it has to do. It finds an origin as well, but reads all of its versions.
_KEY_TOO_LONG = (1071, 1170, 1709)  # ER_TOO_LONG_KEY, ER_BLOB_KEY_WITHOUT_LENGTH, ER_INDEX_COLUMN_TOO_LONG
_SHORTER_INDEX = "CREATE INDEX admin_ip_history_name_origin_version ON admin_ip_history (name(191), originId, version)"
_INDEXES = {
    "admin_ip_history": ("admin_ip_history_origin_version", "admin_ip_history_name_origin_version"),
    "admin_dns_publication": ("admin_dns_publication_record_checked",),
}
_MAX_SHOWN = 10


def upgrade(history: SqlHistory) -> int:
    """Bring the schema of `history` up to date and return the number of migrations applied, 0 when it was current.

    An existing `admin_ip_history` is adopted with its rows. Raises HistoryError and changes nothing when a table lacks
    a column or holds a version twice. A current schema needs no right to create or drop anything.
    """
    with history.errors():
        present = [table for table in _TABLES if history.has_table(table)]
        for table in present:
            _check_columns(history, table)
        if "admin_ip_history" in present:
            _check_versions(history)
    before = _progress(history)
    if not before.lacks:
        return 0
    try:
        return _migrate(history, [table for table in _TABLES if table not in present])
    except HistoryError as error:
        if not history.is_denied(error.__cause__):
            raise
        raise HistoryError(
            error.problem,
            "use the account that sets up the tables: give its DDNS_DATABASE_URL to this one command",
            then="nothing was changed" if _progress(history) == before else "init then goes on from there",
        ) from error


class _Progress(NamedTuple):
    """How far an upgrade has come: what the schema lacks, and which of yoyo's tables there are."""

    lacks: list[str]
    tables: list[str]


def _progress(history: SqlHistory) -> _Progress:
    lacks = outdated(history)
    with history.errors():
        return _Progress(lacks, [table for table in _YOYO_TABLES if history.has_table(table)])


def _migrate(history: SqlHistory, missing: Collection[str]) -> int:
    with history.errors(), _backend(history) as backend:
        if not _is_complete(backend) or _were_created(_applied(backend), missing):
            _drop_yoyo_tables(backend)  # a table was dropped or yoyo's are incomplete: apply every migration again
        backend.init_database()
        backend.break_lock()  # left by a dead process, because we hold the lock of `init`
        migrations = backend.to_apply(yoyo.read_migrations(str(_folder() / history.engine)))
        for migration in migrations:
            log.info("applying migration %s", migration.id)
            try:
                backend.apply_one(migration)
            except backend.DatabaseError as error:
                if error.args[0] in _KEY_TOO_LONG and migration.id.startswith("0003"):
                    history.execute(_SHORTER_INDEX)
                elif error.args[0] not in _INDEX_EXISTS:
                    raise
                backend.mark_migrations([migration])
        return len(migrations)


def outdated(history: SqlHistory) -> list[str]:
    """Return what the schema of `history` lacks, without writing anything; empty when it is up to date.

    That is the migrations not yet applied. An account with only the grants in docs/mysql.md cannot read which were
    applied; for it the columns and the indexes are compared.
    """
    wanted = sorted(file.stem for file in (_folder() / history.engine).glob("*.sql"))
    with history.errors():
        tables = [table for table in _COLUMNS if not history.has_table(table)]
        for table in tables:
            try:
                with history.errors():
                    _check_columns(history, table)  # a table that this account may not read is denied, not missing
            except NotInitialised:
                continue
        if tables:
            return [f"table {table}" for table in tables]
        if history.has_table(_MIGRATION):
            applied = _applied(history)
            dropped = [each for each in _were_created(applied, _HOST_COLUMNS) if not history.has_table(each)]
            return [
                *(f"table {each}" for each in dropped),
                *(f"migration {each}" for each in wanted if each not in applied),
            ]
        if history.engine == "sqlite":  # SQLite hides no table, so none was applied
            return [f"migration {each}" for each in wanted]
        for table in _COLUMNS:
            _check_columns(history, table)
        present = {row[2] for table in _INDEXES for row in history.execute(f"SHOW INDEX FROM {table}").fetchall()}
        return [f"index {each}" for indexes in _INDEXES.values() for each in indexes if each not in present]


def _folder() -> Path:
    """Return the folder of the migrations: in an installed wheel inside the package, in a checkout beside it."""
    packaged = Path(str(resources.files("ddns_updater"))) / "migrations"
    return packaged if packaged.is_dir() else packaged.parents[1] / "migrations"


def _check_columns(history: SqlHistory, table: str) -> None:
    cursor = history.execute(f"SELECT * FROM {table} LIMIT 0")  # noqa: S608 - a constant
    present = {column[0].lower() for column in cursor.description}
    missing = [column for column in _TABLES[table] if column.lower() not in present]
    if missing:
        raise HistoryError(
            f"failed to adopt table {table}: it lacks {', '.join(missing)}",
            f"it needs the columns {', '.join(_TABLES[table])}",
        )


def _check_versions(history: SqlHistory) -> None:
    twice = history.execute(
        "SELECT originId, version, COUNT(*), MIN(id), MAX(id) FROM admin_ip_history"
        " WHERE originId IS NOT NULL AND version IS NOT NULL"
        " GROUP BY originId, version HAVING COUNT(*) > 1 ORDER BY originId, version"
    ).fetchall()
    if twice:
        versions = [
            f"originId {origin} version {version} ({count} rows, id {first} to {last})"
            for origin, version, count, first, last in twice
        ]
        raise HistoryError(
            "failed to adopt table admin_ip_history: some versions exist twice: " + listed(versions, _MAX_SHOWN),
            "give each row its own version, or each origin its own originId, and run init again",
            then="nothing was changed",
        )


def _backend(history: SqlHistory) -> Any:
    """Return yoyo's backend for the engine of `history`, which connects as `history` does."""

    base: Any = _BACKENDS[history.engine]

    class Backend(base):  # type: ignore[misc] # yoyo has no types
        log_table, version_table, lock_table = _LOG, _VERSION, _LOCK

        def connect(self, dburi: object) -> Any:  # noqa: ARG002 - the connection is not made from yoyo's URI
            return history.connect()

        def execute(self, sql: str, params: Any = None) -> Any:
            if sql == "BEGIN" and history.engine == "mysql":
                sql = "START TRANSACTION"  # in MariaDB's sql_mode ORACLE, BEGIN begins a block
            return super().execute(sql, params)

        def get_log_data(self, migration: Any = None, operation: str = "apply") -> dict[str, object]:
            # yoyo looks up the user in the password file and the host in DNS; either may be unavailable.
            return {
                "id": str(uuid.uuid4()),
                "migration_id": migration.id if migration else None,
                "migration_hash": migration.hash if migration else None,
                "username": "ddns-updater",
                "hostname": socket.gethostname(),
                "created_at_utc": datetime.now(UTC).replace(tzinfo=None),
                "operation": operation,
            }

    return Backend(DatabaseURI(history.engine, None, None, None, None, history.database, {}), _MIGRATION)


def _is_complete(backend: Any) -> bool:
    """Return whether yoyo's own tables are complete: their version is written last."""
    if _VERSION not in backend.list_tables():
        return False
    return backend.execute(f"SELECT MAX(version) FROM {_VERSION}").fetchone()[0] is not None  # noqa: S608 - a constant


def _applied(database: Any) -> set[str]:
    """Return the migrations that were applied; `database` is a history or a backend of yoyo."""
    rows = database.execute(f"SELECT migration_id FROM {_MIGRATION}").fetchall()  # noqa: S608 - a constant
    return {row[0] for row in rows}


def _were_created(applied: Collection[str], tables: Collection[str]) -> list[str]:
    """Return those of `tables` that a migration created."""
    return [table for table in tables if any(each.endswith(f"_create_{table}") for each in applied)]


def _drop_yoyo_tables(backend: Any) -> None:
    for table in _YOYO_TABLES:
        backend.execute(f"DROP TABLE IF EXISTS {table}")
