"""Runs whose table of DynamoDB goes away at any of their writes, and runs that are at work on one at once."""

from pathlib import Path

import pytest

from ddns_updater.lib.dynamodb import Table
from tests.support import aws as faults
from tests.support.aws import FakeAws
from tests.support.database import Database
from tests.support.dynamodb import dynamodb_environment, make_table, sdk
from tests.support.machine import Machine
from tests.support.services import AddressService

_WRITES = [("UpdateItem", number) for number in range(7)] + [("PutItem", 0)]


@pytest.fixture
def table(aws: FakeAws, monkeypatch: pytest.MonkeyPatch) -> Table:
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws.url)
    return make_table(aws.url)


@pytest.fixture
def line(table: Table, sqlite: Database, service: AddressService, aws: FakeAws, tmp_path: Path) -> Machine:
    """Give a machine whose address has changed since it was seeded."""
    del table
    machine = Machine(sqlite, service, aws, tmp_path, aws.zone())
    machine.environment |= dynamodb_environment(aws.url)
    machine.init("8.8.8.8")
    service.address = "1.1.1.1"
    return machine


def _versions(aws: FakeAws) -> list[tuple[str, str]]:
    items = sdk(aws.url).query(
        TableName="ddns",
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": "line#line#ipv4"}},
    )["Items"]
    return [(item["sk"]["S"], item["ip"]["S"]) for item in items]


def _holds(line: Machine, table: Table) -> None:
    """Assert that once the leases have ended the next run sets everything right, with one version more."""
    for lease in list(table.query("lease")):
        table.delete("lease", lease["sk"])
    result = line.run(DDNS_RECHECK_EVERY="3600")
    assert result["outcome"] in ("unchanged", "updated"), result
    assert [each["state"] for each in result["results"][0]["records"]] == ["verified"]
    assert _versions(line.aws) == [("v#00000001", "8.8.8.8"), ("v#00000002", "1.1.1.1")]
    assert line.aws.address(line.zone_id) == "1.1.1.1"


@pytest.mark.parametrize("fault", [faults.lose_answer, faults.cut])
@pytest.mark.parametrize(("operation", "after"), _WRITES)
def test_a_table_that_goes_away_at_any_write_loses_nothing(
    line: Machine, table: Table, operation: str, after: int, fault: faults.Fault
) -> None:
    line.aws.fault(operation, fault, after=after)
    done = line.ddns("run")
    assert "Traceback" not in done.err
    line.aws.heal()
    _holds(line, table)


def test_ten_runs_at_once_append_one_version(line: Machine, table: Table) -> None:
    ended = line.at_once(10, "run", "--json", DDNS_IP_TIMEOUT="20")
    assert {each.status for each in ended} == {0}, [each.err for each in ended]
    outcomes = [each.json["outcome"] for each in ended]
    assert outcomes.count("updated") == 1
    assert set(outcomes) <= {"updated", "skipped", "unchanged"}
    assert line.aws.count()["ChangeResourceRecordSets"] == 1
    _holds(line, table)
