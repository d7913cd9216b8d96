"""Results as text, JSON and CSV."""

import csv
import io
import json
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Any

import pytest

from ddns_updater.lib.humanize import duration
from ddns_updater.model import (
    Family,
    FamilyResult,
    HistoryEntry,
    Outcome,
    Publication,
    PublicationState,
    Record,
    RunResult,
    Version,
)
from ddns_updater.output.history import history_csv, history_json, history_table
from ddns_updater.output.run import run_facts, run_json, run_lines, run_warnings

RECORDED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
PENDING, SUBMITTED, VERIFIED, FAILED = PublicationState


@pytest.fixture(autouse=True)
def five_hours_west(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Live where it is five hours earlier than UTC."""
    monkeypatch.setenv("TZ", "EST5")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def publication(state: PublicationState, seconds: float = 34, name: str = "home", kind: str = "A") -> Publication:
    """Return a publication; a verified one was so after `seconds`."""
    at = RECORDED + timedelta(seconds=seconds)
    return Publication(
        Record(f"{name}.example.com", kind),
        RECORDED,
        state,
        hosted_zone_id="Z1",
        ttl=60,
        change_id="C1",
        attempts=1,
        error="no" if state is FAILED else None,
        submitted_at=RECORDED,
        verified_at=at if state is VERIFIED else None,
        checked_at=at if state is VERIFIED else None,
    )


def result(outcome: Outcome, *publications: Publication, **changes: Any) -> FamilyResult:
    """Return the result of a run for one family."""
    known = FamilyResult(
        Family.IPV4,
        outcome,
        address=ip_address("192.0.2.7"),
        previous_address=ip_address("192.0.2.1"),
        version=2,
        source="https://ip.example.com/",
        recorded=True,
        publications=publications,
    )
    return known._replace(**changes)


def line(outcome: Outcome, *publications: Publication, dry_run: bool = False, **changes: Any) -> str:
    """Return the line of a run on one family."""
    ((shown, text),) = run_lines(RunResult("line", (result(outcome, *publications, **changes),), dry_run))
    assert shown is outcome
    return text


def entry(
    version: int, *publications: Publication, days: float = 1, latest: bool = False, **changes: Any
) -> HistoryEntry:
    """Return a version that held an address for some days."""
    end = RECORDED + timedelta(days=days)
    ip = f"192.0.2.{version}"
    row = Version(version, "line", version, ip, ip_address(ip), RECORDED)._replace(**changes)
    return HistoryEntry(row, Family.IPV4, None if latest else end, end, publications)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "0 s"),
        (0, "0 s"),
        (0.9, "0 s"),
        (34, "34 s"),
        (59.9, "59 s"),
        (60, "1 min"),
        (3599, "59 min"),
        (3600, "1 h 0 min"),
        (12000, "3 h 20 min"),
        (86399, "23 h 59 min"),
        (86400, "1 d 0 h"),
        (41 * 86400 + 2 * 3600 + 3599, "41 d 2 h"),
        (1000 * 86400, "1000 d 0 h"),
    ],
)
def test_a_duration_is_shown_in_its_two_largest_units(seconds: float, text: str) -> None:
    assert duration(timedelta(seconds=seconds)) == text


UPDATED = "updated: 192.0.2.7 (was 192.0.2.1) is version 2 of line; "


@pytest.mark.parametrize(
    ("publications", "text"),
    [
        ((), "no DDNS_RECORDS, so DNS is left alone"),
        ((publication(VERIFIED),), "home.example.com A verified after 34 s"),
        (
            (publication(VERIFIED), publication(VERIFIED, 70, "*"), publication(VERIFIED, 5, "vpn")),
            "home.example.com A, *.example.com A, vpn.example.com A verified after 1 min",
        ),
        (tuple(publication(VERIFIED, 3, f"n{number}") for number in range(4)), "4 records verified after 3 s"),
        (
            (publication(VERIFIED), publication(SUBMITTED, name="vpn"), publication(PENDING, name="www")),
            (
                "home.example.com A verified after 34 s; vpn.example.com A submitted and not yet verified;"
                " the next run checks again; www.example.com A not published yet; the next run tries again"
            ),
        ),
        ((publication(VERIFIED, -3),), "home.example.com A verified after 0 s"),
    ],
)
def test_a_run_shows_the_state_of_each_record(publications: tuple[Publication, ...], text: str) -> None:
    assert line(Outcome.UPDATED, *publications) == UPDATED + text


def test_a_run_that_changed_nothing_names_no_previous_address() -> None:
    same = line(Outcome.UNCHANGED, publication(VERIFIED), recorded=False, previous_address="192.0.2.7")
    assert same == "unchanged: 192.0.2.7 is version 2 of line; home.example.com A verified"


def test_a_skipped_run_says_who_holds_it() -> None:
    assert line(Outcome.SKIPPED, recorded=False) == "skipped: another run of line is in progress"


@pytest.mark.parametrize(
    ("error", "recorded", "dry_run", "text"),
    [
        ("no address", False, False, "failed: no address"),
        ("failed to reach it: down", False, False, "failed to reach it: down"),
        ("failed to reach it: down", False, True, "dry run, failed to reach it: down"),
        ("two\nlines", False, False, "failed: two lines"),
        ("no zone", True, False, "failed: 192.0.2.7 (was 192.0.2.1) is version 2 of line, but no zone"),
        ("no zone", True, True, "dry run, failed: 192.0.2.7 (was 192.0.2.1) would be version 2 of line, but no zone"),
    ],
)
def test_a_failed_run_is_one_line_that_says_failed_once(error: str, recorded: bool, dry_run: bool, text: str) -> None:
    assert line(Outcome.FAILED, error=error, recorded=recorded, dry_run=dry_run) == text


def test_a_dry_run_speaks_of_what_would_be() -> None:
    would = line(Outcome.UPDATED, publication(PENDING), dry_run=True)
    assert would == (
        "dry run, updated: 192.0.2.7 (was 192.0.2.1) would be version 2 of line; home.example.com A would be published"
    )


def test_each_family_has_its_line_and_a_common_failure_one_for_all() -> None:
    down = [FamilyResult(family, Outcome.FAILED, error="the database is down") for family in (Family.IPV4, Family.IPV6)]
    assert run_lines(RunResult("line", tuple(down))) == [(Outcome.FAILED, "failed: the database is down")]
    one = RunResult("line", (result(Outcome.UNCHANGED, recorded=False), down[1]))
    assert [outcome for outcome, _ in run_lines(one)] == [Outcome.UNCHANGED, Outcome.FAILED]
    assert one.outcome is Outcome.FAILED


def lines_of_two(ipv4: FamilyResult, ipv6: FamilyResult) -> list[str]:
    """Return the lines of a run on both families."""
    return [text for _, text in run_lines(RunResult("line", (ipv4, ipv6._replace(family=Family.IPV6))))]


def test_a_result_without_its_address_or_family_starts_with_the_family() -> None:
    same = result(Outcome.UNCHANGED, publication(VERIFIED), recorded=False)
    six = result(
        Outcome.UPDATED, publication(VERIFIED, kind="AAAA"), address="2001:db8::7", previous_address="2001:db8::1"
    )
    skipped = FamilyResult(Family.IPV6, Outcome.SKIPPED)
    refused = six._replace(outcome=Outcome.FAILED, error="AWS answered no")
    nowhere = FamilyResult(Family.IPV6, Outcome.FAILED, error="no trustworthy ipv6 address")
    held = six._replace(outcome=Outcome.HELD, recorded=False, error="a says 2001:db8::7 but b says 2001:db8::8")
    unchanged = "unchanged: 192.0.2.7 is version 2 of line; home.example.com A verified"
    assert lines_of_two(same, six) == [
        unchanged,
        "updated: 2001:db8::7 (was 2001:db8::1) is version 2 of line; home.example.com AAAA verified after 34 s",
    ]
    assert lines_of_two(same, skipped) == [unchanged, "ipv6: skipped: another run of line is in progress"]
    assert lines_of_two(skipped, skipped) == ["skipped: another run of line is in progress"]
    assert lines_of_two(same, refused) == [
        unchanged,
        "failed: 2001:db8::7 (was 2001:db8::1) is version 2 of line, but AWS answered no",
    ]
    assert lines_of_two(same, refused._replace(recorded=False)) == [unchanged, "ipv6: failed: AWS answered no"]
    assert lines_of_two(same, nowhere) == [unchanged, "failed: no trustworthy ipv6 address"]
    assert lines_of_two(same, held) == [unchanged, "held: a says 2001:db8::7 but b says 2001:db8::8"]
    both = refused._replace(recorded=False)
    assert lines_of_two(both, both) == ["failed: AWS answered no"]


def test_a_family_without_records_does_not_say_that_there_are_none() -> None:
    six = result(Outcome.UNCHANGED, recorded=False, address="2001:db8::7")
    (_, line) = lines_of_two(result(Outcome.UNCHANGED, publication(VERIFIED), recorded=False), six)
    assert line == "unchanged: 2001:db8::7 is version 2 of line; no AAAA record in DDNS_RECORDS, so DNS is left alone"


def test_the_warnings_of_a_run_are_those_of_every_family() -> None:
    four = result(Outcome.UPDATED, warnings=("one", "two"))
    six = result(Outcome.FAILED, warnings=("three",), family=Family.IPV6)
    assert [text for text, _ in run_warnings(RunResult("line", (four, six)))] == ["one", "two", "three"]


def test_a_line_and_a_warning_are_about_the_address_the_version_and_the_records_of_their_family() -> None:
    four = result(Outcome.UPDATED, publication(VERIFIED), publication(VERIFIED, name="www"), warnings=("one",))
    six = result(
        Outcome.FAILED,
        publication(FAILED, kind="AAAA"),
        family=Family.IPV6,
        address=ip_address("2001:db8::7"),
        version=5,
        error="no",
        warnings=("two",),
    )
    of_four = {
        "family": "ipv4",
        "address": "192.0.2.7",
        "version": 2,
        "records": ["home.example.com A", "www.example.com A"],
    }
    of_six = {"family": "ipv6", "address": "2001:db8::7", "version": 5, "records": ["home.example.com AAAA"]}
    both = RunResult("line", (four, six), warnings=("of the report",))
    assert run_facts(both) == [of_four, of_six]
    assert run_warnings(both) == [("one", of_four), ("two", of_six), ("of the report", {})]


def test_a_line_common_to_both_families_is_about_what_they_share() -> None:
    four = result(Outcome.FAILED, publication(FAILED), error="AWS answered no", recorded=False)
    six = result(
        Outcome.FAILED,
        publication(FAILED, kind="AAAA"),
        family=Family.IPV6,
        address=ip_address("2001:db8::7"),
        error="AWS answered no",
        recorded=False,
    )
    assert run_facts(RunResult("line", (four, six))) == [
        {"version": 2, "records": ["home.example.com A", "home.example.com AAAA"]}
    ]
    down = FamilyResult(Family.IPV4, Outcome.FAILED, error="the database is down")
    assert run_facts(RunResult("line", (down, down._replace(family=Family.IPV6)))) == [{}]
    assert run_facts(RunResult("line", (down,))) == [{"family": "ipv4"}]


def test_the_json_of_a_run_has_the_documented_form() -> None:
    failed = result(Outcome.FAILED, publication(FAILED), error="no", warnings=("no second source confirms it",))
    shown = json.loads(run_json(RunResult("büro", (failed,))))
    assert shown == {
        "outcome": "failed",
        "name": "büro",
        "results": [
            {
                "family": "ipv4",
                "outcome": "failed",
                "address": "192.0.2.7",
                "previous_address": "192.0.2.1",
                "version": 2,
                "source": "https://ip.example.com/",
                "records": [
                    {
                        "name": "home.example.com",
                        "type": "A",
                        "hosted_zone_id": "Z1",
                        "state": "failed",
                        "change_id": "C1",
                        "error": "no",
                    }
                ],
                "warnings": ["no second source confirms it"],
                "error": "no",
            }
        ],
    }


ENTRIES = [
    entry(6, latest=True, days=41.1, note="now"),
    entry(5, publication(VERIFIED), days=0.5),
    entry(4, publication(VERIFIED), publication(VERIFIED, 70, "vpn"), note=" two\n lines "),
    entry(3, publication(VERIFIED), publication(FAILED), publication(SUBMITTED), publication(SUBMITTED)),
    entry(2, publication(PENDING)),
    entry(1, publication(FAILED), publication(FAILED), days=0.001, ip="2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"),
]


def test_the_table_has_aligned_columns_in_local_time() -> None:
    rows = history_table(ENTRIES, None).splitlines()
    cells = [
        ("VERSION", "ADDRESS", "SINCE", "HELD", "DNS", "NOTE"),
        ("6", "192.0.2.6", "2026-01-01 22:04:05", "41 d 2 h", "-", "now"),
        ("5", "192.0.2.5", "2026-01-01 22:04:05", "12 h 0 min", "verified after 34 s", ""),
        ("4", "192.0.2.4", "2026-01-01 22:04:05", "1 d 0 h", "2 verified after 1 min", "two lines"),
        ("3", "192.0.2.3", "2026-01-01 22:04:05", "1 d 0 h", "1 verified after 34 s, 1 failed, 2 submitted", ""),
        ("2", "192.0.2.2", "2026-01-01 22:04:05", "1 d 0 h", "pending", ""),
        ("1", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "2026-01-01 22:04:05", "1 min", "2 failed", ""),
    ]
    starts = [rows[0].index(title) for title in cells[0]]
    for row, expected in zip(rows, cells, strict=True):
        ends = [*starts[1:], None]
        assert tuple(row[start:end].strip() for start, end in zip(starts, ends, strict=True)) == expected
        assert row == row.rstrip()


def test_the_history_of_both_families_tells_them_apart_in_each_form() -> None:
    drifted = publication(VERIFIED, kind="AAAA")._replace(drift="no record set", drift_at=RECORDED)
    six = entry(1, drifted, ip="2001:db8::7")._replace(family=Family.IPV6)
    both = [six, entry(1, publication(VERIFIED, 3))]
    rows = [re.split(" {2,}", row)[:5] for row in history_table(both, None).splitlines()[1:]]
    assert rows == [
        ["1", "2001:db8::7", "2026-01-01 22:04:05", "1 d 0 h", "verified after 34 s"],
        ["1", "192.0.2.1", "2026-01-01 22:04:05", "1 d 0 h", "verified after 3 s"],
    ]
    shown = json.loads("".join(history_json(both)))
    assert [(each["family"], each["records"][0]["type"]) for each in shown] == [("ipv6", "AAAA"), ("ipv4", "A")]
    record = shown[0]["records"][0]
    assert (record["drift"], record["drift_at"]) == ("no record set", "2026-01-02T03:04:05+00:00")
    assert [row["family"] for row in csv.DictReader(io.StringIO("".join(history_csv(both))))] == ["ipv6", "ipv4"]


@pytest.mark.parametrize("width", [40, 80, 100, 130, 200])
@pytest.mark.parametrize("entries", [ENTRIES, ENTRIES[:5], ENTRIES[:3]], ids=["both families", "many records", "short"])
def test_the_table_fits_the_terminal_and_nothing_is_left_out(entries: list[HistoryEntry], width: int) -> None:
    lines = history_table(entries, width).splitlines()
    assert max(map(len, lines)) <= width
    assert not any(re.search(r"(?<!\S)\d+$", line) for line in lines if not line.isdecimal())  # without its unit
    shown = " ".join(" ".join(lines).split())
    for row in history_table(entries, None).splitlines()[1:]:
        for cell in re.split(" {2,}", row):
            assert cell == "-" or cell in shown, cell


def test_notes_stand_below_their_versions_where_their_column_does_not_fit() -> None:
    note = "the router was replaced by one that keeps its address"
    shown = history_table([entry(2, publication(VERIFIED), note=note), entry(1, publication(VERIFIED))], 76)
    assert shown.splitlines() == [
        "VERSION  ADDRESS    SINCE                HELD     DNS",
        "2        192.0.2.2  2026-01-01 22:04:05  1 d 0 h  verified after 34 s",
        "         the router was replaced by one that keeps its address",
        "1        192.0.2.1  2026-01-01 22:04:05  1 d 0 h  verified after 34 s",
    ]


def test_in_a_narrow_terminal_everything_stands_below_the_address() -> None:
    shown = history_table([entry(12, publication(VERIFIED), note="office line"), entry(11)], 40)
    assert shown.splitlines() == [
        "12  192.0.2.12",
        "  since 2026-01-01 22:04:05,",
        "  held 1 d 0 h, DNS: verified after 34 s",
        "  note: office line",
        "11  192.0.2.11",
        "  since 2026-01-01 22:04:05,",
        "  held 1 d 0 h",
    ]


def test_the_json_of_the_history_keeps_every_fact() -> None:
    (shown,) = json.loads("".join(history_json([entry(4, publication(VERIFIED, 34.7), note="ä\n")])))
    assert shown == {
        "version": 4,
        "address": "192.0.2.4",
        "family": "ipv4",
        "since": "2026-01-02T03:04:05+00:00",
        "until": "2026-01-03T03:04:05+00:00",
        "held_seconds": 86400,
        "dns": "verified after 34 s",
        "followed_after_seconds": 34,
        "note": "ä\n",
        "records": [
            {
                "name": "home.example.com",
                "type": "A",
                "hosted_zone_id": "Z1",
                "state": "verified",
                "change_id": "C1",
                "error": None,
                "ttl": 60,
                "attempts": 1,
                "submitted_at": "2026-01-02T03:04:05+00:00",
                "verified_at": "2026-01-02T03:04:39.700000+00:00",
                "checked_at": "2026-01-02T03:04:39.700000+00:00",
                "drift": None,
                "drift_at": None,
            }
        ],
    }


def test_the_csv_of_the_history_survives_commas_quotes_and_line_breaks() -> None:
    note = 'a "quoted",\nbroken; note'
    text = "".join(history_csv([entry(2, latest=True, note=note), entry(1, publication(VERIFIED))]))
    assert text.startswith("version,address,family,since,until,held_seconds,dns,followed_after_seconds,note\r\n")
    assert list(csv.reader(io.StringIO(text, newline="")))[1:] == [
        ["2", "192.0.2.2", "ipv4", "2026-01-02T03:04:05+00:00", "", "86400", "-", "", note],
        [
            "1", "192.0.2.1", "ipv4", "2026-01-02T03:04:05+00:00", "2026-01-03T03:04:05+00:00", "86400",
            "verified after 34 s", "34", "",
        ],
    ]  # fmt: skip


def test_an_empty_history_has_a_header_in_each_form() -> None:
    assert history_table([], None).split() == ["VERSION", "ADDRESS", "SINCE", "HELD", "DNS", "NOTE"]
    assert json.loads("".join(history_json([]))) == []
    assert len("".join(history_csv([])).splitlines()) == 1
