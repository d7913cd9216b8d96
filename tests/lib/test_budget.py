"""The budget of AWS requests, by a clock of its own and before the simulated limits of AWS."""

from concurrent.futures import ThreadPoolExecutor
from threading import Lock

import pytest

from ddns_updater.lib.budget import Budget, Rate
from ddns_updater.model import Change, Record
from tests.dns.test_route53 import endpoint as endpoint  # a fixture
from tests.dns.test_route53 import no_pauses as no_pauses
from tests.support.aws import FakeAws, refuse
from tests.support.aws_limits import Limits
from tests.support.fakes import Clock
from tests.support.sdk import open_route53

CHANGE = "ChangeResourceRecordSets"


@pytest.fixture
def clock() -> Clock:
    return Clock()


def budget_of(clock: Clock, requests: Rate = Rate(8, 40), changes: Rate = Rate(80, 800)) -> Budget:  # noqa: B008
    return Budget(requests, changes, clock.monotonic, clock.sleep)


def waited(budget: Budget, clock: Clock, requests: int = 1, upserts: int = 0) -> float:
    """Spend and return how long that took."""
    start = clock.now
    for _ in range(requests):
        budget.spend(upserts)
    return clock.now - start


def test_a_burst_does_not_wait_and_what_follows_goes_at_the_rate(clock: Clock) -> None:
    budget = budget_of(clock)
    assert waited(budget, clock, 40) == 0
    assert waited(budget, clock, 80) == pytest.approx(10)
    clock.now += 2.5
    assert waited(budget, clock, 20) == 0
    assert waited(budget, clock) == pytest.approx(1 / 8)


def test_a_long_rest_fills_the_bucket_once(clock: Clock) -> None:
    budget = budget_of(clock)
    clock.now += 10**9
    assert waited(budget, clock, 41) == pytest.approx(1 / 8)


def test_changes_are_counted_besides_the_requests_and_each_upsert_twice(clock: Clock) -> None:
    budget = budget_of(clock)
    assert waited(budget, clock, upserts=400) == 0
    assert waited(budget, clock, upserts=40) == pytest.approx(1)
    assert waited(budget, clock, 30) == 0  # those without changes do not wait for the other bucket


def test_a_batch_that_is_bigger_than_the_bucket_waits_and_is_sent(clock: Clock) -> None:
    assert waited(budget_of(clock), clock, upserts=500) == pytest.approx(2.5)


def test_throttling_empties_the_buckets_and_halves_the_rates(clock: Clock) -> None:
    budget = budget_of(clock)
    budget.throttled()
    assert waited(budget, clock) == pytest.approx(1 / 4)
    assert waited(budget, clock, upserts=20) == pytest.approx(3 / 4)  # at 40 a second, of which 10 have come
    clock.now += 2
    budget.throttled()
    assert waited(budget, clock) == pytest.approx(1 / 2)


def test_calls_that_are_throttled_at_once_count_once(clock: Clock) -> None:
    budget = budget_of(clock)
    for _ in range(10):
        budget.throttled()
    assert waited(budget, clock) == pytest.approx(1 / 4)


def test_the_rates_recover_with_time_and_have_a_least(clock: Clock) -> None:
    budget = budget_of(clock)
    for _ in range(20):
        clock.now += 1
        budget.throttled()
    assert waited(budget, clock) == pytest.approx(2)  # a sixteenth of 8 a second
    clock.now += 8
    assert waited(budget, clock, 9 + 1) == pytest.approx(1)  # an eighth, ten seconds after the last
    clock.now += 10**6
    assert waited(budget, clock, 41) == pytest.approx(1 / 8)


def test_many_threads_together_get_no_more_than_the_rate(clock: Clock) -> None:
    waits: list[float] = []
    lock = Lock()

    def note(seconds: float) -> None:
        with lock:
            waits.append(seconds)

    budget = Budget(Rate(8, 40), Rate(80, 800), clock.monotonic, note)
    with ThreadPoolExecutor(20) as pool:
        list(pool.map(lambda _: budget.spend(), range(200)))
    assert sorted(waits) == pytest.approx([number / 8 for number in range(1, 161)])


# Before the simulated AWS


def changes(count: int, first: int = 0) -> list[Change]:
    return [Change(Record(f"h{number}.example.com", "A"), ("9.9.9.9",), 60) for number in range(first, first + count)]


@pytest.mark.usefixtures("endpoint", "no_pauses")
def test_every_try_of_a_call_is_spent_and_only_throttling_slows(aws: FakeAws, clock: Clock) -> None:
    zone_id = aws.zone()
    budget = budget_of(clock, requests=Rate(1, 3))
    route53 = open_route53(budget=budget)
    aws.fault(CHANGE, refuse("PriorRequestNotComplete"), times=2)
    (answer,) = route53.upsert(zone_id, changes(1))
    assert answer.change_id
    assert clock.slept == []
    route53.in_sync(answer.change_id)
    assert clock.slept == pytest.approx([1])  # the three tries have used up the burst
    clock.now += 3
    aws.fault("GetChange", refuse("Throttling"), times=1)
    route53.in_sync(answer.change_id)
    assert clock.slept == pytest.approx([1, 2])  # emptied, and half as fast


@pytest.mark.usefixtures("endpoint", "no_pauses")
def test_within_its_budget_nothing_is_throttled_and_no_record_is_lost(aws: FakeAws, clock: Clock) -> None:
    zone_id = aws.zone()
    limits = Limits(aws, requests=(10, 2), changes=(100, 10), monotonic=clock.monotonic)
    route53 = open_route53(budget=budget_of(clock, Rate(1.6, 8), Rate(8, 80)))
    for first in range(0, 200, 20):
        answers = list(route53.upsert(zone_id, changes(20, first)))
        assert [each.error for each in answers] == [None]
        route53.in_sync(answers[0].change_id or "")
    assert limits.refused == {}
    assert {f"h{number}.example.com" for number in range(200)} <= {name for name, _ in aws.record_sets(zone_id)}
    assert 40 <= sum(clock.slept) < 60  # 400 changes, of which 80 at once, at 8 a second


@pytest.mark.usefixtures("endpoint", "no_pauses")
def test_what_is_throttled_because_others_use_the_account_is_sent_in_the_end(aws: FakeAws, clock: Clock) -> None:
    zone_id = aws.zone()
    limits = Limits(aws, requests=(50, 10), changes=(40, 10), monotonic=clock.monotonic)  # less than it counts on
    route53 = open_route53(budget=budget_of(clock))
    waiting = [changes(20, first) for first in range(0, 200, 20)]
    rounds = 0
    while waiting:
        rounds += 1
        assert rounds < 40
        answers = [answer for batch in waiting for answer in route53.upsert(zone_id, batch)]
        waiting = [list(answer.changes) for answer in answers if not answer.change_id]
        clock.now += 1
    assert limits.refused[CHANGE] > 0
    assert {f"h{number}.example.com" for number in range(200)} <= {name for name, _ in aws.record_sets(zone_id)}
