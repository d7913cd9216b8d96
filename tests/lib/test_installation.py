"""Advice on how to install an extra fits how this program was installed."""

import shlex
import sys
import tomllib
from pathlib import Path
from venv import EnvBuilder

import pytest

from ddns_updater.lib import installation
from ddns_updater.lib.installation import install_advice, install_command, is_installed, missing_extra


@pytest.mark.parametrize(
    ("prefix", "command"),
    [
        ("/home/me/.local/share/pipx/venvs/ddns-updater", "pipx install --force '.[dns,interface]'"),
        ("/home/me/.local/pipx/venvs/ddns-updater", "pipx install --force '.[dns,interface]'"),
        ("/opt/pipx/venvs/ddns-updater", "pipx install --force '.[dns,interface]'"),
        ("/Users/me/Library/Application Support/pipx/venvs/ddns-updater", "pipx install --force '.[dns,interface]'"),
        ("/home/me/.local/share/uv/tools/ddns-updater", "uv tool install --reinstall '.[dns,interface]'"),
        ("/missing", "uv pip install --python /missing '.[dns]'"),
        ("/home/pipx/venvs", "uv pip install --python /home/pipx/venvs '.[dns]'"),
    ],
)
def test_the_place_of_the_environment_tells_what_made_it(prefix: str, command: str) -> None:
    assert install_command("dns", ["interface"], Path(prefix)) == command


@pytest.mark.parametrize("name", ["venv", "my venv"])
def test_a_plain_environment_has_its_own_pip(tmp_path: Path, name: str) -> None:
    EnvBuilder(with_pip=False).create(tmp_path / name)
    pip = tmp_path / name / "bin" / "pip"
    pip.touch()
    command = install_command("dns", ["interface"], tmp_path / name)
    assert shlex.split(command) == [str(pip), "install", ".[dns]"]


def test_an_extra_is_named_once() -> None:
    prefix = Path("/opt/pipx/venvs/ddns-updater")
    assert install_command("dns", ["notify", "dns"], prefix) == "pipx install --force '.[dns,notify]'"
    assert install_command("dns", [], prefix) == "pipx install --force '.[dns]'"


def test_it_is_about_the_environment_that_this_program_runs_in(monkeypatch: pytest.MonkeyPatch) -> None:
    assert install_advice("dns").startswith(f"in the checkout, run {shlex.quote(f'{sys.prefix}/bin/pip')} install ")
    monkeypatch.setattr(sys, "prefix", "/opt/pipx/venvs/ddns-updater")
    error = missing_extra("the demo", "demo")
    assert error.problem == "the demo needs the extra demo"
    assert error.advice == "in the checkout, run pipx install --force '.[demo,dns,interface,metrics,notify]'"


def test_an_extra_is_there_when_its_package_can_be_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    assert is_installed("dns")
    monkeypatch.setitem(sys.modules, "dns", None)
    assert not is_installed("dns")


def test_every_extra_for_operators_is_known() -> None:
    with (Path(__file__).parents[2] / "pyproject.toml").open("rb") as file:
        extras = set(tomllib.load(file)["project"]["optional-dependencies"])
    assert set(installation._PACKAGES) == extras - {"all", "dev"}
