"""The shared table as people really have it: made by hand or by an ORM, purged, and read by others."""

import pytest

from tests.support.database import Database
from tests.support.machine import Machine

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
