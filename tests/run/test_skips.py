"""Skipped runs: one or two are nothing, but when no run gets the lock for long, they are failures that are reported."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ddns_updater.app import factories
from ddns_updater.model import Family, FamilyResult, Outcome, RunResult
from ddns_updater.run.incidents import advance
from ddns_updater.run.skips import judge_skips
from ddns_updater.state.run_state import RunState, Skips
from tests.support.alerting import later
from tests.support.database import only_origin
from tests.support.machine import Machine
from tests.support.receivers import Receiver

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
TIMEOUT = 55 * SECOND
IPV4, IPV6 = Family.IPV4, Family.IPV6
GOOD, SKIPPED = Outcome.UNCHANGED, Outcome.SKIPPED


def run(state: RunState, now: datetime, *outcomes: Outcome, timeout: timedelta = TIMEOUT) -> tuple[RunState, RunResult]:
    """Do what a report does with a run that ended at `now`."""
    results = (FamilyResult(family, outcome) for family, outcome in zip(Family, outcomes, strict=False))
    state, result = judge_skips(state, RunResult("line", tuple(results)), now, timeout)
    return advance(state, result, now, None)[0], result


def usual(*outcomes: Outcome, every: timedelta = MINUTE) -> RunState:
    """Return the state after ten good runs at that interval, the last one at NOW."""
    state = RunState()
    for number in range(10):
        state, _ = run(state, NOW - every * (9 - number), *(outcomes or (GOOD,)))
    return state


def skip(state: RunState, minutes: Sequence[float], *outcomes: Outcome, **options: Any) -> list[Outcome]:
    """Return the outcomes of runs that find the lock taken at so many minutes after NOW."""
    found = []
    for minute in minutes:
        state, result = run(state, NOW + minute * MINUTE, *(outcomes or (SKIPPED,)), **options)
        found.append(result.outcome)
    return found


def test_the_first_runs_are_skipped_and_those_after_three_intervals_fail() -> None:
    assert skip(usual(), range(1, 8)) == [SKIPPED] * 4 + [Outcome.FAILED] * 3


def test_many_at_the_same_moment_are_skipped() -> None:
    assert skip(usual(), [1 + number / 1000 for number in range(50)]) == [SKIPPED] * 50
    assert skip(RunState(), [number / 1000 for number in range(50)]) == [SKIPPED] * 50


def test_few_over_a_long_time_are_skipped() -> None:
    assert skip(usual(), [1, 100, 200]) == [SKIPPED] * 3


def test_they_are_counted_from_the_last_run_that_got_the_lock() -> None:
    state = usual()
    for minute in range(1, 4):
        state, _ = run(state, NOW + minute * MINUTE, SKIPPED)
    assert state.skips == {IPV4: Skips(NOW + MINUTE, 3)}
    for outcome in (GOOD, Outcome.PENDING, Outcome.FAILED):
        after, _ = run(state, NOW + 4 * MINUTE, outcome)
        assert after.skips == {}
        assert skip(after, range(5, 9)) == [SKIPPED] * 4


def test_the_run_in_progress_may_take_as_long_as_it_is_allowed_to() -> None:
    assert skip(usual(), range(1, 12), timeout=10 * MINUTE) == [SKIPPED] * 11
    assert skip(usual(), range(1, 13), timeout=10 * MINUTE)[-1] is Outcome.FAILED


def test_the_interval_is_that_of_this_machine_and_five_minutes_for_three_runs_while_it_is_unknown() -> None:
    hourly = usual(every=HOUR)
    assert skip(hourly, [60, 120, 180, 240, 300])[-2:] == [SKIPPED, Outcome.FAILED]
    quick = [number / 6 for number in range(1, 40)]  # every 10 s, which says nothing of a schedule
    assert skip(RunState(), quick).count(SKIPPED) == 31


def test_one_family_fails_while_the_other_one_goes_on() -> None:
    state = usual(GOOD, GOOD)
    for minute in range(1, 6):
        state, result = run(state, NOW + minute * MINUTE, GOOD, SKIPPED)
    ipv4, ipv6 = result.results
    assert (ipv4.outcome, ipv6.outcome, result.outcome) == (GOOD, Outcome.FAILED, Outcome.FAILED)
    assert ipv6.error
    assert " another run of line (ipv6) holds the lock" in ipv6.error
    assert state.incident


def test_both_families_are_one_error() -> None:
    state = usual(GOOD, GOOD)
    for minute in range(1, 6):
        state, result = run(state, NOW + minute * MINUTE, SKIPPED, SKIPPED)
    assert result.error == (
        "all 5 runs since 2026-03-01 12:01 UTC were skipped: another run of line holds the lock, on this machine"
        " or another one, or the database keeps it for a connection that is gone;"
        ' end that "ddns run" or "ddns watch", or that connection; the next run tries again'
    )


def test_a_run_that_reports_after_a_later_one_changes_nothing() -> None:
    state = usual()
    assert run(state, NOW - SECOND, SKIPPED)[0].skips == {}


def test_a_failure_of_skipped_runs_ends_with_the_first_that_gets_the_lock() -> None:
    state = usual()
    for minute in range(1, 6):
        state, _ = run(state, NOW + minute * MINUTE, SKIPPED)
    assert state.incident
    assert (state.incident.failed_runs, state.outcome, state.was_skipped) == (1, Outcome.FAILED, False)
    state, _ = run(state, NOW + 6 * MINUTE, GOOD)
    assert (state.incident, state.skips) == (None, {})


# The real command


@contextmanager
def locked(machine: Machine) -> Iterator[None]:
    """Hold the lock of the origin, as a run that hangs on another machine does."""
    with factories.open_history(machine.database.settings()) as history, history.lock(only_origin(history)) as mine:
        assert mine
        yield


def test_a_lock_that_is_never_released_is_told_everywhere(machine: Machine, receiver: Receiver, tmp_path: Path) -> None:
    metrics = tmp_path / "ddns.prom"
    machine.environment |= {
        "DDNS_WEBHOOK_URLS": receiver.url,
        "DDNS_METRICS_FILE": str(metrics),
        "DDNS_HEARTBEAT_URL": f"{receiver.base}/beat",
    }
    machine.init()
    for _ in range(4):
        assert machine.ddns("run").status == 0
        later(machine, 60)
    before, calls = machine.database.versions(), len(machine.aws.calls)
    receiver.got.clear()
    machine.service.address = "1.1.1.1"
    with locked(machine):
        for _ in range(4):
            done = machine.ddns("run")
            assert (done.status, done.out) == (0, "skipped: another run of line is in progress\n")
            assert machine.ddns("status").status == 0
            later(machine, 60)
        assert receiver.got == []  # no ping, and no alert
        for _ in range(3):
            done = machine.ddns("run")
            assert (done.status, done.out) == (1, "")
            assert done.err.startswith("failed: all ")
            later(machine, 60)
        assert (machine.database.versions(), len(machine.aws.calls)) == (before, calls)
        assert [each.path for each in receiver.got if each.path.startswith("/beat")] == ["/beat/fail"] * 3
        (failing,) = [each.json for each in receiver.got if each.path.startswith("/hook")]
        assert (failing["event"], failing["outcome"], failing["failed_runs"]) == ("failing", "failed", 3)
        assert failing["cause"].startswith("all 7 runs since 20")
        status = machine.ddns("status", "--json")
        assert (status.status, status.json["last_run"]["outcome"]) == (1, "failed")
        assert status.json["incident"]["failed_runs"] == 3
        doctor = machine.ddns("doctor", "--json").json
        (check,) = [each for each in doctor["checks"] if each["name"] == "last run"]
        assert check["state"] == "failed"
        assert " runs since 20" in check["found"]
        assert 'ddns_last_run_outcome{name="line",outcome="failed"} 1.0' in metrics.read_text()
        assert 'ddns_consecutive_failures{name="line"} 3.0' in metrics.read_text()
    assert machine.run()["outcome"] == "updated"
    assert machine.database.versions() == [*before, (2, "1.1.1.1")]
    assert machine.ddns("status").status == 0
    assert [each.json["event"] for each in receiver.got if each.path.startswith("/hook")] == [
        "failing", "recovered", "changed",
    ]  # fmt: skip


@pytest.mark.parametrize("number", [20])
def test_many_runs_at_once_are_no_failure_after_a_usual_history(machine: Machine, number: int) -> None:
    machine.init()
    for _ in range(4):
        machine.run()
        later(machine, 60)
    with locked(machine):
        ended = machine.at_once(number, "run", "--json")
    assert [(each.status, each.json["outcome"]) for each in ended] == [(0, "skipped")] * number
