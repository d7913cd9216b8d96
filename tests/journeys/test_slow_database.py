"""A database that sends a byte at a time, or nothing: every command ends, and says what it waited for."""

import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any
from urllib.parse import urlsplit

import pytest

from ddns_updater.app import factories
from ddns_updater.app.database import database_limit
from ddns_updater.app.history import stream_history
from ddns_updater.errors import HistoryError
from ddns_updater.model import Window
from tests.support.aws import FakeAws
from tests.support.command import Finished, finish
from tests.support.database import Database, load_settings_with, replace_port
from tests.support.machine import Machine
from tests.support.proxy import Proxy
from tests.support.services import AddressService, hang
from tests.support.terminal import Terminal

SEEDED = "9.9.9.9"
COMMANDS = {  # by what they print last
    "status --json": ("status", "--json"),
    "history": ("history",),
    "history --at": ("history", "--at", "2026-01-01"),
    "init": ("init", "--name", "line"),
    "run": ("run",),
}


@pytest.fixture
def slow(mysql: Database, service: AddressService, aws: FakeAws, tmp_path: Any) -> Iterator[tuple[Machine, Proxy]]:
    """Give a seeded machine that reaches its database through a proxy, and a run may take 2 s."""
    with closing(Proxy(urlsplit(mysql.url).port or 0)) as proxy:
        machine = Machine(mysql, service, aws, tmp_path / "home", aws.zone())
        machine.init(SEEDED)
        machine.environment |= {
            "DDNS_DATABASE_URL": replace_port(mysql.url, proxy.port),
            "DDNS_RUN_TIMEOUT": "2",
        }
        yield machine, proxy


def waited(machine: Machine, seconds: int) -> str:
    where = urlsplit(machine.environment["DDNS_DATABASE_URL"])
    return f"the database at {where.hostname}:{where.port}{where.path} did not answer within {seconds} s"


def test_every_command_ends_when_the_database_sends_a_byte_at_a_time(slow: tuple[Machine, Proxy]) -> None:
    machine, proxy = slow
    proxy.drips = True
    started = {name: machine.start(*words) for name, words in COMMANDS.items()}
    doctor = machine.start("doctor", "--json")
    done = {name: finish(process, timeout=30) for name, process in started.items()}
    assert {name: each.status for name, each in done.items()} == dict.fromkeys(COMMANDS, 1)
    why = f"{waited(machine, 2)}; check it and the way to it"
    for name in ("history", "history --at", "init"):
        assert (done[name].out, done[name].err) == ("", f"error: {why}\n")
    assert why in done["status --json"].json["problems"]
    assert done["run"].err == "failed: stopped after 2 s (DDNS_RUN_TIMEOUT=2); the next run continues\n"
    checks = {each["name"]: each for each in finish(doctor, timeout=30).json["checks"]}
    assert checks["database"]["found"] == "did not finish within 2 s"


def test_a_command_ends_that_had_its_first_answers_in_time(slow: tuple[Machine, Proxy]) -> None:
    machine, proxy = slow
    proxy.fault = lambda sent: "drip" if b"GET_LOCK" in sent or b"v.createdAt" in sent else None
    init = machine.start("init", "--name", "line")
    settings = load_settings_with({"DDNS_DATABASE_URL": machine.environment["DDNS_DATABASE_URL"]})
    quick = settings._replace(run_timeout=1)  # a history may be long, so that it may take five times as long
    with pytest.raises(HistoryError, match=waited(machine, 5)):
        list(stream_history(quick, name="line", limit=10, window=Window()))
    done = finish(init, timeout=30)
    assert (done.status, done.out) == (1, "")
    assert done.err == f"error: {waited(machine, 2)}; check it and the way to it\n"


def test_the_limit_of_a_block_ends_it_whatever_the_database_sends(slow: tuple[Machine, Proxy]) -> None:
    machine, proxy = slow
    settings = load_settings_with({"DDNS_DATABASE_URL": machine.environment["DDNS_DATABASE_URL"]})
    proxy.on("admin_ip_history", "drip")
    with (
        pytest.raises(HistoryError) as raised,
        database_limit(settings, 0.5, "wait"),
        factories.open_history(settings, for_init=True) as history,
    ):
        history.origins()
    assert str(raised.value) == f"{waited(machine, 0.5)}; wait"  # type: ignore[arg-type]


INTERRUPTED = {
    "status": ("status",),
    "history": ("history", "--json"),
    "init": ("init", "--name", "line"),
    "doctor": ("doctor",),
    "run": ("run",),
}


def interrupted(machine: Machine, proxy: Proxy, *words: str) -> Finished:
    """Start a command, press Ctrl-C once it waits for the database, and return how it ended at once."""
    proxy.fired = False
    process = machine.start(*words, DDNS_RUN_TIMEOUT="60")
    wait_until_asked(proxy, process)
    process.send_signal(signal.SIGINT)
    begin = time.monotonic()
    done = finish(process)
    assert time.monotonic() - begin < 5
    return done


def wait_until_asked(proxy: Proxy, process: subprocess.Popen[Any]) -> None:
    end = time.monotonic() + 20
    while not proxy.fired:
        assert time.monotonic() < end
        assert process.poll() is None
        time.sleep(0.01)


@pytest.mark.parametrize("name", INTERRUPTED)
def test_ctrl_c_ends_a_command_at_once_with_one_line(slow: tuple[Machine, Proxy], name: str) -> None:
    machine, proxy = slow
    proxy.on("admin_ip_history", "hang")
    done = interrupted(machine, proxy, *INTERRUPTED[name])
    assert done.status == 1
    (line,) = done.err.splitlines()
    assert "stopped " in line
    if name in ("status", "history"):
        assert (done.out, line) == ("", "error: stopped by SIGINT")


def test_ctrl_c_ends_init_while_the_database_builds_an_index_and_init_goes_on_from_there(
    mysql: Database, service: AddressService, aws: FakeAws, tmp_path: Any
) -> None:
    machine = Machine(mysql, service, aws, tmp_path / "home", aws.zone())
    with closing(Proxy(urlsplit(mysql.url).port or 0)) as proxy:
        machine.environment["DDNS_DATABASE_URL"] = replace_port(mysql.url, proxy.port)
        proxy.on("CREATE UNIQUE INDEX", "hang")
        done = interrupted(machine, proxy, "init", "--name", "line")
        assert (done.status, done.out) == (1, "")
        assert done.err == "error: stopped by SIGINT; run init again: it goes on from there\n"
        done = machine.ddns("init", "--name", "line")
        assert (done.status, done.err) == (0, "")
        assert mysql.versions() == [(1, SEEDED)]


def test_ctrl_c_ends_a_command_that_waits_for_an_address_with_one_line(small_machine: Machine) -> None:
    small_machine.service.play = hang
    process = small_machine.start("init", "--name", "line", DDNS_IP_TIMEOUT="60")
    while not small_machine.service.requests:
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    done = finish(process, timeout=10)
    assert (done.status, done.out) == (1, "")
    assert done.err == "error: stopped by SIGINT; run init again: it goes on from there\n"


def test_ctrl_c_while_a_command_is_imported_is_that_line_too(small_machine: Machine) -> None:
    program = """
import signal, sys
from ddns_updater.cli.main import main
class Finder:
    def find_spec(self, name, *_):
        if name == "ddns_updater.app.demo":
            signal.raise_signal(signal.SIGINT)
sys.meta_path.insert(0, Finder())
main(["demo"])
"""
    done = finish(small_machine.start(program=("-c", program)))
    assert (done.status, done.out, done.err) == (1, "", "error: stopped by SIGINT\n")


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("status", "\nerror: stopped by SIGINT\n"),
        ("init", "\r   \rerror: stopped by SIGINT; run init again: it goes on from there\n"),
    ],
)
def test_on_a_terminal_that_line_does_not_stand_behind_the_ctrl_c(
    slow: tuple[Machine, Proxy], name: str, shown: str
) -> None:
    machine, proxy = slow
    proxy.on("admin_ip_history", "hang")
    with Terminal(machine, 80, name, DDNS_RUN_TIMEOUT="60", DDNS_NAME="line") as terminal:
        wait_until_asked(proxy, terminal.process)
        terminal.process.send_signal(signal.SIGINT)
        assert terminal.read().endswith(shown)
    assert terminal.process.returncode == 1
