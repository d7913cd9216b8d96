"""An address that goes to and fro is told, though each run by itself is good."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest

from ddns_updater.model import Family, FamilyResult, Outcome, RunResult
from ddns_updater.run.flapping import flapping, moves_after
from ddns_updater.run.incidents import advance
from ddns_updater.state.run_state import Move, RunState
from tests.support.alerting import later
from tests.support.machine import Machine

NOW = datetime(2026, 5, 3, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def change(before: str, after: str, *, recorded: bool = True) -> RunResult:
    """Return a run that found `before` in the database and recorded `after`."""
    one = FamilyResult(
        Family.IPV4,
        Outcome.UPDATED,
        ip_address(after),
        ip_address(before),
        version=2,
        recorded=recorded,
    )
    return RunResult("line", (one,))


def after_runs(results: list[RunResult], apart: timedelta = MINUTE) -> RunState:
    run_state = RunState()
    for number, result in enumerate(results):
        run_state, _ = advance(run_state, result, NOW + number * apart, 1)
    return run_state


def test_another_machine_that_changes_it_back_each_time_is_noticed_at_the_fourth_change() -> None:
    same = change("8.8.4.4", "9.9.9.9")
    assert after_runs([same] * 3).incident is None
    incident = after_runs([same] * 4).incident
    assert incident
    assert incident.cause == (
        "the ipv4 address of line flaps between 8.8.4.4 and 9.9.9.9, 3 times within an hour;"
        " is another machine using this origin?"
    )


def test_a_line_that_flaps_by_itself_is_noticed_as_well() -> None:
    there, back = change("8.8.4.4", "9.9.9.9"), change("9.9.9.9", "8.8.4.4")
    assert after_runs([there, back, there]).incident is None
    assert after_runs([there, back, there, back]).incident


def test_new_addresses_are_no_flapping() -> None:
    assert after_runs([change(f"1.1.1.{number}", f"1.1.1.{number + 1}") for number in range(30)]).incident is None


def test_a_failover_and_its_return_are_no_flapping() -> None:
    assert after_runs([change("8.8.4.4", "9.9.9.9"), change("9.9.9.9", "8.8.4.4")]).incident is None


def test_slow_changes_are_no_flapping() -> None:
    there, back = change("8.8.4.4", "9.9.9.9"), change("9.9.9.9", "8.8.4.4")
    assert after_runs([there, back] * 10, apart=25 * MINUTE).incident is None


def test_only_what_was_recorded_counts() -> None:
    assert moves_after({}, change("8.8.4.4", "9.9.9.9", recorded=False), NOW) == {}


def test_changes_are_forgotten_after_an_hour_and_bounded_in_number() -> None:
    moves: dict[Family, tuple[Move, ...]] = {}
    for number in range(200):
        moves = moves_after(moves, change("8.8.4.4", "9.9.9.9"), NOW + number * timedelta(seconds=10))
    assert len(moves[Family.IPV4]) == 60
    assert moves_after(moves, RunResult("line", ()), NOW + 10 * 60 * MINUTE) == {}
    assert flapping("line", {}) is None


def test_it_is_one_incident_with_one_alert_and_an_end() -> None:
    run_state, kinds = RunState(), []
    there, back = change("8.8.4.4", "9.9.9.9"), change("9.9.9.9", "8.8.4.4")
    for number in range(20):
        run_state, events = advance(run_state, back if number % 2 else there, NOW + number * MINUTE, 3)
        kinds += [each.kind for each in events if number > 3]
    assert kinds == ["failing"]
    calm = RunResult("line", (FamilyResult(Family.IPV4, Outcome.UNCHANGED, ip_address("8.8.4.4"), version=9),))
    run_state, events = advance(run_state, calm, NOW + 30 * MINUTE, 3)
    assert (events, run_state.incident is None) == ([], False)  # not over yet
    run_state, events = advance(run_state, calm, NOW + 90 * MINUTE, 3)
    assert ([each.kind for each in events if each.kind != "changed"], run_state.incident) == (["recovered"], None)


@pytest.fixture
def copied(machine: Machine, tmp_path: Path) -> tuple[Machine, Machine]:
    """Give two machines with the same settings, each with its own state."""
    machine.init("1.1.1.1")
    folder = tmp_path / "other"
    folder.mkdir()
    other = Machine(machine.database, machine.service, machine.aws, folder, machine.zone_id)
    other.environment |= machine.environment | {"HOME": str(folder)}
    return machine, other


def test_two_machines_on_one_origin_are_told_in_status_doctor_and_by_both(copied: tuple[Machine, Machine]) -> None:
    for _ in range(4):
        for machine, address in zip(copied, ("9.9.9.9", "8.8.4.4"), strict=True):
            machine.service.address = address
            assert machine.run()["outcome"] == "updated"
    for machine in copied:
        (problem,) = machine.ddns("status", "--json").json["problems"]
        assert "the ipv4 address of line flaps between " in problem
        assert "is another machine using this origin?" in problem
        checks = {each["name"]: each for each in machine.ddns("doctor", "--json").json["checks"]}
        assert "flaps between" in checks["last run"]["found"]
    one, _ = copied
    one.service.address = "9.9.9.9"
    one.run()
    later(one, 3700)
    assert one.run()["outcome"] == "unchanged"
    assert one.ddns("status").status == 0
