"""A connection that is kept between the runs of a watch, and replaced when it cannot be trusted."""

from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from ddns_updater.app import factories
from ddns_updater.app.runner import Runner
from ddns_updater.errors import HistoryError
from ddns_updater.history.keepalive import KeepAliveHistory
from ddns_updater.history.mysql import MySqlHistory
from ddns_updater.model import Outcome
from ddns_updater.run.ports import HistoryStore
from tests.support.database import Database
from tests.support.fakes import Clock
from tests.support.machine import Machine
from tests.support.services import answer


class Opened:
    """Opens connections to a database; counts them, and how many are open."""

    def __init__(self, database: Database) -> None:
        self._settings = database.settings()
        self.count = self.still_open = 0

    @contextmanager
    def __call__(self) -> Iterator[HistoryStore]:
        self.count += 1
        with factories.open_history(self._settings) as history:
            self.still_open += 1
            yield history
        self.still_open -= 1


def connection_id(history: HistoryStore) -> int:
    assert isinstance(history, MySqlHistory)
    return int(history.execute("SELECT CONNECTION_ID()").fetchone()[0])


def test_a_connection_to_mysql_is_kept(mysql: Database) -> None:
    opened = Opened(mysql)
    with closing(KeepAliveHistory(opened)) as kept:
        with kept.open() as history:
            first = connection_id(history)
        with kept.open() as history:
            assert connection_id(history) == first
    assert opened.count == 1


def test_a_connection_that_the_server_ended_is_replaced(mysql: Database) -> None:
    opened = Opened(mysql)
    with closing(KeepAliveHistory(opened)) as kept:
        with kept.open() as history:
            mysql.sql(f"KILL {connection_id(history)}")
        with kept.open() as history:
            assert connection_id(history)
    assert opened.count == 2


def test_an_old_connection_is_replaced(mysql: Database) -> None:
    opened, clock = Opened(mysql), Clock()
    with closing(KeepAliveHistory(opened, clock.monotonic)) as kept:
        for seconds in (0, 599, 2):
            clock.sleep(seconds)
            with kept.open():
                assert opened.still_open == 1
    assert (opened.count, opened.still_open) == (2, 0)


def test_an_sqlite_file_is_opened_each_time(small_machine: Machine) -> None:
    small_machine.init()
    opened = Opened(small_machine.database)
    with closing(KeepAliveHistory(opened)) as kept:
        for _ in range(2):
            with kept.open():
                pass
    assert opened.count == 2


def test_a_database_that_cannot_be_reached_is_tried_again_each_time(mysql: Database) -> None:
    opened = Opened(Database("mysql", mysql.url + "_missing"))
    with closing(KeepAliveHistory(opened)) as kept:
        for _ in range(2):
            with pytest.raises(HistoryError, match="does not exist"), kept.open():
                pass
    assert opened.count == 2


@pytest.fixture
def runner(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> Iterator[Runner]:
    """Give a runner on a machine that has published its first version."""
    machine.init()
    machine.run()
    for key, value in machine.environment.items():
        monkeypatch.setenv(key, value)
    settings = {key: value for key, value in machine.environment.items() if key.startswith("DDNS_")}
    with closing(Runner(machine.database.settings(**settings))) as made:
        yield made


def test_a_run_after_a_failed_one_succeeds(machine: Machine, runner: Runner) -> None:
    assert runner.run().result.outcome is Outcome.UNCHANGED
    machine.service.play = answer("busy", "503 Service Unavailable")
    assert runner.run().result.outcome is Outcome.FAILED
    machine.service.play, machine.service.address = None, "1.1.1.1"
    assert runner.run().result.outcome is Outcome.UPDATED
    assert machine.database.versions() == [(1, "9.9.9.9"), (2, "1.1.1.1")]


def test_another_process_gets_the_lock_between_two_runs(machine: Machine, runner: Runner) -> None:
    for _ in range(2):
        assert runner.run().result.outcome is Outcome.UNCHANGED
        assert machine.process("run", "--json").json["outcome"] == "unchanged"


def test_a_version_that_another_process_appended_is_seen(machine: Machine, runner: Runner) -> None:
    assert runner.run().result.outcome is Outcome.UNCHANGED
    machine.service.address = "1.1.1.1"
    assert machine.process("run", "--json").json["outcome"] == "updated"
    result = runner.run().result
    assert (result.outcome, result.results[0].version) == (Outcome.UNCHANGED, 2)
