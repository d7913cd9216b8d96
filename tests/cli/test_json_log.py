"""`--log-format json`: each line on stderr is an object, whoever writes it."""

import json
import shlex
import signal
import subprocess
import sys
from typing import Any

import pytest

from ddns_updater.cli.main import _COMMANDS
from tests.cli.test_terminal import objects
from tests.journeys.test_watch import wait_until
from tests.support.aws import pending
from tests.support.command import Finished, finish
from tests.support.machine import Machine
from tests.support.receivers import Receiver
from tests.support.services import hang

JSON = ("--log-format", "json")
NO_ALARM = (
    "import signal; signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM});"
    " from ddns_updater.cli.main import main; main()"
)
# The library below the program is what breaks: the fault is the program's, which did not expect it.
BROKEN = """
import sqlite3
from ddns_updater.cli.main import main
def connect(*_, **__):
    raise ZeroDivisionError("no\\x1b[31m way")
sqlite3.connect = connect
main()
"""
LATER = """
import sys, threading
from ddns_updater.cli.main import main
class Broken:
    def __del__(self):
        raise ZeroDivisionError("in a destructor\\x1b[31m")
def fail():
    raise ZeroDivisionError("in a thread\\x1b[31m")
try:
    main()
except SystemExit:
    pass
thread = threading.Thread(target=fail, name="later")
thread.start()
thread.join()
Broken()
"""

INTERRUPTED = """
from ddns_updater.cli.main import main
try:
    main()
except SystemExit:
    raise KeyboardInterrupt from None
"""


def messages(done: Finished) -> list[str]:
    """Return the message of each line on stderr."""
    return [each["message"] for each in objects(done.err)]


@pytest.mark.parametrize("command", [each for each in _COMMANDS if each != "demo"])  # which tests/app/test_demo.py has
def test_of_every_command_stderr_holds_objects_alone(small_machine: Machine, receiver: Receiver, command: str) -> None:
    small_machine.init()
    arguments = {
        "watch": ("--every", "86400"),
        "notify": ("--test",),
        "init": ("--name", "line"),
        "host": ("add", "nas.example.com"),
    }.get(command, ())
    process = small_machine.start(
        "-v", *JSON, command, *arguments, DDNS_WEBHOOK_URLS=receiver.url, DDNS_TTL="77", DDNS_SERVE_LISTEN="127.0.0.1:0"
    )
    if command in ("watch", "serve"):
        assert process.stdout
        process.stdout.readline()
        process.send_signal(signal.SIGTERM)
    done = finish(process)
    assert done.status == (1 if command == "status" else 0), done
    assert [each for each in messages(done) if each.startswith("ddns ")]


@pytest.mark.parametrize(
    "arguments",
    [
        (*JSON, "nonsense"),
        JSON,
        ("--log-format=json", "run", "--nope"),
        (*JSON, "run", "more"),
        (*JSON, "history", "--limit", "0"),
        (*JSON, "notify"),
        ("-v", *JSON, "--nope", "run"),
        ("--nope", *JSON),
        ("--nope=5", "--log-format=json", "run"),
        ("--log-format", "text", *JSON, "nonsense"),
        ("--env-file", "missing", *JSON, "run"),
        (*JSON, "--env-file"),
        (*JSON, "--log-format"),
        (*JSON, "--", "nonsense"),
        (*JSON, "run", "--name", ""),
        (*JSON, "\x1b[31m"),
    ],
)
def test_a_mistake_in_the_command_line_is_one_object(small_machine: Machine, arguments: tuple[str, ...]) -> None:
    done = small_machine.process(*arguments, DDNS_DATABASE_URL="nonsense")
    (line,) = objects(done.err)[-1:]
    assert (done.status, done.out, line["level"]) == (2, "", "error")
    assert not line["message"].startswith("error")
    assert line["message"].isprintable()


@pytest.mark.parametrize(
    "arguments", [("run", *JSON), ("--env-file", *JSON, "run"), ("--", *JSON), ("--log-format", "xml", "run")]
)
def test_without_the_option_before_the_command_it_is_text(small_machine: Machine, arguments: tuple[str, ...]) -> None:
    done = small_machine.process(*arguments)
    assert done.status == 2
    assert done.err.startswith("error: ")


def test_remarks_and_warnings_are_objects(small_machine: Machine) -> None:
    done = small_machine.process(*JSON, "iam-policy")
    (line,) = objects(done.err)
    assert line["level"] == "info"
    assert line["message"].startswith("some records have no zone set")
    (small_machine.folder / "ddns").mkdir()
    warnings = objects(small_machine.process(*JSON, "iam-policy", DDNS_STATE_FOLDER="ddns").err)
    assert [each["level"] for each in warnings] == ["warning", "info"]


def test_a_warning_of_python_is_an_object(small_machine: Machine, receiver: Receiver) -> None:
    done = small_machine.process(
        *JSON,
        "notify",
        "--test",
        DDNS_NOTIFY_URLS=receiver.url.replace("http", "json"),
        PYTHONWARNINGS="default::DeprecationWarning",  # apprise looks for a module that is on its way out
    )
    assert done.status == 0
    lines = objects(done.err)
    assert lines
    assert {each["level"] for each in lines} == {"warning"}
    assert all(each["message"].startswith("DeprecationWarning: ") and each["file"] for each in lines)


@pytest.mark.parametrize("options", [(), JSON])
def test_ctrl_c_is_one_line(small_machine: Machine, options: tuple[str, ...]) -> None:
    line = "stopped by SIGINT; run init again: it goes on from there"
    small_machine.service.play = hang
    process = small_machine.start(*options, "init", "--name", "line", DDNS_IP_TIMEOUT="60")
    wait_until(lambda: small_machine.service.requests > 0)
    process.send_signal(signal.SIGINT)
    done = finish(process)
    assert (done.status, done.out) == (1, "")
    assert messages(done) == [line] if options else done.err == f"error: {line}\n"


@pytest.mark.parametrize("options", [(), JSON])
def test_ctrl_c_when_the_command_has_ended_is_no_fault(small_machine: Machine, options: tuple[str, ...]) -> None:
    done = finish(small_machine.start(*options, "--version", program=("-c", INTERRUPTED)))
    assert messages(done) == ["stopped by SIGINT"] if options else done.err == "error: stopped by SIGINT\n"


def test_a_full_disk_is_an_object(small_machine: Machine) -> None:
    small_machine.init()
    command = shlex.join([sys.executable, "-m", "ddns_updater", *JSON, "history"])
    done = subprocess.run(
        ["bash", "-c", f"exec {command} >/dev/full"],
        env=small_machine.environment,
        cwd=small_machine.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    (line,) = objects(done.stderr)
    assert line["message"] == "failed to write the output: No space left on device; make room for it"


def test_the_remark_of_a_watch_that_waits_is_an_object(small_machine: Machine) -> None:
    small_machine.init()
    small_machine.aws.fault("GetChange", pending, times=1)
    process = small_machine.start(*JSON, "watch")
    wait_until(lambda: "GetChange" in small_machine.aws.calls)
    process.send_signal(signal.SIGINT)
    done = finish(process)
    assert done.status == 0
    assert messages(done) == ["waiting for the run in progress to end; Ctrl-C again stops at once"]


@pytest.mark.parametrize("quiet", [(), ("--quiet",)])
def test_the_last_words_of_a_run_that_hangs_are_an_object(small_machine: Machine, quiet: tuple[str, ...]) -> None:
    small_machine.init()
    small_machine.service.play = hang
    limits = {"DDNS_RUN_TIMEOUT": "3", "DDNS_IP_TIMEOUT": "60"}
    done = finish(small_machine.start(*JSON, "run", *quiet, program=("-c", NO_ALARM), **limits))
    assert (done.status, done.out) == (1, "")
    (line,) = objects(done.err)
    assert line["level"] == "error"
    assert line["message"].endswith("stopped after 3 s (DDNS_RUN_TIMEOUT=3); the next run continues")


def test_a_fault_of_the_program_is_an_object_with_its_traceback(small_machine: Machine) -> None:
    small_machine.init()
    done = finish(small_machine.start(*JSON, "status", program=("-c", BROKEN)))
    (line,) = objects(done.err)
    assert (done.status, done.out, line["level"]) == (1, "", "error")
    assert line["message"] == (r"ddns has a bug: ZeroDivisionError: no\x1b[31m way; report it with its traceback")
    assert line["traceback"].startswith("Traceback (most recent call last):\n")


def test_in_text_a_fault_is_its_traceback(small_machine: Machine) -> None:
    small_machine.init()
    done = finish(small_machine.start("status", program=("-c", BROKEN)))
    assert (done.status, done.out) == (1, "")
    begin, *_, last = done.err.splitlines()
    assert (begin, last) == ("Traceback (most recent call last):", r"ZeroDivisionError: no\x1b[31m way")


def test_a_run_of_a_watch_that_has_a_fault_is_an_object(small_machine: Machine) -> None:
    small_machine.init()
    process = small_machine.start(*JSON, "watch", program=("-c", BROKEN))
    assert process.stderr
    line = json.loads(process.stderr.readline())
    process.send_signal(signal.SIGTERM)
    assert finish(process).status == 0
    assert line["message"].startswith("ddns has a bug: ZeroDivisionError: ")
    assert line["traceback"]


@pytest.mark.parametrize("options", [(), JSON])
def test_faults_in_threads_and_destructors_are_shown_in_the_same_form(
    small_machine: Machine, options: tuple[str, ...]
) -> None:
    done = finish(small_machine.start(*options, "--version", program=("-c", LATER)))
    assert done.status == 0
    assert "\x1b" not in done.err
    found: Any = objects(done.err) if options else []
    if options:
        assert [each["level"] for each in found] == ["error", "error"]
        assert r"in later: ZeroDivisionError: in a thread\x1b[31m;" in found[0]["message"]
        assert r"ZeroDivisionError: in a destructor\x1b[31m;" in found[1]["message"]
        assert all("Traceback" in each["traceback"] for each in found)
    else:
        assert r"ZeroDivisionError: in a thread\x1b[31m" in done.err
        assert done.err.count("Traceback") == 2
