"""Tables that are odd and take versions all the same, what doctor says of them, and tables that change later."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ddns_updater.app import factories
from ddns_updater.model import Family, Window
from tests.history.test_adoption import Case, everything, execute, statements, table_check
from tests.support.database import Database, only_origin
from tests.support.machine import Machine

_ON_MYSQL = pytest.mark.parametrize("database", ["mysql"], indirect=True)
_TRIGGER = "CREATE TRIGGER theirs BEFORE INSERT ON admin_ip_history FOR EACH ROW"
_MYSQL = {
    "COMPACT rows": Case("", options="ROW_FORMAT = COMPACT CHARACTER SET utf8mb4"),
    "REDUNDANT rows": Case("", options="ROW_FORMAT = REDUNDANT CHARACTER SET utf8mb4"),
    "MyISAM": Case("", options="ENGINE = MyISAM CHARACTER SET utf8mb4"),
    "Aria": Case("", options="ENGINE = Aria CHARACTER SET utf8mb4"),
    "latin1": Case("", options="CHARACTER SET latin1"),
    "texts": Case("", {"ip": "text NOT NULL", "name": "longtext NOT NULL"}, options="CHARACTER SET utf8mb4"),
    "chars": Case("", {"ip": "char(39) NOT NULL", "name": "char(100) NOT NULL"}),
    "partitions": Case("", {"id": "bigint NOT NULL AUTO_INCREMENT"}, ", KEY (id)", "PARTITION BY HASH (originId)"),
    "its own key": Case("", tail=", FOREIGN KEY (originId) REFERENCES admin_ip_history (id)"),
    "a filled foreign key": Case(
        "",
        before="CREATE TABLE offices (id bigint PRIMARY KEY) AS SELECT 1 AS id",
        tail=", FOREIGN KEY (originId) REFERENCES offices (id)",
    ),
    "a trigger that fills": Case(
        "", {"tenant": "varchar(9) NOT NULL"}, after=f"{_TRIGGER} SET NEW.tenant = 'x'", row={"tenant": "x"}
    ),
    "CHECKs": Case("", tail=", CHECK (originId > 0), CHECK (version > 0), CHECK (ip RLIKE '^[0-9.]+$')"),
    "unsigned numbers": Case(
        "",
        {
            "id": "int unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY",
            "originId": "int unsigned NOT NULL",
            "version": "mediumint unsigned NOT NULL",
        },
    ),
    "a generated column": Case("", {"upper": "varchar(255) AS (ucase(name)) STORED"}),
    "keys that no version repeats": Case(
        "", {"uuid": "char(36) NULL UNIQUE"}, ", UNIQUE (name, version), UNIQUE (name, ip, createdAt), UNIQUE (ip, id)"
    ),
    "an id from a function": Case("", {"id": "bigint NOT NULL DEFAULT (uuid_short()) PRIMARY KEY"}),
    "row 0": Case("", row={"id": -1, "originId": 0}),
    "columns with odd names": Case("", {"ended": "int", "`group`": "int", "next_began": "int NOT NULL DEFAULT 0"}),
}
_STRICT = dict.fromkeys(("createdAt", "updatedAt", "ip", "name", "note"), "TEXT") | {
    "id": "INTEGER PRIMARY KEY",
    "version": "INT",
    "originId": "INTEGER",
}
_SQLITE = {
    "CHECKs": Case("", tail=", CHECK (id > 0), CHECK (version > 0), CHECK (length(ip) <= 15)"),
    "its own key": Case("", tail=", FOREIGN KEY (originId) REFERENCES admin_ip_history (id)"),
    "keys that no version repeats": Case("", {"uuid": "text UNIQUE"}, ", UNIQUE (name, version), UNIQUE (ip, id)"),
    "a generated column": Case("", {"upper": "text AS (upper(name))"}),
    "STRICT": Case("", _STRICT, options="STRICT"),
    "no types": Case("", {"ip": "", "name": "", "version": "", "originId": "", "createdAt": ""}),
    "row 0": Case("", row={"id": -1, "originId": 0}),
}
_ALL = [("mysql", name) for name in _MYSQL] + [("sqlite", name) for name in _SQLITE]


@pytest.mark.parametrize(("database", "name"), _ALL, indirect=["database"])
def test_an_odd_table_takes_versions(machine: Machine, name: str) -> None:
    database = machine.database
    case = (_MYSQL if database.engine == "mysql" else _SQLITE)[name]
    case.make(database)
    before = database.sql("SELECT * FROM admin_ip_history")
    done = machine.ddns("init", "--name", "line")
    assert (done.status, done.err) == (0, "")
    assert database.sql("SELECT * FROM admin_ip_history") == before
    assert table_check(machine) is None
    assert machine.run("--dry-run")["outcome"] == "updated"
    assert machine.run()["outcome"] == "updated"
    assert machine.run()["outcome"] == "unchanged"
    assert database.versions() == [(1, "8.8.8.8"), (2, "9.9.9.9")]
    assert database.sql("SELECT COUNT(*) FROM admin_ip_history WHERE originId IS NOT NULL AND id IS NOT NULL") == [(2,)]
    assert machine.ddns("init", "--name", "line").out.endswith("nothing changed\n")
    assert len(machine.ddns("history", "--json").json) == 2


def test_a_rehearsal_leaves_no_trace(database: Database) -> None:
    Case("").make(database)
    before = everything(database)
    with factories.open_history(database.settings(), for_init=True) as history:
        history.rehearse("line", [Family.IPV4])  # an origin that is there
        assert everything(database) == before
        history.rehearse("line", [Family.IPV4, Family.IPV6])
        history.rehearse("another", [Family.IPV6])
        assert everything(database) == before


@_ON_MYSQL
def test_the_format_of_new_tables_does_not_depend_on_the_server(machine: Machine) -> None:
    machine.database.sql("SET GLOBAL innodb_default_row_format = compact")
    try:
        machine.init()
        assert machine.ddns("init", "--name", "another", "--ip", "8.8.8.8").status == 0
    finally:
        machine.database.sql("SET GLOBAL innodb_default_row_format = dynamic")
    formats = machine.database.sql(
        "SELECT LOWER(ROW_FORMAT) FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE()"
        " AND TABLE_NAME IN ('admin_ip_history', 'admin_dns_publication')"
    )
    assert formats == [("dynamic",), ("dynamic",)]


# Names that are taken


@_ON_MYSQL
def test_a_table_in_another_letter_case_is_no_missing_table(machine: Machine) -> None:
    database = machine.database
    Case("").make(database)
    database.sql("RENAME TABLE admin_ip_history TO Admin_IP_History")
    before = everything(database)
    refused = machine.ddns("init", "--name", "line", "--ip", "8.8.8.8")
    assert (refused.status, refused.err.count("\n")) == (1, 1)
    assert "it is called Admin_IP_History" in refused.err
    check = table_check(machine)
    assert check is not None
    assert check["advice"] in refused.err
    assert everything(database) == before
    execute(database, statements(refused.err))
    assert machine.ddns("init", "--name", "line").status == 0
    assert machine.run()["outcome"] == "updated"
    assert database.versions() == [(1, "8.8.8.8"), (2, "9.9.9.9")]


@_ON_MYSQL
def test_a_table_in_another_letter_case_beside_ours_is_none_of_ours(machine: Machine) -> None:
    machine.init("8.8.8.8")
    machine.database.sql("CREATE TABLE Admin_IP_History (id int)")
    assert machine.ddns("init", "--name", "line").status == 0
    assert machine.run()["outcome"] == "updated"


def test_a_table_of_sqlite_in_another_letter_case_is_adopted(small_machine: Machine) -> None:
    database = small_machine.database
    Case("", {"tenant": "text"}).make(database)
    database.sql("ALTER TABLE admin_ip_history RENAME TO for_a_moment")
    database.sql("ALTER TABLE for_a_moment RENAME TO Admin_IP_History")
    database.sql("INSERT INTO admin_ip_history (ip, name, version, originId) VALUES ('8.8.8.8', 'line', 1, 1)")
    assert "exist twice" in small_machine.ddns("init", "--name", "line").err
    database.sql("DELETE FROM admin_ip_history WHERE id = 2")
    assert small_machine.ddns("init", "--name", "line").status == 0
    assert small_machine.run()["outcome"] == "updated"
    assert database.versions() == [(1, "8.8.8.8"), (2, "9.9.9.9")]


def test_a_view_is_refused(machine: Machine) -> None:
    database = machine.database
    Case("").make(database)
    database.sql("ALTER TABLE admin_ip_history RENAME TO theirs")
    database.sql("CREATE VIEW admin_ip_history AS SELECT * FROM theirs")
    before = everything(database)
    refused = machine.ddns("init", "--name", "line", "--ip", "8.8.8.8")
    assert (refused.status, refused.err.count("\n")) == (1, 1)
    assert "it is a view" in refused.err
    assert table_check(machine) is not None
    assert everything(database) == before


# What doctor says, and what a table refuses later


def remarks(machine: Machine) -> dict[str, Any]:
    """Return what doctor says of a table that takes versions, with its state."""
    checks = machine.ddns("doctor", "--json").json["checks"]
    return {each["found"]: each["state"] for each in checks if each["name"] == "table"}


@_ON_MYSQL
def test_doctor_names_what_may_surprise_and_writes_nothing(machine: Machine) -> None:
    database = machine.database
    case = Case(
        "",
        {"createdAt": "timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP"},
        ", CONSTRAINT one FOREIGN KEY (originId) REFERENCES admin_ip_history (id)",
        after=f"{_TRIGGER} SET NEW.note = 'x'",
    )
    case.make(database)
    machine.ddns("init", "--name", "line")
    before = everything(database)
    assert remarks(machine) == {
        "each UPDATE of a row changes its createdAt": "warning",
        "foreign key one: originId has to be in admin_ip_history.id": "note",
        "trigger theirs is executed for every new version": "note",
    }
    assert everything(database) == before
    checks = machine.ddns("doctor", "--json").json["checks"]
    (advice,) = [each["advice"] for each in checks if each["found"].startswith("each UPDATE")]
    execute(database, [advice.removeprefix("execute ")])
    database.sql("UPDATE admin_ip_history SET createdAt = '2026-01-01 00:00:00'")
    database.sql("UPDATE admin_ip_history SET note = 'y'")
    assert database.sql("SELECT YEAR(createdAt), MONTH(createdAt) FROM admin_ip_history") == [(2026, 1)]
    assert len(remarks(machine)) == 2


@_ON_MYSQL
def test_doctor_warns_of_an_engine_without_transactions(machine: Machine) -> None:
    Case("", options="ENGINE = MyISAM").make(machine.database)
    machine.ddns("init", "--name", "line")
    assert remarks(machine) == {"its engine MyISAM has no transactions; a crash may damage it": "warning"}


_LATER = {
    "mysql": {
        "a trigger that alters": f"{_TRIGGER} SET NEW.ip = CONCAT(NEW.ip, '/32')",
        "a trigger that moves": f"{_TRIGGER} SET NEW.originId = 77",
        "a column": "ALTER TABLE admin_ip_history ADD tenant varchar(9) NOT NULL, ALTER tenant DROP DEFAULT",
        "a binary column": "ALTER TABLE admin_ip_history MODIFY ip varbinary(255) NOT NULL",
        "a short column": "ALTER TABLE admin_ip_history MODIFY ip varchar(7) NOT NULL",
    },
    "sqlite": {
        "a trigger that alters": "CREATE TRIGGER theirs AFTER INSERT ON admin_ip_history"
        " BEGIN UPDATE admin_ip_history SET ip = NEW.ip || '/32' WHERE id = NEW.id; END",
        "a trigger that moves": "CREATE TRIGGER theirs AFTER INSERT ON admin_ip_history"
        " BEGIN UPDATE admin_ip_history SET originId = 77 WHERE id = NEW.id; END",
        "a unique key": "CREATE UNIQUE INDEX theirs ON admin_ip_history (name)",
    },
}


@pytest.mark.parametrize(
    ("database", "name"), [(engine, name) for engine in _LATER for name in _LATER[engine]], indirect=["database"]
)
def test_a_run_fails_on_what_a_table_refuses_later_and_adds_nothing(machine: Machine, name: str) -> None:
    machine.init("8.8.8.8")
    machine.database.sql(_LATER[machine.database.engine][name])
    machine.service.address = "192.203.230.10"
    before = machine.database.sql("SELECT * FROM admin_ip_history")
    for _ in range(2):
        done = machine.ddns("run")
        assert (done.status, done.out, done.err.count("\n")) == (1, "", 1)
        assert machine.database.sql("SELECT * FROM admin_ip_history") == before
    assert "trigger" in name or table_check(machine) is not None
    assert "trigger" in name or machine.ddns("run", "--dry-run").status == 1


@pytest.fixture
def lenient(machine: Machine) -> Iterator[Machine]:
    """Give a machine whose server shortens what is too long, and pads columns."""
    mode = machine.database.sql("SELECT @@GLOBAL.sql_mode")[0][0]
    machine.database.sql("SET GLOBAL sql_mode = 'PAD_CHAR_TO_FULL_LENGTH,ANSI_QUOTES'")
    yield machine
    machine.database.sql("SET GLOBAL sql_mode = ?", (mode,))


@_ON_MYSQL
def test_a_lenient_server_fills_columns_and_is_not_trusted_with_addresses(lenient: Machine) -> None:
    database = lenient.database
    case = Case("", {"tenant": "varchar(9) NOT NULL", "ip": "char(15) NOT NULL"}, row={"tenant": "x"})
    case.make(database)
    refused = lenient.ddns("init", "--name", "line")
    assert "alters what is written to it" in refused.err
    assert refused.status == 1
    database.sql("ALTER TABLE admin_ip_history MODIFY ip varchar(15) NOT NULL")
    assert lenient.ddns("init", "--name", "line").status == 0
    assert table_check(lenient) is None
    assert lenient.run()["outcome"] == "updated"
    assert database.sql("SELECT version, ip, tenant FROM admin_ip_history WHERE id > 1") == [(2, "9.9.9.9", "")]
    database.sql("ALTER TABLE admin_ip_history MODIFY ip varchar(9) NOT NULL")
    lenient.service.address = "192.203.230.10"
    assert lenient.ddns("run").status == 1
    assert lenient.ddns("run").status == 1
    assert len(database.versions()) == 2


@_ON_MYSQL
def test_a_column_for_ipv4_is_too_short_for_ipv6(machine: Machine) -> None:
    Case("", {"ip": "varchar(15) NOT NULL"}).make(machine.database)
    arguments = ["init", "--name", "line", "--ip", "8.8.8.8", "--ip", "2620:fe::fe"]
    before = everything(machine.database)
    refused = machine.ddns(*arguments, DDNS_IP_FAMILIES="ipv4,ipv6")
    assert "ip is varchar(15), too short for 39 characters" in refused.err
    assert everything(machine.database) == before
    execute(machine.database, statements(refused.err))
    assert machine.ddns(*arguments, DDNS_IP_FAMILIES="ipv4,ipv6").status == 0
    assert machine.database.versions() == [(1, "8.8.8.8"), (1, "2620:fe::fe")]


def test_a_unique_name_and_version_leave_no_room_for_a_second_family(machine: Machine) -> None:
    Case("", tail=", CONSTRAINT theirs UNIQUE (name, version)").make(machine.database)
    arguments = ["init", "--name", "line", "--ip", "2620:fe::fe"]
    refused = machine.ddns(*arguments, DDNS_IP_FAMILIES="ipv4,ipv6")
    assert "allows each name, version only once" in refused.err
    execute(machine.database, statements(refused.err))
    assert machine.ddns(*arguments, DDNS_IP_FAMILIES="ipv4,ipv6").status == 0
    assert machine.database.versions() == [(1, "8.8.8.8"), (1, "2620:fe::fe")]


# Times


@pytest.mark.parametrize("kind", ["timestamp", "timestamp(3)", "datetime", "datetime(6)"])
@pytest.mark.parametrize("zone", ["+09:00", "-05:30"])
@_ON_MYSQL
def test_times_are_right_in_every_column_and_time_zone(database: Database, kind: str, zone: str) -> None:
    database.sql(f"SET GLOBAL time_zone = '{zone}'")
    try:
        fraction = kind.partition("(")[2]
        default = f"CURRENT_TIMESTAMP({fraction}" if fraction else "CURRENT_TIMESTAMP"
        Case("", {"createdAt": f"{kind} NOT NULL DEFAULT {default}", "updatedAt": f"{kind} NOT NULL"}, row={
            "updatedAt": "2026-01-01 00:00:00"}).make(database)  # fmt: skip
        with factories.open_history(database.settings(), for_init=True) as history:
            history.upgrade()
            origin = only_origin(history)
            first = history.latest(origin).version
            assert first.address is not None
            second = history.append(origin, first, first.address).version
            assert history.latest(origin).version == second
            entry = history.entries(origin, 1, Window())[0]
            assert entry.version == second
        for version in (first, second):
            assert version.version in (1, 2)
            assert abs(datetime.now(UTC) - version.created_at) < timedelta(minutes=1)
    finally:
        database.sql("SET GLOBAL time_zone = 'SYSTEM'")


def test_a_time_in_milliseconds_is_read_as_prisma_writes_it(small_machine: Machine) -> None:
    row = {"createdAt": 1767225600000, "updatedAt": 1767225600000}
    Case("", row=row).make(small_machine.database)
    assert small_machine.ddns("init", "--name", "line").status == 0
    assert small_machine.run()["outcome"] == "updated"
    second, first = small_machine.ddns("history", "--json").json
    assert first["since"] == "2026-01-01T00:00:00+00:00"
    assert abs(datetime.now(UTC) - datetime.fromisoformat(second["since"])) < timedelta(minutes=1)
