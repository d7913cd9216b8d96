"""Servers, databases and a clean environment for every test."""

import json
import os
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import hypothesis
import pymysql
import pytest

from ddns_updater.settings.load import load_settings
from ddns_updater.settings.settings import Settings
from tests.support.aws import FakeAws
from tests.support.mysqld import MySqlServer
from tests.support.receivers import Receiver, receiving
from tests.support.services import AddressService, running
from tests.support.tellers import telling as telling  # a fixture
from tests.support.trials import trial as trial  # a fixture

AWS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "a-secret-of-aws",
    "AWS_EC2_METADATA_DISABLED": "true",
}
_TEST_MYSQL_URL = os.environ.get("DDNS_TEST_MYSQL_URL")


hypothesis.settings.register_profile(
    "suite",
    max_examples=150,
    deadline=None,  # a busy machine is no bug
    derandomize=True,  # the same examples each time; `--hypothesis-profile default` looks further
    database=None,
    suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture],
)
hypothesis.settings.load_profile("suite")


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Blank every variable that could reach the program, and start in an empty folder with an empty home."""
    for key in list(os.environ):
        if key.startswith(("AWS_", "DDNS_")) or key.lower().endswith("_proxy"):
            monkeypatch.delenv(key)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.chdir(home)
    for key, value in AWS.items():
        monkeypatch.setenv(key, value)


@pytest.fixture(autouse=True)
def loopback_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse every connection of this process that is not to loopback."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in ("127.0.0.1", "::1", "localhost"):
            raise AssertionError(f"a test may not connect to {address!r}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


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
        url = urlsplit(self.url)
        if self.engine == "sqlite":
            return sqlite3.connect(url.path.removeprefix("/"))
        return pymysql.connect(
            host=url.hostname or "",
            port=url.port or 3306,
            user=url.username,
            password=url.password or "",
            database=url.path.removeprefix("/"),
        )

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


def replace_port(url: str, port: int) -> str:
    """Return a database's URL as it is reached through a proxy."""
    return url.replace(f":{urlsplit(url).port}/", f":{port}/")


def load_settings_with(environment: dict[str, Any]) -> Settings:
    """Load settings from an environment of just these variables."""
    with pytest.MonkeyPatch.context() as patch:
        for key, value in environment.items():
            patch.setenv(key, str(value))
        return load_settings()


@pytest.fixture(scope="session")
def private_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MySqlServer]:
    """Give the suite's own MySQL-compatible server."""
    server = MySqlServer(tmp_path_factory.mktemp("mysql"))
    yield server
    server.stop()


@pytest.fixture
def mysql(request: pytest.FixtureRequest) -> Iterator[Database]:
    """Give an empty MySQL database, on the server that DDNS_TEST_MYSQL_URL names or else on the private one."""
    url = _TEST_MYSQL_URL or request.getfixturevalue("private_server").url
    with new_database(url) as database:
        yield database


@pytest.fixture
def private_mysql(private_server: MySqlServer) -> Iterator[Database]:
    """Give an empty database on the private server, whose certificates are known."""
    with new_database(private_server.url) as database:
        yield database


@contextmanager
def new_database(server_url: str) -> Iterator[Database]:
    """Make an empty database for the length of the block."""
    name = f"ddns_test_{os.getpid()}_{next(_numbers)}"
    url = urlsplit(server_url)
    with closing(
        pymysql.connect(
            host=url.hostname or "",
            port=url.port or 3306,
            user=url.username,
            password=url.password or "",
            autocommit=True,
        )
    ) as admin:
        admin.cursor().execute(f"CREATE DATABASE {name}")
        yield Database("mysql", f"{server_url.rstrip('/')}/{name}")
        admin.cursor().execute(f"DROP DATABASE {name}")


@pytest.fixture
def sqlite(tmp_path: Path) -> Database:
    """Give the URL of an SQLite file that does not exist yet."""
    return Database("sqlite", f"sqlite:///{tmp_path}/ddns.sqlite3")


@pytest.fixture(params=["sqlite", "mysql"])
def database(request: pytest.FixtureRequest) -> Database:
    """Give an empty database of each engine in turn."""
    return request.getfixturevalue(request.param)  # type: ignore[no-any-return]


@pytest.fixture(scope="session")
def aws_server() -> Iterator[FakeAws]:
    server = FakeAws()
    yield server
    server.stop()


@pytest.fixture
def aws(aws_server: FakeAws) -> Iterator[FakeAws]:
    """Give an empty Route 53."""
    aws_server.reset()
    yield aws_server
    aws_server.heal()


@pytest.fixture
def service() -> Iterator[AddressService]:
    """Give an address service that answers 9.9.9.9."""
    with running() as each:
        yield each


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Give somebody to tell, who takes everything."""
    with receiving() as each:
        yield each


@dataclass
class Finished:
    """A command that ended."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass
class Machine:
    """One origin on one database, one address service and one Route 53, driven by the real command line."""

    database: Database
    service: AddressService
    aws: FakeAws
    folder: Path
    zone_id: str
    environment: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.environment = {
            **AWS,
            "HOME": str(self.folder),
            "TZ": "UTC",
            "PATH": os.environ["PATH"],
            "AWS_ENDPOINT_URL": self.aws.url,
            "DDNS_DATABASE_URL": self.database.url,
            "DDNS_IP_SOURCES": self.service.url,
            "DDNS_IP_RETRIES": "0",
            "DDNS_IP_AGREEMENT": "off",
            "DDNS_IP_TIMEOUT": "2",
            "DDNS_RECORDS": "home.example.com",
            "PYTHONWARNINGS": "error",
        }

    def start(
        self, *arguments: str, program: Sequence[str] = ("-m", "ddns_updater"), **changes: Any
    ) -> subprocess.Popen[str]:
        """Start one command."""
        environment = {key: value for key, value in (self.environment | changes).items() if value is not None}
        return subprocess.Popen(
            [sys.executable, *program, *arguments],
            env=environment,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def ddns(self, *arguments: str, **changes: Any) -> Finished:
        """Run one command to its end."""
        return finish(self.start(*arguments, **changes))

    def run(self, *arguments: str, **changes: Any) -> Any:
        """Do one run and return its JSON."""
        done = self.ddns("run", "--json", *arguments, **changes)
        assert done.out, done.err
        return done.json

    def init(self, ip: str = "9.9.9.9", name: str = "line") -> None:
        """Seed an origin."""
        done = self.ddns("init", "--name", name, "--ip", ip)
        assert done.status == 0, done.err

    def statements_hold(self, address: str) -> None:
        """Assert the three statements: versions contiguous, nothing lost, the next clean run verified on `address`."""
        self.aws.heal()
        before = self.database.versions()
        result = self.run(DDNS_RECHECK_EVERY="3600")
        assert result["outcome"] in ("unchanged", "updated"), result
        after = self.database.versions()
        assert [version for version, _ in after] == list(range(1, len(after) + 1))
        assert after[: len(before)] == before
        assert after[-1][1] == address
        assert set(self.database.states().values()) == {"verified"}
        assert self.aws.address(self.zone_id) == address


def finish(process: subprocess.Popen[str], timeout: float = 60) -> Finished:
    """Wait for a command to end."""
    out, err = process.communicate(timeout=timeout)
    return Finished(process.returncode, out, err)


@pytest.fixture
def machine(database: Database, service: AddressService, aws: FakeAws, tmp_path: Path) -> Machine:
    """Give a machine whose schema is empty, on each engine in turn."""
    return Machine(database, service, aws, tmp_path / "home", aws.zone())


@pytest.fixture
def small_machine(sqlite: Database, service: AddressService, aws: FakeAws, tmp_path: Path) -> Machine:
    """Give a machine on SQLite, for what does not depend on the engine."""
    return Machine(sqlite, service, aws, tmp_path / "home", aws.zone())


_numbers = iter(range(10**9))
