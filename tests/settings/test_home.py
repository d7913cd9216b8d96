"""The per-user folder: whose home it is in, and what happens when the environment tells of none."""

import os
import pwd
from pathlib import Path

import pytest

from ddns_updater.settings.home import user_folder
from ddns_updater.settings.load import read_settings
from tests.support.database import load_settings_with
from tests.support.machine import Machine

NOBODY = 65534
PLACES = {"DDNS_DATABASE_URL": None, "DDNS_STATE_FOLDER": None}  # so that both are in the per-user folder
COMMANDS = (["init", "--name", "line", "--ip", "9.9.9.9"], ["run"], ["run", "--quiet"], ["status"], ["history"])
# A process of a user that the user database does not know.
UNKNOWN_USER = """
import pwd, runpy
def unknown(_): raise KeyError
pwd.getpwuid = unknown
runpy.run_module("ddns_updater", run_name="__main__")
"""


def everything(folder: Path) -> dict[Path, tuple[int, int]]:
    """Return each file and folder with its owner and mode."""
    return {path: (path.lstat().st_uid, path.lstat().st_mode) for path in folder.rglob("*")}


# Where it is


def test_it_is_in_the_home_folder_or_where_xdg_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert user_folder().path == Path.home() / ".config" / "ddns-updater"
    monkeypatch.setenv("XDG_CONFIG_HOME", "")  # counts as unset
    assert user_folder().path == Path.home() / ".config" / "ddns-updater"
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    assert user_folder().path == tmp_path / "config" / "ddns-updater"
    monkeypatch.setenv("HOME", "")
    assert user_folder() == (tmp_path / "config" / "ddns-updater", None, None)


@pytest.mark.parametrize("home", [None, ""])
def test_without_home_it_is_where_the_user_database_says(home: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOME")
    if home is not None:
        monkeypatch.setenv("HOME", home)
    loaded = read_settings()
    path = Path(pwd.getpwuid(os.getuid()).pw_dir) / ".config" / "ddns-updater"
    assert loaded.valid().state_folder == path
    assert f"HOME is not set, so the per-user folder is {path}; set HOME if it should be another" in map(
        str, loaded.notes
    )
    assert Path("~/x").expanduser() == Path(pwd.getpwuid(os.getuid()).pw_dir) / "x"  # to the SDK too


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
@pytest.mark.parametrize(
    ("variable", "value"),
    [("XDG_CONFIG_HOME", "config"), ("XDG_CONFIG_HOME", "~/.config"), ("XDG_CONFIG_HOME", "."), ("HOME", "home")],
)
def test_a_relative_folder_is_refused_in_one_line_and_nothing_is_written(
    small_machine: Machine, command: list[str], variable: str, value: str
) -> None:
    before = everything(small_machine.folder)
    done = small_machine.ddns(*command, **PLACES, **{variable: value})
    assert (done.status, done.out) == (2, "")
    assert done.err == f"error: {variable}={value!r} is not a full path; set it to one, or remove it\n"
    assert everything(small_machine.folder) == before


@pytest.mark.parametrize("home", [None, ""])
@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_without_a_home_folder_no_folder_is_made_for_it(
    small_machine: Machine, command: list[str], home: str | None
) -> None:
    before = everything(small_machine.folder)
    done = small_machine.start(*command, program=("-c", UNKNOWN_USER), HOME=home, **PLACES)
    out, err = done.communicate(timeout=60)
    assert (done.returncode, out) == (2, "")
    assert err == (
        "error: HOME is not set, so there is no folder for the settings, the database and the state of the runs;"
        " set HOME to the home folder of the user who runs ddns\n"
    )
    assert everything(small_machine.folder) == before


def test_no_home_folder_is_needed_where_each_place_is_set(small_machine: Machine, tmp_path: Path) -> None:
    small_machine.init()
    done = small_machine.start(
        "run", program=("-c", UNKNOWN_USER), HOME=None, DDNS_STATE_FOLDER=str(tmp_path / "state")
    )
    out, err = done.communicate(timeout=60)
    assert (done.returncode, out.partition(":")[0], err) == (0, "updated", "")
    assert everything(small_machine.folder) == {}
    assert small_machine.ddns("status", XDG_CONFIG_HOME="x", DDNS_STATE_FOLDER=str(tmp_path / "state")).status == 0


def test_doctor_goes_on_with_what_needs_no_home_folder(small_machine: Machine) -> None:
    checks = small_machine.ddns("doctor", "--json", XDG_CONFIG_HOME="config").json["checks"]
    states = {each["name"]: each["state"] for each in checks}
    assert states["settings"] == "failed"
    assert states[small_machine.service.url] == "ok"
    assert states["last run"] == "skipped"
    assert everything(small_machine.folder) == {}


# Whose it is


@pytest.fixture
def home_of_another(small_machine: Machine, monkeypatch: pytest.MonkeyPatch) -> str:
    """Have this process be root in the home folder of another user, whose name is given."""
    if os.geteuid() == 0:
        os.chown(small_machine.folder, NOBODY, NOBODY)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: 0)
    return pwd.getpwuid(small_machine.folder.stat().st_uid).pw_name


def test_root_leaves_nothing_in_the_home_folder_of_another_user_and_says_how_to_run_it(
    small_machine: Machine, home_of_another: str
) -> None:
    before = everything(small_machine.folder.parent)
    for command in COMMANDS:
        done = small_machine.ddns(*command, DDNS_DATABASE_URL=None)
        assert (done.status, done.out) == (1, "") or command == ["status"], command
        said = [each for each in (done.out + done.err).splitlines() if "cannot use" in each]
        assert said
        assert all(f"belongs to {home_of_another}; run ddns as that user: sudo -u " in each for each in said), said
        assert everything(small_machine.folder.parent) == before


def test_root_at_home_is_told_nothing(small_machine: Machine) -> None:
    for command in COMMANDS:
        done = small_machine.ddns(*command, DDNS_DATABASE_URL=None, DDNS_RECORDS=None)
        assert (done.status, done.err) == (0, ""), command


def test_the_settings_of_another_are_refused_with_that_advice_alone(
    small_machine: Machine, home_of_another: str
) -> None:
    env = small_machine.folder / ".config" / "ddns-updater" / ".env"
    env.parent.mkdir(parents=True)
    env.write_text("DDNS_TTL=60\n")
    env.chmod(0o600)
    if os.getuid() == 0:
        os.chown(env, NOBODY, NOBODY)
    done = small_machine.ddns("run")
    assert (done.status, done.out) == (2, "")
    assert done.err == (
        f"error: cannot use {env}: it belongs to {home_of_another};"
        f" run ddns as that user: sudo -u {home_of_another} -H ddns …\n"
    )


@pytest.mark.parametrize(("given", "kept"), [({}, None), ({"DDNS_STATE_FOLDER": "/var/lib/ddns"}, "/var/lib/ddns")])
def test_the_state_is_in_a_dynamodb_table_unless_a_folder_is_set(given: dict[str, str], kept: str | None) -> None:
    settings = load_settings_with({"HOME": "/dev/null", "DDNS_DATABASE_URL": "dynamodb://ddns"} | given)
    assert settings.state_folder == (kept and Path(kept))
