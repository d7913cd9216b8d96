"""Tables that an ORM made: what a version leaves to the table, and dates that it is read by."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.support.database import Database
from tests.support.machine import Machine

# As `migrate` makes them, by framework: the part in parentheses of CREATE TABLE admin_ip_history.
_MYSQL = {
    "Django": "id bigint AUTO_INCREMENT NOT NULL PRIMARY KEY, createdAt datetime(6) NOT NULL,"
    " updatedAt datetime(6) NOT NULL, ip varchar(39) NOT NULL, name varchar(255) NOT NULL,"
    " version integer UNSIGNED NOT NULL CHECK (version >= 0), originId bigint NOT NULL, note longtext NOT NULL",
    "Prisma": "id INTEGER NOT NULL AUTO_INCREMENT, createdAt DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),"
    " updatedAt DATETIME(3) NOT NULL, ip VARCHAR(191) NOT NULL, name VARCHAR(191) NOT NULL,"
    " version INTEGER NOT NULL DEFAULT 1, originId INTEGER NOT NULL DEFAULT 0, note VARCHAR(191) NULL,"
    " PRIMARY KEY (id)",
    "TypeORM": "id int NOT NULL AUTO_INCREMENT, createdAt datetime(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),"
    " updatedAt datetime(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6),"
    " ip varchar(255) NOT NULL, name varchar(255) NOT NULL, version int NOT NULL, originId int NOT NULL,"
    " note text NOT NULL, isActive tinyint NOT NULL DEFAULT 1, PRIMARY KEY (id)",
    "Sequelize": "id INTEGER auto_increment, createdAt DATETIME NOT NULL, updatedAt DATETIME NOT NULL,"
    " ip VARCHAR(255), name VARCHAR(255), version INTEGER, originId BIGINT, note TEXT, ended DATETIME,"
    " PRIMARY KEY (id)",
    "Laravel": "id bigint unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, createdAt timestamp NULL,"
    " updatedAt timestamp NULL, ip varchar(255) NOT NULL, name varchar(255) NOT NULL,"
    " version int NOT NULL DEFAULT '1', originId bigint unsigned NOT NULL DEFAULT '0', note text NULL",
    "MariaDB's old timestamps": "id bigint NOT NULL AUTO_INCREMENT PRIMARY KEY, createdAt timestamp NOT NULL"
    " DEFAULT '2000-01-01 00:00:00', updatedAt timestamp NOT NULL DEFAULT '2000-01-01 00:00:00', ip char(45) NOT NULL,"
    " name tinytext NOT NULL, version int NOT NULL, originId bigint NOT NULL, note varchar(20) NOT NULL DEFAULT '-'",
    "other letter case": "ID bigint NOT NULL AUTO_INCREMENT PRIMARY KEY, CREATEDAT datetime NOT NULL,"
    " UPDATEDAT datetime NOT NULL, IP varchar(255) NOT NULL, NAME varchar(255) NOT NULL, VERSION int NOT NULL,"
    " ORIGINID bigint NOT NULL, NOTE text NOT NULL",
}
_SQLITE = {
    "Django": '"id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "createdAt" datetime NOT NULL,'
    ' "updatedAt" datetime NOT NULL, "ip" char(39) NOT NULL, "name" varchar(255) NOT NULL,'
    ' "version" integer unsigned NOT NULL CHECK ("version" >= 0), "originId" bigint NOT NULL, "note" text NOT NULL',
    "Prisma": '"id" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, "createdAt" DATETIME NOT NULL'
    ' DEFAULT CURRENT_TIMESTAMP, "updatedAt" DATETIME NOT NULL, "ip" TEXT NOT NULL, "name" TEXT NOT NULL,'
    ' "version" INTEGER NOT NULL DEFAULT 1, "originId" INTEGER NOT NULL DEFAULT 0, "note" TEXT',
    "TypeORM": '"id" integer PRIMARY KEY AUTOINCREMENT NOT NULL, "createdAt" datetime NOT NULL'
    " DEFAULT (datetime('now')), \"updatedAt\" datetime NOT NULL DEFAULT (datetime('now')), \"ip\" varchar NOT NULL,"
    ' "name" varchar NOT NULL, "version" integer NOT NULL, "originId" integer NOT NULL, "note" varchar NOT NULL,'
    ' "isActive" boolean NOT NULL DEFAULT (1)',
    "Sequelize": "`id` INTEGER PRIMARY KEY AUTOINCREMENT, `createdAt` DATETIME NOT NULL, `updatedAt` DATETIME NOT NULL,"
    " `ip` VARCHAR(255), `name` VARCHAR(255), `version` INTEGER, `originId` BIGINT, `note` TEXT, `ended` DATETIME",
    "Laravel": '"id" integer primary key autoincrement not null, "createdAt" datetime, "updatedAt" datetime,'
    ' "ip" varchar not null, "name" varchar not null, "version" integer not null default \'1\','
    ' "originId" integer not null default \'0\', "note" text',
    "MariaDB's old timestamps": "id integer PRIMARY KEY, createdAt timestamp NOT NULL DEFAULT '0000-00-00 00:00:00',"
    " updatedAt timestamp NOT NULL DEFAULT '0000-00-00 00:00:00', ip char(45) NOT NULL, name tinytext NOT NULL,"
    " version int NOT NULL, originId bigint NOT NULL, note varchar(20) NOT NULL DEFAULT '-'",
    "other letter case": "ID integer PRIMARY KEY, CREATEDAT datetime NOT NULL, UPDATEDAT datetime NOT NULL,"
    " IP varchar(255) NOT NULL, NAME varchar(255) NOT NULL, VERSION int NOT NULL, ORIGINID bigint NOT NULL,"
    " NOTE text NOT NULL",
}
_TABLES = {"mysql": _MYSQL, "sqlite": _SQLITE}
_INSERT = (
    "INSERT INTO admin_ip_history (createdAt, updatedAt, ip, name, version, originId, note)"
    " VALUES ('2026-01-02 03:04:05', '2026-01-02 03:04:05', '8.8.8.8', 'line', 1, 1, '')"
)
_NEW = {"mysql": "SELECT UNIX_TIMESTAMP({}) ", "sqlite": "SELECT strftime('%s', {}) "}


def made_by(machine: Machine, framework: str) -> Database:
    """Make the table as `framework` does."""
    machine.database.sql(f"CREATE TABLE admin_ip_history ({_TABLES[machine.database.engine][framework]})")
    return machine.database


def times_of(database: Database, column: str) -> list[datetime]:
    """Return the times in a column by version, as the database understands them."""
    rows = database.sql(f"{_NEW[database.engine].format(column)} FROM admin_ip_history ORDER BY originId, version")
    return [datetime.fromtimestamp(int(row[0]), UTC) for row in rows]


@pytest.mark.parametrize("framework", _MYSQL)
def test_a_table_that_a_framework_made_is_appended_to(machine: Machine, framework: str) -> None:
    database = made_by(machine, framework)
    database.sql(_INSERT)
    before = database.sql("SELECT * FROM admin_ip_history")
    done = machine.ddns("init", "--name", "line")
    assert (done.status, done.err) == (0, "")
    assert database.sql("SELECT * FROM admin_ip_history") == before
    for address in ("9.9.9.9", "1.1.1.1"):
        machine.service.address = address
        assert machine.run()["outcome"] == "updated"
        assert machine.run()["outcome"] == "unchanged"
    assert database.versions() == [(1, "8.8.8.8"), (2, "9.9.9.9"), (3, "1.1.1.1")]
    assert database.sql("SELECT * FROM admin_ip_history ORDER BY id")[0] == before[0]
    now = datetime.now(UTC)
    for column in ("createdAt", "updatedAt"):
        assert all(now - timedelta(minutes=5) < each <= now for each in times_of(database, column)[1:])
    shown = [datetime.fromisoformat(each["since"]) for each in machine.ddns("history", "--json").json]
    assert sorted(shown) == times_of(database, "createdAt")
    checks = machine.ddns("doctor", "--json").json["checks"]
    assert {each["state"] for each in checks if each["group"] == "database"} == {"ok"}


@pytest.mark.parametrize("framework", _MYSQL)
def test_an_empty_table_that_a_framework_made_is_seeded(machine: Machine, framework: str) -> None:
    database = made_by(machine, framework)
    for name in ("line", "other"):
        done = machine.ddns("init", "--name", name, "--ip", "8.8.8.8")
        assert (done.status, done.err) == (0, "")
    assert machine.run("--name", "line")["outcome"] == "updated"
    rows = database.sql("SELECT id, originId, version, name, ip FROM admin_ip_history ORDER BY id")
    assert rows == [(1, 1, 1, "line", "8.8.8.8"), (2, 2, 1, "other", "8.8.8.8"), (3, 1, 2, "line", "9.9.9.9")]
    notes = {row[0] for row in database.sql("SELECT note FROM admin_ip_history")}
    assert notes <= {None, ""}
    assert len(notes) == 1
