"""What a quiet run prints: pure, over given states and clocks."""

from datetime import UTC, datetime, timedelta

from ddns_updater.alerts.event import Event, Kind
from ddns_updater.model import Family, FamilyResult, Outcome, RunResult
from ddns_updater.run.news import News, everything, find_news
from ddns_updater.state.run_state import RunState

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
ALERT = Event(Kind.FAILING, NOW, "line", "line: failing", "Cause: no address.", {})


def ended(*outcomes: Outcome, version: int = 2) -> RunResult:
    results = (FamilyResult(family, each, version=version) for family, each in zip(Family, outcomes, strict=False))
    return RunResult("line", tuple(results))


def test_a_run_without_news_prints_no_failure_and_leaves_the_state() -> None:
    state = RunState(printed={"old": NOW - DAY})
    for outcome in (Outcome.UNCHANGED, Outcome.SKIPPED, Outcome.HELD, Outcome.FAILED):
        news, after = find_news(state, ended(outcome), (), NOW)
        assert (news.event, news.outcomes, news.warnings) == (None, frozenset({Outcome.UPDATED}), ())
        assert after is state


def test_an_alert_is_printed_once() -> None:
    news, after = find_news(RunState(unprinted=ALERT), ended(Outcome.FAILED), (), NOW)
    assert (news.event, after.unprinted) == (ALERT, None)
    assert find_news(after, ended(Outcome.FAILED), (), NOW)[0].event is None


def test_the_family_that_changed_is_printed_while_the_other_one_fails() -> None:
    news, _ = find_news(RunState(), ended(Outcome.FAILED, Outcome.UPDATED), (), NOW)
    assert news.outcomes == {Outcome.UPDATED}


def test_a_warning_is_printed_again_after_a_day_whatever_numbers_it_has() -> None:
    state, printed = RunState(), []
    for hours in range(50):
        warnings = (f"no answer within {hours}.5 s", f"no answer within {hours}.6 s")
        news, state = find_news(state, ended(Outcome.UNCHANGED), warnings, NOW + hours * HOUR)
        printed += [hours] * len(news.warnings)
    assert printed == [0, 0, 24, 24, 48, 48]


def test_the_same_warning_of_another_record_is_another_one() -> None:
    _, state = find_news(RunState(), ended(Outcome.PENDING), ("home1.example.com A held 198.51.100.1",), NOW)
    news, _ = find_news(state, ended(Outcome.PENDING), ("home2.example.com A held 203.0.113.9",), NOW)
    assert news.warnings == ("home2.example.com A held 203.0.113.9",)


def test_another_warning_is_printed_at_once() -> None:
    _, state = find_news(RunState(), ended(Outcome.UNCHANGED), ("one",), NOW)
    news, _ = find_news(state, ended(Outcome.UNCHANGED), ("one", "two"), NOW)
    assert news.warnings == ("two",)


def test_every_warning_is_printed_beside_a_change() -> None:
    _, state = find_news(RunState(), ended(Outcome.UPDATED), ("8.8.8.8 is not confirmed",), NOW)
    news, _ = find_news(state, ended(Outcome.UPDATED), ("8.8.4.4 is not confirmed",), NOW)
    assert news.warnings == ("8.8.4.4 is not confirmed",)


def test_each_version_that_is_pending_is_printed_once() -> None:
    state, printed = RunState(), []
    for version in (2, 2, 3, 3, 2):
        news, state = find_news(state, ended(Outcome.PENDING, version=version), (), NOW)
        printed.append(Outcome.PENDING in news.outcomes)
    assert printed == [True, False, True, False, False]


def test_what_was_printed_is_remembered_up_to_a_limit() -> None:
    state = RunState()
    for number in range(60):
        _, state = find_news(state, ended(Outcome.UNCHANGED), ("x" * number,), NOW)
    assert list(state.printed) == ["x" * number for number in range(10, 60)]


def test_everything_is_every_outcome_and_every_warning() -> None:
    assert everything(["one", "one"]) == News(None, frozenset(Outcome), ("one", "one"))
