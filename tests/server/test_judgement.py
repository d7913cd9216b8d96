"""What a request may do: the rules alone, without a database."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest

from ddns_updater.hosts import Decision, Host, Verdict
from ddns_updater.model import Journal, Publication, PublicationState, Record, Version
from ddns_updater.server.judgement import judge

_NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
_ONE, _TWO = ip_address("192.0.2.1"), ip_address("192.0.2.2")
_HOST = Host(1, "nas.example.com", "nas", _NOW)
_RECORD = Record("nas.example.com", "A")


def latest(number: int = 1, age: timedelta = timedelta(hours=1), *publications: Publication) -> Journal:
    """Return a latest version that holds the first address, recorded so long ago."""
    return Journal(Version(7, _HOST.name, number, str(_ONE), _ONE, _NOW - age), publications, _NOW)


def published(state: PublicationState, error: str | None = None, *, was_sent: bool = True) -> Publication:
    return Publication(_RECORD, _NOW, state, error=error, submitted_at=_NOW if was_sent else None)


def never(_number: int) -> datetime | None:
    raise AssertionError("nothing has to be looked up")


def test_a_first_address_and_another_one_are_recorded() -> None:
    assert judge(_HOST, _ONE, None, never) == Decision(Verdict.GOOD)
    assert judge(_HOST, _TWO, latest(), never) == Decision(Verdict.GOOD)


def test_a_blocked_host_records_nothing() -> None:
    assert judge(_HOST._replace(blocked_at=_NOW), _TWO, None, never).verdict is Verdict.BLOCKED


@pytest.mark.parametrize(
    ("publication", "verdict"),
    [
        (published(PublicationState.VERIFIED), Verdict.NOCHG),
        (published(PublicationState.SUBMITTED, "could not confirm it"), Verdict.NOCHG),
        (published(PublicationState.PENDING, was_sent=False), Verdict.NOCHG),
        (published(PublicationState.PENDING, "AWS did not answer"), Verdict.NOCHG),  # it may have arrived
        (published(PublicationState.PENDING, "AWS answered AccessDenied", was_sent=False), Verdict.LATER),
        (published(PublicationState.FAILED, "an alias exists there"), Verdict.LATER),
    ],
)
def test_the_same_address_is_no_change_unless_something_keeps_it_from_dns(
    publication: Publication, verdict: Verdict
) -> None:
    decision = judge(_HOST, _ONE, latest(1, timedelta(hours=1), publication), never)
    assert decision.verdict is verdict
    assert bool(decision.retry_after) is (verdict is Verdict.LATER)


@pytest.mark.parametrize(
    ("number", "first", "age", "decision"),
    [
        (199, timedelta(hours=1), timedelta(0), Decision(Verdict.GOOD)),
        (200, timedelta(days=1), timedelta(0), Decision(Verdict.GOOD)),
        (200, timedelta(hours=23), timedelta(minutes=4), Decision(Verdict.LATER, 360, is_slowed=True)),
        (200, timedelta(hours=23), timedelta(minutes=10), Decision(Verdict.GOOD, is_slowed=True)),
        (
            950,
            timedelta(hours=23),
            timedelta(minutes=-30),
            Decision(Verdict.GOOD, is_slowed=True),
        ),  # the clock went back
    ],
)
def test_after_200_versions_in_a_day_a_host_gets_one_in_ten_minutes(
    number: int, first: timedelta, age: timedelta, decision: Decision
) -> None:
    asked: list[int] = []

    def recorded_at(version: int) -> datetime:
        asked.append(version)
        return _NOW - first

    assert judge(_HOST, _TWO, latest(number, age), recorded_at) == decision
    assert asked == ([number - 199] if number >= 200 else [])


def test_a_history_whose_early_versions_were_deleted_slows_nobody_down() -> None:
    assert judge(_HOST, _TWO, latest(500, timedelta(0)), lambda _: None) == Decision(Verdict.GOOD)
