"""Other users of this machine: what they plant is neither used nor followed, and what is created is not theirs."""

import os
import stat
from pathlib import Path

import pytest

from tests.support.alerting import state_file as state_file_of
from tests.support.command import finish
from tests.support.machine import Machine
from tests.support.neighbour import everybody, give_away, plant
from tests.support.receivers import Receiver
from tests.support.services import answer

_WITHOUT_UMASK = "import os, runpy; os.umask(0); runpy.run_module('ddns_updater', run_name='__main__', alter_sys=True)"


def modes(folder: Path) -> dict[str, int]:
    return {
        str(path.relative_to(folder)): stat.S_IMODE(path.lstat().st_mode)
        for path in folder.rglob("*")
        if not path.is_symlink()
    }


# What is created


def test_without_a_umask_nothing_is_open_to_others_but_the_metrics(small_machine: Machine, receiver: Receiver) -> None:
    machine = small_machine
    data = machine.folder / "data"
    machine.environment |= {
        "DDNS_DATABASE_URL": f"sqlite:///{data}/db/ddns.sqlite3",
        "DDNS_METRICS_FILE": str(machine.folder / "ddns.prom"),
        "DDNS_WEBHOOK_URLS": receiver.url,
        "DDNS_STATE_FOLDER": str(data / "state" / "deep"),
    }
    receiver.play = answer("", "500 Internal Server Error")  # the alert stays in the outbox
    for command in (["init", "--name", "line", "--ip", "9.9.9.9"], ["run"], ["status"]):
        done = finish(machine.start(*command, program=("-c", _WITHOUT_UMASK)))
        assert done.status == 0 or command == ["status"], done.err
        machine.service.address = "1.1.1.1"
    found = modes(machine.folder)
    assert found.pop("ddns.prom") == 0o644
    files = {name for name in found if (machine.folder / name).is_file()}
    assert {Path(name).suffix for name in files} >= {".sqlite3", ".json", ".lock"}
    assert {found[name] for name in files} == {0o600}
    assert {found[name] for name in found.keys() - files} == {0o700}


# What is planted


if os.geteuid() == 0:  # can become another user; tests/lib/test_trust.py shows the same without

    @pytest.mark.parametrize(
        "script",
        [
            "echo '{}' > {name}; chmod 666 {name}",
            "ln -s victim {name}",
            "ln -s nothing {name}",
            "mkdir {name}",
            "mkfifo -m 666 {name}",
        ],
    )
    @pytest.mark.parametrize("suffix", [".json", ".lock", ".telling", ".new"])
    def test_what_another_user_planted_in_the_state_folder_is_one_line(
        alerting: Machine, tmp_path: Path, script: str, suffix: str
    ) -> None:
        alerting.ddns("run")
        name = state_file_of(alerting).name
        planted = f".{name}.new" if suffix == ".new" else str(Path(name).with_suffix(suffix))
        folder = everybody(tmp_path / "tmp")
        victim = folder / "victim"
        victim.write_text("of ours")
        victim.chmod(0o600)
        plant(folder, script.replace("{name}", planted))
        before = (folder / planted).lstat()
        alerting.environment["DDNS_STATE_FOLDER"] = str(folder)
        alerting.service.address = "1.1.1.1"
        done = alerting.ddns("run")
        (line,) = done.err.splitlines()
        assert (done.status, done.out.partition(":")[0]) == (0, "updated")
        assert line.startswith("warning: cannot use ")
        assert f"{folder / planted} belongs to nobody" in line or "it belongs to nobody" in line or "link" in line
        assert (victim.read_text(), stat.S_IMODE(victim.stat().st_mode)) == ("of ours", 0o600)
        assert not (folder / "nothing").exists()
        assert (folder / planted).lstat().st_ino == before.st_ino

    @pytest.mark.parametrize(
        "script", ["touch {name}; chmod 666 {name}", "ln -s victim {name}", "ln -s nothing {name}", "mkfifo {name}"]
    )
    @pytest.mark.parametrize("name", ["ddns.prom", ".ddns.prom.new"])
    def test_what_another_user_planted_for_the_metrics_is_one_line(
        small_machine: Machine, tmp_path: Path, script: str, name: str
    ) -> None:
        small_machine.init()
        folder = everybody(tmp_path / "tmp")
        (folder / "victim").write_text("of ours")
        plant(folder, script.replace("{name}", name))
        done = small_machine.ddns("run", DDNS_METRICS_FILE=str(folder / "ddns.prom"))
        assert (done.status, done.err) == (
            0,
            (
                f"warning: cannot use DDNS_METRICS_FILE={folder}/ddns.prom: {folder}/{name} belongs to nobody;"
                f" remove it: rm {folder}/{name}\n"
            ),
        )
        assert (folder / "victim").read_text() == "of ours"
        assert sorted(each.name for each in folder.iterdir()) == sorted(["victim", name])

    @pytest.mark.parametrize("suffix", ["", "-journal", "-wal"])
    def test_no_database_is_used_where_another_user_can_plant_its_journal(
        small_machine: Machine, tmp_path: Path, suffix: str
    ) -> None:
        folder = everybody(tmp_path / "tmp")
        plant(folder, f"echo x > ddns.sqlite3{suffix}")
        url = f"sqlite:///{folder}/ddns.sqlite3"
        for command in (["init", "--name", "line", "--ip", "9.9.9.9"], ["run"], ["history"]):
            done = small_machine.ddns(*command, DDNS_DATABASE_URL=url, DDNS_STATE_FOLDER=str(tmp_path / "state"))
            assert (done.status, done.out) == (1, "")
            assert f"cannot use the database {folder}/ddns.sqlite3: " in done.err
            assert done.err.count("\n") == 1
        assert [each.name for each in folder.iterdir()] == [f"ddns.sqlite3{suffix}"]

    def test_a_lock_of_another_user_is_no_lock(small_machine: Machine) -> None:
        small_machine.init()
        small_machine.run()
        (lock,) = small_machine.database.file.parent.glob("*.1.lock")
        os.chown(lock, 65534, 65534)
        small_machine.service.address = "1.1.1.1"
        done = small_machine.ddns("run")
        assert (done.status, done.out) == (1, "")
        assert f"cannot use the lock file: {lock} belongs to nobody; remove it: rm {lock}" in done.err


@pytest.mark.parametrize("open_folder", ["state", "database", "metrics"])
def test_a_folder_that_others_may_exchange_is_not_used_and_doctor_says_the_same(
    small_machine: Machine, tmp_path: Path, open_folder: str
) -> None:
    place = {name: tmp_path / name / "inner" for name in ("state", "database", "metrics")}
    for each in place.values():
        each.mkdir(parents=True)
    small_machine.environment |= {
        "DDNS_STATE_FOLDER": str(place["state"]),
        "DDNS_DATABASE_URL": f"sqlite:///{place['database']}/ddns.sqlite3",
        "DDNS_METRICS_FILE": str(place["metrics"] / "ddns.prom"),
    }
    small_machine.init()
    small_machine.run()
    before = {name: sorted(each.name for each in folder.iterdir()) for name, folder in place.items()}
    outer = tmp_path / open_folder
    outer.chmod(0o777)
    small_machine.service.address = "1.1.1.1"
    done = small_machine.ddns("run")
    assert done.status == (1 if open_folder == "database" else 0)
    line = f"other users may write the folder {outer} (mode 777)"
    assert f"{line}; check what it holds, then chmod go-w {outer}" in done.err
    assert done.err.count("\n") == 1
    if open_folder != "database":
        assert {name: sorted(each.name for each in folder.iterdir()) for name, folder in place.items()} == before
    checks = {each["name"]: each for each in small_machine.ddns("doctor", "--json").json["checks"]}
    name = {"state": "state folder", "database": "database file", "metrics": "folder of DDNS_METRICS_FILE"}[open_folder]
    assert (checks[name]["state"], checks[name]["advice"]) == (
        "failed",
        f"check what it holds, then chmod go-w {outer}",
    )
    assert checks[name]["found"].endswith(f"cannot be trusted: {line}")


# What is read


def test_an_address_that_anybody_may_write_is_not_published(small_machine: Machine, tmp_path: Path) -> None:
    small_machine.init()
    file = tmp_path / "address"
    file.write_text("1.1.1.1")
    file.chmod(0o666)
    done = small_machine.ddns("run", DDNS_IP_SOURCES=f"file:{file}")
    assert (done.status, done.out) == (1, "")
    assert f"file:{file} cannot be trusted: other users may write it (mode 666)" in done.err
    assert done.err.count("\n") == 1
    assert small_machine.database.versions() == [(1, "9.9.9.9")]


def test_the_program_of_another_user_may_write_its_file(
    small_machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_machine.init()
    file = tmp_path / "address"
    file.write_text("1.1.1.1")
    file.chmod(0o664)
    if os.geteuid() == 0:
        give_away(file, monkeypatch)
    small_machine.run(DDNS_IP_SOURCES=f"file:{file}")
    assert small_machine.database.versions()[-1] == (2, "1.1.1.1")


@pytest.mark.parametrize("words", ["{folder}/router-ip", "./router-ip", "router-ip"])
@pytest.mark.parametrize("opened", ["program", "folder", "link"])
def test_a_program_that_others_may_change_or_exchange_is_not_run(
    small_machine: Machine, words: str, opened: str
) -> None:
    small_machine.init()
    folder = small_machine.folder / "bin"
    folder.mkdir()
    inside = folder / "real"
    inside.mkdir()
    program, proof = inside / "router-ip", folder / "proof"
    program.write_text(f"#!/bin/sh\ntouch '{proof}'\necho 1.1.1.1\n")
    program.chmod(0o755)
    (folder / "router-ip").symlink_to("real/router-ip")
    (small_machine.folder / "router-ip").symlink_to("bin/router-ip")
    changes = {
        "DDNS_IP_SOURCES": f"command:{words.format(folder=folder)}",
        "PATH": f"/nowhere:{folder}:{small_machine.environment['PATH']}",
    }
    opens = {"program": program, "folder": folder, "link": inside}[opened]
    usual = opens.stat().st_mode
    opens.chmod(0o777)
    done = small_machine.ddns("run", **changes)
    assert (done.status, done.out) == (1, "")
    assert "is not run: other users may write " in done.err
    assert done.err.count("\n") == 1
    assert not proof.exists()
    opens.chmod(usual)
    assert small_machine.run(**changes)["results"][0]["address"] == "1.1.1.1"


@pytest.mark.parametrize("variable", ["DDNS_DATABASE_URL_FILE", "DDNS_HEARTBEAT_URL_FILE", "ssl_ca"])
def test_a_secret_that_anybody_may_write_is_not_taken(small_machine: Machine, tmp_path: Path, variable: str) -> None:
    file = tmp_path / "secret"
    file.write_text("https://hc-ping.example.com/a-secret")
    file.chmod(0o666)
    changes: dict[str, str | None] = {variable: str(file)}
    if variable != "DDNS_HEARTBEAT_URL_FILE":
        changes["DDNS_DATABASE_URL"] = None
    if variable == "ssl_ca":
        changes = {"DDNS_DATABASE_URL": f"mysql://u:a-secret@127.0.0.1/d?ssl_ca={file}"}
    done = small_machine.ddns("run", **changes)
    assert (done.status, done.out) == (2, "")
    assert (
        f"cannot be used: other users may write it (mode 666); check what it holds, then chmod go-w {file}" in done.err
    )
    assert done.err.count("\n") == 1
    assert "a-secret" not in done.err
