"""The shared table as people really have it: made by hand or by an ORM, purged, and read by others."""

import re
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.support.database import Database
from tests.support.machine import Machine
from tests.support.services import running

_MINE = {"mysql": "bigint AUTO_INCREMENT PRIMARY KEY", "sqlite": "integer PRIMARY KEY"}


def by_hand(database: Database, *rows: tuple[int, int, str]) -> None:
    """Make the table as a person does, without keys, with rows of "line": originId, version and ip."""
    database.sql(
        f"CREATE TABLE admin_ip_history (id {_MINE[database.engine]}, createdAt datetime DEFAULT CURRENT_TIMESTAMP,"
        " updatedAt datetime DEFAULT CURRENT_TIMESTAMP, ip varchar(255), name varchar(255), version int DEFAULT 1,"
        " originId bigint DEFAULT 0, note text)"
    )
    insert(database, *rows)


def insert(database: Database, *rows: tuple[int, int, str]) -> None:
    """Insert rows of "line" as their owner does: originId, version and ip."""
    for row in rows:
        database.sql("INSERT INTO admin_ip_history (originId, version, ip, name) VALUES (?, ?, ?, 'line')", row)


def rows_of(database: Database) -> list[tuple[int, int, str]]:
    """Return originId, version and ip of every row, in order."""
    found = database.sql("SELECT originId, version, ip FROM admin_ip_history ORDER BY originId, version")
    return [(int(origin), int(version), str(ip)) for origin, version, ip in found]


# Rows that are gone


@pytest.mark.parametrize(
    ("gone", "left"),
    [
        ("version = 1", [2, 3, 4]),
        ("version < 4", [4]),
        ("version IN (1, 3)", [2, 4]),
        ("version = 4", [1, 2, 3]),
    ],
)
def test_an_origin_goes_on_when_rows_were_purged(machine: Machine, gone: str, left: list[int]) -> None:
    machine.init("1.1.1.1")
    insert(machine.database, (1, 2, "8.8.8.8"), (1, 3, "1.0.0.1"), (1, 4, "8.8.4.4"))
    machine.database.sql(f"DELETE FROM admin_ip_history WHERE {gone}")
    before = rows_of(machine.database)
    assert [version for _, version, _ in before] == left
    assert machine.run()["outcome"] == "updated"
    assert rows_of(machine.database) == [*before, (1, left[-1] + 1, "9.9.9.9")]
    assert machine.aws.address(machine.zone_id) == "9.9.9.9"
    assert machine.run()["outcome"] == "unchanged"
    done = machine.ddns("init", "--name", "line")
    assert done.status == 0
    assert f"version {left[-1] + 1} is 9.9.9.9; nothing changed" in done.out
    assert rows_of(machine.database) == [*before, (1, left[-1] + 1, "9.9.9.9")]
    assert machine.ddns("history", "--summary").status == machine.ddns("status").status == 0


# Rows of one name under two originIds


@pytest.fixture
def divided(machine: Machine) -> Machine:
    """Give a machine whose table was made by hand, the first row with the column's default."""
    by_hand(machine.database, (0, 1, "1.1.1.1"), (1, 2, "8.8.8.8"), (1, 3, "8.8.4.4"))
    machine.database.sql("UPDATE admin_ip_history SET createdAt = '2020-01-01 00:00:00' WHERE version = 1")
    return machine


def test_init_refuses_one_name_under_two_origin_ids_and_changes_nothing(divided: Machine) -> None:
    listing = "SHOW TABLES" if divided.database.engine == "mysql" else "SELECT name FROM sqlite_master"
    before = rows_of(divided.database), divided.database.sql(listing)
    done = divided.ddns("init", "--name", "line")
    assert (done.status, done.out, done.err.count("\n")) == (1, "", 1)
    assert "under two originIds: 0 (version 1 is 1.1.1.1, since 2020-01-01 " in done.err
    assert "and 1 (version 3 is 8.8.4.4, since 20" in done.err
    assert (rows_of(divided.database), divided.database.sql(listing)) == before


def paste(database: Database, text: str, number: int) -> None:
    """Execute what a message gives for one of the originIds, in MySQL's safe-update mode."""
    choice = re.findall(r"for \d+, execute (.*?)(?=; for \d|; nothing was)", text)[number]
    with closing(database.connect()) as connection:
        if database.engine == "mysql":
            connection.cursor().execute("SET sql_safe_updates = 1")
        for statement in choice.split("; "):
            connection.cursor().execute(statement)
        connection.commit()


@pytest.mark.parametrize(
    ("number", "kept", "rows"),
    [
        (0, 1, [(1, 1, "1.1.1.1"), (1, 2, "8.8.8.8"), (1, 3, "8.8.4.4")]),
        (1, 0, [(0, 1, "1.1.1.1"), (0, 2, "8.8.8.8"), (0, 3, "8.8.4.4")]),
    ],
)
def test_the_statement_in_the_message_unites_them(
    divided: Machine, number: int, kept: int, rows: list[tuple[int, int, str]]
) -> None:
    paste(divided.database, divided.ddns("init", "--name", "line").err, number)
    assert rows_of(divided.database) == rows
    assert divided.ddns("init", "--name", "line").status == 0
    assert divided.run()["outcome"] == "updated"
    assert rows_of(divided.database) == [*rows, (kept, 4, "9.9.9.9")]


@pytest.mark.parametrize("number", [0, 1])
def test_a_run_refuses_what_appeared_later_and_the_statement_does_not_collide(machine: Machine, number: int) -> None:
    machine.init("1.1.1.1")
    machine.run()
    theirs = [(7, version, f"8.8.8.{version}") for version in range(1, 7)]
    insert(machine.database, *theirs)
    published, before = machine.aws.address(machine.zone_id), rows_of(machine.database)
    done = machine.ddns("run")
    assert (done.status, done.err.count("\n")) == (1, 1)
    assert (rows_of(machine.database), machine.aws.address(machine.zone_id)) == (before, published)
    checks = machine.ddns("doctor", "--json").json["checks"]
    (check,) = [each for each in checks if (each["group"], each["name"]) == ("database", "origin")]
    assert check["state"] == "failed"
    assert check["advice"] in done.err
    paste(machine.database, done.err, number)
    after = rows_of(machine.database)
    assert sorted(ip for _, _, ip in after) == sorted(ip for _, _, ip in before)
    assert {origin for origin, _, _ in after} == {7 if number == 0 else 1}
    assert len({version for _, version, _ in after}) == 8
    assert machine.run()["outcome"] in ("updated", "unchanged")
    assert rows_of(machine.database)[-1][2] == machine.aws.address(machine.zone_id) == "9.9.9.9"


def test_an_older_row_does_not_become_the_newest(machine: Machine) -> None:
    by_hand(machine.database, (0, 1, "8.8.8.8"), (1, 1, "1.1.1.1"), (1, 2, "9.9.9.9"))
    machine.database.sql("UPDATE admin_ip_history SET createdAt = '2020-01-01 00:00:00' WHERE originId = 0")
    paste(machine.database, machine.ddns("init", "--name", "line").err, 0)
    rows = rows_of(machine.database)
    assert [ip for _, _, ip in rows] == ["8.8.8.8", "1.1.1.1", "9.9.9.9"]
    assert {origin for origin, _, _ in rows} == {1}
    assert machine.ddns("init", "--name", "line").status == 0
    assert machine.run()["outcome"] == "updated"  # DNS follows; the address did not change
    assert rows_of(machine.database) == rows


@pytest.mark.parametrize("odd", ["8.8.4.4:443", ""])
def test_an_odd_text_does_not_hide_that_there_are_two(machine: Machine, odd: str) -> None:
    by_hand(machine.database, (0, 1, "8.8.8.8"), (1, 1, odd))
    done = machine.ddns("init", "--name", "line")
    assert (done.status, "under two originIds: 0 (" in done.err) == (1, True)


def test_a_row_without_an_address_is_an_origin_too(machine: Machine) -> None:
    by_hand(machine.database)
    machine.database.sql("INSERT INTO admin_ip_history (originId, version, ip, name) VALUES (1, 1, NULL, 'line')")
    done = machine.ddns("init", "--name", "line")
    assert (done.status, "version 1 is ''; nothing changed" in done.out) == (0, True)
    assert machine.run("--name", "line")["outcome"] == "updated"
    found = machine.database.sql("SELECT originId, version, ip FROM admin_ip_history ORDER BY id")
    assert found == [(1, 1, None), (1, 2, "9.9.9.9")]


def test_rows_without_a_version_are_named_as_such(machine: Machine) -> None:
    by_hand(machine.database)
    machine.database.sql(
        "INSERT INTO admin_ip_history (originId, version, ip, name) VALUES (1, NULL, '8.8.8.8', 'line')"
    )
    done = machine.ddns("init", "--name", "line")
    assert done.err == (
        "error: rows of origin line have no version; give each its number, 1 to the oldest; nothing was changed\n"
    )


def test_two_names_may_be_as_far_apart_as_they_like(machine: Machine) -> None:
    machine.init("1.1.1.1")
    machine.database.sql("INSERT INTO admin_ip_history (originId, version, ip, name) VALUES (0, 1, '8.8.8.8', 'Line')")
    assert machine.run("--name", "line")["outcome"] == "updated"
    assert rows_of(machine.database) == [(0, 1, "8.8.8.8"), (1, 1, "1.1.1.1"), (1, 2, "9.9.9.9")]


# What the rows hold

V6 = "2620:fe::fe"


@pytest.fixture
def dual(machine: Machine) -> Iterator[Machine]:
    """Give a machine for both families, never initialised."""
    with running("::1") as ipv6_service:
        ipv6_service.address = V6
        machine.environment["DDNS_IP_FAMILIES"] = "ipv4,ipv6"
        machine.environment["DDNS_IP_SOURCES"] = f"{machine.service.url},{ipv6_service.url}"
        yield machine


def test_the_only_origin_of_a_name_is_that_of_the_only_family(machine: Machine) -> None:
    first = [(1, 1, "2001:db8::1"), (1, 2, "8.8.8.8")]  # as curl answers on a line with both
    by_hand(machine.database, *first)
    done = machine.ddns("init", "--name", "line")
    assert (done.status, done.err) == (0, "")
    assert machine.run()["outcome"] == "updated"
    assert rows_of(machine.database) == [*first, (1, 3, "9.9.9.9")]
    machine.database.sql("UPDATE admin_ip_history SET ip = '2001:db8::2' WHERE version = 3")
    done = machine.ddns("run", "--json")
    assert done.json["outcome"] == "updated"
    assert done.err == "warning: version 3 of line is '2001:db8::2', which is not an ipv4 address\n"
    assert rows_of(machine.database) == [*first, (1, 3, "2001:db8::2"), (1, 4, "9.9.9.9")]


def test_with_both_families_the_newest_address_decides(dual: Machine) -> None:
    first = [(1, 1, "2001:db8::1"), (1, 2, "8.8.8.8")]
    by_hand(dual.database, *first)
    done = dual.ddns("init", "--name", "line")
    assert (done.status, done.err) == (0, "")
    assert dual.run()["outcome"] == "updated"
    assert rows_of(dual.database) == [*first, (1, 3, "9.9.9.9"), (3, 1, V6)]
    assert dual.run(DDNS_IP_FAMILIES="ipv6")["outcome"] == "unchanged"
    assert dual.run(DDNS_IP_FAMILIES="ipv4")["outcome"] == "unchanged"


@pytest.mark.parametrize("families", ["ipv4", "ipv4,ipv6"])
@pytest.mark.parametrize("text", ["8.8.4.4:443", "::ffff:8.8.4.4", " 9.9.9.9", "9.9.9.9\n", "the office"])
def test_a_text_that_is_not_an_address_is_told_as_it_is_and_replaced(dual: Machine, families: str, text: str) -> None:
    dual.environment["DDNS_IP_FAMILIES"] = families
    first = [(1, 1, "8.8.8.8"), (1, 2, text)]
    by_hand(dual.database, *first)
    assert dual.ddns("init", "--name", "line").status == 0
    told = f"version 2 of line is {text!r}, which is not an ipv4 address"
    checks = dual.ddns("doctor", "--json").json["checks"]
    assert [each["found"] for each in checks if each["name"] == "ipv4 origin" and each["state"] == "warning"] == [told]
    dry = dual.ddns("run", "--dry-run")
    assert dry.err == f"warning: {told}\n"
    assert "9.9.9.9 " in dry.out
    done = dual.ddns("run", "--json")
    assert (done.json["outcome"], done.err) == ("updated", f"warning: {told}\n")
    assert [row for row in rows_of(dual.database) if row[2] != V6] == [*first, (1, 3, "9.9.9.9")]
    assert dual.aws.address(dual.zone_id) == "9.9.9.9"
    assert dual.ddns("run").err == ""


def test_an_origin_without_any_address_is_of_no_family_unless_there_is_one(dual: Machine) -> None:
    by_hand(dual.database, (1, 1, "the office"))
    for command in ("init", "run"):
        done = dual.ddns(command, "--name", "line")
        assert done.status == 1
        assert "version 1 of originId 1 is 'the office', which is not an address; correct it, or set" in done.err
        assert rows_of(dual.database) == [(1, 1, "the office")]
    dual.environment["DDNS_IP_FAMILIES"] = "ipv4"
    assert dual.ddns("init", "--name", "line").status == 0
    assert dual.run()["outcome"] == "updated"
    assert rows_of(dual.database) == [(1, 1, "the office"), (1, 2, "9.9.9.9")]


def test_two_origins_of_the_family_that_is_not_wanted_are_refused_too(machine: Machine) -> None:
    by_hand(machine.database, (1, 1, "2001:db8::1"), (7, 1, "2001:db8::2"))
    done = machine.ddns("init", "--name", "line")
    assert (done.status, "under two originIds" in done.err) == (1, True)
    assert rows_of(machine.database) == [(1, 1, "2001:db8::1"), (7, 1, "2001:db8::2")]
