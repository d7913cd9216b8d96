"""Receivers that hang, refuse and come back, by real command lines: a warning, no secret, and the run's own end."""

import socket
import time

import pytest

from tests.support import services
from tests.support.alerting import BAD_ADDRESS, DAY, fail, later, recover
from tests.support.command import Finished, finish
from tests.support.machine import AWS, Machine
from tests.support.mysqld import free_port
from tests.support.receivers import SECRET, Receiver, receiving

# Channels in bad weather

PLAYS: dict[str, tuple[services.Play, str]] = {
    "500": (services.answer("", "500 No"), "answered with status 500; a later run tries again"),
    "429": (services.answer("", "429 No", ["Retry-After: 1000"]), "status 429; a later run tries again"),
    "redirect": (services.redirect("http://127.0.0.1:9/"), "answered with a redirect (302); use the URL it leads to"),
    "404": (services.answer("", "404 No"), "refused with status 404; check its URL"),
    "closed": (services.send(b""), "closed the connection without an answer; a later run tries again"),
    "hang": (services.hang, "a later run tries again"),
}


@pytest.mark.parametrize("kind", PLAYS)
def test_a_webhook_that_fails_is_only_a_warning(alerting: Machine, receiver: Receiver, kind: str) -> None:
    receiver.play, warning = PLAYS[kind]
    alerting.service.address = "1.1.1.1"
    begin = time.monotonic()
    done = alerting.process("run", DDNS_RUN_TIMEOUT="6")
    assert time.monotonic() - begin < 15  # on a busy machine; a channel that hangs does so for a minute
    assert (done.status, done.out.partition(":")[0]) == (0, "updated")
    (line,) = done.err.splitlines()
    assert line.startswith("warning: failed to send an alert: http://127.0.0.1/… ")
    assert line.endswith(warning)
    receiver.play = None
    receiver.got.clear()
    assert alerting.ddns("run").err == ""
    assert receiver.got == []  # it is left alone for a while
    later(alerting, 61)
    alerting.ddns("run")
    assert len(receiver.got) == (1 if kind in ("500", "closed", "hang") else 0)
    later(alerting, 1000)
    alerting.ddns("run")
    alerting.ddns("run")
    assert len(receiver.got) == (0 if kind in ("redirect", "404") else 1)


def test_undelivered_alerts_are_sent_in_order_and_with_a_new_one_at_once(alerting: Machine, receiver: Receiver) -> None:
    receiver.play = services.answer("", "500 No")
    fail(alerting, 3)
    for address in ("1.1.1.1", "8.8.8.8"):
        alerting.service.address = address
        alerting.ddns("run")
    receiver.play = None
    receiver.got.clear()
    alerting.service.address = "9.9.9.10"
    alerting.ddns("run")
    told = receiver.take()
    assert [each["event"] for each in told] == ["recovered", "changed", "changed", "changed"]
    assert [each["address"] for each in told[1:]] == ["1.1.1.1", "8.8.8.8", "9.9.9.10"]


def test_a_channel_that_asks_for_a_pause_gets_it_and_the_other_does_not(alerting: Machine, receiver: Receiver) -> None:
    with receiving() as other:
        alerting.environment["DDNS_WEBHOOK_URLS"] = f"{receiver.url},{other.url}"
        receiver.play = services.answer("", "429 No", ["Retry-After: 1000"])
        other.play = services.in_turn(services.answer("", "404 No"), *[services.answer("ok")] * 9)
        for address in ("1.1.1.1", "8.8.8.8"):
            alerting.service.address = address
            alerting.ddns("run")
        assert len(receiver.got) == 1
        assert len(other.got) == 2
        receiver.play = None
        receiver.got.clear()
        later(alerting, 1000)
        alerting.ddns("run")
        assert [each["address"] for each in receiver.take()] == ["1.1.1.1", "8.8.8.8"]
        assert len(other.got) == 2


def test_an_alert_is_dropped_undelivered_after_a_day(alerting: Machine, receiver: Receiver) -> None:
    receiver.play = services.answer("", "500 No")
    alerting.service.address = "1.1.1.1"
    alerting.ddns("run")
    later(alerting, DAY + 1)
    receiver.play = None
    receiver.got.clear()
    alerting.ddns("run")
    assert receiver.got == []


def test_a_removed_webhook_gets_nothing_more_and_a_new_one_no_old_alert(alerting: Machine, receiver: Receiver) -> None:
    receiver.play = services.answer("", "500 No")
    fail(alerting, 3)
    receiver.got.clear()
    with receiving() as other:
        later(alerting, 61)
        fail(alerting, 1, DDNS_WEBHOOK_URLS=other.url)
        assert (receiver.got, other.got) == ([], [])
        recover(alerting, DDNS_WEBHOOK_URLS=other.url)
        assert other.events == ["recovered"]
    assert receiver.got == []


@pytest.mark.parametrize("fails", [False, True])
def test_no_run_lasts_longer_than_it_may_whoever_hangs(alerting: Machine, receiver: Receiver, fails: bool) -> None:
    receiver.play = services.hang
    alerting.environment |= {
        "DDNS_WEBHOOK_URLS": f"{receiver.url},{receiver.url}/2,discord+{receiver.url}",
        "DDNS_NOTIFY_URLS": receiver.url.replace("http", "json"),
        "DDNS_HEARTBEAT_URL": f"{receiver.base}/api/push/{SECRET}",
        "DDNS_RUN_TIMEOUT": "4",
        "DDNS_ALERT_AFTER": "1",
    }
    alerting.service.address = BAD_ADDRESS if fails else "1.1.1.1"
    alerting.at_once(1, "history")  # the first fork waits for the start of the interpreter
    begin = time.monotonic()
    (done,) = alerting.at_once(1, "run")
    assert time.monotonic() - begin < 12  # on a busy machine; five that hang would take minutes
    assert done.status == (1 if fails else 0)
    assert ("failed: " if fails else "warning: ") in done.err
    assert SECRET not in done.err


def test_a_run_stopped_while_it_sends_ends_cleanly_and_the_next_one_sends(
    alerting: Machine, receiver: Receiver
) -> None:
    receiver.play = services.hang
    alerting.service.address = "1.1.1.1"
    process = alerting.start("run")
    while not receiver.got:
        assert process.poll() is None
    receiver.play = None
    process.terminate()
    done = finish(process)
    assert (done.status, done.out.partition(":")[0]) == (0, "updated")
    assert done.err.startswith("warning: failed to finish the report of the run: stopped by SIGTERM")
    receiver.got.clear()
    alerting.ddns("run")
    assert receiver.events == ["changed"]


def test_a_report_that_is_stopped_keeps_the_warnings_that_it_had(alerting: Machine, receiver: Receiver) -> None:
    receiver.play = services.hang
    alerting.service.address = "1.1.1.1"
    process = alerting.start("run", DDNS_HEARTBEAT_URL=f"http://127.0.0.1:{free_port()}/")
    while not receiver.got:
        assert process.poll() is None
    process.terminate()
    first, second = finish(process).err.splitlines()
    assert first.startswith("warning: failed to send the heartbeat: http://127.0.0.1/… cannot be reached")
    assert second.startswith("warning: failed to finish the report of the run: stopped by SIGTERM")


def test_without_its_extra_apprise_is_a_warning_that_says_how_to_install_it(
    alerting: Machine, receiver: Receiver
) -> None:
    alerting.service.address = "1.1.1.1"
    program = "import sys; sys.modules['apprise'] = None; from ddns_updater.cli.main import main; main(['run'])"
    done = finish(alerting.start(program=("-c", program), DDNS_NOTIFY_URLS=f"ntfy://{SECRET}"))
    assert (done.status, done.out.partition(":")[0]) == (0, "updated")
    assert done.err.startswith("warning: failed to send an alert: DDNS_NOTIFY_URLS needs the extra notify; ")
    assert receiver.events == ["changed"]


def _without_notify(machine: Machine, *arguments: str) -> Finished:
    """Run one command where apprise is not installed, and never imported."""
    program = f"import sys; sys.modules['apprise'] = None; from ddns_updater.cli.main import main; main({arguments!r})"
    return finish(machine.start(program=("-c", program), DDNS_NOTIFY_URLS=f"ntfy://{SECRET}"))


@pytest.mark.parametrize("arguments", [("run",), ("run", "--dry-run")])
def test_a_missing_extra_is_a_warning_on_every_run_also_with_nothing_to_send(
    alerting: Machine, arguments: tuple[str, ...]
) -> None:
    for _ in range(2):
        done = _without_notify(alerting, *arguments)
        assert done.status == 0
        (line,) = done.err.splitlines()
        assert line.startswith("warning: DDNS_NOTIFY_URLS needs the extra notify; in the checkout, run ")
        assert SECRET not in line
    (warning,) = _without_notify(alerting, "run", "--json").json["warnings"]
    assert warning == line.removeprefix("warning: ")
    assert alerting.ddns("run", DDNS_NOTIFY_URLS=f"ntfy://{SECRET}").err == ""  # it is installed here


def test_a_missing_extra_is_a_warning_of_every_quiet_run_that_is_printed_once_a_day(alerting: Machine) -> None:
    printed = []
    for _ in range(3):
        printed.append(_without_notify(alerting, "run", "--quiet").err)
        later(alerting, DAY / 2)
    assert [each.startswith("warning: DDNS_NOTIFY_URLS needs the extra notify; ") for each in printed] == [
        True, False, True,
    ]  # fmt: skip
    assert printed[1] == ""


def test_a_missing_extra_is_told_once_when_an_alert_is_due(alerting: Machine) -> None:
    alerting.service.address = "1.1.1.1"
    done = _without_notify(alerting, "run")
    (line,) = done.err.splitlines()
    assert line.startswith("warning: failed to send an alert: DDNS_NOTIFY_URLS needs the extra notify; ")


# Secrets


@pytest.mark.parametrize("arguments", [("run",), ("-v", "run", "--json"), ("-v", "--log-format", "json", "run")])
@pytest.mark.parametrize("play", ["500", "redirect", "closed", None])
def test_no_secret_is_shown_or_stored_or_sent_to_another_channel(
    alerting: Machine, receiver: Receiver, arguments: tuple[str, ...], play: str | None
) -> None:
    database = alerting.environment["DDNS_DATABASE_URL"]
    with receiving() as other:
        alerting.environment |= {
            "DDNS_WEBHOOK_URLS": f"{receiver.base.replace('://', f'://me:{SECRET}@')}/{SECRET}?key={SECRET},{other.base}/x",
            "DDNS_NOTIFY_URLS": f"{receiver.base.replace('http://', f'json://me:{SECRET}@')}/{SECRET}",
            "DDNS_HEARTBEAT_URL": f"{receiver.base}/{SECRET}?key={SECRET}",
            "DDNS_ALERT_AFTER": "1",
            "PYTHONWARNINGS": "error,ignore::DeprecationWarning",  # apprise looks for a module that is on its way out
        }
        receiver.play = PLAYS[play][0] if play else None
        done = alerting.process(*arguments, DDNS_DATABASE_URL=f"mysql://ddns:{SECRET}@127.0.0.1:{free_port()}/app")
        assert done.status == 1
        assert len(receiver.got) >= 3
        assert other.events == ["failing"]
        told = b"".join(each.body for each in (*receiver.got, *other.got)).decode()
    remembered = "".join(each.read_text() for each in (alerting.folder / ".config" / "ddns-updater").iterdir())
    assert database not in remembered
    for text in (done.out, done.err, told, remembered):
        assert SECRET not in text
        assert AWS["AWS_SECRET_ACCESS_KEY"] not in text


# What nothing can interrupt, and channels of others

WITHOUT_ALARM = """
import signal, socket, sys, time
looked_up = socket.getaddrinfo
def look_up(host, *args, **kwargs):
    if host == "hooks.example.com":
        time.sleep(60)
    return looked_up(host, *args, **kwargs)
socket.getaddrinfo = look_up
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})  # stands for a call into C that does not return
from ddns_updater.cli.main import main
main(sys.argv[1:])
"""


def test_a_name_that_no_resolver_answers_for_is_a_warning(alerting: Machine) -> None:
    alerting.service.address = "1.1.1.1"
    urls = {"DDNS_WEBHOOK_URLS": "http://hooks.example.com/x", "DDNS_HEARTBEAT_URL": "http://hooks.example.com/y"}
    done = finish(alerting.start("run", program=("-c", WITHOUT_ALARM), DDNS_RUN_TIMEOUT="6", **urls))
    assert (done.status, done.out.partition(":")[0]) == (0, "updated")
    heartbeat, alert = done.err.splitlines()
    assert heartbeat.startswith("warning: failed to send the heartbeat: its service did not answer within ")
    assert alert.startswith("warning: failed to send an alert: http://hooks.example.com/… did not answer within ")


def test_a_run_that_only_the_end_of_its_process_stops_is_counted_and_reported(
    alerting: Machine, receiver: Receiver
) -> None:
    alerting.service.play = services.hang
    limits = {"DDNS_RUN_TIMEOUT": "6", "DDNS_IP_TIMEOUT": "60", "DDNS_ALERT_AFTER": "2"}
    for _ in range(2):
        done = finish(alerting.start("run", program=("-c", WITHOUT_ALARM), **limits))
        assert (done.status, done.out) == (1, "")
        assert done.err.startswith("failed: stopped after ")
    (failing,) = receiver.take()
    assert (failing["event"], failing["failed_runs"]) == ("failing", 2)
    alerting.service.play = None
    recover(alerting)
    assert receiver.events == ["recovered"]


def test_undelivered_alerts_for_channels_of_another_run_are_kept(alerting: Machine, receiver: Receiver) -> None:
    assert alerting.ddns("init", "--name", "two", "--ip", "9.9.9.9").status == 0
    receiver.play = services.answer("", "500 No")
    alerting.service.address = "1.1.1.1"
    assert alerting.ddns("run", "--name", "line").status == 0
    assert len(receiver.take()) == 1
    receiver.play = None
    assert alerting.ddns("run", "--name", "line", DDNS_WEBHOOK_URLS=None).status == 0
    with receiving() as other:
        assert alerting.ddns("run", "--name", "two", DDNS_WEBHOOK_URLS=other.url).status == 0
        assert [each["name"] for each in other.take()] == ["two"]
    later(alerting, 61)
    assert alerting.ddns("run", "--name", "line").status == 0
    (changed,) = receiver.take()
    assert (changed["name"], changed["address"]) == ("line", "1.1.1.1")


def test_a_backlog_is_sent_in_order_and_never_again(alerting: Machine) -> None:
    with receiving() as slow:
        slow.play = services.answer("", "500 No")
        for last in range(1, 13):
            alerting.service.address = f"1.1.1.{last}"
            alerting.ddns("run", DDNS_WEBHOOK_URLS=slow.url)
        slow.got.clear()
        slow.play = _slowly
        later(alerting, 3700)
        while alerting.ddns("run", DDNS_WEBHOOK_URLS=slow.url, DDNS_RUN_TIMEOUT="12").err:
            later(alerting, 60)
        told = [each["address"] for each in slow.take()]
    assert told == [f"1.1.1.{last}" for last in range(1, 13)]


def _slowly(connection: socket.socket) -> None:
    time.sleep(0.5)
    services.answer("ok")(connection)


def test_an_origin_that_was_renamed_recovers(alerting: Machine, receiver: Receiver) -> None:
    alerting.run()
    fail(alerting, 3)
    assert receiver.events == ["failing"]
    alerting.database.sql("UPDATE admin_ip_history SET name = 'office'")
    recover(alerting)
    assert receiver.events[-1] == "recovered"
