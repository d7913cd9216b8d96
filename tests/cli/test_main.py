"""The command line as the user sees it: output, exit status, and what is left behind."""

import csv
import io
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, redirect_stderr, redirect_stdout
from datetime import datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import click
import pytest

from ddns_updater import __version__, cli
from ddns_updater.cli.main import _COMMANDS, main
from ddns_updater.history.url import parse_database_url
from ddns_updater.lib.humanize import duration
from tests.doctor.test_doctor import impatient_sqlite as impatient_sqlite  # a fixture
from tests.doctor.test_doctor import unavailable
from tests.support.aws import refuse
from tests.support.command import Finished, finish
from tests.support.database import Database
from tests.support.machine import Machine
from tests.support.mysqld import free_port
from tests.support.services import AddressService, answer, running
from tests.support.terminal import screen

PASSWORD = "p@ss/w#rd:%"
COMMANDS = (
    "demo",
    "init",
    "run",
    "watch",
    "serve",
    "status",
    "history",
    "host",
    "notify",
    "doctor",
    "iam-policy",
)  # in the order of the help
OF_HOST = ("add", "list", "show", "rotate", "block", "unblock", "remove")  # likewise
NESTED = tuple(f"host {each}" for each in OF_HOST)
AS_INSTALLED = ("-c", "import sys; sys.argv[0] = 'ddns'; from ddns_updater.cli.main import main; main()")


def as_installed(*arguments: str) -> Finished:
    """Call `ddns` by its installed name, in this process and its empty home."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as end:
        main.main(args=list(arguments), prog_name="ddns")
    return Finished(int(end.value.code or 0), out.getvalue(), err.getvalue())


def contents(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    """Return every row of every table."""
    engine = "SELECT name FROM sqlite_master WHERE type = 'table'" if database.engine == "sqlite" else "SHOW TABLES"
    tables = sorted(row[0] for row in database.sql(engine))
    return {table: sorted(database.sql(f"SELECT * FROM {table}"), key=repr) for table in tables}


def nothing_exists(machine: Machine) -> bool:
    """Return whether the database is empty and the home folder holds no file but the state file."""
    if machine.database.engine == "sqlite":
        files = [file for file in machine.folder.rglob("*") if file.is_file() and not file.name.startswith("runs-")]
        return not list(machine.folder.parent.glob("ddns*")) and not files
    return not contents(machine.database)


def sqlite_file(machine: Machine) -> Path:
    return Path(machine.database.url.removeprefix("sqlite:///"))


def server(database: Database) -> str:
    """Return host and port of a MySQL database."""
    return urlsplit(database.url).netloc.rpartition("@")[2]


def source_down(machine: Machine) -> str:
    """Return what the program says when the only address source is down."""
    return f"{machine.service.url} cannot be reached: Connection refused"


def unconfirmed(machine: Machine, address: str) -> str:
    """Return what the program says when only one address source reports `address`."""
    reason = "no source on another host is configured"
    return f"{machine.service.url} says {address}, but no second source confirms it ({reason})"


def ask_both(machine: Machine, other: AddressService) -> None:
    """Configure two address services of different hosts."""
    machine.environment["DDNS_IP_SOURCES"] = f"{machine.service.url},{other.url}"


def two_files(machine: Machine, ipv4: str, ipv6: str) -> None:
    """Configure a file for each address family as address sources."""
    for name, address in (("v4", ipv4), ("v6", ipv6)):
        (machine.folder / name).write_text(f"{address}\n")
    machine.environment["DDNS_IP_SOURCES"] = f"file:{machine.folder}/v4,file:{machine.folder}/v6"


@pytest.fixture
def other() -> Iterator[AddressService]:
    """Give an address service of another host than the machine's own."""
    with running("127.0.0.2") as each:
        yield each


@pytest.fixture
def account(mysql: Database) -> Iterator[Callable[[str], str]]:
    """Give a function that grants an account some rights on the database and returns its URL."""
    user = f"{mysql.url.rpartition('/')[2]}_u"
    mysql.sql("CREATE USER ?@? IDENTIFIED BY ?", (user, "%", PASSWORD))

    def grant(rights: str) -> str:
        database = mysql.url.rpartition("/")[2]
        mysql.sql(f"GRANT {rights} ON {database}.* TO ?@?", (user, "%"))
        return f"mysql://{user}:{quote(PASSWORD, safe='')}@{server(mysql)}/{database}"

    yield grant
    mysql.sql("DROP USER ?@?", (user, "%"))


# Mistakes in the command line or the settings: exit status 2.


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["init"], "the origin has no name; give one with --name or DDNS_NAME"),
        (["init", "--name", ""], "--name '' is not a name of 1 to 255 printable characters"),
        (["init", "--name", "n" * 256], f"--name '{'n' * 256}' is not a name of 1 to 255 printable characters"),
        (["init", "--name", "x", "--ip", "10.0.0.1"], "--ip cannot be 10.0.0.1, which is not a public address"),
        (["init", "--name", "x", "--ip", "192.0.2.1"], "--ip cannot be 192.0.2.1, which is not a public address"),
        (["init", "--name", "x", "--ip", "224.0.0.1"], "--ip cannot be 224.0.0.1, which is not a public address"),
        (["init", "--name", "x", "--ip", "ff0e::1"], "--ip cannot be ff0e::1, which is not a public address"),
        (
            ["init", "--name", "x", "--ip", "100.64.0.1"],
            (
                "--ip cannot be 100.64.0.1, a carrier-grade NAT address: this line has no public IPv4 address;"
                " ask the provider for one"
            ),
        ),
        (["init", "--name", "x", "--ip", "home"], "--ip cannot be 'home', which is not one IP address"),
        (["init", "--name", "x", "--ip", "a:b"], "--ip cannot be 'a:b', which is not one IP address"),
        (["init", "--name", "x", "--ip", ""], "--ip cannot be nothing, which is not one IP address"),
        (
            ["init", "--name", "x", "--ip", "9.9.9.9", "--ip", "1.1.1.1"],
            "--ip 9.9.9.9 and --ip 1.1.1.1 are both ipv4 addresses; give one of them",
        ),
        (
            ["init", "--name", "x", "--ip", "9.9.9.9", "--note", "\udcff"],
            "--note '\\udcff' is not UTF-8 text; write it in UTF-8 or ASCII",
        ),
        (["run", "--name", " "], "--name ' ' is not a name of 1 to 255 printable characters"),
        (["--env-file", "missing", "run"], "--env-file '{folder}/missing' is not a file; name an existing one"),
    ],
)
def test_it_refuses_a_value_in_one_line_and_writes_nothing(
    small_machine: Machine, arguments: list[str], line: str
) -> None:
    done = small_machine.ddns(*arguments)
    line = line.replace("{folder}", str(small_machine.folder))
    assert (done.status, done.out, done.err) == (2, "", f"error: {line}\n")
    assert nothing_exists(small_machine)


@pytest.mark.parametrize(
    ("arguments", "named", "command"),
    [
        (["frobnicate"], "'frobnicate'", "ddns"),
        (["statsu"], "'statsu' (did you mean 'status'?)", "ddns"),
        (["run", "--frobnicate"], "--frobnicate", "ddns run"),
        (["run", "--quite"], "'--quite' (did you mean '--quiet'?)", "ddns run"),
        (["--ver"], "'--ver' (did you mean one of: '--verbose', '--version'?)", "ddns"),
        (["run", "line"], "(line)", "ddns run"),
        (["init", "--name"], "--name", "ddns init"),
        (["history", "--limit", "0"], "'--limit'", "ddns history"),
        (["history", "--limit", "many"], "'--limit'", "ddns history"),
    ],
)
def test_it_answers_a_wrong_command_line_with_one_line_that_points_to_the_help(
    small_machine: Machine, arguments: list[str], named: str, command: str
) -> None:
    done = as_installed(*arguments)
    assert (done.status, done.out) == (2, "")
    (line,) = done.err.splitlines()
    assert line.startswith("error: ")
    assert named in line
    assert line.endswith(f'; see "{command} --help"')
    assert nothing_exists(small_machine)


@pytest.mark.parametrize(
    "arguments", [["run"], ["run", "--json"], ["init", "--name", "x"], ["history"], ["notify", "--test"]]
)
def test_every_command_reports_all_bad_settings_at_once(small_machine: Machine, arguments: list[str]) -> None:
    done = small_machine.ddns(*arguments, DDNS_TTL="5m", DDNS_RECORDS="home", DDNS_NAME="")
    assert (done.status, done.out) == (2, "")
    assert done.err.splitlines() == [
        "error: DDNS_NAME is empty; set a value or remove it",
        "error: DDNS_RECORDS: 'home' is not a full domain name such as home.example.com",
        "error: DDNS_TTL='5m' is not a whole number of seconds; write DDNS_TTL=300",
    ]
    assert nothing_exists(small_machine)


@pytest.mark.parametrize("command", ["run", "history"])
def test_an_origin_has_to_exist_and_to_be_chosen(small_machine: Machine, command: str) -> None:
    small_machine.init(name="line")
    unknown = small_machine.ddns(command, "--name", "lime")
    assert (unknown.status, unknown.out) == (2, "")
    assert unknown.err == "error: there is no origin 'lime', only line; correct it, or run \"ddns init --name lime\"\n"
    small_machine.init(name="cabin", ip="1.1.1.1")
    before = contents(small_machine.database)
    several = small_machine.ddns(command)
    assert (several.status, several.out) == (2, "")
    assert several.err == "error: there is more than one origin (cabin, line); choose one with --name or DDNS_NAME\n"
    assert contents(small_machine.database) == before
    assert small_machine.aws.calls == []
    assert small_machine.service.requests == 0
    assert small_machine.ddns(command, "--name", "line").status == 0
    assert small_machine.ddns(command, "--name", "line", DDNS_NAME="lime").status == 0
    assert small_machine.ddns(command, DDNS_NAME="line").status == 0


def test_the_advice_for_an_unknown_origin_can_be_pasted_into_a_shell(small_machine: Machine) -> None:
    small_machine.init()
    done = small_machine.ddns("run", "--name", "our line; ls")
    command = done.err.rstrip().partition(' run "')[2].removesuffix('"')
    assert shlex.split(command) == ["ddns", "init", "--name", "our line; ls"]


# init


def test_init_reports_what_it_did_and_the_second_time_that_nothing_changed(machine: Machine) -> None:
    first = machine.ddns("init", "--name", "line", "--note", "office")
    assert (first.status, first.err) == (0, "")
    place, *lines = first.out.splitlines()
    assert place == f"database: {parse_database_url(machine.database.url).place}"
    assert re.fullmatch(
        r"schema: \d+ migrations applied\ncreated origin line: version 1 is 9\.9\.9\.9", "\n".join(lines)
    )
    before = contents(machine.database)
    second = machine.ddns("init", "--name", "line", "--ip", "1.1.1.1", "--note", "other")
    assert (second.status, second.err) == (0, "")
    assert second.out == f"{place}\norigin line already exists: version 1 is 9.9.9.9; nothing changed\n"
    assert contents(machine.database) == before


def test_init_keeps_the_note_and_the_address_it_is_given(machine: Machine) -> None:
    machine.service.stop()
    done = machine.ddns("init", "--name", "büro 中", "--ip", " 1.1.1.1", "--note", "it's 100% “ours”\n\\")
    assert (done.status, done.err) == (0, "")
    rows = machine.database.sql("SELECT id, originId, name, version, ip, note FROM admin_ip_history")
    assert [tuple(row[1:]) for row in rows] == [(rows[0][0], "büro 中", 1, "1.1.1.1", "it's 100% “ours”\n\\")]


def test_init_seeds_each_address_family(small_machine: Machine) -> None:
    done = small_machine.ddns("init", "--name", "line", "--ip", "2620:fe::fe", "--ip", "9.9.9.9")
    assert (done.status, done.err) == (0, "")
    assert done.out.splitlines()[2:] == [
        "created origin line: version 1 is 9.9.9.9",
        "created origin line: version 1 is 2620:fe::fe",
    ]
    assert small_machine.database.versions() == [(1, "9.9.9.9"), (1, "2620:fe::fe")]


def test_init_writes_nothing_when_no_source_answers(machine: Machine) -> None:
    machine.service.stop()
    done = machine.ddns("init", "--name", "line")
    assert (done.status, done.out) == (1, "")
    (line,) = done.err.splitlines()
    assert line.startswith("error: no trustworthy ipv4 address, so nothing was changed: ")
    assert line.endswith(f"{source_down(machine)}; give the address with --ip")
    assert nothing_exists(machine)


def test_init_writes_nothing_when_the_address_is_not_public(small_machine: Machine) -> None:
    small_machine.service.play = answer("192.168.0.1")
    done = small_machine.ddns("init", "--name", "line")
    assert (done.status, done.out) == (1, "")
    assert "answered 192.168.0.1, which is not a public address" in done.err
    assert nothing_exists(small_machine)


# Database failures: exit status 1.


@pytest.mark.parametrize("command", ["run", "history"])
def test_without_init_there_is_one_line_that_says_so(machine: Machine, command: str) -> None:
    done = machine.ddns(command)
    assert (done.status, done.out) == (1, "")
    (line,) = done.err.splitlines()
    assert line.startswith("failed: " if command == "run" else "error: ")
    assert line.endswith('; run "ddns init --name NAME"')
    assert nothing_exists(machine)
    assert (machine.service.requests, machine.aws.calls) == (0, [])


@pytest.mark.parametrize("command", ["run", "history"])
def test_an_empty_sqlite_file_stays_empty_without_init(small_machine: Machine, command: str) -> None:
    file = sqlite_file(small_machine)
    file.touch()
    done = small_machine.ddns(command)
    assert (done.status, done.out, len(done.err.splitlines())) == (1, "", 1)
    assert done.err.endswith('; run "ddns init --name NAME"\n')
    assert file.read_bytes() == b""


def test_tables_without_an_origin_ask_for_init(small_machine: Machine) -> None:
    small_machine.init()
    small_machine.database.sql("DELETE FROM admin_ip_history")
    done = small_machine.ddns("run")
    assert (done.status, done.out) == (1, "")
    assert done.err == 'failed: there is no origin in the database yet; run "ddns init --name NAME"\n'


@pytest.mark.parametrize("table", ["admin_ip_history", "admin_dns_publication"])
def test_a_dropped_table_fails_the_run_before_anything_is_sent(machine: Machine, table: str) -> None:
    machine.init()
    machine.database.sql(f"DROP TABLE {table}")
    machine.service.address = "1.1.1.1"
    done = machine.ddns("run")
    assert (done.status, done.out) == (1, "")
    (line,) = done.err.splitlines()
    assert table in line
    assert line.endswith('; run "ddns init --name NAME"')
    assert machine.aws.calls == []
    assert machine.ddns("history").status == 1


def test_a_database_that_is_down_is_one_line_for_all_address_families(small_machine: Machine) -> None:
    port = free_port()
    small_machine.environment |= {
        "DDNS_DATABASE_URL": f"mysql://u:{quote(PASSWORD, safe='')}@127.0.0.1:{port}/d",
        "DDNS_IP_FAMILIES": "ipv4,ipv6",
    }
    cause = (
        f"failed to reach the database at 127.0.0.1:{port}: Connection refused; is it running, and is that its address?"
    )
    done = small_machine.ddns("run")
    assert (done.status, done.out, done.err) == (1, "", f"{cause}\n")
    for arguments in (["history"], ["init", "--name", "line", "--ip", "9.9.9.9"]):
        done = small_machine.ddns(*arguments)
        assert (done.status, done.out, done.err) == (1, "", f"error: {cause}\n")


def test_a_wrong_password_and_a_wrong_database_are_told_apart(small_machine: Machine, mysql: Database) -> None:
    url = urlsplit(mysql.url)
    wrong = f"mysql://{url.username}:{quote(PASSWORD, safe='')}@{server(mysql)}{url.path}"
    verbose = small_machine.ddns("-v", "run", DDNS_DATABASE_URL=wrong)
    done = small_machine.ddns("run", DDNS_DATABASE_URL=wrong)
    assert (done.status, done.out) == (verbose.status, verbose.out) == (1, "")
    assert done.err == (
        f"failed: the database at {server(mysql)} refused the login of {url.username};"
        " check user and password in DDNS_DATABASE_URL\n"
    )
    assert verbose.err.endswith(f"\n{done.err}")
    assert not any(password in verbose.err for password in (PASSWORD, quote(PASSWORD, safe="")))
    done = small_machine.ddns("run", DDNS_DATABASE_URL=f"{mysql.url}_missing")
    assert (done.status, done.out) == (1, "")
    assert done.err == (
        f"failed: database {url.path[1:]}_missing does not exist at {server(mysql)};"
        " create it, or correct DDNS_DATABASE_URL\n"
    )


def test_an_account_that_may_only_read_cannot_record(
    small_machine: Machine, mysql: Database, account: Callable[[str], str]
) -> None:
    small_machine.database = mysql
    small_machine.environment["DDNS_DATABASE_URL"] = mysql.url
    small_machine.init()
    small_machine.run()
    small_machine.environment["DDNS_DATABASE_URL"] = account("SELECT")
    assert small_machine.run()["outcome"] == "unchanged"
    small_machine.service.address = "1.1.1.1"
    before, asked = contents(mysql), list(small_machine.aws.calls)
    done = small_machine.ddns("run")
    assert (done.status, done.out) == (1, "")
    (line,) = done.err.splitlines()
    assert line.startswith(f"failed: the database at {server(mysql)} denied access: ")
    assert contents(mysql) == before
    assert small_machine.aws.calls == asked


def test_a_read_only_server_cannot_record(
    small_machine: Machine, mysql: Database, account: Callable[[str], str]
) -> None:
    small_machine.database = mysql
    small_machine.environment["DDNS_DATABASE_URL"] = account("ALL")
    small_machine.init()
    small_machine.run()
    small_machine.service.address = "1.1.1.1"
    mysql.sql("SET GLOBAL read_only = 1")
    try:
        before = contents(mysql)
        done = small_machine.ddns("run")
    finally:
        mysql.sql("SET GLOBAL read_only = 0")
    assert (done.status, done.out) == (1, "")
    (line,) = done.err.splitlines()
    assert line.startswith(f"failed: the database at {server(mysql)} is read-only: ")
    assert line.endswith("; use the primary server")
    assert contents(mysql) == before
    small_machine.statements_hold("1.1.1.1")


@pytest.mark.parametrize("arguments", [["run"], ["init", "--name", "line", "--ip", "9.9.9.9"]])
@pytest.mark.parametrize("place", ["folder", "text", "text/below a file", "/proc/nowhere/ddns.sqlite3"])
def test_a_path_that_is_no_sqlite_file_is_left_as_it_is(
    small_machine: Machine, arguments: list[str], place: str
) -> None:
    folder = small_machine.folder
    (folder / "folder").mkdir()
    (folder / "text").write_text("neither a database nor empty\n" * 100)
    done = small_machine.ddns(*arguments, DDNS_DATABASE_URL=f"sqlite:///{quote(str(folder / place))}")
    assert (done.status, done.out) == (1, "")
    (line,) = done.err.splitlines()
    assert str(folder / place) in line
    assert not list((folder / "folder").iterdir())
    assert (folder / "text").read_text() == "neither a database nor empty\n" * 100


@pytest.mark.usefixtures("impatient_sqlite")
def test_a_locked_sqlite_file_fails_the_run_and_the_next_run_continues(small_machine: Machine) -> None:
    small_machine.init()
    small_machine.service.address = "1.1.1.1"
    with closing(small_machine.database.connect()) as other:
        other.execute("BEGIN EXCLUSIVE")
        done = small_machine.ddns("run")
    assert (done.status, done.out) == (1, "")
    (line,) = done.err.splitlines()
    assert line.startswith(f"failed: the database {sqlite_file(small_machine)} is locked by another program: ")
    assert line.endswith("; the next run tries again")
    assert small_machine.database.versions() == [(1, "9.9.9.9")]
    assert small_machine.aws.calls == []
    small_machine.statements_hold("1.1.1.1")


# run


def test_quiet_prints_only_what_changed_or_went_wrong(small_machine: Machine) -> None:
    small_machine.init()
    changed = small_machine.ddns("run", "--quiet")
    assert changed.out.startswith("updated: 9.9.9.9 is version 1 of line; home.example.com A verified after ")
    for options in (["--quiet"], ["-q"], ["--quiet", "--json"]):
        same = small_machine.ddns("run", *options)
        assert (same.status, same.out, same.err) == (0, "", "")
    small_machine.service.stop()
    wrong = small_machine.ddns("run", "--quiet", DDNS_ALERT_AFTER="1")
    assert (wrong.status, wrong.out) == (1, "")
    (line,) = wrong.err.splitlines()
    assert line.startswith("line: failing since 20")
    cause = f"no trustworthy ipv4 address, so nothing was changed: {source_down(small_machine)}"
    assert f", 1 failed run. Cause: {cause}. DNS when last verified: home.example.com A held 9.9.9.9 (20" in line


OUTPUT_OPTIONS: tuple[list[str], ...] = ([], ["--quiet"], ["--json"], ["--quiet", "--json"])


def test_a_warning_goes_to_stderr_with_all_output_options(small_machine: Machine) -> None:
    small_machine.init()
    for version, options in enumerate(OUTPUT_OPTIONS, 2):
        was, small_machine.service.address = small_machine.service.address, f"8.8.8.{version}"
        warning = unconfirmed(small_machine, small_machine.service.address)
        done = small_machine.ddns("run", *options, DDNS_IP_AGREEMENT=None)
        assert (done.status, done.err) == (0, f"warning: {warning}\n")
        if "--json" in options:
            assert done.json["results"][0]["warnings"] == [warning]
        else:
            assert done.out.startswith(f"updated: 8.8.8.{version} (was {was}) is version {version} of line; ")
        again = small_machine.ddns("run", *options, DDNS_IP_AGREEMENT=None)
        assert (again.status, again.err) == (0, "")


def test_a_change_that_is_held_is_one_line_on_stderr_and_status_1(
    small_machine: Machine, other: AddressService
) -> None:
    small_machine.init()
    ask_both(small_machine, other)
    small_machine.service.address = "1.1.1.1"
    error = (
        f"{small_machine.service.url} says 1.1.1.1 but {other.url} says 9.9.9.9; nothing was changed,"
        " the next run asks again"
    )
    for options in OUTPUT_OPTIONS:
        folder = small_machine.folder / "-".join(["state", *options])  # the first failure of each is printed
        done = small_machine.ddns("run", *options, DDNS_IP_AGREEMENT="required", DDNS_STATE_FOLDER=str(folder))
        assert (done.status, done.err) == (1, f"held: {error}\n")
        if "--json" in options:
            assert (done.json["outcome"], done.json["results"][0]["error"]) == ("held", error)
        else:
            assert done.out == ""
    assert small_machine.database.versions() == [(1, "9.9.9.9")]
    assert small_machine.aws.calls == []
    other.address = "1.1.1.1"
    assert small_machine.run(DDNS_IP_AGREEMENT="required")["outcome"] == "updated"


def test_drift_is_a_warning_when_it_is_repaired_and_a_failure_when_it_is_reported(small_machine: Machine) -> None:
    small_machine.init()
    small_machine.run()
    small_machine.aws.put_address(small_machine.zone_id, "home.example.com", "192.0.2.1")
    small_machine.database.sql("UPDATE admin_dns_publication SET checkedAt = '2026-01-02 03:04:05'")
    reported = small_machine.ddns("run", DDNS_ON_DRIFT="report")
    assert (reported.status, reported.out) == (1, "")
    assert reported.err == (
        "failed: home.example.com A should hold 9.9.9.9 with TTL 60, not 192.0.2.1 with TTL 60;"
        " correct it, or set DDNS_ON_DRIFT=repair\n"
    )
    repaired = small_machine.ddns("run", "--quiet")
    assert (repaired.status, len(repaired.err.splitlines())) == (0, 1)
    assert repaired.err.startswith("warning: home.example.com A held 192.0.2.1 with TTL 60; it is being repaired\n")
    assert repaired.out == "updated: 9.9.9.9 is version 1 of line; home.example.com A verified again\n"
    (entry,) = small_machine.ddns("history", "--json").json
    assert entry["records"][0]["drift"] == "192.0.2.1 with TTL 60"
    assert entry["records"][0]["drift_at"].endswith("+00:00")


def test_each_family_has_its_line_and_the_worse_of_the_two_is_the_exit_status(small_machine: Machine) -> None:
    two_files(small_machine, "9.9.9.9", "2620:fe::fe")
    small_machine.environment |= {"DDNS_IP_FAMILIES": "ipv4,ipv6", "DDNS_RECORDS": "home.example.com,*.example.com/A"}
    assert small_machine.ddns("init", "--name", "line").status == 0
    done = small_machine.ddns("run")
    assert (done.status, done.err) == (0, "")
    assert [re.sub(r"\d+ s$", "0 s", line) for line in done.out.splitlines()] == [
        "updated: 9.9.9.9 is version 1 of line; home.example.com A, *.example.com A verified after 0 s",
        "updated: 2620:fe::fe is version 1 of line; home.example.com AAAA verified after 0 s",
    ]
    assert small_machine.aws.address(small_machine.zone_id, kind="AAAA") == "2620:fe::fe"

    (small_machine.folder / "v6").write_text("fe80::1\n")
    done = small_machine.ddns("run")
    assert (done.status, done.out) == (
        1,
        "unchanged: 9.9.9.9 is version 1 of line; home.example.com A, *.example.com A verified\n",
    )
    assert done.err.startswith("failed: no trustworthy ipv6 address, so nothing was changed: ")
    two_files(small_machine, "1.1.1.1", "2606:4700:4700::1111")
    assert [each["outcome"] for each in small_machine.run()["results"]] == ["updated", "updated"]

    shown = small_machine.ddns("history").out.partition("\n\n")[0].splitlines()[1:]
    assert sorted(line.split()[:2] for line in shown[:2]) == [["2", "1.1.1.1"], ["2", "2606:4700:4700::1111"]]
    assert sorted(line.split()[:2] for line in shown[2:]) == [["1", "2620:fe::fe"], ["1", "9.9.9.9"]]
    entries = small_machine.ddns("history", "--json", "--limit", "3").json
    assert len(entries) == 3
    assert {(entry["family"], entry["address"]) for entry in entries[:2]} == {
        ("ipv4", "1.1.1.1"),
        ("ipv6", "2606:4700:4700::1111"),
    }


def test_a_family_without_a_record_says_so(small_machine: Machine) -> None:
    two_files(small_machine, "9.9.9.9", "2620:fe::fe")
    small_machine.environment |= {"DDNS_IP_FAMILIES": "ipv4,ipv6", "DDNS_RECORDS": "home.example.com/A"}
    assert small_machine.ddns("init", "--name", "line").status == 0
    lines = small_machine.ddns("run").out.splitlines()
    assert lines[0].startswith("updated: 9.9.9.9 is version 1 of line; home.example.com A verified after ")
    assert lines[1] == (
        "unchanged: 2620:fe::fe is version 1 of line; no AAAA record in DDNS_RECORDS, so DNS is left alone"
    )


def test_json_on_failure_is_one_object_on_stdout_and_one_line_on_stderr(small_machine: Machine) -> None:
    small_machine.init()
    small_machine.aws.fault("ChangeResourceRecordSets", refuse("AccessDenied", "not you", 403))
    done = small_machine.ddns("run", "--json")
    assert (done.status, len(done.out.splitlines()), len(done.err.splitlines())) == (1, 1, 1)
    result = done.json
    (family,) = result["results"]
    (record,) = family["records"]
    assert record.pop("error") == family["error"]
    assert done.err == f"{family.pop('error')}\n"
    assert result == {
        "outcome": "failed",
        "name": "line",
        "results": [
            {
                "family": "ipv4",
                "outcome": "failed",
                "address": "9.9.9.9",
                "previous_address": "9.9.9.9",
                "version": 1,
                "source": small_machine.service.url,
                "records": [
                    {
                        "name": "home.example.com",
                        "type": "A",
                        "hosted_zone_id": small_machine.zone_id,
                        "state": "failed",
                        "change_id": None,
                    }
                ],
                "warnings": [],
            }
        ],
    }


def test_json_of_a_run_without_a_database_has_the_same_form(small_machine: Machine) -> None:
    done = small_machine.ddns("run", "--json", DDNS_IP_FAMILIES="ipv4,ipv6")
    error = f'there is no database at {sqlite_file(small_machine)}; run "ddns init --name NAME"'
    unknown: dict[str, object] = dict.fromkeys(("address", "previous_address", "version", "source"))
    assert (done.status, done.err) == (1, f"failed: {error}\n")
    assert done.json == {
        "outcome": "failed",
        "name": None,
        "results": [
            {"family": family, "outcome": "failed", **unknown, "records": [], "warnings": [], "error": error}
            for family in ("ipv4", "ipv6")
        ],
    }


def test_a_dry_run_says_what_it_would_do_and_does_nothing(small_machine: Machine) -> None:
    small_machine.init()

    def dry(line: str) -> None:
        before, records = contents(small_machine.database), small_machine.aws.record_sets(small_machine.zone_id)
        done = small_machine.ddns("run", "--dry-run")
        assert (done.status, done.out, done.err) == (0, f"dry run, {line}\n", "")
        assert contents(small_machine.database) == before
        assert small_machine.aws.record_sets(small_machine.zone_id) == records

    dry("updated: 9.9.9.9 is version 1 of line; home.example.com A would be published")
    assert small_machine.aws.calls
    assert {"ChangeResourceRecordSets", "GetChange"}.isdisjoint(small_machine.aws.calls)
    small_machine.run()
    small_machine.aws.calls.clear()
    dry("unchanged: 9.9.9.9 is version 1 of line; home.example.com A verified")
    assert small_machine.aws.calls == []
    small_machine.service.address = "1.1.1.1"
    dry("updated: 1.1.1.1 (was 9.9.9.9) would be version 2 of line; home.example.com A would be published")
    assert {"ChangeResourceRecordSets", "GetChange"}.isdisjoint(small_machine.aws.calls)
    assert small_machine.run("--dry-run")["outcome"] == "updated"
    small_machine.statements_hold("1.1.1.1")


def test_a_dry_run_fails_as_the_run_would(small_machine: Machine) -> None:
    small_machine.init()
    done = small_machine.ddns("run", "--dry-run", DDNS_RECORDS="home.example.net")
    assert (done.status, done.out) == (1, "")
    assert done.err.startswith("dry run, failed: no public hosted zone covers home.example.net")


def test_history_alone_is_kept_without_records(small_machine: Machine) -> None:
    small_machine.init()
    done = small_machine.ddns("run", DDNS_RECORDS=None)
    assert (done.status, done.err) == (0, "")
    assert done.out == "unchanged: 9.9.9.9 is version 1 of line; no DDNS_RECORDS, so DNS is left alone\n"
    assert small_machine.aws.calls == []


# history


def test_history_shows_the_same_in_each_format(machine: Machine) -> None:
    assert machine.ddns("init", "--name", "line", "--note", 'the "first",\none').status == 0
    machine.run(DDNS_RECORDS="home.example.com,*.example.com")
    machine.service.address = "1.1.1.1"
    machine.run(DDNS_RECORDS=None)
    machine.database.sql("UPDATE admin_ip_history SET createdAt = '2026-01-02 03:04:05' WHERE version = 1")

    table, as_json, as_csv = (machine.ddns("history", *options) for options in ([], ["--json"], ["--csv"]))
    assert [(each.status, each.err) for each in (table, as_json, as_csv)] == [(0, "")] * 3

    entries = as_json.json
    assert [(entry["version"], entry["address"], entry["family"], entry["note"]) for entry in entries] == [
        (2, "1.1.1.1", "ipv4", None),
        (1, "9.9.9.9", "ipv4", 'the "first",\none'),
    ]
    assert (entries[0]["until"], entries[1]["until"]) == (None, entries[0]["since"])
    assert [record["name"] for record in entries[1]["records"]] == ["*.example.com", "home.example.com"]
    assert {record["state"] for record in entries[1]["records"]} == {"verified"}
    since = [datetime.fromisoformat(entry["since"]) for entry in entries]
    assert entries[1]["held_seconds"] == (since[0] - since[1]).total_seconds()

    rows = list(csv.DictReader(io.StringIO(as_csv.out)))
    for row, entry in zip(rows, entries, strict=True):
        expected = {key: "" if entry[key] is None else str(entry[key]) for key in row}
        assert abs(int(row.pop("held_seconds")) - int(expected.pop("held_seconds"))) < 10
        assert row == expected

    lines = [re.split(r"\s{2,}", line.strip()) for line in table.out.partition("\n\n")[0].splitlines()]
    assert lines[0] == ["VERSION", "ADDRESS", "SINCE", "HELD", "DNS", "NOTE"]
    when = [each.astimezone(datetime.now().astimezone().tzinfo).strftime("%Y-%m-%d %H:%M:%S") for each in since]
    assert [*lines[1][:3], lines[1][4]] == ["2", "1.1.1.1", when[0], "-"]
    held = duration(timedelta(seconds=entries[1]["held_seconds"]))
    assert lines[2] == ["1", "9.9.9.9", when[1], held, entries[1]["dns"], 'the "first", one']


def test_history_is_newest_first_and_no_longer_than_asked(small_machine: Machine) -> None:
    small_machine.init()
    _append(small_machine, 40)
    assert [entry["version"] for entry in small_machine.ddns("history", "--json").json] == list(range(41, 21, -1))
    assert [entry["version"] for entry in small_machine.ddns("history", "--limit", "2", "--json").json] == [41, 40]


def test_history_shows_local_time(small_machine: Machine) -> None:
    small_machine.init()
    small_machine.database.sql("UPDATE admin_ip_history SET createdAt = '2026-01-02 03:04:05'")
    assert "2026-01-02 12:04:05" in small_machine.ddns("history", TZ="KST-9").out
    assert small_machine.ddns("history", "--json", TZ="KST-9").json[0]["since"] == "2026-01-02T03:04:05+00:00"


def test_a_pipe_that_closes_early_causes_no_traceback(small_machine: Machine) -> None:
    small_machine.init()
    _append(small_machine, 5000)
    for form in ("", "--json", "--csv"):
        command = shlex.join([sys.executable, "-m", "ddns_updater", "history", "--limit", "5000"])
        done = subprocess.run(
            ["bash", "-c", f"{command} {form} | head -1"],
            env=small_machine.environment, cwd=small_machine.folder, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert (len(done.stdout.splitlines()), done.stderr) == (1, "")


def test_a_closed_stdout_is_no_error(small_machine: Machine) -> None:
    small_machine.init()
    for arguments in ("history", "run"):
        done = subprocess.run(
            ["bash", "-c", f"{shlex.quote(sys.executable)} -m ddns_updater {arguments} >&-"],
            env=small_machine.environment, cwd=small_machine.folder, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, "")


def test_a_note_that_the_terminal_cannot_show_is_escaped(small_machine: Machine) -> None:
    assert small_machine.ddns("init", "--name", "line", "--ip", "9.9.9.9", "--note", "中").status == 0
    done = finish(small_machine.start("history", PYTHONIOENCODING="latin-1"))
    assert (done.status, done.err) == (0, "")
    assert done.out.splitlines()[1].endswith("\\u4e2d")


@pytest.mark.parametrize("columns", [40, 80])
def test_results_and_errors_are_wrapped_on_a_terminal(small_machine: Machine, columns: int) -> None:
    missing = screen(small_machine, columns, "history", DDNS_DATABASE_URL="sqlite:////tmp/none/ddns.sqlite3")
    assert " ".join(" ".join(missing).split()) == (
        'error: there is no database at /tmp/none/ddns.sqlite3; run "ddns init --name NAME"'
    )
    small_machine.init()
    updated = screen(small_machine, columns, "run")
    assert " ".join(" ".join(updated).split()).startswith(
        "updated: 9.9.9.9 is version 1 of line; home.example.com A verified after "
    )
    assert len(updated) > 1 or columns == 80
    assert all(len(line) <= columns for line in missing + updated)


# help, version, completion


@pytest.mark.parametrize("command", [*COMMANDS, *NESTED])
def test_the_help_of_a_command_ends_with_an_example(small_machine: Machine, command: str) -> None:
    done = as_installed(*command.split(), "-h")
    assert (done.status, done.err) == (0, "")
    assert done.out.encode("latin-1")
    assert done.out.startswith(f"Usage: ddns {command} [OPTIONS]")
    text = done.out.partition("\nOptions:\n")[0]
    last = text.rstrip().splitlines()
    assert last[-2].strip() == "Example:"
    assert last[-1].strip().startswith(f"ddns {command}")
    assert nothing_exists(small_machine)


def test_the_help_of_run_names_outcomes_and_exit_statuses(small_machine: Machine) -> None:
    done = small_machine.ddns("run", "--help")
    statuses = dict(re.findall(r"^    ([a-z, ]+?)  +(\d)$", done.out, re.MULTILINE))
    assert statuses == {"unchanged, updated, pending, skipped, off": "0", "failed, held": "1", "usage or settings": "2"}


@pytest.mark.parametrize("option", ["-h", "--help"])
def test_the_help_lists_the_commands(option: str) -> None:
    done = as_installed(option)
    assert (done.status, done.err) == (0, "")
    assert done.out.encode("latin-1")
    listed = re.findall(r"^  ([\w-]+)  ", done.out.partition("\nCommands:\n")[2], re.MULTILINE)
    assert tuple(listed) == COMMANDS


def test_without_a_command_it_shows_the_help(small_machine: Machine) -> None:
    done = as_installed()
    shown = done.out + done.err
    assert shown.startswith("Usage: ddns [OPTIONS] COMMAND")
    assert shown == as_installed("--help").out
    assert all(f"\n  {command} " in shown for command in COMMANDS)
    assert "error" not in shown
    assert nothing_exists(small_machine)


@pytest.mark.parametrize("columns", ["60", "80"])
def test_no_summary_of_a_command_is_cut_off_or_wrapped(small_machine: Machine, columns: str) -> None:
    lines = small_machine.ddns("--help", COLUMNS=columns).out.splitlines()
    for command, summary in _COMMANDS.items():
        assert f"  {command:10}  {summary}" in lines


@pytest.mark.parametrize("command", ["", *COMMANDS, *NESTED])
def test_the_help_fits_a_narrow_terminal_and_breaks_no_word(small_machine: Machine, command: str) -> None:
    wide, narrow = (small_machine.ddns(*command.split(), "--help", COLUMNS=columns).out for columns in ("80", "40"))
    assert all(len(line) <= 40 for line in narrow.splitlines())
    assert narrow.replace("\\\n", "").split() == wide.split()
    assert not re.search(r"(?<!\S)(?<!Route )\d+$", re.sub(r"  \d$", "", narrow, flags=re.MULTILINE), re.MULTILINE)


def test_a_command_that_the_help_breaks_is_one_that_a_shell_takes(small_machine: Machine) -> None:
    help_text = small_machine.ddns("init", "--help", COLUMNS="40").out
    example = help_text.partition("Example:\n")[2].partition("\n\n")[0]
    assert len(example.splitlines()) == 2
    done = subprocess.run(["sh", "-c", f"ddns() {{ printf '%s|' \"$@\"; }}\n{example}"], capture_output=True, text=True)
    assert done.stdout == "init|--name|home|--note|office line|"


@pytest.mark.parametrize("command", COMMANDS)
def test_the_summary_of_a_command_is_a_short_imperative_that_opens_its_help(
    small_machine: Machine, command: str
) -> None:
    summary = _COMMANDS[command]
    assert len(summary) <= 60
    assert not summary.endswith(".")
    assert re.match(r"[A-Z][a-z]+ ", summary)
    assert not summary.partition(" ")[0].endswith(("s", "ing"))
    assert f"\n\n  {summary}.\n\n" in small_machine.ddns(command, "--help", COLUMNS="80").out


def test_the_table_of_commands_names_every_file_that_defines_one() -> None:
    found: dict[str | None, str] = {}
    for file in Path(cli.__path__[0]).glob("*.py"):
        values = vars(import_module(f"ddns_updater.cli.{file.stem}")).values()
        commands = [value for value in values if isinstance(value, click.Command) and value is not main]
        nested = [each for value in commands if isinstance(value, click.Group) for each in value.commands.values()]
        found |= {value.name: file.stem for value in commands if value not in nested}
        assert not nested or tuple(each.name for each in nested) == OF_HOST
    assert found == {command: command.replace("-", "_") for command in _COMMANDS}
    assert tuple(_COMMANDS) == COMMANDS


def test_it_prints_its_version(small_machine: Machine) -> None:
    done = small_machine.ddns("--version")
    assert (done.status, done.out, done.err) == (0, f"ddns, version {__version__}\n", "")


def test_the_shell_completes_commands_and_options(small_machine: Machine) -> None:
    script = finish(small_machine.start(program=AS_INSTALLED, _DDNS_COMPLETE="bash_source"))
    assert (script.status, script.err) == (0, "")
    assert "complete " in script.out
    assert script.out.rstrip().endswith(" ddns;") or " ddns" in script.out

    def completed(words: str) -> list[str]:
        done = finish(
            small_machine.start(
                program=AS_INSTALLED,
                _DDNS_COMPLETE="bash_complete",
                COMP_WORDS=words,
                COMP_CWORD=str(len(words.split(" ")) - 1),
            )
        )
        assert done.err == ""
        return [line.partition(",")[2] for line in done.out.splitlines()]

    assert completed("ddns hi") == ["history"]
    assert completed("ddns run --dr") == ["--dry-run"]
    assert completed("ddns init --ip nonsense --no") == ["--note", "--no-create"]
    assert nothing_exists(small_machine)


# secrets


def test_no_secret_is_ever_shown(small_machine: Machine, mysql: Database, account: Callable[[str], str]) -> None:
    small_machine.database = mysql
    url = account("ALL")
    small_machine.environment |= {
        "DDNS_DATABASE_URL": url,
        "DDNS_IP_SOURCES": small_machine.service.url.replace("http://", "http://me:a-source-secret@") + "?key=a-key",
    }
    seen = []

    def see(*arguments: str, status: int = 0, **changes: Any) -> None:
        done = small_machine.ddns("-v", *arguments, **changes)
        assert done.status == status, done
        seen.append(done.out + done.err)

    see("init", "--name", "line")
    see("run")
    see("run", "--json")
    see("history", "--json")
    small_machine.service.address = "1.1.1.1"
    small_machine.aws.fault("ChangeResourceRecordSets", refuse("SignatureDoesNotMatch", "check your key", 403))
    see("run", "--json", status=1)
    small_machine.service.stop()
    see("run", "--json", status=1)
    see("run", status=1, DDNS_DATABASE_URL=url.replace("@", "x@"))
    see("run", status=1, DDNS_DATABASE_URL=f"{url}_missing")
    see("run", status=2, DDNS_DATABASE_URL=f"{url}?what=1")
    see("run", status=2, DDNS_DATABASE_URL=url.replace("mysql://", ""))
    see("run", status=1, DDNS_IP_SOURCES="command:false --password a-command-secret")
    see("run", status=2, DDNS_IP_SOURCES="command:false --password 'a-command-secret")
    with unavailable("dns"):
        for changes in (
            {},
            {"DDNS_DATABASE_URL": url.replace("@", "x@")},
            {"DDNS_DATABASE_URL": f"{url}?what=1"},
            {"DDNS_IP_SOURCES": "command:false --password a-command-secret"},
            {"DDNS_IP_SOURCES": "command:false --password 'a-command-secret"},
        ):
            see("doctor", status=1, **changes)
    everything = "\n".join(seen)
    assert "1.1.1.1" in everything
    others = ("a-secret-of-aws", "a-source-secret", "a-key", "a-command-secret")
    for secret in (PASSWORD, quote(PASSWORD, safe=""), *others):
        assert secret not in everything


def _append(machine: Machine, count: int) -> None:
    """Append `count` versions as another writer would."""
    machine.database.sql(
        "WITH RECURSIVE n(version) AS (SELECT 2 UNION ALL SELECT version + 1 FROM n WHERE version <= ?)"
        " INSERT INTO admin_ip_history (ip, name, version, originId)"
        " SELECT '9.9.9.9', 'line', version, (SELECT MIN(id) FROM admin_ip_history) FROM n",
        (count,),
    )


@pytest.mark.parametrize(
    ("arguments", "keeps_state"),
    [("--help", True), ("status --help", True), ("history", True), ("run", True), ("run", False), ("status", False)],
)
@pytest.mark.parametrize(("limit", "cause"), [("full", "No space left on device"), ("quota", "File too large")])
def test_output_that_cannot_be_written_is_one_line_of_error(
    small_machine: Machine, arguments: str, keeps_state: bool, limit: str, cause: str
) -> None:
    small_machine.init()
    small_machine.run()
    command = f"{shlex.quote(sys.executable)} -m ddns_updater {arguments}"
    script = f"exec {command} >/dev/full" if limit == "full" else f"ulimit -f 0; exec {command} >out"
    done = subprocess.run(
        ["bash", "-c", f"trap '' XFSZ; {script}"],
        env=small_machine.environment | ({} if keeps_state else {"DDNS_STATE_FOLDER": "/dev/null/none"}),
        cwd=small_machine.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    *before, last = done.stderr.splitlines()
    assert last == f"error: failed to write the output: {cause}; make room for it"
    assert before == [] or limit == "quota" or not keeps_state  # without room, a run cannot write its state file either
    assert "Traceback" not in done.stderr
    assert done.returncode == 1


@pytest.mark.parametrize("arguments", [("--log-format", "xml"), ("--nothing",), ("nothing",)])
def test_wrong_options_before_the_command_are_one_line_too(arguments: tuple[str, ...]) -> None:
    done = as_installed(*arguments)
    (line,) = done.err.splitlines()
    assert (done.status, done.out) == (2, "")
    assert line.startswith("error: ")
    assert line.endswith('; see "ddns --help"')
