"""When hosts are told of and how: pure, over given sweeps and clocks."""

from collections.abc import Iterable
from datetime import timedelta

import pytest

from ddns_updater.alerts.event import Event, Kind
from ddns_updater.hosts import Sweep
from ddns_updater.server.host_incidents import advance
from ddns_updater.state.run_state import RunState
from tests.support.sweeps import DATABASE_DOWN, DENIED, GOOD, NOW, failing, slowed

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
OBSTACLE = "failed to change {name} A: a CNAME record exists there and is never overwritten; remove it"


class Server:
    """A server with what it remembers, whose sweeps come a minute apart unless `now` is moved."""

    def __init__(self) -> None:
        self.state = RunState()
        self.now = NOW

    def sweep(self, *sweeps: Sweep) -> list[Event]:
        """Return the alerts of `sweeps`."""
        told = []
        for each in sweeps:
            self.state, events = advance(self.state, each, self.now, 3)
            told += events
            self.now += MINUTE
        return told


def kinds(events: Iterable[Event]) -> list[Kind]:
    return [each.kind for each in events]


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.mark.parametrize("sweep", [failing("a"), DATABASE_DOWN])
def test_an_incident_is_told_after_three_failed_sweeps_in_a_row(server: Server, sweep: Sweep) -> None:
    assert server.sweep(sweep, sweep, GOOD, sweep, sweep) == []
    assert kinds(server.sweep(sweep)) == [Kind.HOSTS_FAILING]
    assert server.sweep(sweep, sweep) == []


def test_a_host_that_fails_during_an_incident_makes_no_further_alert(server: Server) -> None:
    assert len(server.sweep(*[failing("a")] * 3)) == 1
    assert server.sweep(failing("a", "b"), DATABASE_DOWN, failing("b", "c"), failing("c")) == []
    assert kinds(server.sweep(GOOD)) == [Kind.HOSTS_RECOVERED]


def test_reminders_come_after_an_hour_six_hours_and_then_daily(server: Server) -> None:
    (first,) = server.sweep(*[failing("a")] * 3)
    start = server.now - MINUTE
    told = []
    while server.now - start < 3 * DAY:
        told += [(each, server.now - MINUTE - start) for each in server.sweep(failing("a"))]
    assert [after for _, after in told] == [HOUR, 6 * HOUR, DAY, 2 * DAY]
    assert first.title == "hosts: 1 record of 50 hosts failing since 2026-03-01 12:00 UTC"
    assert told[0][0].title == "hosts: 1 record of 50 hosts still failing since 2026-03-01 12:00 UTC"
    assert [each.facts["reminder"] for each in (first, *(each for each, _ in told))] == [0, 1, 2, 3, 4]


def test_the_end_of_an_incident_that_was_told_says_how_long_it_lasted(server: Server) -> None:
    server.sweep(*[failing("a")] * 20)
    (over,) = server.sweep(GOOD, GOOD)
    assert over.title == "hosts: recovered after 20 min"
    assert over.text == f"No record of 50 hosts fails any more. Last cause: a.example.com A: {DENIED}. Nothing to do."
    assert over.json() == {
        "schema": 1,
        "event": "hosts_recovered",
        "time": "2026-03-01T12:20:00+00:00",
        "name": None,
        "title": over.title,
        "text": over.text,
        "since": "2026-03-01T12:00:00+00:00",
        "failed_sweeps": 20,
        "cause": f"a.example.com A: {DENIED}",
        "duration_seconds": 1200,
        "hosts": 50,
    }


def test_a_cause_that_hosts_share_is_told_once(server: Server) -> None:
    *_, told = server.sweep(*[failing("a", "b", "c", "d", "e", number=700)] * 3)
    assert told.title == "hosts: 700 records of 50 hosts failing since 2026-03-01 12:00 UTC"
    assert told.text == (
        f"Cause: a.example.com A, b.example.com A, c.example.com A and 2 more: {DENIED}. 695 further records failing."
        " Nothing is lost: the server keeps each address and tries again. `ddns host list` shows every host."
        " Run `ddns doctor` on the machine to see what to fix."
    )
    assert told.json() | {"title": "", "text": "", "cause": "", "examples": []} == {
        "schema": 1,
        "event": "hosts_failing",
        "time": "2026-03-01T12:02:00+00:00",
        "name": None,
        "title": "",
        "text": "",
        "since": "2026-03-01T12:00:00+00:00",
        "failed_sweeps": 3,
        "cause": "",
        "reminder": 0,
        "hosts": 50,
        "failing_records": 700,
        "examples": [],
    }
    examples = told.facts["examples"]
    assert isinstance(examples, list)
    assert examples[0] == {"record": "a.example.com A", "error": DENIED, "since": "2026-03-01T12:00:00+00:00"}
    assert len(examples) == 5


def test_errors_that_differ_only_in_the_name_of_their_host_are_the_same_cause(server: Server) -> None:
    *_, told = server.sweep(*[failing("a", "b", error=OBSTACLE)] * 3)
    cause = "failed to change the record: a CNAME record exists there and is never overwritten; remove it"
    assert told.facts["cause"] == f"a.example.com A, b.example.com A: {cause}"


def test_the_error_of_one_record_stays_as_it_is(server: Server) -> None:
    *_, told = server.sweep(*[failing("a", error=OBSTACLE)] * 3)
    assert told.facts["cause"] == OBSTACLE.format(name="a.example.com")


def test_a_name_inside_another_one_is_not_taken_for_it(server: Server) -> None:
    error = "{name} A is an alias for x.{name}, not for {name}"
    *_, told = server.sweep(*[failing("a", "b", error=error)] * 3)
    assert told.facts["cause"] == (
        "a.example.com A is an alias for x.a.example.com, not for a.example.com."
        " b.example.com A is an alias for x.b.example.com, not for b.example.com"
    )


def test_of_many_causes_the_first_are_told(server: Server) -> None:
    names = [f"h{number}" for number in range(10)]
    mixed = failing(number=40)._replace(
        examples=tuple(failing(each, error=f"cause {each}").examples[0] for each in names)
    )
    *_, told = server.sweep(*[mixed] * 3)
    assert told.facts["cause"] == (
        "h0.example.com A: cause h0. h1.example.com A: cause h1. h2.example.com A: cause h2. 37 further records failing"
    )


def test_records_whose_causes_are_not_known_are_counted(server: Server) -> None:
    *_, told = server.sweep(*[failing(number=2)] * 3)
    assert told.facts["cause"] == "2 records failing"


def test_while_the_database_is_down_the_alert_says_what_clients_get(server: Server) -> None:
    *_, told = server.sweep(*[DATABASE_DOWN] * 3)
    assert told.title == "hosts: database failing since 2026-03-01 12:00 UTC"
    assert told.text == (
        f"Cause: {DATABASE_DOWN.error}. Until it is back, requests are answered with 911 and clients try again."
        " Run `ddns doctor` on the machine to see what to fix."
    )
    assert (told.facts["hosts"], told.facts["failing_records"], told.facts["examples"]) == (None, None, [])


def test_a_long_cause_leaves_room_for_what_to_do(server: Server) -> None:
    *_, told = server.sweep(*[failing("a", error="x" * 5000 + "\x1b")] * 3)
    assert len(told.text) < 1300
    assert told.text.endswith("to see what to fix.")


# Slowed down


def test_a_host_that_is_slowed_down_is_told_once(server: Server) -> None:
    (told,) = server.sweep(slowed("nas"), slowed("nas"), slowed("nas"))
    assert told.kind is Kind.HOSTS_SLOWED
    assert told.title == "hosts: nas.example.com is slowed down for changing too often"
    assert told.text == (
        "One change in ten minutes is taken until there are fewer in a day: nas.example.com since 2026-03-01 12:00 UTC."
        " Find out why the address changes: two machines may use one login, a client may send a wrong address, or the"
        " line may be unstable. `ddns history --name nas.example.com` shows the addresses."
    )
    assert told.facts == {"slowed": [{"name": "nas.example.com", "since": "2026-03-01T12:00:00+00:00"}]}


def test_hosts_that_are_slowed_down_together_are_one_message(server: Server) -> None:
    (told,) = server.sweep(slowed("a", "b", "c", "d"))
    names = "a.example.com, b.example.com, c.example.com and 1 more"
    assert told.title == f"hosts: {names} are slowed down for changing too often"
    assert told.text.endswith("`ddns history --name NAME` shows the addresses.")
    assert kinds(server.sweep(slowed("a", "b", "c", "d"), slowed("a", "b", "c", "d", "e"))) == [Kind.HOSTS_SLOWED]


def test_a_host_that_calms_down_and_starts_again_within_a_day_is_not_told_again(server: Server) -> None:
    server.sweep(slowed("nas"))
    server.now += DAY - 5 * MINUTE
    assert server.sweep(GOOD, slowed("nas", at=server.now), GOOD) == []
    server.now += DAY - 5 * MINUTE
    assert server.sweep(GOOD, slowed("nas", at=server.now)) == []


def test_a_host_that_was_calm_for_a_day_is_told_again(server: Server) -> None:
    server.sweep(slowed("nas"))
    server.now += DAY
    assert kinds(server.sweep(slowed("nas", at=server.now))) == [Kind.HOSTS_SLOWED]
    server.sweep(GOOD)
    server.now += DAY
    server.sweep(GOOD)
    assert server.state.slowed == {}


@pytest.mark.parametrize("meanwhile", [[], [DATABASE_DOWN]])
def test_a_host_that_stayed_slowed_down_while_nobody_looked_is_not_told_again(
    server: Server, meanwhile: list[Sweep]
) -> None:
    server.sweep(slowed("nas"), *meanwhile)
    server.now += 3 * DAY
    assert server.sweep(*meanwhile, slowed("nas")) == []


def test_an_incident_and_a_slowed_host_are_told_side_by_side(server: Server) -> None:
    both = failing("a")._replace(slowed=slowed("nas").slowed)
    assert kinds(server.sweep(failing("a"), failing("a"), both)) == [Kind.HOSTS_FAILING, Kind.HOSTS_SLOWED]
    assert kinds(server.sweep(slowed("nas", "tv"))) == [Kind.HOSTS_RECOVERED, Kind.HOSTS_SLOWED]
