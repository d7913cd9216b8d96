"""Databases of one test each, and the tables of `ddns init`, which are made once and then copied."""

import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

import pymysql
import pytest

from ddns_updater.app.factories import open_history
from ddns_updater.history.url import parse_database_url
from ddns_updater.model import Family, Origin
from ddns_updater.run.ports import History
from ddns_updater.settings.load import read_settings
from ddns_updater.settings.settings import Settings
from ddns_updater.settings.variables import default_settings


@dataclass(frozen=True)
class Database:
    """An empty database of its own for one test."""

    engine: str
    url: str

    def settings(self, **changes: Any) -> Settings:
        """Return settings for this database alone."""
        return load_settings_with({"DDNS_DATABASE_URL": self.url} | changes)

    def sql(self, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Execute a statement as the database's owner would."""
        with closing(self.connect()) as connection:
            cursor = connection.cursor()
            cursor.execute(
                statement if self.engine == "sqlite" else statement.replace("%", "%%").replace("?", "%s"), values
            )
            rows = list(cursor.fetchall())
            connection.commit()
            return rows

    def connect(self) -> Any:
        """Open a connection of the test's own."""
        if self.engine == "sqlite":
            return sqlite3.connect(self.file)
        return _connect(self.url, database=urlsplit(self.url).path.removeprefix("/"))

    @property
    def file(self) -> Path:
        """Return the file of an SQLite database."""
        return Path(urlsplit(self.url).path.removeprefix("/"))

    def versions(self) -> list[tuple[int, str]]:
        """Return every version with its address, in order."""
        return [tuple(row) for row in self.sql("SELECT version, ip FROM admin_ip_history ORDER BY originId, version")]

    def states(self) -> dict[str, str]:
        """Return the state of every record for the latest version."""
        return dict(
            self.sql(
                "SELECT recordName, state FROM admin_dns_publication"
                " WHERE historyId = (SELECT MAX(id) FROM admin_ip_history)"
            )
        )

    def is_empty(self) -> bool:
        """Return whether `ddns init` would have everything to do."""
        return not self.file.exists() if self.engine == "sqlite" else not self.sql("SHOW TABLES")

    def seed(self, ip: str, name: str = "line", family: Family = Family.IPV4) -> None:
        """Leave what `ddns init` does: its row, written now, in tables that are copied where there are none yet."""
        if self.is_empty():
            self.create_tables()
        settings = default_settings()._replace(database=parse_database_url(self.url))
        with open_history(settings, for_init=True) as history, history.lock_init() as mine:
            assert mine
            history.seed(name, family, ip_address(ip), None)

    def create_tables(self) -> None:
        """Make the tables as `ddns init` does, from those that it made once for this server or for SQLite."""
        kind = "sqlite" if self.engine == "sqlite" else urlsplit(self.url).netloc
        if kind not in _tables:
            _tables[kind] = _sqlite_tables() if self.engine == "sqlite" else _mysql_tables(self.url)
        _tables[kind](self)


def only_origin(history: History, name: str | None = None) -> Origin:
    """Return the only origin in a database, or the only one called `name`, by its newest address."""
    (origin,) = history.origins(name)
    assert origin.family is not None
    return origin.of(origin.family)


_tables: dict[str, Callable[[Database], None]] = {}
_numbers = iter(range(10**9))


def _sqlite_tables() -> Callable[[Database], None]:
    with TemporaryDirectory() as folder:
        made = Database("sqlite", f"sqlite:///{folder}/made.sqlite3")
        _upgrade(made)
        return partial(_write_file, content=made.file.read_bytes())


def _write_file(database: Database, content: bytes) -> None:
    database.file.touch(0o600)
    database.file.write_bytes(content)


def _mysql_tables(url: str) -> Callable[[Database], None]:
    with new_database(url.rpartition("/")[0]) as made:
        _upgrade(made)
        with closing(made.connect()) as connection:
            cursor = connection.cursor()
            cursor.execute("SHOW TABLES")
            statements: list[tuple[str, list[Any]]] = []
            for (table,) in cursor.fetchall():
                cursor.execute(f"SHOW CREATE TABLE {table}")
                statements.append((cursor.fetchone()[1], []))
                cursor.execute(f"SELECT * FROM {table}")
                statements += [
                    (f"INSERT INTO {table} VALUES ({', '.join(['%s'] * len(row))})", list(row))
                    for row in cursor.fetchall()
                ]
    return partial(_execute, statements=statements)


def _execute(database: Database, statements: list[tuple[str, list[Any]]]) -> None:
    with closing(database.connect()) as connection:
        for statement, values in statements:
            connection.cursor().execute(statement, values or None)
        connection.commit()


def _upgrade(database: Database) -> None:
    with open_history(default_settings()._replace(database=parse_database_url(database.url)), for_init=True) as history:
        history.upgrade()


@contextmanager
def new_database(server_url: str) -> Iterator[Database]:
    """Make an empty database for the length of the block."""
    name = f"ddns_test_{os.getpid()}_{next(_numbers)}"
    with closing(_connect(server_url, autocommit=True)) as admin:
        admin.cursor().execute(f"CREATE DATABASE {name}")
        yield Database("mysql", f"{server_url.rstrip('/')}/{name}")
        admin.cursor().execute(f"DROP DATABASE {name}")


def _connect(url: str, **options: Any) -> Any:
    parts = urlsplit(url)
    return pymysql.connect(
        host=parts.hostname or "",
        port=parts.port or 3306,
        user=parts.username,
        password=parts.password or "",
        **options,
    )


def replace_port(url: str, port: int) -> str:
    """Return a database's URL as it is reached through a proxy."""
    return url.replace(f":{urlsplit(url).port}/", f":{port}/")


def load_settings_with(environment: dict[str, Any]) -> Settings:
    """Load settings from an environment of just these variables."""
    with pytest.MonkeyPatch.context() as patch:
        for key, value in environment.items():
            patch.setenv(key, str(value))
        return read_settings().valid()
