"""What `ddns run --quiet` prints, which is what cron mails: the start of an incident, its reminders, its end."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.run.test_skips import locked
from tests.support import services
from tests.support.alerting import BAD_ADDRESS, HOUR, later, state_file
from tests.support.aws import pending
from tests.support.command import Finished
from tests.support.machine import Machine
from tests.support.receivers import Receiver
from tests.support.terminal import screen


class Cron:
    """A machine whose cron starts `ddns run --quiet` each minute; what is printed goes to a file, as into its mail."""

    def __init__(self, machine: Machine, mail: Path) -> None:
        self.machine = machine
        self.mail = mail
        self.statuses: list[int] = []

    def run(self, times: int = 1, *, apart: float = 60, **changes: Any) -> None:
        """Run it that many times, and let a minute pass after each."""
        for _ in range(times):
            self.take(self.machine.ddns("run", "--quiet", **changes))
            later(self.machine, apart)

    def take(self, done: Finished) -> None:
        with self.mail.open("a") as file:
            file.write(done.out + done.err)
        self.statuses.append(done.status)

    def read(self) -> list[str]:
        """Return the lines that came since this was called last."""
        lines = self.mail.read_text().splitlines() if self.mail.exists() else []
        self.mail.write_text("")
        return lines


def starts(line: str, runs: int, still: str = "") -> bool:
    return line.startswith(f"line: {still}failing since 20") and f", {runs} failed runs. Cause: " in line


def published(machine: Machine, folder: Path) -> Cron:
    """Return the cron of a machine that published its first version a minute ago."""
    machine.init()
    machine.run()
    later(machine, 60)
    return Cron(machine, folder / "mail")


@pytest.fixture
def cron(machine: Machine, tmp_path: Path) -> Cron:
    """Give a machine of each engine in turn that has published its first version."""
    return published(machine, tmp_path)


@pytest.fixture
def small(small_machine: Machine, tmp_path: Path) -> Cron:
    return published(small_machine, tmp_path)


@contextmanager
def hidden(machine: Machine) -> Iterator[None]:
    """Take what a run reads of the database away for the length of the block."""
    if machine.database.engine == "mysql":
        machine.database.sql("RENAME TABLE admin_ip_history TO hidden")
        yield
        machine.database.sql("RENAME TABLE hidden TO admin_ip_history")
        return
    away = machine.database.file.rename(machine.database.file.with_suffix(".away"))
    yield
    away.rename(machine.database.file)


def test_an_hour_of_outage_is_its_start_a_reminder_and_its_end(cron: Cron) -> None:
    rows = cron.machine.database.versions()
    cron.run(3)
    assert cron.read() == []
    cron.machine.service.address = BAD_ADDRESS
    cron.run(2)
    assert cron.read() == []
    cron.run(70)
    first, reminder = cron.read()
    assert starts(first, 3)
    assert starts(reminder, 63, "still ")
    assert " home.example.com A held 9.9.9.9 (20" in first
    assert first.endswith(" Run `ddns doctor` on the machine to see what to fix.")
    cron.machine.service.address = "9.9.9.9"
    cron.run(5)
    (end,) = cron.read()
    assert end.startswith("line: recovered after 1 h 12 min, 72 failed runs. Cause: no trustworthy ipv4 address")
    assert cron.statuses == [0] * 3 + [1] * 72 + [0] * 5
    assert cron.machine.database.versions() == rows


def test_an_outage_of_the_database_that_ends_with_a_new_address(cron: Cron) -> None:
    cron.machine.service.address = "1.1.1.1"
    with hidden(cron.machine):
        cron.run(5)
    (first,) = cron.read()
    assert starts(first, 3)
    cron.run(3)
    change, end = cron.read()
    assert change.startswith("updated: 1.1.1.1 (was 9.9.9.9) is version 2 of line; home.example.com A verified ")
    assert end.startswith("line: recovered after 5 min, 5 failed runs. ")
    assert cron.machine.database.versions() == [(1, "9.9.9.9"), (2, "1.1.1.1")]


def test_it_follows_the_setting_and_a_failure_that_ends_before_is_never_printed(small: Cron) -> None:
    small.machine.service.address = BAD_ADDRESS
    small.run(4, DDNS_ALERT_AFTER="5")
    small.machine.service.address = "9.9.9.9"
    small.run(2, DDNS_ALERT_AFTER="5")
    assert small.read() == []
    small.machine.service.address = BAD_ADDRESS
    small.run(6, DDNS_ALERT_AFTER="5")
    (line,) = small.read()
    assert starts(line, 5)


def test_it_prints_when_the_alert_is_raised(small: Cron, receiver: Receiver) -> None:
    webhook: dict[str, Any] = {"DDNS_WEBHOOK_URLS": receiver.url}
    small.machine.service.address = BAD_ADDRESS
    for _ in range(130):
        small.run(**webhook)
        assert len(small.read()) == len(receiver.take())
    small.machine.service.address = "9.9.9.9"
    small.run(**webhook)
    assert (len(small.read()), receiver.events) == (1, ["recovered"])


def test_skipped_runs_are_an_incident_too(cron: Cron) -> None:
    cron.run(3)
    with locked(cron.machine):
        cron.run(10)
    (line,) = cron.read()
    assert ", 3 failed runs. Cause: all " in line
    assert cron.statuses == [0] * 7 + [1] * 6
    cron.run()
    (end,) = cron.read()
    assert end.startswith("line: recovered after ")


def test_runs_at_once_print_it_once(cron: Cron) -> None:
    cron.machine.service.address = BAD_ADDRESS
    cron.run(2)
    for done in cron.machine.at_once(8, "run", "--quiet"):
        cron.take(done)
    (line,) = cron.read()
    assert line.startswith("line: failing since 20")


# Where every failure is printed


def test_on_a_terminal_every_failure_is_printed(small: Cron) -> None:
    small.machine.service.address = BAD_ADDRESS
    for _ in range(2):
        lines = screen(small.machine, 500, "run", "--quiet")
        assert [line.partition(" ")[0] for line in lines] == ["failed:"]


def test_while_the_state_cannot_be_kept_every_failure_is_printed(small: Cron) -> None:
    small.machine.service.address = BAD_ADDRESS
    path = state_file(small.machine)
    path.unlink()
    path.mkdir()
    for _ in range(4):
        warning, failed = small.machine.ddns("run", "--quiet").err.splitlines()
        assert warning.startswith(f"warning: {path} is not a file of ddns-updater; ")
        assert failed.startswith("failed: no trustworthy ipv4 address")


def test_a_machine_that_knows_no_earlier_run_prints_its_failure(small: Cron) -> None:
    """As a container that keeps nothing: else it would be silent for ever."""
    small.machine.service.address = BAD_ADDRESS
    for number in range(4):
        done = small.machine.ddns("run", "--quiet", DDNS_STATE_FOLDER=str(small.machine.folder / str(number)))
        assert (done.status, done.err.partition(" ")[0]) == (1, "failed:")


def test_wrong_settings_are_printed_each_time(small: Cron) -> None:
    for _ in range(3):
        done = small.machine.ddns("run", "--quiet", DDNS_TTL="soon")
        assert (done.status, done.err.count("\n")) == (2, 1)


def test_a_dry_run_prints_its_failure(small: Cron) -> None:
    small.machine.service.address = BAD_ADDRESS
    for _ in range(2):
        assert small.machine.ddns("run", "--quiet", "--dry-run").err.startswith("dry run, failed: ")


# Runs by hand in between


def test_an_end_that_a_run_by_hand_brings_about_is_printed_by_the_next_quiet_run(small: Cron) -> None:
    small.machine.service.address = BAD_ADDRESS
    small.run(4)
    assert len(small.read()) == 1
    small.machine.service.address = "9.9.9.9"
    assert small.machine.ddns("run").out.startswith("unchanged: ")
    small.run(3)
    (end,) = small.read()
    assert end.startswith("line: recovered after ")


@pytest.mark.parametrize("alerting", [True, False])
def test_a_start_is_printed_though_a_run_by_hand_was_the_third_to_fail(
    small: Cron, receiver: Receiver, alerting: bool
) -> None:
    small.machine.environment |= {"DDNS_WEBHOOK_URLS": receiver.url} if alerting else {}
    small.machine.service.address = BAD_ADDRESS
    small.run(2)
    assert small.machine.ddns("run").err.startswith("failed: ")
    small.run(3)
    (start,) = small.read()
    assert starts(start, 3 if alerting else 4)


# Warnings, changes that are pending, other formats


def test_a_warning_is_printed_once_a_day(small: Cron, receiver: Receiver) -> None:
    receiver.play = services.answer("", "500 No")
    heartbeat: dict[str, Any] = {"DDNS_HEARTBEAT_URL": receiver.url}
    small.run(5, **heartbeat)
    warning = "warning: failed to send the heartbeat: http://127.0.0.1/… answered with status 500"
    assert small.read() == [warning]
    small.run(2, apart=12 * HOUR, **heartbeat)
    small.run(2, **heartbeat)
    assert small.read() == [warning]


def test_a_warning_about_the_settings_is_printed_once_a_day(small: Cron) -> None:
    path = small.machine.folder / ".env"
    path.write_text("DDNS_TTL=60\n")
    path.chmod(0o666)
    small.run(3)
    (line,) = small.read()
    assert line.startswith(f"warning: {path} is ignored: ")
    assert small.machine.ddns("run").err.startswith("warning: ")  # without --quiet, each time


def test_a_change_that_is_pending_is_printed_once(cron: Cron) -> None:
    cron.machine.service.address = "1.1.1.1"
    cron.machine.aws.fault("GetChange", pending)
    cron.run(4, DDNS_VERIFY_TIMEOUT="0")
    (line,) = cron.read()
    assert line.startswith("pending: 1.1.1.1 (was 9.9.9.9) is version 2 of line; ")
    cron.machine.aws.heal()
    cron.run(2)
    (line,) = cron.read()
    assert line.startswith("updated: 1.1.1.1 is version 2 of line; home.example.com A verified after ")


def test_json_has_every_result_that_is_not_unchanged_and_stderr_follows_the_incident(small: Cron) -> None:
    small.machine.service.address = BAD_ADDRESS
    for number in range(1, 5):
        done = small.machine.ddns("run", "--quiet", "--json")
        assert done.json["outcome"] == "failed"
        assert len(done.err.splitlines()) == (number == 3)


def test_lines_for_a_log_collector_are_objects(small: Cron) -> None:
    small.machine.service.address = BAD_ADDRESS
    lines = [small.machine.ddns("--log-format", "json", "run", "--quiet").err for _ in range(3)]
    small.machine.service.address = "9.9.9.9"
    lines.append(small.machine.ddns("--log-format", "json", "run", "--quiet").err)
    assert lines[:2] == ["", ""]
    start, end = map(json.loads, lines[2:])
    assert (start["level"], start["event"], start["outcome"], start["name"]) == ("error", "failing", "failed", "line")
    assert (end["level"], end["event"], end["outcome"]) == ("info", "recovered", "unchanged")


def test_watch_prints_the_same(small: Cron) -> None:
    small.machine.service.address = BAD_ADDRESS
    process = small.machine.start("watch", "--quiet", "--every", "1")
    assert process.stderr
    assert starts(process.stderr.readline().rstrip(), 3)
    small.machine.service.address = "9.9.9.9"
    assert process.stderr.readline().startswith("line: recovered after ")
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=30)
    assert (out, err, process.returncode) == ("", "", 0)


# Kills, and runs that only the end of the process can stop

_BEFORE_THE_STATE = ["return:Updater.run", "call:StateFile.replace", "call:replace_file"]
_BEFORE_IT_IS_PRINTED = ["return:replace_file", "return:Reporter.report", "call:Runner.show", "call:show"]
_AFTER_IT_WAS_PRINTED = ["return:show", "call:replace_file:2"]
_AFTER_IT_WAS_SAVED = ["return:replace_file:2", "return:Runner.show"]


@pytest.mark.parametrize(
    "place", [*_BEFORE_THE_STATE, *_BEFORE_IT_IS_PRINTED, *_AFTER_IT_WAS_PRINTED, *_AFTER_IT_WAS_SAVED]
)
def test_the_start_and_the_end_are_printed_whenever_their_run_is_killed(small: Cron, place: str) -> None:
    small.machine.service.address = BAD_ADDRESS
    small.run(2)

    def killed() -> list[str]:
        done = small.machine.killed(place, "run", "--quiet")
        assert done.status == -signal.SIGKILL
        small.take(done)
        small.run(3)
        return small.read()

    often = 2 if place in _AFTER_IT_WAS_PRINTED else 1
    lines = killed()
    assert [line.startswith("line: failing since 20") for line in lines] == [True] * often
    small.machine.service.address = "9.9.9.9"
    lines = killed()
    assert [line.startswith("line: recovered after ") for line in lines] == [True] * often


_HANGS = """
import signal, sys
from ddns_updater.cli.main import main
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})  # as in a call into C that does not return
main(sys.argv[1:])
"""


@pytest.fixture
def hanging(small: Cron) -> Iterator[Cron]:
    small.machine.service.play = services.hang
    small.machine.environment |= {"DDNS_RUN_TIMEOUT": "2", "DDNS_IP_TIMEOUT": "30"}
    yield small
    small.machine.service.play = None


def test_runs_that_only_the_end_of_the_process_can_stop_are_an_incident_too(hanging: Cron) -> None:
    for _ in range(4):
        process = subprocess.run(
            [sys.executable, "-c", _HANGS, "run", "--quiet"],
            env=hanging.machine.environment,
            cwd=hanging.machine.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        hanging.take(Finished(process.returncode, process.stdout, process.stderr))
        later(hanging.machine, 60)
    assert hanging.statuses == [1] * 4
    (line,) = hanging.read()
    assert starts(line, 3)
    assert "stopped after 2 s (DDNS_RUN_TIMEOUT=2)" in line
