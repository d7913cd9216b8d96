"""A database that is restored from a backup: what was published after it may be what DNS holds."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.support.machine import Machine

TABLES = ("admin_ip_history", "admin_dns_publication")
TIMES = ("createdAt", "submittedAt", "verifiedAt", "checkedAt")


@contextmanager
def backup_of(machine: Machine) -> Iterator[None]:
    """Take a backup that is half an hour old, and restore it when the block ends."""
    is_sqlite = machine.database.engine == "sqlite"
    for column in TIMES:
        earlier = f"datetime({column}, '-30 minutes')" if is_sqlite else f"{column} - INTERVAL 30 MINUTE"
        machine.database.sql(f"UPDATE admin_dns_publication SET {column} = {earlier}")
    for table in TABLES:
        machine.database.sql(f"CREATE TABLE backup_{table} AS SELECT * FROM {table}")
    yield
    for table in reversed(TABLES):
        machine.database.sql(f"DELETE FROM {table}")
    for table in TABLES:
        machine.database.sql(f"INSERT INTO {table} SELECT * FROM backup_{table}")


@pytest.mark.parametrize("every", ["3600", "0"])
def test_a_record_is_read_again_before_it_counts_as_verified(machine: Machine, every: str) -> None:
    machine.environment["DDNS_RECHECK_EVERY"] = every
    machine.init()
    machine.run()
    with backup_of(machine):
        machine.service.address = "1.1.1.1"
        machine.run()
    machine.service.address = "9.9.9.9"
    assert machine.aws.address(machine.zone_id) == "1.1.1.1"
    result = machine.run()
    assert machine.aws.address(machine.zone_id) == "9.9.9.9"
    assert "home.example.com A held 1.1.1.1" in result["results"][0]["warnings"][0]
    assert result["outcome"] == "updated"
    machine.aws.calls.clear()
    assert machine.run()["outcome"] == "unchanged"
    assert not machine.aws.calls


def test_a_backup_of_the_same_state_is_read_once(machine: Machine) -> None:
    machine.init()
    machine.run()
    with backup_of(machine):
        machine.run("--recheck")
    machine.aws.calls.clear()
    assert machine.run()["outcome"] == "unchanged"
    assert machine.aws.calls
    machine.aws.calls.clear()
    assert machine.run()["outcome"] == "unchanged"
    assert not machine.aws.calls
