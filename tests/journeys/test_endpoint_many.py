"""Many requests at once, to one server and to two; the three statements hold for every host."""

from tests.support.aws_limits import Limits
from tests.support.endpoint_journey import Hosts, wait_until
from tests.support.machine import Machine


def test_two_requests_for_one_name_at_once_are_two_versions(machine: Machine) -> None:
    hosts = Hosts(machine, "one")
    with hosts.server() as server:
        for number in range(10):
            addresses = [f"8.8.{number}.1", f"8.8.{number}.2"]
            answers = hosts.at_once([server], [("one", each) for each in addresses])
            assert sorted(each.body for each in answers) == [f"good {each}" for each in addresses]
    assert len(hosts.statements_hold()["one"]) == 20


def test_one_request_that_comes_twice_at_once_is_one_version(machine: Machine) -> None:
    hosts = Hosts(machine, "one")
    with hosts.server() as server:
        answers = hosts.at_once([server], [("one", "8.8.4.4")] * 20)
    assert sorted(each.body for each in answers) == ["good 8.8.4.4", *["nochg 8.8.4.4"] * 19]
    assert hosts.statements_hold() == {"one": ["8.8.4.4"]}


def test_two_hundred_hosts_at_once_are_recorded_and_sent_in_a_few_calls(machine: Machine) -> None:
    names = [f"h{number}" for number in range(200)]
    hosts = Hosts(machine, *names)
    limits = Limits(machine.aws)
    with hosts.server() as server:
        for third in (1, 2):
            wanted = {name: f"8.8.{third}.{number}" for number, name in enumerate(names)}
            assert {each.code for each in hosts.update_all([server], wanted)} == {"good"}
    versions = hosts.statements_hold()
    assert versions == {name: [f"8.8.1.{number}", f"8.8.2.{number}"] for number, name in enumerate(names)}
    assert not limits.refused
    assert machine.aws.count()["ChangeResourceRecordSets"] <= 6


def test_two_servers_on_one_database_share_the_requests_of_the_same_hosts(machine: Machine) -> None:
    names = [f"h{number}" for number in range(10)]
    hosts = Hosts(machine, *names)
    with hosts.server() as one, hosts.server() as two:
        for number in range(6):
            servers = [one, two] if number % 2 else [two, one]
            answers = hosts.update_all(servers, {name: f"8.8.{number}.{at}" for at, name in enumerate(names)})
            assert [each.code for each in answers] == ["good"] * len(names)
        wait_until(lambda: len(machine.aws.record_sets(machine.zone_id)) > len(names))  # while both run
        for server in (one, two):
            ended = server.stop()
            assert (ended.status, ended.err) == (0, "")
    versions = hosts.statements_hold()
    assert versions == {name: [f"8.8.{number}.{at}" for number in range(6)] for at, name in enumerate(names)}


def test_two_servers_get_requests_for_the_same_names_at_once(machine: Machine) -> None:
    names = [f"h{number}" for number in range(8)]
    hosts = Hosts(machine, *names)
    with hosts.server() as one, hosts.server() as two:
        wanted = [(name, f"8.8.{number}.{at}") for number in range(4) for at, name in enumerate(names)]
        codes = {each.code for each in hosts.at_once([one, two], wanted)}
        assert codes == {"good"}
        for server in (one, two):
            ended = server.stop()
            assert (ended.status, ended.err) == (0, "")
    assert {len(each) for each in hosts.statements_hold().values()} == {4}
