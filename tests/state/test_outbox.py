"""The outbox: what is due to which channel, what is retried when, and what is dropped."""

from datetime import UTC, datetime, timedelta

import pytest

from ddns_updater.alerts.event import Event, Kind
from ddns_updater.state.clock import ClockShift
from ddns_updater.state.outbox import Outbox

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECOND, MINUTE, HOUR, DAY = (timedelta(**{each: 1}) for each in ("seconds", "minutes", "hours", "days"))


def event(kind: Kind = Kind.CHANGED, title: str = "") -> Event:
    return Event(kind, NOW, "line", title, "", {})


def filled(*kinds: Kind, origin: str = "line", keys: tuple[str, ...] = ("a",)) -> Outbox:
    outbox = Outbox()
    for kind in kinds:
        outbox.add(origin, [event(kind)], keys, NOW)
    return outbox


def kinds(outbox: Outbox) -> list[Kind]:
    return [each.event.kind for each in outbox.undelivered]


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        (Kind.FAILING, Kind.FAILING),
        (Kind.FAILING, Kind.RECOVERED),
        (Kind.HOSTS_FAILING, Kind.HOSTS_FAILING),
        (Kind.HOSTS_FAILING, Kind.HOSTS_RECOVERED),
    ],
)
def test_news_of_an_incident_replaces_what_is_undelivered_of_it(older: Kind, newer: Kind) -> None:
    outbox = filled(Kind.CHANGED, older)
    outbox.add("other", [event(older)], ["a"], NOW)
    outbox.add("line", [event(newer)], ["a"], NOW)
    assert [(each.origin, each.event.kind) for each in outbox.undelivered] == [
        ("line", Kind.CHANGED),
        ("other", older),
        ("line", newer),
    ]


@pytest.mark.parametrize("other", [Kind.CHANGED, Kind.REPAIRED, Kind.HOSTS_SLOWED])
def test_other_news_replaces_nothing(other: Kind) -> None:
    assert kinds(filled(Kind.FAILING, other, other)) == [Kind.FAILING, other, other]


def test_an_alert_is_due_to_each_of_its_channels_that_this_run_has() -> None:
    outbox = filled(Kind.CHANGED, keys=("a", "b"))
    (alert,) = outbox.undelivered
    assert outbox.due(["b", "c", "a"], NOW) == [(alert, "a"), (alert, "b")]
    assert outbox.due(["b"], NOW) == [(alert, "b")]
    outbox.delivered(alert, "a")
    assert [key for _, key in outbox.due(["a", "b"], NOW)] == ["b"]
    outbox.delivered(alert, "b")
    assert outbox.undelivered == []


def test_undelivered_alerts_are_retried_after_1_2_4_and_at_most_60_minutes() -> None:
    outbox, pauses = filled(Kind.CHANGED), []
    for _ in range(9):
        outbox.retry_later("a", NOW, seconds=0)
        pauses.append((outbox.pauses["a"].until - NOW) // MINUTE)
        assert outbox.due(["a"], outbox.pauses["a"].until - SECOND) == []
        assert len(outbox.due(["a"], outbox.pauses["a"].until)) == 1
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_a_pause_that_the_channel_asked_for_is_kept_when_it_is_longer() -> None:
    outbox = filled(Kind.CHANGED)
    outbox.retry_later("a", NOW, seconds=30)
    assert outbox.pauses["a"].until == NOW + MINUTE
    outbox.retry_later("a", NOW, seconds=7200)
    assert outbox.pauses["a"].until == NOW + 120 * MINUTE


def test_a_new_alert_ends_every_pause_that_no_channel_asked_for() -> None:
    outbox = filled(Kind.CHANGED, keys=("a", "b"))
    outbox.retry_later("a", NOW, seconds=0)
    outbox.retry_later("b", NOW, seconds=1)
    outbox.add("line", [], ["a", "b"], NOW)
    assert list(outbox.pauses) == ["a", "b"]
    outbox.add("line", [event()], ["a", "b"], NOW)
    assert list(outbox.pauses) == ["b"]


def test_a_delivery_ends_the_pause_of_its_channel() -> None:
    outbox = filled(Kind.CHANGED, Kind.REPAIRED)
    outbox.retry_later("a", NOW, seconds=0)
    outbox.delivered(outbox.undelivered[0], "a")
    assert (kinds(outbox), outbox.pauses) == ([Kind.REPAIRED], {})


def test_an_alert_is_dropped_when_it_is_older_than_a_day_with_the_pause_of_its_channel() -> None:
    outbox = filled(Kind.CHANGED)
    outbox.add("line", [event(Kind.REPAIRED)], ["b"], NOW + MINUTE)
    outbox.retry_later("a", NOW, seconds=0)
    outbox.retry_later("b", NOW, seconds=0)
    assert outbox.drop_expired(NOW + DAY) == 0
    assert outbox.drop_expired(NOW + DAY + SECOND) == 1
    assert (kinds(outbox), list(outbox.pauses)) == ([Kind.REPAIRED], ["b"])


def test_an_alert_without_a_channel_is_dropped_and_not_counted() -> None:
    outbox = filled(Kind.CHANGED, keys=())
    assert outbox.drop_expired(NOW) == 0
    assert outbox.undelivered == []


def test_of_more_than_a_hundred_alerts_the_oldest_are_dropped() -> None:
    outbox = Outbox()
    outbox.add("line", [event(title=str(number)) for number in range(103)], ["a"], NOW)
    assert outbox.drop_surplus() == 3
    assert [each.event.title for each in outbox.undelivered] == [str(number) for number in range(3, 103)]
    assert outbox.drop_surplus() == 0


def test_after_the_clock_was_set_nothing_waits_longer_or_is_kept_longer() -> None:
    outbox = filled(Kind.CHANGED)
    outbox.retry_later("a", NOW, seconds=0)
    outbox.shift(ClockShift(-DAY, NOW - HOUR, NOW - DAY))
    assert len(outbox.due(["a"], NOW - DAY)) == 1
    assert outbox.drop_expired(NOW + SECOND) == 1
    outbox = filled(Kind.CHANGED)
    outbox.retry_later("a", NOW, seconds=0)
    outbox.shift(ClockShift(9 * DAY, NOW - HOUR, NOW + 9 * DAY))
    assert outbox.drop_expired(NOW + 9 * DAY) == 0
    assert len(outbox.due(["a"], NOW + 9 * DAY)) == 1


def test_alerts_follow_an_origin_that_is_renamed() -> None:
    outbox = filled(Kind.FAILING)
    outbox.add("other", [event()], ["a"], NOW)
    outbox.rename("line", "office")
    assert [each.origin for each in outbox.undelivered] == ["office", "other"]
