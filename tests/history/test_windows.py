"""Which versions were current within a window, and how often the address changed, on every engine."""

import re
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ddns_updater.app import factories
from ddns_updater.history.sql import SqlHistory
from ddns_updater.model import Family, Origin, Window
from tests.support.command import finish
from tests.support.database import Database
from tests.support.machine import Machine

START = datetime(2026, 3, 1, tzinfo=UTC)
EAST = timedelta(hours=9)
ORIGIN = Origin(1, "line", Family.IPV4)
suite = settings(
    max_examples=120,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def second(number: int) -> datetime:
    return START + timedelta(seconds=number)


def text(time: datetime, zone: timedelta = timedelta(0)) -> str:
    """Return what the column holds on a server in that zone."""
    return (time.astimezone(UTC) + zone).strftime("%Y-%m-%d %H:%M:%S")


@pytest.fixture
def history(database: Database) -> Iterator[SqlHistory]:
    """Give an open history, on MySQL in a session nine hours east of UTC."""
    with factories.open_history(database.settings(), for_init=True) as opened:
        opened.upgrade()
        assert isinstance(opened, SqlHistory)
        if opened.engine == "mysql":
            opened.execute("SET time_zone = '+09:00'")
        yield opened


def fill(history: SqlHistory, starts: list[int], numbers: list[int]) -> None:
    """Replace all rows by versions that start at these seconds, among rows of two other origins.

    The newest rows have the lowest ids, so that only the versions tell their order.
    """
    zone = EAST if history.engine == "mysql" else timedelta(0)
    rows = [(origin, 1 + offset, text(second(9), zone)) for origin in (0, 2) for offset in range(3)]
    rows += [(1, number, text(second(start), zone)) for number, start in zip(numbers, starts, strict=True)]
    history.execute("DELETE FROM admin_ip_history")
    history.execute_many(
        "INSERT INTO admin_ip_history (ip, name, originId, version, createdAt) VALUES ('192.0.2.1', 'line', ?, ?, ?)",
        sorted(rows, key=lambda row: row[1], reverse=True),
    )


NUMBERS = st.lists(st.integers(1, 40), min_size=1, max_size=9, unique=True).map(sorted)
EDGE = st.none() | st.integers(-3, 25)


def windows(begin: int | None, end: int | None) -> Window:
    return Window(None if begin is None else second(begin), None if end is None else second(end))


@suite
@given(NUMBERS, st.data(), EDGE, EDGE)
def test_a_version_belongs_to_a_window_when_it_was_current_in_one_of_its_seconds(
    history: SqlHistory, numbers: list[int], data: st.DataObject, begin: int | None, end: int | None
) -> None:
    size = len(numbers)
    starts = sorted(data.draw(st.lists(st.integers(0, 20), min_size=size, max_size=size)))
    if begin is not None and end is not None and begin >= end:
        begin, end = end, begin + 1
    fill(history, starts, numbers)
    seconds = range(-3 if begin is None else begin, 26 if end is None else end)
    current = {max(i for i in range(size) if starts[i] <= t) for t in seconds if starts[0] <= t}
    started = {i for i in range(size) if starts[i] in seconds}
    expected = sorted(current | started, reverse=True)

    window = windows(begin, end)
    entries = history.entries(ORIGIN, 100, window)
    assert [entry.version.version for entry in entries] == [numbers[i] for i in expected]
    assert [entry.version.created_at for entry in entries] == [second(starts[i]) for i in expected]
    assert [entry.until for entry in entries] == [second(starts[i + 1]) if i + 1 < size else None for i in expected]
    assert [entry.version for entry in history.entries(ORIGIN, 2, window)] == [entry.version for entry in entries[:2]]

    summaries = history.summary(ORIGIN, window)
    seen = [starts[i + 1] - starts[i] for i in expected if 0 < i < size - 1]
    assert (summaries.versions, summaries.changes) == (len(expected), len(started - {0}))
    assert summaries.first_recorded_at == second(starts[0])
    assert summaries.shortest == (timedelta(seconds=min(seen)) if seen else None)
    held = [entry.held for entry in entries]
    assert abs(summaries.longest - max(held, default=timedelta(0))) < timedelta(seconds=30)
    if held and not summaries.at_least:
        assert summaries.longest == timedelta(seconds=max(seen))
    if size - 1 in expected or (0 in expected and starts[1] - starts[0] > max(seen, default=-1)):
        assert summaries.at_least
    assert second(starts[0]) <= summaries.start <= summaries.end
    if started:
        assert summaries.start <= second(starts[max(started)]) <= summaries.end


@suite
@given(st.lists(st.integers(0, 20), min_size=1, max_size=8), st.integers(0, 22))
@example([5, 9, 2, 12], 6)
def test_every_second_since_the_first_version_has_a_current_one_even_when_the_clock_goes_back(
    history: SqlHistory, starts: list[int], at: int
) -> None:
    fill(history, starts, list(range(1, len(starts) + 1)))
    found = [entry.version.version for entry in history.entries(ORIGIN, 1, windows(at, at + 1))]
    if at >= starts[0]:
        assert len(found) == 1
        assert starts[found[0] - 1] <= at
    if starts == sorted(starts):
        last = [number for number, start in enumerate(starts, 1) if start <= at]
        assert found == last[-1:]
    summaries = history.summary(ORIGIN, Window())
    assert summaries.changes == len(starts) - 1
    assert summaries.shortest is None or summaries.shortest >= timedelta(0)


def test_a_window_in_the_future_ends_now(history: SqlHistory) -> None:
    fill(history, [1, 2], [1, 2])
    now = history.now()
    summaries = history.summary(ORIGIN, Window(now + timedelta(days=1), now + timedelta(days=2)))
    assert now <= summaries.start == summaries.end < now + timedelta(seconds=30)
    assert summaries.changes == 0


def test_the_latest_version_is_the_newest_entry(history: SqlHistory) -> None:
    fill(history, [1, 2, 3], [1, 2, 7])
    (entry,) = history.entries(ORIGIN, 1, Window())
    journal = history.latest(ORIGIN)
    assert (journal.version, journal.publications) == (entry.version, entry.publications)
    assert journal.version.version == 7


# through the command line


def days(*days: float) -> list[datetime]:
    return [START + timedelta(days=day) for day in days]


def set_start(machine: Machine, start: datetime, ip: str = "9.9.9.9") -> None:
    """Make the version with this address start then, whatever the server's time zone."""
    column = "datetime(?, 'unixepoch')" if machine.database.engine == "sqlite" else "FROM_UNIXTIME(?)"
    sql = f"UPDATE admin_ip_history SET createdAt = {column} WHERE ip = ?"
    machine.database.sql(sql, (int(start.timestamp()), ip))


def record_versions(machine: Machine, starts: list[datetime]) -> None:
    """Record versions of the line: version n is 9.9.9.n since the n-th of `starts`."""
    machine.init("9.9.9.1")
    for number in range(2, len(starts) + 1):
        machine.database.sql(
            "INSERT INTO admin_ip_history (ip, name, version, originId)"
            " SELECT ?, 'line', ?, MIN(id) FROM admin_ip_history",
            (f"9.9.9.{number}", number),
        )
    for number, start in enumerate(starts, 1):
        set_start(machine, start, f"9.9.9.{number}")


def numbers(machine: Machine, *options: str, **changes: Any) -> list[int]:
    done = machine.ddns("history", "--json", *options, **changes)
    assert done.status == 0, done.err
    return [entry["version"] for entry in done.json]


def test_a_window_of_dates_is_whole_days_of_local_time(machine: Machine) -> None:
    record_versions(machine, days(0, 1, 2, 3))
    assert numbers(machine, "--since", "2026-03-03") == [4, 3]
    assert numbers(machine, "--since", "2026-03-03", TZ="EST5") == [4, 3]
    assert numbers(machine, "--since", "2026-03-03", TZ="KST-9") == [4, 3, 2]
    assert numbers(machine, "--until", "2026-03-02") == [2, 1]
    assert numbers(machine, "--until", "2026-03-02", TZ="EST5") == [3, 2, 1]
    assert numbers(machine, "--since", "2026-03-02", "--until", "2026-03-02") == [2]
    assert numbers(machine, "--since", "2026-03-02T00:00:00", "--until", "2026-03-02T00:00:00+00:00") == [2]
    assert numbers(machine, "--since", "2026-03-01T23:59:59", "--until", "2026-03-02T00:00Z") == [2, 1]
    assert numbers(machine, "--since", "2026-03-02", "--limit", "1") == [4]
    assert numbers(machine, "--until", "2026-02-28") == []


def test_the_end_of_the_newest_version_shown_is_known_though_the_next_lies_outside(small_machine: Machine) -> None:
    record_versions(small_machine, days(0, 1, 4, 5))
    (entry,) = small_machine.ddns("history", "--json", "--until", "2026-03-03", "--limit", "1").json
    assert (entry["version"], entry["until"], entry["held_seconds"]) == (2, "2026-03-05T00:00:00+00:00", 3 * 86400)


def test_at_shows_the_address_in_use_at_that_time(machine: Machine) -> None:
    record_versions(machine, days(0, 1, 2))
    for at, address in {
        "2026-03-01": "9.9.9.1",
        "2026-03-01T23:59:59": "9.9.9.1",
        "2026-03-02": "9.9.9.2",
        "2026-03-02T14:00+09:00": "9.9.9.2",
        "2026-06-01T12:00Z": "9.9.9.3",
    }.items():
        done = machine.ddns("history", "--at", at)
        assert (done.status, done.err, len(done.out.splitlines())) == (0, "", 2)
        assert done.out.splitlines()[1].split()[1] == address


def test_no_address_is_recorded_before_the_first_version(small_machine: Machine) -> None:
    record_versions(small_machine, days(0, 1))
    line = "error: ipv4: no address is recorded for 2026-02-28 23:59:59; the history starts at 2026-03-01 00:00:00\n"
    for options, out in (([], ""), (["--json"], "[]\n")):
        done = small_machine.ddns("history", "--at", "2026-02-28T23:59:59", *options)
        assert (done.status, done.out, done.err) == (1, out, line)
    assert len(small_machine.ddns("history", "--at", "2026-02-28", "--csv").out.splitlines()) == 1
    done = small_machine.ddns("history", "--until", "2026-02-28")
    assert (done.status, done.err) == (0, "")
    assert done.out.endswith("\n\nno address is recorded for that time; the history starts at 2026-03-01 00:00:00\n")
    done = small_machine.ddns("history", "--until", "2026-02-28", "--chart")
    assert done.out == "no address is recorded for that time; the history starts at 2026-03-01 00:00:00\n"


def test_a_family_added_later_is_named_when_only_the_other_has_an_address(small_machine: Machine) -> None:
    record_versions(small_machine, days(0))
    assert small_machine.ddns("init", "--name", "line", "--ip", "2620:fe::fe").status == 0
    set_start(small_machine, second(3 * 86400), "2620:fe::fe")
    done = small_machine.ddns("history", "--at", "2026-03-02", "--json")
    assert (done.status, [entry["address"] for entry in done.json]) == (0, ["9.9.9.1"])
    assert done.err == (
        "warning: ipv6: no address is recorded for 2026-03-02 00:00:00; the history starts at 2026-03-04 00:00:00\n"
    )
    both = small_machine.ddns("history", "--at", "2026-03-05", "--json")
    assert [entry["address"] for entry in both.json] == ["2620:fe::fe", "9.9.9.1"]
    summary = small_machine.ddns("history", "--since", "2026-03-02", "--until", "2026-03-04", "--summary")
    assert summary.out == "ipv4: no change in 3 d 0 h\nipv6: no change in 1 d 0 h\n"


def test_a_server_and_a_client_in_different_time_zones_agree(private_mysql: Database, small_machine: Machine) -> None:
    small_machine.database = private_mysql
    small_machine.environment["DDNS_DATABASE_URL"] = private_mysql.url
    with closing(private_mysql.connect()) as server:
        server.cursor().execute("SET GLOBAL time_zone = '+09:00'")
        try:
            record_versions(small_machine, days(0, 1, 2))
            assert str(private_mysql.sql("SELECT MIN(createdAt) FROM admin_ip_history")[0][0]) == "2026-03-01 09:00:00"
            assert numbers(small_machine, "--until", "2026-03-01T18:59:59", TZ="EST5") == [1]
            assert numbers(small_machine, "--until", "2026-03-01T19:00:00", TZ="EST5") == [2, 1]
            (entry,) = small_machine.ddns("history", "--at", "2026-03-02T02:00", "--json", TZ="EST5").json
            assert (entry["version"], entry["since"]) == (2, "2026-03-02T00:00:00+00:00")
            assert "2026-03-01 19:00:00" in small_machine.ddns("history", TZ="EST5").out
            (summaries,) = small_machine.ddns("history", "--summary", "--json", "--until", "2026-03-03T00:00Z").json
            assert summaries["until"] == "2026-03-03T00:00:01+00:00"
        finally:
            server.cursor().execute("SET GLOBAL time_zone = 'SYSTEM'")


def test_the_summary_counts_all_versions_and_not_only_those_shown(small_machine: Machine) -> None:
    record_versions(small_machine, days(0, 1, 1.5, 5, 8))
    done = small_machine.ddns("history", "--until", "2026-03-10", "--limit", "2")
    assert done.out.partition("\n\n")[2] == (
        "4 changes in 10 d 0 h, every 2 d 12 h on average; longest held at least "
        + _held(small_machine)
        + ", shortest 12 h 0 min\nthe newest 2 of 5 versions; --limit 5 shows all\n"
    )
    assert len(done.out.partition("\n\n")[0].splitlines()) == 3
    inside = small_machine.ddns("history", "--since", "2026-03-02T06:00", "--until", "2026-03-07T05:59:59", "--summary")
    assert inside.out == "2 changes in 5 d 0 h, every 2 d 12 h on average; longest held 3 d 12 h, shortest 12 h 0 min\n"
    one = small_machine.ddns("history", "--since", "2026-03-05", "--until", "2026-03-06", "--summary").out
    assert one == "1 change in 2 d 0 h; longest held 3 d 12 h, shortest 3 d 0 h\n"
    first = small_machine.ddns("history", "--until", "2026-03-02T05:59:59", "--summary").out
    assert first == "1 change in 1 d 6 h; longest held at least 1 d 0 h, shortest 12 h 0 min\n"


def _held(machine: Machine) -> str:
    """Return how long the newest address has been held, as the table shows it."""
    row = machine.ddns("history", "--limit", "1").out.splitlines()[1]
    return row[len("VERSION  ADDRESS  SINCE                ") :].partition("  ")[0]


def test_the_summary_has_its_own_json(machine: Machine) -> None:
    record_versions(machine, days(0, 1, 1.5, 5))
    done = machine.ddns("history", "--summary", "--json", "--since", "2026-03-02", "--until", "2026-03-04")
    assert done.json == [
        {
            "family": "ipv4",
            "since": "2026-03-02T00:00:00+00:00",
            "until": "2026-03-05T00:00:00+00:00",
            "versions": 2,
            "changes": 2,
            "average_seconds": 129600,
            "longest_seconds": 302400,
            "longest_at_least": False,
            "shortest_seconds": 43200,
        }
    ]
    (nothing,) = machine.ddns("history", "--summary", "--json", "--until", "2026-02-01").json
    assert (nothing["versions"], nothing["since"]) == (0, nothing["until"])
    assert (nothing["longest_seconds"], nothing["average_seconds"], nothing["shortest_seconds"]) == (None, None, None)


def test_one_version_is_no_change(small_machine: Machine) -> None:
    record_versions(small_machine, [datetime.now(UTC) - timedelta(hours=3, minutes=20, seconds=10)])
    assert small_machine.ddns("history", "--summary").out == "no change in 3 h 20 min\n"


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["--at", "2026-01-01", "--since", "2026-01-01"], "--at and --since cannot be combined"),
        (["--at", "2026-01-01", "--limit", "20"], "--at and --limit cannot be combined"),
        (["--at", "2026-01-01", "--chart"], "--at and --chart cannot be combined"),
        (["--summary", "--chart"], "--summary and --chart cannot be combined"),
        (["--chart", "--json"], "--chart and --json cannot be combined"),
        (["--chart", "--csv"], "--chart and --csv cannot be combined"),
        (["--csv", "--json"], "--csv and --json cannot be combined"),
        (["--json", "--csv"], "--csv and --json cannot be combined"),
        (["--summary", "--csv"], "--summary and --csv cannot be combined"),
    ],
)
def test_options_that_contradict_each_other_are_refused(small_machine: Machine, options: list[str], line: str) -> None:
    done = small_machine.ddns("history", *options)
    assert (done.status, done.out) == (2, "")
    assert done.err.startswith(f"error: {line}; see ")


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (
            ["--since", "2026-01-02", "--until", "2026-01-01"],
            "--since '2026-01-02' is later than --until '2026-01-01';",
        ),
        (["--since", "9998-01-01"], "--since '9998-01-01' is in the future; write a past time"),
        (["--at", "9998-01-01T00:00"], "--at '9998-01-01T00:00' is in the future; write a past time"),
        (["--at", "yesterday"], "--at 'yesterday' is neither a date nor a time; write --at 2026-05-03 or --at 2026-"),
        (["--until", ""], "--until '' is neither a date nor a time"),
    ],
)
def test_a_time_that_cannot_be_used_is_refused_with_advice(
    small_machine: Machine, options: list[str], line: str
) -> None:
    done = small_machine.ddns("history", *options)
    assert (done.status, done.out) == (2, "")
    assert done.err.startswith(f"error: {line}")
    assert len(done.err.splitlines()) == 1


def test_versions_follow_each_other_without_a_gap(small_machine: Machine) -> None:
    record_versions(small_machine, days(0, 1, 4, 5))
    entries = small_machine.ddns("history", "--json", "--since", "2026-03-02").json
    assert all(newer["since"] == older["until"] for newer, older in pairwise(entries))


def test_the_chart_is_readable_through_a_pipe_and_in_every_encoding(small_machine: Machine) -> None:
    small_machine.init()
    set_start(small_machine, datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
    piped = finish(small_machine.start("history", "--chart", PYTHONIOENCODING="utf-8", COLUMNS="200"))
    assert (piped.status, piped.err) == (0, "")
    header, bar, ticks, blank, summary = piped.out.splitlines()
    assert re.fullmatch(r"ADDRESS  2026-01-02 03:04 +20\d\d-\d\d-\d\d \d\d:\d\d  HELD", header)
    assert re.fullmatch(r"9\.9\.9\.9  █{40,}  \d+ d \d+ h", bar)
    assert len(bar) == 80
    assert re.fullmatch(r"[ \w|]{9,80}", ticks)
    assert blank == ""
    assert summary.startswith("no change in ")
    plain = finish(small_machine.start("history", "--chart", PYTHONIOENCODING="latin-1")).out
    assert plain.splitlines()[1] == bar.replace("█", "#")


def test_json_and_csv_warn_when_versions_are_left_out_and_a_window_shows_all(small_machine: Machine) -> None:
    small_machine.init()
    origin = small_machine.database.sql("SELECT MAX(originId) FROM admin_ip_history")[0][0]
    for version in range(2, 26):
        small_machine.database.sql(
            "INSERT INTO admin_ip_history (ip, name, version, originId) VALUES ('192.0.2.7', 'line', ?, ?)",
            (version, origin),
        )
    for form in ("--json", "--csv"):
        done = small_machine.ddns("history", form)
        assert done.err == "warning: these are the newest 20 versions; use --limit or --since to see more\n"
        assert small_machine.ddns("history", form, "--limit", "3").err == ""
        assert small_machine.ddns("history", form, "--limit", "25").err == ""
    assert len(small_machine.ddns("history", "--json").json) == 20
    assert len(small_machine.ddns("history", "--json", "--since", "2020-01-01").json) == 25
    chart = small_machine.ddns("history", "--chart", "--since", "2020-01-01").out
    assert chart.count("192.0.2.7") == 24
    assert small_machine.ddns("history", "--limit", "9" * 30).status == 2
