"""What hosts recorded is published: all together, until each record was seen to hold its latest version."""

from collections.abc import Iterator
from datetime import timedelta
from ipaddress import ip_address

import pytest

from ddns_updater.app.publishing import host_publisher, open_pool
from ddns_updater.hosts import Host, NewHost, Verdict
from ddns_updater.model import Address, Family
from ddns_updater.server.pool import Pool
from ddns_updater.server.publishing import HostPublisher, Round
from tests.support.aws import FakeAws, cut, lose_answer, pending, refuse
from tests.support.database import Database
from tests.support.hosts import age

_ONE, _TWO = ip_address("9.9.9.9"), ip_address("8.8.8.8")


class Endpoint:
    """The hosts of one server with its publisher."""

    def __init__(self, database: Database, aws: FakeAws, **settings: str) -> None:
        database.create_tables()
        self.database, self.aws, self.zone = database, aws, aws.zone()
        self.settings = database.settings(**settings)
        self.pool: Pool = open_pool(self.settings)
        self.publisher: HostPublisher = host_publisher(self.settings, self.pool)

    def add(self, *names: str) -> list[Host]:
        with self.pool.taken() as hosts:
            return [hosts.add(NewHost(f"{each}.example.com", each, "s" * 32)) for each in names]

    def update(self, address: Address, *hosts: Host) -> None:
        with self.pool.taken() as store:
            store.update([(each, {Family.IPV4: address}) for each in hosts])

    def later(self, time: timedelta) -> None:
        """Let time pass: all that is written down happened that much earlier."""
        age(self.database, time)

    def settle(self) -> None:
        """Do rounds, with time between them, until nothing is due."""
        for _ in range(20):
            self.publisher.round()
            if self.open() == 0:
                return
            self.later(timedelta(minutes=1))
        raise AssertionError(f"{self.open()} records are still due")

    def open(self) -> int:
        with self.pool.taken() as hosts:
            return hosts.count_due()[0]

    def address(self, name: str) -> str | None:
        return self.aws.address(self.zone, f"{name}.example.com")


@pytest.fixture(autouse=True)
def endpoint_url(aws: FakeAws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws.url)


@pytest.fixture
def endpoint(database: Database, aws: FakeAws) -> Iterator[Endpoint]:
    made = Endpoint(database, aws)
    yield made
    made.pool.close()


def test_hundreds_of_hosts_are_sent_in_one_call_and_read_back_in_pages(endpoint: Endpoint) -> None:
    hosts = endpoint.add(*(f"h{number}" for number in range(200)))
    endpoint.update(_ONE, *hosts)
    assert endpoint.publisher.round() == Round(200, 0)
    assert endpoint.open() == 200  # what was sent was not yet seen to hold
    endpoint.later(timedelta(seconds=5))
    assert endpoint.publisher.round() == Round(0, 200)
    assert endpoint.open() == 0
    held = [
        each["ResourceRecords"][0]["Value"]
        for (_, kind), each in endpoint.aws.record_sets(endpoint.zone).items()
        if kind == "A"
    ]
    assert held == [str(_ONE)] * 200
    count = endpoint.aws.count()
    assert count["ChangeResourceRecordSets"] == 1
    assert count["GetChange"] == 1
    assert count["ListResourceRecordSets"] <= 4  # a page before the first change, and one to read back


def test_a_host_that_was_seen_to_be_free_is_sent_unread(endpoint: Endpoint) -> None:
    hosts = endpoint.add("one", "two")
    endpoint.update(_ONE, *hosts)
    endpoint.settle()
    endpoint.later(timedelta(minutes=2))
    endpoint.update(_TWO, *hosts)
    before = endpoint.aws.count()
    assert endpoint.publisher.round().sent == 2
    assert endpoint.aws.count() - before == {"ChangeResourceRecordSets": 1}
    endpoint.settle()
    assert endpoint.address("one") == str(_TWO)


def test_names_with_labels_of_their_own_cost_no_call_each(endpoint: Endpoint) -> None:
    hosts = endpoint.add(*(f"nas.site{number}" for number in range(5)))
    endpoint.update(_ONE, *hosts)
    endpoint.settle()
    endpoint.later(timedelta(minutes=10))
    again = host_publisher(endpoint.settings, endpoint.pool)  # it knows no zone yet
    endpoint.update(_TWO, *hosts)
    before = endpoint.aws.count()
    assert again.round().sent == 5
    assert endpoint.aws.count() - before == {"ChangeResourceRecordSets": 1}


def test_dns_gets_one_change_a_minute_of_a_host_and_ends_at_the_latest_version(endpoint: Endpoint) -> None:
    (host,) = endpoint.add("one")
    endpoint.update(_ONE, host)
    assert endpoint.publisher.round().sent == 1
    endpoint.update(_TWO, host)
    assert endpoint.publisher.round().sent == 0
    assert endpoint.address("one") == str(_ONE)
    endpoint.later(timedelta(minutes=1))
    assert endpoint.publisher.round().sent == 1
    endpoint.settle()
    assert endpoint.address("one") == str(_TWO)


def test_an_obstacle_is_never_overwritten_also_when_it_came_after_the_first_version(endpoint: Endpoint) -> None:
    (host,) = endpoint.add("one")
    endpoint.update(_ONE, host)
    endpoint.settle()
    endpoint.aws.delete(endpoint.zone, "one.example.com")
    alias = {"HostedZoneId": endpoint.zone, "DNSName": "other.example.com", "EvaluateTargetHealth": False}
    endpoint.aws.put(endpoint.zone, {"Name": "one.example.com", "Type": "A", "AliasTarget": alias})
    endpoint.later(timedelta(hours=2))
    endpoint.publisher.round()
    endpoint.update(_TWO, host)
    endpoint.later(timedelta(minutes=2))
    assert endpoint.publisher.round().sent == 0
    assert "AliasTarget" in endpoint.aws.record_sets(endpoint.zone)["one.example.com", "A"]
    with endpoint.pool.taken() as hosts:
        number, (failing,) = hosts.failing(10)
    assert number == 1
    assert "an alias to other.example.com exists there" in failing.error
    assert "ddns host remove NAME" in failing.error


@pytest.mark.parametrize(
    ("name", "settings", "reason"),
    [
        ("example.com", {}, "it is the apex of hosted zone"),
        ("nas.example.org", {}, "no public hosted zone covers nas.example.org"),
        ("line.example.com", {"DDNS_RECORDS": "line.example.com"}, "DDNS_RECORDS names it"),
        ("denied.example.com", {}, "AWS answered AccessDenied"),
    ],
)
def test_a_host_whose_name_may_not_be_changed_is_refused_and_its_client_told_so(
    database: Database, aws: FakeAws, name: str, settings: dict[str, str], reason: str
) -> None:
    endpoint = Endpoint(database, aws, **settings)
    aws.fault("ListResourceRecordSets", refuse("AccessDenied"), containing="denied")
    with endpoint.pool.taken() as hosts:
        host = hosts.add(NewHost(name, name, "s" * 32))
    endpoint.update(_ONE, host)
    assert endpoint.publisher.round().sent == 0
    with endpoint.pool.taken() as hosts:
        _, (failing,) = hosts.failing(10)
        overview = hosts.overview()
        (answer,) = hosts.update([(host, {Family.IPV4: _ONE})])
        login = hosts.login(name)
    assert reason in failing.error
    assert overview
    assert overview.refused == 1
    assert answer.verdict is Verdict.LATER
    assert login
    assert login.hosts[0].held == frozenset()  # else the request is answered without a look
    endpoint.pool.close()


def test_the_apex_is_changed_only_for_a_host_that_was_added_as_that(endpoint: Endpoint) -> None:
    with endpoint.pool.taken() as hosts:
        host = hosts.add(NewHost("example.com", "apex", "s" * 32))
    endpoint.update(_ONE, host)
    assert endpoint.publisher.round().sent == 0
    with endpoint.pool.taken() as hosts:
        assert "apex of hosted zone" in hosts.failing(1)[1][0].error
        hosts.remove(host)
        again = hosts.add(NewHost("example.com", "apex", "s" * 32, is_apex=True))
    endpoint.update(_TWO, again)
    endpoint.settle()
    assert endpoint.aws.address(endpoint.zone, "example.com") == str(_TWO)


def test_a_record_of_the_line_is_never_changed(database: Database, aws: FakeAws) -> None:
    endpoint = Endpoint(database, aws, DDNS_RECORDS="one.example.com")
    aws.put_address(endpoint.zone, "one.example.com", "192.0.2.1")
    endpoint.update(_ONE, *endpoint.add("one"))
    assert endpoint.publisher.round().sent == 0
    assert endpoint.address("one") == "192.0.2.1"
    endpoint.pool.close()


def test_a_record_that_became_one_of_the_line_is_changed_no_more(endpoint: Endpoint) -> None:
    hosts = endpoint.add("one")
    endpoint.update(_ONE, *hosts)
    endpoint.settle()
    endpoint.later(timedelta(minutes=2))
    endpoint.update(_TWO, *hosts)
    again = host_publisher(endpoint.database.settings(DDNS_RECORDS="one.example.com"), endpoint.pool)
    assert again.round().sent == 0
    assert endpoint.address("one") == str(_ONE)


def test_an_apex_that_was_removed_and_added_as_another_host_is_looked_at_anew(endpoint: Endpoint) -> None:
    with endpoint.pool.taken() as hosts:
        apex = hosts.add(NewHost("example.com", "apex", "s" * 32, is_apex=True))
    endpoint.update(_ONE, apex)
    endpoint.settle()
    with endpoint.pool.taken() as hosts:
        hosts.remove(apex)
        again = hosts.add(NewHost("example.com", "apex", "s" * 32))
    endpoint.later(timedelta(minutes=2))
    endpoint.update(_TWO, again)
    assert endpoint.publisher.round().sent == 0
    assert endpoint.aws.address(endpoint.zone, "example.com") == str(_ONE)


@pytest.mark.parametrize("operation", ["ListResourceRecordSets", "ChangeResourceRecordSets"])
@pytest.mark.parametrize("fault", [cut, refuse("AccessDenied"), refuse("Throttling", "Rate exceeded"), lose_answer])
def test_whatever_aws_does_a_host_is_due_until_dns_holds_it(endpoint: Endpoint, operation: str, fault: object) -> None:
    hosts = endpoint.add("one", "two")
    endpoint.update(_ONE, *hosts)
    endpoint.aws.fault(operation, fault, times=1)  # type: ignore[arg-type]
    endpoint.publisher.round()
    assert endpoint.open() == 2
    endpoint.settle()
    assert (endpoint.address("one"), endpoint.address("two")) == (str(_ONE), str(_ONE))


def test_a_change_that_is_pending_for_long_does_not_hold_up_others(endpoint: Endpoint) -> None:
    one, two = endpoint.add("one", "two")
    endpoint.aws.fault("GetChange", pending)
    endpoint.update(_ONE, one)
    endpoint.publisher.round()
    endpoint.later(timedelta(seconds=10))
    endpoint.update(_ONE, two)
    assert endpoint.publisher.round().sent == 1
    assert endpoint.open() == 2
    endpoint.aws.heal()
    endpoint.settle()


def test_a_drifted_record_is_repaired_within_the_recheck_interval(endpoint: Endpoint) -> None:
    endpoint.update(_ONE, *endpoint.add("one"))
    endpoint.settle()
    endpoint.aws.put_address(endpoint.zone, "one.example.com", "192.0.2.66")
    endpoint.later(timedelta(minutes=30))
    assert endpoint.publisher.round() == Round()
    endpoint.later(timedelta(minutes=36))
    assert endpoint.publisher.round().sent == 1
    assert endpoint.open() == 1
    endpoint.settle()
    assert endpoint.address("one") == str(_ONE)


def test_another_server_that_publishes_is_left_to_it(endpoint: Endpoint) -> None:
    endpoint.update(_ONE, *endpoint.add("one"))
    with open_pool(endpoint.settings).taken() as other, other.lock_publisher() as is_theirs:
        assert is_theirs
        assert endpoint.publisher.round() == Round(is_elsewhere=True)
        assert endpoint.aws.calls == []
    assert endpoint.publisher.round().sent == 1


def test_names_without_a_zone_do_not_let_aws_be_asked_for_the_zone_of_each_other_name(endpoint: Endpoint) -> None:
    names = [f"{number}.{zone}" for number in range(10) for zone in ("example.com", "example.org")]
    with endpoint.pool.taken() as store:
        hosts = [store.add(NewHost(each, each, "s" * 32)) for each in names]
    endpoint.update(_ONE, *hosts)
    assert endpoint.publisher.round().sent == 10
    count = endpoint.aws.count()
    assert count["ListHostedZones"] + count["GetHostedZone"] <= 2
