"""The publisher of hosts in a table of DynamoDB: one that comes late, one that takes long, and what a round costs."""

import json
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from ipaddress import ip_address
from types import SimpleNamespace

import pytest

from ddns_updater.errors import HistoryError, NoAnswer
from ddns_updater.history.dynamodb import DynamoDbHistory
from ddns_updater.history.dynamodb_hosts import DynamoDbHosts
from ddns_updater.hosts import Host, HostRecord, Looked, NewHost
from ddns_updater.lib import dynamodb
from ddns_updater.lib.dynamodb import Table
from ddns_updater.model import Family, Publication
from ddns_updater.server.judgement import judge
from tests.support import aws as faults
from tests.support.aws import FakeAws
from tests.support.dynamodb import make_table

_NAME = "nas.example.com"
_KEY = f"{_NAME}#ipv4"
_ONE, _TWO = ip_address("192.0.2.1"), ip_address("192.0.2.2")
_MANY = 30


@pytest.fixture
def table(aws: FakeAws, monkeypatch: pytest.MonkeyPatch) -> Table:
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws.url)
    return make_table(aws.url)


@pytest.fixture
def hosts(table: Table) -> DynamoDbHosts:
    return _open(table)


def _open(table: Table) -> DynamoDbHosts:
    return DynamoDbHosts(DynamoDbHistory(table, "here", 60), judge)


def _add(hosts: DynamoDbHosts, name: str = _NAME) -> Host:
    return hosts.add(NewHost(name, name, "m" * 32))


def _due(hosts: DynamoDbHosts, number: int = 1) -> list[HostRecord]:
    found = hosts.due(1000)
    assert len(found) == number
    return found


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Give the clock that leases go by."""
    clock = SimpleNamespace(now=1_800_000_000.0)
    monkeypatch.setattr(dynamodb, "time", SimpleNamespace(time=lambda: clock.now, sleep=lambda _: None))
    return clock


def _look(hosts: DynamoDbHosts, each: HostRecord, *, is_done: bool, at: timedelta) -> datetime:
    later = hosts.now() + at
    hosts.looked([Looked(each, is_done, later)])
    return later


def _works(hosts: DynamoDbHosts, found: HostRecord) -> Sequence[Callable[[], object]]:
    """Return what a round does with a record that is due."""
    pending = Publication(found.record, hosts.now(), hosted_zone_id="Z", address=_ONE)
    return (
        lambda: hosts.due(10),
        lambda: hosts.history.save([(found.journal.version, pending)]),
        lambda: hosts.looked([Looked(found, False, None)]),
    )


@pytest.mark.parametrize("is_done", [False, True])
def test_a_publisher_that_comes_late_leaves_the_next_look_at_a_record(
    hosts: DynamoDbHosts, table: Table, *, is_done: bool
) -> None:
    host = _add(hosts)
    hosts.update([(host, {Family.IPV4: _ONE})])
    late = _open(table)
    (before,) = _due(late)
    later = _look(hosts, *_due(hosts), is_done=True, at=timedelta(hours=1))
    _look(late, before, is_done=is_done, at=timedelta(hours=9))
    assert hosts.count_due()[0] == 0
    assert hosts.next_look() == later


def test_a_publisher_that_comes_late_to_a_recheck_leaves_what_the_next_one_found(
    hosts: DynamoDbHosts, table: Table
) -> None:
    host = _add(hosts)
    hosts.update([(host, {Family.IPV4: _ONE})])
    _look(hosts, *_due(hosts), is_done=True, at=timedelta(0))
    late = _open(table)
    (before,) = _due(late)
    _look(hosts, *_due(hosts), is_done=False, at=timedelta(minutes=1))
    assert hosts.count_due()[0] == 1
    _look(late, before, is_done=True, at=timedelta(hours=1))
    assert hosts.count_due()[0] == 1


def test_a_publisher_that_comes_late_does_not_bring_back_a_host_that_was_removed(
    hosts: DynamoDbHosts, table: Table
) -> None:
    host = _add(hosts)
    hosts.update([(host, {Family.IPV4: _ONE})])
    _look(hosts, *_due(hosts), is_done=False, at=timedelta(0))
    (before,) = _due(hosts)
    hosts.remove(host)
    _look(hosts, before, is_done=True, at=timedelta(hours=1))
    assert table.get("seen", _KEY) is None


def test_a_look_whose_answer_was_lost_is_saved(hosts: DynamoDbHosts, aws: FakeAws) -> None:
    host = _add(hosts)
    hosts.update([(host, {Family.IPV4: _ONE})])
    _look(hosts, *_due(hosts), is_done=False, at=timedelta(0))
    aws.fault("UpdateItem", faults.lose_answer, times=1)
    later = _look(hosts, *_due(hosts), is_done=True, at=timedelta(hours=1))
    assert (hosts.count_due()[0], hosts.next_look()) == (0, later)


def test_the_lease_is_renewed_while_a_round_lasts(hosts: DynamoDbHosts, table: Table, clock: SimpleNamespace) -> None:
    hosts.update([(_add(hosts), {Family.IPV4: _ONE})])
    other = _open(table)
    with hosts.lock_publisher() as mine:
        assert mine
        works = _works(hosts, *_due(hosts))
        for work in works:
            clock.now += 80
            work()
            with other.lock_publisher() as theirs:
                assert not theirs
    with other.lock_publisher() as theirs:
        assert theirs


def test_a_round_ends_when_its_lease_ran_out_and_another_server_has_it(
    hosts: DynamoDbHosts, table: Table, clock: SimpleNamespace
) -> None:
    host = _add(hosts)
    hosts.update([(host, {Family.IPV4: _ONE})])
    other = _open(table)
    with hosts.lock_publisher():
        (found,) = _due(hosts)
        clock.now += 100
        with other.lock_publisher() as theirs:
            assert theirs
            for work in _works(hosts, found):
                with pytest.raises(HistoryError, match="the lease publisher ran out, and another one holds it"):
                    work()
    assert hosts.count_due()[0] == 1
    hosts.history.keep()  # what is not held is not renewed


def test_what_is_due_is_read_a_hundred_items_a_call_and_saved_in_one_each(hosts: DynamoDbHosts, aws: FakeAws) -> None:
    made = [_add(hosts, f"h{number}.example.com") for number in range(_MANY)]
    hosts.update([(host, {Family.IPV4: _ONE}) for host in made])
    aws.calls.clear()
    found = _due(hosts, _MANY)
    assert dict(aws.count()) == {"Query": 2, "BatchGetItem": 3}
    assert [each.journal.version.address for each in found] == [_ONE] * _MANY
    aws.calls.clear()
    hosts.history.save((each.journal.version, Publication(each.record, hosts.now())) for each in found)
    hosts.history.save((each.journal.version, Publication(each.record, hosts.now(), error="no")) for each in found)
    assert dict(aws.count()) == {"UpdateItem": 2 * _MANY}
    aws.calls.clear()
    assert hosts.failing(100)[0] == _MANY
    assert dict(aws.count()) == {"Query": 2, "BatchGetItem": 1}
    hosts.looked([Looked(each, True, hosts.now() + timedelta(hours=1)) for each in found])
    assert hosts.count_due()[0] == 0


def test_the_latest_version_is_read_whatever_the_mark_was_made_for(hosts: DynamoDbHosts, table: Table) -> None:
    host = _add(hosts)
    for address in (_ONE, _TWO):
        hosts.update([(host, {Family.IPV4: address})])
    for number in (1, 2, 3, 9):  # of an earlier version, its own, and of one that is still being written
        table.update("due", _KEY, dynamodb.Update({"version": number}))
        assert [each.journal.version.version for each in hosts.due(10)] == [2]


def _leaving_out(call: faults.Call) -> bytes:
    """Answer for the first item that is asked for, as AWS does for a batch that is too large."""
    asked = json.loads(call.body)["RequestItems"]["ddns"]["Keys"]
    answer = json.loads(call.forward())
    items = [each for each in answer["Responses"]["ddns"] if each["sk"] == asked[0]["sk"]]
    left = {"ddns": {"Keys": asked[1:], "ConsistentRead": True}} if asked[1:] else {}
    return json.dumps({"Responses": {"ddns": items}, "UnprocessedKeys": left}).encode()


@pytest.mark.usefixtures("clock")
def test_items_that_aws_leaves_out_of_a_batch_are_asked_for_again(table: Table, aws: FakeAws) -> None:
    for number in range(3):
        table.put("p", f"{number}", {"is": number})
    wanted = [("p", f"{number}") for number in range(4)]
    aws.fault("BatchGetItem", _leaving_out)
    assert {sort: item["is"] for (_, sort), item in table.get_many(wanted).items()} == {"0": 0, "1": 1, "2": 2}
    assert aws.count()["BatchGetItem"] == 4
    with pytest.raises(NoAnswer, match="failed to read the table ddns: AWS left out items 4 times"):
        table.get_many([*wanted, ("p", "4")])
