"""A line whose versions are in a table of DynamoDB: the commands, and runs that are killed between two writes."""

import json
from pathlib import Path

import pytest

from ddns_updater.app import factories
from ddns_updater.lib.dynamodb import Table, Update
from ddns_updater.model import Family
from tests.journeys.test_watch import Output, stopped, wait_until
from tests.support.aws import FakeAws, refuse_item
from tests.support.database import Database
from tests.support.dynamodb import dynamodb_environment, dynamodb_settings, make_table
from tests.support.machine import Machine
from tests.support.services import AddressService

_KEY = "line#ipv4"
_PLACES = [
    "return:DynamoDbHistory.origins",
    "return:Table.update",  # the lease is taken
    "return:Updater._compare",
    "call:DynamoDbHistory.append",
    "call:Table.put",
    "return:Table.put",  # the version is recorded, and not read back yet
    "call:DynamoDbHistory.save",  # pending
    "return:DynamoDbHistory.save",
    "call:Route53.upsert",
    "return:Route53.upsert",  # the change was made, its ID is not written yet
    "call:DynamoDbHistory.save:2",  # submitted
    "return:DynamoDbHistory.save:2",
    "return:Route53.in_sync",
    "call:DynamoDbHistory.save:3",  # verified
    "return:DynamoDbHistory.save:3",
    "call:Table.delete",  # the lease is about to be given back
    "return:Updater.run",
]


@pytest.fixture
def table(aws: FakeAws, monkeypatch: pytest.MonkeyPatch) -> Table:
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws.url)
    return make_table(aws.url)


@pytest.fixture
def line(table: Table, sqlite: Database, service: AddressService, aws: FakeAws, tmp_path: Path) -> Machine:
    """Give a machine whose first address is published."""
    del table
    machine = Machine(sqlite, service, aws, tmp_path, aws.zone())
    machine.environment |= dynamodb_environment(aws.url)
    service.address = "9.9.9.9"
    machine.init()
    assert machine.run()["outcome"] == "updated"
    return machine


def _versions(line: Machine) -> list[tuple[int, str, list[str]]]:
    """Return each version with its address and the states of its records."""
    printed = json.loads(line.ddns("history", "--json").out)
    return [(each["version"], each["address"], [one["state"] for one in each["records"]]) for each in printed[::-1]]


@pytest.mark.parametrize("place", _PLACES)
def test_a_run_that_is_killed_loses_nothing_and_the_next_one_sets_it_right(
    line: Machine, service: AddressService, aws: FakeAws, table: Table, place: str
) -> None:
    service.address = "8.8.8.8"
    assert line.killed(place, "run").status == -9
    if table.get("lease", f"origin#{_KEY}"):
        assert line.run()["outcome"] == "skipped"  # until the lease of the dead one ends
        table.update("lease", f"origin#{_KEY}", Update({"until": 0}))
    assert line.run(DDNS_RECHECK_EVERY="3600")["outcome"] in ("unchanged", "updated")
    assert [each[:2] for each in _versions(line)] == [(1, "9.9.9.9"), (2, "8.8.8.8")]
    assert _versions(line)[-1][2] == ["verified"]
    assert aws.address(line.zone_id) == "8.8.8.8"


def test_every_command_works_on_a_table(line: Machine, aws: FakeAws) -> None:
    assert "9.9.9.9" in line.ddns("history").out
    assert "no change in" in line.ddns("history", "--summary").out
    assert "all is well" in line.ddns("status").out
    told = line.ddns("init", "--name", "line")
    assert (told.status, "already exists" in told.out) == (0, True)
    checks = json.loads(line.ddns("doctor", "--json").out)["checks"]
    assert {each["name"]: each["state"] for each in checks}["schema"] == "ok"
    assert line.ddns("host", "add", "nas.example.com").status == 0
    assert "nas.example.com" in line.ddns("host", "list").out
    assert "1 host" in line.ddns("status").out
    with factories.open_hosts(dynamodb_settings(aws.url)) as hosts:
        assert hosts.names() == ["nas.example.com"]
        assert [each.family for each in hosts.history.origins("line")] == [Family.IPV4]


def test_watch_follows_the_line_also_after_the_table_was_away(line: Machine, aws: FakeAws) -> None:
    process = line.start("watch", "--every", "1", DDNS_RUN_TIMEOUT="10")
    output = Output(process)
    line.service.address = "1.1.1.1"
    output.until("updated: 1.1.1.1 (was 9.9.9.9) is version 2 of line")
    before = aws.calls.count("Query")
    aws.fault("Query", refuse_item("InternalServerError"))
    wait_until(lambda: aws.calls.count("Query") > before + 6)  # two runs and their tries have failed
    aws.heal()
    line.service.address = "8.8.8.8"
    output.until("updated: 8.8.8.8 (was 1.1.1.1) is version 3 of line")
    assert stopped(process) == 0
    assert [(version, address) for version, address, _ in _versions(line)] == [
        (1, "9.9.9.9"),
        (2, "1.1.1.1"),
        (3, "8.8.8.8"),
    ]
    assert aws.address(line.zone_id) == "8.8.8.8"
