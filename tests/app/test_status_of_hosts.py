"""`ddns status` where there are hosts of the update endpoint: in short beside the line, or of one host alone."""

from datetime import timedelta
from typing import Any

import pytest

from ddns_updater.model import PublicationState
from tests.support import hosts
from tests.support.machine import Machine

NAME = "nas.example.com"


def with_hosts(machine: Machine, number: int = 3) -> None:
    """Add hosts that are published."""
    for each in range(number):
        hosts.update(machine.database, hosts.add(machine.database, f"h{each}.example.com"), "9.9.9.9")
    hosts.publish(machine.database)


def status_of(machine: Machine, **changes: Any) -> Any:
    return machine.ddns("status", "--json", **changes).json


def test_hosts_are_shown_in_short_beside_the_line(published: Machine) -> None:
    with_hosts(published)
    hosts.update(published.database, hosts.add(published.database), "1.1.1.1")
    published.ddns("host", "block", "h1.example.com")
    done = published.ddns("status")
    assert done.status == 0, done.out
    last = done.out.splitlines()[-1]
    assert last.startswith("4 hosts: 3 of 4 records verified, 1 due, the oldest for ")
    assert last.endswith(", 1 blocked")
    found = status_of(published)
    since = found["hosts"].pop("due_since")
    assert found["hosts"] == {
        "count": 4,
        "records": 4,
        "verified": 3,
        "due": 1,
        "refused": 0,
        "slowed": 0,
        "blocked": 1,
    }
    assert since.endswith("+00:00")
    assert found["ok"] is True


@pytest.mark.parametrize(("minutes", "is_problem"), [(9, False), (11, True)])
def test_what_nobody_publishes_for_ten_minutes_is_a_problem(published: Machine, minutes: int, is_problem: bool) -> None:
    with_hosts(published)
    hosts.update(published.database, hosts.add(published.database), "1.1.1.1")
    hosts.publish(published.database, PublicationState.PENDING, due_for=timedelta(minutes=minutes))
    done = published.ddns("status")
    assert done.status == int(is_problem)
    assert ("check that ddns serve is running" in done.out) == is_problem


def test_what_cannot_be_published_is_a_problem_at_once_and_not_one_of_the_server(published: Machine) -> None:
    hosts.update(published.database, hosts.add(published.database), "1.1.1.1")
    hosts.publish(published.database, PublicationState.FAILED, error="a CNAME", due_for=timedelta(hours=1))
    found = status_of(published)
    assert found["problems"] == ["1 record of hosts cannot be published; ddns doctor names them"]
    assert (found["hosts"]["refused"], found["hosts"]["due"], found["hosts"]["due_since"]) == (1, 0, None)


def test_a_removed_host_counts_no_more(published: Machine) -> None:
    with_hosts(published, 1)
    published.ddns("host", "remove", "h0.example.com")
    assert status_of(published)["hosts"]["count"] == 0
    assert "host" not in published.ddns("status").out


def test_without_the_tables_of_hosts_the_status_is_as_before(published: Machine) -> None:
    for table in ("record", "host", "login"):
        published.database.sql(f"DROP TABLE admin_ddns_{table}")
    found = status_of(published)
    assert (found["ok"], found["hosts"]) == (True, None)


def test_a_server_of_hosts_alone_needs_no_origin_and_no_run(machine: Machine) -> None:
    machine.database.create_tables()
    assert "no origin in the database" in machine.ddns("status").out
    with_hosts(machine, 2)
    done = machine.ddns("status")
    assert (done.status, done.out) == (0, "all is well\n2 hosts: 2 of 2 records verified\n")


def test_the_status_of_a_host_has_its_own_families_and_no_run(published: Machine) -> None:
    host = hosts.add(published.database)
    hosts.update(published.database, host, "1.1.1.1", "2620:fe::fe")
    hosts.publish(published.database)
    done = published.ddns("status", "--name", NAME, DDNS_IP_FAMILIES="ipv4", DDNS_RECORDS=None)
    assert done.status == 0, done.out
    lines = done.out.splitlines()
    assert lines[0] == "all is well"
    assert lines[1].startswith(f"{NAME}, ipv4: 1.1.1.1, version 1")
    assert lines[2].startswith(f"  {NAME} A  verified, last seen with 1.1.1.1")
    assert lines[4].startswith(f"  {NAME} AAAA  verified")
    assert "run" not in done.out
    found = published.ddns("status", "--name", NAME, "--json").json
    assert [each["family"] for each in found["families"]] == ["ipv4", "ipv6"]
    assert (found["last_run"], found["hosts"]) == (None, None)


def test_a_host_whose_record_is_refused_has_that_problem(published: Machine) -> None:
    hosts.update(published.database, hosts.add(published.database), "1.1.1.1")
    hosts.publish(published.database, PublicationState.FAILED, error="a CNAME to x exists there")
    done = published.ddns("status", "--name", NAME)
    assert done.status == 1
    assert "- a CNAME to x exists there" in done.out
