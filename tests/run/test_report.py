"""The phase report over a state file, a channel that accepts or fails, and given clocks."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ddns_updater.alerts.channel import Channel
from ddns_updater.alerts.event import Event, Kind
from ddns_updater.errors import AlertError
from ddns_updater.lib.deadline import Deadline, time_limit
from ddns_updater.lib.files import flocked
from ddns_updater.model import Family, FamilyResult, Outcome, RunResult
from ddns_updater.run.report import Destinations, Reporter
from ddns_updater.state.file import StateFile
from ddns_updater.state.outbox import Undelivered
from tests.support.alerting import rewritten

START = 1_767_355_200.0  # seconds since 1970
HOUR = 3600


class World:
    """A reporter with one channel; `now` is the time, `accepted` has the events that the channel took."""

    def __init__(self, file: StateFile, *, fails: bool = False) -> None:
        self.now = START
        self.monotonic = 100.0
        self.accepted: list[str] = []
        self.file = file
        self._fails = fails

    def report(self, outcome: Outcome, seconds: float = 10) -> list[str]:
        """Report one run that ended just now, and return the warnings."""
        channels = Destinations(("key",), lambda: {"key": Channel("key", "the channel", self._send)})
        reporter = Reporter(
            self.file,
            channels,
            alert_after=1,
            limit=time_limit,
            clock=lambda: self.now,
        )
        error = "no address" if outcome is Outcome.FAILED else None
        result = RunResult("line", (FamilyResult(Family.IPV4, outcome, error=error),))
        ended = datetime.fromtimestamp(self.now - 0.001, UTC)  # a little before it is reported
        return list(reporter.report(result, "line", "", ended, Deadline(seconds, lambda: self.monotonic)))

    def _send(self, event: Event) -> None:
        if self._fails:
            self.monotonic += 10  # all the time that there was
            raise AlertError("the channel does not answer")
        self.accepted.append(event.kind)


@pytest.fixture
def file(tmp_path: Path) -> StateFile:
    return StateFile(tmp_path, "test")


def test_a_run_that_fails_just_after_the_clock_went_back_is_reported(file: StateFile) -> None:
    world = World(file)
    world.report(Outcome.UNCHANGED)
    world.now -= HOUR
    (warning,) = world.report(Outcome.FAILED)
    assert warning.startswith("the clock of this machine went back by ")
    assert world.accepted == ["failing"]
    state = world.file.read().origins["line"]
    assert (state.outcome, state.was_skipped) == (Outcome.FAILED, False)
    assert state.incident


def waiting(world: World, count: int) -> None:
    """Put alerts into the outbox that the channel has not accepted."""
    now = datetime.fromtimestamp(world.now, UTC)
    event = Event(Kind.REPAIRED, now.replace(microsecond=0), "line", "", "", {})
    with rewritten(world.file) as content:
        content.outbox.undelivered = [
            Undelivered("line", event._replace(facts={"number": each}), now, ("key",)) for each in range(count)
        ]


def test_a_channel_that_fails_is_one_warning_however_many_alerts_wait_for_it(file: StateFile) -> None:
    world = World(file, fails=True)
    waiting(world, 3)
    warnings = world.report(Outcome.UNCHANGED)
    assert warnings == ["failed to send an alert: the channel does not answer; a later run tries again"]
    assert len(world.file.read().outbox.undelivered) == 3


def test_the_oldest_of_too_many_alerts_are_dropped_with_a_reason_of_their_own(file: StateFile) -> None:
    world = World(file, fails=True)
    waiting(world, 130)
    assert world.report(Outcome.UNCHANGED)[0] == "dropped 30 alerts: too many are undelivered"
    assert [each.event.facts["number"] for each in world.file.read().outbox.undelivered] == list(range(30, 130))


def test_undelivered_alerts_are_dropped_after_a_day(file: StateFile) -> None:
    world = World(file, fails=True)
    waiting(world, 2)
    world.now += 24 * HOUR + 1
    assert world.report(Outcome.UNCHANGED) == ["dropped 2 alerts undelivered after 24 h"]
    assert world.file.read().outbox.undelivered == []


def test_a_run_sends_nothing_while_another_one_sends(file: StateFile) -> None:
    world = World(file)
    with file.sending() as mine:
        assert mine
        assert world.report(Outcome.FAILED) == []
    assert world.accepted == []
    world.report(Outcome.FAILED)
    assert world.accepted == ["failing"]


class Watched(StateFile):
    """Tells whether the file is locked each time that the lock for sending is asked for."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, "test")
        self.was_locked: list[bool] = []

    @contextmanager
    def sending(self) -> Iterator[bool]:
        with flocked(os.open(self.path.with_suffix(".lock"), os.O_RDWR), wait=False) as taken:
            self.was_locked.append(not taken)
        with super().sending() as mine:
            yield mine


def test_what_is_due_is_read_and_claimed_in_one_step(tmp_path: Path) -> None:
    """Else another run could send it in between, and it would arrive twice."""
    world = World(file := Watched(tmp_path))
    world.report(Outcome.UNCHANGED)
    assert file.was_locked == []
    world.report(Outcome.FAILED)
    assert file.was_locked == [True]
    assert world.accepted == ["failing"]
