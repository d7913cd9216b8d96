"""The timeline: geometry for every history and width, and how it reads."""

import os
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ddns_updater.model import Family, HistoryEntry, Version, Window
from ddns_updater.output.history_chart import history_chart, span
from ddns_updater.output.time_axis import tick_line

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
ALWAYS = Window()
BERLIN = "CET-1CEST,M3.5.0,M10.5.0/3"
suite = settings(
    deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture(autouse=True)
def five_hours_west(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Live where it is five hours earlier than UTC."""
    monkeypatch.setenv("TZ", "EST5")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def line(*hours: int, family: Family = Family.IPV4) -> list[HistoryEntry]:
    """Return versions that were held for so many hours each, the last of them until now, newest first."""
    begins = [NOW - timedelta(hours=sum(hours[number:])) for number in range(len(hours))]
    return [
        HistoryEntry(
            Version(number, "line", number, ADDRESS[family].format(number), None, begin), family, until, NOW, ()
        )
        for number, (begin, until) in enumerate(zip(begins, [*begins[1:], None], strict=True), 1)
    ][::-1]


ADDRESS = {Family.IPV4: "192.0.2.{}", Family.IPV6: "2001:db8:ffff:ffff:ffff:ffff:ffff:{}"}
HOURS = st.lists(st.integers(0, 2000), min_size=1, max_size=12)


def spans(entries: list[HistoryEntry], window: Window, columns: int) -> list[tuple[int, int]]:
    """Return where the bars of `entries` lie on the axis of the whole chart, oldest first."""
    begin = max(window.start or entries[-1].version.created_at, entries[-1].version.created_at)
    return [span(entry, begin, min(window.end or NOW, NOW), columns) for entry in reversed(entries)]


@suite
@given(HOURS, st.integers(1, 300))
@example([0], 2)
def test_bars_lie_on_the_axis_in_proportion_and_have_at_least_one_column(hours: list[int], columns: int) -> None:
    entries = line(*hours)
    found = spans(entries, ALWAYS, columns)
    total = sum(hours) or 1
    for number, (start, stop) in enumerate(found):
        assert 0 <= start < stop <= columns
        begin, length = sum(hours[:number]) * columns / total, hours[number] * columns / total
        assert start <= begin < start + 1 or start == columns - 1
        assert abs(stop - start - length) < 1 or stop - start == 1
    for (start, stop), (next_start, next_stop) in pairwise(found):
        assert start <= next_start
        assert stop <= next_stop
        assert next_start in (stop, stop - 1)
    assert found[0][0] == 0
    assert found[-1][1] == (columns if sum(hours) else 1)  # an axis of no length, in the first second of a history


@suite
@given(HOURS, st.integers(10, 100), st.integers(-100, 3000), st.integers(1, 3000))
def test_bars_are_cut_at_the_ends_of_the_window(hours: list[int], columns: int, ago: int, length: int) -> None:
    window = Window(NOW - timedelta(hours=ago + length), NOW - timedelta(hours=ago))
    assert window.start
    assert window.end
    entries = [
        entry for entry in line(*hours) if entry.version.created_at < window.end and (entry.until or NOW) > window.start
    ]
    for start, stop in spans(entries, window, columns) if entries else []:
        assert 0 <= start < stop <= columns


@suite
@given(HOURS, HOURS, st.integers(22, 250), st.booleans())
def test_no_line_is_wider_than_the_terminal_and_each_version_has_a_mark(
    hours: list[int], others: list[int], width: int, two: bool
) -> None:
    entries = line(*hours) + (line(*others, family=Family.IPV6) if two else [])
    rows = history_chart(entries, ALWAYS, width, "ascii").splitlines()
    title = r"\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d)? to \d{4}-\d\d-\d\d \d\d:\d\d(:\d\d)?"
    assert all(len(row) <= width or re.fullmatch(rf"{title}|[0-9a-f:.]+", row) for row in rows)  # they are never cut
    assert sum("#" in row for row in rows) == len(entries)
    shown = [row.split()[0] for row in rows if row[0] in "12" and "to" not in row and "-" not in row]
    assert shown == [entry.version.ip for entry in entries]


def test_it_shows_the_axis_the_bars_and_how_long_each_was_held() -> None:
    assert history_chart(line(240, 24, 1, 455), ALWAYS, None, "utf-8").splitlines() == [
        "ADDRESS    2026-04-01 07:00                          2026-05-01 07:00  HELD",
        "192.0.2.4                       █████████████████████████████████████  18 d 23 h",
        "192.0.2.3                       ▌                                      1 h 0 min",
        "192.0.2.2                     ██                                       1 d 0 h",
        "192.0.2.1  ███████████████████                                         10 d 0 h",
        "                    |Apr 6       |Apr 13       |Apr 20      |Apr 27",
    ]


def test_a_narrow_terminal_gets_the_dates_on_a_line_of_their_own() -> None:
    assert history_chart(line(240, 480), ALWAYS, 40, "utf-8").splitlines() == [
        "2026-04-01 07:00 to 2026-05-01 07:00",
        "ADDRESS                         HELD",
        "192.0.2.2        █████████████  20 d 0 h",
        "192.0.2.1  ██████               10 d 0 h",
        "             |6   |13 |20  |27",
    ]


def test_long_addresses_in_a_narrow_terminal_stand_above_their_bars_and_families_apart() -> None:
    both = line(240, 480, family=Family.IPV6) + line(120)
    assert history_chart(both, ALWAYS, 40, "latin-1").splitlines() == [
        "IPV4",
        "2026-04-01          2026-05-01  HELD",
        "192.0.2.1",
        "                         #####  5 d 0 h",
        "    |Apr 6 |Apr 13|Apr 20|",
        "IPV6",
        "2026-04-01          2026-05-01  HELD",
        "2001:db8:ffff:ffff:ffff:ffff:ffff:2",
        "          ####################  20 d 0 h",
        "2001:db8:ffff:ffff:ffff:ffff:ffff:1",
        "##########                      10 d 0 h",
        "    |Apr 6 |Apr 13|Apr 20|",
    ]


def test_a_window_is_the_axis() -> None:
    window = Window(NOW - timedelta(hours=48), NOW - timedelta(hours=24))
    (title, *_, row, ticks) = history_chart(line(240, 36), window, 80, "ascii").splitlines()
    assert title.split()[1:5] == ["2026-04-29", "07:00", "2026-04-30", "07:00"]
    assert re.fullmatch(r"192\.0\.2\.1  #{29} {32}10 d 0 h", row)  # half of the axis
    assert ticks == "               |09:00  |12:00 |15:00  |18:00 |21:00 |Apr 30 |03:00 |"


def test_six_versions_in_a_year_can_be_told_apart() -> None:
    days = (61, 62, 57, 64, 59, 62)
    chart = history_chart(line(*(24 * each for each in days)), ALWAYS, 80, "utf-8").splitlines()
    assert chart == [
        "ADDRESS    2025-05-01 07:00                           2026-05-01 07:00  HELD",
        "192.0.2.6                                                  ▐██████████  62 d 0 h",
        "192.0.2.5                                         █████████▌            59 d 0 h",
        "192.0.2.4                               ██████████                      64 d 0 h",
        "192.0.2.3                     ▐█████████                                57 d 0 h",
        "192.0.2.2           ▐█████████▌                                         62 d 0 h",
        "192.0.2.1  █████████▌                                                   61 d 0 h",
        "               |Jun |Jul |Aug |Sep |Oct |Nov |Dec |2026|Feb |Mar |Apr|",
    ]


def test_a_few_seconds_have_an_axis_too() -> None:
    entries = [
        each._replace(version=each.version._replace(created_at=NOW - timedelta(seconds=8)), read_at=NOW)
        for each in line(0)
    ]
    assert history_chart(entries, ALWAYS, 60, "utf-8").splitlines() == [
        "ADDRESS    2026-05-01 06:59:52     2026-05-01 07:00:00  HELD",
        "192.0.2.1  ███████████████████████████████████████████  8 s",
        "                           |06:59:55",
    ]


@suite
@given(st.integers(1, 4 * 10**9), st.integers(0, 10**9), st.integers(10, 250), st.sampled_from(["EST5", BERLIN]))
def test_ticks_are_round_local_times_at_their_places(length: int, ago: int, columns: int, zone: str) -> None:
    os.environ["TZ"] = zone
    time.tzset()
    end = NOW - timedelta(seconds=ago)
    begin = end - timedelta(seconds=length)
    shown = tick_line(begin, end, columns)
    assert len(shown) <= columns
    column = length / columns
    for match in re.finditer(r"\|([^|]*)", shown):
        at = (begin + timedelta(seconds=match.start() * column)).astimezone()
        inside = [at + timedelta(seconds=column * part / 60) for part in range(61)]
        label = match[1].strip()
        forms = ("%H:%M:%S", "%H:%M", "%b %-d", "%-d", "%b", "%Y")
        if label and column < 10:  # else a column is too long to be looked at second by second
            assert any(label == each.strftime(form) for each in inside for form in forms), (label, at)
