"""The state in the table of DynamoDB: leases that outlive their process, and AWS that fails at each call."""

import time
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from ddns_updater.alerts.event import Event, Kind
from ddns_updater.errors import StateError
from ddns_updater.lib.deadline import time_limit
from ddns_updater.model import Outcome
from ddns_updater.state.run_state import RunState
from ddns_updater.state.table import StateTable
from tests.support.alerting import rewritten
from tests.support.aws import FakeAws, Fault, answering, cut, lose_answer, refuse_item
from tests.support.dynamodb import sdk

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
PLACE = "the state of the runs in DynamoDB table ddns"
LATE = f"failed to write {PLACE}: another run has its lock by now"
_KEY = {"pk": {"S": "state"}, "sk": {"S": "runs"}}

OpenTable = Callable[..., StateTable]


def counted(number: int) -> RunState:
    return RunState(runs={Outcome.UNCHANGED: number})


def write(table: StateTable, number: int) -> None:
    with rewritten(table) as content:
        content.origins["line"] = counted(number)


def has(table: StateTable, number: int) -> bool:
    return table.read().origins == {"line": counted(number)}


def put(aws: FakeAws, content: str) -> None:
    """Write the content as another program would."""
    sdk(aws.url).put_item(TableName="ddns", Item=_KEY | {"content": {"S": content}})


# Leases


class Clock:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = time.time()

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_a_use_is_one_call_to_take_the_content_and_one_to_replace_it(aws: FakeAws, open_table: OpenTable) -> None:
    table = open_table()
    write(table, 1)
    assert aws.calls == ["UpdateItem", "UpdateItem"]
    table.read()
    assert aws.calls[2:] == ["GetItem"]


def test_one_that_replaces_nothing_gives_the_lock_back_at_once(aws: FakeAws, open_table: OpenTable) -> None:
    with open_table().locked():
        pass
    aws.calls.clear()
    write(open_table(), 1)
    assert aws.calls == ["UpdateItem", "UpdateItem"]


def test_the_lock_of_one_that_was_killed_is_free_within_five_seconds(open_table: OpenTable) -> None:
    clock = Clock()
    dead = open_table(clock=lambda: clock.now)
    content = dead.locked().__enter__()
    begun = clock.now
    table = open_table(clock=lambda: clock.now, sleep=clock.sleep)
    write(table, 1)
    assert 1 < clock.now - begun < 5
    content.origins["line"] = counted(7)
    with pytest.raises(StateError) as late:
        dead.replace(content)
    assert str(late.value) == LATE
    assert has(table, 1)


def test_one_that_comes_late_takes_the_lock_from_nobody(open_table: OpenTable) -> None:
    late = open_table(clock=lambda: time.time() - 60)
    early = late.locked().__enter__()
    mine = open_table()
    with mine.locked() as content:
        with pytest.raises(StateError):
            late.replace(early)
        clock = Clock()
        other = open_table(clock=lambda: clock.now, sleep=clock.sleep)
        begun = clock.now
        other.locked().__enter__()
        assert clock.now - begun > 1
        content.origins["line"] = counted(1)
        with pytest.raises(StateError):
            mine.replace(content)  # that one has it by now


def test_one_that_leaves_late_gives_back_no_lock_but_its_own(open_table: OpenTable) -> None:
    late = open_table(clock=lambda: time.time() - 60).locked()
    late.__enter__()
    mine = open_table()
    with mine.locked() as content:
        late.__exit__(None, None, None)
        content.origins["line"] = counted(1)
        clock = Clock()
        begun = clock.now
        open_table(clock=lambda: clock.now, sleep=clock.sleep).locked().__enter__()
        assert clock.now - begun > 1


def test_one_that_comes_late_writes_when_nobody_has_written_since(open_table: OpenTable) -> None:
    table = open_table(clock=lambda: time.time() - 60)
    write(table, 1)
    assert has(table, 1)


def test_one_waits_for_a_lock_that_does_not_become_free_only_for_some_seconds(open_table: OpenTable) -> None:
    open_table(clock=lambda: time.time() + 200).locked().__enter__()  # the clock of another machine is wrong
    begun = time.monotonic()
    with pytest.raises(StateError) as busy:
        open_table().locked().__enter__()
    assert str(busy.value) == f"failed to write {PLACE}: AWS does not answer, or other runs hold its lock"
    assert 4 < time.monotonic() - begun < 8


def test_one_that_was_killed_while_it_sent_keeps_others_from_sending_for_less_than_a_minute(
    open_table: OpenTable,
) -> None:
    dead = open_table()
    with dead.locked() as content:
        assert dead.sending().__enter__()
        dead.replace(content)
    for seconds, expected in ((30, False), (50, True)):
        table = open_table(clock=lambda seconds=seconds: time.time() + seconds)
        with table.locked() as content, table.sending() as taken:
            assert taken is expected
            table.replace(content)


def test_one_that_sent_too_long_does_not_end_the_turn_of_the_next(open_table: OpenTable) -> None:
    late = open_table(clock=lambda: time.time() - 60)
    with late.locked() as content:
        sending = late.sending()
        sending.__enter__()
        late.replace(content)
    mine, third = open_table(), open_table()
    with mine.locked() as content:
        mine.sending().__enter__()
        mine.replace(content)
    sending.__exit__(None, None, None)
    with third.locked(), third.sending() as taken:
        assert not taken


def test_who_has_lost_the_lock_sends_nothing(open_table: OpenTable) -> None:
    late = open_table(clock=lambda: time.time() - 60)
    late.locked().__enter__()
    write(open_table(), 1)
    with late.sending() as taken:
        assert not taken


# AWS fails


def send(table: StateTable) -> None:
    with table.locked() as content, table.sending() as taken:
        assert taken
        content.origins["line"] = counted(1)
        table.replace(content)


_FAILING = {
    "lost": (lose_answer, "AWS did not answer"),
    "cut": (cut, "AWS did not answer"),
    "throttled": (refuse_item("ProvisionedThroughputExceededException"), "AWS answered ProvisionedThroughputExceeded"),
    "broken": (answering('{"__type": "InternalServerError"}', "500 Error"), "AWS answered InternalServerError"),
}


@pytest.mark.parametrize("kind", _FAILING)
@pytest.mark.parametrize("after", [0, 1, 2, 3])  # the lock, that for sending, the content, that for sending again
def test_a_call_that_fails_once_is_repeated_and_nobody_notices(
    aws: FakeAws, open_table: OpenTable, kind: str, after: int
) -> None:
    aws.fault("UpdateItem", _FAILING[kind][0], times=1, after=after)
    table = open_table()
    send(table)
    assert aws.count()["UpdateItem"] == 5
    assert has(table, 1)
    send(open_table())


@pytest.mark.parametrize("kind", _FAILING)
@pytest.mark.parametrize("after", [0, 1, 2])
def test_a_call_that_fails_each_time_is_one_line_and_what_was_there_stays_or_is_replaced(
    aws: FakeAws, open_table: OpenTable, kind: str, after: int
) -> None:
    fault, cause = _FAILING[kind]
    write(open_table(), 7)
    aws.fault("UpdateItem", fault, after=after)
    with pytest.raises(StateError) as failed:
        send(open_table())
    assert str(failed.value).startswith(f"failed to write the table ddns: {cause}")
    assert "\n" not in str(failed.value)
    aws.heal()
    assert has(open_table(), 1 if (kind, after) == ("lost", 2) else 7)
    write(open_table(), 8)
    assert has(open_table(), 8)


def test_one_that_is_told_late_that_it_has_written_leaves_the_next_its_lock(
    aws: FakeAws, open_table: OpenTable
) -> None:
    """Its write is repeated after a lost answer, and another one has taken the lock in between."""
    mine, other = open_table(), open_table()
    taken = []

    def lose_and_take(call: object) -> bytes:
        call.forward()  # type: ignore[attr-defined]
        aws.heal()
        taken.append(other.locked().__enter__())
        return cut(call)  # type: ignore[arg-type]

    with mine.locked() as content:
        content.origins["line"] = counted(1)
        aws.fault("UpdateItem", lose_and_take, times=1)
        with pytest.raises(StateError, match="another run has its lock"):
            mine.replace(content)
    assert taken[0].origins == {"line": counted(1)}
    taken[0].origins["line"] = counted(2)
    other.replace(taken[0])
    assert has(mine, 2)


@pytest.mark.parametrize("after", [0, 1])
def test_a_call_that_hangs_is_cut_off(aws: FakeAws, open_table: OpenTable, after: int) -> None:
    table = open_table()
    write(table, 1)
    aws.fault("UpdateItem", aws.hang, after=after)
    begun = time.monotonic()
    with pytest.raises(StateError, match="AWS does not answer"), time_limit(0.5, table.busy):
        write(table, 2)
    assert time.monotonic() - begun < 2
    aws.heal()
    write(open_table(), 3)
    assert has(table, 3)


@pytest.mark.parametrize("fault", [refuse_item("InternalServerError"), cut])
def test_a_state_that_cannot_be_read_is_one_line(aws: FakeAws, open_table: OpenTable, fault: Fault) -> None:
    aws.fault("GetItem", fault)
    with pytest.raises(StateError, match=r"^failed to read the table ddns: [^\n]+$"):
        open_table().read()


def test_without_the_table_it_says_how_to_make_it(aws: FakeAws, open_table: OpenTable) -> None:
    table = open_table()
    sdk(aws.url).delete_table(TableName="ddns")
    for use in (table.read, lambda: write(table, 1)):
        with pytest.raises(StateError) as missing:
            use()
        assert str(missing.value) == 'there is no table ddns in eu-west-1; run "ddns init --name NAME"'


def test_what_is_too_large_for_an_item_is_one_line_and_what_was_there_stays(open_table: OpenTable) -> None:
    table = open_table()
    write(table, 1)
    event = Event(Kind.REPAIRED, NOW, "line", "title", "x" * 410_000, {})
    with pytest.raises(StateError) as large, rewritten(table) as content:
        content.outbox.add("line", [event], ["key"], NOW)
    assert str(large.value) == (
        f"failed to write {PLACE}: it would have more than the 400 KB that an item may have;"
        " set DDNS_STATE_FOLDER to keep it in a file"
    )
    assert has(table, 1)
    write(open_table(), 2)


# Contents that are not ours


@pytest.mark.parametrize(
    "content", ["", "shopping", "[1]", "7", '{"program": "ddns-updater", "format": 1}', "[" * 9999]
)
def test_a_damaged_content_is_begun_anew_with_a_warning(aws: FakeAws, open_table: OpenTable, content: str) -> None:
    put(aws, content)
    table = open_table()
    lost = "is damaged; run counts restart at zero, an open incident and undelivered alerts are lost"
    assert table.read().damage == f"{PLACE} {lost}"
    with rewritten(table) as begun:
        assert begun.damage
        begun.origins["line"] = counted(1)
    assert table.read().damage is None
    assert has(table, 1)


def test_the_content_of_a_later_version_is_left_as_it_is(aws: FakeAws, open_table: OpenTable) -> None:
    later = '{"program": "ddns-updater", "format": 2, "new": true}'
    put(aws, later)
    table = open_table()
    told = f"^{PLACE} was written by another version of ddns-updater; upgrade, or delete that item$"
    with pytest.raises(StateError, match=told):
        table.read()
    with pytest.raises(StateError, match=told):
        write(table, 1)
    item = sdk(aws.url).get_item(TableName="ddns", Key=_KEY)["Item"]
    assert item["content"] == {"S": later}
