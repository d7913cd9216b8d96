"""docs/two-lines.md is true: its settings do what it says."""

import re
from pathlib import Path
from typing import Any

import pytest

from ddns_updater.settings.settings import Settings
from tests.support.database import load_settings_with
from tests.support.machine import Machine

_PAGE = (Path(__file__).parents[2] / "docs" / "two-lines.md").read_text()

# Answers as the line of --interface does: with its address, or not at all.
_CURL = """#!/bin/sh
while [ "$1" != --interface ]; do shift; done
cat "$LINES_FOLDER/$2"
"""


def _blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", _PAGE, re.DOTALL | re.MULTILINE)


def _settings() -> list[dict[str, str]]:
    return [dict(re.findall(r"^(\w+)=(.*)$", block, re.MULTILINE)) for block in _blocks("ini")]


def test_its_settings_are_valid_and_their_sources_independent() -> None:
    loaded: list[Settings] = [load_settings_with(each) for each in _settings()]
    assert [each.name for each in loaded] == ["fiber", "mobile", "home"]
    for each in loaded:
        assert len({source.host for source in each.ip_sources}) == len(each.ip_sources) > 1


@pytest.fixture
def lines(machine: Machine) -> Path:
    """Give a folder with the address of each line that is up, and a curl that reads it."""
    folder = machine.folder / "lines"
    folder.mkdir()
    curl = machine.folder / "bin" / "curl"
    curl.parent.mkdir()
    curl.write_text(_CURL)
    curl.chmod(0o755)
    machine.environment |= {"LINES_FOLDER": str(folder), "PATH": f"{curl.parent}:/usr/bin:/bin"}
    return folder


def test_a_name_moves_to_the_line_that_is_up_and_back(machine: Machine, lines: Path) -> None:
    home: dict[str, Any] = {**_settings()[2], "DDNS_IP_AGREEMENT": "required"}
    (lines / "wwan0").write_text("8.8.4.4")
    (lines / "eth0").write_text("9.9.9.9")
    assert machine.ddns("init", **home).status == 0
    assert machine.run(**home)["outcome"] == "updated"
    (lines / "eth0").rename(lines / "down")
    assert machine.run(**home)["outcome"] == "updated"
    assert machine.aws.address(machine.zone_id) == "8.8.4.4"
    (lines / "down").rename(lines / "eth0")
    assert machine.run(**home)["outcome"] == "updated"
    assert machine.aws.address(machine.zone_id) == "9.9.9.9"
    assert [address for _, address in machine.database.versions()] == ["9.9.9.9", "8.8.4.4", "9.9.9.9"]


def test_each_line_has_its_name_and_fails_alone(machine: Machine, lines: Path) -> None:
    fiber, mobile = _settings()[:2]
    (lines / "eth0").write_text("9.9.9.9")
    (lines / "wwan0").write_text("8.8.4.4")
    for each in (fiber, mobile):
        assert machine.ddns("init", **each).status == 0
        assert machine.run(**each)["outcome"] == "updated"
    (lines / "eth0").unlink()
    assert machine.run(**fiber, DDNS_IP_RETRIES="0")["outcome"] == "failed"
    (lines / "wwan0").write_text("1.1.1.1")
    assert machine.run(**mobile)["outcome"] == "updated"
    held = {name: machine.aws.address(machine.zone_id, f"{name}.example.com") for name in ("fiber", "mobile")}
    assert held == {"fiber": "9.9.9.9", "mobile": "1.1.1.1"}


def test_its_statement_ends_a_claim(machine: Machine) -> None:
    machine.init()
    machine.run()
    machine.ddns("init", "--name", "second", "--ip", "8.8.4.4")
    machine.service.address = "8.8.4.4"
    assert machine.run("--name", "second")["outcome"] == "failed"
    (statement,) = _blocks("sql")
    machine.database.sql(statement)
    assert machine.run("--name", "second")["outcome"] == "updated"
    machine.service.address = "9.9.9.9"
    assert machine.run("--name", "line")["outcome"] == "failed"
    assert machine.aws.address(machine.zone_id) == "8.8.4.4"
