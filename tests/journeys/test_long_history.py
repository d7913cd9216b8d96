"""A history of more versions than are read at once: the output is whole, in order, and needs no memory for it."""

import io
import json
from csv import DictReader
from itertools import pairwise
from pathlib import Path

from tests.journeys.test_lost_session import kill_sessions
from tests.support.aws import FakeAws
from tests.support.database import Database
from tests.support.machine import Machine
from tests.support.services import AddressService

COUNT = 2500  # versions, two pages and a half


def fill(machine: Machine, *, minutes: str = "n") -> None:
    """Record versions 2 to COUNT of the line; version n starts so many minutes after the first of March 2026."""
    machine.init()
    digits = " UNION ALL ".join(f"SELECT {digit} AS n" for digit in range(10))
    start = f"'2026-03-01' + INTERVAL {minutes} MINUTE"
    if machine.database.engine == "sqlite":
        start = f"datetime('2026-03-01', ({minutes}) || ' minutes')"
    numbers = "SELECT a.n + 10 * b.n + 100 * c.n + 1000 * d.n AS n FROM d a, d b, d c, d"
    machine.database.sql(
        "INSERT INTO admin_ip_history (ip, name, originId, version, createdAt)"
        f" WITH d AS ({digits}), v AS ({numbers})"
        f" SELECT '9.9.9.8', 'line', 1, n, {start} FROM v WHERE n BETWEEN 2 AND {COUNT}"
    )
    machine.database.sql("UPDATE admin_ip_history SET createdAt = '2026-03-01' WHERE version = 1")


def test_every_version_is_listed_once_and_in_order(machine: Machine) -> None:
    fill(machine)
    found = machine.ddns("history", "--json", "--since", "2026-01-01").json
    assert [each["version"] for each in found] == list(range(COUNT, 0, -1))
    assert all(later["since"] == earlier["until"] for later, earlier in pairwise(found))
    done = machine.ddns("history", "--csv", "--limit", "1500")
    assert [int(row["version"]) for row in DictReader(io.StringIO(done.out))] == list(range(COUNT, COUNT - 1500, -1))
    done = machine.ddns("history", "--limit", str(COUNT - 1))
    assert done.out.splitlines()[-1] == f"the newest {COUNT - 1} of {COUNT} versions; --limit {COUNT} shows all"
    assert len(done.out.splitlines()) == COUNT + 3


def test_a_clock_that_goes_back_gives_no_negative_time_and_no_other_order(machine: Machine) -> None:
    fill(machine, minutes="-n")
    found = machine.ddns("history", "--json", "--since", "2026-01-01").json
    assert [each["version"] for each in found] == list(range(COUNT, 0, -1))
    assert {each["held_seconds"] for each in found[1:]} == {0}
    table = machine.ddns("history", "--limit", "3").out.splitlines()
    assert [line.split()[0] for line in table[1:4]] == [str(COUNT - number) for number in range(3)]


def test_a_session_that_ends_while_the_reader_takes_its_time_is_replaced(
    mysql: Database, service: AddressService, aws: FakeAws, tmp_path: Path
) -> None:
    machine = Machine(mysql, service, aws, tmp_path / "home", aws.zone())
    fill(machine)
    with machine.start("history", "--json", "--limit", str(COUNT)) as process:
        assert process.stdout
        begin = process.stdout.read(100)  # the rest fills the pipe
        kill_sessions(machine.database)
        found = json.loads(begin + process.stdout.read())
    assert process.returncode == 0
    assert len(found) == COUNT


def test_a_reader_that_leaves_ends_it(small_machine: Machine) -> None:
    fill(small_machine)
    with small_machine.start("history", "--json", "--limit", str(COUNT)) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.read(100)
        process.stdout.close()
        assert process.stderr.read() == ""
