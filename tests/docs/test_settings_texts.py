"""What is written about the settings is true: each exists, is explained, and its examples have their form."""

import re
import shlex
import stat
import subprocess
import tomllib
from pathlib import Path

import pytest

from ddns_updater.model import Agreement, Family, OnDrift
from ddns_updater.settings.load import read_settings
from ddns_updater.settings.variables import SETTINGS, VARIABLES, default_settings
from ddns_updater.sources.spec import parse_source
from tests.app.test_iam_policy import SETTINGS as POLICIES
from tests.app.test_iam_policy import actions, policy_of
from tests.docs.env_example import env_example
from tests.docs.pages import OTHERS, PAGES, blocks, text_of
from tests.docs.settings_page import DEFAULTS, settings_page
from tests.support.database import load_settings_with
from tests.support.machine import Machine

_TOP = Path(__file__).parents[2]
_EXAMPLE = (_TOP / ".env.example").read_text()


def test_the_make_targets_that_are_named_exist() -> None:
    targets = set(re.findall(r"^(\w+):", (_TOP / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"`make (\w+)`", text_of("CONTRIBUTING.md")))
    assert named == targets - {"clean", "server"}


def test_the_settings_steps_of_the_page_work(small_machine: Machine) -> None:
    (steps,) = [
        each.text for each in blocks(text_of("docs/deploy.md")) if ".config/ddns-updater/.env\nchmod" in each.text
    ]
    subprocess.run(
        ["sh", "-ec", steps], cwd=_TOP, env={"HOME": str(small_machine.folder), "PATH": "/usr/bin:/bin"}, check=True
    )
    copied = small_machine.folder / ".config" / "ddns-updater" / ".env"
    assert stat.S_IMODE(copied.stat().st_mode) == 0o600
    copied.write_text(copied.read_text().replace("#DDNS_RECORDS=", "DDNS_RECORDS="))  # as the page says
    small_machine.environment.pop("DDNS_RECORDS")
    small_machine.init()
    assert small_machine.run()["results"][0]["records"][0]["name"] == "home.example.com"


def test_the_example_settings_are_those_of_the_table() -> None:
    assert env_example() == _EXAMPLE, "run make format"


def test_the_page_of_the_settings_is_made_from_the_table() -> None:
    assert settings_page() == text_of("docs/settings.md"), "run make format"


def test_the_example_settings_hold_every_variable_once_in_order_with_a_sentence() -> None:
    named = re.findall(r"^#(DDNS_\w+)=.", _EXAMPLE, re.MULTILINE)
    assert named == list(VARIABLES)
    paragraphs = _EXAMPLE.split("\n\n")[1:]
    assert all(re.match("# [A-Z0-9]", paragraph) for paragraph in paragraphs)
    assert all(len(line) <= 120 for line in _EXAMPLE.splitlines())


def test_the_example_settings_change_nothing_before_they_are_edited(tmp_path: Path) -> None:
    file = tmp_path / "example"
    file.write_text(_EXAMPLE)
    assert read_settings(file).valid() == default_settings()


def test_every_example_of_a_setting_is_valid_and_a_default_is_the_default() -> None:
    shown = dict(re.findall(r"^#(DDNS_\w+)=(.+)$", _EXAMPLE, re.MULTILINE))
    shown["DDNS_DATABASE_URL"] = shown["DDNS_DATABASE_URL"].partition("?")[0]  # no such certificate is here
    for setting in SETTINGS:
        loaded = load_settings_with({setting.variable: shown[setting.variable]})
        has_default = isinstance(setting.default, str) or setting.variable in DEFAULTS
        assert (loaded == default_settings()) is has_default, setting.variable


def _words(text: str) -> list[str]:
    """Return what stands between backquotes or alone at the begin of a commented line, taken apart at commas."""
    found = re.findall(r"`([^`\n]+)`", text) + re.findall(r"^#   (\S.*?)(?:  .*)?$", text, re.MULTILINE)
    return [word for each in found for word in each.split(", ")]


@pytest.mark.parametrize("text", [text_of("docs/sources.md"), _EXAMPLE], ids=["docs/sources.md", ".env.example"])
def test_every_address_source_that_is_shown_is_one_and_every_kind_is_shown(text: str) -> None:
    kinds = ("https", "dns", "interface", "ec2", "imds", "file", "command")
    shown = [word for word in _words(text) if word.startswith(tuple(f"{kind}:" for kind in kinds))]
    bare = [word for word in shown if word.endswith(":") and word != "imds:"]  # the kind itself is meant
    examples = [word for word in shown if word not in bare and word != "ec2:DescribeInstances"]
    assert {word.partition(":")[0] for word in examples} == set(kinds)
    assert any("#/" in word for word in examples)
    for example in examples:
        assert load_settings_with({"DDNS_IP_SOURCES": example}).ip_sources == (parse_source(example),)


def test_every_form_of_a_record_that_is_shown_is_one() -> None:
    table = text_of("docs/records.md").partition("| record | means |")[2].partition("\n\n")[0]
    forms = [word for word in _words(table) if word.startswith("home.example.com")]
    assert len(forms) == 4
    for form in forms:
        (record,) = load_settings_with({"DDNS_RECORDS": form, "DDNS_IP_FAMILIES": "ipv4,ipv6"}).records
        assert record.name == "home.example.com"
    assert record.zone_id == "Z0123456789ABCDEFGHIJ"


@pytest.mark.parametrize("page", [*PAGES, *OTHERS, ".env.example"])
def test_every_variable_and_extra_that_is_named_exists(page: str) -> None:
    text = text_of(page)
    assert set(re.findall(r"\bDDNS_\w+", text)) <= {*VARIABLES, "DDNS_TEST_MYSQL_URL", "DDNS_INSTANCES"}
    extras = _extras()
    named = re.findall(r"ddns-updater\[([\w,]+)\]", text) + re.findall(r"\bextra(?:\]\([^)]*\))? `?(\w+)", text)
    assert {extra for each in named for extra in each.split(",")} <= extras


def _extras() -> set[str]:
    with (_TOP / "pyproject.toml").open("rb") as file:
        return set(tomllib.load(file)["project"]["optional-dependencies"])


def test_every_extra_is_in_the_table() -> None:
    table = text_of("docs/deploy.md").partition("| extra | for |")[2].partition("\n\n")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == _extras() - {"all", "dev"}


def test_every_value_of_a_choice_is_explained() -> None:
    (agreement,) = [each for each in _EXAMPLE.split("\n\n") if "#DDNS_IP_AGREEMENT=" in each]
    (drift,) = [each for each in _EXAMPLE.split("\n\n") if "#DDNS_ON_DRIFT=" in each]
    (families,) = [each for each in _EXAMPLE.split("\n\n") if "#DDNS_IP_FAMILIES=" in each]
    for text, words in ((agreement, Agreement), (drift, OnDrift), (families, Family)):
        assert all(re.search(rf"\b{word}\b", text.rpartition("\n#")[0]) for word in words)


def test_every_action_that_a_policy_may_hold_is_explained_and_no_other() -> None:
    step = text_of("README.md").partition("### Permissions in AWS")[2].partition("###")[0]
    explained = set(re.findall(r"`((?:route53|ec2):[A-Z]\w+)`", step))
    allowed = {action for each in POLICIES.values() for action in actions(policy_of(**each))}
    assert explained == {each for each in allowed if each.startswith(("route53:", "ec2:"))}
    named = {"route53": "Route 53", "ec2": "ec2:", "dynamodb": "DynamoDB", "ssm": "SSM"}
    assert all(named[each.partition(":")[0]] in text_of("README.md") for each in allowed)


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


@pytest.mark.parametrize("word", ["unchanged", "updated", "pending", "skipped", "off", "held", "failed"])
def test_the_outcomes_are_explained(word: str) -> None:
    assert f"| `{word}` |" in text_of("README.md")
