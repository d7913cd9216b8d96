"""The report of sweeps through real state files and webhooks: nothing is lost, told twice or waited for."""

import logging
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ddns_updater.alerts.channel import Channel
from ddns_updater.app import factories, server_factories
from ddns_updater.hosts import Sweep
from ddns_updater.lib.files import flocked
from ddns_updater.lib.trust import open_own
from ddns_updater.lib.uptime import Uptime
from ddns_updater.server.sweep_report import SweepReporter
from ddns_updater.state.file import StateFile
from ddns_updater.state.ports import StateStore
from tests.support.aws import FakeAws
from tests.support.database import load_settings_with
from tests.support.receivers import Receiver
from tests.support.services import answer
from tests.support.sweeps import DATABASE_DOWN, DENIED, GOOD, failing, slowed

MINUTE, HOUR, DAY = 60, 3600, 86_400
FAILING = failing("a")

# A delivery that is told to end while it waits leaves its socket to the interpreter.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")


class Server:
    """A server with one webhook, on a clock of its own; each sweep comes a minute after the one before."""

    def __init__(self, folder: Path, *urls: str) -> None:
        self.environment = {
            "HOME": str(folder),
            "DDNS_DATABASE_URL": f"sqlite:///{folder}/ddns.sqlite3",
            "DDNS_STATE_FOLDER": str(folder / "state"),
            "DDNS_ALERT_AFTER": "3",
            **({"DDNS_WEBHOOK_URLS": ",".join(urls)} if urls else {}),
        }
        self.settings = load_settings_with(self.environment)
        self.file: Any = StateFile(folder / "state", self.settings.database.identity, of="sweep")
        self.now = 1_767_355_200.0
        self.boot: str | None = None
        self.booted_before = 0.0  # seconds by which its uptime is longer than the time of the day
        self.seconds = 8.0
        self.start()

    def start(self) -> None:
        """Start anew, with what the file remembers."""
        self.reporter = SweepReporter(
            self.file,
            [each.key for each in self.settings.channels],
            self._channels,
            alert_after=3,
            seconds=self.seconds,
            clock=lambda: self.now,
            uptime=lambda: Uptime(self.boot, self.now % DAY + self.booted_before) if self.boot else None,
        )

    def sweep(self, *sweeps: Sweep) -> None:
        for each in sweeps:
            self.now += MINUTE
            self.reporter.report(each)

    def _channels(self) -> Mapping[str, Channel]:
        return factories.channels(self.settings)


@pytest.fixture
def server(tmp_path: Path, receiver: Receiver) -> Server:
    return Server(tmp_path, receiver.url)


def test_an_incident_is_told_once_and_its_end_too(server: Server, receiver: Receiver) -> None:
    server.sweep(FAILING, FAILING)
    assert receiver.events == []
    server.sweep(FAILING, failing("a", "b"), GOOD, GOOD)
    began, ended = receiver.take()
    assert (began["event"], began["failing_records"], began["cause"]) == (
        "hosts_failing",
        1,
        f"a.example.com A: {DENIED}",
    )
    assert (ended["event"], ended["failed_sweeps"], ended["duration_seconds"]) == ("hosts_recovered", 4, 240)


def test_a_restart_after_each_sweep_forgets_nothing_and_tells_nothing_twice(server: Server, receiver: Receiver) -> None:
    both = FAILING._replace(slowed=slowed("nas").slowed)
    for each in (both, both, both, both, GOOD, slowed("nas"), GOOD):
        server.start()
        server.sweep(each)
    assert receiver.events == ["hosts_slowed", "hosts_failing", "hosts_recovered"]


def test_reminders_go_on_after_a_restart(server: Server, receiver: Receiver) -> None:
    server.sweep(*[FAILING] * 3)
    server.now += HOUR
    server.start()
    server.sweep(FAILING, FAILING)
    assert [each["reminder"] for each in receiver.take()] == [0, 1]


def test_a_clock_that_is_set_back_delays_no_reminder_and_shortens_no_incident(
    server: Server, receiver: Receiver
) -> None:
    server.sweep(*[FAILING] * 3)
    server.now -= 400 * DAY
    server.sweep(*[FAILING] * 61)
    assert [each["reminder"] for each in receiver.take()] == [0, 1]
    server.sweep(GOOD)
    (over,) = receiver.take()
    assert over["duration_seconds"] == pytest.approx(HOUR, abs=5 * MINUTE)


def test_a_clock_that_is_set_forward_reminds_of_nothing(server: Server, receiver: Receiver) -> None:
    server.boot = "a"
    server.sweep(*[FAILING] * 3, slowed("nas")._replace(failing=1))
    server.now += 400 * DAY  # a whole number of days, so the uptime goes on
    server.sweep(slowed("nas")._replace(failing=1))
    assert receiver.events == ["hosts_failing", "hosts_slowed"]


def test_what_a_channel_does_not_take_is_sent_to_it_later_even_after_a_restart(
    server: Server, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    receiver.play = answer("busy", "503 Busy")
    server.sweep(slowed("nas"))
    assert receiver.events == ["hosts_slowed"]
    assert "answered with status 503; a later sweep tries again" in caplog.text
    receiver.play = None
    server.start()
    server.sweep(GOOD, GOOD, GOOD)
    assert receiver.events == ["hosts_slowed"] * 2


def test_an_incident_that_a_channel_learns_of_after_its_end_is_one_alert(server: Server, receiver: Receiver) -> None:
    receiver.play = answer("busy", "503 Busy")
    server.sweep(*[FAILING] * 3)
    receiver.take()
    receiver.play = None
    server.sweep(GOOD, GOOD)
    assert receiver.events == ["hosts_recovered"]


def test_the_end_of_an_incident_that_a_channel_does_not_take_is_sent_later(server: Server, receiver: Receiver) -> None:
    server.sweep(*[FAILING] * 3)
    receiver.play = answer("busy", "503 Busy")
    server.sweep(GOOD)
    receiver.play = None
    receiver.take()
    server.sweep(GOOD, GOOD)
    assert receiver.events == ["hosts_recovered"]


def test_what_waits_for_a_channel_is_due_at_once_after_the_clock_went_back(server: Server, receiver: Receiver) -> None:
    receiver.play = answer("busy", "503 Busy")
    server.sweep(*[FAILING] * 3)
    receiver.play = None
    receiver.take()
    server.now -= 400 * DAY
    server.sweep(FAILING)
    assert receiver.events == ["hosts_failing"]


def test_a_day_of_calm_is_counted_from_when_a_host_was_last_seen_slowed_down(
    server: Server, receiver: Receiver
) -> None:
    for _ in range(20):
        server.now += HOUR
        server.sweep(slowed("nas"))
    server.start()
    server.now += 20 * HOUR
    server.sweep(GOOD, slowed("nas", at=datetime.fromtimestamp(server.now, UTC)))
    assert receiver.events == ["hosts_slowed"]
    server.now += 25 * HOUR
    server.sweep(GOOD, slowed("nas", at=datetime.fromtimestamp(server.now, UTC)))
    assert receiver.events == ["hosts_slowed"] * 2


def test_while_there_is_nothing_to_remember_nothing_is_written(server: Server, receiver: Receiver) -> None:
    server.sweep(GOOD, GOOD)
    assert not server.file.path.exists()
    server.sweep(FAILING, GOOD)
    content = server.file.path.read_bytes()
    server.sweep(GOOD)
    assert server.file.path.read_bytes() == content
    assert server.file.read().origins[""].incident is None
    assert receiver.got == []


def test_without_a_channel_the_log_alone_says_it_and_nothing_is_written(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server = Server(tmp_path)
    server.sweep(*[FAILING] * 70, GOOD, GOOD, slowed("nas"), slowed("nas"))
    began, ended, changes = (each.getMessage() for each in caplog.records)
    assert began.startswith("hosts: 1 record of 50 hosts failing since 2026-01-02 12:01 UTC. Cause: a.example.com A: ")
    assert ended.startswith("hosts: recovered after 1 h 10 min. ")
    assert changes.startswith("hosts: nas.example.com is slowed down for changing too often. ")
    assert {each.levelno for each in caplog.records} == {logging.WARNING}
    assert not server.file.path.parent.exists()


def test_with_a_channel_the_log_says_the_same_once(
    server: Server, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    server.sweep(*[FAILING] * 70, GOOD)
    logged = [each.getMessage() for each in caplog.records if each.levelno == logging.WARNING]
    began, _, ended = receiver.take()
    assert logged == [f"{each['title']}. {each['text'].partition(' Sent by ')[0]}" for each in (began, ended)]


def test_runs_and_sweeps_do_not_see_each_other(server: Server, receiver: Receiver) -> None:
    runs = factories.state_store(server.settings)
    assert isinstance(runs, StateFile)
    server.sweep(*[FAILING] * 3)
    assert len(receiver.got) == 1
    assert runs.path.parent == server.file.path.parent
    assert not runs.path.exists()
    assert server.file.path.name.startswith("sweeps-")


def test_the_reporter_of_the_settings_has_their_channels_state_folder_and_number_of_sweeps(
    tmp_path: Path, receiver: Receiver
) -> None:
    environment = Server(tmp_path, receiver.url).environment | {"DDNS_ALERT_AFTER": "2"}
    reporter = server_factories.sweep_reporter(load_settings_with(environment))
    reporter.report(DATABASE_DOWN)
    assert receiver.events == []
    reporter.report(DATABASE_DOWN)
    (alert,) = receiver.take()
    assert (alert["event"], alert["cause"]) == ("hosts_failing", DATABASE_DOWN.error)
    assert [each.name for each in (tmp_path / "state").glob("*.json")] == [Server(tmp_path).file.path.name]


# In a table of DynamoDB


def on_table(folder: Path, store: StateStore, receiver: Receiver) -> Server:
    """Return a server whose state is in a table that others share."""
    server = Server(folder, receiver.url)
    server.file = store
    server.start()
    return server


def test_two_servers_on_one_table_tell_an_incident_once(
    tmp_path: Path, open_table: Callable[..., StateStore], receiver: Receiver
) -> None:
    one, other = (on_table(tmp_path, open_table(of="sweep"), receiver) for _ in range(2))
    one.boot = other.boot = "boot"  # as copies of one virtual machine have
    other.booted_before = 9 * DAY
    one.sweep(FAILING, FAILING)
    began, other.now = one.now - MINUTE, one.now
    other.sweep(FAILING)
    assert receiver.events == ["hosts_failing"]
    incident = one.file.read().origins[""].incident
    assert incident.since.timestamp() == began  # the uptime of the other one says nothing of this one's clock
    one.now = other.now
    one.sweep(FAILING, GOOD)
    other.now = one.now
    other.sweep(GOOD)
    assert receiver.events == ["hosts_failing", "hosts_recovered"]


def test_a_quiet_sweep_reads_the_table_once_and_writes_nothing(
    tmp_path: Path, open_table: Callable[..., StateStore], receiver: Receiver, aws: FakeAws
) -> None:
    server = on_table(tmp_path, open_table(of="sweep"), receiver)
    aws.calls.clear()
    server.sweep(GOOD)
    assert aws.calls == ["GetItem"]
    server.sweep(FAILING)
    assert aws.calls == ["GetItem", "GetItem", "UpdateItem", "UpdateItem"]


def test_a_table_that_hangs_keeps_the_server_for_its_time_and_is_one_warning(
    tmp_path: Path,
    open_table: Callable[..., StateStore],
    receiver: Receiver,
    aws: FakeAws,
    caplog: pytest.LogCaptureFixture,
) -> None:
    server = on_table(tmp_path, open_table(of="sweep"), receiver)
    server.seconds = 0.5
    server.start()
    aws.fault("GetItem", aws.hang)
    server.sweep(GOOD)
    (warning,) = warnings(caplog)
    assert warning == (
        "failed to report a sweep: the state of the sweeps in DynamoDB table ddns did not answer within 0.5 s"
    )


# What hangs or breaks


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the warnings that are not about hosts, and forget all."""
    found = [each.getMessage() for each in caplog.records if each.levelno == logging.WARNING]
    caplog.clear()
    return [each for each in found if not each.startswith("hosts: ")]


def test_a_channel_that_hangs_takes_only_its_time_and_gets_the_alert_later(
    server: Server, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    server.seconds = 0.8
    server.start()
    end = threading.Event()

    def wait_for_the_end(_connection: socket.socket) -> None:
        end.wait(60)

    receiver.play = wait_for_the_end
    before = time.monotonic()
    server.sweep(*[FAILING] * 3)
    assert time.monotonic() - before < 5
    (warning,) = warnings(caplog)
    assert "did not answer within 0." in warning
    assert warning.endswith("; a later sweep tries again")
    receiver.play = None
    receiver.take()
    end.set()
    deadline = time.monotonic() + 30
    while not receiver.got and time.monotonic() < deadline:  # until the one that hangs has ended
        server.now += HOUR
        server.sweep(FAILING)
        time.sleep(0.05)
    assert receiver.events[0] == "hosts_failing"


def test_a_lock_that_another_program_keeps_is_one_warning_and_the_reports_go_on_after_it(
    server: Server, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    server.seconds = 0.2
    server.start()
    server.file.path.parent.mkdir(mode=0o700)
    with flocked(open_own(server.file.path.with_suffix(".lock")), wait=True):
        before = time.monotonic()
        server.sweep(*[FAILING] * 20)
        assert time.monotonic() - before < 5
        late = f"failed to report a sweep: the lock or the disk of {server.file.path}"
        assert warnings(caplog) == [
            f"{late} did not answer within 0.2 s",
            f"{late} still has not answered an earlier one",
        ]
    server.seconds = 8.0
    deadline = time.monotonic() + 30
    while not receiver.got and time.monotonic() < deadline:
        server.sweep(FAILING)
        time.sleep(0.05)
    assert receiver.events[0] == "hosts_failing"


def test_a_folder_that_cannot_be_written_is_one_warning_and_the_log_says_what_no_alert_can(
    server: Server, receiver: Receiver, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "state").write_text("")
    server.sweep(*[FAILING] * 5)
    failed, told = [each.getMessage() for each in caplog.records]
    assert failed.startswith(f"failed to write {server.file.path}: ")
    assert failed.endswith("; no alerts are sent until this is fixed")
    assert told.startswith("hosts: 1 record of 50 hosts failing")
    (tmp_path / "state").unlink()
    server.sweep(*[FAILING] * 3)
    assert receiver.events == ["hosts_failing"]


def test_a_damaged_file_is_a_warning_and_starts_anew(
    server: Server, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    server.sweep(FAILING)
    server.file.path.write_bytes(server.file.path.read_bytes()[:-9])
    server.sweep(GOOD)
    assert server.file.read().damage is None
    server.sweep(*[FAILING] * 3)
    lost = "an open incident and undelivered alerts are lost"
    assert warnings(caplog) == [f"{server.file.path} is damaged; sweep counts restart at zero, {lost}"]
    assert receiver.events == ["hosts_failing"]


def test_while_another_server_sends_from_the_same_file_this_one_does_not(server: Server, receiver: Receiver) -> None:
    server.sweep(FAILING, FAILING)
    with server.file.sending() as taken:
        assert taken
        server.sweep(FAILING)
    assert receiver.got == []
    server.sweep(FAILING)
    assert receiver.events == ["hosts_failing"]


# Killed

_SCRIPT = """
import sys
import ddns_updater.alerts.webhooks
from ddns_updater.app.server_factories import sweep_reporter
from ddns_updater.settings.load import read_settings
from tests.support.forks import kill_at
from tests.support.sweeps import failing

reporter = sweep_reporter(read_settings().valid())
reporter.report(failing("a"))
reporter.report(failing("a"))
place, listing = sys.argv[1:]
kill_at(place, listing or None)
reporter.report(failing("a"))
"""

_BEFORE_THE_FILE = ["call:SweepReporter._alert", "return:StateFile._load", "call:AlertSender.add", "call:replace_file"]
_BEFORE_IT_IS_SENT = ["return:replace_file", "call:AlertSender.send", "call:post"]
_AFTER_IT_WAS_SENT = ["return:post", "call:AlertSender._save", "call:replace_file:2"]  # in which it may arrive twice
_AFTER_IT_WAS_SAVED = ["return:replace_file:2", "return:SweepReporter.report"]
_PLACES = [*_BEFORE_THE_FILE, *_BEFORE_IT_IS_SENT, *_AFTER_IT_WAS_SENT, *_AFTER_IT_WAS_SAVED]


def third_sweep(server: Server, place: str, listing: str = "") -> int:
    """Let a process make three sweeps that fail, of which it is killed at a place of the third; return its status."""
    return subprocess.run(
        [sys.executable, "-c", _SCRIPT, place, listing],
        env={**server.environment, "PYTHONPATH": str(Path(__file__).parents[2])},
        check=False,
        timeout=60,
    ).returncode


@pytest.mark.parametrize("place", _PLACES)
def test_an_incident_is_told_whenever_the_server_is_killed(server: Server, receiver: Receiver, place: str) -> None:
    assert third_sweep(server, place) == -signal.SIGKILL
    server.now = time.time()
    server.sweep(FAILING, FAILING)
    assert receiver.events == ["hosts_failing"] * (2 if place in _AFTER_IT_WAS_SENT else 1)
    incident = server.file.read().origins[""].incident
    assert incident
    assert incident.failed_runs == (4 if place in _BEFORE_THE_FILE else 5)


def test_the_places_of_the_kills_come_in_the_order_of_a_report(
    server: Server, receiver: Receiver, tmp_path: Path
) -> None:
    assert third_sweep(server, "list", str(tmp_path / "places")) == 0
    assert receiver.events == ["hosts_failing"]
    places = iter((tmp_path / "places").read_text().splitlines())
    for place in _PLACES:
        event, function, *_ = place.split(":")
        assert f"{event}:{function}" in places, place  # each is found after the one before
