"""The simulated limits of AWS, which the tests of the budget and of the server stand on."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from ddns_updater.errors import DnsError
from ddns_updater.model import Change, Record
from tests.dns.test_route53 import endpoint as endpoint  # a fixture
from tests.dns.test_route53 import no_pauses as no_pauses
from tests.support.aws import FakeAws
from tests.support.aws_limits import Limits
from tests.support.fakes import Clock
from tests.support.sdk import open_route53

pytestmark = pytest.mark.usefixtures("endpoint", "no_pauses")
CHANGE = "ChangeResourceRecordSets"


def changes(count: int, first: int = 0) -> list[Change]:
    return [Change(Record(f"h{number}.example.com", "A"), ("9.9.9.9",), 60) for number in range(first, first + count)]


def test_requests_beyond_the_bucket_are_refused_until_tokens_come_back(aws: FakeAws) -> None:
    zone_id = aws.zone()
    clock = Clock()
    limits = Limits(aws, requests=(5, 1), monotonic=clock.monotonic)
    route53 = open_route53()

    for _ in range(5):
        route53.name_servers(zone_id)
    assert limits.refused == {}
    clock.now += 2
    for _ in range(2):
        route53.name_servers(zone_id)
    with pytest.raises(DnsError, match="AWS answered Throttling: Rate exceeded"):
        route53.name_servers(zone_id)
    assert limits.refused == {"GetHostedZone": 3}  # the SDK tries thrice
    assert aws.count() == {"GetHostedZone": 10}


def test_changes_have_a_bucket_of_their_own_where_an_upsert_counts_twice(aws: FakeAws) -> None:
    zone_id = aws.zone()
    clock = Clock()
    limits = Limits(aws, changes=(100, 10), monotonic=clock.monotonic)
    route53 = open_route53()
    assert [each.error for each in route53.upsert(zone_id, changes(40))] == [None]
    (refused,) = route53.upsert(zone_id, changes(11))
    assert "Throttling: Rate exceeded" in (refused.error or "")
    assert limits.refused == {CHANGE: 3}
    assert route53.in_sync(aws.next_change_id) is not None  # requests are not refused
    clock.now += 1
    assert [each.error for each in route53.upsert(zone_id, changes(11))] == [None]


def test_of_two_changes_at_once_in_a_zone_one_is_refused(aws: FakeAws) -> None:
    zones = [aws.zone("example.com"), aws.zone("example.org")]
    limits = Limits(aws, latency=0.5)
    wanted = [
        (zones[0], changes(1)),
        (zones[0], changes(1, 1)),
        (zones[1], [Change(Record("a.example.org", "A"), ("9.9.9.9",), 60)]),
    ]
    with ThreadPoolExecutor(3) as pool:
        answers = pool.map(lambda each: list(open_route53().upsert(*each)), wanted)
    *_, other = answers
    assert other[0].change_id
    assert limits.busy[CHANGE] in (1, 2, 3)  # the tries of one of the two
    assert limits.refused == {}


def test_a_change_is_pending_for_a_while(aws: FakeAws) -> None:
    zone_id = aws.zone()
    clock = Clock()
    Limits(aws, in_sync_after=30, monotonic=clock.monotonic)
    route53 = open_route53()
    (answer,) = route53.upsert(zone_id, changes(1))
    assert answer.change_id is not None
    clock.now += 29
    assert route53.in_sync(answer.change_id) is False
    clock.now += 1
    assert route53.in_sync(answer.change_id) is True
