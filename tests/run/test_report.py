"""The phase report over a state of each kind, a channel that accepts or fails, and given clocks."""

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from ddns_updater.alerts.channel import Channel
from ddns_updater.alerts.event import Event, Kind
from ddns_updater.errors import AlertError, StateError
from ddns_updater.lib.deadline import Deadline, time_limit
from ddns_updater.lib.files import flocked
from ddns_updater.lib.uptime import Uptime
from ddns_updater.model import Family, FamilyResult, Outcome, RunResult
from ddns_updater.run.report import Destinations, Report, Reporter
from ddns_updater.state.content import StateContent
from ddns_updater.state.file import StateFile
from ddns_updater.state.outbox import Pause, Undelivered
from ddns_updater.state.ports import StateStore
from ddns_updater.state.run_state import RunState
from tests.support.alerting import rewritten

START = 1_767_355_200.0  # seconds since 1970
HOUR, DAY = 3600, 86_400


class World:
    """A reporter with the channels of `keys`, a heartbeat and metrics, on given clocks.

    `now` is the time and `left` the seconds that a report has. `accepted` has the events that a channel took, `pinged`
    the outcomes that the heartbeat got, `metrics` what was written. `play` is called before an alert is accepted,
    `ping` is what the heartbeat does, `opened` is how often the channels were opened.
    """

    def __init__(self, store: StateStore, *, keys: Sequence[str] = ("key",)) -> None:
        self.now = START
        self.left = 10.0
        self.accepted: list[str] = []
        self.pinged: list[Outcome] = []
        self.metrics: list[tuple[RunResult, RunState, datetime]] = []
        self.store = store
        self.opened = 0
        self.uptime: Uptime | None = None
        self.play: Callable[[Event], object] = lambda _event: None
        self.ping: Callable[[RunResult], None] = lambda result: self.pinged.append(result.outcome)
        self.reporter = Reporter(
            store,
            Destinations(
                tuple(keys),
                partial(self._open, keys),
                ping=lambda result: self.ping(result),
                write_metrics=lambda *written: self.metrics.append(written),
            ),
            alert_after=1,
            run_timeout=55,
            limit=time_limit,
            clock=lambda: self.now,
            uptime=lambda: self.uptime,
        )

    def report(self, outcome: Outcome, *, given: str | None = "line", resolved: str | None = "line") -> list[str]:
        """Report one run that ended just now, and return the warnings."""
        error = "no address" if outcome is Outcome.FAILED else None
        result = RunResult(resolved, (FamilyResult(Family.IPV4, outcome, error=error),))
        start = self.left
        deadline = Deadline(start, lambda: start - self.left)
        report = Report(result)
        self.reporter.report(report, given, self.ended, deadline)
        return list(report.result.warnings)

    @property
    def ended(self) -> datetime:
        return datetime.fromtimestamp(self.now - 0.001, UTC)  # a little before it is reported

    def fail(self, _event: Event) -> None:
        """Be a play: use all the time that there is, and fail."""
        self.left = 0
        raise AlertError("the channel does not answer")

    def _open(self, keys: Sequence[str]) -> dict[str, Channel]:
        self.opened += 1
        return {key: Channel(key, f"channel {key}", self._send) for key in keys}

    def _send(self, event: Event) -> None:
        self.play(event)
        self.accepted.append(event.kind)


@pytest.fixture
def file(tmp_path: Path) -> StateFile:
    return StateFile(tmp_path, "test")


def test_a_run_that_fails_just_after_the_clock_went_back_is_reported(store: StateStore) -> None:
    world = World(store)
    world.report(Outcome.UNCHANGED)
    world.now -= HOUR
    (warning,) = world.report(Outcome.FAILED)
    assert warning.startswith("the clock of this machine went back by ")
    assert world.accepted == ["failing"]
    state = world.store.read().origins["line"]
    assert (state.outcome, state.was_skipped) == (Outcome.FAILED, False)
    assert state.incident


def test_an_incident_that_began_on_a_wrong_clock_lasts_as_long_as_it_did(file: StateFile) -> None:
    world = World(file)
    for _ in range(4):
        world.uptime = Uptime("boot", world.now % DAY)
        world.report(Outcome.FAILED)
        world.now += 60
    world.now += 403 * DAY
    world.uptime = Uptime("boot", (world.now - 403 * DAY) % DAY)
    sent: list[Event] = []
    world.play = sent.append
    assert world.report(Outcome.UNCHANGED) == []
    assert sent[0].title == "line: recovered after 4 min, 4 failed runs"
    assert len(world.accepted) == 2


def test_where_machines_share_the_state_one_is_no_clock_for_the_other(open_table: Callable[..., StateStore]) -> None:
    """Copies of one virtual machine have one boot, and each its own uptime."""
    world = World(open_table())
    for seconds in (5_000.0, 90_000.0, 91_000.0):
        world.uptime = Uptime("boot", seconds)
        assert world.report(Outcome.UNCHANGED) == []
        world.now += 60


def test_an_alert_is_not_too_old_because_the_clock_was_set(file: StateFile) -> None:
    world = World(file)
    world.uptime = Uptime("boot", 60.0)
    world.play = world.fail
    world.report(Outcome.FAILED)
    world.now += 403 * DAY
    world.uptime = Uptime("boot", 120.0)
    world.play, world.left = lambda _event: None, 10
    assert world.report(Outcome.FAILED) == []
    assert world.accepted == ["failing"]


def waiting(world: World, count: int) -> None:
    """Put alerts into the outbox that the channel has not accepted."""
    now = datetime.fromtimestamp(world.now, UTC)
    event = Event(Kind.REPAIRED, now.replace(microsecond=0), "line", "", "", {})
    with rewritten(world.store) as content:
        content.outbox.undelivered = [
            Undelivered("line", event._replace(facts={"number": each}), now, ("key",)) for each in range(count)
        ]


def test_a_channel_that_fails_is_one_warning_however_many_alerts_wait_for_it(store: StateStore) -> None:
    world = World(store)
    world.play = world.fail
    waiting(world, 3)
    warnings = world.report(Outcome.UNCHANGED)
    assert warnings == ["failed to send an alert: the channel does not answer; a later run tries again"]
    assert len(world.store.read().outbox.undelivered) == 3


def test_the_oldest_of_too_many_alerts_are_dropped_with_a_reason_of_their_own(store: StateStore) -> None:
    world = World(store)
    world.play = world.fail
    waiting(world, 130)
    assert world.report(Outcome.UNCHANGED)[0] == "dropped 30 alerts: too many are undelivered"
    assert [each.event.facts["number"] for each in world.store.read().outbox.undelivered] == list(range(30, 130))


def test_undelivered_alerts_are_dropped_after_a_day(store: StateStore) -> None:
    world = World(store)
    world.play = world.fail
    waiting(world, 2)
    world.now += 24 * HOUR + 1
    assert world.report(Outcome.UNCHANGED) == ["dropped 2 alerts undelivered after 24 h"]
    assert world.store.read().outbox.undelivered == []


def test_an_alert_for_which_no_time_is_left_is_sent_by_the_next_run(store: StateStore) -> None:
    world = World(store)
    waiting(world, 2)
    world.play = lambda _event: setattr(world, "left", 0.09)
    assert world.report(Outcome.UNCHANGED) == ["no time was left to send an alert; the next run sends it"]
    assert [each.event.facts["number"] for each in store.read().outbox.undelivered] == [1]
    world.left = 10
    assert world.report(Outcome.UNCHANGED) == []
    assert (world.accepted, store.read().outbox.undelivered) == (["repaired", "repaired"], [])


def test_a_channel_that_refuses_an_alert_for_good_gets_the_next_one(store: StateStore) -> None:
    world = World(store)
    waiting(world, 2)

    def refuse_first(event: Event) -> None:
        if event.facts["number"] == 0:
            raise AlertError("the channel refused", "check its URL", again=False)

    world.play = refuse_first
    assert world.report(Outcome.UNCHANGED) == ["failed to send an alert: the channel refused; check its URL"]
    assert (world.accepted, store.read().outbox.undelivered) == (["repaired"], [])


def test_a_channel_is_left_alone_for_as_long_as_it_asks(store: StateStore) -> None:
    world = World(store)
    waiting(world, 1)

    def busy(_event: Event) -> None:
        raise AlertError("the channel is busy", seconds=1000)

    world.play = busy
    world.report(Outcome.UNCHANGED)
    (pause,) = store.read().outbox.pauses.values()
    assert pause == Pause(1, datetime.fromtimestamp(START + 1000, UTC), asked=True)


def test_a_channel_that_hangs_is_left_when_its_time_is_over(store: StateStore) -> None:
    world = World(store)
    waiting(world, 1)
    end = threading.Event()
    world.play = lambda _event: end.wait(60)
    world.left = 0.2
    (warning,) = world.report(Outcome.UNCHANGED)
    end.set()
    assert warning == "failed to send an alert: channel key did not answer within 0.2 s; a later run tries again"


def test_an_error_of_a_channel_that_is_a_bug_propagates(store: StateStore) -> None:
    world = World(store)
    waiting(world, 1)
    world.play = lambda event: event.facts["nothing"]
    with pytest.raises(KeyError):
        world.report(Outcome.UNCHANGED)


def test_channels_are_opened_for_an_alert_alone(store: StateStore) -> None:
    world = World(store)
    world.report(Outcome.UNCHANGED)
    assert world.opened == 0
    world.report(Outcome.FAILED)
    assert world.opened == 1


def test_an_alert_that_waits_is_due_at_once_after_the_clock_went_back(store: StateStore) -> None:
    world = World(store)
    waiting(world, 1)
    world.play = world.fail
    world.report(Outcome.UNCHANGED)
    world.now -= 30 * 24 * HOUR
    world.play, world.left = lambda _event: None, 10
    world.report(Outcome.UNCHANGED)
    assert world.accepted == ["repaired"]


def test_without_a_channel_an_incident_counts_no_alert(store: StateStore) -> None:
    world = World(store, keys=())
    assert world.report(Outcome.FAILED) == []
    incident = store.read().origins["line"].incident
    assert incident
    assert (incident.failed_runs, incident.alerts, store.read().outbox.undelivered) == (1, 0, [])


def test_a_run_that_could_not_look_up_its_origin_is_reported_by_the_name_that_it_had(store: StateStore) -> None:
    world = World(store)
    world.report(Outcome.UNCHANGED, given=None)
    sent: list[Event] = []
    world.play = sent.append
    world.report(Outcome.FAILED, given=None, resolved=None)
    assert [each.origin for each in sent] == ["line"]
    assert [result.name for result, *_ in world.metrics] == ["line", "line"]


# Heartbeat and metrics


def test_the_heartbeat_gets_every_outcome_but_that_of_a_skipped_run(store: StateStore) -> None:
    world = World(store)
    for outcome in Outcome:
        world.report(outcome)
    assert world.pinged == [outcome for outcome in Outcome if outcome is not Outcome.SKIPPED]


def test_while_a_heartbeat_hangs_the_others_are_skipped_with_one_warning(store: StateStore) -> None:
    world = World(store, keys=())
    end, begun = threading.Event(), []

    def hang(result: RunResult) -> None:
        begun.append(result.outcome)
        end.wait(60)

    world.ping, world.left = hang, 0.2
    (warning,) = world.report(Outcome.UNCHANGED)
    assert warning == "failed to send the heartbeat: its service did not answer within 0.2 s"
    skipped = "skipped the heartbeat: an earlier one still hangs; heartbeats resume when that has ended"
    assert [world.report(Outcome.UNCHANGED) for _ in range(100)] == [[skipped], *[[]] * 99]
    assert len(begun) == 1
    end.set()
    world.ping = lambda result: world.pinged.append(result.outcome)
    while not world.pinged:
        assert world.report(Outcome.UNCHANGED) == []


def test_while_an_alert_hangs_no_other_to_its_channel_begins_and_each_stays_undelivered(store: StateStore) -> None:
    world = World(store)
    waiting(world, 2)
    end, begun = threading.Event(), []

    def hang(event: Event) -> None:
        begun.append(event)
        end.wait(60)

    world.play, world.left = hang, 0.2
    world.report(Outcome.UNCHANGED)
    for _ in range(20):
        world.now += HOUR
        (warning,) = world.report(Outcome.UNCHANGED)
        begin = "failed to send an alert: channel key still has not answered an earlier one"
        assert warning == f"{begin}; a later run tries again"
    assert (len(begun), len(store.read().outbox.undelivered)) == (1, 2)
    end.set()


def test_the_metrics_have_the_counts_and_the_time_at_which_the_last_run_ended(store: StateStore) -> None:
    world = World(store)
    for _ in range(2):
        world.report(Outcome.UNCHANGED)
        _, run_state, at = world.metrics[-1]
        assert at == world.ended
        world.now += 60
    assert run_state.runs == {Outcome.UNCHANGED: 2}


def test_a_damaged_file_is_a_warning_and_starts_anew(file: StateFile) -> None:
    world = World(file)
    world.report(Outcome.UNCHANGED)
    file.path.write_bytes(file.path.read_bytes()[:-1])
    (warning,) = world.report(Outcome.UNCHANGED)
    assert warning.startswith(f"{file.path} is damaged; ")
    assert file.read().origins["line"].runs == {Outcome.UNCHANGED: 1}


def test_while_the_file_cannot_be_read_the_metrics_have_the_given_name_and_no_counts(file: StateFile) -> None:
    world = World(file)
    file.path.mkdir()
    (warning,) = world.report(Outcome.FAILED, resolved=None)
    assert warning.endswith("move it away, or set DDNS_STATE_FOLDER; no alerts are sent until this is fixed")
    ((result, run_state, at),) = world.metrics
    assert (result.name, run_state, at.timestamp()) == ("line", RunState(), START)
    assert (world.accepted, world.pinged) == ([], [Outcome.FAILED])


class Full(StateFile):
    """A state file on a full disk."""

    def replace(self, content: StateContent) -> None:  # noqa: ARG002 - the signature of what it replaces
        raise StateError(f"failed to write {self.path}: no room", "make room for it")


@pytest.mark.parametrize("keys", [("key",), ()])
def test_an_alert_that_cannot_be_saved_is_not_sent_and_the_run_is_counted_in_the_metrics(
    tmp_path: Path, keys: Sequence[str]
) -> None:
    world = World(file := Full(tmp_path, "test"), keys=keys)
    silent = "; no alerts are sent until this is fixed" if keys else ""
    assert world.report(Outcome.FAILED) == [f"failed to write {file.path}: no room; make room for it{silent}"]
    assert (world.accepted, world.metrics[0][1].runs) == ([], {Outcome.FAILED: 1})


# Two runs at once


def test_a_run_sends_nothing_while_another_one_sends(store: StateStore) -> None:
    world = World(store)
    with ExitStack() as sending:
        with store.locked() as content:
            assert sending.enter_context(store.sending())
            store.replace(content)
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
