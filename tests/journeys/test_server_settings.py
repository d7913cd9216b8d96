"""Settings of a MySQL server, and of an account, that other programs may need: a whole life under each of them."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import pytest

from tests.support.database import Database
from tests.support.machine import Machine


@pytest.fixture
def account(mysql: Database) -> Iterator[Callable[[str], str]]:
    """Give a function that makes an account with some options, which may do everything in the database."""
    name = mysql.url.rpartition("/")[2]
    user = f"{name}_a"

    def make(options: str = "") -> str:
        mysql.sql(f"CREATE USER {user}@'%' IDENTIFIED BY 'x' {options}")
        mysql.sql(f"GRANT ALL ON {name}.* TO {user}@'%'")
        return f"mysql://{user}:x@{mysql.url.partition('@')[2]}"

    yield make
    mysql.sql(f"DROP USER {user}@'%'")


@pytest.fixture
def on_mysql(small_machine: Machine, mysql: Database) -> Machine:
    small_machine.database = mysql
    small_machine.environment["DDNS_DATABASE_URL"] = mysql.url
    return small_machine


@contextmanager
def server_has(database: Database, variable: str, value: str) -> Iterator[None]:
    """Give new sessions this value of a variable."""
    ((before,),) = database.sql(f"SELECT @@GLOBAL.{variable}")
    database.sql(f"SET GLOBAL {variable} = {value}")
    try:
        yield
    finally:
        database.sql(f"SET GLOBAL {variable} = ?", (before,))


def assert_a_whole_life_works(machine: Machine) -> None:
    """Create the tables, publish, change, look, check, and seed a name that must be escaped."""
    done = machine.ddns("init", "--name", "line", "--ip", "8.8.8.8")
    assert (done.status, done.err) == (0, "")
    machine.service.address = "8.8.8.8"
    done = machine.ddns("run")
    assert (done.status, done.err) == (0, "")
    machine.service.address = "1.1.1.1"
    done = machine.ddns("run")
    assert (done.status, done.err) == (0, "")
    assert machine.run()["outcome"] == "unchanged"
    assert machine.database.versions() == [(1, "8.8.8.8"), (2, "1.1.1.1")]
    assert machine.database.states() == {"home.example.com": "verified"}
    assert machine.aws.address(machine.zone_id) == "1.1.1.1"
    assert [each["address"] for each in machine.ddns("history", "--json").json] == ["1.1.1.1", "8.8.8.8"]
    assert machine.ddns("status").status == 0
    checks = {each["name"]: each["state"] for each in machine.ddns("doctor", "--json").json["checks"]}
    assert (checks["database"], checks["schema"], checks["ipv4 origin"]) == ("ok", "ok", "ok")
    assert "grants" not in checks
    name = 'o\'brien \\ "x" || %s ?'
    done = machine.ddns("init", "--name", name, "--ip", "8.8.8.8")
    assert (done.status, done.err) == (0, "")
    assert machine.database.sql("SELECT name FROM admin_ip_history WHERE version = 1 ORDER BY id DESC LIMIT 1") == [
        (name,)
    ]


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("autocommit", "0"),
        ("sql_safe_updates", "1"),
        ("sql_mode", "'ANSI'"),
        ("sql_mode", "'ORACLE'"),
        ("sql_mode", "'PIPES_AS_CONCAT,ANSI_QUOTES,NO_BACKSLASH_ESCAPES,IGNORE_SPACE'"),
        ("sql_mode", "'TRADITIONAL,ONLY_FULL_GROUP_BY,NO_UNSIGNED_SUBTRACTION,PAD_CHAR_TO_FULL_LENGTH'"),
        ("sql_mode", "''"),
        ("wait_timeout", "1"),
        ("innodb_lock_wait_timeout", "1"),
        ("max_statement_time", "5"),
        ("tx_isolation", "'SERIALIZABLE'"),
        ("completion_type", "1"),
        ("sql_big_selects", "0"),
    ],
)
def test_a_server_with_a_setting_of_its_own_works(on_mysql: Machine, variable: str, value: str) -> None:
    with server_has(on_mysql.database, variable, value):
        assert_a_whole_life_works(on_mysql)


@pytest.mark.parametrize(
    "statement",
    [
        "SET autocommit = 0",
        "SET autocommit = 0, sql_safe_updates = 1, wait_timeout = 1",
        "SET sql_mode = 'ANSI,NO_BACKSLASH_ESCAPES'",
    ],
)
def test_an_account_whose_sessions_begin_with_a_statement_works(
    on_mysql: Machine, account: Callable[[str], str], statement: str
) -> None:
    """A server tells a client nothing of what its init_connect has changed."""
    on_mysql.environment["DDNS_DATABASE_URL"] = account("")
    with server_has(on_mysql.database, "init_connect", f'"{statement}"'):
        assert_a_whole_life_works(on_mysql)


@pytest.mark.parametrize("number", [1, 5])
def test_an_account_with_few_connections_works(on_mysql: Machine, account: Callable[[str], str], number: int) -> None:
    """Only `ddns init` needs more than one, when it has to change the tables."""
    on_mysql.environment["DDNS_DATABASE_URL"] = account(f"WITH MAX_USER_CONNECTIONS {number}")
    if number == 1:
        done = on_mysql.ddns("init", "--name", "line", "--ip", "8.8.8.8")
        assert (done.status, done.out, done.err.count("\n")) == (1, "", 1)
        assert " has no connection left: " in done.err
        assert "ddns init a few" in done.err
        assert on_mysql.database.is_empty()
        on_mysql.database.create_tables()
    assert_a_whole_life_works(on_mysql)


def test_a_run_without_a_free_connection_says_so(on_mysql: Machine, account: Callable[[str], str]) -> None:
    on_mysql.init("8.8.8.8")
    url = account("WITH MAX_USER_CONNECTIONS 1")
    with closing(Database("mysql", url).connect()):
        done = on_mysql.ddns("run", DDNS_DATABASE_URL=url)
    assert (done.status, done.out, done.err.count("\n")) == (1, "", 1)
    assert " has no connection left: " in done.err
    assert on_mysql.database.versions() == [(1, "8.8.8.8")]
    on_mysql.service.address = "1.1.1.1"
    on_mysql.statements_hold("1.1.1.1")
