"""Servers that are killed between any two writes; afterwards nothing that was answered is lost."""

import signal

import pytest

from tests.support.endpoint_journey import Hosts
from tests.support.machine import Machine

# Each write of a request and of the publisher, before and after it, and every call of AWS in between.
_RECORDING = [
    "call:SqlRequests.update",
    "call:SqlRequests._recorded",
    "call:SqlOrigins.insert",
    "return:SqlOrigins.insert",  # not committed
    "return:SqlRequests._recorded",  # committed, and not answered
    "return:Endpoint.answer",
]
_SENDING = [
    "call:Publisher.publish",
    "return:Route53.zones_for",
    "return:Route53.read",
    "call:SqlHistory.save",  # pending
    "return:SqlHistory.save",
    "call:Route53.upsert",
    "return:Route53.upsert",  # the change was made, its ID is not written yet
    "call:SqlHistory.save:2",  # submitted
    "return:SqlHistory.save:2",
    "call:SqlPublications._save_looked",
    "return:SqlPublications._save_looked",
    "call:SqlRequests.note_requests",
]
_VERIFYING = [
    "call:Verifier.verify",
    "return:Route53.in_sync",
    "call:Verifier._read_back",
    "return:Verifier._seen",
    "call:SqlHistory.save",  # verified
    "return:SqlHistory.save",
    "call:SqlPublications._save_looked",
    "return:SqlPublications._save_looked",
]
# The engines differ in what a dead client leaves: its lock, its transaction, its rows.
_OF_SQL = [each for each in _RECORDING + _SENDING if ":Sql" in each]


@pytest.mark.parametrize(
    ("database", "place"),
    [*[("sqlite", each) for each in _RECORDING + _SENDING], *[("mysql", each) for each in _OF_SQL]],
    indirect=["database"],
)
def test_a_server_killed_while_it_records_or_sends_loses_nothing(machine: Machine, place: str) -> None:
    hosts = Hosts(machine, "one", "two")
    with hosts.server(place) as server:
        hosts.update_all([server], {"one": "8.8.4.4", "two": "8.8.8.8"})
        server.signal()
        assert server.ended().status == -signal.SIGKILL
    hosts.statements_hold()


@pytest.mark.parametrize(
    ("database", "place"),
    [*[("sqlite", each) for each in _VERIFYING], *[("mysql", each) for each in _VERIFYING if ":Sql" in each]],
    indirect=["database"],
)
def test_a_server_killed_while_it_verifies_loses_nothing(machine: Machine, place: str) -> None:
    hosts = Hosts(machine, "one", "two")
    with hosts.server() as server:
        hosts.update_all([server], {"one": "8.8.4.4", "two": "8.8.8.8"})
        assert server.stop().status == 0
    assert hosts.count_due() == 2
    hosts.later(10)
    with hosts.server(place) as server:
        assert server.ended().status == -signal.SIGKILL
    assert hosts.statements_hold() == {"one": ["8.8.4.4"], "two": ["8.8.8.8"]}


def test_a_server_killed_before_it_answers_has_the_client_told_by_the_next_one(small_machine: Machine) -> None:
    hosts = Hosts(small_machine, "one")
    with hosts.server("return:SqlRequests._recorded") as server:
        assert hosts.update(server, "one", "8.8.4.4").status == 0
    with hosts.server() as server:
        assert hosts.update(server, "one", "8.8.4.4").body == "nochg 8.8.4.4"
    assert hosts.statements_hold() == {"one": ["8.8.4.4"]}
