"""Creating, adopting and upgrading the schema, on every engine."""

import subprocess
import sys
import zipfile
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ddns_updater.app import factories
from ddns_updater.errors import HistoryError
from ddns_updater.history.mysql import MySqlHistory
from ddns_updater.model import Window
from ddns_updater.run.ports import HistoryStore
from tests.support.database import Database, only_origin
from tests.support.machine import Machine
from tests.support.mysqld import MySqlServer, certificates

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_COLUMNS = ["id", "createdAt", "updatedAt", "ip", "name", "version", "originId", "note"]
_BY_HAND = {
    "mysql": "CREATE TABLE admin_ip_history (id bigint AUTO_INCREMENT PRIMARY KEY,"
    " createdAt datetime DEFAULT CURRENT_TIMESTAMP, updatedAt datetime DEFAULT CURRENT_TIMESTAMP,"
    " ip varchar(255), name varchar(255), version int DEFAULT 1, originId bigint DEFAULT 0, note text)",
    "sqlite": "CREATE TABLE admin_ip_history (id integer PRIMARY KEY,"
    " createdAt datetime DEFAULT CURRENT_TIMESTAMP, updatedAt datetime DEFAULT CURRENT_TIMESTAMP,"
    " ip varchar(255), name varchar(255), version int DEFAULT 1, originId bigint DEFAULT 0, note text)",
}


def _upgrade(database: Database) -> int:
    with factories.open_history(database.settings(), for_init=True) as history:
        return history.upgrade()


def _tables(database: Database) -> dict[str, list[tuple[object, ...]]]:
    listing = "SHOW TABLES" if database.engine == "mysql" else "SELECT name FROM sqlite_master WHERE type = 'table'"
    return {str(name): database.sql(f"SELECT * FROM {name}") for (name,) in database.sql(listing)}


def _insert(database: Database, *rows: tuple[str, str, int, int]) -> None:
    for row in rows:
        database.sql("INSERT INTO admin_ip_history (ip, name, version, originId) VALUES (?, ?, ?, ?)", row)


def test_the_columns_are_those_that_other_services_use(database: Database) -> None:
    _upgrade(database)
    with closing(database.connect()) as connection:
        cursor = connection.cursor()
        cursor.execute("SELECT * FROM admin_ip_history")
        assert [column[0] for column in cursor.description] == _COLUMNS
    _insert(database, ("192.0.2.1", "by hand", 1, 5))
    database.sql("INSERT INTO admin_ip_history (ip, name) VALUES ('192.0.2.1', 'defaults')")
    assert database.sql("SELECT version, originId, note FROM admin_ip_history WHERE name = 'defaults'") == [
        (1, 0, None)
    ]


def test_a_second_upgrade_changes_nothing(database: Database) -> None:
    assert _upgrade(database) >= 4
    before = _tables(database)
    assert _upgrade(database) == 0
    assert _tables(database) == before


def test_a_version_cannot_exist_twice(database: Database) -> None:
    _upgrade(database)
    _insert(database, ("192.0.2.1", "line", 1, 5))
    with pytest.raises(Exception, match=r"(?i)duplicate|unique"):
        _insert(database, ("192.0.2.2", "line", 1, 5))


def test_a_table_made_by_hand_is_adopted_with_its_rows(machine: Machine) -> None:
    database = machine.database
    database.sql(_BY_HAND[database.engine])
    _insert(database, ("192.0.2.1", "line", 1, 1), ("8.8.8.8", "line", 2, 1), ("192.0.2.9", "other", 1, 3))
    before = database.sql("SELECT * FROM admin_ip_history ORDER BY id")
    done = machine.ddns("init", "--name", "line")
    assert done.out.endswith("origin line already exists: version 2 is 8.8.8.8; nothing changed\n"), done.err
    assert database.sql("SELECT * FROM admin_ip_history ORDER BY id") == before
    machine.run("--name", "line")
    assert database.sql("SELECT version, ip FROM admin_ip_history WHERE originId = 1 ORDER BY version") == [
        (1, "192.0.2.1"),
        (2, "8.8.8.8"),
        (3, "9.9.9.9"),
    ]


def test_an_adopted_origin_with_the_default_origin_id_keeps_it(machine: Machine) -> None:
    database = machine.database
    database.sql(_BY_HAND[database.engine])
    _insert(database, ("8.8.8.8", "line", 1, 0))
    machine.ddns("init", "--name", "line")
    machine.ddns("init", "--name", "second", "--ip", "1.1.1.1")
    assert machine.run("--name", "line")["outcome"] == "updated"
    rows = database.sql("SELECT name, version, originId, ip FROM admin_ip_history ORDER BY id")
    assert rows == [("line", 1, 0, "8.8.8.8"), ("second", 1, 2, "1.1.1.1"), ("line", 2, 0, "9.9.9.9")]


def test_duplicates_are_listed_and_nothing_is_changed(machine: Machine) -> None:
    database = machine.database
    database.sql(_BY_HAND[database.engine])
    _insert(database, ("8.8.8.8", "a", 1, 0), ("1.1.1.1", "b", 1, 0), ("9.9.9.9", "a", 2, 0), ("8.8.8.8", "a", 2, 0))
    before = _tables(database)
    done = machine.ddns("init", "--name", "a")
    assert done.status == 1
    assert done.err.count("\n") == 1
    assert "originId 0 version 1 (2 rows, id 1 to 2), originId 0 version 2 (2 rows, id 3 to 4)" in done.err
    assert _tables(database) == before


def test_a_table_that_lacks_a_column_is_not_adopted(database: Database) -> None:
    database.sql(_BY_HAND[database.engine].replace(" note text", " remark text"))
    before = _tables(database)
    with pytest.raises(HistoryError, match="it lacks note; it needs the columns id, createdAt"):
        _upgrade(database)
    assert _tables(database) == before


def test_an_index_that_exists_already_is_no_obstacle(database: Database) -> None:
    database.sql(_BY_HAND[database.engine])
    database.sql("CREATE UNIQUE INDEX admin_ip_history_origin_version ON admin_ip_history (originId, version)")
    assert _upgrade(database) >= 4
    assert _upgrade(database) == 0


def test_a_lock_left_by_a_killed_upgrade_is_no_obstacle(database: Database) -> None:
    _upgrade(database)
    database.sql("INSERT INTO admin_ddns_lock (locked, ctime, pid) VALUES (1, '2026-01-01 00:00:00', 4711)")
    database.sql("DELETE FROM admin_ddns_migration WHERE migration_id LIKE '0003%'")
    assert _upgrade(database) == 1
    assert database.sql("SELECT * FROM admin_ddns_lock") == []


def test_the_migration_tables_of_another_program_are_left_alone(database: Database) -> None:
    database.sql("CREATE TABLE _yoyo_migration (migration_id varchar(20))")
    database.sql("INSERT INTO _yoyo_migration VALUES ('0001-other')")
    database.sql("CREATE TABLE yoyo_lock (locked int)")
    database.sql("INSERT INTO yoyo_lock VALUES (1)")
    _upgrade(database)
    assert database.sql("SELECT * FROM _yoyo_migration") == [("0001-other",)]
    assert database.sql("SELECT * FROM yoyo_lock") == [(1,)]


@pytest.mark.parametrize("table", ["admin_dns_publication", "admin_ip_history"])
def test_init_creates_a_dropped_table_again(machine: Machine, table: str) -> None:
    machine.init()
    machine.run()
    machine.database.sql(f"DROP TABLE {table}")
    broken = machine.ddns("run")
    assert broken.status == 1
    assert 'run "ddns init --name NAME"' in broken.err
    machine.init()
    machine.statements_hold("9.9.9.9")


def test_a_publication_table_with_other_columns_is_not_adopted(database: Database) -> None:
    database.sql("CREATE TABLE admin_dns_publication (id int, name varchar(20))")
    with pytest.raises(HistoryError, match="failed to adopt table admin_dns_publication: it lacks historyId"):
        _upgrade(database)


def test_a_constraint_of_an_adopted_table_fails_the_run_and_is_not_mistaken_for_another_run(machine: Machine) -> None:
    database = machine.database
    database.sql(_BY_HAND[database.engine])
    _insert(database, ("9.9.9.9", "line", 1, 1), ("8.8.8.8", "line", 2, 1))
    assert machine.ddns("init", "--name", "line").status == 0
    database.sql("CREATE UNIQUE INDEX theirs ON admin_ip_history (name, ip)")
    for arguments in (["run"], ["run", "--dry-run"]):
        done = machine.ddns(*arguments)
        assert done.status == 1
        assert done.out == ""
        assert "failed: the database" in done.err or "--dry-run" in arguments
        assert done.err.count("\n") == 1
    assert database.versions() == [(1, "9.9.9.9"), (2, "8.8.8.8")]


def test_rows_without_an_address_or_a_name_are_no_obstacle(machine: Machine) -> None:
    database = machine.database
    database.sql(_BY_HAND[database.engine])
    for row in [("8.8.8.8", "line", 1, 1), (None, "line", 2, 1), (None, "other", 1, 3), ("8.8.8.8", None, 1, 4)]:
        database.sql("INSERT INTO admin_ip_history (ip, name, version, originId) VALUES (?, ?, ?, ?)", row)
    assert machine.ddns("init", "--name", "line").status == 0
    assert machine.ddns("history").status == 0
    assert machine.run()["outcome"] == "updated"
    assert database.sql("SELECT version, ip FROM admin_ip_history WHERE originId = 1 ORDER BY version")[-1] == (
        3,
        "9.9.9.9",
    )


def test_a_row_without_a_date_is_the_oldest(database: Database) -> None:
    database.sql(_BY_HAND[database.engine])
    _insert(database, ("192.0.2.1", "line", 1, 1), ("192.0.2.2", "line", 2, 1))
    database.sql("UPDATE admin_ip_history SET createdAt = NULL")
    _upgrade(database)
    with factories.open_history(database.settings()) as history:
        origin = only_origin(history)
        newest, oldest = history.entries(origin, 10, Window())
        assert history.latest(origin).version == newest.version
        assert history.summary(origin, Window()).first_recorded_at == _EPOCH
    assert (newest.version.created_at, newest.until) == (_EPOCH, None)
    assert (oldest.version.created_at, oldest.until) == (_EPOCH, _EPOCH)


def test_every_migration_is_one_statement_and_both_engines_have_the_same_ones() -> None:
    folder = Path(__file__).parents[2] / "migrations"
    names = {engine: sorted(path.name for path in (folder / engine).glob("*.sql")) for engine in ("mysql", "sqlite")}
    assert set(names["mysql"]) <= set(names["sqlite"])
    for path in folder.glob("*/*.sql"):
        statement = "\n".join(line for line in path.read_text().splitlines() if not line.startswith("--"))
        assert statement.rstrip().endswith(";")
        assert statement.count(";") == 1 or "CREATE TRIGGER" in statement, path


def test_the_account_of_the_page_can_run_and_the_one_for_init_can_init(mysql: Database, small_machine: Machine) -> None:
    page = (Path(__file__).parents[2] / "docs" / "mysql.md").read_text()
    name = mysql.url.rpartition("/")[2]
    grants = [line.strip() for line in page.splitlines() if line.strip().startswith("GRANT ")]
    assert len(grants) >= 2
    mysql.sql("CREATE USER ddns_page@'%' IDENTIFIED BY 'x'")
    url = f"mysql://ddns_page:x@{mysql.url.partition('@')[2]}"
    try:
        for grant in grants:
            if "CREATE" in grant:
                mysql.sql(_for_test(grant, name))
        assert small_machine.ddns("init", "--name", "line", "--ip", "8.8.8.8", DDNS_DATABASE_URL=url).status == 0
        mysql.sql("REVOKE ALL PRIVILEGES, GRANT OPTION FROM ddns_page@'%'")
        for grant in grants:
            if "CREATE" not in grant:
                mysql.sql(_for_test(grant, name))
        assert small_machine.run(DDNS_DATABASE_URL=url)["outcome"] == "updated"
        assert small_machine.ddns("history", DDNS_DATABASE_URL=url).status == 0
        seeded = small_machine.ddns("init", "--name", "third", "--ip", "8.8.4.4", DDNS_DATABASE_URL=url)
        assert (seeded.status, seeded.err) == (0, "")
        assert mysql.versions()[-1] == (1, "8.8.4.4")
        mysql.sql("DROP INDEX admin_ip_history_name_origin_version ON admin_ip_history")
        mysql.sql("DELETE FROM admin_ddns_migration WHERE migration_id LIKE '0003%'")
        tables = _tables(mysql)
        refused = small_machine.ddns("init", "--name", "fourth", "--ip", "8.8.8.8", DDNS_DATABASE_URL=url)
        assert (refused.status, refused.out, refused.err.count("\n")) == (1, "", 1)
        assert " denied access: " in refused.err
        assert refused.err.endswith(
            "; use the account that sets up the tables: give its DDNS_DATABASE_URL to this one command;"
            " nothing was changed\n"
        )
        assert _tables(mysql) == tables
        assert len(mysql.versions()) == 3
    finally:
        mysql.sql("DROP USER ddns_page@'%'")


@pytest.mark.parametrize(
    ("grants", "then"),
    [
        ("SELECT, INSERT, UPDATE", "nothing was changed"),
        ("SELECT, INSERT, UPDATE, DELETE, CREATE", "nothing was changed"),
        ("SELECT, INSERT, UPDATE, DELETE, CREATE, DROP", "init then goes on from there"),  # but not INDEX
    ],
)
def test_an_account_that_may_not_create_the_tables_names_the_one_that_may(
    mysql: Database, small_machine: Machine, grants: str, then: str
) -> None:
    name = mysql.url.rpartition("/")[2]
    mysql.sql(f"CREATE USER {name}_u@'%' IDENTIFIED BY 'x'")
    arguments = ("init", "--name", "line", "--ip", "8.8.8.8")
    try:
        mysql.sql(f"GRANT {grants} ON {name}.* TO {name}_u@'%'")
        url = f"mysql://{name}_u:x@{mysql.url.partition('@')[2]}"
        done = small_machine.ddns(*arguments, DDNS_DATABASE_URL=url)
        assert (done.status, done.out, done.err.count("\n")) == (1, "", 1)
        assert "; use the account that sets up the tables: give its DDNS_DATABASE_URL to this one command; " in done.err
        assert done.err.endswith(f"; {then}\n")
        assert (not _tables(mysql)) == (then == "nothing was changed")
        assert small_machine.ddns(*arguments, DDNS_DATABASE_URL=mysql.url).status == 0
        done = small_machine.ddns(*arguments, DDNS_DATABASE_URL=url)
        assert (done.status, done.err) == (0, "")
    finally:
        mysql.sql(f"DROP USER {name}_u@'%'")
    assert mysql.versions() == [(1, "8.8.8.8")]


def test_the_account_for_init_can_adopt_a_table(mysql: Database, small_machine: Machine) -> None:
    mysql.sql(_BY_HAND["mysql"].replace(" note text", " note text, tenant varchar(9) NOT NULL"))
    mysql.sql("INSERT INTO admin_ip_history VALUES (1, NOW(), NOW(), '8.8.8.8', 'line', 1, 1, NULL, 'x')")
    page = (Path(__file__).parents[2] / "docs" / "mysql.md").read_text()
    (grant,) = [each.strip() for each in page.splitlines() if each.startswith("GRANT ") and "CREATE" in each]
    mysql.sql("CREATE USER ddns_page@'%' IDENTIFIED BY 'x'")
    url = f"mysql://ddns_page:x@{mysql.url.partition('@')[2]}"
    try:
        mysql.sql(_for_test(grant, mysql.url.rpartition("/")[2]))
        refused = small_machine.ddns("init", "--name", "line", DDNS_DATABASE_URL=url)
        assert (refused.status, "MODIFY `tenant` varchar(9)" in refused.err) == (1, True)
        mysql.sql("CREATE TRIGGER theirs BEFORE INSERT ON admin_ip_history FOR EACH ROW SET NEW.tenant = 'y'")
        done = small_machine.ddns("init", "--name", "line", DDNS_DATABASE_URL=url)  # it cannot see the trigger
        assert (done.status, done.err) == (0, "")
        assert small_machine.run(DDNS_DATABASE_URL=url)["outcome"] == "updated"
        assert mysql.sql("SELECT version, tenant FROM admin_ip_history ORDER BY id") == [(1, "x"), (2, "y")]
    finally:
        mysql.sql("DROP USER ddns_page@'%'")


def _for_test(grant: str, database: str) -> str:
    privileges = grant.partition(" ON ")[0]
    table = grant.partition(" ON ")[2].partition(" TO ")[0].partition(".")[2]
    return f"{privileges} ON {database}.{table} TO ddns_page@'%'"


def _is_encrypted(history: HistoryStore) -> bool:
    assert isinstance(history, MySqlHistory)
    return bool(history.execute("SHOW STATUS LIKE 'Ssl_cipher'").fetchone()[1])


def test_tls_is_used_without_a_setting_where_the_server_offers_it(private_mysql: Database) -> None:
    with factories.open_history(private_mysql.settings()) as history:
        assert _is_encrypted(history)


def test_tls_verifies_the_server_by_the_ca_file_of_the_url(
    private_mysql: Database, private_server: MySqlServer
) -> None:
    url = f"{private_mysql.url}?ssl_ca={private_server.folder}/ca.pem"
    with factories.open_history(Database("mysql", url).settings()) as history:
        assert _is_encrypted(history)


def test_tls_refuses_a_server_certificate_of_another_authority(private_mysql: Database, tmp_path: Path) -> None:
    certificates(tmp_path)
    settings = Database("mysql", f"{private_mysql.url}?ssl_ca={tmp_path}/ca.pem").settings()
    with pytest.raises(HistoryError, match="failed to verify the database"), factories.open_history(settings):
        pass


def test_tls_refuses_a_certificate_of_another_host_unless_the_check_is_off(
    private_mysql: Database, private_server: MySqlServer
) -> None:
    url = f"{private_mysql.url.replace('127.0.0.1', 'localhost')}?ssl_ca={private_server.folder}/ca.pem"
    settings = Database("mysql", url).settings()
    with pytest.raises(HistoryError, match="Hostname mismatch"), factories.open_history(settings):
        pass
    with factories.open_history(Database("mysql", f"{url}&ssl_verify_identity=0").settings()) as history:
        assert _is_encrypted(history)


def test_the_wheel_contains_the_migrations(tmp_path: Path) -> None:
    top = Path(__file__).parents[2]
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, check=True, capture_output=True, cwd=top)
    (wheel,) = tmp_path.glob("*.whl")
    inside = {name for name in zipfile.ZipFile(wheel).namelist() if name.endswith(".sql")}
    assert inside == {f"ddns_updater/{path.relative_to(top)}" for path in top.glob("migrations/*/*.sql")}
