"""When an event is reported and when not: pure, over given clocks and over sequences that hypothesis generates."""

import json
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddns_updater.alerts.event import Event, parse_event
from ddns_updater.model import Family, FamilyResult, Outcome, Publication, PublicationState, Record, RunResult, Seen
from ddns_updater.run.incidents import advance
from ddns_updater.state.clock import find_shift
from ddns_updater.state.run_state import Reported, RunState

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
HOME = Record("home.example.com", "A")


def ended(outcome: Outcome, error: str | None = None) -> RunResult:
    """Return a run that found the known address unchanged, or did not get that far."""
    if not outcome.is_good:
        return RunResult("line", (FamilyResult(Family.IPV4, outcome, error=error),))
    return holds("9.9.9.9", 1)


def holds(
    address: str, version: int, *, was: str | None = None, since: datetime = NOW - DAY, drift_at: datetime | None = None
) -> RunResult:
    """Return a run that found `address` published; with `was`, the run that recorded the change."""
    drift = "8.8.4.4 with TTL 60" if drift_at else None
    record = Publication(
        HOME,
        since,
        PublicationState.VERIFIED,
        address=ip_address(address),
        verified_at=since,
        checked_at=NOW,
        drift=drift,
        drift_at=drift_at,
    )
    one = FamilyResult(
        Family.IPV4,
        Outcome.UPDATED if was else Outcome.UNCHANGED,
        ip_address(address),
        ip_address(was or address),
        version,
        since,
        recorded=bool(was),
        publications=(record,),
    )
    return RunResult("line", (one,))


def after_runs(
    *runs: tuple[Outcome, timedelta], alert_after: int | None = 3, start: RunState | None = None
) -> tuple[RunState, list[Event]]:
    """Return the run state after `runs`, each with its time since the one before, and all events."""
    run_state = start or RunState()
    all_events, now = [], run_state.ended or NOW
    for outcome, later in runs:
        now += later
        run_state, events = advance(run_state, ended(outcome, "it is broken"), now, alert_after)
        all_events += events
    return run_state, all_events


def failures(number: int, apart: timedelta = MINUTE) -> list[tuple[Outcome, timedelta]]:
    return [(Outcome.FAILED, apart)] * number


# An incident


def test_the_first_alert_comes_after_the_configured_number_of_failed_runs() -> None:
    assert after_runs(*failures(2))[1] == []
    run_state, events = after_runs(*failures(3))
    assert [each.kind for each in events] == ["failing"]
    assert run_state.incident
    assert (run_state.incident.failed_runs, run_state.incident.since) == (3, NOW + MINUTE)


def test_an_hour_of_failures_is_one_alert_and_one_reminder() -> None:
    assert len(after_runs(*failures(60))[1]) == 1
    assert len(after_runs(*failures(63))[1]) == 2


def test_reminders_come_after_an_hour_six_hours_and_then_daily() -> None:
    _, events = after_runs(*failures(60 * 24 * 4))
    first = events[0].time
    assert [each.time - first for each in events] == [timedelta(0), HOUR, 6 * HOUR, DAY, 2 * DAY, 3 * DAY]
    assert [each.facts["reminder"] for each in events] == [0, 1, 2, 3, 4, 5]


def test_a_machine_that_slept_for_days_reminds_once() -> None:
    _, events = after_runs(*failures(3), (Outcome.FAILED, 10 * DAY), *failures(30))
    assert len(events) == 2


def test_a_good_run_in_between_restarts_the_count() -> None:
    assert after_runs(*failures(2), (Outcome.UNCHANGED, MINUTE), *failures(2))[1] == []


@pytest.mark.parametrize("neutral", [Outcome.PENDING, Outcome.SKIPPED, Outcome.OFF])
def test_a_run_that_is_pending_skipped_or_off_neither_starts_nor_ends_an_incident(neutral: Outcome) -> None:
    assert after_runs((neutral, MINUTE), (neutral, MINUTE), (neutral, MINUTE))[1] == []
    _, events = after_runs(*failures(2), (neutral, MINUTE), *failures(1), (neutral, MINUTE), (Outcome.UPDATED, MINUTE))
    assert [each.kind for each in events] == ["failing", "recovered"]


@pytest.mark.parametrize("unknown", [Outcome.SKIPPED, Outcome.OFF])
def test_a_run_that_leaves_out_one_family_does_not_end_the_incident(unknown: Outcome) -> None:
    run_state, _ = after_runs(*failures(3))
    (one,) = holds("9.9.9.9", 1).results
    half = RunResult("line", (one, FamilyResult(Family.IPV6, unknown)))
    run_state, events = advance(run_state, half, NOW + HOUR, 3)
    assert events == []
    assert (run_state.ended, run_state.outcome, run_state.last_success) == (NOW + HOUR, Outcome.UNCHANGED, None)
    assert run_state.incident


def test_a_held_run_counts_as_failing() -> None:
    assert len(after_runs(*[(Outcome.HELD, MINUTE)] * 3)[1]) == 1


def test_a_recovery_reports_duration_failed_runs_and_cause() -> None:
    run_state, events = after_runs(*failures(46), (Outcome.UNCHANGED, 2 * MINUTE))
    assert events[-1].title == "line: recovered after 47 min, 46 failed runs"
    assert events[-1].text.startswith(
        "Cause: it is broken. Address now: 9.9.9.9 (version 1)."
        " DNS when last verified: home.example.com A held 9.9.9.9 (20"
    )
    assert events[-1].facts["duration_seconds"] == 47 * 60
    assert run_state.incident is None


def test_an_incident_without_an_alert_ends_without_a_recovery_alert() -> None:
    assert after_runs(*failures(2), (Outcome.UNCHANGED, MINUTE))[1] == []
    run_state, events = after_runs(*failures(9), alert_after=None)
    assert events == []
    assert run_state.incident
    assert run_state.incident.alerts == 0
    assert len(after_runs(*failures(1), start=run_state)[1]) == 1  # a channel was added


def test_a_failure_reports_what_dns_held_when_last_verified() -> None:
    _, events = after_runs((Outcome.UNCHANGED, MINUTE), *failures(3))
    assert "DNS when last verified: home.example.com A held 9.9.9.9 (20" in events[0].text
    assert "DNS: no verified record is known." in after_runs(*failures(3))[1][0].text


def test_a_long_cause_leaves_room_for_the_advice() -> None:
    run_state = RunState()
    for _ in range(3):
        run_state, events = advance(run_state, ended(Outcome.FAILED, "\udcff" + "x" * 5000), NOW, 3)
    assert len(events[0].text) < 1500
    assert "`ddns doctor`" in events[0].text
    events[0].text.encode()


# Changes and repairs


def events_of(run_state: RunState, *runs: RunResult) -> list[Event]:
    all_events = []
    for run in runs:
        run_state, events = advance(run_state, run, NOW, 3)
        all_events += events
    return all_events


def test_a_change_is_reported_once_with_the_previous_address() -> None:
    (event,) = events_of(RunState(), holds("9.9.9.9", 1), holds("1.1.1.1", 2, was="9.9.9.9"), holds("1.1.1.1", 2))
    assert (event.kind, event.facts["previous_address"], event.facts["address"]) == ("changed", "9.9.9.9", "1.1.1.1")


def test_a_change_whose_run_was_killed_before_its_report_is_reported_by_the_next() -> None:
    (event,) = events_of(RunState(), holds("9.9.9.9", 1), holds("1.1.1.1", 2))
    assert event.facts["previous_address"] == "9.9.9.9"
    (first,) = events_of(RunState(), holds("1.1.1.1", 2, since=NOW - MINUTE))  # even with an empty run state
    assert (first.kind, first.facts["previous_address"]) == ("changed", None)


def test_a_change_that_is_pending_at_first_is_reported_once_it_is_verified() -> None:
    (one,) = holds("1.1.1.1", 2, was="9.9.9.9").results
    pending = RunResult("line", (one._replace(outcome=Outcome.PENDING),))
    assert events_of(RunState(), pending, pending) == []
    (event,) = events_of(RunState(), pending, pending, holds("1.1.1.1", 2), holds("1.1.1.1", 2))
    assert event.facts["previous_address"] == "9.9.9.9"


def test_the_previous_address_is_that_of_the_version_before_even_if_it_was_never_verified() -> None:
    (one,) = holds("1.1.1.1", 2, was="9.9.9.9").results
    pending = RunResult("line", (one._replace(outcome=Outcome.PENDING),))
    (event,) = events_of(RunState(), holds("9.9.9.9", 1), pending, holds("8.8.8.8", 3, was="1.1.1.1"))
    assert event.facts["previous_address"] == "1.1.1.1"


def test_an_address_that_changes_and_changes_back_before_dns_follows_is_no_change() -> None:
    (one,) = holds("1.1.1.1", 2, was="9.9.9.9").results
    pending = RunResult("line", (one._replace(outcome=Outcome.PENDING),))
    back = RunResult("line", (holds("9.9.9.9", 3, was="1.1.1.1").results[0]._replace(outcome=Outcome.PENDING),))
    assert events_of(RunState(), holds("9.9.9.9", 1), pending, back, holds("9.9.9.9", 3)) == []


def test_a_database_that_was_set_back_reports_no_change() -> None:
    assert events_of(RunState(), holds("9.9.9.9", 7), holds("1.1.1.1", 5)) == []


@pytest.mark.parametrize("version", [1, 57])
def test_a_machine_without_run_state_reports_no_old_events(version: int) -> None:
    assert events_of(RunState(), holds("9.9.9.9", version)) == []
    assert events_of(RunState(), holds("9.9.9.9", 1, since=NOW)) == []
    assert events_of(RunState(), holds("9.9.9.9", version, drift_at=NOW - DAY)) == []
    (one,) = holds("9.9.9.9", version, since=NOW - 9 * DAY, drift_at=NOW - 2 * DAY).results
    long_ago = one._replace(publications=(one.publications[0]._replace(checked_at=NOW - DAY),))
    assert events_of(RunState(), RunResult("line", (long_ago,))) == []


def test_a_version_with_the_same_address_is_no_change() -> None:
    assert events_of(RunState(), holds("9.9.9.9", 1), holds("9.9.9.9", 3)) == []


def test_a_repair_is_reported_once_and_a_second_repair_again() -> None:
    first, second = NOW - MINUTE, NOW
    runs = (holds("9.9.9.9", 1, drift_at=at) for at in (None, first, first, second, second))
    events = events_of(RunState(), *runs)
    assert [each.kind for each in events] == ["repaired", "repaired"]
    assert events[0].facts["repaired"][0]["found"] == "8.8.4.4 with TTL 60"  # type: ignore[index]
    assert len(events_of(RunState(), holds("9.9.9.9", 1, drift_at=first))) == 1  # by the very first run


def test_one_family_that_fails_does_not_hide_the_change_of_the_other() -> None:
    (one,) = holds("1.1.1.1", 2, was="9.9.9.9").results
    both = RunResult("line", (one, FamilyResult(Family.IPV6, Outcome.FAILED, error="no address")))
    run_state = RunState(reported={Family.IPV4: Reported(1, ip_address("9.9.9.9"))})
    assert [each.kind for each in advance(run_state, both, NOW, 1)[1]] == ["changed", "failing"]


def test_every_event_is_read_back_from_its_json() -> None:
    run_state, events, now = RunState(), [], NOW + timedelta(milliseconds=1234)
    runs = (holds("9.9.9.9", 1), holds("1.1.1.1", 2, was="9.9.9.9"), ended(Outcome.FAILED, "down"))
    for run in (*runs, holds("1.1.1.1", 2, drift_at=NOW)):
        run_state, more = advance(run_state, run, now, 1)
        events += more
    assert [each.kind for each in events] == ["changed", "failing", "recovered", "repaired"]
    for event in events:
        assert parse_event(json.loads(json.dumps(event.json()))) == event


def test_what_the_first_publication_replaced_is_no_repair() -> None:
    replaced = holds("9.9.9.9", 1, drift_at=NOW - 2 * DAY)
    run_state, events = advance(RunState(), replaced, NOW, 1)
    assert events == []
    assert events_of(run_state, replaced) == []
    before = RunState(seen={HOME: Seen(ip_address("8.8.8.8"), NOW - 3 * DAY)})
    assert [each.kind for each in advance(before, holds("9.9.9.9", 2, drift_at=NOW), NOW, 1)[1]] == ["repaired"]


# The clock


def test_a_clock_set_back_does_not_change_durations() -> None:
    run_state, _ = after_runs(*failures(4))
    later = NOW + 4 * MINUTE
    shift = find_shift(later, None, later - 30 * DAY, None)
    assert shift
    assert shift.by == -30 * DAY
    _, events = advance(run_state.shifted(shift), ended(Outcome.UNCHANGED), later - 30 * DAY + MINUTE, 3)
    assert events[0].facts["duration_seconds"] == 4 * 60


def test_a_repair_is_reported_once_though_the_journal_gives_its_times_back_in_whole_seconds() -> None:
    run_state, _ = advance(RunState(), holds("9.9.9.9", 1, drift_at=NOW + timedelta(seconds=0.9)), NOW, 1)
    assert events_of(run_state, holds("9.9.9.9", 1, drift_at=NOW)) == []


def test_a_repair_after_the_clock_of_the_database_went_back_is_reported_once() -> None:
    def repaired(at: datetime) -> RunResult:
        (one,) = holds("9.9.9.9", 1, drift_at=at).results
        record = one.publications[0]._replace(checked_at=at + MINUTE)
        return RunResult("line", (one._replace(publications=(record,)),))

    run_state, events = advance(RunState(), repaired(NOW + DAY), NOW, 1)
    for at in (NOW, NOW, NOW + HOUR, NOW + HOUR):
        run_state, more = advance(run_state, repaired(at), NOW + HOUR, 1)
        events += more
    assert [each.kind for each in events] == ["repaired"] * 3


def test_the_usual_interval_is_known_from_the_third_run_on() -> None:
    assert after_runs(*failures(2))[0].interval is None
    assert after_runs(*failures(3), (Outcome.FAILED, DAY), *failures(1))[0].interval == MINUTE


def test_runs_by_hand_do_not_change_the_usual_interval() -> None:
    by_hand = [(Outcome.FAILED, timedelta(seconds=29))] * 5
    run_state, _ = after_runs(*failures(3, HOUR), *by_hand, *failures(1, HOUR))
    assert run_state.interval == HOUR
    assert run_state.recent[-2:] == (NOW + 3 * HOUR + timedelta(seconds=5 * 29), run_state.ended)


def test_the_times_of_the_last_six_runs_are_kept() -> None:
    run_state, _ = after_runs(*failures(20))
    assert run_state.recent == tuple(NOW + number * MINUTE for number in range(15, 21))


def test_a_skipped_run_is_counted_and_leaves_the_last_result() -> None:
    run_state, _ = after_runs((Outcome.UNCHANGED, MINUTE), (Outcome.SKIPPED, MINUTE))
    assert run_state.runs == {Outcome.UNCHANGED: 1, Outcome.SKIPPED: 1}
    assert (run_state.outcome, run_state.ended) == (Outcome.UNCHANGED, NOW + MINUTE)
    assert (run_state.recent[-1], run_state.was_skipped) == (NOW + 2 * MINUTE, True)


def test_the_last_success_is_that_of_the_last_good_run() -> None:
    run_state, _ = after_runs((Outcome.UNCHANGED, MINUTE), *failures(2))
    assert run_state.last_success == NOW + MINUTE


# Any sequence of runs

_SPANS = st.integers(0, 200_000_000).map(lambda number: timedelta(milliseconds=number)) | st.sampled_from(
    [MINUTE, HOUR, DAY]
)
_RUNS = st.lists(st.tuples(st.sampled_from(Outcome), _SPANS), max_size=60)


@given(_RUNS, st.integers(1, 5))
def test_alerts_keep_their_schedule_in_any_sequence_of_runs(
    runs: list[tuple[Outcome, timedelta]], alert_after: int
) -> None:
    run_state, now = RunState(), NOW
    bad_in_a_row, alerts, at = 0, 0, NOW
    for outcome, later in runs:
        now += later
        run_state, events = advance(run_state, ended(outcome, "it is broken"), now, alert_after)
        bad_in_a_row += outcome.is_bad
        assert len(events) <= 1
        assert [parse_event(json.loads(json.dumps(each.json()))) for each in events] == events
        for each in events:
            if each.kind == "failing":
                assert bad_in_a_row >= alert_after
                assert each.facts["failed_runs"] == bad_in_a_row
                assert alerts == 0 or now - at >= (HOUR, 5 * HOUR, 18 * HOUR, DAY)[min(alerts, 4) - 1]
                alerts, at = alerts + 1, now
            else:
                assert each.kind == "recovered"
                assert outcome.is_good
                assert alerts
        if outcome.is_good:
            assert bool(events) == bool(alerts)
            bad_in_a_row = alerts = 0
        assert (run_state.incident.failed_runs if run_state.incident else 0) == bad_in_a_row
        assert (run_state.incident.alerts if run_state.incident else 0) == alerts
    assert sum(run_state.runs.values()) == len(runs)


# Runs that report late, records that come and go, and changes that stay pending


def test_a_run_that_reports_after_a_later_one_changes_nothing_but_the_count() -> None:
    run_state, _ = advance(RunState(), holds("9.9.9.9", 1), NOW, 1)
    run_state, events = advance(run_state, holds("1.1.1.1", 2, was="9.9.9.9"), NOW + 2 * MINUTE, 1)
    assert [each.kind for each in events] == ["changed"]
    for late in (holds("9.9.9.9", 1), ended(Outcome.FAILED, "down")):
        after, events = advance(run_state, late, NOW + MINUTE, 1)
        assert events == []
        assert (after.reported, after.incident) == (run_state.reported, None)


def test_a_repair_is_not_reported_again_when_its_record_comes_back() -> None:
    there, away = holds("9.9.9.9", 1, drift_at=NOW), holds("9.9.9.9", 1)
    events = events_of(RunState(), holds("9.9.9.9", 1), there, away, there, away, there)
    assert [each.kind for each in events] == ["repaired"]


def test_many_repairs_in_one_run_are_one_event() -> None:
    (one,) = holds("9.9.9.9", 1, drift_at=NOW).results
    many = [one.publications[0]._replace(record=Record(f"host{number}.example.com", "A")) for number in range(30)]
    run_state, _ = advance(RunState(), holds("9.9.9.9", 1), NOW - MINUTE, 3)
    _, (event,) = advance(run_state, RunResult("line", (one._replace(publications=tuple(many)),)), NOW, 3)
    assert " and 27 more after an outside change" in event.title
    assert len(event.text) < 1000
    assert len(event.facts["repaired"]) == 30  # type: ignore[arg-type]


def test_a_change_that_stays_pending_too_long_is_an_incident() -> None:
    (one,) = holds("1.1.1.1", 2).results
    sent = one.publications[0]._replace(state=PublicationState.SUBMITTED, submitted_at=NOW)
    pending = RunResult("line", (one._replace(outcome=Outcome.PENDING, publications=(sent,)),))
    run_state = RunState()
    for minutes in range(0, 31, 10):
        run_state, events = advance(run_state, pending, NOW + minutes * MINUTE, 1)
        assert events == []
    run_state, (event,) = advance(run_state, pending, NOW + 31 * MINUTE, 1)
    assert "home.example.com A has not held the current address for more than 30 min" in event.text


def pending(version: int, sent_at: datetime) -> RunResult:
    """Return a run whose change of that version was sent at a time, and is not in sync."""
    (one,) = holds(f"1.1.1.{version}", version).results
    sent = one.publications[0]._replace(state=PublicationState.SUBMITTED, submitted_at=sent_at)
    return RunResult("line", (one._replace(outcome=Outcome.PENDING, publications=(sent,)),))


def test_a_line_that_changes_before_dns_follows_is_an_incident() -> None:
    run_state, _ = advance(RunState(), holds("1.1.1.1", 1), NOW - DAY, 1)
    for minutes in range(0, 31, 5):
        now = NOW + minutes * MINUTE
        run_state, events = advance(run_state, pending(minutes + 2, now), now, 1)
        assert events == []
    now = NOW + 35 * MINUTE
    run_state, (event,) = advance(run_state, pending(99, now), now, 1)
    assert "home.example.com A has not held the current address for more than 30 min" in event.text
    assert run_state.behind == {HOME: NOW}
    run_state, events = advance(run_state, holds("1.1.1.99", 99), now + MINUTE, 1)
    assert (run_state.behind, run_state.incident) == ({}, None)
    assert [each.kind for each in events] == ["recovered", "changed"]


def test_a_record_does_not_wait_while_its_line_is_off() -> None:
    run_state, _ = advance(RunState(), pending(2, NOW), NOW, 1)
    for minutes in (1, 40):
        run_state, events = advance(run_state, ended(Outcome.OFF), NOW + minutes * MINUTE, 1)
        assert (run_state.incident, events) == (None, [])
    run_state, events = advance(run_state, pending(3, NOW + 41 * MINUTE), NOW + 41 * MINUTE, 1)
    assert (run_state.incident, run_state.behind, events) == (None, {HOME: NOW + 41 * MINUTE}, [])


def test_an_open_incident_about_a_flapping_line_is_not_repeated_while_it_is_off() -> None:
    run_state, _ = advance(RunState(), holds("1.1.1.1", 1), NOW, 1)
    for minute in range(1, 7):
        now, was, new = NOW + minute * MINUTE, f"1.1.1.{1 + (minute + 1) % 2}", f"1.1.1.{1 + minute % 2}"
        run_state, _ = advance(run_state, holds(new, minute + 1, was=was), now, 1)
    incident = run_state.incident
    assert incident
    run_state, events = advance(run_state, ended(Outcome.OFF), now + MINUTE, 1)
    assert (run_state.incident, events) == (incident, [])


@pytest.mark.parametrize("apart", [-DAY, DAY])
def test_how_long_a_record_waits_is_counted_by_the_clock_of_this_machine(apart: timedelta) -> None:
    run_state, events = advance(RunState(), pending(2, NOW + apart), NOW, 1)
    assert (run_state.behind, run_state.incident, events) == ({HOME: NOW}, None, [])


def test_each_version_that_dns_held_begins_anew() -> None:
    run_state = RunState()
    for minutes in range(0, 120, 10):
        now = NOW + minutes * MINUTE
        run_state, _ = advance(run_state, pending(minutes + 2, now), now, 1)
        run_state, _ = advance(run_state, holds(f"1.1.1.{minutes + 2}", minutes + 2), now + MINUTE, 1)
        assert (run_state.incident, run_state.behind) == (None, {})


def test_a_failed_check_of_a_record_does_not_date_it_back_to_its_change() -> None:
    (one,) = holds("1.1.1.1", 2).results
    drifted = one.publications[0]._replace(submitted_at=NOW - DAY, error="it holds something else")
    run_state, _ = advance(RunState(), RunResult("line", (one._replace(publications=(drifted,)),)), NOW, 3)
    assert run_state.behind == {HOME: NOW}


def test_a_record_that_waits_is_not_stuck_because_another_one_was_sent_long_ago() -> None:
    (one,) = holds("1.1.1.1", 2).results
    verified = one.publications[0]._replace(submitted_at=NOW - DAY)
    sent = verified._replace(record=Record("b.example.com", "A"), state=PublicationState.SUBMITTED, submitted_at=NOW)
    pending = RunResult("line", (one._replace(outcome=Outcome.PENDING, publications=(verified, sent)),))
    run_state, events = advance(RunState(), pending, NOW + MINUTE, 1)
    assert (run_state.incident, events) == (None, [])


def test_the_cause_of_a_failed_run_is_its_error_also_while_a_record_is_stuck() -> None:
    (one,) = holds("1.1.1.1", 2).results
    sent = one.publications[0]._replace(state=PublicationState.SUBMITTED, submitted_at=NOW - HOUR)
    pending = one._replace(outcome=Outcome.PENDING, publications=(sent,))
    failed = FamilyResult(Family.IPV6, Outcome.FAILED, error="no address")
    run_state = RunState(behind={HOME: NOW - HOUR})
    run_state, _ = advance(run_state, RunResult("line", (pending, failed)), NOW, 1)
    assert run_state.incident
    assert run_state.incident.cause == "no address"


def test_what_a_record_held_is_known_from_its_last_good_check_alone() -> None:
    (one,) = holds("9.9.9.9", 1).results
    earlier = one.publications[0]._replace(checked_at=NOW - MINUTE)
    good = {HOME: Seen(ip_address("9.9.9.9"), NOW - MINUTE)}
    run_state = RunState()
    for each in (
        earlier,
        earlier._replace(checked_at=NOW, error="it holds something else"),
        earlier._replace(checked_at=NOW, address=ip_address("1.1.1.1"), state=PublicationState.SUBMITTED),
    ):
        run_state, _ = advance(run_state, RunResult("line", (one._replace(publications=(each,)),)), NOW, 3)
        assert run_state.seen == good


def test_a_record_that_is_no_longer_configured_is_forgotten() -> None:
    run_state, _ = advance(RunState(), holds("9.9.9.9", 1), NOW, 3)
    assert run_state.seen == {HOME: Seen(ip_address("9.9.9.9"), NOW)}
    (one,) = holds("9.9.9.9", 1).results
    without = RunResult("line", (one._replace(publications=()),))
    assert advance(run_state, without, NOW + MINUTE, 3)[0].seen == {}
