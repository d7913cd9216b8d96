"""The shells complete `ddns` with the files that the package installs, quickly and without a look at anything."""

import os
import pty
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli.test_main import COMMANDS, OF_HOST
from tests.journeys.test_quiet_path import Imported
from tests.package.share import SHARE
from tests.support.command import finish
from tests.support.machine import Machine

_RUN = "import sys; sys.argv[0] = 'ddns'; from ddns_updater.cli.main import main; main()"
_LISTED = f"import atexit, sys; atexit.register(lambda: print(*sys.modules, file=sys.stderr)); {_RUN}"

# What is typed, and the words that fit.
CASES = {
    "ddns ": COMMANDS,
    "ddns st": ("status",),
    "ddns run --dr": ("--dry-run",),
    "ddns history --s": ("--since", "--summary"),
    "ddns demo --h": ("--help",),
    "ddns host ": OF_HOST,
    "ddns host add --fo": ("--for",),
    "ddns host add --for m": ("mikrotik",),
    "ddns --log-format ": ("text", "json"),
    "ddns xyz": (),
}


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Give an environment in which `ddns` is found, and its settings cannot be read."""
    program = tmp_path / "bin" / "ddns"
    program.parent.mkdir()
    program.write_text(f"#!{sys.executable}\n{_RUN}\n")
    program.chmod(0o755)
    return {
        "PATH": f"{program.parent}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "TERM": "dumb",
        "DDNS_TTL": "nonsense",
        "DDNS_DATABASE_URL": "nonsense",
    }


def output(environment: dict[str, str], *command: str) -> str:
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout


def completed(machine: Machine, typed: str) -> Imported:
    """Complete in a process of its own, as the scripts of the shells do; return what it printed and imported."""
    typing = {"_DDNS_COMPLETE": "bash_complete", "COMP_WORDS": typed, "COMP_CWORD": str(typed.count(" "))}
    done = finish(machine.start(program=("-c", _LISTED), **typing))
    assert done.status == 0
    return Imported(done.out, set(done.err.split()))


@pytest.mark.parametrize(
    "typed",
    ["ddns ", "ddns run --", "ddns history --s", "ddns demo --", "ddns doctor --", "ddns host ", "ddns host add --"],
)
def test_completion_imports_no_library_but_click_and_opens_nothing(small_machine: Machine, typed: str) -> None:
    small_machine.environment["DDNS_TTL"] = "nonsense"  # no setting is read
    before = small_machine.service.requests
    done = completed(small_machine, typed)
    assert done.out.startswith("plain,")
    assert done.others == {"click"}
    assert not done.ours & {"history.sqlite", "history.mysql", "sources.http", "lib.aws"}
    assert small_machine.service.requests == before
    assert not list(small_machine.folder.glob(".config/ddns-updater/*"))


def test_no_command_is_imported_to_complete_its_name(small_machine: Machine) -> None:
    done = completed(small_machine, "ddns ")
    assert tuple(line.removeprefix("plain,") for line in done.out.splitlines()) == COMMANDS
    assert not {f"cli.{each.replace('-', '_')}" for each in COMMANDS} & done.ours


if shutil.which("bash"):

    @pytest.mark.parametrize("typed", CASES)
    def test_bash_completes(environment: dict[str, str], typed: str) -> None:
        words = " ".join(f"'{word}'" for word in typed.split(" "))
        script = f"""
            . {SHARE}/bash-completion/completions/ddns
            complete -p ddns >&2 || exit 1
            COMP_WORDS=({words}) COMP_CWORD={typed.count(" ")}
            _ddns_completion ddns
            printf '%s\\n' "${{COMPREPLY[@]}}"
        """
        assert tuple(output(environment, "bash", "--norc", "-c", script).split()) == CASES[typed]


if shutil.which("fish"):

    @pytest.mark.parametrize("typed", CASES)
    def test_fish_completes(environment: dict[str, str], typed: str) -> None:
        folder = SHARE / "fish" / "vendor_completions.d"
        script = f"set -p fish_complete_path {folder}; complete -C '{typed}'"
        lines = output(environment, "fish", "--no-config", "-c", script).splitlines()
        assert sorted(line.partition("\t")[0] for line in lines) == sorted(CASES[typed])

    def test_fish_shows_a_summary_to_its_end(environment: dict[str, str]) -> None:
        script = f"set -p fish_complete_path {SHARE}/fish/vendor_completions.d; complete -C 'ddns st'"
        shown = output(environment, "fish", "--no-config", "-c", script)
        assert shown == "status\tShow the address, records and last run\n"


if shutil.which("zsh"):

    def test_zsh_completes_again_and_again(environment: dict[str, str], tmp_path: Path) -> None:
        setup = (
            f"fpath=({SHARE}/zsh/site-functions $fpath); autoload -U compinit; compinit -u -d {tmp_path}/dump;"
            " PS1='%# '; print ready-$((1 + 1))\n"
        )
        pid, shell = pty.fork()
        if pid == 0:
            os.execvpe("zsh", ["zsh", "-f", "-i"], environment)
        try:
            _type(shell, setup, "ready-2")
            for typed, added in (("ddns stat", "us "), ("ddns run --dr", "y-run "), ("ddns init --no", "te ")):
                _type(shell, f"\x15{typed}", typed)
                _type(shell, "\t", added)
        finally:
            os.close(shell)  # hangs it up
            os.waitpid(pid, 0)


def _type(shell: int, keys: str, wanted: str) -> None:
    """Type into a terminal and wait until it shows what is wanted."""
    os.write(shell, keys.encode())
    shown, end = "", time.monotonic() + 30
    while wanted not in shown:
        ready, _, _ = select.select([shell], [], [], max(0, end - time.monotonic()))
        assert ready, shown
        shown += os.read(shell, 4096).decode(errors="replace")
