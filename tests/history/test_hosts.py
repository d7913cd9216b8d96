"""Hosts in a real database, on both engines."""

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from ipaddress import ip_address

import pytest

from ddns_updater.app.factories import open_hosts
from ddns_updater.errors import ConnectionLost, HostError, NotInitialised
from ddns_updater.hosts import Host, Looked, NewHost, Verdict
from ddns_updater.model import Family, Publication, PublicationState, Record, SeenFree
from ddns_updater.server.ports import HostStore
from tests.support.database import Database

_NAME = "nas.example.com"
_SECRET = "m" * 32
_ONE, _TWO, _SIX = ip_address("192.0.2.1"), ip_address("192.0.2.2"), ip_address("2001:db8::1")


@pytest.fixture
def hosts(database: Database) -> Iterator[HostStore]:
    database.create_tables()
    with open_hosts(database.settings()) as opened:
        yield opened


def _add(hosts: HostStore, name: str = _NAME, **more: object) -> Host:
    return hosts.add(NewHost(name, str(more.pop("login", name)), more.pop("secret", _SECRET), **more))  # type: ignore[arg-type]


def test_a_login_has_the_digest_of_its_secret_and_its_hosts(hosts: HostStore, database: Database) -> None:
    host = _add(hosts)
    other = _add(hosts, "cam.example.com", login=_NAME, secret=None)
    found = hosts.login(_NAME)
    assert found
    assert found.hosts == (other, host)
    assert len(found.digests) == 1
    assert found.shared_secrets == ()
    assert hosts.login("nobody.example.com") is None
    assert _SECRET not in str(database.sql("SELECT * FROM admin_ddns_login"))


def test_a_request_records_a_version_with_a_pending_publication_that_is_due(
    hosts: HostStore, database: Database
) -> None:
    host = _add(hosts)
    (result,) = hosts.update([(host, {Family.IPV4: _ONE, Family.IPV6: _SIX})])
    assert result.verdict is Verdict.GOOD
    assert result.addresses == (_ONE, _SIX)
    assert database.sql("SELECT name, version, ip, originId = id FROM admin_ip_history ORDER BY id") == [
        (_NAME, 1, str(_ONE), 1),
        (_NAME, 1, str(_SIX), 1),
    ]
    assert database.sql("SELECT recordName, recordType, state FROM admin_dns_publication ORDER BY id") == [
        (_NAME, "A", "pending"),
        (_NAME, "AAAA", "pending"),
    ]
    assert {each.record for each in hosts.due(10)} == {Record(_NAME, "A"), Record(_NAME, "AAAA")}
    number, since = hosts.count_due()
    assert number == 2
    assert since
    assert (hosts.now() - since).total_seconds() < 60


def test_the_same_address_is_no_change_and_another_one_the_next_version(hosts: HostStore, database: Database) -> None:
    host = _add(hosts)
    verdicts = [hosts.update([(host, {Family.IPV4: each})])[0].verdict for each in (_ONE, _ONE, _TWO, _ONE)]
    assert verdicts == [Verdict.GOOD, Verdict.NOCHG, Verdict.GOOD, Verdict.GOOD]
    assert database.versions() == [(1, str(_ONE)), (2, str(_TWO)), (3, str(_ONE))]
    entry = hosts.entry(_NAME)
    assert entry
    assert {family: journal.version.address for family, journal in entry.journals.items()} == {Family.IPV4: _ONE}


def test_a_login_brings_the_addresses_that_its_hosts_hold(hosts: HostStore, database: Database) -> None:
    host, other = _add(hosts), _add(hosts, "cam.example.com", login="cam")
    new = _add(hosts, "new.example.com", login="cam", secret=None)
    hosts.update([(host, {Family.IPV4: _ONE, Family.IPV6: _SIX}), (other, {Family.IPV4: _ONE})])
    hosts.update([(host, {Family.IPV4: _TWO})])
    found = hosts.logins([_NAME, "cam", "nobody"])
    assert {host.name: host.held for login in found.values() for host in login.hosts} == {
        _NAME: {_TWO, _SIX},
        other.name: {_ONE},
        new.name: set(),
    }
    assert hosts.login_of(_NAME) == found[_NAME]
    database.sql("UPDATE admin_dns_publication SET state = 'failed' WHERE recordType = 'AAAA'")
    (refused,) = hosts.logins([_NAME])[_NAME].hosts
    assert refused.held == {_TWO}  # a client that gives the other one must learn that it does not hold


def test_a_record_that_was_seen_to_hold_its_version_is_due_no_more(hosts: HostStore) -> None:
    host = _add(hosts)
    hosts.update([(host, {Family.IPV4: _ONE})])
    (at,) = hosts.due(10)
    later = hosts.now().replace(year=hosts.now().year + 1)
    free = SeenFree("Z1", hosts.now(), 60)
    hosts.looked([Looked(at, True, later, sent_at=hosts.now(), free=free)])
    assert hosts.due(10) == []
    assert hosts.count_due() == (0, None)
    assert hosts.next_look() == later
    hosts.update([(host, {Family.IPV4: _TWO})])
    (again,) = hosts.due(10)
    assert again.free == free
    assert again.sent_at == free.at


def test_a_version_recorded_while_the_publisher_looked_stays_due(hosts: HostStore) -> None:
    host = _add(hosts)
    hosts.update([(host, {Family.IPV4: _ONE})])
    (at,) = hosts.due(10)
    hosts.update([(host, {Family.IPV4: _TWO})])
    hosts.looked([Looked(at, True, hosts.now().replace(year=hosts.now().year + 1))])
    (again,) = hosts.due(10)
    assert again.journal.version.address == _TWO
    assert hosts.count_due()[0] == 1


def test_a_removed_host_keeps_its_history_and_continues_it(hosts: HostStore, database: Database) -> None:
    host = _add(hosts)
    hosts.update([(host, {Family.IPV4: _ONE})])
    hosts.remove(host)
    assert hosts.login(_NAME) is None
    assert hosts.login_of(_NAME) is None
    assert hosts.entry(_NAME) is None
    assert hosts.due(10) == []
    assert hosts.history.origins() == ()
    again = _add(hosts)
    hosts.update([(again, {Family.IPV4: _TWO})])
    assert database.versions() == [(1, str(_ONE)), (2, str(_TWO))]
    assert len(hosts.due(10)) == 1


def test_two_secrets_are_valid_while_one_is_rotated(hosts: HostStore) -> None:
    host = _add(hosts, takes_aws=True)
    hosts.rotate(host, "n" * 32)
    login = hosts.login(_NAME)
    assert login
    assert login.shared_secrets == ("n" * 32, _SECRET)
    assert len(login.digests) == 2
    assert hosts.end_rotation(host)
    ended = hosts.login(_NAME)
    assert ended
    assert ended.shared_secrets == ("n" * 32,)
    assert ended.digests == login.digests[:1]
    assert not hosts.end_rotation(host)


def test_a_login_without_the_secret_itself_cannot_take_awss_protocol(hosts: HostStore) -> None:
    _add(hosts)
    with pytest.raises(HostError, match="only a digest"):
        _add(hosts, "cam.example.com", login=_NAME, secret=None, takes_aws=True)
    with pytest.raises(HostError, match="there is a host"):
        _add(hosts, login="other.example.com")
    with pytest.raises(HostError, match="there is a login"):
        _add(hosts, "cam.example.com", login=_NAME)
    with pytest.raises(HostError, match="there is no login"):
        _add(hosts, "cam.example.com", login="nobody", secret=None)


def test_the_name_of_a_line_is_no_host(hosts: HostStore, database: Database) -> None:
    database.seed("192.0.2.9", name=_NAME)
    with pytest.raises(HostError, match="name of an origin"):
        _add(hosts)


def test_a_host_is_no_candidate_for_a_command_without_a_name(hosts: HostStore, database: Database) -> None:
    for number in range(5):
        hosts.update([(_add(hosts, f"h{number}.example.com"), {Family.IPV4: _ONE})])
    database.seed("192.0.2.9", name="line")
    for number in range(5, 9):
        hosts.update([(_add(hosts, f"h{number}.example.com"), {Family.IPV4: _ONE})])
    assert [each.name for each in hosts.history.origins()] == ["line"]
    (host,) = hosts.history.origins("h3.example.com")
    assert host.is_host
    assert host.family is Family.IPV4


def test_a_blocked_host_records_nothing(hosts: HostStore, database: Database) -> None:
    hosts.block(_add(hosts), blocked=True)
    entry = hosts.entry(_NAME)
    assert entry
    assert [each.verdict for each in hosts.update([(entry.host, {Family.IPV4: _ONE})])] == [Verdict.BLOCKED]
    assert database.versions() == []


def test_a_host_that_was_removed_before_it_was_published_is_due_again_once_it_asks_again(hosts: HostStore) -> None:
    host = _add(hosts)
    hosts.update([(host, {Family.IPV4: _ONE, Family.IPV6: _SIX})])
    (ipv4,) = [each for each in hosts.due(10) if each.family is Family.IPV4]
    verified = Publication(ipv4.record, hosts.now(), PublicationState.VERIFIED, "Z1", _ONE, 60)
    hosts.history.save([(ipv4.journal.version, verified)])
    hosts.remove(host)
    again = _add(hosts)
    assert hosts.due(10) == []
    login = hosts.login(_NAME)
    assert login
    assert login.hosts[0].held == {_ONE}
    assert hosts.update([(again, {Family.IPV4: _ONE, Family.IPV6: _SIX})])[0].verdict is Verdict.NOCHG
    (due,) = hosts.due(10)
    assert (due.family, due.journal.version.version) == (Family.IPV6, 1)
    assert due.due_since
    login = hosts.login(_NAME)
    assert login
    assert login.hosts[0].held == {_ONE, _SIX}


def test_what_dns_refuses_is_not_looked_at_earlier_because_its_host_asks(hosts: HostStore) -> None:
    host = _add(hosts)
    hosts.update([(host, {Family.IPV4: _ONE})])
    (at,) = hosts.due(10)
    hosts.history.save([(at.journal.version, Publication(at.record, hosts.now(), PublicationState.FAILED, error="no"))])
    later = hosts.now() + timedelta(hours=1)
    hosts.looked([Looked(at, False, later)])
    assert hosts.update([(host, {Family.IPV4: _ONE})])[0].verdict is Verdict.LATER
    assert hosts.next_look() == later


def test_two_connections_record_versions_of_many_hosts_at_once(hosts: HostStore, database: Database) -> None:
    names = [f"h{number}.example.com" for number in range(20)]
    made = [_add(hosts, name) for name in names]
    settings = database.settings()
    with ThreadPoolExecutor(4) as pool:

        def update(number: int) -> None:
            with open_hosts(settings) as mine:
                order = made if number % 2 else list(reversed(made))
                for turn in range(5):
                    mine.update([(each, {Family.IPV4: ip_address(f"192.0.{number}.{turn}")}) for each in order])

        list(pool.map(update, range(4)))
    rows = database.sql("SELECT name, MIN(version), MAX(version), COUNT(*) FROM admin_ip_history GROUP BY name")
    assert sorted(row[0] for row in rows) == sorted(names)
    assert all((low, high) == (1, count) for _, low, high, count in rows)
    assert {row[3] for row in rows} == {20}


def test_without_the_tables_of_hosts_everything_else_works(hosts: HostStore, database: Database) -> None:
    database.seed("192.0.2.9", name="line")
    for table in ("record", "host", "login"):
        database.sql(f"DROP TABLE admin_ddns_{table}")
    assert [each.name for each in hosts.history.origins()] == ["line"]
    assert [each.name for each in hosts.history.origins("line")] == ["line"]
    with pytest.raises(NotInitialised):
        hosts.names()


def _backdate(database: Database, name: str, version: int, seconds: int) -> None:
    """Let a version have been recorded so many seconds ago, by the database's clock."""
    ago = (
        f"datetime('now', '-{seconds} seconds')"
        if database.engine == "sqlite"
        else f"CURRENT_TIMESTAMP - INTERVAL {seconds} SECOND"
    )
    database.sql(f"UPDATE admin_ip_history SET createdAt = {ago} WHERE name = ? AND version = ?", (name, version))


def test_the_recent_addresses_of_hosts_begin_with_the_one_that_was_current_then(
    hosts: HostStore, database: Database
) -> None:
    nas, cam = _add(hosts), _add(hosts, "cam.example.com")
    for number in range(1, 6):
        hosts.update([(nas, {Family.IPV4: ip_address(f"192.0.2.{number}")})])
        _backdate(database, _NAME, number, 1000 - 100 * number)  # 900, 800, … 500 seconds ago
    hosts.update([(cam, {Family.IPV4: _ONE, Family.IPV6: _SIX})])
    _backdate(database, "cam.example.com", 1, 5000)
    ids = [nas.id, cam.id]

    def recent(seconds: int, most: int = 50) -> dict[object, list[int]]:
        found = hosts.recent_addresses(ids, hosts.now() - timedelta(seconds=seconds), most)
        return {key: [each.version for each in held] for key, held in found.items()}

    unchanged = {(cam.id, Family.IPV4): [1], (cam.id, Family.IPV6): [1]}
    assert recent(750) == {(nas.id, Family.IPV4): [5, 4, 3, 2], **unchanged}
    assert recent(10_000) == {(nas.id, Family.IPV4): [5, 4, 3, 2, 1], **unchanged}
    assert recent(100) == {(nas.id, Family.IPV4): [5], **unchanged}
    assert recent(10_000, most=2) == {(nas.id, Family.IPV4): [5, 4], **unchanged}
    newest = hosts.recent_addresses(ids, hosts.now(), 50)[nas.id, Family.IPV4][0]
    assert newest.ip == "192.0.2.5"
    assert 500 <= (hosts.now() - newest.since).total_seconds() < 560


def test_the_hosts_that_wait_longest_are_the_first_of_those_that_are_due(hosts: HostStore, database: Database) -> None:
    for name in ("a.example.com", "b.example.com", "c.example.com", "idle.example.com"):
        host = _add(hosts, name)
        if name != "idle.example.com":
            hosts.update([(host, {Family.IPV4: _ONE, Family.IPV6: _SIX})])
    second = hosts.entry("b.example.com")
    assert second
    database.sql("UPDATE admin_ddns_record SET dueSince = '2026-01-02 00:00:00' WHERE hostId = ?", (second.host.id,))
    assert [each.host.name for each in hosts.due_entries(2)] == ["b.example.com", "a.example.com"]
    assert [each.host.name for each in hosts.due_entries(9)] == ["b.example.com", "a.example.com", "c.example.com"]
    assert set(hosts.due_entries(1)[0].journals) == {Family.IPV4, Family.IPV6}


def test_nothing_is_recorded_in_a_file_that_another_one_replaced(sqlite: Database) -> None:
    sqlite.create_tables()
    with open_hosts(sqlite.settings()) as hosts:
        host = _add(hosts)
        copy = sqlite.file.with_name("copy")
        shutil.copy(sqlite.file, copy)
        copy.replace(sqlite.file)
        with pytest.raises(ConnectionLost, match="was moved or replaced"):
            hosts.update([(host, {Family.IPV4: _ONE})])
        sqlite.file.unlink()
        with pytest.raises(ConnectionLost, match="was moved or replaced"):
            hosts.update([(host, {Family.IPV4: _ONE})])


def test_a_host_that_was_removed_while_its_request_was_in_hand_records_nothing(
    hosts: HostStore, database: Database
) -> None:
    host, other = _add(hosts), _add(hosts, "other.example.com")
    hosts.remove(host)
    results = hosts.update([(host, {Family.IPV4: _ONE}), (other, {Family.IPV4: _TWO})])
    assert [each.verdict for each in results] == [Verdict.LATER, Verdict.GOOD]
    assert database.versions() == [(1, str(_TWO))]
    assert hosts.count_due()[0] == 1


def test_a_host_whose_versions_were_deleted_is_not_looked_at_until_it_begins_again(
    hosts: HostStore, database: Database
) -> None:
    host = _add(hosts)
    hosts.update([(host, {Family.IPV4: _ONE})])
    hosts.update([(_add(hosts, "other.example.com"), {Family.IPV4: _ONE})])
    database.sql("DELETE FROM admin_dns_publication WHERE recordName = ?", (_NAME,))
    database.sql("DELETE FROM admin_ip_history WHERE name = ?", (_NAME,))
    assert [each.host.name for each in hosts.due(10)] == ["other.example.com"]
    assert hosts.count_due()[0] == 1
    verdicts = [hosts.update([(host, {Family.IPV4: _ONE})])[0].verdict for _ in range(2)]
    assert verdicts == [Verdict.GOOD, Verdict.NOCHG]
    assert {each.host.name for each in hosts.due(10)} == {_NAME, "other.example.com"}
