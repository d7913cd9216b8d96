"""Whatever names a file takes `~`; a file that holds a value may begin with a byte order mark and end with a line."""

from collections.abc import Callable
from pathlib import Path

import pytest

from ddns_updater.errors import InvalidValue, SettingsError
from ddns_updater.history.url import MySqlUrl, SqliteUrl
from ddns_updater.lib.files import named_path
from ddns_updater.settings.load import read_settings
from ddns_updater.settings.settings import Settings
from ddns_updater.settings.variables import SETTINGS
from ddns_updater.sources.spec import CommandSpec, FileSpec
from tests.support.database import load_settings_with
from tests.support.machine import Machine

BOM = "\ufeff"
ENDS = ["", "\n", "\r\n", "\n\n"]
VALUES = {
    "DDNS_SERVE_STATUS_PASSWORD": "a password",  # of each setting that can be in a file
    "DDNS_DATABASE_URL": "mysql://u:p@db/d",
    "DDNS_WEBHOOK_URLS": "https://hooks.example.com/x",
    "DDNS_NOTIFY_URLS": "ntfy://a-topic",
    "DDNS_HEARTBEAT_URL": "https://hc-ping.com/x",
}


def in_mysql(settings: Settings, part: str) -> object:
    assert isinstance(settings.database, MySqlUrl)
    return getattr(settings.database, part)


def source(settings: Settings) -> FileSpec:
    (found,) = settings.ip_sources
    assert isinstance(found, FileSpec)
    return found


PLACES: list[tuple[str, str, Callable[[Settings], object]]] = [
    ("DDNS_STATE_FOLDER", "~/here", lambda settings: settings.state_folder),
    ("DDNS_METRICS_FILE", "~/here.prom", lambda settings: settings.metrics_file),
    ("DDNS_DATABASE_URL", "sqlite:///~/here", lambda settings: settings.database.file),
    ("DDNS_DATABASE_URL", "mysql://u:p@db/d?ssl_ca=~/here", lambda settings: in_mysql(settings, "ssl_ca")),
    ("DDNS_DATABASE_URL", "mysql://u:p@db/d?ssl_ca=~/here&ssl_cert=~/here", lambda each: in_mysql(each, "ssl_cert")),
    (
        "DDNS_DATABASE_URL",
        "mysql://u:p@db/d?ssl_ca=%7E/here&ssl_cert=~/here&ssl_key=~/here",
        lambda each: in_mysql(each, "ssl_key"),
    ),
    (
        "DDNS_DATABASE_URL",
        "mysql://u:p@db/d?server_public_key=~/here",
        lambda each: in_mysql(each, "server_public_key"),
    ),
    ("DDNS_IP_SOURCES", "file:~/here", lambda settings: source(settings).path),
]


@pytest.mark.parametrize(("variable", "text", "place"), PLACES, ids=[f"{each[0]}={each[1]}" for each in PLACES])
def test_each_setting_that_names_a_file_takes_the_home_folder(
    variable: str, text: str, place: Callable[[Settings], object]
) -> None:
    here = Path.home() / "here"
    here.touch()
    found = place(load_settings_with({variable: text}))
    assert str(found) == str(here) + (".prom" if text.endswith(".prom") else "")


@pytest.mark.parametrize("variable", [each.variable for each in SETTINGS if each.is_secret])
@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("begin", ["", BOM])
def test_each_setting_that_a_file_holds_may_be_in_the_home_folder(variable: str, begin: str, end: str) -> None:
    (Path.home() / "secret").write_bytes(f"{begin}{VALUES[variable]}{end}".encode())
    assert load_settings_with({f"{variable}_FILE": "~/secret"}) == load_settings_with({variable: VALUES[variable]})


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("begin", ["", BOM])
def test_so_may_the_settings_file_that_is_named(small_machine: Machine, begin: str, end: str) -> None:
    small_machine.init(name="another")
    small_machine.init(name="line")
    (small_machine.folder / "settings").write_bytes(f"{begin}DDNS_NAME=another{end}".encode())
    done = small_machine.ddns("--env-file", "~/settings", "status", "--json")
    assert done.json["name"] == "another"
    assert done.err == ""


def test_a_file_that_holds_nothing_but_a_mark_is_empty() -> None:
    (Path.home() / "secret").write_text(BOM + "\n")
    with pytest.raises(SettingsError, match="DDNS_HEARTBEAT_URL_FILE='~/secret' is an empty file"):
        load_settings_with({"DDNS_HEARTBEAT_URL_FILE": "~/secret"})


@pytest.mark.parametrize("begin", ["", BOM])
def test_an_address_file_in_the_home_folder_is_published(small_machine: Machine, begin: str) -> None:
    small_machine.init()
    (small_machine.folder / "address").write_bytes(f"{begin}1.1.1.1\r\n".encode())
    (result,) = small_machine.run(DDNS_IP_SOURCES="file:~/address")["results"]
    assert (result["address"], result["source"]) == ("1.1.1.1", "file:~/address")
    assert small_machine.aws.address(small_machine.zone_id) == "1.1.1.1"


def test_a_program_in_the_home_folder_is_run(small_machine: Machine) -> None:
    small_machine.init()
    program = small_machine.folder / "my ip"
    program.write_text("#!/bin/sh\necho $1\n")
    program.chmod(0o700)
    (result,) = small_machine.run(DDNS_IP_SOURCES="command:'~/my ip' 1.1.1.1")["results"]
    assert (result["address"], result["source"]) == ("1.1.1.1", "command:~/my ip")


@pytest.mark.parametrize("program", ["./router-ip", "folder//router-ip", "~router-ip", "router~/ip", "/usr/bin/ssh"])
def test_a_program_elsewhere_is_taken_as_it_is_written(program: str) -> None:
    assert CommandSpec(f"command:{program} ~/x").words == (program, "~/x")


def test_the_same_file_counts_as_one_source_however_it_is_written() -> None:
    assert FileSpec("file:~/address").host == FileSpec(f"file:{Path.home()}/address").host


@pytest.mark.parametrize(
    "values",
    [
        {"DDNS_STATE_FOLDER": "~nobody-of-that-name/x"},
        {"DDNS_METRICS_FILE": "~nobody-of-that-name/x.prom"},
        {"DDNS_DATABASE_URL": "sqlite:///~nobody-of-that-name/x"},
        {"DDNS_DATABASE_URL": "mysql://u:p@db/d?ssl_ca=~nobody-of-that-name/x"},
        {"DDNS_HEARTBEAT_URL_FILE": "~nobody-of-that-name/x"},
        {"DDNS_IP_SOURCES": "file:~nobody-of-that-name/x"},
        {"DDNS_IP_SOURCES": "command:~nobody-of-that-name/x"},
        {"DDNS_STATE_FOLDER": "~/x", "HOME": "relative", "DDNS_DATABASE_URL": "sqlite:////x"},
    ],
)
def test_a_home_folder_that_is_unknown_is_a_problem_of_the_setting(values: dict[str, str]) -> None:
    with pytest.raises(SettingsError) as refused:
        load_settings_with(values)
    assert str(refused.value).startswith(next(iter(values)))
    assert str(refused.value).count("\n") == 0
    assert not Path("~").exists()


def test_a_settings_file_in_an_unknown_home_folder_is_a_problem_of_the_option() -> None:
    with pytest.raises(SettingsError) as refused:
        read_settings(Path("~nobody-of-that-name/x")).valid()
    assert str(refused.value) == (
        "--env-file '~nobody-of-that-name/x' begins with the home folder of an unknown user; write the full path"
    )


@pytest.mark.parametrize("text", ["~a\0b/x", "~nobody-of-that-name", "~nobody-of-that-name/x"])
def test_no_path_begins_with_a_folder_called_so(text: str) -> None:
    with pytest.raises(InvalidValue):
        named_path(text)


@pytest.mark.parametrize("text", ["", "x", "./~", "a/~/b", "/~/x"])
def test_any_other_path_stays_as_it_is(text: str) -> None:
    assert named_path(text) == Path(text)


def test_the_default_database_can_be_written_with_the_home_folder() -> None:
    written = load_settings_with({"DDNS_DATABASE_URL": "sqlite:///~/.config/ddns-updater/ddns.sqlite3"}).database
    assert isinstance(written, SqliteUrl)
    assert written == read_settings().valid().database
