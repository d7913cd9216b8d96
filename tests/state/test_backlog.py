"""What is undelivered of one origin, by channel."""

from datetime import UTC, datetime, timedelta

from ddns_updater.alerts.event import Event, Kind
from ddns_updater.state.backlog import backlogs
from ddns_updater.state.outbox import Outbox

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
NAMES = {"a": "https://a.example.com/…", "b": "ntfy://…"}


def event(kind: Kind, title: str) -> Event:
    return Event(kind, NOW, "line", title, "", {})


def outbox() -> Outbox:
    box = Outbox()
    box.add("line", [event(Kind.CHANGED, "one")], ["a", "b", "gone"], NOW)
    box.add("other", [event(Kind.CHANGED, "of the other")], ["a"], NOW)
    box.add("line", [event(Kind.CHANGED, "two"), event(Kind.FAILING, "three")], ["a"], NOW + HOUR)
    return box


def test_each_channel_has_the_alerts_of_this_origin_that_it_lacks_oldest_first() -> None:
    found = backlogs(outbox(), "line", NAMES)
    assert [(each.channel, each.since, [alert.event.title for alert in each.alerts]) for each in found] == [
        ("https://a.example.com/…", NOW, ["one", "two", "three"]),
        ("ntfy://…", NOW, ["one"]),
        (None, NOW, ["one"]),
    ]


def test_what_a_channel_has_accepted_is_not_undelivered() -> None:
    box = outbox()
    first = box.undelivered[0]
    box.delivered(first, "b")
    box.delivered(first, "gone")
    box.delivered(box.undelivered[0], "a")
    (found,) = backlogs(box, "line", NAMES)
    assert (found.channel, found.since) == ("https://a.example.com/…", NOW + HOUR)
    assert backlogs(box, "nobody", NAMES) == ()


def test_its_text_says_what_to_which_host_and_since_when() -> None:
    of_a, of_b, of_none = map(str, backlogs(outbox(), "line", NAMES))
    assert of_a.startswith(
        "3 alerts (changed, failing) have been undelivered to https://a.example.com/… since 2026-03-01 "
    )
    assert of_b.startswith("1 alert (changed) has been undelivered to ")
    assert " to a channel that is not configured here since " in of_none
