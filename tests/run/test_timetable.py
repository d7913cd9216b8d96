"""How the seconds of a run are divided."""

import pytest

from ddns_updater.lib.deadline import Deadline
from ddns_updater.run import timetable


def left(seconds: float) -> Deadline:
    return Deadline(seconds, lambda: 0)


@pytest.mark.parametrize(("run", "report"), [(4, 1), (40, 10), (55, 10)])
def test_a_report_gets_a_quarter_of_the_run_ten_seconds_at_most(run: float, report: float) -> None:
    assert timetable.report_seconds(run) == report


def test_all_families_together_leave_half_of_the_work_to_publish() -> None:
    assert [timetable.detection_seconds(45, families) for families in (1, 2)] == [22.5, 11.25]


@pytest.mark.parametrize(
    ("run", "families", "sources", "seconds"), [(55, 1, 1, 5), (55, 2, 1, 3.75), (55, 1, 3, 2.5), (4, 1, 1, 0.5)]
)
def test_a_source_waits_for_an_address_for_a_third_of_its_part_at_most(
    run: float, families: int, sources: int, seconds: float
) -> None:
    assert timetable.patience_seconds(run, families, sources) == seconds


@pytest.mark.parametrize(("work", "wait"), [(45, 40), (5, 0), (3, 0)])
def test_waiting_for_dns_leaves_five_seconds_for_the_last_writes(work: float, wait: float) -> None:
    assert timetable.verification(left(work)).left() == wait


@pytest.mark.parametrize(("rest", "own"), [(10, 8.5), (3, 2)])
def test_a_report_ends_before_it_is_interrupted(rest: float, own: float) -> None:
    assert timetable.report(left(rest)).left() == own


def test_alerts_after_the_heartbeat_get_half_of_the_time() -> None:
    assert timetable.heartbeat_seconds(left(8), has_alerts=True) == 4
    assert timetable.heartbeat_seconds(left(8), has_alerts=False) == 8
    assert timetable.heartbeat_seconds(left(0), has_alerts=True) == 0.1


@pytest.mark.parametrize(
    ("rest", "waiting", "seconds"), [(8, 1, 8), (8, 4, 5), (3, 4, 3), (0.1, 1, 0.1), (0.09, 1, None)]
)
def test_each_alert_gets_its_share_or_what_most_services_need(rest: float, waiting: int, seconds: float | None) -> None:
    assert timetable.alert_seconds(left(rest), waiting) == seconds
