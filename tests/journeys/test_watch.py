"""`ddns watch`: the same run in a loop, which ends at a signal and not before."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddns_updater.app.runner import Runner
from ddns_updater.app.watch import pause, repeat
from ddns_updater.errors import HistoryError, OriginError
from ddns_updater.model import Outcome, RunResult
from tests.support.aws import pending
from tests.support.command import finish
from tests.support.machine import Machine
from tests.support.receivers import Receiver
from tests.support.services import drip, hang

WAITS = "waiting for the run in progress to end; Ctrl-C again stops at once\n"
_CHECKS = Path(__file__).parents[2] / "benchmarks" / "checks.py"


class Output:
    """The lines of a process as they come."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def until(self, begin: str) -> str:
        """Return the next line that begins so."""
        assert self._process.stdout
        for line in self._process.stdout:
            if line.startswith(begin):
                return line
        raise AssertionError(f"it ended without a line {begin!r}: {finish(self._process)}")


def stopped(process: subprocess.Popen[str], number: int = signal.SIGTERM) -> int:
    process.send_signal(number)
    return finish(process).status


def test_it_follows_the_line_until_a_signal_ends_it(machine: Machine) -> None:
    machine.init()
    process = machine.start("watch", "--every", "1")
    output = Output(process)
    output.until("updated: 9.9.9.9 is version 1 of line")
    machine.service.address = "1.1.1.1"
    output.until("updated: 1.1.1.1 (was 9.9.9.9) is version 2 of line")
    output.until("unchanged: 1.1.1.1 is version 2 of line")
    assert stopped(process) == 0
    machine.statements_hold("1.1.1.1")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_only_after_the_run_in_hand(small_machine: Machine, number: int) -> None:
    small_machine.init()
    small_machine.aws.fault("GetChange", pending, times=3)
    process = small_machine.start("watch", "--every", "60")
    wait_until(lambda: "GetChange" in small_machine.aws.calls)
    process.send_signal(number)
    done = finish(process)
    assert (done.status, done.err) == (0, WAITS if number == signal.SIGINT else "")
    assert done.out.startswith("updated: 9.9.9.9 is version 1 of line; home.example.com A verified after ")
    assert small_machine.aws.calls.count("GetChange") == 4


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_between_two_runs_a_signal_ends_it_without_a_word(small_machine: Machine, number: int) -> None:
    small_machine.init()
    process = small_machine.start("watch", "--every", "60")
    output = Output(process)
    output.until("updated: ")
    time.sleep(0.3)
    process.send_signal(number)
    done = finish(process)
    assert (done.status, done.err) == (0, "")


def test_ctrl_c_is_answered_by_an_object_where_lines_are_objects(small_machine: Machine) -> None:
    small_machine.init()
    small_machine.aws.fault("GetChange", pending, times=3)
    process = small_machine.start("--log-format", "json", "watch", "--every", "60", "--quiet")
    wait_until(lambda: "GetChange" in small_machine.aws.calls)
    process.send_signal(signal.SIGINT)
    line = json.loads(finish(process).err)
    assert (line["level"], line["message"]) == ("info", WAITS.rstrip())


def test_a_second_signal_ends_it_at_once_and_the_next_run_goes_on(small_machine: Machine) -> None:
    small_machine.init()
    small_machine.service.play = hang
    process = small_machine.start("watch", "--every", "60", DDNS_IP_TIMEOUT="50")
    wait_until(lambda: small_machine.service.requests > 0)
    process.send_signal(signal.SIGTERM)
    wait_until(lambda: not catches(process.pid, signal.SIGTERM))
    process.send_signal(signal.SIGTERM)
    assert finish(process).status == -signal.SIGTERM
    small_machine.service.play = None
    small_machine.statements_hold("9.9.9.9")


def test_a_database_that_goes_away_and_returns_does_not_end_it(small_machine: Machine) -> None:
    small_machine.init()
    file = Path(small_machine.database.url.removeprefix("sqlite:///"))
    process = small_machine.start("watch", "--every", "1")
    output = Output(process)
    output.until("updated: ")
    away = file.rename(file.with_suffix(".away"))
    assert process.stderr
    assert process.stderr.readline().startswith("failed: there is no database at ")
    away.rename(file)
    output.until("unchanged: ")
    assert stopped(process) == 0


def test_wrong_settings_and_a_missing_origin_end_it_before_it_begins(small_machine: Machine) -> None:
    small_machine.init()
    assert small_machine.ddns("watch", DDNS_TTL="soon").status == 2
    done = small_machine.ddns("watch", "--name", "other")
    assert (done.status, done.out) == (2, "")
    assert done.err.startswith("error: there is no origin 'other'")


def test_quiet_prints_only_what_changed_and_json_one_object_a_line(small_machine: Machine) -> None:
    small_machine.init()
    process = small_machine.start("watch", "--every", "1", "--quiet", "--json")
    assert process.stdout
    assert json.loads(process.stdout.readline())["outcome"] == "updated"
    asked = small_machine.service.requests
    wait_until(lambda: small_machine.service.requests > asked + 1)
    small_machine.service.address = "1.1.1.1"
    assert json.loads(process.stdout.readline())["results"][0]["version"] == 2
    assert stopped(process) == 0


def test_it_ends_when_its_output_is_closed(small_machine: Machine) -> None:
    small_machine.init()
    process = small_machine.start("watch", "--every", "1")
    assert process.stdout
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(30) == 1
    assert process.stderr
    process.stderr.close()


def test_a_full_disk_under_its_output_does_not_end_it(small_machine: Machine) -> None:
    small_machine.init()
    with Path("/dev/full").open("w") as full:
        process = subprocess.Popen(
            [sys.executable, "-m", "ddns_updater", "watch", "--name", "line", "--every", "1"],
            env=small_machine.environment,
            cwd=small_machine.folder,
            stdout=full,
            stderr=full,
        )
        asked = small_machine.service.requests
        wait_until(lambda: small_machine.service.requests > asked + 2)
        small_machine.database.sql("UPDATE admin_ip_history SET name = 'other'")  # which a run cannot go on from
        asked = small_machine.service.requests
        time.sleep(2.5)
        assert process.poll() is None
        small_machine.database.sql("UPDATE admin_ip_history SET name = 'line'")
        wait_until(lambda: small_machine.service.requests > asked)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    small_machine.statements_hold("9.9.9.9")


def test_what_a_run_raises_does_not_end_it_and_is_shown() -> None:
    raised = [ValueError("a fault"), OriginError("gone"), HistoryError("down")]
    shown: list[Exception] = []
    results: list[RunResult] = []
    good = RunResult("line", ())

    def run() -> RunResult:
        if len(results) == 2:
            os.kill(os.getpid(), signal.SIGTERM)
        if results and raised:
            raise raised.pop()
        return good

    repeat(run, 0.01, ended=results.append, crashed=shown.append, waits=unwanted)
    assert [str(error) for error in shown] == ["down", "gone", "a fault"]
    assert results == [good, good, good]


def test_a_signal_at_any_place_between_two_runs_ends_it() -> None:
    runs, left, place = 0, 0, 0  # places are lines, counted from the end of the first run

    def run() -> None:
        nonlocal runs
        runs += 1
        if runs == 2 and left >= 0:  # the place was not reached
            signal.raise_signal(signal.SIGTERM)

    def trace(frame: FrameType, event: str, _argument: object) -> Any:
        nonlocal left
        if runs == 1 and event == "line" and frame.f_code.co_filename != __file__:
            left -= 1
            if left < 0:
                sys.settrace(None)
                signal.raise_signal(signal.SIGTERM)
        return trace

    def hangs(_signum: int, _frame: FrameType | None) -> None:
        raise AssertionError(f"it hangs after a signal at place {place}")

    before = signal.signal(signal.SIGALRM, hangs)
    try:
        while runs < 2:
            runs, left = 0, place
            signal.alarm(10)
            sys.settrace(trace)
            repeat(run, 0.01, ended=ignored, crashed=unwanted_error, waits=unwanted)
            place += 1
    finally:
        sys.settrace(None)
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    assert place > 10


def test_a_signal_to_another_thread_ends_the_wait() -> None:
    def run() -> None:
        threading.Timer(0.2, lambda: signal.pthread_kill(threading.get_ident(), signal.SIGTERM)).start()

    begin = time.monotonic()
    repeat(run, 60, ended=ignored, crashed=unwanted_error, waits=unwanted)
    assert time.monotonic() - begin < 30


def test_it_gives_the_signals_back() -> None:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    with pytest.raises(OriginError):
        repeat(lambda: (_ for _ in ()).throw(OriginError("none")), 1, ended=print, crashed=print, waits=unwanted)
    assert {number: signal.getsignal(number) for number in before} == before


@given(st.floats(1, 86_400), st.floats(0, 100_000), st.floats(-1, 1))
def test_runs_come_as_often_as_asked_for_give_or_take_a_tenth(every: float, took: float, chance: float) -> None:
    seconds = pause(every, took, chance)
    assert seconds > 0
    if took < every * 0.8:
        assert every * 0.9 - 0.001 <= took + seconds <= every * 1.1 + 0.001


def test_memory_stays_flat(small_machine: Machine) -> None:
    small_machine.init()
    small_machine.run()
    environment = small_machine.environment | {"PYTHONPATH": str(_CHECKS.parents[1])}
    done = subprocess.run([sys.executable, str(_CHECKS), "400"], env=environment, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    cost = json.loads(done.stdout)
    assert cost["late"] <= cost["early"] * 1.05


def test_checks_leave_no_file_and_no_thread_behind(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.init()
    machine.run()
    for key, value in machine.environment.items():
        monkeypatch.setenv(key, value)
    settings = machine.database.settings(**{k: v for k, v in machine.environment.items() if k.startswith("DDNS_")})
    with closing(Runner(settings)) as runs:
        assert runs.run().result.outcome is Outcome.UNCHANGED
        before = len(os.listdir("/proc/self/fd")), threading.active_count()  # noqa: PTH208 - only counted
        for _ in range(20):
            assert runs.run().result.outcome is Outcome.UNCHANGED
        wait_until(lambda: threading.active_count() <= before[1])
        assert len(os.listdir("/proc/self/fd")) <= before[0]  # noqa: PTH208 - as above


def test_a_heartbeat_that_never_ends_costs_a_watch_nothing_that_lasts(
    small_machine: Machine, receiver: Receiver
) -> None:
    receiver.play = drip(b"HTTP/1.1 200 OK\r\n" + b"X: " * 1000, pause=0.05)
    small_machine.init()
    small_machine.environment.pop("DDNS_RECORDS")
    process = small_machine.start("watch", "--every", "1", DDNS_RUN_TIMEOUT="2", DDNS_HEARTBEAT_URL=receiver.url)
    place = Path("/proc") / str(process.pid)

    def used() -> tuple[int, int]:
        return len(list((place / "fd").iterdir())), len(list((place / "task").iterdir()))

    wait_until(lambda: len(receiver.got) > 1)
    first = used()
    wait_until(lambda: len(receiver.got) > 5)
    descriptors, threads = used()
    assert descriptors <= first[0] + 1  # the moment decides whether one is being left behind
    assert threads <= first[1] + 2
    assert stopped(process) == 0


def catches(pid: int, number: int) -> bool:
    """Return whether a process has a handler for a signal (proc(5))."""
    (line,) = [each for each in Path(f"/proc/{pid}/status").read_text().splitlines() if each.startswith("SigCgt")]
    return bool(int(line.split()[1], 16) & 1 << (number - 1))


def unwanted() -> None:
    raise AssertionError("it does not wait for a run")


def unwanted_error(error: Exception) -> None:
    raise error


def ignored(_result: object) -> None:
    pass


def wait_until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)
