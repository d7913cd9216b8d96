"""Settings that were lost, or that depend on where a command is started: it is said, and nothing is made in silence."""

from pathlib import Path
from urllib.parse import quote

import pytest

from tests.support.machine import Machine

COMMANDS = (["init"], ["run"], ["run", "--quiet"], ["status"], ["history"], ["iam-policy"])


@pytest.fixture
def bare(small_machine: Machine) -> Machine:
    """Give a machine without any setting."""
    small_machine.environment = {
        key: value for key, value in small_machine.environment.items() if not key.startswith("DDNS_")
    }
    return small_machine


def files(folder: Path) -> set[Path]:
    return set(folder.rglob("*"))


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_without_any_setting_each_command_says_so_and_where_it_looked(bare: Machine, command: list[str]) -> None:
    before = files(bare.folder)
    done = bare.ddns(*command)
    assert done.err.splitlines()[0] == (
        "warning: no settings were found, so each has its default: the environment sets none,"
        f" {bare.folder}/.env does not exist, {bare.folder}/.config/ddns-updater/.env does not exist;"
        " write them into one of these files, or name another one with --env-file"
    )
    assert len(done.err.splitlines()) == (1 if command == ["status"] else 2)  # and what went wrong
    assert done.status
    assert {path.name.partition("-")[0] for path in files(bare.folder) - before} <= {".config", "ddns", "runs", ".runs"}
    assert not (bare.folder / ".config" / "ddns-updater" / "ddns.sqlite3").exists()


def test_a_file_that_sets_nothing_is_as_good_as_lost(bare: Machine, tmp_path: Path) -> None:
    empty = tmp_path / "settings"
    empty.write_text("#DDNS_RECORDS=home.example.com\nAWS_PROFILE=ddns\n")
    (line,) = bare.ddns("--env-file", str(empty), "status").err.splitlines()
    assert f"the environment sets none, {empty} sets none; " in line
    (bare.folder / ".env").write_text("AWS_PROFILE=ddns\n")
    assert f"{bare.folder}/.env sets none, {bare.folder}/.config/" in bare.ddns("status").err
    (bare.folder / ".env").write_text("DDNS_TTL=60\n")
    (bare.folder / ".env").chmod(0o666)
    assert f"{bare.folder}/.env is ignored, {bare.folder}/.config/" in bare.ddns("status").err


@pytest.mark.parametrize("variable", ["DDNS_NAME", "DDNS_TTL", "DDNS_DATABASE_URL_FILE"])
def test_one_setting_is_enough_to_say_nothing(bare: Machine, tmp_path: Path, variable: str) -> None:
    value = {"DDNS_NAME": "line", "DDNS_TTL": "60"}.get(variable, str(tmp_path / "url"))
    (tmp_path / "url").write_text(bare.database.url)
    assert "no settings were found" not in bare.ddns("status", **{variable: value}).err


def test_init_without_settings_says_where_the_database_lies(bare: Machine) -> None:
    done = bare.ddns("init", "--name", "line", "--ip", "9.9.9.9")
    file = bare.folder / ".config" / "ddns-updater" / "ddns.sqlite3"
    assert done.status == 0
    assert done.out.splitlines()[0] == f"database: {file}"
    assert done.err.startswith("warning: no settings were found")
    assert file.exists()


def test_init_says_it_of_each_engine_without_the_login(machine: Machine) -> None:
    done = machine.ddns("init", "--name", "line", "--ip", "9.9.9.9")
    place = done.out.splitlines()[0]
    if machine.database.engine == "sqlite":
        assert place == f"database: {machine.database.file}"
    else:
        assert place.endswith(machine.database.url.rpartition("@")[2])
        assert "@" not in place


def test_doctor_warns_of_lost_settings(bare: Machine) -> None:
    done = bare.ddns("doctor", "--json", DDNS_IP_SOURCES="")  # which asks nobody
    assert "no settings were found" not in done.out
    checks = bare.ddns("doctor", "--json", DDNS_RECORD="x").json["checks"]  # a misspelt one is none
    (check,) = [each for each in checks if each["found"].startswith("no settings were found")]
    assert check["state"] == "warning"


def test_status_says_that_no_record_follows(small_machine: Machine) -> None:
    small_machine.init()
    small_machine.run(DDNS_RECORDS=None)
    done = small_machine.ddns("status", DDNS_RECORDS=None)
    assert done.status == 0
    assert "no record follows the line: DDNS_RECORDS is not set" in done.out.splitlines()
    notes = ["no record follows the line: DDNS_RECORDS is not set"]
    assert small_machine.ddns("status", "--json", DDNS_RECORDS=None).json["notes"] == notes
    assert small_machine.ddns("status", "--json").json["notes"] == []


def test_status_says_which_family_has_no_record(small_machine: Machine) -> None:
    found = small_machine.ddns("status", "--json", DDNS_RECORDS="home.example.com/A", DDNS_IP_FAMILIES="ipv4,ipv6").json
    assert found["notes"] == ["no record follows the ipv6 address: DDNS_RECORDS has no AAAA record"]


# A database file in whichever folder a command is started in


@pytest.mark.parametrize("name", ["ddns.sqlite3", "data/ddns.sqlite3", "my #1.sqlite3"])
def test_init_refuses_it_with_the_full_form_and_creates_nothing(small_machine: Machine, name: str) -> None:
    before = files(small_machine.folder)
    url = f"sqlite:///{quote(name)}"
    done = small_machine.ddns("init", "--name", "line", "--ip", "9.9.9.9", DDNS_DATABASE_URL=url)
    full = f"sqlite:///{quote(str(small_machine.folder))}/{quote(name)}"
    assert (done.status, done.out) == (2, "")
    assert done.err == (
        f"error: DDNS_DATABASE_URL names the file {name!r} of whichever folder ddns is started in;"
        f" write DDNS_DATABASE_URL={full} (four slashes before a full path)\n"
    )
    assert files(small_machine.folder) == before
    done = small_machine.ddns("init", "--name", "line", "--ip", "9.9.9.9", DDNS_DATABASE_URL=full)
    assert (done.status, done.err) == (0, "")
    assert (small_machine.folder / name).exists()


def test_a_state_folder_in_whichever_folder_is_refused_and_warned_of_as_well(small_machine: Machine) -> None:
    relative = {"DDNS_STATE_FOLDER": "here/state"}
    before = files(small_machine.folder)
    said = (
        "DDNS_STATE_FOLDER names the folder 'here/state' of whichever folder ddns is started in;"
        f" write its full path, DDNS_STATE_FOLDER={small_machine.folder}/here/state\n"
    )
    done = small_machine.ddns("init", "--name", "line", "--ip", "9.9.9.9", **relative)
    assert (done.status, done.out, done.err) == (2, "", f"error: {said}")
    assert files(small_machine.folder) == before
    small_machine.init()
    done = small_machine.ddns("run", **relative)
    assert (done.status, done.err) == (0, f"warning: {said}")


def test_run_warns_of_it_and_works(small_machine: Machine) -> None:
    small_machine.init()
    small_machine.database.file.rename(small_machine.folder / "ddns.sqlite3")
    relative = {"DDNS_DATABASE_URL": "sqlite:///ddns.sqlite3"}
    done = small_machine.ddns("run", **relative)
    (line,) = done.err.splitlines()
    assert (done.status, done.out.partition(":")[0]) == (0, "updated")
    assert line.startswith("warning: DDNS_DATABASE_URL names the file 'ddns.sqlite3' of whichever folder ")
    quiet = small_machine.ddns("run", "--quiet", **relative)
    assert (quiet.status, quiet.out, quiet.err) == (0, "", "")
    small_machine.service.stop()
    failed = small_machine.ddns("run", "--quiet", DDNS_ALERT_AFTER="1", **relative).err.splitlines()
    assert failed[0] == line
    assert failed[1].startswith("line: failing since ")
    assert len(failed) == 2
