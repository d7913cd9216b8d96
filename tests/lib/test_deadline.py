"""Time limits and signals, in this process and in real ones."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from threading import Thread
from types import FrameType
from typing import Any

import pytest

import ddns_updater
from ddns_updater.errors import DdnsError, SourceError, Stopped
from ddns_updater.lib import deadline
from ddns_updater.lib.deadline import Deadline, run_limit, time_limit
from tests.support.command import Finished, finish
from tests.support.fakes import Clock
from tests.support.machine import Machine
from tests.support.services import drip, hang

START = 3  # seconds; a busy machine's slowest start of Python


@pytest.fixture(autouse=True)
def nothing_is_left_behind() -> Iterator[None]:
    """Assert that every test leaves the timer at rest and the signals as they were."""
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    yield
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == before


def test_a_deadline_says_how_much_time_is_left() -> None:
    clock = Clock()
    deadline = Deadline(12, clock.monotonic)
    clock.sleep(2)
    assert (deadline.left(), deadline.share(4)) == (10, 2.5)
    assert [deadline.at_most(seconds).left() for seconds in (3, 30, -1)] == [3, 10, 0]
    assert [deadline.at_least(seconds).left() for seconds in (3, 30)] == [10, 30]
    clock.sleep(11)
    assert (deadline.left(), deadline.share(4), deadline.at_most(3).left(), deadline.at_least(3).left()) == (0, 0, 0, 3)


def test_it_raises_its_own_error_at_its_end() -> None:
    error = SourceError("too late")
    begin = time.monotonic()
    with pytest.raises(SourceError) as raised, time_limit(0.1, error):
        time.sleep(10)
    assert raised.value is error
    assert 0.09 < time.monotonic() - begin < 2


def test_a_block_that_ends_in_time_is_left_alone() -> None:
    with time_limit(0.05, SourceError("too late")):
        done = True
    time.sleep(0.1)
    assert done


def test_an_exception_of_the_block_passes() -> None:
    with pytest.raises(ZeroDivisionError), time_limit(10, SourceError("too late")):
        raise ZeroDivisionError


def test_a_limit_can_be_left_by_return_and_by_break() -> None:
    def returns() -> int:
        with time_limit(10, SourceError("too late")):
            return 1

    for _ in range(2):
        with time_limit(10, SourceError("too late")):
            break
    assert returns() == 1


def test_no_except_exception_in_the_block_can_swallow_it() -> None:
    def library() -> None:
        for _ in range(100):
            with suppress(Exception):
                time.sleep(0.1)

    begin = time.monotonic()
    with pytest.raises(SourceError), time_limit(0.1, SourceError("too late")):
        library()
    assert time.monotonic() - begin < 2


def test_it_comes_again_when_it_was_swallowed_all_the_same() -> None:
    begin = time.monotonic()

    def swallow() -> None:
        for _ in range(2):
            with suppress(BaseException):
                time.sleep(10)
        time.sleep(10)

    with pytest.raises(SourceError), time_limit(0.1, SourceError("too late")):
        swallow()
    assert time.monotonic() - begin < 5


def test_cleaning_up_in_the_block_still_happens() -> None:
    cleaned = []

    def block() -> None:
        try:
            time.sleep(10)
        finally:
            cleaned.append(True)

    with pytest.raises(SourceError), time_limit(0.05, SourceError("too late")):
        block()
    assert cleaned


def test_the_inner_limit_ends_its_own_block_only() -> None:
    with time_limit(10, SourceError("outer")):
        with pytest.raises(SourceError, match="inner"), time_limit(0.05, SourceError("inner")):
            time.sleep(10)
        after = True
    assert after


def test_the_outer_limit_ends_both_blocks_and_raises_its_own_error() -> None:
    reached = []

    def block() -> None:
        with suppress(DdnsError), time_limit(10, SourceError("inner")):
            time.sleep(10)
        reached.append("after the inner block")

    with pytest.raises(SourceError, match="outer"), time_limit(0.05, SourceError("outer")):
        block()
    assert not reached


def test_the_outer_limit_wins_when_both_are_over() -> None:
    reached = []

    def block() -> None:
        with suppress(DdnsError), time_limit(0.01, SourceError("inner")):
            sum(range(10_000_000))  # one call into C, longer than both limits
        reached.append("after the inner block")

    with pytest.raises(SourceError, match="outer"), time_limit(0.02, SourceError("outer")):
        block()
    assert not reached


def test_the_outer_limit_holds_on_after_the_inner_one() -> None:
    begin = time.monotonic()

    def block() -> None:
        for seconds in (0.05, 10):
            with suppress(SourceError), time_limit(seconds, SourceError("inner")):
                time.sleep(0.06)
        time.sleep(10)

    with pytest.raises(SourceError, match="outer"), time_limit(0.3, SourceError("outer")):
        block()
    assert 0.29 < time.monotonic() - begin < 2


def in_another_thread(seconds: float, block: Callable[[], object]) -> DdnsError | None:
    """Run `block` under a limit in another thread, and return the error that the limit or the block raised."""
    raised: list[DdnsError] = []

    def work() -> None:
        try:
            with time_limit(seconds, SourceError("too late")):
                block()
        except DdnsError as error:
            raised.append(error)

    thread = Thread(target=work)
    thread.start()
    thread.join()
    return raised[0] if raised else None


def test_in_another_thread_it_interrupts_nothing_and_raises_after_a_block_that_took_too_long() -> None:
    reached = []

    def too_long() -> None:
        time.sleep(0.1)
        reached.append("the end")

    assert str(in_another_thread(0.05, too_long)) == "too late"
    assert reached == ["the end"]
    assert in_another_thread(10, lambda: None) is None


def test_in_another_thread_the_error_of_the_block_itself_passes() -> None:
    def fails_late() -> None:
        time.sleep(0.02)
        raise SourceError("no answer")

    assert str(in_another_thread(0.01, fails_late)) == "no answer"


def test_limits_that_end_just_as_their_blocks_do_leak_nothing() -> None:
    ends: dict[str, int] = {}
    for round_ in range(400):
        try:
            with time_limit(0.002, SourceError("outer")), time_limit(0.002, SourceError("inner")):
                busy_until(time.monotonic() + 0.0010 + round_ % 100 * 0.00001)
            end = "in time"
        except SourceError as error:
            end = str(error)
        ends[end] = ends.get(end, 0) + 1
        assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)
    assert set(ends) <= {"in time", "outer", "inner"}


class At:
    """Calls the handler of a signal at one of the places where the functions called in a block can be interrupted.

    The places are each instruction of deadline.py and each line of what that calls, counted from 0. They are more than
    those where Python looks for signals. An alarm that is put off comes again after the block.
    """

    def __init__(self, number: signal.Signals, place: int) -> None:
        self._number = number
        self._left = place

    @property
    def reached(self) -> bool:
        return self._left < 0

    def __enter__(self) -> None:
        sys.settrace(self._trace)

    def __exit__(self, *_: object) -> None:
        sys.settrace(None)

    def _trace(self, frame: FrameType, event: str, _argument: object) -> Any:
        if frame.f_code.co_filename == __file__:
            return None
        frame.f_trace_opcodes = frame.f_code.co_filename == deadline.__file__
        handler = signal.getsignal(self._number)
        if event in ("opcode", "line") and callable(handler):
            self._left -= 1
            if self.reached:
                sys.settrace(None)
                handler(self._number, frame)
        return self._trace


def try_every_place(number: signal.Signals, limits: Callable[[], tuple[time_limit, time_limit]]) -> None:
    """Send a signal at each place of entering and leaving `limits`; print the ways in which the blocks ended.

    Assert that nothing of the limits is left behind. This is for a process of its own without the alarm of the timer.
    """
    found, reached, place = set(), True, 0
    while reached:
        outer, inner = limits()
        at = At(number, place)
        try:
            with at, outer, inner:
                pass
            end = "in time"
        except DdnsError as error:
            end = str(error)
        assert deadline._running == []
        assert deadline._pause.depth == 0
        assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)
        if reached := at.reached:
            found.add(end)
        place += 1
    assert place > 100
    print(*found, sep="\n")


ENTER_AND_LEAVE = """
import signal
from ddns_updater.errors import SourceError
from ddns_updater.lib.deadline import run_limit, time_limit
from tests.lib.test_deadline import try_every_place
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
"""


def test_an_alarm_at_any_place_of_entering_and_leaving_limits_leaks_nothing() -> None:
    program = """
def limits():
    return time_limit(0, SourceError("outer")), time_limit(10, SourceError("inner"))

try_every_place(signal.SIGALRM, limits)
"""
    done = finish(child(ENTER_AND_LEAVE + program))
    assert (done.out, done.err) == ("outer\n", "")


@pytest.mark.parametrize("number", [signal.SIGALRM, signal.SIGTERM])
def test_a_signal_at_any_place_of_entering_and_leaving_a_run_stops_it(number: signal.Signals) -> None:
    program = f"""
def limits():
    run = run_limit(60, "DDNS_RUN_TIMEOUT=60")
    if {number} == signal.SIGALRM:
        run.at = 0
    return run, time_limit(10, SourceError("inner"))

try_every_place(signal.Signals({number}), limits)
"""
    done = finish(child(ENTER_AND_LEAVE + program))
    how = "after 60 s (DDNS_RUN_TIMEOUT=60)" if number is signal.SIGALRM else "by SIGTERM"
    assert (done.out, done.err) == (f"stopped {how}; the next run continues\n", "")


def busy_until(end: float) -> None:
    while time.monotonic() < end:
        sum(range(10))


def test_a_run_is_stopped_a_little_before_its_end() -> None:
    done = finish(
        child(
            """
import sys, time
from ddns_updater.errors import Stopped
from ddns_updater.lib.deadline import run_limit
begin = time.monotonic()
try:
    with run_limit(2, "DDNS_RUN_TIMEOUT=2"):
        time.sleep(30)
except Stopped as error:
    assert 1.5 < time.monotonic() - begin < 2
    print(error)
"""
        )
    )
    assert done.out == "stopped after 2 s (DDNS_RUN_TIMEOUT=2); the next run continues\n"
    assert (done.status, done.err) == (0, "")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_a_run_through_every_limit_within(number: signal.Signals) -> None:
    reached = []

    def block() -> None:
        with suppress(DdnsError), time_limit(20, SourceError("inner")):
            signal.raise_signal(number)
        reached.append("after the inner block")

    with pytest.raises(Stopped) as raised, run_limit(30, "DDNS_RUN_TIMEOUT=30"):
        block()
    assert str(raised.value) == f"stopped by {number.name}; the next run continues"
    assert not reached


def test_a_signal_at_any_instant_stops_a_run_that_enters_and_leaves_limits() -> None:
    process = child(
        """
import signal
from ddns_updater.errors import SourceError, Stopped
from ddns_updater.lib import deadline
from ddns_updater.lib.deadline import Deadline, run_limit, time_limit
for _ in range(12):
    try:
        with run_limit(30, "DDNS_RUN_TIMEOUT=30"):
            print("ready", flush=True)
            while True:
                with time_limit(20, SourceError("inner")):
                    pass
    except Stopped as error:
        assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)
        print(error, flush=True)
"""
    )
    assert process.stdout
    for round_ in range(12):
        assert process.stdout.readline() == "ready\n"
        time.sleep(0.02 + round_ * 0.0007)
        process.send_signal(signal.SIGTERM)
        assert process.stdout.readline() == "stopped by SIGTERM; the next run continues\n"
    done = finish(process)
    assert (done.err, done.status) == ("", 0)


def test_the_thread_behind_it_ends_a_process_that_the_alarm_cannot_reach() -> None:
    begin = time.monotonic()
    done = finish(
        child(
            """
import os, signal, time
from ddns_updater.lib.deadline import run_limit
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
with run_limit(1, "DDNS_RUN_TIMEOUT=1", last_words=lambda text: os.write(2, text.encode())):
    time.sleep(30)
"""
        )
    )
    assert done.err == "failed: stopped after 1 s (DDNS_RUN_TIMEOUT=1); the next run continues"
    assert (done.status, done.out) == (1, "")
    assert 0.9 <= time.monotonic() - begin < 1 + START


def test_the_guard_thread_ends_a_process_whose_output_is_not_read() -> None:
    process = child(
        """
import signal, sys
from ddns_updater.lib.deadline import run_limit
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
with run_limit(1, "DDNS_RUN_TIMEOUT=1"):
    sys.stdout.write("x" * 10_000_000)
"""
    )
    assert process.wait(1 + START) == 1
    process.communicate()


def test_the_thread_behind_it_lets_a_process_live_whose_run_is_over() -> None:
    done = finish(
        child(
            """
import time
from ddns_updater.lib.deadline import run_limit
with run_limit(0.5, "DDNS_RUN_TIMEOUT=0.5"):
    pass
time.sleep(0.7)
print("alive")
"""
        )
    )
    assert (done.status, done.out, done.err) == (0, "alive\n", "")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_the_process_at_once(number: signal.Signals) -> None:
    process = child(
        """
import time
from ddns_updater.lib.deadline import run_limit
with run_limit(30, "DDNS_RUN_TIMEOUT=30"):
    try:
        print("at work", flush=True)
        time.sleep(30)
    finally:
        while True:
            try:
                print("cleaning up", flush=True)
                time.sleep(30)
            except BaseException:
                pass
"""
    )
    assert process.stdout
    assert process.stdout.readline() == "at work\n"
    process.send_signal(number)
    assert process.stdout.readline() == "cleaning up\n"
    process.send_signal(number)
    done = finish(process, timeout=5)
    assert (done.status, done.err) == (-number, "")


def child(program: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": str(Path(ddns_updater.__file__).parents[1])},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def interrupted(machine: Machine, number: signal.Signals, *arguments: str, **changes: Any) -> Finished:
    """Begin a run, send it a signal once it waits for its address source, and return how it ended."""
    process = machine.start("run", *arguments, DDNS_IP_TIMEOUT="60", **changes)
    wait_until(lambda: machine.service.requests > 0)
    process.send_signal(number)
    return finish(process, timeout=10)


def wait_until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_a_run_that_hangs_and_the_next_run_works(small_machine: Machine, number: signal.Signals) -> None:
    small_machine.init()
    small_machine.service.play = hang
    done = interrupted(small_machine, number)
    assert done.err == f"failed: stopped by {number.name}; the next run continues\n"
    assert (done.status, done.out) == (1, "")
    assert small_machine.aws.calls == []
    small_machine.service.play = None
    assert small_machine.run()["outcome"] == "updated"
    small_machine.statements_hold("9.9.9.9")


def test_a_signal_stops_a_run_whose_source_drips_and_json_is_printed_all_the_same(small_machine: Machine) -> None:
    small_machine.init()
    small_machine.service.play = drip(b"HTTP/1.1 200 OK\r\n\r\n" + b"9" * 600, pause=0.1)
    done = interrupted(small_machine, signal.SIGTERM, "--json")
    reason = "stopped by SIGTERM; the next run continues"
    assert (done.status, done.err) == (1, f"failed: {reason}\n")
    assert (done.json["outcome"], done.json["results"][0]["error"]) == ("failed", reason)


def test_a_second_run_is_skipped_while_one_hangs_and_works_when_that_one_was_stopped(small_machine: Machine) -> None:
    small_machine.init()
    small_machine.service.play = hang
    first = small_machine.start("run", DDNS_IP_TIMEOUT="60")
    wait_until(lambda: small_machine.service.requests > 0)
    assert small_machine.run()["outcome"] == "skipped"
    first.send_signal(signal.SIGTERM)
    assert finish(first, timeout=10).status == 1
    small_machine.service.play = None
    assert small_machine.run()["outcome"] == "updated"
