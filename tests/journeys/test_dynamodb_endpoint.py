"""`ddns serve` on a table of DynamoDB: from a request to the record in DNS, killed anywhere, and two at once."""

import signal
from pathlib import Path

import pytest

from tests.support.aws import FakeAws
from tests.support.dynamodb import TableDatabase
from tests.support.endpoint_journey import TableHosts, get, wait_until
from tests.support.machine import Machine
from tests.support.services import AddressService

_RECORDING = [
    "call:DynamoDbRequests._mark",
    "return:DynamoDbRequests._mark",  # marked as due, and without a version
    "return:Table.put",  # appended, and not answered
    "return:Endpoint.answer",
]
_SENDING = [
    "return:Table.lease",
    "return:DynamoDbPublications.due",
    "call:Publisher.publish",
    "return:Versions._save",  # pending
    "call:Route53.upsert",
    "return:Route53.upsert",  # the change was made, its ID is not written yet
    "return:Versions._save:2",  # submitted
    "call:DynamoDbPublications._save_looked",
    "call:DynamoDbPublications._change_due",  # between its two writes
    "return:DynamoDbPublications._save_looked",
]
_VERIFYING = [
    "return:Route53.in_sync",
    "return:Versions._save",  # verified
    "call:DynamoDbPublications._forget",  # to be looked at again, and due
    "return:DynamoDbPublications._forget",
]


@pytest.fixture
def machine(aws: FakeAws, service: AddressService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """Give a machine with a table."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws.url)
    return Machine(TableDatabase.at(aws.url), service, aws, tmp_path / "home", aws.zone())


def _address(machine: Machine, name: str) -> str | None:
    return machine.aws.address(machine.zone_id, f"{name}.example.com")


def test_a_request_becomes_a_version_and_a_record(machine: Machine) -> None:
    hosts = TableHosts(machine, "one", "two")
    with hosts.server() as server:
        assert get(server, "/health").body == "ok\n"
        assert hosts.update(server, "one", "8.8.4.4").body == "good 8.8.4.4"
        assert hosts.update(server, "one", "8.8.4.4").body == "nochg 8.8.4.4"
        wrong = hosts.update(server, "one", "8.8.4.5", secret="m" * 32)
        assert (wrong.status, wrong.body) == (401, "badauth")
        assert hosts.update(server, "none", "8.8.4.5").body == "badauth"
        wait_until(lambda: _address(machine, "one") == "8.8.4.4")
        assert hosts.update(server, "two", "8.8.8.8").body == "good 8.8.8.8"
        ended = server.stop()
    assert (ended.status, ended.err.count("\n")) == (0, 2), ended.err  # the two of the wrong logins
    assert _address(machine, "two") == "8.8.8.8"  # it was sent before the end
    hosts.later(120)
    with hosts.server() as server:
        assert hosts.update(server, "one", "8.8.4.6").body == "good 8.8.4.6"
        wait_until(lambda: _address(machine, "one") == "8.8.4.6")
    assert hosts.statements_hold() == {"one": ["8.8.4.4", "8.8.4.6"], "two": ["8.8.8.8"]}


@pytest.mark.parametrize("place", _RECORDING + _SENDING)
def test_a_server_killed_while_it_records_or_sends_loses_nothing(machine: Machine, place: str) -> None:
    hosts = TableHosts(machine, "one", "two")
    with hosts.server(place) as server:
        hosts.update_all([server], {"one": "8.8.4.4", "two": "8.8.8.8"})
        server.signal()
        assert server.ended().status == -signal.SIGKILL
    hosts.statements_hold()


@pytest.mark.parametrize("place", _VERIFYING)
def test_a_server_killed_while_it_verifies_loses_nothing(machine: Machine, place: str) -> None:
    hosts = TableHosts(machine, "one", "two")
    with hosts.server() as server:
        hosts.update_all([server], {"one": "8.8.4.4", "two": "8.8.8.8"})
        assert server.stop().status == 0
    assert hosts.count_due() == 2
    hosts.later(10)
    with hosts.server(place) as server:
        assert server.ended().status == -signal.SIGKILL
    assert hosts.statements_hold() == {"one": ["8.8.4.4"], "two": ["8.8.8.8"]}


def test_two_servers_on_one_table_share_the_requests_and_one_at_a_time_publishes(machine: Machine) -> None:
    names = [f"h{number}" for number in range(8)]
    hosts = TableHosts(machine, *names)
    with hosts.server() as one, hosts.server() as two:
        for number in range(4):
            servers = [one, two] if number % 2 else [two, one]
            answers = hosts.update_all(servers, {name: f"8.8.{number}.{at}" for at, name in enumerate(names)})
            assert [each.code for each in answers] == ["good"] * len(names)
        wait_until(lambda: len(machine.aws.record_sets(machine.zone_id)) > len(names))  # while both run
        for server in (one, two):
            ended = server.stop()
            assert (ended.status, ended.err) == (0, "")
    assert machine.aws.count()["ChangeResourceRecordSets"] <= 3
    versions = hosts.statements_hold()
    assert versions == {name: [f"8.8.{number}.{at}" for number in range(4)] for at, name in enumerate(names)}


def test_two_servers_get_requests_for_the_same_names_at_once(machine: Machine) -> None:
    names = [f"h{number}" for number in range(4)]
    hosts = TableHosts(machine, *names)
    with hosts.server() as one, hosts.server() as two:
        wanted = [(name, f"8.8.{number}.{at}") for number in range(4) for at, name in enumerate(names)]
        assert {each.code for each in hosts.at_once([one, two], wanted)} == {"good"}
        for server in (one, two):
            ended = server.stop()
            assert (ended.status, ended.err) == (0, "")
    assert {len(each) for each in hosts.statements_hold().values()} == {4}
