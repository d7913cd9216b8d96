"""Advice on how to install an extra fits how this program was installed."""

import shlex
import sys
import tomllib
from pathlib import Path
from venv import EnvBuilder

import pytest

from ddns_updater.lib import installation
from ddns_updater.lib.installation import (
    DISTRIBUTION,
    install_advice,
    install_command,
    installed_from,
    is_installed,
    missing_extra,
)

PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]


@pytest.mark.parametrize(
    ("prefix", "command"),
    [
        ("/home/me/.local/share/pipx/venvs/ddns53", "pipx install --force '.[dns,interface]'"),
        ("/home/me/.local/pipx/venvs/ddns53", "pipx install --force '.[dns,interface]'"),
        ("/opt/pipx/venvs/ddns53", "pipx install --force '.[dns,interface]'"),
        ("/Users/me/Library/Application Support/pipx/venvs/ddns53", "pipx install --force '.[dns,interface]'"),
        ("/home/me/.local/share/uv/tools/ddns53", "uv tool install --reinstall '.[dns,interface]'"),
        ("/missing", "uv pip install --python /missing '.[dns]'"),
        ("/home/pipx/venvs", "uv pip install --python /home/pipx/venvs '.[dns]'"),
    ],
)
def test_the_place_of_the_environment_tells_what_made_it(prefix: str, command: str) -> None:
    assert install_command("dns", ["interface"], Path(prefix), None) == command


@pytest.mark.parametrize("name", ["venv", "my venv"])
def test_a_plain_environment_has_its_own_pip(tmp_path: Path, name: str) -> None:
    EnvBuilder(with_pip=False).create(tmp_path / name)
    pip = tmp_path / name / "bin" / "pip"
    pip.touch()
    command = install_command("dns", ["interface"], tmp_path / name, None)
    assert shlex.split(command) == [str(pip), "install", ".[dns]"]


def test_an_extra_is_named_once() -> None:
    prefix = Path("/opt/pipx/venvs/ddns53")
    assert install_command("dns", ["notify", "dns"], prefix, None) == "pipx install --force '.[dns,notify]'"
    assert install_command("dns", [], prefix, None) == "pipx install --force '.[dns]'"


def installed(monkeypatch: pytest.MonkeyPatch, folder: Path, direct_url: str | None) -> None:
    """Make the program an installed one, with what pip notes about where it came from."""
    info = folder / f"{DISTRIBUTION}-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.4\nName: {DISTRIBUTION}\nVersion: 0.1.0\n")
    if direct_url is not None:
        (info / "direct_url.json").write_text(direct_url)
    monkeypatch.syspath_prepend(folder)


@pytest.mark.parametrize(
    ("direct_url", "advice"),
    [
        ('{"dir_info": {}, "url": "file:///src/ddns"}', "in the checkout, run pipx install --force '.[EXTRAS]'"),
        (None, "run pipx install --force 'ddns53[EXTRAS]'"),
        (
            '{"archive_info": {}, "url": "file:///tmp/ddns53-0.1.0-py3-none-any.whl"}',
            "run pipx install --force 'ddns53[EXTRAS] @ file:///tmp/ddns53-0.1.0-py3-none-any.whl'",
        ),
        (
            '{"vcs_info": {"vcs": "git", "commit_id": "4f2a"}, "url": "https://git.example.com/ddns"}',
            "run pipx install --force 'ddns53[EXTRAS] @ git+https://git.example.com/ddns@4f2a'",
        ),
    ],
    ids=["a checkout", "a package index", "a file", "a repository"],
)
def test_the_advice_names_what_was_installed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, direct_url: str | None, advice: str
) -> None:
    installed(monkeypatch, tmp_path, direct_url)
    monkeypatch.setattr(sys, "prefix", "/opt/pipx/venvs/ddns53")
    assert install_advice("dns") == advice.replace("EXTRAS", "demo,dns,interface,metrics,notify,serve")


def test_without_an_installation_it_runs_in_a_checkout(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    assert installed_from() is None


def test_it_is_about_the_environment_that_this_program_runs_in(monkeypatch: pytest.MonkeyPatch) -> None:
    assert f" {shlex.quote(f'{sys.prefix}/bin/pip')} install " in install_advice("dns")
    monkeypatch.setattr(sys, "prefix", "/opt/pipx/venvs/ddns53")
    error = missing_extra("the demo", "demo")
    assert error.problem == "the demo needs the extra demo"
    assert error.advice == install_advice("demo")
    assert "pipx install --force" in error.advice


def test_an_extra_is_there_when_its_package_can_be_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    assert is_installed("dns")
    monkeypatch.setitem(sys.modules, "dns", None)
    assert not is_installed("dns")


def test_every_extra_for_operators_is_known() -> None:
    extras = PROJECT["optional-dependencies"]
    assert set(installation._PACKAGES) == set(extras) - {"all", "dev"}
    (whole,) = extras["all"]
    assert whole == f"{DISTRIBUTION}[{','.join(sorted(set(installation._PACKAGES) - {'demo'}))}]"


def test_the_distribution_is_the_one_of_the_project_and_the_package_keeps_its_name() -> None:
    assert PROJECT["name"] == DISTRIBUTION
    assert PROJECT["scripts"] == {"ddns": "ddns_updater.cli.main:main"}
