"""Which `.env` files are read: whose they are, who may have written them, and what an error says about them."""

import os
from pathlib import Path
from typing import Any

import pytest

from ddns_updater.errors import SettingsError
from ddns_updater.lib.trust import distrust
from ddns_updater.settings.load import read_settings
from ddns_updater.settings.variables import default_settings
from tests.support.machine import Machine
from tests.support.neighbour import NOBODY, everybody, give_away

FOREIGN = "AWS_PROFILE=theirs\nAWS_ENDPOINT_URL=http://127.0.0.1:1\nDATABASE_URL=postgres://u:p@db/d\nDDNS_PROVIDER=x\n"
COMMAND = "DDNS_IP_SOURCES=command:touch {proof}\n"


def write(path: Path, text: str, mode: int = 0o600) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return path


def local_env() -> Path:
    return Path.cwd() / ".env"


def user_env() -> Path:
    return Path.home() / ".config" / "ddns-updater" / ".env"


def refusal(env_file: Path | None = None) -> str:
    with pytest.raises(SettingsError) as refused:
        read_settings(env_file).valid()
    return str(refused.value)


def warnings() -> list[str]:
    loaded = read_settings()
    assert loaded.valid() == default_settings()
    assert loaded.env_files == ()
    return [str(warning) for warning in loaded.warnings]


# In the working directory


@pytest.mark.parametrize(
    "text",
    [FOREIGN, "", "DDNS_RECORDS_OLD=x\n", "what is this\n", "KEY='open\n", "# DDNS_RECORDS=home.example.com\n"],
    ids=["another program", "empty", "similar", "broken", "open quote", "comment"],
)
@pytest.mark.parametrize("mode", [0o600, 0o666])
def test_a_file_that_sets_nothing_of_ours_is_as_if_it_were_not_there(text: str, mode: int) -> None:
    write(local_env(), text, mode)
    assert warnings() == []


def test_a_foreign_file_need_not_be_text() -> None:
    local_env().write_bytes("NAME=b\xfccher\nDATA=\x00\n".encode("latin-1"))
    assert warnings() == []


def test_a_foreign_file_lends_nothing_to_the_sdk(small_machine: Machine) -> None:
    small_machine.init()
    write(small_machine.folder / ".env", FOREIGN)
    done = small_machine.ddns("run", AWS_ENDPOINT_URL=small_machine.aws.url)
    assert (done.status, done.err) == (0, "")
    assert small_machine.aws.address(small_machine.zone_id) == "9.9.9.9"


def test_one_variable_of_ours_makes_it_ours() -> None:
    write(local_env(), "AWS_PROFILE=mine\nDDNS_TTL=60\n")
    loaded = read_settings()
    assert (loaded.settings.ttl, loaded.settings.aws) == (60, {"AWS_PROFILE": "mine"})
    assert [file.path for file in loaded.env_files] == [local_env()]


def test_a_file_variable_makes_it_ours_too(tmp_path: Path) -> None:
    secret = write(tmp_path / "secret", "mysql://u:p@db/d\n")
    write(local_env(), f"DDNS_DATABASE_URL_FILE={secret}\n")
    assert read_settings().valid().database.identity == "mysql:db:3306/d"


@pytest.mark.parametrize("mode", [0o602, 0o666])
def test_a_file_that_others_may_write_is_ignored_and_runs_nothing(
    small_machine: Machine, tmp_path: Path, mode: int
) -> None:
    small_machine.init()
    proof = tmp_path / "proof"
    path = write(small_machine.folder / ".env", COMMAND.format(proof=proof), mode)
    small_machine.environment.pop("DDNS_IP_SOURCES")
    done = small_machine.ddns("iam-policy")
    assert done.status == 0
    (line,) = done.err.splitlines()[:-1]  # the last is about the policy
    assert line == (
        f"warning: {path} is ignored: other users may write it (mode {mode:03o});"
        f" check what it holds, then chmod go-w {path}"
    )
    assert small_machine.ddns("run", "--quiet", DDNS_IP_SOURCES=small_machine.service.url).err == f"{line}\n"
    assert not proof.exists()


def test_a_file_that_only_a_private_group_may_write_is_read() -> None:
    """As an editor leaves it with umask 002."""
    write(local_env(), "DDNS_TTL=77\n", 0o664)
    assert read_settings().settings.ttl == 77


def test_a_file_of_another_user_is_ignored_and_one_line_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(local_env(), "DDNS_TTL=60\n")
    give_away(path, monkeypatch)
    (warning,) = warnings()
    assert warning.startswith(f"{path} is ignored: it belongs to ")


def test_a_foreign_file_of_another_user_is_of_no_interest(monkeypatch: pytest.MonkeyPatch) -> None:
    give_away(write(local_env(), FOREIGN), monkeypatch)
    assert warnings() == []


def test_a_file_that_cannot_be_read_is_ignored_with_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(local_env(), "DDNS_TTL=60\n", 0o000)
    if os.geteuid() == 0:  # reads everything
        monkeypatch.setattr(os, "open", _denied)
    (warning,) = warnings()
    assert warning == f"{path} is ignored: it cannot be read: Permission denied; check who owns it"


def _denied(*_arguments: Any, **_options: Any) -> Any:
    raise PermissionError(13, "Permission denied")


def test_a_working_directory_that_was_removed_has_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(user_env(), "DDNS_TTL=60\n")
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert read_settings().valid().ttl == 60
    monkeypatch.chdir(tmp_path)


def test_the_per_user_file_as_that_of_the_working_directory_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(user_env(), "AWS_PROFILE=mine\n")
    monkeypatch.chdir(path.parent)
    loaded = read_settings()
    assert [file.path for file in loaded.env_files] == [path]
    path.chmod(0o666)
    assert refusal().count(str(path)) == 2  # in the one problem, and in what to do


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_a_file_of_ours_in_utf_16_is_an_error(encoding: str) -> None:
    local_env().write_bytes("DDNS_TTL=60\r\n".encode(encoding))
    assert refusal() == f"cannot read {local_env()}: it is not UTF-8 text; save it as UTF-8"


def test_a_foreign_file_in_utf_16_is_of_no_interest() -> None:
    local_env().write_bytes("DATABASE_URL=x\r\n".encode("utf-16"))
    assert warnings() == []


def test_a_file_in_which_our_only_variable_is_misspelt_is_ignored_with_a_line() -> None:
    write(local_env(), "AWS_PROFILE=mine\nDDNS_IP_SORCES=command:x\n")
    assert warnings() == [f"{local_env()} is ignored: DDNS_IP_SORCES is not a setting; did you mean DDNS_IP_SOURCES?"]


def test_a_folder_in_place_of_a_file_is_not_said_to_be_absent() -> None:
    for path in (local_env(), user_env()):
        path.mkdir(parents=True)
    (note,) = read_settings().notes
    assert f"{local_env()} is not a file, {user_env()} is not a file; " in str(note)


def test_a_file_in_a_folder_of_everybody_is_ignored_unless_it_is_ours_and_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = everybody(tmp_path / "tmp")
    monkeypatch.chdir(folder)
    path = write(local_env(), "DDNS_TTL=60\n")
    assert read_settings().valid().ttl == 60
    folder.chmod(0o777)
    assert warnings() == [
        (
            f"{path} is ignored: other users may write the folder {folder} (mode 777);"
            f" check what it holds, then chmod go-w {folder}"
        )
    ]
    folder.chmod(0o1777)
    give_away(path, monkeypatch)
    assert warnings()[0].startswith(f"{path} is ignored: it belongs to ")


# Named, or in the per-user folder


@pytest.mark.parametrize("named", [False, True])
@pytest.mark.parametrize("mode", [0o602, 0o666])
def test_a_file_of_ours_that_others_may_write_is_refused(tmp_path: Path, named: bool, mode: int) -> None:
    path = write(tmp_path / "settings" if named else user_env(), "DDNS_TTL=60\n", mode)
    assert refusal(path if named else None) == (
        f"cannot use {path}: other users may write it (mode {mode:03o}); check what it holds, then chmod go-w {path}"
    )
    path.chmod(0o644)
    assert read_settings(path if named else None).valid().ttl == 60


@pytest.mark.parametrize("named", [False, True])
def test_a_file_of_ours_that_others_may_exchange_is_refused(tmp_path: Path, named: bool) -> None:
    path = write(tmp_path / "folder" / "settings" if named else user_env(), "DDNS_TTL=60\n")
    path.parent.chmod(0o777)
    assert refusal(path if named else None) == (
        f"cannot use {path}: other users may write the folder {path.parent} (mode 777);"
        f" check what it holds, then chmod go-w {path.parent}"
    )


@pytest.mark.parametrize("named", [False, True])
def test_a_file_of_ours_that_belongs_to_another_user_is_refused(
    small_machine: Machine, tmp_path: Path, named: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "settings" if named else user_env(), COMMAND.format(proof=tmp_path / "proof"))
    give_away(path, monkeypatch)
    small_machine.environment.pop("DDNS_IP_SOURCES")
    for command in (["run", "--quiet"], ["init", "--name", "line"], ["status"]):
        done = small_machine.ddns(*(["--env-file", str(path)] if named else []), *command)
        assert (done.status, done.out) == (2, "")
        assert done.err.startswith(f"error: cannot use {path}: it belongs to ")
        assert done.err.count("\n") == 1
    assert not (tmp_path / "proof").exists()
    assert not small_machine.database.file.exists()


def test_who_may_have_written_a_file_is_told_from_its_owner_and_its_mode(tmp_path: Path) -> None:
    own = write(tmp_path / "it's mine", "")
    owner = own.stat().st_uid
    assert distrust(own, own.stat(), owner) is None
    assert distrust(Path("/etc/hostname"), Path("/etc/hostname").stat(), owner + 1) is None  # root's
    if owner:
        assert distrust(own, own.stat(), 0)
    own.chmod(0o646)
    writable = distrust(own, own.stat(), owner)
    assert writable
    assert writable.advice == f"check what it holds, then chmod go-w '{tmp_path}/it'\"'\"'s mine'"


@pytest.mark.parametrize(
    ("owner", "user", "problem", "advice"),
    [
        (4_000_000, 0, "it belongs to user 4000000", "if you trust it, chown root /x"),
        (NOBODY, 0, "it belongs to nobody", "run ddns as that user: sudo -u nobody -H ddns …"),
        (NOBODY, 4_000_000, "it belongs to nobody", "if you trust it, sudo chown 4000000 /x"),
        (0, NOBODY, "other users may write it (mode 666)", "check what it holds, then sudo chmod go-w /x"),
    ],
)
def test_the_advice_is_a_command_that_this_user_can_give(owner: int, user: int, problem: str, advice: str) -> None:
    status = os.stat_result((0o100666, 1, 1, 1, owner, owner, 0, 0, 0, 0))
    why = distrust(Path("/x"), status, user)
    assert why
    assert (why.problem, why.advice) == (problem, advice)


# What an error says


def test_every_error_names_the_file_that_the_bad_value_came_from() -> None:
    write(user_env(), "DDNS_TTL=5m\nDDNS_IP_RETRIES=no\nDDNS_RUN_TIMEOUT=30\nDDNS_HEARTBEAT_URL_FILE=/missing\n")
    write(local_env(), "DDNS_TTL=6m\nDDNS_VERIFY_TIMEOUT=40\nDDNS_RECORD=x\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DDNS_IP_RETRIES", "never")
        found = refusal().splitlines()
    assert found == [
        f"DDNS_RECORD is not a setting (in {local_env()}); did you mean DDNS_RECORDS?",
        f"DDNS_TTL='6m' is not a whole number of seconds (set in {local_env()}); write DDNS_TTL=300",
        "DDNS_IP_RETRIES='never' is not a whole number of retries; write DDNS_IP_RETRIES=3",
        (
            "DDNS_HEARTBEAT_URL_FILE='/missing' cannot be read: No such file or directory"
            f" (set in {user_env()}); name a file that holds the value"
        ),
        (
            "DDNS_VERIFY_TIMEOUT=40 is longer than DDNS_RUN_TIMEOUT=30"
            f" (DDNS_RUN_TIMEOUT in {user_env()}, DDNS_VERIFY_TIMEOUT in {local_env()}); make it shorter"
        ),
    ]


def test_doctor_warns_of_the_file_that_is_ignored(small_machine: Machine) -> None:
    small_machine.init()
    path = write(small_machine.folder / ".env", "DDNS_TTL=60\n", 0o666)
    done = small_machine.ddns("doctor", "--json")
    (check,) = [each for each in done.json["checks"] if "is ignored" in each["found"]]
    assert (check["state"], check["advice"]) == ("warning", f"check what it holds, then chmod go-w {path}")
    assert (done.status, done.err) == (0, "")
