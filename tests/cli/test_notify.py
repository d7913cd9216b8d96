"""`ddns notify --test`: a message through every channel, and what became of each, without a database and AWS."""

import json
import re
import signal
import socket
import time
from typing import Any

import pytest

from tests.support import services
from tests.support.command import Finished, finish
from tests.support.machine import Machine
from tests.support.mysqld import free_port
from tests.support.receivers import SECRET, Receiver, receiving
from tests.support.terminal import screen

HOST = socket.gethostname()


@pytest.fixture
def machine(small_machine: Machine) -> Machine:
    """Give a machine without a database, AWS or address source that could be reached."""
    nobody = f"http://127.0.0.1:{free_port()}"
    small_machine.environment |= {
        "DDNS_DATABASE_URL": "sqlite:////nowhere/x",
        "AWS_ENDPOINT_URL": nobody,
        "DDNS_IP_SOURCES": nobody,
        "PYTHONWARNINGS": "error,ignore::DeprecationWarning",  # apprise looks for a module that is on its way out
    }
    return small_machine


def notify(machine: Machine, *arguments: str, **changes: Any) -> Finished:
    done = machine.process("notify", "--test", *arguments, **changes)
    assert SECRET not in done.out + done.err
    assert "Traceback" not in done.err
    return done


def test_every_channel_gets_one_message_that_names_its_host(machine: Machine, receiver: Receiver) -> None:
    with receiving() as slack, receiving() as service:
        done = notify(
            machine,
            DDNS_NAME="line",
            DDNS_WEBHOOK_URLS=f"{receiver.url},slack+{slack.url}",
            DDNS_NOTIFY_URLS=service.url.replace("http", "json"),
        )
        (event,) = receiver.take()
        assert (event["event"], event["name"], event["host"]) == ("test", "line", HOST)
        assert event["title"] == "line: test message"
        assert event["text"].endswith(f" Sent by {HOST}.")
        (text,) = [each["text"] for each in slack.take()]
        assert text.startswith("```\nline: test message\n")
        assert f"Sent by {HOST}." in " ".join(text.split())
        (sent,) = service.take()
        assert (sent["title"], sent["type"]) == ("line: test message", "info")
        assert f"Sent by {HOST}." in sent["message"]
    assert (done.status, done.err) == (0, "")
    assert done.out.splitlines() == [
        "DDNS_WEBHOOK_URLS, number 1: http://127.0.0.1/… accepted the message",
        "DDNS_WEBHOOK_URLS, number 2: http://127.0.0.1/… accepted the message",
        "DDNS_NOTIFY_URLS, number 1: json://… accepted the message",
    ]


def test_discord_takes_the_message_too(machine: Machine, receiver: Receiver) -> None:
    assert notify(machine, DDNS_WEBHOOK_URLS=f"discord+{receiver.url}").status == 0
    (sent,) = receiver.take()
    assert sent["embeds"][0]["title"] == r"ddns\: test message"


def test_each_channel_that_does_not_accept_it_is_named_and_the_others_get_it(
    machine: Machine, receiver: Receiver
) -> None:
    with receiving() as other:
        receiver.play = services.answer("", "404 No")
        urls = f"{receiver.url},{other.url},http://127.0.0.1:{free_port()}/{SECRET}"
        done = notify(machine, DDNS_WEBHOOK_URLS=urls)
        assert other.events == ["test"]
        assert notify(machine, "--json", DDNS_WEBHOOK_URLS=urls).json == {
            "ok": False,
            "channels": [
                {
                    "setting": "DDNS_WEBHOOK_URLS",
                    "number": number,
                    "name": "http://127.0.0.1/…",
                    "accepted": error is None,
                    "error": error,
                }
                for number, error in (
                    (1, "http://127.0.0.1/… refused with status 404; check its URL"),
                    (2, None),
                    (3, "http://127.0.0.1/… cannot be reached: Connection refused"),
                )
            ],
        }
    assert done.status == 1
    assert done.out == "DDNS_WEBHOOK_URLS, number 2: http://127.0.0.1/… accepted the message\n"
    assert done.err.splitlines() == [
        "error: DDNS_WEBHOOK_URLS, number 1: http://127.0.0.1/… refused with status 404; check its URL",
        "error: DDNS_WEBHOOK_URLS, number 3: http://127.0.0.1/… cannot be reached: Connection refused",
    ]


def test_its_json_says_that_all_is_well_and_nothing_else_is_printed(machine: Machine, receiver: Receiver) -> None:
    done = notify(machine, "--json", DDNS_WEBHOOK_URLS=receiver.url, DDNS_HEARTBEAT_URL=receiver.url)
    assert (done.status, done.err, done.json["ok"]) == (0, "", True)
    assert receiver.events == ["test"]


def test_it_keeps_no_state_and_reads_none(machine: Machine, receiver: Receiver) -> None:
    receiver.play = services.answer("", "500 No")
    assert notify(machine, DDNS_WEBHOOK_URLS=receiver.url).status == 1
    assert not (machine.folder / ".config").exists()


def test_the_heartbeat_is_not_pinged_because_no_run_took_place(machine: Machine, receiver: Receiver) -> None:
    with receiving() as monitor:
        done = notify(machine, DDNS_WEBHOOK_URLS=receiver.url, DDNS_HEARTBEAT_URL=monitor.url)
        assert monitor.got == []
    assert done.status == 0
    assert done.out.splitlines()[1:] == ["DDNS_HEARTBEAT_URL: http://127.0.0.1/… is pinged by runs only"]


@pytest.mark.parametrize("heartbeat", [None, "http://127.0.0.1:1/"])
def test_without_a_channel_it_is_status_2(machine: Machine, heartbeat: str | None) -> None:
    done = notify(machine, DDNS_HEARTBEAT_URL=heartbeat)
    assert (done.status, done.out) == (2, "")
    assert done.err == "error: no channel is configured; set DDNS_WEBHOOK_URLS or DDNS_NOTIFY_URLS\n"


def test_wrong_settings_are_status_2_and_nothing_is_sent(machine: Machine, receiver: Receiver) -> None:
    done = notify(machine, DDNS_WEBHOOK_URLS=receiver.url, DDNS_TTL="5m")
    assert (done.status, done.out) == (2, "")
    assert done.err.startswith("error: DDNS_TTL")
    assert receiver.got == []


def test_without_its_option_it_says_to_use_that(machine: Machine, receiver: Receiver) -> None:
    done = machine.ddns("notify", DDNS_WEBHOOK_URLS=receiver.url, PYTHONWARNINGS="error")
    assert (done.status, done.out) == (2, "")
    assert "add --test" in done.err
    assert len(done.err.splitlines()) == 1
    assert receiver.got == []


def test_a_missing_extra_is_named_with_the_command_that_adds_it(machine: Machine, receiver: Receiver) -> None:
    program = (
        "import sys; sys.modules['apprise'] = None; from ddns_updater.cli.main import main; main(['notify', '--test'])"
    )
    urls = {"DDNS_WEBHOOK_URLS": receiver.url, "DDNS_NOTIFY_URLS": f"ntfy://{SECRET}"}
    done = finish(machine.start(program=("-c", program), **urls))
    assert done.status == 1
    assert receiver.events == ["test"]
    assert done.err.startswith("error: DDNS_NOTIFY_URLS, number 1: DDNS_NOTIFY_URLS needs the extra notify; in the ")


def test_channels_that_hang_are_awaited_together_and_the_next_gets_its_message(
    machine: Machine, receiver: Receiver
) -> None:
    receiver.play = services.hang
    with receiving() as other:
        hanging = ",".join(f"{receiver.url}/{number}" for number in range(6))  # 9 s, one after the other
        begin = time.monotonic()
        done = notify(machine, DDNS_WEBHOOK_URLS=f"{hanging},{other.url}", DDNS_RUN_TIMEOUT="6")
        assert time.monotonic() - begin < 8
        assert other.events == ["test"]
    assert done.status == 1
    for number in range(1, 7):
        assert f"number {number}: http://127.0.0.1/… did not answer within 1.5 s" in done.err


def test_a_terminal_shows_the_channel_that_is_waited_for(machine: Machine, receiver: Receiver) -> None:
    receiver.play = services.hang
    shown = "\n".join(screen(machine, 80, "notify", "--test", DDNS_WEBHOOK_URLS=receiver.url, DDNS_RUN_TIMEOUT="10"))
    assert re.search(r"  \.\.\.   http://127\.0\.0\.1/… \(\d s\)", shown)
    assert "error: DDNS_WEBHOOK_URLS, number 1: http://127.0.0.1/… did not answer within" in shown
    assert SECRET not in shown


def test_ctrl_c_stops_it_with_one_line(machine: Machine, receiver: Receiver) -> None:
    with receiving() as hanging:
        hanging.play = services.hang
        process = machine.start("notify", "--test", DDNS_WEBHOOK_URLS=f"{receiver.url},{hanging.url}")
        while not hanging.got:
            assert process.poll() is None
            time.sleep(0.05)
        begin = time.monotonic()
        process.send_signal(signal.SIGINT)
        done = finish(process)
    assert time.monotonic() - begin < 3
    assert (done.status, done.err) == (1, "error: stopped after 1 channel\n")
    assert done.out == "DDNS_WEBHOOK_URLS, number 1: http://127.0.0.1/… accepted the message\n"


def test_its_lines_can_be_json(machine: Machine, receiver: Receiver) -> None:
    done = machine.process("--log-format", "json", "notify", "--test", DDNS_WEBHOOK_URLS=receiver.url)
    line = json.loads(done.out)
    assert (line["level"], line["setting"], line["number"]) == ("info", "DDNS_WEBHOOK_URLS", 1)
