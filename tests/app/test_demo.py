"""`ddns demo`: the real program, as a person sees it in a terminal and in a file."""

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.cli.test_terminal import objects
from tests.support.machine import Machine
from tests.support.terminal import Terminal

COLOURS = re.compile(r"\x1b\[[\d;]*m")


def test_it_fits_a_terminal_in_colour_and_ends_with_the_status_and_the_chart(small_machine: Machine) -> None:
    with Terminal(small_machine, 80, "demo") as terminal:
        shown = terminal.read()
    assert terminal.process.returncode == 0, shown
    assert all(len(line) <= 80 for line in COLOURS.sub("", shown).splitlines())
    assert "\x1b[36m1. The line has 9.9.9.9." in shown
    text = COLOURS.sub("", shown)
    commands = re.findall(r"^   \$ ddns (.*)$", text, re.MULTILINE)
    assert commands[-2:] == ["status", "history --chart"]
    status, chart = (text.partition(f"$ ddns {command}\n")[2].splitlines() for command in commands[-2:])
    assert "   \x1b[32mall is well\x1b[0m\n" in shown
    assert status[:2] == ["   all is well", *[line for line in status if "demo-line, ipv4: 1.1.1.1, version 3" in line]]
    bars = [line for line in chart if re.search("[█▌▐]", line)]
    assert [line.split()[0] for line in bars] == ["1.1.1.1", "149.112.112.112", "9.9.9.9"]
    assert "|" in chart[len(bars) + 1]


def test_it_shows_the_alerts_that_its_webhook_gets_and_leaves_nothing_behind(small_machine: Machine) -> None:
    """In a file, without colours, in an encoding without blocks, behind a proxy that is not there."""
    temporary = small_machine.folder / "temporary"
    temporary.mkdir()
    environment = {"HOME": str(small_machine.folder), "TMPDIR": str(temporary), "PYTHONIOENCODING": "latin-1"}
    done = subprocess.run(
        [sys.executable, "-m", "ddns_updater", "-v", "--log-format", "json", "demo"],
        env=environment | {"HTTP_PROXY": "http://127.0.0.1:9", "http_proxy": "http://127.0.0.1:9"},
        cwd=small_machine.folder,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert {each["level"] for each in objects(done.stderr.decode())} == {"info"}  # the log
    text = done.stdout.decode("ascii")
    assert "\x1b" not in text
    assert all(len(line.replace(str(temporary), "/tmp")) <= 80 for line in text.splitlines())
    third = text.partition("\n3. ")[2].partition("\n4. ")[0]
    assert third.index("   alert: demo-line: address changed to 149.112.112.112\n") < third.index("   updated: ")
    assert text.count("   alert: ") == 2
    assert re.search(r"^   9\.9\.9\.9 +#+ +\d+ s$", text, re.MULTILINE)
    assert [Path(folder) / name for folder, _, names in os.walk(small_machine.folder) for name in names] == []
