"""An address source that is a program: no shell, a time limit, and nothing of it left behind."""

import json
import os
import shlex
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from ddns_updater.errors import SourceError
from ddns_updater.lib.deadline import Deadline, time_limit
from ddns_updater.model import Family
from ddns_updater.run.detection import Detection
from ddns_updater.sources.command import CommandSource
from ddns_updater.sources.spec import CommandSpec
from tests.support.source_trial import Trial

NEW = "9.9.9.9"
BUSY = 3  # seconds; what a busy machine may need to start Python and end it again


def python(program: str, *arguments: str) -> str:
    """Return a source that runs `program`."""
    return "command:" + shlex.join([sys.executable, "-c", program, *arguments])


def refusal(trial: Trial, program: str, **changes: Any) -> str:
    return trial.refusal(python(program), name=f"command:{sys.executable}", **changes)


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def has_ended(pid_file: Path) -> bool:
    """Return whether the process whose ID is in a file ends soon."""
    pid = int(pid_file.read_text())
    end = time.monotonic() + BUSY
    while time.monotonic() < end:
        if not is_alive(pid):
            return True
        time.sleep(0.01)
    return False


@pytest.mark.parametrize("printed", [NEW, f"{NEW}\n", f"  {NEW}\r\n"])
def test_it_reads_what_the_program_prints(trial: Trial, printed: str) -> None:
    assert trial.address(python(f"import sys; sys.stdout.write({printed!r})")) == NEW


def test_it_splits_the_line_as_a_shell_does_and_is_none(trial: Trial, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    source = python(
        f"import pathlib, sys; pathlib.Path({str(kept)!r}).write_text(repr(sys.argv[1:])); print('{NEW}')",
        "two words",
        'a "quote"',
        "$HOME",
        "*",
        "; touch gone",
        "|",
        "",
        "a,b",
    )
    assert trial.address(f"{source} plain\\ word 'single' $(id)") == NEW
    words = ["two words", 'a "quote"', "$HOME", "*", "; touch gone", "|", "", "a,b", "plain word", "single", "$(id)"]
    assert kept.read_text() == repr(words)
    assert not Path("gone").exists()


def test_a_comma_parts_a_command_only_from_the_next_source(trial: Trial, tmp_path: Path) -> None:
    path = tmp_path / "ip"
    path.write_text("8.8.8.8")
    failing = python("import sys; sys.exit(len(sys.argv))", "a,b", "c, d", "e,f:g")
    assert str(trial.run(f"{failing}, file:{path}").address) == "8.8.8.8"
    reason = trial.run(failing).error or ""
    assert reason.endswith(" failed with exit status 4")


def test_it_reads_an_ipv6_address_for_an_ipv6_run(trial: Trial) -> None:
    assert trial.address("command:echo 2606:4700:4700::1111", Family.IPV6) == "2606:4700:4700::1111"


def test_the_real_command_shows_the_name_of_the_program_and_no_argument(trial: Trial, tmp_path: Path) -> None:
    script = tmp_path / "router"
    script.write_text(f'#!/bin/sh\n[ "$1" = --password=hunter2 ] && echo {NEW}\n')
    script.chmod(0o755)
    done = trial.machine.ddns("-v", "run", "--json", DDNS_IP_SOURCES=f"command:{script} --password=hunter2")
    family = done.json["results"][0]
    assert (done.status, family["address"], family["source"]) == (0, NEW, f"command:{script}")
    failed = trial.machine.ddns("-v", "run", "--json", DDNS_IP_SOURCES=f"command:{script} hunter2")
    assert (failed.status, failed.json["outcome"]) == (1, "failed")
    assert failed.err.endswith(f": command:{script} failed with exit status 1\n")
    assert "hunter2" not in done.out + done.err + failed.out + failed.err


@pytest.mark.parametrize("spec", ["router --password=hunter2 'open", 'router hunter2 "', "router hunter2 \\"])
def test_a_line_that_cannot_be_split_is_refused_and_not_shown(trial: Trial, spec: str) -> None:
    done = trial.machine.ddns("run", DDNS_IP_SOURCES=f"command:{spec}")
    assert (done.status, done.out, done.err.count("\n")) == (2, "", 1)
    assert done.err.startswith("error: DDNS_IP_SOURCES: 'command:")
    assert "quote" in done.err
    assert "hunter2" not in done.err


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("", "answered nothing, which is not one IP address"),
        ("print('garbage')", "answered 'garbage\\n', which is not one IP address"),
        ("import os; os.write(1, bytes(range(128, 140)))", f"answered '{'�' * 12}', which is not one IP address"),
        ("print('9.9.9.9\\n8.8.8.8')", "answered '9.9.9.9\\n8.8.8.8\\n', which is not one IP address"),
        ("print('10.0.0.1')", "answered 10.0.0.1, which is not a public address"),
        ("print('9.9.9.9'); raise SystemExit(3)", "failed with exit status 3"),
        ("print('9.9.9.9', flush=True); import os; os.abort()", "failed with exit status -6"),
        ("import sys; sys.exit('9.9.9.9')", "failed with exit status 1"),
        ("import sys; print(sys.stdin.read() or 'no input')", "answered 'no input\\n', which is not one IP address"),
        ("print('9.9.9.9' + ' ' * 200)", "printed more than an address"),
        ("while True: print('9.9.9.9')", "printed more than an address"),
    ],
)
def test_it_refuses_what_a_program_prints_or_how_it_ends(trial: Trial, program: str, reason: str) -> None:
    assert refusal(trial, program) == reason


def gives_up(command: str, reason: str, *, timeout: float = 60, share: float = 60) -> None:
    """Assert that a source of so many seconds gives this reason, in a run that has a share of so many for it."""
    source = CommandSource(CommandSpec(f"command:{command}"), timeout=timeout, environment=dict)
    detection = Detection([source], Family.IPV4, Deadline(share), time_limit)
    begin = time.monotonic()
    with pytest.raises(SourceError) as raised:
        detection.first()
    assert time.monotonic() - begin < min(timeout, share) + BUSY
    assert str(raised.value).endswith(f": command:{shlex.split(command)[0]} {reason}")


@pytest.mark.parametrize(
    "program",
    [
        "sleep 60",
        f"echo {NEW}; sleep 60",
        "trap '' TERM; sleep 60",
        "exec >&-; sleep 60",
        "while printf ' '; do sleep 0.1; done",
    ],
    ids=["sleeps", "prints and sleeps", "ignores SIGTERM", "closes its output", "drips"],
)
def test_it_ends_a_program_that_does_not_end_itself(tmp_path: Path, program: str) -> None:
    pid = tmp_path / "pid"
    source = shlex.join(["sh", "-c", f"echo $$ >{pid}; {program}"])
    gives_up(source, "did not end within 0.3 s", timeout=0.3)
    assert has_ended(pid)


def test_it_ends_the_children_of_a_program_that_keep_its_output_open(trial: Trial, tmp_path: Path) -> None:
    script, pid = tmp_path / "script", tmp_path / "pid"
    script.write_text(f"#!/bin/sh\nsleep 60 &\necho $! > {pid}\necho {NEW}\n")
    script.chmod(0o755)
    assert trial.refusal(f"command:{script}") == "did not end within 1 s"
    assert has_ended(pid)


def test_a_child_that_lets_the_output_go_does_not_hold_up_the_answer(trial: Trial, tmp_path: Path) -> None:
    script, pid = tmp_path / "script", tmp_path / "pid"
    script.write_text(f"#!/bin/sh\nsleep 60 >&- &\necho $! > {pid}\necho {NEW}\n")
    script.chmod(0o755)
    assert trial.address(f"command:{script}") == NEW
    assert has_ended(pid)


def test_a_child_that_runs_away_with_the_output_costs_no_more_than_a_share_of_the_run(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    source = shlex.join(["sh", "-c", f"setsid sh -c 'echo $$ >{pid}; sleep 60' & echo {NEW}"])
    try:
        gives_up(source, "did not finish within its 0.6 s", timeout=0.3, share=0.6)
    finally:
        with suppress(ProcessLookupError):
            os.kill(int(pid.read_text()), 9)


def test_the_limit_of_the_run_ends_a_program_too(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    source = shlex.join(["sh", "-c", f"echo $$ >{pid}; sleep 60"])
    gives_up(source, "did not finish within its 0.3 s", share=0.3)
    assert has_ended(pid)


def test_a_program_that_cannot_be_run_is_a_reason(trial: Trial, tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("not for any interpreter")
    source = f"command:{script}"
    assert trial.refusal(source) == "cannot be run: Permission denied"
    script.chmod(0o755)
    assert trial.refusal(source) == "cannot be run: Exec format error"
    script.write_text("#!/no/such/interpreter\n")
    assert trial.refusal(source) == "cannot be run: No such file or directory"
    assert trial.refusal("command:no-such-program-anywhere") == "cannot be run: No such file or directory"
    assert trial.refusal(f"command:{tmp_path}") == "cannot be run: Permission denied"
    reasons = ("cannot be run: No such file or directory", "cannot be run: Permission denied")
    assert trial.refusal("command:''", name="command:") in reasons


_SEES = """
import json, os
with open({file!r}, "a") as seen:
    seen.write(json.dumps(dict(os.environ)) + "\\n")
print("9.9.9.9")
"""


def test_the_program_gets_the_environment_we_were_started_with_and_no_secret_of_ours(
    trial: Trial, tmp_path: Path
) -> None:
    seen = tmp_path / "seen"
    env_file = trial.machine.folder / ".env"
    env_file.write_text("DDNS_WEBHOOK_URLS=http://127.0.0.1:9/hook\nAWS_PROFILE=other\nAWS_CA_BUNDLE=/nowhere\n")
    env_file.chmod(0o600)
    changes = {"DDNS_IP_SOURCES": python(_SEES.format(file=str(seen))), "OWN": "kept", "AWS_REGION": "eu-west-1"}
    watching = trial.machine.start("watch", "--every", "1", **changes, DDNS_RECHECK_EVERY="1")
    while not seen.exists() or seen.read_text().count("\n") < 3:
        assert watching.poll() is None
        time.sleep(0.05)
    watching.send_signal(signal.SIGTERM)
    watching.communicate(timeout=30)
    trial.machine.ddns("run", **changes)
    for each in map(json.loads, seen.read_text().splitlines()):
        assert (each["OWN"], each["AWS_REGION"]) == ("kept", "eu-west-1")
        assert not {"AWS_PROFILE", "AWS_CA_BUNDLE", "DDNS_WEBHOOK_URLS", "DDNS_DATABASE_URL", "DDNS_IP_SOURCES"} & set(
            each
        )
        assert "DDNS_RECORDS" in each
