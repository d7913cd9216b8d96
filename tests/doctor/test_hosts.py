"""`ddns doctor` where there are hosts: what `ddns serve` needs for them, and what it cannot publish."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any
from urllib.parse import urlsplit

import pytest

from ddns_updater.model import PublicationState
from tests.support import hosts
from tests.support.aws import refuse
from tests.support.database import Database
from tests.support.machine import Machine


def checks(machine: Machine, **changes: Any) -> dict[str, Any]:
    done = machine.ddns("doctor", "--json", **changes)
    return {each["name"]: each for each in done.json["checks"] if each["group"] == "hosts"}


def test_without_hosts_nothing_is_said_of_them(machine: Machine) -> None:
    machine.init()
    assert checks(machine) == {}


def test_without_their_tables_nothing_is_said_of_them(machine: Machine) -> None:
    machine.init()
    for table in ("record", "host", "login"):
        machine.database.sql(f"DROP TABLE admin_ddns_{table}")
    assert checks(machine) == {}


def test_hosts_are_counted_and_have_their_zone(machine: Machine) -> None:
    machine.init()
    for number in range(3):
        host = hosts.add(machine.database, f"h{number}.example.com")
        hosts.update(machine.database, host, "9.9.9.9")
    hosts.publish(machine.database)
    hosts.update(machine.database, host, "1.1.1.1")
    machine.ddns("host", "block", "h1.example.com")
    found = checks(machine)
    assert {name: each["state"] for name, each in found.items()} == {"hosts": "ok", "hosted zones": "ok"}
    assert found["hosts"]["found"].startswith("3 hosts, 2 of 3 records verified, 1 blocked, 1 due, the oldest for ")
    assert found["hosted zones"]["found"] == f"3 hosts in {machine.zone_id}"


def test_hosts_without_a_zone_are_named(small_machine: Machine) -> None:
    small_machine.init()
    for number in range(5):
        hosts.add(small_machine.database, f"h{number}.example.org")
    hosts.add(small_machine.database)
    (zones,) = [each for name, each in checks(small_machine).items() if name == "hosted zones"]
    assert zones["state"] == "failed"
    assert zones["found"].startswith("h0.example.org, h1.example.org, h2.example.org and 2 more: no public hosted zone")


def test_many_hosts_cost_few_calls(small_machine: Machine) -> None:
    small_machine.init()
    for number in range(120):
        hosts.add(
            small_machine.database, f"nas.h{number:03}.example.com", login="l", secret=None if number else "s" * 20
        )
    small_machine.aws.calls.clear()
    (zones,) = [each for name, each in checks(small_machine).items() if name == "hosted zones"]
    assert zones["found"].startswith("a sample of 40 of 120 hosts in ")
    assert len(small_machine.aws.calls) < 60


@pytest.mark.parametrize("state", [PublicationState.FAILED, PublicationState.PENDING, PublicationState.SUBMITTED])
def test_what_a_server_alerts_of_is_what_is_named(small_machine: Machine, state: PublicationState) -> None:
    small_machine.init()
    hosts.update(small_machine.database, hosts.add(small_machine.database), "9.9.9.9")
    hosts.publish(small_machine.database, state, error="AWS refused it")
    assert checks(small_machine)["nas.example.com A"]["found"] == "cannot be published: AWS refused it"


def test_what_cannot_be_published_is_named_up_to_ten(machine: Machine) -> None:
    machine.init()
    for number in range(12):
        hosts.update(machine.database, hosts.add(machine.database, f"h{number:02}.example.com"), "9.9.9.9")
    hosts.publish(machine.database, PublicationState.FAILED, error="a CNAME to x exists there")
    found = checks(machine)
    named = [name for name, each in found.items() if each["state"] == "failed"]
    assert named == [f"h{number:02}.example.com A" for number in range(10)]
    assert found[named[0]]["found"] == "cannot be published: a CNAME to x exists there"
    assert "ddns host remove h00.example.com" in found[named[0]]["advice"]
    assert found["more hosts"]["found"] == "2 more records cannot be published"


def test_aws_that_does_not_answer_is_one_failed_check(small_machine: Machine) -> None:
    small_machine.init()
    hosts.add(small_machine.database)
    small_machine.aws.fault("ListHostedZones", refuse("AccessDenied"))
    assert checks(small_machine)["hosted zones"]["state"] == "failed"


@pytest.fixture
def limited(mysql: Database) -> Iterator[str]:
    """Give the URL of an account that may do what a run does, and read the tables of hosts, but not write them."""
    mysql.seed("9.9.9.9")
    hosts.add(mysql)
    name = urlsplit(mysql.url).path.removeprefix("/")
    with closing(mysql.connect()) as connection, closing(connection.cursor()) as cursor:
        cursor.execute("DROP USER IF EXISTS limited@'%'")
        cursor.execute("CREATE USER limited@'%' IDENTIFIED BY 'secret'")
        cursor.execute(f"GRANT SELECT, INSERT ON {name}.admin_ip_history TO limited@'%'")
        cursor.execute(f"GRANT SELECT, INSERT, UPDATE ON {name}.admin_dns_publication TO limited@'%'")
        for table in ("login", "host", "record"):
            cursor.execute(f"GRANT SELECT ON {name}.admin_ddns_{table} TO limited@'%'")
        yield mysql.url.replace(urlsplit(mysql.url).netloc.partition("@")[0], "limited:secret")
        cursor.execute("DROP USER limited@'%'")


def test_an_account_that_may_not_write_the_tables_of_hosts_is_told(
    limited: str, mysql: Database, small_machine: Machine
) -> None:
    found = checks(small_machine, DDNS_DATABASE_URL=limited)
    assert found["grants"]["state"] == "failed"
    assert "admin_ddns_" in found["grants"]["found"]
    assert "grants" not in checks(small_machine, DDNS_DATABASE_URL=mysql.url)


def test_a_server_of_hosts_alone_needs_no_origin(machine: Machine) -> None:
    assert machine.ddns("init", "--tables-only").status == 0
    assert 'run "ddns init --name NAME"' in machine.ddns("status").out
    machine.ddns("host", "add", "nas.example.com")
    done = machine.ddns("doctor", "--json")
    (origin,) = [each for each in done.json["checks"] if each["name"] == "origin"]
    assert (origin["state"], origin["found"]) == ("skipped", "there are only hosts, which bring their own addresses")
    assert machine.ddns("status").out == "all is well\n1 host: 0 of 0 records verified\n"
