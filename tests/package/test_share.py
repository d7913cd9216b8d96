"""The manual page and the completion that the package installs are those of the program, and programs read them."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import click

from ddns_updater.cli.main import main
from ddns_updater.settings.variables import VARIABLES
from tests.package.manual import FILES, commands
from tests.package.share import SHARE
from tests.support.machine import Machine

PAGE = SHARE / "man" / "man1" / "ddns.1"


def test_the_files_are_those_of_the_program() -> None:
    there = {str(path.relative_to(SHARE)): path.read_text() for path in SHARE.rglob("*") if path.is_file()}
    made = "import json; from tests.package.share import share; print(json.dumps(share()))"
    # in a process of its own: click keeps what earlier tests have asked its commands for
    done = subprocess.run([sys.executable, "-c", made], cwd=SHARE.parent, capture_output=True, text=True, check=True)
    assert there == json.loads(done.stdout), "run make format"


def test_the_manual_page_has_every_command_option_and_setting() -> None:
    page = PAGE.read_text().replace(r"\-", "-").replace(r"\:", "")
    sections = dict(re.findall(r'^\.SS "([^"]+)"\n(.*?)(?=^\.S)', page, re.MULTILINE | re.DOTALL))
    context = main.make_context("ddns", [], resilient_parsing=True)
    found = {below.command_path: command for command, below in commands(main, context)}
    assert list(sections) == list(found)
    assert {f"ddns {name}" for name in main.list_commands(context)} < set(found)
    for path, command in found.items():
        for param in command.params:
            if isinstance(param, click.Argument):
                assert re.match(rf"\\fB{path}\\fR .*\b{param.make_metavar(context)}\n", sections[path])
                continue
            assert all(re.search(rf"^\\fB.*{option}\b.*\\fR$", sections[path], re.MULTILINE) for option in param.opts)
        assert f"Example:\n\\&  {path}" in sections[path]
    settings = page.partition(".SH ENVIRONMENT\n")[2].partition(".SH ")[0]
    assert re.findall(r"^\\fB(DDNS_\w+)=.+\\fR$", settings, re.MULTILINE) == list(VARIABLES)


def test_the_manual_page_shows_what_roff_would_take_for_its_own() -> None:
    page = PAGE.read_text()
    requests = set(re.findall(r"^[.'](\w*)", page, re.MULTILINE))
    assert requests == {"TH", "nh", "ad", "SH", "SS", "PP", "TP", "RS", "RE", "nf", "fi", "BR"}
    assert page.isascii()
    assert "\\&.env\\fR" in page.replace("\\fB", "")


def test_the_files_of_the_manual_page_are_those_of_the_program(small_machine: Machine) -> None:
    settings, _, history, state = (Path(each.replace("~", str(small_machine.folder))) for each in FILES)
    small_machine.environment.pop("DDNS_DATABASE_URL")
    settings.parent.mkdir(parents=True, mode=0o700)
    settings.write_text("DDNS_TTL=120\n")
    settings.chmod(0o600)
    assert small_machine.ddns("init", "--name", "line").status == 0
    small_machine.run()
    assert history.is_file()
    assert len(list(state.parent.glob(state.name))) == 1
    assert small_machine.aws.record_sets(small_machine.zone_id)["home.example.com", "A"]["TTL"] == 120


if shutil.which("man") and shutil.which("troff"):

    def test_man_shows_the_page_without_a_warning() -> None:
        done = subprocess.run(
            ["man", "--warnings", "--local-file", str(PAGE)],
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "MANWIDTH": "80"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")
        shown = re.sub(r".\x08", "", done.stdout)
        assert "ddns - keep a DNS name in AWS Route 53" in shown
        assert "ddns init --name home  once" in shown  # as it was written
        assert "~/.config/ddns-updater/.env\n" in shown
        assert all(len(line) <= 80 for line in shown.splitlines())


if shutil.which("mandoc"):

    def test_mandoc_has_nothing_against_the_page_but_its_missing_date() -> None:
        command = ["mandoc", "-T", "lint", "-W", "warning", str(PAGE)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert [line.partition("WARNING: ")[2] for line in done.stdout.splitlines()] == ['missing date, using "": TH']
