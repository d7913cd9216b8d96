"""Dates and times as operators write them."""

import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ddns_updater.cli.times import second, window
from ddns_updater.errors import SettingsError
from tests.settings.test_parsers import tried

suite = settings(
    deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture(autouse=True)
def summer_and_winter(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Set a time zone where the clocks go forward on 2026-03-29 at 02:00 and back on 2026-10-25 at 03:00."""
    monkeypatch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc,arg-type]


@pytest.mark.parametrize(
    ("text", "begin", "end"),
    [
        ("2026-05-03", utc(2026, 5, 2, 22), utc(2026, 5, 3, 22)),
        ("20260503", utc(2026, 5, 2, 22), utc(2026, 5, 3, 22)),
        ("2026-03-29", utc(2026, 3, 28, 23), utc(2026, 3, 29, 22)),
        ("2026-05-03T14:00", utc(2026, 5, 3, 12), utc(2026, 5, 3, 12, 0, 1)),
        ("2026-05-03 14:00:07.9", utc(2026, 5, 3, 12, 0, 7), utc(2026, 5, 3, 12, 0, 8)),
        ("2026-05-03T14:00Z", utc(2026, 5, 3, 14), utc(2026, 5, 3, 14, 0, 1)),
        ("2026-05-03T14:00-05:00", utc(2026, 5, 3, 19), utc(2026, 5, 3, 19, 0, 1)),
        ("2026-10-25T02:30", utc(2026, 10, 25, 0, 30), utc(2026, 10, 25, 1, 30, 1)),  # this time occurred twice
    ],
)
def test_a_window_reaches_from_the_start_of_its_first_second_to_the_end_of_its_last(
    text: str, begin: datetime, end: datetime
) -> None:
    assert window(text, text) == (begin, end)
    assert window(None, text) == (None, end)
    assert window(text, None) == (begin, None)


def test_a_time_covers_one_second() -> None:
    assert second("2026-05-03T14:00:07") == (utc(2026, 5, 3, 12, 0, 7), utc(2026, 5, 3, 12, 0, 8))
    assert second("2026-05-03") == (utc(2026, 5, 2, 22), utc(2026, 5, 2, 22, 0, 1))


def test_a_local_time_that_occurred_twice_needs_its_offset() -> None:
    with pytest.raises(SettingsError) as refused:
        second("2026-10-25T02:30")
    assert str(refused.value) == (
        "--at '2026-10-25T02:30' occurred twice when the clocks went back;"
        " write --at 2026-10-25T02:30:00+02:00 or --at 2026-10-25T02:30:00+01:00"
    )
    assert second("2026-10-25T02:30+01:00").start == utc(2026, 10, 25, 1, 30)


def test_a_local_time_that_was_skipped_is_refused() -> None:
    for option, read in (("--at", second), ("--since", lambda text: window(text, None))):
        with pytest.raises(SettingsError) as refused:
            read("2026-03-29T02:30")
        assert str(refused.value) == (
            f"{option} '2026-03-29T02:30' was skipped when the clocks went forward;"
            f" write {option} 2026-03-29T01:30:00+01:00 or {option} 2026-03-29T03:30:00+02:00"
        )


def test_a_day_without_midnight_starts_when_the_clocks_go_forward(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "BRT3BRST,M11.1.0/0,M2.3.0/0")
    time.tzset()
    assert window("2026-11-01", "2026-11-01") == (utc(2026, 11, 1, 3), utc(2026, 11, 2, 2))


@pytest.mark.parametrize("text", ["0001-01-01", "9999-12-31", "9999-12-31T23:59:59-23:59", "1899-12-31T00:00"])
def test_years_out_of_range_are_refused(text: str) -> None:
    for read in (second, lambda text: window(text, None), lambda text: window(None, text)):
        with pytest.raises(SettingsError, match="is out of range; write a year from 1900 to 9998"):
            read(text)


DATES = st.dates(date(1900, 1, 1), date(9998, 12, 31)).map(str)
TIMES = st.datetimes(timezones=st.none() | st.timezones()).map(lambda moment: moment.isoformat())


@suite
@given(DATES | TIMES | st.text() | st.from_regex(r"[0-9TZ:+ .W-]{1,30}", fullmatch=True))
def test_any_text_is_a_time_or_refused_in_one_line(text: str) -> None:
    for read in (second, lambda text: window(text, None), lambda text: window(None, text)):
        found, reason = tried(SettingsError, read, text)
        assert len(reason.splitlines()) == (found is None)
        assert all(each is None or (each.tzinfo is UTC and each.microsecond == 0) for each in found or ())


@suite
@given(DATES, DATES)
def test_a_window_of_two_dates_is_as_long_as_its_days(one: str, other: str) -> None:
    since, until = sorted((one, other))
    begin, end = window(since, until)
    assert begin is not None
    assert end is not None
    days = (date.fromisoformat(until) - date.fromisoformat(since)).days + 1
    assert abs(end - begin - timedelta(days=days)) <= timedelta(hours=1)
    if since != until:
        with pytest.raises(SettingsError, match=r"is later than --until .*; swap them"):
            window(until, since)
