"""What follows from the times of the runs, and what a clock set back does to them."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

from ddns_updater.lib.uptime import Uptime, uptime
from ddns_updater.model import Family, Incident, Outcome, Record, Seen
from ddns_updater.state.clock import find_shift
from ddns_updater.state.run_state import Move, RunState, Skips

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECOND, MINUTE, HOUR, DAY = (timedelta(**{each: 1}) for each in ("seconds", "minutes", "hours", "days"))


def runs(*gaps: timedelta) -> RunState:
    """Return the state after runs with these gaps between them, of which the last ended at NOW."""
    return RunState(recent=tuple(NOW - sum(gaps[number:], timedelta(0)) for number in range(len(gaps) + 1)))


def test_the_interval_is_the_median_of_the_gaps() -> None:
    assert runs(MINUTE, 10 * MINUTE, HOUR).interval == 10 * MINUTE
    assert runs(HOUR, SECOND, 10 * MINUTE).interval == 10 * MINUTE
    assert runs(MINUTE).interval is None


def test_a_run_is_overdue_after_three_intervals_and_five_minutes_at_least() -> None:
    hourly, each_minute = runs(HOUR, HOUR), runs(MINUTE, MINUTE)
    assert [hourly.is_overdue(NOW + 3 * HOUR), hourly.is_overdue(NOW + 3 * HOUR + SECOND)] == [False, True]
    assert [each_minute.is_overdue(NOW + 5 * MINUTE), each_minute.is_overdue(NOW + 5 * MINUTE + SECOND)] == [
        False,
        True,
    ]
    assert runs(MINUTE).patience == 5 * MINUTE


def test_no_run_was_skipped_before_the_first() -> None:
    assert not RunState().was_skipped


def state(now: datetime, since: datetime | None = None) -> RunState:
    """Return a state with the times of a last run at `now`; the incident began at `since`."""
    home = Record("home.example.com", "A")
    return RunState(
        runs={Outcome.FAILED: 3},
        recent=(now - HOUR, now),
        ended=now - MINUTE,
        outcome=Outcome.FAILED,
        last_success=now - 5 * HOUR,
        incident=Incident(since or now - 4 * HOUR, 3, "broken", 1, now - 2 * HOUR),
        seen={home: Seen(ip_address("9.9.9.9"), NOW)},
        behind={home: now - 9 * HOUR},
        skips={Family.IPV4: Skips(now - 7 * HOUR, 4)},
        moves={Family.IPV4: (Move(now - MINUTE, ip_address("9.9.9.9"), ip_address("1.1.1.1")),)},
        printed={"no room": now - 8 * HOUR},
    )


def up(time: timedelta, boot: str = "a") -> Uptime:
    return Uptime(boot, time.total_seconds())


def test_a_clock_that_is_set_by_a_minute_is_not_noticed() -> None:
    assert find_shift(NOW, None, NOW - MINUTE, None) is None
    assert find_shift(NOW, up(HOUR), NOW + 2 * MINUTE, up(HOUR + MINUTE)) is None
    assert find_shift(NOW, up(HOUR), NOW + 2 * MINUTE, up(HOUR + MINUTE - SECOND))


def test_a_clock_that_goes_back_moves_every_time_by_as_much() -> None:
    shift = find_shift(NOW, None, NOW - 2 * MINUTE, None)
    assert shift
    assert state(NOW).shifted(shift) == state(NOW - 2 * MINUTE)


def test_a_clock_that_is_set_forward_moves_the_times_of_this_boot_and_leaves_earlier_ones() -> None:
    shift = find_shift(NOW, up(10 * HOUR), NOW + 403 * DAY, up(11 * HOUR))
    assert shift
    assert shift.by == 403 * DAY - HOUR
    assert state(NOW).shifted(shift) == state(NOW + 403 * DAY - HOUR)
    earlier = NOW - 11 * HOUR
    moved = state(NOW, earlier).shifted(shift)
    assert moved == state(NOW + 403 * DAY - HOUR, earlier)


def test_a_machine_that_was_off_or_asleep_has_no_clock_that_was_set() -> None:
    assert find_shift(NOW, up(HOUR), NOW + 403 * DAY, up(HOUR, "b")) is None
    assert find_shift(NOW, up(HOUR), NOW + 403 * DAY, None) is None
    assert find_shift(NOW, up(HOUR), NOW + 403 * DAY, up(403 * DAY + HOUR)) is None
    assert find_shift(NOW, up(HOUR), NOW + 403 * DAY, up(MINUTE)) is None  # a snapshot of it was restored


def test_the_times_of_a_wrong_clock_in_an_earlier_boot_are_moved_back_as_well() -> None:
    shift = find_shift(NOW, up(MINUTE), NOW - 403 * DAY, up(2 * MINUTE))
    assert shift
    assert shift.moved(NOW - HOUR) == NOW - HOUR - 403 * DAY - MINUTE  # else it would lie in the future


def test_the_uptime_of_this_machine_counts_on() -> None:
    first, second = uptime(), uptime()
    assert first
    assert second
    assert first.boot == second.boot
    assert 0 < first.seconds <= second.seconds
