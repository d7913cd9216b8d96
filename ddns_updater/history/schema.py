"""Create, adopt and upgrade the schema with yoyo-migrations; only `ddns init` imports this.

A kill may come between any two statements: every migration is one statement that can be told to have been applied
already, and yoyo's own tables are made anew when they were left half made.
"""

import logging
import socket
import uuid
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import Any

import yoyo
from yoyo.backends.core.mysql import MySQLBackend
from yoyo.backends.core.sqlite3 import SQLiteBackend
from yoyo.connections import DatabaseURI

from ddns_updater.errors import HistoryError
from ddns_updater.history.sql import SqlHistory

log = logging.getLogger(__name__)

_BACKENDS = {"mysql": MySQLBackend, "sqlite": SQLiteBackend}
_COLUMNS = ("id", "createdAt", "updatedAt", "ip", "name", "version", "originId", "note")
_YOYO_TABLES = ("_yoyo_migration", "_yoyo_log", "_yoyo_version", "yoyo_lock")
_APPLIED_ALREADY = (1060, 1061)  # MySQL: the column or the index exists (ER_DUP_FIELDNAME, ER_DUP_KEYNAME)
_SHOWN = 10


def upgrade(history: SqlHistory) -> int:
    """Bring the schema of `history` up to date and return how many migrations that took; 0 when it was current.

    An existing `admin_ip_history` is adopted with its rows. Raises HistoryError, with nothing changed, when it lacks a
    column or holds a version twice.
    """
    _check_adoptable(history)
    with history.errors(), _backend(history) as backend:
        _discard_half_made(backend)
        migrations = backend.to_apply(yoyo.read_migrations(str(_folder() / history.engine)))
        for migration in migrations:
            log.info("applying migration %s", migration.id)
            try:
                backend.apply_one(migration)
            except backend.DatabaseError as error:
                if error.args[0] not in _APPLIED_ALREADY:
                    raise
                backend.mark_migrations([migration])
        return len(migrations)


def _folder() -> Path:
    """Return the folder of the migrations: in an installed wheel inside the package, in a checkout beside it."""
    packaged = Path(str(resources.files("ddns_updater"))) / "migrations"
    return packaged if packaged.is_dir() else packaged.parents[1] / "migrations"


def _check_adoptable(history: SqlHistory) -> None:
    with history.errors():
        if not history.has_table("admin_ip_history"):
            return
        present = {column[0] for column in history.execute("SELECT * FROM admin_ip_history LIMIT 0").description}
        missing = [column for column in _COLUMNS if column not in present]
        if missing:
            raise HistoryError(
                f"failed to adopt table admin_ip_history: it lacks {', '.join(missing)};"
                f" its columns must be {', '.join(_COLUMNS)}"
            )
        twice = history.execute(
            "SELECT originId, version, COUNT(*), MIN(id), MAX(id) FROM admin_ip_history"
            " GROUP BY originId, version HAVING COUNT(*) > 1 ORDER BY originId, version"
        ).fetchall()
    if twice:
        listed = ", ".join(
            f"originId {origin} version {version} ({count} rows, id {first} to {last})"
            for origin, version, count, first, last in twice[:_SHOWN]
        )
        more = f" and {len(twice) - _SHOWN} more" if len(twice) > _SHOWN else ""
        raise HistoryError(
            f"failed to adopt table admin_ip_history: some versions stand there twice: {listed}{more};"
            " give each row its own version, or each origin its own originId, and run init again; nothing was changed"
        )


def _backend(history: SqlHistory) -> Any:
    """Return yoyo's backend for the engine of `history`, with our way to connect, so that there is only one."""

    base: Any = _BACKENDS[history.engine]

    class Backend(base):  # type: ignore[misc] # yoyo has no types
        def connect(self, dburi: object) -> Any:  # noqa: ARG002 - the connection is not made from yoyo's URI
            return history.connect()

        def get_log_data(self, migration: Any = None, operation: str = "apply") -> dict[str, object]:
            # yoyo asks the password file for the user's name and DNS for the host's; either may be out of reach.
            return {
                "id": str(uuid.uuid4()),
                "migration_id": migration.id if migration else None,
                "migration_hash": migration.hash if migration else None,
                "username": "ddns-updater",
                "hostname": socket.gethostname(),
                "created_at_utc": datetime.now(UTC).replace(tzinfo=None),
                "operation": operation,
            }

    return Backend(DatabaseURI(history.engine, None, None, None, None, history.database, {}), "_yoyo_migration")


def _discard_half_made(backend: Any) -> None:
    """Drop yoyo's tables when their last row is missing (they hold nothing yet then), and a lock whose owner died."""
    try:
        complete = backend.execute("SELECT MAX(version) FROM _yoyo_version").fetchone()[0] is not None
    except backend.DatabaseError:
        complete = False
    backend.rollback()
    if not complete:
        for table in _YOYO_TABLES:
            backend.execute(f"DROP TABLE IF EXISTS {table}")
    backend.init_database()
    backend.break_lock()
