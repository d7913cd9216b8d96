"""Receivers that hang, refuse and come back, by real command lines: a warning, no secret, and the run's own end."""

import socket
import time

import pytest

from tests.support import services
from tests.support.command import finish
from tests.support.machine import AWS, Machine
from tests.support.mysqld import free_port
from tests.support.receivers import SECRET, Receiver, receiving
from tests.support.tellers import BAD_ADDRESS, DAY, fail, later, recover

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
def test_a_webhook_in_bad_weather_is_a_warning_and_no_more(telling: Machine, receiver: Receiver, kind: str) -> None:
    receiver.play, warning = PLAYS[kind]
    telling.service.address = "1.1.1.1"
    begin = time.monotonic()
    done = telling.process("run", DDNS_RUN_TIMEOUT="6")
    assert time.monotonic() - begin < 6
    assert (done.status, done.out.partition(":")[0]) == (0, "updated")
    (line,) = done.err.splitlines()
    assert line.startswith("warning: failed to send an alert: http://127.0.0.1/… ")
    assert line.endswith(warning)
    receiver.play = None
    receiver.got.clear()
    assert telling.ddns("run").err == ""
    assert receiver.got == []  # it is left alone for a while
    later(telling, 61)
    telling.ddns("run")
    assert len(receiver.got) == (1 if kind in ("500", "closed", "hang") else 0)
    later(telling, 1000)
    telling.ddns("run")
    telling.ddns("run")
    assert len(receiver.got) == (0 if kind in ("redirect", "404") else 1)


def test_what_is_not_taken_is_told_in_order_and_with_something_new_at_once(
    telling: Machine, receiver: Receiver
) -> None:
    receiver.play = services.answer("", "500 No")
    fail(telling, 3)
    for address in ("1.1.1.1", "8.8.8.8"):
        telling.service.address = address
        telling.ddns("run")
    receiver.play = None
    receiver.got.clear()
    telling.service.address = "9.9.9.10"
    telling.ddns("run")
    told = receiver.take()
    assert [each["event"] for each in told] == ["recovered", "changed", "changed", "changed"]
    assert [each["address"] for each in told[1:]] == ["1.1.1.1", "8.8.8.8", "9.9.9.10"]


def test_one_that_asks_to_be_left_alone_is_and_the_other_is_told(telling: Machine, receiver: Receiver) -> None:
    with receiving() as other:
        telling.environment["DDNS_WEBHOOK_URLS"] = f"{receiver.url},{other.url}"
        receiver.play = services.answer("", "429 No", ["Retry-After: 1000"])
        other.play = services.in_turn(services.answer("", "404 No"), *[services.answer("ok")] * 9)
        for address in ("1.1.1.1", "8.8.8.8"):
            telling.service.address = address
            telling.ddns("run")
        assert len(receiver.got) == 1
        assert len(other.got) == 2
        receiver.play = None
        receiver.got.clear()
        later(telling, 1000)
        telling.ddns("run")
        assert [each["address"] for each in receiver.take()] == ["1.1.1.1", "8.8.8.8"]
        assert len(other.got) == 2


def test_an_alert_that_nobody_took_for_a_day_is_given_up(telling: Machine, receiver: Receiver) -> None:
    receiver.play = services.answer("", "500 No")
    telling.service.address = "1.1.1.1"
    telling.ddns("run")
    later(telling, DAY + 1)
    receiver.play = None
    receiver.got.clear()
    telling.ddns("run")
    assert receiver.got == []


def test_a_webhook_that_is_taken_out_hears_nothing_more_and_a_new_one_no_old_news(
    telling: Machine, receiver: Receiver
) -> None:
    receiver.play = services.answer("", "500 No")
    fail(telling, 3)
    receiver.got.clear()
    with receiving() as other:
        later(telling, 61)
        fail(telling, 1, DDNS_WEBHOOK_URLS=other.url)
        assert (receiver.got, other.got) == ([], [])
        recover(telling, DDNS_WEBHOOK_URLS=other.url)
        assert other.events == ["recovered"]
    assert receiver.got == []


@pytest.mark.parametrize("fails", [False, True])
def test_no_run_lasts_longer_than_it_may_whoever_hangs(telling: Machine, receiver: Receiver, fails: bool) -> None:
    receiver.play = services.hang
    telling.environment |= {
        "DDNS_WEBHOOK_URLS": f"{receiver.url},{receiver.url}/2,discord+{receiver.url}",
        "DDNS_NOTIFY_URLS": receiver.url.replace("http", "json"),
        "DDNS_HEARTBEAT_URL": f"{receiver.base}/api/push/{SECRET}",
        "DDNS_RUN_TIMEOUT": "4",
        "DDNS_ALERT_AFTER": "1",
    }
    telling.service.address = BAD_ADDRESS if fails else "1.1.1.1"
    telling.at_once(1, "history")  # the first fork waits for the start of the interpreter
    begin = time.monotonic()
    (done,) = telling.at_once(1, "run")
    assert time.monotonic() - begin < 4.5
    assert done.status == (1 if fails else 0)
    assert ("failed: " if fails else "warning: ") in done.err
    assert SECRET not in done.err


def test_a_run_that_is_stopped_while_it_tells_ends_cleanly_and_the_next_one_tells(
    telling: Machine, receiver: Receiver
) -> None:
    receiver.play = services.hang
    telling.service.address = "1.1.1.1"
    process = telling.start("run")
    while not receiver.got:
        assert process.poll() is None
    receiver.play = None
    process.terminate()
    done = finish(process)
    assert (done.status, done.out.partition(":")[0]) == (0, "updated")
    assert done.err.startswith("warning: failed to finish the report of the run: stopped by SIGTERM")
    receiver.got.clear()
    telling.ddns("run")
    assert receiver.events == ["changed"]


def test_without_its_extra_apprise_is_a_warning_that_says_how_to_install_it(
    telling: Machine, receiver: Receiver
) -> None:
    telling.service.address = "1.1.1.1"
    program = "import sys; sys.modules['apprise'] = None; from ddns_updater.cli.main import main; main(['run'])"
    done = finish(telling.start(program=("-c", program), DDNS_NOTIFY_URLS=f"ntfy://{SECRET}"))
    assert (done.status, done.out.partition(":")[0]) == (0, "updated")
    assert done.err.startswith("warning: failed to send an alert: DDNS_NOTIFY_URLS needs the extra notify; ")
    assert receiver.events == ["changed"]


# Secrets


@pytest.mark.parametrize("arguments", [("run",), ("-v", "run", "--json"), ("-v", "--log-format", "json", "run")])
@pytest.mark.parametrize("play", ["500", "redirect", "closed", None])
def test_no_secret_is_shown_or_remembered_or_told_to_another(
    telling: Machine, receiver: Receiver, arguments: tuple[str, ...], play: str | None
) -> None:
    database = telling.environment["DDNS_DATABASE_URL"]
    with receiving() as other:
        telling.environment |= {
            "DDNS_WEBHOOK_URLS": f"{receiver.base.replace('://', f'://me:{SECRET}@')}/{SECRET}?key={SECRET},{other.base}/x",
            "DDNS_NOTIFY_URLS": f"{receiver.base.replace('http://', f'json://me:{SECRET}@')}/{SECRET}",
            "DDNS_HEARTBEAT_URL": f"{receiver.base}/{SECRET}?key={SECRET}",
            "DDNS_ALERT_AFTER": "1",
            "PYTHONWARNINGS": "error,ignore::DeprecationWarning",  # apprise looks for a module that is on its way out
        }
        receiver.play = PLAYS[play][0] if play else None
        done = telling.process(*arguments, DDNS_DATABASE_URL=f"mysql://ddns:{SECRET}@127.0.0.1:{free_port()}/app")
        assert done.status == 1
        assert len(receiver.got) >= 3
        assert other.events == ["failing"]
        told = b"".join(each.body for each in (*receiver.got, *other.got)).decode()
    remembered = "".join(each.read_text() for each in (telling.folder / ".config" / "ddns-updater").iterdir())
    assert database not in remembered
    for text in (done.out, done.err, told, remembered):
        assert SECRET not in text
        assert AWS["AWS_SECRET_ACCESS_KEY"] not in text


# What nothing can interrupt, and channels of others

DEAF = """
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


def test_a_name_that_no_resolver_answers_for_is_a_warning(telling: Machine) -> None:
    telling.service.address = "1.1.1.1"
    urls = {"DDNS_WEBHOOK_URLS": "http://hooks.example.com/x", "DDNS_HEARTBEAT_URL": "http://hooks.example.com/y"}
    done = finish(telling.start("run", program=("-c", DEAF), DDNS_RUN_TIMEOUT="6", **urls))
    assert (done.status, done.out.partition(":")[0]) == (0, "updated")
    heartbeat, alert = done.err.splitlines()
    assert heartbeat.startswith("warning: failed to send the heartbeat: its service did not answer within ")
    assert alert.startswith("warning: failed to send an alert: http://hooks.example.com/… did not answer within ")


def test_a_run_that_nothing_but_the_end_of_its_process_stops_is_counted_and_told(
    telling: Machine, receiver: Receiver
) -> None:
    telling.service.play = services.hang
    limits = {"DDNS_RUN_TIMEOUT": "6", "DDNS_IP_TIMEOUT": "60", "DDNS_ALERT_AFTER": "2"}
    for _ in range(2):
        done = finish(telling.start("run", program=("-c", DEAF), **limits))
        assert (done.status, done.out) == (1, "")
        assert done.err.startswith("failed: stopped after ")
    (failing,) = receiver.take()
    assert (failing["event"], failing["failed_runs"]) == ("failing", 2)
    telling.service.play = None
    recover(telling)
    assert receiver.events == ["recovered"]


def test_what_is_owed_to_the_channel_of_another_origin_or_of_a_run_by_hand_is_kept(
    telling: Machine, receiver: Receiver
) -> None:
    assert telling.ddns("init", "--name", "two", "--ip", "9.9.9.9").status == 0
    receiver.play = services.answer("", "500 No")
    telling.service.address = "1.1.1.1"
    assert telling.ddns("run", "--name", "line").status == 0
    assert len(receiver.take()) == 1
    receiver.play = None
    assert telling.ddns("run", "--name", "line", DDNS_WEBHOOK_URLS=None).status == 0
    with receiving() as other:
        assert telling.ddns("run", "--name", "two", DDNS_WEBHOOK_URLS=other.url).status == 0
        assert [each["name"] for each in other.take()] == ["two"]
    later(telling, 61)
    assert telling.ddns("run", "--name", "line").status == 0
    (changed,) = receiver.take()
    assert (changed["name"], changed["address"]) == ("line", "1.1.1.1")


def test_a_backlog_is_told_from_its_begin_and_never_again(telling: Machine) -> None:
    with receiving() as slow:
        slow.play = services.answer("", "500 No")
        for last in range(1, 13):
            telling.service.address = f"1.1.1.{last}"
            telling.ddns("run", DDNS_WEBHOOK_URLS=slow.url)
        slow.got.clear()
        slow.play = _slowly
        later(telling, 3700)
        while telling.ddns("run", DDNS_WEBHOOK_URLS=slow.url, DDNS_RUN_TIMEOUT="12").err:
            later(telling, 60)
        told = [each["address"] for each in slow.take()]
    assert told == [f"1.1.1.{last}" for last in range(1, 13)]


def _slowly(connection: socket.socket) -> None:
    time.sleep(0.5)
    services.answer("ok")(connection)


def test_an_origin_that_was_renamed_recovers(telling: Machine, receiver: Receiver) -> None:
    telling.run()
    fail(telling, 3)
    assert receiver.events == ["failing"]
    telling.database.sql("UPDATE admin_ip_history SET name = 'office'")
    recover(telling)
    assert receiver.events[-1] == "recovered"
