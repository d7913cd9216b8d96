"""Hosts in a table of DynamoDB, which knows no transactions."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from functools import partial
from ipaddress import ip_address
from typing import Any

import pytest

from ddns_updater.errors import HistoryError, HostError
from ddns_updater.history.dynamodb import DynamoDbHistory
from ddns_updater.history.dynamodb_host_items import HostKey
from ddns_updater.history.dynamodb_hosts import DynamoDbHosts
from ddns_updater.hosts import Host, LastRequest, Looked, NewHost, Verdict
from ddns_updater.lib.dynamodb import Table, Update
from ddns_updater.model import Family, Origin, Publication, PublicationState, Record, SeenFree
from ddns_updater.server.judgement import judge
from tests.support.aws import FakeAws, lose_answer, refuse_item
from tests.support.dynamodb import make_table, sdk

_NAME = "nas.example.com"
_SECRET = "m" * 32
_ONE, _TWO, _SIX = ip_address("192.0.2.1"), ip_address("192.0.2.2"), ip_address("2001:db8::1")
_KEY = f"{_NAME}#ipv4"


class _Killed(BaseException):
    """The process ended here."""


class _Mortal:
    """A table whose user is killed before the write with a number, 0 for none; it counts the writes."""

    def __init__(self, table: Table, dies_before: int = 0) -> None:
        self._table = table
        self._dies_before = dies_before
        self.calls: list[str] = []
        self.writes = 0

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._table, name)

        def called(*values: Any, **more: Any) -> Any:
            self.calls.append(name)
            if name in ("put", "update", "delete"):
                self.writes += 1
                if self.writes == self._dies_before:
                    raise _Killed
            return method(*values, **more)

        return called


@pytest.fixture
def table(aws: FakeAws, monkeypatch: pytest.MonkeyPatch) -> Table:
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws.url)
    return make_table(aws.url)


@pytest.fixture
def hosts(table: Table) -> DynamoDbHosts:
    return _open(table)


def _open(table: Any) -> DynamoDbHosts:
    return DynamoDbHosts(DynamoDbHistory(table, "here", 60), judge)


def _add(hosts: DynamoDbHosts, name: str = _NAME, **more: Any) -> Host:
    return hosts.add(NewHost(name, more.pop("login", name), more.pop("secret", _SECRET), **more))


def _kills(table: Table, work: Any) -> Iterator[None]:
    """Do `work` with a store that is killed before its first write, then before its second, until it is not."""
    for number in range(1, 30):
        mortal = _Mortal(table, number)
        with suppress(_Killed):
            work(_open(mortal))
        if mortal.writes < number:
            return
        yield
    raise AssertionError("it never ends")


def _versions(hosts: DynamoDbHosts, name: str = _NAME) -> list[str]:
    return [each.version.ip for each in hosts.versions.journals(f"{name}#ipv4")][::-1]


def _hold(hosts: DynamoDbHosts) -> None:
    """Do a round of a publisher that finds every record to hold its latest version."""
    later = hosts.now() + timedelta(hours=1)
    hosts.looked([Looked(each, True, later) for each in hosts.due(1000)])


def test_a_login_has_the_digest_of_its_secret_and_its_hosts(hosts: DynamoDbHosts, table: Table) -> None:
    host = _add(hosts)
    other = _add(hosts, "cam.example.com", login=_NAME, secret=None)
    found = hosts.login(_NAME)
    assert found
    assert found.hosts == (other, host)
    assert len(found.digests) == 1
    assert found.shared_secrets == ()
    assert hosts.login("nobody.example.com") is None
    assert hosts.login_of("cam.example.com") == found._replace(hosts=(other,))
    assert set(hosts.logins([_NAME, "nobody"])) == {_NAME}
    assert _SECRET not in str(list(table.query(f"login#{_NAME}")))


def test_a_request_records_a_version_with_a_pending_publication_that_is_due(hosts: DynamoDbHosts) -> None:
    host = _add(hosts)
    (result,) = hosts.update([(host, {Family.IPV4: _ONE, Family.IPV6: _SIX})])
    assert (result.verdict, result.addresses) == (Verdict.GOOD, (_ONE, _SIX))
    due = hosts.due(10)
    assert {each.record for each in due} == {Record(_NAME, "A"), Record(_NAME, "AAAA")}
    assert {each.journal.publications[0].state for each in due} == {PublicationState.PENDING}
    number, since = hosts.count_due()
    assert number == 2
    assert since
    assert (hosts.now() - since).total_seconds() < 60


def test_the_same_address_is_no_change_and_another_one_the_next_version(hosts: DynamoDbHosts) -> None:
    host = _add(hosts)
    verdicts = [hosts.update([(host, {Family.IPV4: each})])[0].verdict for each in (_ONE, _ONE, _TWO, _ONE)]
    assert verdicts == [Verdict.GOOD, Verdict.NOCHG, Verdict.GOOD, Verdict.GOOD]
    assert _versions(hosts) == [str(_ONE), str(_TWO), str(_ONE)]


def test_a_record_that_was_seen_to_hold_its_version_is_due_no_more(hosts: DynamoDbHosts) -> None:
    host = _add(hosts)
    hosts.update([(host, {Family.IPV4: _ONE})])
    (at,) = hosts.due(10)
    later, free = hosts.now() + timedelta(days=365), SeenFree("Z1", hosts.now(), 60)
    hosts.looked([Looked(at, True, later, sent_at=hosts.now(), free=free)])
    assert hosts.due(10) == []
    assert hosts.count_due() == (0, None)
    assert hosts.next_look() == later
    hosts.update([(host, {Family.IPV4: _TWO})])
    (again,) = hosts.due(10)
    assert again.free == free
    assert again.sent_at == free.at


def test_a_record_that_holds_no_more_is_due_again(hosts: DynamoDbHosts) -> None:
    hosts.update([(_add(hosts), {Family.IPV4: _ONE})])
    hosts.looked([Looked(each, True, hosts.now()) for each in hosts.due(10)])
    (at,) = hosts.due(10)
    assert at.due_since is None
    hosts.looked([Looked(at, False, hosts.now())])
    (again,) = hosts.due(10)
    assert again.due_since
    assert hosts.count_due()[0] == 1


def test_a_version_recorded_while_the_publisher_looked_stays_due(hosts: DynamoDbHosts) -> None:
    host = _add(hosts)
    hosts.update([(host, {Family.IPV4: _ONE})])
    (at,) = hosts.due(10)
    hosts.update([(host, {Family.IPV4: _TWO})])
    for is_done in (True, False):
        hosts.looked([Looked(at, is_done, hosts.now() + timedelta(days=365))])
        (again,) = hosts.due(10)
        assert again.journal.version.address == _TWO
        assert hosts.count_due()[0] == 1


def test_a_removed_host_keeps_its_history_and_continues_it(hosts: DynamoDbHosts) -> None:
    host = _add(hosts)
    hosts.update([(host, {Family.IPV4: _ONE})])
    hosts.remove(host)
    assert (hosts.login(_NAME), hosts.login_of(_NAME), hosts.entry(_NAME)) == (None, None, None)
    assert hosts.due(10) == []
    assert hosts.names() == []
    assert hosts.update([(host, {Family.IPV4: _TWO})])[0].verdict is Verdict.LATER
    again = _add(hosts)
    hosts.update([(again, {Family.IPV4: _TWO})])
    assert _versions(hosts) == [str(_ONE), str(_TWO)]
    assert len(hosts.due(10)) == 1


def test_two_secrets_are_valid_while_one_is_rotated(hosts: DynamoDbHosts) -> None:
    host = _add(hosts, takes_aws=True)
    hosts.rotate(host, "n" * 32)
    login = hosts.login(_NAME)
    assert login
    assert login.shared_secrets == ("n" * 32, _SECRET)
    assert len(login.digests) == 2
    assert hosts.end_rotation(host)
    ended = hosts.login(_NAME)
    assert ended
    assert (ended.shared_secrets, ended.digests) == (("n" * 32,), login.digests[:1])
    assert not hosts.end_rotation(host)


def test_a_login_without_the_secret_itself_cannot_take_awss_protocol(hosts: DynamoDbHosts, table: Table) -> None:
    _add(hosts)
    with pytest.raises(HostError, match="only a digest"):
        _add(hosts, "cam.example.com", login=_NAME, secret=None, takes_aws=True)
    with pytest.raises(HostError, match="there is a host"):
        _add(hosts, login="other.example.com")
    with pytest.raises(HostError, match="there is a login"):
        _add(hosts, "cam.example.com", login=_NAME)
    with pytest.raises(HostError, match="there is no login"):
        _add(hosts, "cam.example.com", login="nobody", secret=None)
    table.put("origin", "line.example.com#ipv6", {})
    with pytest.raises(HostError, match="name of an origin"):
        _add(hosts, "line.example.com")
    assert hosts.names() == [_NAME]


def test_a_blocked_host_records_nothing(hosts: DynamoDbHosts) -> None:
    host = _add(hosts)
    hosts.block(host, blocked=True)
    entry = hosts.entry(_NAME)
    assert entry
    assert [each.verdict for each in hosts.update([(entry.host, {Family.IPV4: _ONE})])] == [Verdict.BLOCKED]
    assert hosts.overview().blocked == 1
    hosts.block(host, blocked=False)
    assert hosts.overview().blocked == 0


def test_what_failed_last_is_counted_and_refused(hosts: DynamoDbHosts) -> None:
    hosts.update([(_add(hosts), {Family.IPV4: _ONE}), (_add(hosts, "cam.example.com"), {Family.IPV4: _ONE})])
    at = next(each for each in hosts.due(10) if each.host.name == _NAME)
    failed = Publication(at.record, hosts.now(), PublicationState.FAILED, error="no")
    hosts.history.save([(at.journal.version, failed)])
    number, (example,) = hosts.failing(5)
    assert (number, example.record, example.error) == (1, at.record, "no")
    found = hosts.overview()
    assert (found.hosts, found.records, found.due, found.refused) == (2, 2, 2, 1)
    assert hosts.update([(at.host, {Family.IPV4: _ONE})])[0].verdict is Verdict.LATER


def test_entries_have_the_last_request_and_come_in_pages(hosts: DynamoDbHosts) -> None:
    first, second = _add(hosts, "a.example.com"), _add(hosts, "b.example.com")
    request = LastRequest(hosts.now(), "ddclient", "192.0.2.9", Verdict.GOOD)
    hosts.note_requests({first.id: request})
    hosts.remove(second)
    hosts.note_requests({second.id: request})  # is not made again by that
    second = _add(hosts, "b.example.com")
    assert [(each.host, each.last_request) for each in hosts.entries()] == [(first, request), (second, None)]
    assert [each.host for each in hosts.entries(limit=1)] == [first]
    assert [each.host for each in hosts.entries(after="a.example.com")] == [second]
    hosts.update([(second, {Family.IPV4: _ONE, Family.IPV6: _SIX})])
    (waiting,) = hosts.due_entries(5)
    assert set(waiting.journals) == {Family.IPV4, Family.IPV6}


def test_the_recent_addresses_of_a_host_begin_with_the_one_that_was_current_then(
    hosts: DynamoDbHosts, table: Table
) -> None:
    host = _add(hosts)
    for number in range(1, 6):
        hosts.update([(host, {Family.IPV4: ip_address(f"192.0.2.{number}")})])
        at = hosts.now() - timedelta(seconds=1000 - 100 * number)
        table.update(f"line#{_KEY}", f"v#{number:08}", Update({"createdAt": f"{at:%Y-%m-%dT%H:%M:%SZ}"}))

    def recent(seconds: int, most: int = 50) -> list[int]:
        found = hosts.recent_addresses([host.id], hosts.now() - timedelta(seconds=seconds), most)
        return [each.version for each in found[host.id, Family.IPV4]]

    assert recent(750) == [5, 4, 3, 2]
    assert recent(10_000) == [5, 4, 3, 2, 1]
    assert recent(100) == [5]
    assert recent(10_000, most=2) == [5, 4]


def test_requests_killed_before_any_write_lose_nothing_that_was_answered(hosts: DynamoDbHosts, table: Table) -> None:
    host = _add(hosts)
    hosts.update([(host, {Family.IPV4: _ONE})])
    _hold(hosts)
    for _ in _kills(table, lambda mine: mine.update([(host, {Family.IPV4: _TWO})])):
        latest = _versions(hosts)[-1]
        if latest == str(_TWO):
            assert hosts.count_due()[0] == 1, "a version that nobody will publish"
    assert _versions(hosts) == [str(_ONE), str(_TWO)]
    assert hosts.count_due()[0] == 1


@pytest.mark.parametrize("state", [PublicationState.PENDING, PublicationState.FAILED])
def test_a_version_that_lost_its_mark_is_due_again_once_its_host_asks_again(
    hosts: DynamoDbHosts, table: Table, state: PublicationState
) -> None:
    """Its writer was killed after it was suspended, or its host was removed and added again."""
    host = _add(hosts)
    hosts.update([(host, {Family.IPV4: _ONE})])
    (at,) = hosts.due(10)
    error = "no" if state is PublicationState.FAILED else None
    hosts.history.save([(at.journal.version, Publication(at.record, hosts.now(), state, error=error))])
    hosts.remove(host)
    host = _add(hosts)
    assert hosts.count_due()[0] == 0
    hosts.update([(host, {Family.IPV4: _ONE})])
    assert [each.journal.version.version for each in hosts.due(10)] == [1]
    mark = table.get("due", _KEY)
    hosts.update([(host, {Family.IPV4: _ONE})])
    assert table.get("due", _KEY) == mark


def test_a_login_that_lost_a_name_to_another_one_records_nothing(hosts: DynamoDbHosts, table: Table) -> None:
    class Late(_Mortal):
        def __getattr__(self, name: str) -> Any:
            method = super().__getattr__(name)

            def called(partition: str, sort: str, *values: Any, **more: Any) -> Any:
                if sort == f"host#{_NAME}" and name == "put":
                    _add(hosts, login="other")  # which takes the name over
                return method(partition, sort, *values, **more)

            return called if name == "put" else method

    with pytest.raises(HostError, match=r"there is a host nas\.example\.com already"):
        _add(_open(Late(table)), login="late")
    assert hosts.login("late") is None
    table.put("login#late", f"host#{_NAME}", {})  # what it leaves when it is killed
    late = Host(HostKey("late", _NAME), _NAME, "late", hosts.now())
    assert hosts.update([(late, {Family.IPV4: _TWO})])[0].verdict is Verdict.LATER
    assert _versions(hosts) == []


def test_a_mark_without_its_version_is_kept_for_its_writer_and_removed_when_it_is_old(
    hosts: DynamoDbHosts, table: Table
) -> None:
    host = _add(hosts)
    hosts.update([(host, {Family.IPV4: _ONE})])
    _hold(hosts)
    with suppress(_Killed):
        _open(_Mortal(table, 2)).update([(host, {Family.IPV4: _TWO})])
    _hold(hosts)
    assert hosts.count_due()[0] == 1
    assert hosts.due(10) == []  # not looked at at every turn
    old = f"{hosts.now() - timedelta(minutes=3):%Y-%m-%dT%H:%M:%SZ}"
    table.update("due", _KEY, Update({"missedAt": old, "lookAt": old}))
    _hold(hosts)
    assert hosts.count_due()[0] == 0


@pytest.mark.parametrize("has_version", [False, True])
def test_a_version_that_is_on_its_way_while_the_publisher_looks_is_soon_looked_at(
    hosts: DynamoDbHosts, table: Table, *, has_version: bool
) -> None:
    host = _add(hosts)
    if has_version:
        hosts.update([(host, {Family.IPV4: _ONE})])

    class Slow(_Mortal):
        def __getattr__(self, name: str) -> Any:
            if name == "put":  # the mark is there, the version is not
                _clock_of_the_writer_is_late(table)
                tried = [Looked(each, False, hosts.now() + timedelta(hours=1)) for each in hosts.due(10)]
                assert [each.at.journal.version.version for each in tried] == ([1] if has_version else [])
                hosts.looked(tried)
            return super().__getattr__(name)

    _open(Slow(table)).update([(host, {Family.IPV4: _TWO})])
    assert hosts.count_due()[0] == 1
    look = hosts.next_look()
    assert look
    assert look - hosts.now() <= timedelta(seconds=5)


def _clock_of_the_writer_is_late(table: Table) -> None:
    mark = table.get("due", _KEY) or {}
    late = {name: "2026-01-01T00:00:00Z" for name in mark if name.endswith("At")}
    table.update("due", _KEY, Update(late))


def test_a_publisher_that_comes_late_leaves_what_the_next_one_saw(hosts: DynamoDbHosts, table: Table) -> None:
    hosts.update([(_add(hosts), {Family.IPV4: _ONE})])
    _hold(hosts)
    table.update("seen", _KEY, Update({"lookAt": "2026-01-01T00:00:00Z"}))
    late = _open(table)
    (late_at,) = late.due(10)
    free = SeenFree("Z1", hosts.now(), 60)
    later = hosts.now() + timedelta(hours=1)
    (at,) = hosts.due(10)
    hosts.looked([Looked(at, True, later)])  # what stands there is not free any more
    late.looked([Looked(late_at, False, later - timedelta(minutes=1), free)])
    assert (hosts.count_due()[0], hosts.next_look()) == (0, later)
    table.update("seen", _KEY, Update({"lookAt": "2026-01-01T00:00:00Z"}))
    assert [each.free for each in hosts.due(10)] == [None]


def test_a_publisher_killed_before_any_write_leaves_the_record_to_be_looked_at(
    hosts: DynamoDbHosts, table: Table
) -> None:
    host = _add(hosts)
    hosts.update([(host, {Family.IPV4: _ONE})])
    for _ in _kills(table, _hold):
        assert hosts.count_due()[0] == 1
    assert hosts.count_due()[0] == 0
    assert hosts.next_look()


def test_a_host_can_be_added_again_after_a_kill_at_any_write(hosts: DynamoDbHosts, table: Table) -> None:
    for number, _ in enumerate(_kills(table, lambda mine: _add(mine, login="first"))):
        _add(hosts, login=f"other-{number}")
        login = hosts.login_of(_NAME)
        assert login
        assert (login.login, hosts.names()) == (f"other-{number}", [_NAME])
        assert hosts.login("first") is None
        hosts.remove(login.hosts[0])
    assert hosts.names() == [_NAME]


def test_a_removal_can_be_done_again_after_a_kill_at_any_write(hosts: DynamoDbHosts, table: Table) -> None:
    def remove(mine: DynamoDbHosts) -> None:
        if entry := mine.entry(_NAME):
            mine.remove(entry.host)

    hosts.update([(_add(hosts), {Family.IPV4: _ONE})])
    for _ in _kills(table, remove):
        remove(hosts)
        assert hosts.names() == []
        hosts.update([(_add(hosts), {Family.IPV4: _ONE})])
    assert hosts.names() == []


def test_two_writers_at_once_record_contiguous_versions(hosts: DynamoDbHosts, table: Table) -> None:
    host = _add(hosts)

    def update(number: int) -> None:
        mine = _open(table)
        for turn in range(5):
            mine.update([(host, {Family.IPV4: ip_address(f"192.0.{number}.{turn}")})])

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(update, range(3)))
    numbers = [each.version.version for each in hosts.versions.journals(_KEY)]
    assert numbers == list(range(15, 0, -1))
    (at,) = hosts.due(10)
    assert at.journal.version.version == 15


def test_operators_who_add_one_name_at_once_make_one_host(hosts: DynamoDbHosts, table: Table) -> None:
    def add(number: int) -> bool:
        with suppress(HostError):
            return bool(_add(_open(table), login=f"login-{number}"))
        return False

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(add, range(4))) == 1
    assert hosts.names() == [_NAME]
    assert hosts.login_of(_NAME)


def test_a_publisher_that_comes_late_undoes_nothing_of_the_next_one(hosts: DynamoDbHosts, table: Table) -> None:
    hosts.update([(_add(hosts), {Family.IPV4: _ONE})])
    late = _open(table)
    (late_at,) = late.due(10)
    (at,) = hosts.due(10)
    good = Publication(at.record, hosts.now(), PublicationState.FAILED, error="no")
    hosts.history.save([(at.journal.version, good)])
    hosts.history.save([(at.journal.version, good._replace(error="still no"))])
    with pytest.raises(HistoryError, match="changed meanwhile"):
        late.history.save([(late_at.journal.version, good._replace(error="old"))])
    assert hosts.failing(1)[1][0].error == "still no"


def test_one_publisher_at_a_time_holds_the_lock(hosts: DynamoDbHosts, table: Table) -> None:
    with hosts.lock_publisher() as mine, _open(table).lock_publisher() as theirs:
        assert (mine, theirs) == (True, False)
    with _open(table).lock_publisher() as theirs:
        assert theirs


def test_a_host_that_cannot_be_written_is_told_to_come_later_and_the_others_are_recorded(
    hosts: DynamoDbHosts, table: Table
) -> None:
    bad, good = _add(hosts), _add(hosts, "cam.example.com")

    class Failing(_Mortal):
        def __getattr__(self, name: str) -> Any:
            method = super().__getattr__(name)

            def called(partition: str, sort: str = "", *values: Any, **more: Any) -> Any:
                if name == "put" and _NAME in partition:
                    raise HistoryError("throttled")
                return method(partition, *([sort] if sort else []), *values, **more)

            return called

    mine = _open(Failing(table))
    results = mine.update([(bad, {Family.IPV4: _ONE}), (good, {Family.IPV4: _ONE})])
    assert [each.verdict for each in results] == [Verdict.LATER, Verdict.GOOD]
    with pytest.raises(HistoryError, match="throttled"):
        mine.update([(bad, {Family.IPV4: _ONE})])


def test_a_request_costs_few_calls(hosts: DynamoDbHosts, table: Table) -> None:
    host = _add(hosts)
    hosts.update([(host, {Family.IPV4: _ONE})])
    (at,) = hosts.due(10)
    verified = Publication(at.record, hosts.now(), PublicationState.VERIFIED, "Z1", _ONE, 60)
    hosts.history.save([(at.journal.version, verified)])
    counting = _Mortal(table)
    mine = _open(counting)
    for address, calls in ((_ONE, ["query", "query"]), (_TWO, ["query", "query", "get", "update", "put"])):
        counting.calls.clear()
        login = mine.login(_NAME)
        assert login
        mine.update([(login.hosts[0], {Family.IPV4: address})])
        assert counting.calls == calls


def test_a_round_of_the_publisher_costs_few_calls(hosts: DynamoDbHosts, table: Table) -> None:
    hosts.update([(_add(hosts), {Family.IPV4: _ONE})])
    counting = _Mortal(table)
    mine = _open(counting)
    (at,) = mine.due(10)
    assert (
        mine.history.sent_before({Origin(at.origin_id, _NAME, Family.IPV4): at.journal.version}).popitem()[1] == set()
    )
    assert counting.calls == ["query", "get_many", "query", "get_many", "get_many"]
    counting.calls.clear()
    verified = Publication(at.record, hosts.now(), PublicationState.VERIFIED, "Z1", _ONE, 60)
    mine.history.save([(at.journal.version, verified)])
    mine.looked([Looked(at, True, hosts.now() + timedelta(hours=1))])
    assert counting.calls == ["update", "update", "delete"]


def test_the_right_to_write_is_checked_without_writing(hosts: DynamoDbHosts, aws: FakeAws) -> None:
    hosts.check_writing()
    assert sdk(aws.url).scan(TableName="ddns")["Items"] == []
    aws.fault("PutItem", refuse_item("AccessDeniedException"))
    with pytest.raises(HistoryError, match="AWS refuses dynamodb:PutItem on the table ddns; attach the policy"):
        hosts.check_writing()


@pytest.mark.parametrize("operation", ["PutItem", "UpdateItem"])
def test_a_write_whose_answer_was_lost_knows_its_own(hosts: DynamoDbHosts, aws: FakeAws, operation: str) -> None:
    aws.fault(operation, lose_answer, times=1)
    host = _add(hosts)
    aws.heal()
    aws.fault(operation, lose_answer, times=1)
    hosts.rotate(host, "n" * 32)
    aws.heal()
    login = hosts.login(_NAME)
    assert login
    assert len(login.digests) == 2
    aws.fault(operation, lose_answer, times=1)
    assert hosts.update([(login.hosts[0], {Family.IPV4: _ONE})])[0].verdict is Verdict.GOOD
    aws.heal()
    assert _versions(hosts) == [str(_ONE)]
    (at,) = hosts.due(1)
    failed = Publication(at.record, hosts.now(), PublicationState.FAILED, error="no")
    aws.fault(operation, lose_answer, times=1)
    hosts.history.save([(at.journal.version, failed)])
    aws.heal()
    hosts.history.save([(at.journal.version, failed._replace(error="still no"))])
    assert hosts.failing(1)[1][0].error == "still no"


def test_a_throttled_table_records_nothing_and_later_everything(hosts: DynamoDbHosts, aws: FakeAws) -> None:
    host = _add(hosts)
    aws.fault("PutItem", refuse_item("ThrottlingException"))
    with pytest.raises(HistoryError, match="ThrottlingException"):
        hosts.update([(host, {Family.IPV4: _ONE})])
    aws.heal()
    assert _versions(hosts) == []
    aws.fault("PutItem", refuse_item("ThrottlingException"), times=1)
    assert hosts.update([(host, {Family.IPV4: _ONE})])[0].verdict is Verdict.GOOD
    assert _versions(hosts) == [str(_ONE)]
    assert len(hosts.due(10)) == 1


def test_a_writer_that_was_suspended_marks_again_what_was_removed_meanwhile(hosts: DynamoDbHosts, table: Table) -> None:
    host = _add(hosts)
    clock = iter((0.0, 3600.0))

    class Suspended(_Mortal):
        def __getattr__(self, name: str) -> Any:
            if name == "put":
                table.delete("due", _KEY)
            return super().__getattr__(name)

    mine: Any = Suspended(table)
    DynamoDbHosts(DynamoDbHistory(mine, "here", 60), judge, lambda: next(clock)).update([(host, {Family.IPV4: _ONE})])
    assert [each.journal.version.address for each in hosts.due(10)] == [_ONE]


def test_a_writer_that_was_suspended_leaves_the_mark_of_a_version_that_is_being_written(
    hosts: DynamoDbHosts, table: Table
) -> None:
    host = _add(hosts)
    clock = iter((0.0, 3600.0))
    seconds = iter((_TWO,))

    class Suspended(_Mortal):
        """A table that is away for an hour after it appended; another writer has marked the next version then."""

        def put(self, *values: Any, **more: Any) -> None:
            table.put(*values, **more)
            for address in seconds:
                with suppress(_Killed):
                    _open(_Mortal(table, 2)).update([(host, {Family.IPV4: address})])

    mine: Any = Suspended(table)
    DynamoDbHosts(DynamoDbHistory(mine, "here", 60), judge, lambda: next(clock)).update([(host, {Family.IPV4: _ONE})])
    _hold(hosts)
    hosts.versions.append(_KEY, 2, _TWO)  # the other writer goes on
    assert hosts.count_due()[0] == 1


class _Interrupted(_Mortal):
    """A table with something that another operator does just before the call with a number."""

    def __init__(self, table: Table, before: int, meanwhile: Callable[[], object]) -> None:
        super().__init__(table)
        self._before = before
        self._meanwhile = meanwhile

    def __getattr__(self, name: str) -> Any:
        method = super().__getattr__(name)
        if len(self.calls) + 1 == self._before:
            self._before = 0
            self._meanwhile()
        return method


@pytest.mark.parametrize("secret", [None, _SECRET])
@pytest.mark.parametrize("is_removed_meanwhile", [False, True])
def test_a_host_that_joins_a_login_while_its_last_one_is_removed_has_it_or_is_refused(
    hosts: DynamoDbHosts, table: Table, secret: str | None, *, is_removed_meanwhile: bool
) -> None:
    outcomes = set()
    for number in range(1, 40):
        last = _add(hosts, "last.example.com", login="l")
        told: list[str] = []

        def join(store: DynamoDbHosts, told: list[str] = told) -> None:
            try:
                _add(store, "new.example.com", login="l", secret=secret)
            except HostError as error:
                told.append(error.problem)

        def remove(store: DynamoDbHosts, last: Host = last) -> None:
            store.remove(last)

        during, meanwhile = (join, remove) if is_removed_meanwhile else (remove, join)
        interrupted = _Interrupted(table, number, partial(meanwhile, hosts))
        during(_open(interrupted))
        if len(interrupted.calls) < number:
            meanwhile(hosts)
        login = hosts.login("l")
        names = [each.name for each in login.hosts] if login else []
        outcomes.add(bool(told))
        assert names == hosts.names() == ([] if told else ["new.example.com"]), (number, told)
        for name in names:
            hosts.remove(Host(id=HostKey("l", name), name=name, login="l", created_at=hosts.now()))
        if len(interrupted.calls) < number:
            break
    assert outcomes == {True, False}
