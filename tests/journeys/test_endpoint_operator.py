"""What the operator does while a server runs: its end, hosts that change, an older backup, and what is built in."""

import re
import shutil
from collections import Counter
from contextlib import closing
from ipaddress import ip_address

import pytest

from ddns_updater.app.factories import open_hosts
from ddns_updater.model import Family
from tests.journeys.test_serve import basic
from tests.support.aws import pending
from tests.support.command import Finished
from tests.support.endpoint import SECRET
from tests.support.endpoint_journey import Hosts, get, wait_until
from tests.support.machine import Machine
from tests.support.web import connect, received, split

_CHANGE = "ChangeResourceRecordSets"
_SECRET = re.compile(r"\b[0-9a-z]{32}\b")


def test_sigterm_answers_the_requests_in_hand_and_sends_what_is_due(machine: Machine) -> None:
    names = [f"h{number}" for number in range(20)]
    hosts = Hosts(machine, *names)
    with hosts.server() as server:
        halves = []
        for number, name in enumerate(names):
            client = connect(server)
            path = f"/nic/update?hostname={name}.example.com&myip=8.8.4.{number}"
            client.sendall(f"GET {path} HTTP/1.0\r\nX-Forwarded-For: 9.9.9.9\r\n".encode())
            halves.append((client, name))
        assert get(server, "/health").status == 200  # so the halves were read
        server.signal()
        for number, (client, name) in enumerate(halves):
            client.sendall(basic(f"{name}.example.com", SECRET) + b"\r\n")
            with closing(client):
                assert split(received(client))[2] == f"good 8.8.4.{number}".encode()
        ended = server.ended()
    assert (ended.status, ended.err) == (0, "")
    for number, name in enumerate(names):
        assert machine.aws.address(machine.zone_id, f"{name}.example.com") == f"8.8.4.{number}"
    assert machine.aws.count()[_CHANGE] <= 2
    hosts.statements_hold()


def test_a_host_is_blocked_unblocked_rotated_and_removed_at_its_next_request(machine: Machine) -> None:
    hosts = Hosts(machine, "one", "two")
    with hosts.server() as server:
        assert hosts.update(server, "one", "8.8.4.1").code == "good"
        assert hosts.update(server, "two", "8.8.8.1").code == "good"
        _host(machine, "block", "one.example.com")
        assert hosts.update(server, "one", "8.8.4.2").code == "abuse"
        assert hosts.update(server, "one", "8.8.4.1").code == "abuse"
        _host(machine, "unblock", "one.example.com")
        assert hosts.update(server, "one", "8.8.4.2").code == "good"
        rotated = _secret(_host(machine, "rotate", "one.example.com"))
        assert hosts.update(server, "one", "8.8.4.3", rotated).code == "good"
        assert hosts.update(server, "one", "8.8.4.4").code == "good"  # the old secret too, until the next one
        _host(machine, "rotate", "one.example.com")
        assert hosts.update(server, "one", "8.8.4.5").code == "badauth"
        assert hosts.update(server, "one", "8.8.4.5", rotated).code == "good"
        _host(machine, "remove", "two.example.com")
        assert hosts.update(server, "two", "8.8.8.2").code == "badauth"
        hosts.add("two", "three")
        assert hosts.update(server, "two", "8.8.8.3").code == "good"
        assert hosts.update(server, "three", "8.8.8.4").code == "good"
        assert server.stop().status == 0
    assert hosts.statements_hold() == {
        "one": ["8.8.4.1", "8.8.4.2", "8.8.4.3", "8.8.4.4", "8.8.4.5"],
        "two": ["8.8.8.1", "8.8.8.3"],
        "three": ["8.8.8.4"],
    }


def test_what_a_blocked_host_had_recorded_is_still_published(small_machine: Machine) -> None:
    hosts = Hosts(small_machine, "one")
    with hosts.server("call:Publisher.publish") as server:
        assert hosts.update(server, "one", "8.8.4.1").code == "good"
        server.ended()
    _host(small_machine, "block", "one.example.com")
    assert hosts.statements_hold() == {"one": ["8.8.4.1"]}


def test_a_removed_host_that_was_due_is_left_alone(small_machine: Machine) -> None:
    hosts = Hosts(small_machine, "one")
    with hosts.server("call:Publisher.publish") as server:
        assert hosts.update(server, "one", "8.8.4.1").code == "good"
        server.ended()
    _host(small_machine, "remove", "one.example.com")
    with hosts.server() as server:
        assert server.stop().status == 0
    assert hosts.count_due() == 0
    assert small_machine.aws.calls == []


def test_an_older_backup_that_is_put_in_place_while_the_server_runs_is_gone_on_from(small_machine: Machine) -> None:
    machine, file = small_machine, small_machine.database.file
    hosts = Hosts(machine, "one")
    backup = file.with_name("backup")
    with hosts.server() as server:
        assert hosts.update(server, "one", "8.8.4.1").code == "good"
        shutil.copy(file, backup)
        assert hosts.update(server, "one", "8.8.4.2").code == "good"
        assert hosts.update(server, "one", "8.8.4.3").code == "good"
        hosts.add("two")
        assert hosts.update(server, "two", "8.8.8.1").code == "good"
        backup.replace(file)
        hosts.answered.clear()
        answers = [hosts.update(server, "one", "8.8.4.4") for _ in range(3)]
        assert {each.code for each in answers} <= {"good", "nochg", "911"}
        wait_until(lambda: hosts.update(server, "one", "8.8.4.4").code == "nochg")
        assert hosts.update(server, "two", "8.8.8.1").code == "badauth"
        assert server.stop().status == 0
    machine.aws.put_address(machine.zone_id, "one.example.com", "8.8.4.3")  # what the lost versions left
    hosts.later(7200)
    assert hosts.statements_hold() == {"one": ["8.8.4.1", "8.8.4.4"]}


def test_a_flapping_host_gets_one_version_in_ten_minutes(machine: Machine) -> None:
    hosts = Hosts(machine, "one", "two")
    with hosts.server() as server:
        hosts.update(server, "one", "8.8.4.1")
        _insert_versions(machine, 200)
        slowed = hosts.update(server, "one", "8.8.4.2")
        assert (slowed.status, slowed.body) == (503, "911")
        assert 0 < int(slowed.headers["retry-after"]) <= 600
        assert hosts.update(server, "two", "8.8.8.1").code == "good"  # it is about that host alone
        _age_versions(machine, 601)
        assert hosts.update(server, "one", "8.8.4.2").code == "good"
        assert hosts.update(server, "one", "8.8.4.2").code == "nochg"
        assert hosts.update(server, "one", "8.8.4.3").code == "911"
        _age_versions(machine, 86_400)
        assert hosts.update(server, "one", "8.8.4.3").code == "good"
        assert hosts.update(server, "one", "8.8.4.4").code == "good"
        assert server.stop().status == 0
    versions = hosts.statements_hold()
    assert versions["one"][200:] == ["8.8.4.2", "8.8.4.3", "8.8.4.4"]


@pytest.mark.parametrize(("ttl", "expected"), [(None, 60), ("120", 120)])
def test_a_record_gets_the_ttl_of_the_settings(small_machine: Machine, ttl: str | None, expected: int) -> None:
    hosts = Hosts(small_machine, "one")
    with hosts.server(DDNS_TTL=ttl) as server:
        hosts.update(server, "one", "8.8.4.1")
        server.stop()
    assert small_machine.aws.record_sets(small_machine.zone_id)["one.example.com", "A"]["TTL"] == expected
    hosts.statements_hold(DDNS_TTL=ttl)


def test_a_ttl_that_is_changed_reaches_records_at_their_recheck(small_machine: Machine) -> None:
    hosts = Hosts(small_machine, "one")
    with hosts.server() as server:
        hosts.update(server, "one", "8.8.4.1")
        server.stop()
    hosts.settle()
    hosts.later(7200)
    hosts.statements_hold(DDNS_TTL="300")
    assert small_machine.aws.record_sets(small_machine.zone_id)["one.example.com", "A"]["TTL"] == 300


def test_drift_in_a_zone_of_many_hosts_is_repaired_by_pages(small_machine: Machine) -> None:
    machine = small_machine
    names = [f"h{number}" for number in range(300)]
    hosts = Hosts(machine, *names)
    _record(machine, hosts)
    hosts.settle()
    for name in ("h7", "h77", "h177"):
        machine.aws.put_address(machine.zone_id, f"{name}.example.com", "192.0.2.66")
    hosts.later(7200)
    before = machine.aws.count()
    hosts.statements_hold()
    used = machine.aws.count() - before
    assert used[_CHANGE] == 1
    assert used["ListResourceRecordSets"] <= 2 * 4 + 3  # the pages of 300 records, twice
    assert used["GetChange"] <= 2


def test_one_host_whose_change_stays_pending_holds_up_nobody(small_machine: Machine) -> None:
    hosts = Hosts(small_machine, "one", "two")
    small_machine.aws.fault("GetChange", pending)
    with hosts.server() as server:
        hosts.update(server, "one", "8.8.4.1")
        wait_until(lambda: small_machine.aws.address(small_machine.zone_id, "one.example.com"))
        hosts.later(30)
        hosts.update(server, "two", "8.8.8.1")
        wait_until(lambda: small_machine.aws.address(small_machine.zone_id, "two.example.com"))
        assert server.stop().status == 0
    hosts.statements_hold()
    assert Counter(small_machine.aws.calls)[_CHANGE] == 2


def _host(machine: Machine, *arguments: str) -> Finished:
    done = machine.ddns("host", *arguments)
    assert done.status == 0, done.err
    return done


def _secret(done: Finished) -> str:
    found = _SECRET.search(done.out)
    assert found, done.out
    return found[0]


def _record(machine: Machine, hosts: Hosts) -> None:
    """Record a version of every host at once, as a server would."""
    with open_hosts(machine.database.settings()) as store:
        entries = store.entries()
        store.update([(each.host, {Family.IPV4: ip_address("8.8.4.1")}) for each in entries])
    for each in entries:
        hosts.answered[each.host.name.removesuffix(".example.com")].append("8.8.4.1")


def _insert_versions(machine: Machine, last: int) -> None:
    """Give the only origin its versions up to a number, one a minute up to now."""
    ((origin,),) = machine.database.sql("SELECT originId FROM admin_ip_history")
    is_sqlite = machine.database.engine == "sqlite"
    value, minutes_ago = ("?", "datetime('now', ?)") if is_sqlite else ("%s", "NOW() - INTERVAL %s MINUTE")
    rows = [
        (f"9.9.9.{version}", version, origin, f"-{last - version} minutes" if is_sqlite else last - version)
        for version in range(2, last + 1)
    ]
    with closing(machine.database.connect()) as connection:
        connection.cursor().executemany(
            "INSERT INTO admin_ip_history (ip, name, version, originId, createdAt)"
            f" VALUES ({value}, 'one.example.com', {value}, {value}, {minutes_ago})",
            rows,
        )
        connection.commit()
    machine.database.sql("UPDATE admin_ddns_record SET version = ?", (last,))


def _age_versions(machine: Machine, seconds: int) -> None:
    """Let time pass for what counts versions."""
    is_sqlite = machine.database.engine == "sqlite"
    earlier = f"datetime(createdAt, '-{seconds} seconds')" if is_sqlite else f"createdAt - INTERVAL {seconds} SECOND"
    machine.database.sql(f"UPDATE admin_ip_history SET createdAt = {earlier}")
