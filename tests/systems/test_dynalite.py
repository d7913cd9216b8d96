"""The tests of DynamoDB that need no faults, on dynalite, which shares nothing with the moto of the others.

It has no point-in-time recovery, and a table is not there at once.
"""

import inspect
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from ddns_updater.app import factories
from ddns_updater.lib.dynamodb import Table
from ddns_updater.run.ports import HistoryStore
from ddns_updater.state.table import StateTable
from tests.history import test_dynamodb, test_dynamodb_hosts, test_history
from tests.history.test_dynamodb import both as both  # a fixture
from tests.history.test_dynamodb import history as history  # a fixture
from tests.history.test_dynamodb_hosts import hosts as hosts  # a fixture
from tests.journeys import test_dynamodb as test_journeys
from tests.journeys.test_watch import wait_until
from tests.lib import test_dynamodb as test_lib
from tests.state import test_store, test_table
from tests.support.aws import FakeAws
from tests.support.database import Database
from tests.support.dynamodb import dynamodb_environment, dynamodb_settings, make_table, sdk
from tests.support.machine import Machine
from tests.support.mysqld import free_port
from tests.support.services import AddressService

_FOLDER = Path(__file__).parents[2] / ".venv/dynalite"


@pytest.fixture(scope="session")
def dynalite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Give the URL of dynalite."""
    url = f"http://127.0.0.1:{(port := free_port())}"
    program = [str(_FOLDER / each) for each in ("bin/node", "node_modules/dynalite/cli.js")]
    output = tmp_path_factory.mktemp("dynalite") / "output"
    with (
        output.open("w") as file,
        subprocess.Popen(
            [*program, "--host", "127.0.0.1", "--port", str(port), "--createTableMs", "100", "--deleteTableMs", "0"],
            stdout=file,
            stderr=file,
        ) as process,
    ):
        wait_until(lambda: "listening" in output.read_text())
        yield url
        process.terminate()


@pytest.fixture
def endpoint(dynalite: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Give the URL of dynalite without any table, and lead the program there with its tables alone."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", dynalite)
    factories._kept_client.cache_clear()
    yield dynalite
    factories._kept_client.cache_clear()
    client = sdk(dynalite)
    with suppress(client.exceptions.ResourceNotFoundException):
        client.delete_table(TableName="ddns")
        wait_until(lambda: not client.list_tables()["TableNames"])


@pytest.fixture
def table(endpoint: str) -> Table:
    made = make_table(endpoint)
    client = sdk(endpoint)
    wait_until(lambda: client.describe_table(TableName="ddns")["Table"]["TableStatus"] == "ACTIVE")
    return made


@pytest.fixture
def open_table(table: Table) -> Callable[..., StateTable]:
    return partial(StateTable, table, "DynamoDB table ddns")


@pytest.fixture
def any_history(endpoint: str) -> Iterator[HistoryStore]:
    with factories.open_history(dynamodb_settings(endpoint), for_init=True) as opened:
        assert opened.upgrade() == 1
        yield opened


@pytest.fixture
def line(
    endpoint: str, table: Table, sqlite: Database, service: AddressService, aws: FakeAws, tmp_path: Path
) -> Machine:
    """Give a machine whose first address is published; Route 53 is moto's."""
    del table
    machine = Machine(sqlite, service, aws, tmp_path, aws.zone())
    machine.environment |= dynamodb_environment(aws.url) | {"AWS_ENDPOINT_URL_DYNAMODB": endpoint}
    service.address = "9.9.9.9"
    machine.init()
    assert machine.run()["outcome"] == "updated"
    assert "PutItem" not in aws.calls
    return machine


def _without_faults(module: ModuleType, fixtures: set[str]) -> dict[str, Any]:
    """Return the tests of a module that need one of these fixtures, and no faults, which the stand-in `aws` makes."""
    where = module.__name__.partition(".")[2].replace(".", "_")
    return {
        f"test_{where}_{name.removeprefix('test_')}": each
        for name, each in vars(module).items()
        if name.startswith("test_")
        and fixtures & (asked := set(inspect.signature(each).parameters))
        and ("aws" not in asked or "line" in fixtures)
    }


globals().update(
    _without_faults(test_lib, {"table"})
    | _without_faults(test_history, {"any_history"})
    | _without_faults(test_dynamodb, {"table", "history"})
    | _without_faults(test_dynamodb_hosts, {"table", "hosts"})
    | _without_faults(test_store, {"open_store", "store"})
    | _without_faults(test_table, {"open_table"})
    | _without_faults(test_journeys, {"line"})
)
