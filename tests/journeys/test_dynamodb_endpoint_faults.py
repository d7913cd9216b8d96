"""A table that hangs, throttles, refuses or goes away: servers answer, commands end, the three statements hold."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support import aws as faults
from tests.support.aws import FakeAws
from tests.support.command import finish
from tests.support.dynamodb import TableDatabase
from tests.support.endpoint_journey import Server, TableHosts, get, wait_until
from tests.support.machine import Machine
from tests.support.services import AddressService

_OPERATIONS = ("BatchGetItem", "DeleteItem", "GetItem", "PutItem", "Query", "UpdateItem")
_LIMIT = 2  # seconds, DDNS_RUN_TIMEOUT
_FAULTS: dict[str, Callable[[FakeAws], faults.Fault]] = {
    "hangs": lambda aws: aws.hang,
    "throttles": lambda _: faults.refuse_item("ProvisionedThroughputExceededException"),
    "refuses": lambda _: faults.refuse_item("AccessDeniedException"),
    "cuts": lambda _: faults.cut,
}


@pytest.fixture
def machine(aws: FakeAws, service: AddressService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """Give a machine with a table."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws.url)
    machine = Machine(TableDatabase.at(aws.url), service, aws, tmp_path / "home", aws.zone())
    machine.environment["DDNS_RUN_TIMEOUT"] = str(_LIMIT)
    return machine


def _go_away(machine: Machine, fault: str, *operations: str) -> None:
    for operation in operations or _OPERATIONS:
        machine.aws.fault(operation, _FAULTS[fault](machine.aws))


def _goes_on(hosts: TableHosts, server: Server) -> None:
    """Assert that a server is well again, and end it."""
    hosts.machine.aws.heal()
    wait_until(lambda: get(server, "/health").status == 200)
    assert hosts.update(server, "two", "8.8.8.8").code == "good"
    wait_until(lambda: hosts.machine.aws.address(hosts.machine.zone_id, "two.example.com") == "8.8.8.8")
    ended = server.stop()
    assert ended.status == 0
    assert "Traceback" not in ended.err


@pytest.mark.parametrize("fault", _FAULTS)
def test_a_server_is_unhealthy_while_its_table_is_away_and_goes_on_when_it_is_back(
    machine: Machine, fault: str
) -> None:
    hosts = TableHosts(machine, "one", "two")
    with hosts.server() as server:
        assert hosts.update(server, "one", "8.8.4.4").code == "good"
        _go_away(machine, fault)
        health = get(server, "/health")
        assert (health.status, health.body) == (503, "the database does not answer\n")
        began = time.monotonic()
        answers = hosts.update_all([server], {"one": "8.8.4.5", "two": "8.8.8.8"})
        assert time.monotonic() - began < 3 * _LIMIT + 8  # the second waits for the first
        for answer in answers:
            assert (answer.status, answer.body) == (503, "911")
            assert 0 < int(answer.headers["retry-after"]) <= 300
        _goes_on(hosts, server)
    assert hosts.statements_hold() == {"one": ["8.8.4.4"], "two": ["8.8.8.8"]}


@pytest.mark.parametrize("fault", ["hangs", "throttles"])
def test_many_hosts_are_all_told_to_come_later_while_nothing_can_be_written(machine: Machine, fault: str) -> None:
    names = [f"h{number}" for number in range(12)]
    hosts = TableHosts(machine, "one", "two", *names)
    with hosts.server() as server:
        assert hosts.update(server, "one", "8.8.4.4").code == "good"
        _go_away(machine, fault, "PutItem", "UpdateItem")
        began = time.monotonic()
        answers = hosts.update_all([server], dict.fromkeys(names, "8.8.4.5"))
        assert time.monotonic() - began < 4 * _LIMIT + 8  # not one after another
        assert {(each.status, each.body) for each in answers} == {(503, "911")}
        _goes_on(hosts, server)
    assert hosts.statements_hold() == {"one": ["8.8.4.4"], "two": ["8.8.8.8"]}


def test_every_command_ends_when_the_table_does_not_answer(machine: Machine) -> None:
    TableHosts(machine, "one")
    machine.init()
    _go_away(machine, "hangs")
    commands = [("run",), ("status",), ("history",), ("init", "--name", "line"), ("host", "list")]
    began = time.monotonic()
    ended = [finish(each, timeout=30) for each in [machine.start(*words, DDNS_RUN_TIMEOUT="10") for words in commands]]
    assert time.monotonic() - began < 30
    for done, words in zip(ended, commands, strict=True):
        assert done.status == 1, words
        assert "did not answer" in done.out + done.err, words
        assert "Traceback" not in done.err
