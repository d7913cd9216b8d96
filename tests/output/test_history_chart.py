"""The timeline: geometry for every history and width, and how it reads."""

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

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
ALWAYS = Window()
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
    title = r"\d{4}-\d\d-\d\d \d\d:\d\d to \d{4}-\d\d-\d\d \d\d:\d\d"  # it and an address are never cut
    assert all(len(row) <= width or re.fullmatch(rf"{title}|[0-9a-f:.]+", row) for row in rows)
    assert sum("#" in row for row in rows) == len(entries)
    shown = [row.split()[0] for row in rows if row[0] in "12" and "to" not in row and "-" not in row]
    assert shown == [entry.version.ip for entry in entries]


def test_it_shows_the_axis_the_bars_and_how_long_each_was_held() -> None:
    assert history_chart(line(240, 24, 1, 455), ALWAYS, None, "utf-8").splitlines() == [
        "ADDRESS    2026-04-01 07:00                          2026-05-01 07:00  HELD",
        "192.0.2.4                       █████████████████████████████████████  18 d 23 h",
        "192.0.2.3                       █                                      1 h 0 min",
        "192.0.2.2                     ██                                       1 d 0 h",
        "192.0.2.1  ███████████████████                                         10 d 0 h",
    ]


def test_a_narrow_terminal_gets_the_dates_on_a_line_of_their_own() -> None:
    assert history_chart(line(240, 480), ALWAYS, 40, "utf-8").splitlines() == [
        "2026-04-01 07:00 to 2026-05-01 07:00",
        "ADDRESS                         HELD",
        "192.0.2.2        █████████████  20 d 0 h",
        "192.0.2.1  ██████               10 d 0 h",
    ]


def test_long_addresses_in_a_narrow_terminal_stand_above_their_bars_and_families_apart() -> None:
    both = line(240, 480, family=Family.IPV6) + line(120)
    assert history_chart(both, ALWAYS, 40, "latin-1").splitlines() == [
        "IPV4",
        "2026-04-01          2026-05-01  HELD",
        "192.0.2.1",
        "                         #####  5 d 0 h",
        "IPV6",
        "2026-04-01          2026-05-01  HELD",
        "2001:db8:ffff:ffff:ffff:ffff:ffff:2",
        "          ####################  20 d 0 h",
        "2001:db8:ffff:ffff:ffff:ffff:ffff:1",
        "##########                      10 d 0 h",
    ]


def test_a_window_is_the_axis() -> None:
    window = Window(NOW - timedelta(hours=48), NOW - timedelta(hours=24))
    (title, *_, row) = history_chart(line(240, 36), window, 80, "ascii").splitlines()
    assert title.split()[1:5] == ["2026-04-29", "07:00", "2026-04-30", "07:00"]
    assert re.fullmatch(r"192\.0\.2\.1  #{29} {32}10 d 0 h", row)  # half of the axis
