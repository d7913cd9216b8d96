"""Tables that cannot take versions: `init` refuses them and changes nothing, and its line of SQL makes them fit."""

import re
from collections.abc import Mapping, Sequence
from contextlib import closing
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest

from ddns_updater.app import factories
from ddns_updater.errors import HistoryError
from ddns_updater.model import Family
from tests.support.database import Database
from tests.support.machine import Machine

_ON_MYSQL = {
    "id": "bigint NOT NULL AUTO_INCREMENT PRIMARY KEY",
    "createdAt": "datetime NOT NULL DEFAULT CURRENT_TIMESTAMP",
    "updatedAt": "datetime NOT NULL DEFAULT CURRENT_TIMESTAMP",
    "ip": "varchar(255) NOT NULL",
    "name": "varchar(255) NOT NULL",
    "version": "int NOT NULL DEFAULT 1",
    "originId": "bigint NOT NULL DEFAULT 0",
    "note": "text",
}
_COLUMNS = {"mysql": _ON_MYSQL, "sqlite": _ON_MYSQL | {"id": "integer PRIMARY KEY"}}
_ROW = {"id": 1, "ip": "8.8.8.8", "name": "line", "version": 1, "originId": 1}


class Case(NamedTuple):
    """A table: the columns that differ, what follows them, statements before and after it, and its only row."""

    told: str
    columns: Mapping[str, str] = MappingProxyType({})
    tail: str = ""
    options: str = ""
    before: str = ""
    after: str = ""
    row: Mapping[str, Any] = MappingProxyType({})
    is_seen: bool = True  # by doctor; else only by an INSERT

    def make(self, database: Database, *, rows: bool = True) -> None:
        """Make the table, with one row of its owner's, which nothing refuses."""
        columns = ", ".join(f"{name} {kind}" for name, kind in (_COLUMNS[database.engine] | dict(self.columns)).items())
        table = f"CREATE TABLE admin_ip_history ({columns}{self.tail}) {self.options}"
        row = _ROW | dict(self.row)
        insert = (
            f"INSERT INTO admin_ip_history ({', '.join(row)}) VALUES ({', '.join(map(literal, row.values()))})"
            if rows
            else ""
        )
        execute(database, [each for each in (self.before, table, insert, self.after) if each])


def execute(database: Database, statements: Sequence[str]) -> None:
    """Execute statements in one session, as somebody does who pastes them."""
    with closing(database.connect()) as connection:
        cursor = connection.cursor()
        for each in statements:
            cursor.execute(each)
        connection.commit()


def literal(value: object) -> str:
    """Return a value as SQL."""
    return f"x'{value.hex()}'" if isinstance(value, bytes) else repr(value)


def everything(database: Database) -> dict[str, Any]:
    """Return all that is in a database, byte for byte."""
    if database.engine == "sqlite":
        with closing(database.connect()) as connection:
            return {"dump": list(connection.iterdump())}
    tables = [str(row[0]) for row in database.sql("SHOW TABLES")]
    return {
        each: (database.sql(f"SHOW CREATE TABLE `{each}`"), database.sql(f"SELECT * FROM `{each}`")) for each in tables
    }


def statements(line: str) -> list[str]:
    """Return the statements in a line of `init`, as somebody pastes them."""
    if "; execute " in line:
        return line.partition("; execute ")[2].partition("; nothing was changed")[0].split("; ")
    return re.findall(r"\(((?:ALTER|DROP) .*?)\)[,;]", line)


_TRIGGER = "CREATE TRIGGER theirs BEFORE INSERT ON admin_ip_history FOR EACH ROW"
_MYSQL = {
    "a further column": Case(
        "column tenant is NOT NULL without a default, column group is NOT NULL without a default",
        {"tenant": "varchar(20) COLLATE utf8mb4_bin NOT NULL COMMENT 'it''s'", "`group`": "int NOT NULL"},
        row={"tenant": "x", "`group`": 1},
    ),
    "a further column of the key": Case(
        "column tenant is NOT NULL without a default",
        {"id": "bigint NOT NULL AUTO_INCREMENT", "tenant": "varchar(20) NOT NULL"},
        ", PRIMARY KEY (id, tenant)",
        row={"tenant": "x"},
    ),
    "id without AUTO_INCREMENT": Case("id is not AUTO_INCREMENT", {"id": "bigint NOT NULL PRIMARY KEY"}),
    "id without a key": Case("id is not AUTO_INCREMENT", {"id": "bigint NOT NULL"}),
    "another primary key": Case(
        "id is not AUTO_INCREMENT", {"id": "bigint NOT NULL"}, ", PRIMARY KEY (originId, version)"
    ),
    "UUIDs": Case(
        "id is char(36), originId is char(36)",
        {"id": "char(36) NOT NULL PRIMARY KEY DEFAULT (uuid())", "originId": "char(36) NOT NULL"},
        row={"id": "0b0e2f6c", "originId": "0b0e2f6c"},
    ),
    "narrow numbers": Case(
        "id is smallint(5) unsigned, version is tinyint(4), originId is smallint(6)",
        {
            "id": "smallint unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY",
            "version": "tinyint NOT NULL",
            "originId": "smallint NULL",
        },
    ),
    "an id near its end": Case(
        "id is int(11), originId is int(11)",
        {"id": "int NOT NULL AUTO_INCREMENT PRIMARY KEY", "originId": "int NOT NULL"},
        row={"id": 2_147_000_000, "originId": 2_147_000_000},
    ),
    "versions as text": Case(
        "version is varchar(20), originId is varchar(20)",
        {"version": "varchar(20) NOT NULL", "originId": "varchar(20) NOT NULL"},
    ),
    "a short ip": Case("ip is varchar(14), too short for 15 characters", {"ip": "varchar(14) NOT NULL"}),
    "a short name": Case("name is varchar(4), too short for", {"name": "varchar(4) NOT NULL"}),
    "a packed ip": Case(
        "ip is varbinary(16), not text", {"ip": "varbinary(16) NOT NULL"}, row={"ip": b"\x08\x08\x08\x08"}
    ),
    "a binary ip": Case(
        "ip is varbinary(255), not text, name is blob, not text", {"ip": "varbinary(255) NOT NULL", "name": "blob"}
    ),
    "a numeric ip": Case("ip is int(10) unsigned, not text", {"ip": "int unsigned NOT NULL"}, row={"ip": 134744072}),
    "a date": Case("createdAt is a date", {"createdAt": "date NOT NULL DEFAULT '2026-01-01'"}),
    "seconds": Case(
        "createdAt is bigint(20), not a time, updatedAt is bigint(20), not a time",
        {"createdAt": "bigint NOT NULL", "updatedAt": "bigint NOT NULL"},
        row={"createdAt": 1700000000, "updatedAt": 1700000000},
    ),
    "an address only once": Case("index theirs allows each name, ip only once", tail=", UNIQUE KEY theirs (name, ip)"),
    "a foreign key of ip": Case(
        "foreign key theirs refers to addresses.ip",
        before="CREATE TABLE addresses (ip varchar(255) PRIMARY KEY) AS SELECT '8.8.8.8' AS ip",
        tail=", CONSTRAINT theirs FOREIGN KEY (ip) REFERENCES addresses (ip)",
    ),
    "an engine that forgets": Case("its engine is MEMORY", {"note": "varchar(20)"}, options="ENGINE = MEMORY"),
    "partitions": Case("it is partitioned by id", options="PARTITION BY HASH (id) PARTITIONS 4"),
    "partitions by key": Case("it is partitioned by id", options="PARTITION BY KEY () PARTITIONS 4"),
    "system versioning": Case("MariaDB keeps its old rows", options="WITH SYSTEM VERSIONING"),
    "a CHECK": Case(
        "CONSTRAINT `theirs` failed",
        tail=", CONSTRAINT theirs CHECK (note IS NOT NULL)",
        row={"note": "x"},
        is_seen=False,
    ),
    "a CHECK of a column": Case(
        "note` failed",
        {"note": "text COMMENT 'theirs' CHECK (note IS NOT NULL)"},
        row={"note": "x"},
        is_seen=False,
    ),
    "a trigger that refuses": Case(
        "nothing doing (1644)",
        after=f"{_TRIGGER} SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'nothing doing'",
        is_seen=False,
    ),
    "a trigger that alters": Case(
        "is read as '198.51.100.254/32'", after=f"{_TRIGGER} SET NEW.ip = CONCAT(NEW.ip, '/32')", is_seen=False
    ),
    "a trigger that moves": Case("is read as nothing", after=f"{_TRIGGER} SET NEW.originId = 77", is_seen=False),
}
_SQLITE = {
    "a further column": Case(
        "column tenant is NOT NULL without a default, column group is NOT NULL without a default",
        {"tenant": "varchar(20) NOT NULL", '"group"': "int NOT NULL"},
        row={"tenant": "x", '"group"': 1},
    ),
    "id that is not the row's": Case("id is bigint, not integer PRIMARY KEY", {"id": "bigint PRIMARY KEY"}),
    "id without a key": Case("id is INTEGER, not integer PRIMARY KEY", {"id": "integer"}),
    "UUIDs": Case(
        "id is char(36), not integer PRIMARY KEY, originId is char(36), not a number",
        {"id": "char(36) PRIMARY KEY NOT NULL", "originId": "char(36) NOT NULL"},
        row={"id": "0b0e2f6c", "originId": "0b0e2f6c"},
    ),
    "a table without rowid": Case(
        "id is INTEGER, not integer PRIMARY KEY", {"id": "INTEGER NOT NULL PRIMARY KEY"}, options="WITHOUT ROWID"
    ),
    "a key of two columns": Case(
        "id is INTEGER, not integer PRIMARY KEY", {"id": "INTEGER NOT NULL"}, ", PRIMARY KEY (id, version)"
    ),
    "versions as text": Case("version is varchar(20), not a number", {"version": "varchar(20) NOT NULL"}),
    "an address only once": Case("allows each name, ip only once", tail=", UNIQUE (name, ip)"),
    "an index of addresses": Case(
        "index theirs allows each ip only once", after="CREATE UNIQUE INDEX theirs ON admin_ip_history (ip)"
    ),
    "a trigger that refuses": Case(
        "nothing doing",
        after=f"{_TRIGGER} BEGIN SELECT RAISE(ABORT, 'nothing doing'); END",
        is_seen=False,
    ),
    "a trigger that alters": Case(
        "is read as '198.51.100.254/32'",
        after="CREATE TRIGGER theirs AFTER INSERT ON admin_ip_history"
        " BEGIN UPDATE admin_ip_history SET ip = NEW.ip || '/32' WHERE id = NEW.id; END",
        is_seen=False,
    ),
}
_ALL = [("mysql", name) for name in _MYSQL] + [("sqlite", name) for name in _SQLITE]


def case_of(database: Database, name: str) -> Case:
    """Return a case on an engine."""
    return (_MYSQL if database.engine == "mysql" else _SQLITE)[name]


def table_check(machine: Machine) -> dict[str, Any] | None:
    """Return what doctor says of the table when it fails."""
    checks = machine.ddns("doctor", "--name", "line", "--json").json["checks"]
    return next((each for each in checks if each["name"] == "table" and each["state"] == "failed"), None)


@pytest.mark.parametrize(("database", "name"), _ALL, indirect=["database"])
def test_init_refuses_the_table_and_its_statements_make_it_fit(machine: Machine, name: str) -> None:
    database, case = machine.database, case_of(machine.database, name)
    called = "line" if name != "a short name" else "a longer line"
    case.make(database)
    before = everything(database)
    refused = machine.ddns("init", "--name", called, "--ip", "8.8.8.8")
    assert (refused.status, refused.out, refused.err.count("\n")) == (1, "", 1)
    assert case.told in refused.err
    assert refused.err.endswith("; nothing was changed\n")
    if case.is_seen and called == "line":
        check = table_check(machine)
        assert check is not None
        assert f"{check['found']}; {check['advice']}; " in refused.err
    assert everything(database) == before

    execute(database, statements(refused.err))
    done = machine.ddns("init", "--name", called, "--ip", "8.8.8.8")
    assert (done.status, done.err) == (0, "")
    assert table_check(machine) is None
    assert machine.run("--name", called)["outcome"] == "updated"
    assert machine.run("--name", called)["outcome"] == "unchanged"
    found = database.sql("SELECT version, ip FROM admin_ip_history WHERE name = ? ORDER BY version", (called,))
    assert found == [(1, "8.8.8.8"), (2, "9.9.9.9")]


@pytest.mark.parametrize(
    ("database", "name"), [each for each in _ALL if each[1] != "an id near its end"], indirect=["database"]
)
def test_init_refuses_the_empty_table_too(machine: Machine, name: str) -> None:
    case = case_of(machine.database, name)
    case.make(machine.database, rows=False)
    before = everything(machine.database)
    refused = machine.ddns("init", "--name", "a longer line", "--ip", "8.8.8.8")
    assert (refused.status, refused.out, refused.err.count("\n")) == (1, "", 1)
    assert everything(machine.database) == before


@pytest.mark.parametrize(
    ("column", "kind"),
    [
        ("version", "tinyint NOT NULL DEFAULT 1"),
        ("originId", "smallint NOT NULL DEFAULT 0"),
        ("ip", "varchar(12) NOT NULL"),
        ("note", "text CHECK (note IS NOT NULL)"),
    ],
)
def test_the_statements_keep_the_comments_of_columns(
    mysql: Database, small_machine: Machine, column: str, kind: str
) -> None:
    machine = small_machine
    machine.environment["DDNS_DATABASE_URL"] = mysql.url
    kind, check, condition = kind.partition(" CHECK")
    case = Case("", {column: f"{kind} COMMENT 'it''s \\\\theirs'{check}{condition}"}, row={"note": "x"})
    case.make(mysql)
    refused = machine.ddns("init", "--name", "line")
    assert refused.status == 1
    execute(mysql, statements(refused.err))
    assert machine.ddns("init", "--name", "line").status == 0
    found = mysql.sql(
        "SELECT COLUMN_COMMENT FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE()"
        " AND TABLE_NAME = 'admin_ip_history' AND COLUMN_NAME = ?",
        (column,),
    )
    assert found == [("it's \\theirs",)]


def test_rows_keep_their_origins_when_uuids_become_numbers(database: Database) -> None:
    key = {"mysql": "char(36) NOT NULL PRIMARY KEY", "sqlite": "char(36) NOT NULL PRIMARY KEY"}[database.engine]
    Case("", {"id": key, "originId": "char(36) NOT NULL"}).make(database, rows=False)
    rows = [("a", "line", 1, "a"), ("c", "other", 1, "c"), ("b", "line", 2, "a"), ("0", "other", 2, "c")]
    for row in rows:
        database.sql(
            "INSERT INTO admin_ip_history (id, name, version, originId, ip) VALUES (?, ?, ?, ?, '8.8.8.8')", row
        )
    with factories.open_history(database.settings(), for_init=True) as history:
        with pytest.raises(HistoryError) as refused:
            history.rehearse("line", [Family.IPV4])
        execute(database, statements(str(refused.value)))
        history.rehearse("line", [Family.IPV4])
        history.upgrade()
        assert [each.name for each in history.origins()] in (["line", "other"], ["other", "line"])
    found = database.sql(
        "SELECT o.name, h.version FROM admin_ip_history h JOIN admin_ip_history o ON o.id = h.originId"
        " WHERE h.name = o.name ORDER BY h.name, h.version"
    )
    assert found == [("line", 1), ("line", 2), ("other", 1), ("other", 2)]


def test_a_virtual_table_is_refused(small_machine: Machine) -> None:
    database = small_machine.database
    database.sql("CREATE VIRTUAL TABLE admin_ip_history USING fts5 (createdAt, updatedAt, ip, name, version)")
    before = everything(database)
    refused = small_machine.ddns("init", "--name", "line", "--ip", "8.8.8.8")
    assert (refused.status, refused.err.count("\n")) == (1, 1)
    assert "it is a virtual table" in refused.err
    assert everything(database) == before
