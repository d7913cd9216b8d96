"""What AWS must allow on a table of DynamoDB: the printed policy, and what the doctor says of a lesser one."""

from pathlib import Path
from typing import Any

import pytest

from ddns_updater.app.factories import open_history, open_hosts
from ddns_updater.errors import HistoryError
from ddns_updater.history.dynamodb_hosts import DynamoDbHosts
from ddns_updater.lib.dynamodb import Update
from ddns_updater.model import Family
from tests.support.aws import FakeAws, answering, refuse_item
from tests.support.command import Finished
from tests.support.dynamodb import TableDatabase
from tests.support.endpoint_journey import TableHosts, wait_until
from tests.support.machine import Machine
from tests.support.policies import allows, asked_for, listed
from tests.support.services import AddressService

_REFUSED = "AccessDeniedException"
_NOT_USED = {"route53:ListHostedZones", "route53:GetHostedZone"}  # which of the two depends on the zones


@pytest.fixture
def machine(aws: FakeAws, service: AddressService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """Give a machine with a table and a line that is not published yet."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws.url)
    machine = Machine(TableDatabase.at(aws.url), service, aws, tmp_path / "home", aws.zone())
    assert machine.ddns("init", "--name", "line", "--ip", "8.8.8.8").status == 0
    return machine


def _checks(done: Finished) -> dict[str, tuple[str, str]]:
    return {each["name"]: (each["state"], each["found"]) for each in done.json["checks"]}


def _printed(machine: Machine) -> Any:
    done = machine.ddns("iam-policy")
    assert done.status == 0, done.err
    return done.json


def test_every_call_is_in_the_policy_that_is_printed_and_it_has_no_other_action(machine: Machine) -> None:
    hosts = TableHosts(machine, "one", "two")
    policy = _printed(machine)
    machine.aws.calls.clear()
    machine.aws.asked.clear()
    assert machine.run()["outcome"] == "updated"
    assert machine.run()["outcome"] == "unchanged"
    with hosts.server() as server:
        assert hosts.update(server, "one", "8.8.4.4").code == "good"
        wait_until(lambda: hosts.machine.aws.address(machine.zone_id, "one.example.com") == "8.8.4.4")
        assert server.stop().status == 0
    hosts.later(10)
    with hosts.server() as server:
        wait_until(lambda: hosts.count_due() == 0)
        assert server.stop().status == 0
    for words in (
        ("host", "list"),
        ("host", "show", "one.example.com"),
        ("host", "rotate", "one.example.com"),
        ("host", "block", "two.example.com"),
        ("host", "remove", "two.example.com"),
        ("history",),
        ("status",),
        ("doctor",),
        ("iam-policy",),
    ):
        done = machine.ddns(*words)
        assert done.status == 0, (words, done.out, done.err)
    asked = [asked_for(*each) for each in zip(machine.aws.calls, machine.aws.asked, strict=True)]
    assert [each for each in asked if not allows(policy, each)] == []
    given = {action for statement in policy["Statement"] for action in listed(statement["Action"])}
    assert given - {each.action for each in asked} <= _NOT_USED


def test_the_doctor_names_every_right_that_is_missing_in_one_line(machine: Machine) -> None:
    for action in ("PutItem", "DeleteItem"):
        machine.aws.fault(action, refuse_item(_REFUSED))
    done = machine.ddns("doctor", "--json")
    state, text = _checks(done)["grants"]
    assert (state, text) == ("failed", "AWS refuses dynamodb:PutItem, dynamodb:DeleteItem on the table ddns")
    assert done.status == 1


def test_the_doctor_does_not_say_that_a_table_answers_that_does_not(machine: Machine) -> None:
    machine.aws.fault("GetItem", refuse_item(_REFUSED))
    state, text = _checks(machine.ddns("doctor", "--json"))["database"]
    assert state == "failed"
    assert _REFUSED in text


def test_the_doctor_tells_of_a_lease_that_is_held_and_of_no_other(machine: Machine) -> None:
    assert "connection" not in _checks(machine.ddns("doctor", "--json"))
    with open_hosts(machine.database.settings()) as store:
        assert isinstance(store, DynamoDbHosts)
        with store.lock_publisher():
            state, text = _checks(machine.ddns("doctor", "--json"))["connection"]
        assert (state, text[:30]) == ("note", "the lease publisher is held, f")
        store.table.update("lease", "publisher", Update({"until": 1, "owner": "dead"}))
    assert "connection" not in _checks(machine.ddns("doctor", "--json"))


def test_the_doctor_says_that_deleted_items_cannot_be_restored(machine: Machine) -> None:
    off = '{"ContinuousBackupsDescription": {"ContinuousBackupsStatus": "ENABLED", "PointInTimeRecoveryDescription":'
    machine.aws.fault("DescribeContinuousBackups", answering(off + ' {"PointInTimeRecoveryStatus": "DISABLED"}}}'))
    assert _checks(machine.ddns("doctor", "--json"))["schema"][1] == "lacks point-in-time recovery"


def test_what_is_opened_for_reading_writes_nothing(machine: Machine) -> None:
    settings = machine.database.settings()
    with open_history(settings, read_only=True) as history:
        (origin,) = history.origins("line")
        history.check_writing()
        with pytest.raises(HistoryError, match="failed to write the table ddns: it is only to be read"):
            history.lock(origin.of(Family.IPV4)).__enter__()
    with open_hosts(settings, read_only=True) as hosts, pytest.raises(HistoryError, match="only to be read"):
        hosts.lock_publisher().__enter__()
    with open_hosts(settings) as hosts, hosts.lock_publisher() as is_ours:
        assert is_ours
