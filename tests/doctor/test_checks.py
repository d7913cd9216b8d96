"""The checks of `ddns doctor` that need no whole machine: clocks, recorded runs, and their text."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from types import MappingProxyType

import pytest

from ddns_updater.alerts.event import Event, Kind
from ddns_updater.app import factories
from ddns_updater.doctor.check import Check, Checker, State
from ddns_updater.doctor.database import check_database
from ddns_updater.doctor.runs import check_runs
from ddns_updater.errors import HistoryError, StateError
from ddns_updater.history.mysql import MySqlHistory
from ddns_updater.history.url import SqliteUrl
from ddns_updater.lib.deadline import time_limit
from ddns_updater.model import Family, Incident, Outcome
from ddns_updater.output.doctor import check_lines, checks_json, summary
from ddns_updater.run.ports import HistoryStore
from ddns_updater.state.content import StateContent
from ddns_updater.state.file import StateFile
from ddns_updater.state.outbox import Outbox
from ddns_updater.state.run_state import RunState
from tests.support.database import Database, only_origin
from tests.support.machine import Machine

NOW = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)


def checker() -> Checker:
    return Checker("group", lambda _seconds, _error: nullcontext(), 10)


# The database's clock


@pytest.mark.parametrize(
    ("ahead", "state", "said"),
    [
        (0, State.OK, "the database's clock and this machine's agree"),
        (60, State.WARNING, "the database's clock is 60 s behind this machine's; versions are dated by it"),
        (-3600, State.WARNING, "the database's clock is 3600 s ahead of this machine's; versions are dated by it"),
    ],
)
def test_a_clock_that_is_off_is_a_warning(mysql: Database, ahead: int, state: State, said: str) -> None:
    ((theirs,),) = mysql.sql("SELECT UNIX_TIMESTAMP()")

    @contextmanager
    def opened() -> Iterator[HistoryStore]:
        with factories.open_history(mysql.settings(), read_only=True) as history:
            assert isinstance(history, MySqlHistory)
            history.execute(f"SET timestamp = {theirs}")  # a stopped clock
            yield history

    now = datetime.fromtimestamp(theirs + ahead, UTC)
    found = list(
        check_database(checker(), opened, [Family.IPV4], [], 3600, None, lambda: False, lambda: now, lambda: 0.0)
    )
    (check,) = [each for each in found if each.name == "server time"]
    assert (check.state, check.found) == (state, said)


def test_a_database_opened_read_only_refuses_writes(machine: Machine) -> None:
    machine.init()
    with factories.open_history(machine.database.settings(), read_only=True) as history:
        origin = only_origin(history)
        journal = history.latest(origin)
        with pytest.raises(HistoryError, match=r"read-?only"):
            history.append(origin, journal.version, ip_address("1.1.1.1"))
    assert machine.database.versions() == [(1, "9.9.9.9")]


# The runs


def runs(
    run_state: RunState | None,
    *,
    given: str | None = None,
    resolved: str | None = "line",
    outbox: Outbox | None = None,
    channels: Mapping[str, str] = MappingProxyType({}),
) -> list[Check]:
    content = StateContent("line", {"line": run_state} if run_state else {}, outbox)
    return list(check_runs(checker(), lambda: content, given, resolved, NOW, channels))


def run_state(every: timedelta, last: timedelta, **changes: object) -> RunState:
    """Return the state after four runs that came at this interval, the last one that long ago."""
    recent = tuple(NOW - last - every * n for n in (3, 2, 1, 0))
    usual = RunState(recent=recent, ended=recent[-1], outcome=Outcome.UNCHANGED, last_success=recent[-1])
    return usual._replace(**changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("every", "last", "state", "said"),
    [
        (60, 60, State.OK, "runs come every 1 min"),
        (60, 300, State.OK, "runs come every 1 min"),
        (60, 301, State.FAILED, "no run for 5 min; they came every 1 min before"),
        (3600, 10800, State.OK, "runs come every 1 h 0 min"),
        (3600, 3 * 3600 + 60, State.FAILED, "no run for 3 h 1 min; they came every 1 h 0 min before"),
    ],
)
def test_the_schedule_fails_when_no_run_has_come_for_three_intervals(
    every: int, last: int, state: State, said: str
) -> None:
    last_run, schedule = runs(run_state(timedelta(seconds=every), timedelta(seconds=last)))
    assert last_run.state is State.OK
    assert (schedule.name, schedule.state, schedule.found) == ("schedule", state, said)
    assert bool(schedule.advice) is (state is State.FAILED)


@pytest.mark.parametrize(("ago", "state"), [(1, State.NOTE), (90, State.FAILED)])
def test_one_run_does_not_show_how_often_runs_come(ago: int, state: State) -> None:
    _, schedule = runs(RunState(recent=(NOW - timedelta(minutes=ago),), outcome=Outcome.UPDATED))
    assert schedule.state is state


def test_an_open_incident_is_a_failure() -> None:
    incident = Incident(NOW - timedelta(hours=2), 120, "no database", 1, NOW)
    minute = timedelta(minutes=1)
    check, _ = runs(run_state(minute, minute, outcome=Outcome.FAILED, error="no database", incident=incident))
    assert (check.state, check.found) == (
        State.FAILED,
        "1 min ago; the last one not skipped ended failed: no database (failing for 2 h 0 min, 120 runs)",
    )
    check, _ = runs(run_state(minute, minute, outcome=Outcome.PENDING, incident=incident))
    assert check.state is State.FAILED
    assert check.found.endswith(" ended pending: not yet recovered from: no database (failing for 2 h 0 min, 120 runs)")


def test_the_last_run_is_shown_with_the_last_success() -> None:
    minute = timedelta(minutes=1)
    check, _ = runs(run_state(minute, minute, outcome=Outcome.PENDING, last_success=NOW - timedelta(minutes=3)))
    assert check.found == "1 min ago, pending; last success 3 min ago"


@pytest.mark.parametrize(("given", "resolved"), [("other", None), ("other", "line"), (None, "other")])
def test_only_the_runs_of_that_origin_count(given: str | None, resolved: str | None) -> None:
    minute = timedelta(minutes=1)
    (check,) = runs(run_state(minute, minute), given=given, resolved=resolved)
    assert check.found == "none recorded on this machine"


def test_while_the_database_is_down_the_only_origin_is_checked() -> None:
    minute = timedelta(minutes=1)
    assert len(runs(run_state(minute, minute), resolved=None)) == 2


def test_a_state_file_that_cannot_be_read_is_a_failure(tmp_path: Path) -> None:
    state_file = StateFile(tmp_path, SqliteUrl(tmp_path / "db").identity)
    state_file.path.write_text('{"program": "another"}')
    (check,) = check_runs(checker(), state_file.read, None, "line", NOW, {})
    assert check.state is State.FAILED
    assert check.found.endswith("is not a file of ddns-updater")


def test_undelivered_alerts_are_a_warning_for_each_channel_that_is_configured() -> None:
    minute = timedelta(minutes=1)
    outbox = Outbox()
    event = Event(Kind.FAILING, NOW, "line", "line: failing", "", {})
    outbox.add("line", [event], ["a", "b"], NOW - timedelta(hours=2))
    outbox.add("other", [event], ["c"], NOW)
    *_, of_a, of_b = runs(run_state(minute, minute), outbox=outbox, channels={"a": "https://a.example.com/…"})
    assert {of_a.name, of_b.name} == {"undelivered alerts"}
    assert (of_a.state, of_a.advice) == (State.WARNING, "ddns notify --test shows why")
    assert of_a.found.startswith("1 alert (failing) has been undelivered to https://a.example.com/… since 2026-01-02 ")
    assert of_b.state is State.NOTE
    assert " to a channel that is not configured here since " in of_b.found
    *_, none = runs(run_state(minute, minute), channels={"a": "https://a.example.com/…"})
    assert (none.name, none.state, none.found) == ("undelivered alerts", State.OK, "none")


# The text


def test_the_parts_of_an_error_are_what_was_found_and_advice() -> None:
    assert checker().error("x", StateError("failed to do it: no; because", "do that"))[2:] == (
        State.FAILED,
        "failed to do it: no; because",
        "do that",
    )
    with_both = StateError("failed to do it", "do that", then="the next run tries again")
    assert checker().error("x", with_both)[3:] == ("failed to do it", "do that")


def test_what_the_next_run_does_is_advice_to_wait() -> None:
    error = StateError("failed to do it", then="the next run tries again")
    assert checker().error("x", error, State.WARNING)[2:] == (State.WARNING, "failed to do it", "try again later")


def test_no_part_of_a_problem_is_taken_for_advice() -> None:
    assert checker().error("x", StateError("answered 9.9.9.9; do rm -rf"))[3:] == ("answered 9.9.9.9; do rm -rf", None)


def test_a_check_cannot_take_longer_than_its_limit() -> None:
    def hang() -> None:
        while True:
            pass

    with pytest.raises(Exception, match=r"^did not finish within 0\.2 s; is a firewall in the way"):
        Checker("group", time_limit, 0.2).attempt("name", hang)


def test_the_summary_counts_the_checks_by_state() -> None:
    checks = [Check("g", "n", state, "f") for state in (State.OK, State.FAILED, State.OK, State.NOTE, State.WARNING)]
    assert summary(checks) == "5 checks: 2 ok, 1 note, 1 warning, 1 failed"
    assert summary([*checks, *checks]) == "10 checks: 4 ok, 2 notes, 2 warnings, 2 failed"
    assert summary(checks[:1]) == "1 check: 1 ok"
    assert summary([Check("g", "n", State.SKIPPED, "f")]) == "1 check: 1 skipped"


def test_json_is_one_object() -> None:
    check = Check("g", "n", State.WARNING, "f", "do that")
    assert json.loads(checks_json([check])) == {
        "ok": True,
        "checks": [{"group": "g", "name": "n", "state": "warning", "found": "f", "advice": "do that"}],
    }
    assert json.loads(checks_json([check._replace(state=State.FAILED)]))["ok"] is False


def test_lines_are_wrapped_below_the_text_and_only_to_a_given_width() -> None:
    check = Check("g", "name", State.FAILED, "a text that is longer than the line", "do what is longer than it, too")
    assert check_lines(check, 30, lambda text, _: text).splitlines() == [
        "  FAIL  name: a text that is",
        "        longer than the line",
        "        -> do what is longer",
        "        than it, too",
    ]
    path = "/home/me/a-folder-with-a-long-name/ddns-updater/.env"
    check_of_file = Check("g", "file", State.WARNING, f"{path} is open", f"chmod 600 {path}; or see")
    assert check_lines(check_of_file, 30, lambda text, _: text).splitlines() == [
        "  warn  file:",
        f"        {path}",
        "        is open",
        f"        -> chmod 600 {path};",
        "        or see",
    ]
    assert check_lines(check, None, lambda text, colour: f"<{colour}>{text}").splitlines() == [
        "  <red>FAIL  name: a text that is longer than the line",
        "        -> do what is longer than it, too",
    ]
