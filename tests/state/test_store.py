"""What every place of the state does: nothing that is written is lost, and one alone writes, or sends, at a time."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime
from threading import Event as Signal
from threading import Thread

import pytest

from ddns_updater.alerts.event import Event, Kind
from ddns_updater.model import Incident, Outcome
from ddns_updater.state.outbox import Pause, Undelivered
from ddns_updater.state.ports import StateStore
from ddns_updater.state.run_state import RunState
from tests.support.alerting import rewritten
from tests.support.stores import OpenStore

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def count(store: StateStore) -> int:
    """Return how many runs are counted."""
    return store.read().origins.get("line", RunState()).runs.get(Outcome.UNCHANGED, 0)


def count_one(store: StateStore) -> None:
    """Count one run more."""
    with rewritten(store) as content:
        before = content.origins.get("line", RunState()).runs.get(Outcome.UNCHANGED, 0)
        content.origins["line"] = RunState(runs={Outcome.UNCHANGED: before + 1})


def test_what_is_written_is_read_by_the_next_process(open_store: OpenStore) -> None:
    event = Event(Kind.FAILING, NOW, "line", "ä\ud800", "text", {"cause": None})
    run_state = RunState(runs={Outcome.FAILED: 2}, recent=(NOW,), incident=Incident(NOW, 2, "cause"))
    with rewritten(open_store()) as content:
        content.default, content.origins["line"] = "line", run_state
        content.outbox.undelivered = [Undelivered("line", event, NOW, ("key",))]
        content.outbox.pauses = {"key": Pause(1, NOW, asked=True)}
    with open_store().locked() as again:
        assert (again.default, again.origins, again.damage) == ("line", {"line": run_state}, None)
        assert again.outbox.undelivered == [Undelivered("line", event, NOW, ("key",))]
        assert again.outbox.pauses == {"key": Pause(1, NOW, asked=True)}


def test_nothing_is_known_before_the_first_write(store: StateStore) -> None:
    assert (store.read().origins, store.read().damage) == ({}, None)
    with store.locked() as content:
        assert content.origins == {}


def test_runs_and_sweeps_do_not_see_each_other(open_store: OpenStore) -> None:
    runs, sweeps = open_store(of="run"), open_store(of="sweep")
    count_one(runs)
    assert (count(runs), count(sweeps)) == (1, 0)
    with runs.locked():
        count_one(sweeps)
    assert "runs" in runs.place
    assert "sweeps" in sweeps.place


def test_of_many_that_write_at_once_none_is_lost(open_store: OpenStore) -> None:
    def write(store: StateStore) -> None:
        for _ in range(5):
            count_one(store)

    with ThreadPoolExecutor() as threads:
        list(threads.map(write, [open_store() for _ in range(4)]))
    assert count(open_store()) == 20


def test_one_waits_for_another_that_has_the_lock_and_reads_what_it_wrote(open_store: OpenStore) -> None:
    begun, mine, theirs = Signal(), open_store(), open_store()

    def write() -> None:
        begun.set()
        count_one(theirs)

    other = Thread(target=write)
    with rewritten(mine) as content:
        other.start()
        begun.wait()
        other.join(0.3)
        assert other.is_alive()
        content.origins["line"] = RunState(runs={Outcome.UNCHANGED: 1})
    other.join()
    assert count(mine) == 2


def replace_nothing(store: StateStore) -> None:
    with store.locked() as content:
        content.origins["line"] = RunState(runs={Outcome.UNCHANGED: 7})


def fail(store: StateStore) -> None:
    with pytest.raises(ZeroDivisionError), store.locked():
        raise ZeroDivisionError


@pytest.mark.parametrize("leave", [replace_nothing, fail])
def test_a_block_that_replaces_nothing_leaves_all_as_it_was_and_the_lock_to_the_next(
    open_store: OpenStore, leave: Callable[[StateStore], None]
) -> None:
    store = open_store()
    count_one(store)
    leave(store)
    assert count(store) == 1
    count_one(open_store())
    count_one(store)
    assert count(store) == 3


def sends(store: StateStore, stack: ExitStack) -> bool:
    """Take the lock for sending for as long as `stack` is open, and return whether it was free."""
    with store.locked() as content:
        taken = stack.enter_context(store.sending())
        store.replace(content)
    return taken


def test_one_at_a_time_sends(open_store: OpenStore) -> None:
    mine, theirs = open_store(), open_store()
    with ExitStack() as sending, ExitStack() as others:
        assert sends(mine, sending)
        assert not sends(theirs, others)
        count_one(theirs)  # who only writes need not wait
        count_one(mine)  # as the one that sends does for each delivery
        assert not sends(theirs, others)
        sending.close()
        assert sends(theirs, others)
    with ExitStack() as again:
        assert sends(mine, again)
    assert count(mine) == 2
