"""Servers, databases and a clean environment for every test."""

import os
import signal
import socket
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from tests.support.alerting import alerting as alerting  # a fixture
from tests.support.aws import FakeAws
from tests.support.database import Database, new_database
from tests.support.machine import AWS, Machine
from tests.support.mysqld import MySqlServer
from tests.support.receivers import Receiver, receiving
from tests.support.sdk import read_service_descriptions_once
from tests.support.services import AddressService, running
from tests.support.source_trial import trial as trial  # a fixture
from tests.support.stores import open_store as open_store  # a fixture
from tests.support.stores import open_table as open_table  # a fixture
from tests.support.stores import store as store  # a fixture

_TEST_MYSQL_URL = os.environ.get("DDNS_TEST_MYSQL_URL")

_MEMORY = Path("/dev/shm")

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell that starts pytest in the background ignores it

if _MEMORY.is_dir():
    _volume = os.statvfs(_MEMORY)
    if _volume.f_bavail * _volume.f_frsize > 2**31 and not _volume.f_flag & os.ST_NOEXEC:
        # A database that need not wait for a disk takes a quarter of the time.
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(_MEMORY))

hypothesis.settings.register_profile(
    "suite",
    max_examples=150,
    deadline=None,  # a busy machine is no bug
    derandomize=True,  # the same examples each time; `--hypothesis-profile default` looks further
    database=None,
    suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture],
)
hypothesis.settings.load_profile("suite")
read_service_descriptions_once()


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
        if self.family in (socket.AF_INET, socket.AF_INET6) and not _is_loopback(address[0]):
            raise AssertionError(f"a test may not connect to {address!r}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


def _is_loopback(host: str) -> bool:
    return host == "localhost" or ip_address(host).is_loopback


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
    """Give a receiver that accepts everything."""
    with receiving() as each:
        yield each


@pytest.fixture
def machine(database: Database, service: AddressService, aws: FakeAws, tmp_path: Path) -> Machine:
    """Give a machine whose schema is empty, on each engine in turn."""
    return Machine(database, service, aws, tmp_path / "home", aws.zone())


@pytest.fixture
def published(machine: Machine) -> Machine:
    """Give a seeded machine whose record is published and verified."""
    machine.init()
    assert machine.run()["outcome"] == "updated"
    return machine


@pytest.fixture
def small_machine(sqlite: Database, service: AddressService, aws: FakeAws, tmp_path: Path) -> Machine:
    """Give a machine on SQLite, for what does not depend on the engine."""
    return Machine(sqlite, service, aws, tmp_path / "home", aws.zone())
