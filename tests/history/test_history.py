"""The contract of History, on every engine."""

import sqlite3
import time
from collections.abc import Hashable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta, timezone
from ipaddress import ip_address
from pathlib import Path
from threading import Timer

import pytest

from ddns_updater.app import factories
from ddns_updater.errors import HistoryError, NotInitialised, VersionTaken
from ddns_updater.history.mysql import MySqlHistory
from ddns_updater.history.sqlite import SqliteHistory
from ddns_updater.model import Family, Origin, Publication, PublicationState, Record, Version, Window
from ddns_updater.run.ports import HistoryStore
from tests.support.database import Database, only_origin
from tests.support.dynamodb import dynamodb_settings
from tests.support.machine import Machine


@pytest.fixture
def history(database: Database) -> Iterator[HistoryStore]:
    """Give an open history with a fresh schema."""
    with factories.open_history(database.settings(), for_init=True) as opened:
        opened.upgrade()
        yield opened


@pytest.fixture(params=["sqlite", "mysql", "dynamodb"])
def any_history(request: pytest.FixtureRequest) -> Iterator[HistoryStore]:
    """Give an open history with a fresh schema, also of the engine that is no SQL database."""
    with opened(request, request.param) as history:
        yield history


@contextmanager
def opened(request: pytest.FixtureRequest, engine: str) -> Iterator[HistoryStore]:
    """Open a history of an engine that holds nothing yet."""
    if engine == "dynamodb":
        url = request.getfixturevalue("aws").url
        request.getfixturevalue("monkeypatch").setenv("AWS_ENDPOINT_URL", url)
        settings = dynamodb_settings(url)
    else:
        settings = request.getfixturevalue(engine).settings()
    with factories.open_history(settings, for_init=True) as history:
        history.upgrade()
        yield history


def test_an_origin_starts_with_version_1_and_has_its_id(history: HistoryStore, database: Database) -> None:
    origin = history.seed("line", Family.IPV4, ip_address("192.0.2.1"), "a note")
    assert database.sql("SELECT id, ip, name, version, originId, note FROM admin_ip_history") == [
        (origin.id, "192.0.2.1", "line", 1, origin.id, "a note")
    ]
    assert only_origin(history) == origin
    assert history.latest(origin).version.note == "a note"


def test_an_origin_gets_a_number_that_no_row_and_no_origin_has(history: HistoryStore, database: Database) -> None:
    values = ("192.0.2.9", "by hand", 1, 41)
    database.sql("INSERT INTO admin_ip_history (ip, name, version, originId) VALUES (?, ?, ?, ?)", values)
    origin = history.seed("line", Family.IPV4, ip_address("192.0.2.1"), None)
    assert origin.id == 42
    assert history.append(origin, history.latest(origin).version, ip_address("192.0.2.2")).version.id == 43


def test_origins_that_are_seeded_at_once_all_get_a_number(database: Database) -> None:
    settings = database.settings()
    with factories.open_history(settings, for_init=True) as opened:
        opened.upgrade()

    def seed(number: int) -> Hashable:
        with factories.open_history(settings) as each:
            return each.seed(f"host{number}", Family.IPV4, ip_address("192.0.2.1"), None).id

    with ThreadPoolExecutor(20) as pool:
        numbers = list(pool.map(seed, range(60)))
    assert set(numbers) == set(range(1, 61))
    assert database.sql("SELECT COUNT(DISTINCT originId) FROM admin_ip_history WHERE id = originId") == [(60,)]


def test_versions_are_appended_one_by_one(history: HistoryStore, database: Database) -> None:
    origin = history.seed("line", Family.IPV4, ip_address("192.0.2.1"), None)
    second = history.append(origin, history.latest(origin).version, ip_address("192.0.2.2"))
    third = history.append(origin, second.version, ip_address("192.0.2.1"))
    assert history.latest(origin) == third._replace(read_at=history.latest(origin).read_at)
    assert database.versions() == [(1, "192.0.2.1"), (2, "192.0.2.2"), (3, "192.0.2.1")]
    assert database.sql("SELECT DISTINCT originId, name FROM admin_ip_history") == [(origin.id, "line")]


def test_a_version_that_another_run_appended_is_not_appended_again(history: HistoryStore, database: Database) -> None:
    origin = history.seed("line", Family.IPV4, ip_address("192.0.2.1"), None)
    first = history.latest(origin).version
    history.append(origin, first, ip_address("192.0.2.2"))
    with pytest.raises(VersionTaken, match="version 2 of line was appended by another run"):
        history.append(origin, first, ip_address("192.0.2.3"))
    assert database.versions() == [(1, "192.0.2.1"), (2, "192.0.2.2")]


def test_a_version_that_cannot_be_written_is_not_mistaken_for_another_run(machine: Machine) -> None:
    machine.init()
    with factories.open_history(machine.database.settings()) as history:
        origin = only_origin(history)
        first = history.latest(origin).version
        history.append(origin, first, ip_address("192.0.2.2"))
    with (
        factories.open_history(machine.database.settings(), read_only=True) as history,
        pytest.raises(HistoryError, match=r"read-?only"),
    ):
        history.append(origin, first, ip_address("192.0.2.3"))


def test_ipv4_and_ipv6_are_separate_origins(any_history: HistoryStore) -> None:
    four = any_history.seed("line", Family.IPV4, ip_address("192.0.2.1"), None)
    six = any_history.seed("line", Family.IPV6, ip_address("2001:db8::1"), None)
    any_history.append(four, any_history.latest(four).version, ip_address("192.0.2.2"))
    assert [each.of(Family(each.family or "")) for each in any_history.origins()] == [four, six]
    assert (any_history.latest(four).version.version, any_history.latest(six).version.version) == (2, 1)
    assert [entry.family for entry in any_history.entries(six, 10, Window())] == [Family.IPV6]
    assert any_history.summary(six, Window()).family is Family.IPV6


def test_names_that_differ_in_case_or_accent_are_different_origins(any_history: HistoryStore) -> None:
    origins = [any_history.seed(name, Family.IPV4, ip_address("192.0.2.1"), None) for name in ("café", "Café", "cafe")]
    assert {origin.name for origin in any_history.origins()} == {"café", "Café", "cafe"}
    assert [only_origin(any_history, origin.name) for origin in origins] == origins
    assert len({origin.id for origin in origins}) == 3


def test_an_origin_is_found_by_whatever_row_is_its_newest(history: HistoryStore, database: Database) -> None:
    for key, version in [(17, 4), (17, 9), (17, 8), (3, 2), (40, 1)]:
        database.sql(
            "INSERT INTO admin_ip_history (ip, name, version, originId) VALUES (?, ?, ?, ?)",
            (f"192.0.2.{version}", f"line{key}", version, key),
        )
    assert [(each.id, each.name) for each in history.origins()] == [(3, "line3"), (17, "line17"), (40, "line40")]
    origin = only_origin(history, "line17")
    assert (history.latest(origin).version.version, history.latest(origin).version.ip) == (9, "192.0.2.9")


def test_a_row_without_an_origin_id_or_a_version_is_no_origin(database: Database) -> None:
    number = "integer PRIMARY KEY" if database.engine == "sqlite" else "bigint AUTO_INCREMENT PRIMARY KEY"
    columns = "createdAt datetime, ip varchar(45), name varchar(20), version int, originId bigint"
    database.sql(f"CREATE TABLE admin_ip_history (id {number}, {columns})")
    for row in [("nobody", None, 1), ("no version", 5, None), ("line", 7, 3), ("line", 7, None)]:
        values = "('192.0.2.1', ?, ?, ?)"
        database.sql(f"INSERT INTO admin_ip_history (ip, name, originId, version) VALUES {values}", row)
    with factories.open_history(database.settings()) as opened:
        assert [(each.id, each.name) for each in opened.origins()] == [(7, "line")]


@pytest.mark.parametrize("name", ["line", "it's", "back\\slash"])
def test_an_origin_is_not_seeded_beside_rows_of_that_name_in_another_origin(
    history: HistoryStore, database: Database, name: str
) -> None:
    for version, each in enumerate([name, "other"], 4):
        values = ("192.0.2.1", each, version, 17)
        database.sql("INSERT INTO admin_ip_history (ip, name, version, originId) VALUES (?, ?, ?, ?)", values)
    with pytest.raises(HistoryError, match="rows of originId 17 have that name, but not its newest row") as refused:
        history.seed(name, Family.IPV4, ip_address("192.0.2.1"), None)
    assert database.versions() == [(4, "192.0.2.1"), (5, "192.0.2.1")]
    database.sql((refused.value.advice or "").partition(": ")[2])
    assert database.sql("SELECT name, originId FROM admin_ip_history ORDER BY id") == [(name, 18), ("other", 17)]
    assert [each.name for each in history.origins()] == ["other", name]


def test_a_connection_is_closed_after_its_use(history: HistoryStore, database: Database) -> None:
    with factories.open_history(database.settings()) as other:
        assert other.origins() == history.origins() == ()
    with pytest.raises(HistoryError):
        other.origins()


def test_an_origin_whose_rows_were_deleted_has_no_versions(history: HistoryStore, database: Database) -> None:
    origin = history.seed("line", Family.IPV4, ip_address("192.0.2.1"), None)
    database.sql("DELETE FROM admin_ip_history")
    assert history.entries(origin, 10, Window()) == []
    for read in (lambda: history.latest(origin), lambda: history.summary(origin, Window())):
        with pytest.raises(HistoryError, match="origin line has no versions left: its rows were deleted"):
            read()


WHEN = datetime(2026, 3, 29, 1, 30, tzinfo=UTC)  # an hour that some time zones skip
FULL = Publication(
    record=Record("*.example.com", "A"),
    created_at=WHEN,
    state=PublicationState.VERIFIED,
    hosted_zone_id="Z1",
    address=ip_address("192.0.2.1"),
    ttl=0,
    change_id="C1",
    attempts=3,
    error='it\'s 100% "odd" — \\',
    submitted_at=(WHEN + timedelta(seconds=1)).astimezone(timezone(timedelta(hours=9))),
    verified_at=WHEN + timedelta(seconds=35),
    checked_at=WHEN + timedelta(hours=1),
    drift="192.0.2.9 with TTL 60",
    drift_at=WHEN + timedelta(hours=2),
)
BARE = Publication(Record("home.example.com", "A"), WHEN)


def save(history: HistoryStore, version: Version, *publications: Publication) -> None:
    """Save publications of one version."""
    history.save((version, each) for each in publications)


def test_publications_are_read_as_they_were_written(any_history: HistoryStore) -> None:
    origin = any_history.seed("line", Family.IPV4, ip_address("192.0.2.1"), None)
    save(any_history, any_history.latest(origin).version, BARE, FULL)
    found = any_history.latest(origin).publications
    assert found == (FULL, BARE)  # by name
    assert [type(each.state) for each in found] == [PublicationState, PublicationState]


def test_a_publication_is_overwritten_but_keeps_when_it_was_first_due(any_history: HistoryStore) -> None:
    origin = any_history.seed("line", Family.IPV4, ip_address("192.0.2.1"), None)
    version = any_history.latest(origin).version
    save(any_history, version, BARE, FULL)
    later = WHEN + timedelta(days=1)
    for written in (FULL._replace(record=BARE.record, created_at=later), BARE._replace(created_at=later)):
        save(any_history, version, written)
        assert any_history.latest(origin).publications == (FULL, written._replace(created_at=WHEN))


def test_publications_are_written_together_or_not_at_all(history: HistoryStore) -> None:
    origin = history.seed("line", Family.IPV4, ip_address("192.0.2.1"), None)
    nameless = BARE._replace(record=Record(None, "A"))  # type: ignore[arg-type] # what no engine can store
    with pytest.raises(HistoryError):
        save(history, history.latest(origin).version, FULL, nameless)
    assert history.latest(origin).publications == ()


def test_publications_of_several_versions_are_written_together_or_not_at_all(history: HistoryStore) -> None:
    lines = [history.seed(name, Family.IPV4, ip_address("192.0.2.1"), None) for name in ("line", "another")]
    versions = [history.latest(origin).version for origin in lines]
    nameless = BARE._replace(record=Record(None, "A"))  # type: ignore[arg-type] # what no engine can store
    with pytest.raises(HistoryError):
        history.save([(versions[0], FULL), (versions[1], nameless)])
    assert [history.latest(origin).publications for origin in lines] == [(), ()]
    history.save([(versions[0], FULL), (versions[1], BARE), (versions[0], BARE)])
    assert [history.latest(origin).publications for origin in lines] == [(FULL, BARE), (BARE,)]


def test_a_long_error_is_shortened(any_history: HistoryStore) -> None:
    origin = any_history.seed("line", Family.IPV4, ip_address("192.0.2.1"), None)
    save(any_history, any_history.latest(origin).version, BARE._replace(error="x" * 5000, drift="y" * 5000))
    assert any_history.latest(origin).publications == (BARE._replace(error="x" * 1000, drift="y" * 1000),)


def test_a_new_version_has_no_publications_and_the_old_ones_keep_theirs(any_history: HistoryStore) -> None:
    any_history.seed("another", Family.IPV4, ip_address("192.0.2.1"), None)
    origin = any_history.seed("line", Family.IPV4, ip_address("192.0.2.1"), None)
    first = any_history.latest(origin)
    save(any_history, first.version, Publication(Record("home.example.com", "A"), first.read_at))
    second = any_history.append(origin, first.version, ip_address("192.0.2.2"))
    assert second.publications == ()
    newest, oldest = any_history.entries(origin, 10, Window())
    assert (newest.version.version, newest.publications, newest.until) == (2, (), None)
    assert (oldest.version.version, len(oldest.publications), oldest.until) == (1, 1, second.version.created_at)
    assert [entry.version.version for entry in any_history.entries(origin, 1, Window())] == [2]


def test_times_are_utc_whatever_the_time_zone_of_the_session(any_history: HistoryStore) -> None:
    if isinstance(any_history, MySqlHistory):
        any_history.execute("SET time_zone = '+09:00'")
    origin = any_history.seed("line", Family.IPV4, ip_address("192.0.2.1"), None)
    save(any_history, any_history.latest(origin).version, FULL)
    journal = any_history.latest(origin)
    assert journal.publications == (FULL,)
    assert abs(journal.version.created_at - datetime.now(UTC)) < timedelta(seconds=30)
    assert abs(journal.read_at - journal.version.created_at) < timedelta(seconds=30)


def test_a_lock_is_held_by_one_and_ends_with_its_holder(history: HistoryStore, database: Database) -> None:
    origin, other = (Origin(number, "line", Family.IPV4) for number in (7, 8))
    with (
        factories.open_history(database.settings()) as holder,
        holder.lock(origin) as mine,
        history.lock(origin) as theirs,
        history.lock(other) as another,
        history.lock_init() as for_init,
    ):
        assert (mine, theirs, another, for_init) == (True, False, True, True)
    end = time.monotonic() + 10
    while True:  # a server takes a moment to notice that a connection ended
        with history.lock(origin) as theirs:
            if theirs:
                break
        assert time.monotonic() < end
        time.sleep(0.05)


def test_locks_of_two_databases_do_not_collide(mysql: Database) -> None:
    url = mysql.url + "_other"
    mysql.sql(f"CREATE DATABASE {url.rpartition('/')[2]}")
    try:
        other = Database("mysql", url)
        with (
            factories.open_history(mysql.settings()) as one,
            factories.open_history(other.settings()) as two,
            one.lock_init() as mine,
            two.lock_init() as theirs,
        ):
            assert (mine, theirs) == (True, True)
    finally:
        mysql.sql(f"DROP DATABASE {url.rpartition('/')[2]}")


def test_other_services_find_the_newest_address_by_the_highest_version(
    history: HistoryStore, database: Database
) -> None:
    origin = history.seed("line", Family.IPV4, ip_address("192.0.2.1"), None)
    history.append(origin, history.latest(origin).version, ip_address("192.0.2.2"))
    query = "SELECT ip FROM admin_ip_history WHERE originId = ? ORDER BY version DESC LIMIT 1"
    assert database.sql(query, (origin.id,)) == [("192.0.2.2",)]


def test_updated_at_changes_when_a_row_is_edited(history: HistoryStore, database: Database) -> None:
    history.seed("line", Family.IPV4, ip_address("192.0.2.1"), None)
    past = "UPDATE admin_ip_history SET createdAt = '2020-01-01 00:00:00', updatedAt = '2020-01-01 00:00:00'"
    database.sql(past)
    database.sql("UPDATE admin_ip_history SET note = 'edited'")
    ((created, updated),) = database.sql("SELECT createdAt, updatedAt FROM admin_ip_history")
    assert str(created) == "2020-01-01 00:00:00"
    assert str(updated) > "2026"


def test_a_database_without_tables_says_to_run_init(database: Database) -> None:
    if database.engine == "sqlite":
        database.sql("SELECT 1")
    with factories.open_history(database.settings()) as empty:
        with pytest.raises(NotInitialised, match='run "ddns init --name NAME"'):
            empty.origins()
        with pytest.raises(HistoryError):
            empty.seed("line", Family.IPV4, ip_address("192.0.2.1"), None)


def test_the_login_that_the_server_prefers_works_without_tls(mysql: Database) -> None:
    name = mysql.url.rpartition("/")[2]
    mysql.sql("CREATE USER IF NOT EXISTS preferred@'%' IDENTIFIED BY 'p@ss/word%'")
    mysql.sql(f"GRANT ALL ON {name}.* TO preferred@'%'")
    address = mysql.url.partition("@")[2]
    url = f"mysql://preferred:p%40ss%2Fword%25@{address}"
    for _ in range(2):  # the second time caching_sha2_password takes its fast path
        with factories.open_history(Database("mysql", url).settings()) as history:
            assert isinstance(history, MySqlHistory)
            assert history.execute("SELECT CURRENT_USER()").fetchone()[0] == "preferred@%"
    mysql.sql("DROP USER preferred@'%'")


def test_sqlite_files_are_readable_by_their_owner_only(tmp_path: Path) -> None:
    folder = tmp_path / "made" / "for it"
    database = Database("sqlite", f"sqlite:///{folder}/ddns.sqlite3")
    with factories.open_history(database.settings(), for_init=True) as history, history.lock_init():
        history.upgrade()
        with history.lock(history.seed("line", Family.IPV4, ip_address("192.0.2.1"), None)):
            pass
    modes = {path.name: oct(path.stat().st_mode & 0o777) for path in [folder, *folder.iterdir()]}
    assert modes == {"for it": "0o700", "ddns.sqlite3": "0o600"} | dict.fromkeys(
        ("ddns.sqlite3.1.lock", "ddns.sqlite3.init.lock"), "0o600"
    )


def test_sqlite_waits_for_a_short_lock_and_names_a_long_one(sqlite: Database) -> None:
    with factories.open_history(sqlite.settings(), for_init=True) as history:
        history.upgrade()
        origin = history.seed("line", Family.IPV4, ip_address("192.0.2.1"), None)
        with closing(sqlite3.connect(sqlite.file, check_same_thread=False)) as other:
            other.execute("BEGIN EXCLUSIVE")
            Timer(0.3, other.rollback).start()
            assert history.latest(origin).version.version == 1
            other.execute("BEGIN EXCLUSIVE")
            assert isinstance(history, SqliteHistory)
            history.execute("PRAGMA busy_timeout = 100")
            with pytest.raises(HistoryError, match="is locked by another program"):
                history.latest(origin)
            start = time.monotonic()
            with pytest.raises(HistoryError, match="is locked by another program"):
                history.seed("another", Family.IPV4, ip_address("192.0.2.1"), None)
            assert time.monotonic() - start < 5  # only a number that was taken is tried again
            other.rollback()
        assert history.latest(origin).version.version == 1
