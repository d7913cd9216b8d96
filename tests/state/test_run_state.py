"""What follows from the times of the runs, and what a clock set back does to them."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

from ddns_updater.model import Family, Incident, Outcome, Record, Seen
from ddns_updater.state.run_state import Move, RunState, Skips

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)


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


def test_a_clock_that_goes_back_by_a_minute_moves_nothing() -> None:
    before = runs(HOUR)
    assert before.moved_to(NOW - MINUTE) == (before, None)


def test_a_clock_that_goes_back_moves_every_time_by_as_much() -> None:
    home = Record("home.example.com", "A")

    def state(now: datetime) -> RunState:
        return RunState(
            runs={Outcome.FAILED: 3},
            recent=(now - HOUR, now),
            ended=now - MINUTE,
            outcome=Outcome.FAILED,
            last_success=now - 5 * HOUR,
            incident=Incident(now - 4 * HOUR, 3, "broken", 1, now - 2 * HOUR),
            seen={home: Seen(ip_address("9.9.9.9"), now - 6 * HOUR)},
            behind={home: now - 9 * HOUR},
            skips={Family.IPV4: Skips(now - 7 * HOUR, 4)},
            moves={Family.IPV4: (Move(now - MINUTE, ip_address("9.9.9.9"), ip_address("1.1.1.1")),)},
            printed={"no room": now - 8 * HOUR},
        )

    assert state(NOW).moved_to(NOW - 2 * MINUTE) == (state(NOW - 2 * MINUTE), 2 * MINUTE)
