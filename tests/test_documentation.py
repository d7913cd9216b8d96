"""The documentation is true: its commands run, its settings exist, its policy is AWS's form."""

import json
import re
import shlex
import stat
import subprocess
from pathlib import Path

import pytest

from ddns_updater.settings import VARIABLES, Settings, load_settings
from tests.conftest import Machine, load_settings_with

_TOP = Path(__file__).parents[1]
_README = (_TOP / "README.md").read_text()
_EXAMPLE = (_TOP / ".env.example").read_text()


def _blocks(language: str) -> list[str]:
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", _README, re.DOTALL | re.MULTILINE)
    return [text for marked, text in blocks if marked == language]


def test_every_command_of_the_readme_runs(small_machine: Machine) -> None:
    commands = [
        shlex.split(line, comments=True)[1:]
        for block in _blocks("")
        for line in block.splitlines()
        if line.startswith("ddns ")
    ]
    assert ["run", "--dry-run"] in commands
    for command in commands:
        done = small_machine.ddns(*command)
        assert done.status == 0, (command, done.err)


def test_the_make_targets_of_the_readme_exist() -> None:
    targets = set(re.findall(r"^(\w+):", (_TOP / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"make (demo|test|check|bench)", _README))
    assert named == {"demo", "test", "check", "bench"}
    assert named <= targets


def test_the_settings_steps_of_the_readme_work(small_machine: Machine) -> None:
    (steps,) = [block for block in _blocks("") if ".env.example" in block]
    subprocess.run(
        ["sh", "-ec", steps], cwd=_TOP, env={"HOME": str(small_machine.folder), "PATH": "/usr/bin:/bin"}, check=True
    )
    copied = small_machine.folder / ".config" / "ddns-updater" / ".env"
    assert stat.S_IMODE(copied.stat().st_mode) == 0o600
    small_machine.environment.pop("DDNS_RECORDS")
    done = small_machine.ddns("init", "--ip", "9.9.9.9")
    assert done.out.endswith("created origin ddokso-scrap: version 1 is 9.9.9.9\n"), done.err
    assert small_machine.run()["results"][0]["records"][0]["name"] == "home.example.com"


def test_the_example_settings_hold_every_variable_with_a_sentence() -> None:
    named = re.findall(r"^#?(DDNS_\w+)=(.+)$", _EXAMPLE, re.MULTILINE)
    assert {name for name, _ in named} == set(VARIABLES)
    paragraphs = _EXAMPLE.split("\n\n")[1:]
    assert all(paragraph.startswith("# ") for paragraph in paragraphs)
    for name in VARIABLES:
        assert name in _README or name in _EXAMPLE


def test_the_example_settings_load_and_their_comments_show_the_defaults(tmp_path: Path) -> None:
    file = tmp_path / "example"
    file.write_text(_EXAMPLE)
    loaded = load_settings(file)
    assert (loaded.name, loaded.records) == ("ddokso-scrap", ("home.example.com",))
    shown = dict(re.findall(r"^#(DDNS_\w+)=(.+)$", _EXAMPLE, re.MULTILINE))
    for name in ("DDNS_DATABASE_URL", "DDNS_DATABASE_URL_FILE", "DDNS_HOSTED_ZONE_ID", "DDNS_TTL"):
        shown.pop(name)  # these have no value by default
    assert load_settings_with(shown) == Settings()


def test_the_policy_of_the_readme_has_the_form_that_aws_documents() -> None:
    (policy,) = [json.loads(block) for block in _blocks("json")]
    statement = policy["Statement"][0]
    keys = statement["Condition"]["ForAllValues:StringEquals"]
    assert set(keys) == {
        "route53:ChangeResourceRecordSetsNormalizedRecordNames",
        "route53:ChangeResourceRecordSetsRecordTypes",
        "route53:ChangeResourceRecordSetsActions",
    }
    actions = set(re.findall(r"route53:[A-Z]\w+", json.dumps([each["Action"] for each in policy["Statement"]])))
    assert actions == {
        "route53:ChangeResourceRecordSets",
        "route53:GetHostedZone",
        "route53:ListResourceRecordSets",
        "route53:GetChange",
        "route53:ListHostedZones",
    }


def test_the_run_needs_no_permission_that_the_policy_lacks(small_machine: Machine) -> None:
    small_machine.init()
    small_machine.run()
    small_machine.service.address = "1.1.1.1"
    small_machine.run(DDNS_HOSTED_ZONE_ID=small_machine.zone_id)
    asked = {f"route53:{call}" for call in small_machine.aws.calls}
    assert asked <= set(re.findall(r"route53:\w+", _README))
    assert asked >= {"route53:GetChange", "route53:GetHostedZone", "route53:ListHostedZones"}


def test_the_crontab_example_is_a_crontab(small_machine: Machine) -> None:
    (line,) = [line for line in (_TOP / "crontab.example").read_text().splitlines() if line and line[0] != "#"]
    minute, hour, day, month, weekday, command = line.split(maxsplit=5)
    assert (minute, hour, day, month, weekday) == ("*", "*", "*", "*", "*")
    program, *arguments = shlex.split(command)
    assert program.startswith("/home/")
    small_machine.init()
    first = small_machine.ddns(*arguments)
    assert first.out.startswith("updated: ")
    assert (small_machine.ddns(*arguments).out, first.err) == ("", "")


@pytest.mark.parametrize("word", ["unchanged", "updated", "pending", "skipped", "failed"])
def test_the_outcomes_are_explained(word: str) -> None:
    assert f"| `{word}` |" in _README
