"""Servers whose AWS or database fails, hangs, loses an answer or goes away; the three statements hold afterwards."""

from contextlib import closing
from urllib.parse import urlsplit

import pytest

from tests.support import aws as faults
from tests.support.database import Database, replace_port
from tests.support.endpoint_journey import Hosts, Server, get, wait_until
from tests.support.machine import Machine
from tests.support.proxy import Proxy

_CHANGE = "ChangeResourceRecordSets"
_FAULTS = {
    "throttled": faults.refuse("Throttling", "Rate exceeded"),
    "cut": faults.cut,
    "lost": faults.lose_answer,
}


@pytest.mark.parametrize("fault", [*_FAULTS, "hanging"])
@pytest.mark.parametrize("operation", [_CHANGE, "GetChange"])  # the others: tests/server/test_publishing.py
def test_requests_are_answered_and_nothing_is_lost_whatever_aws_does(
    small_machine: Machine, operation: str, fault: str
) -> None:
    machine = small_machine
    hosts = Hosts(machine, "one", "two")
    if operation == "GetChange":
        _send(hosts)
    machine.aws.fault(operation, _fault(machine, fault))
    with hosts.server() as server:
        assert hosts.update(server, "one", "8.8.4.4").code in ("good", "nochg")
        wait_until(lambda: operation in machine.aws.calls)  # and AWS has not answered, or badly
        assert hosts.update(server, "one", "8.8.4.4").code == "nochg"
        assert hosts.update(server, "two", "8.8.8.8").code == "good"
        assert get(server, "/health").status == 200
        machine.aws.heal()
        assert server.stop().status == 0
    assert hosts.statements_hold() == {"one": ["8.8.4.4"], "two": ["8.8.8.8"]}


@pytest.mark.parametrize("fault", ["throttled", "lost"])
def test_a_second_version_that_meets_a_fault_ends_in_dns(small_machine: Machine, fault: str) -> None:
    machine = small_machine
    hosts = Hosts(machine, "one", "two")
    _send(hosts)
    hosts.settle()
    hosts.later(120)
    machine.aws.fault(_CHANGE, _fault(machine, fault), times=4)
    with hosts.server() as server:
        hosts.update_all([server], {"one": "8.8.4.5", "two": "8.8.8.9"})
        wait_until(lambda: machine.aws.count()[_CHANGE] > 1)
        hosts.update_all([server], {"one": "8.8.4.6"})
        server.stop()
    assert hosts.statements_hold() == {"one": ["8.8.4.4", "8.8.4.5", "8.8.4.6"], "two": ["8.8.8.9"]}


def test_a_server_is_unhealthy_while_mysql_is_away_and_goes_on_when_it_is_back(
    small_machine: Machine, mysql: Database
) -> None:
    machine = small_machine
    machine.database = mysql
    with closing(Proxy(urlsplit(mysql.url).port or 0)) as proxy:
        hosts = Hosts(machine, "one", "two")
        with hosts.server(DDNS_DATABASE_URL=replace_port(mysql.url, proxy.port)) as server:
            assert hosts.update(server, "one", "8.8.4.4").code == "good"
            proxy.fault = lambda _: "cut"
            proxy.cut_all()
            _is_away(hosts, server)
            proxy.fault = lambda _: None
            _is_back(hosts, server)
    machine.environment["DDNS_DATABASE_URL"] = mysql.url
    assert hosts.statements_hold() == {"one": ["8.8.4.4"], "two": ["8.8.8.8"]}


def test_a_server_is_unhealthy_while_its_file_is_away_and_goes_on_when_it_is_back(small_machine: Machine) -> None:
    file = small_machine.database.file
    elsewhere = file.with_name("elsewhere")
    hosts = Hosts(small_machine, "one", "two")
    with hosts.server() as server:
        assert hosts.update(server, "one", "8.8.4.4").code == "good"
        file.rename(elsewhere)
        _is_away(hosts, server)
        elsewhere.rename(file)
        _is_back(hosts, server)
    assert hosts.statements_hold() == {"one": ["8.8.4.4"], "two": ["8.8.8.8"]}


def _send(hosts: Hosts) -> None:
    """Leave a version of the first host that was sent, and not verified, a while ago."""
    with hosts.server() as server:
        assert hosts.update(server, "one", "8.8.4.4").code == "good"
        server.stop()
    hosts.later(120)


def _fault(machine: Machine, name: str) -> faults.Fault:
    return machine.aws.hang if name == "hanging" else _FAULTS[name]


def _is_away(hosts: Hosts, server: Server) -> None:
    """Assert that a server says that its database is away."""
    wait_until(lambda: get(server, "/health").status == 503)
    answer = hosts.update(server, "two", "8.8.8.8")
    assert (answer.status, answer.body) == (503, "911")
    assert 0 < int(answer.headers["retry-after"]) <= 300


def _is_back(hosts: Hosts, server: Server) -> None:
    """Assert that a server is well again, and send what is due until DNS has it."""
    wait_until(lambda: get(server, "/health").status == 200)
    assert hosts.update(server, "two", "8.8.8.8").code == "good"
    wait_until(lambda: hosts.machine.aws.address(hosts.machine.zone_id, "two.example.com") == "8.8.8.8")
    ended = server.stop()
    assert ended.status == 0
    assert "Traceback" not in ended.err
