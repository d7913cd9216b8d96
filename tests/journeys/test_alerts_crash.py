"""Runs that are killed while they report: the next sends what is undelivered; in one window an alert arrives twice."""

import signal

import pytest

from tests.support.alerting import BAD_ADDRESS, fail
from tests.support.machine import Machine
from tests.support.receivers import SECRET, Receiver

# Each step of the phase report of a run that has something to tell.
_BEFORE_THE_DIARY = [
    "return:Updater.run",
    "call:Reporter.report",
    "call:StateFile.locked",
    "call:Outbox.add",
    "call:StateFile.replace",
    "call:replace_file",
]
_BEFORE_IT_IS_TOLD = [
    "return:replace_file",
    "call:ping",
    "return:ping",
    "call:AlertSender.send",
    "call:post",
    "call:send:2",  # the first is the heartbeat's
]
_AFTER_IT_WAS_SENT = [  # the one window in which an alert can arrive twice
    "return:send:2",
    "return:post",
    "call:AlertSender._save",
    "call:Outbox.delivered",
    "call:replace_file:2",
]
_AFTER_IT_WAS_SAVED = ["return:replace_file:2", "return:AlertSender.send", "return:Reporter.report"]
_PLACES = [*_BEFORE_THE_DIARY, *_BEFORE_IT_IS_TOLD, *_AFTER_IT_WAS_SENT, *_AFTER_IT_WAS_SAVED]


def killed(machine: Machine, place: str) -> None:
    assert machine.killed(place, "run").status == -signal.SIGKILL


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("place", _PLACES)
def test_a_change_is_reported_whenever_its_run_is_killed(
    small_machine: Machine, receiver: Receiver, place: str, known: bool
) -> None:
    machine = small_machine
    machine.environment |= {"DDNS_WEBHOOK_URLS": receiver.url, "DDNS_HEARTBEAT_URL": f"{receiver.base}/beat"}
    machine.init("8.8.8.8")
    if known:  # else this is the first run ever
        machine.service.address = "8.8.8.8"
        machine.run()
    machine.service.address = "1.1.1.1"
    killed(machine, place)
    machine.statements_hold("1.1.1.1")
    machine.run()
    told = [each.json for each in receiver.got if each.path.endswith(SECRET)]
    assert {(each["event"], each["address"]) for each in told} == {("changed", "1.1.1.1")}
    assert len(told) == (2 if place in _AFTER_IT_WAS_SENT else 1)
    if known or place not in _BEFORE_THE_DIARY:
        assert told[0]["previous_address"] == "8.8.8.8"


@pytest.mark.parametrize("place", _PLACES)
def test_an_incident_is_reported_whenever_the_run_that_sends_its_alert_is_killed(
    alerting: Machine, receiver: Receiver, place: str
) -> None:
    alerting.environment["DDNS_HEARTBEAT_URL"] = f"{receiver.base}/beat"
    fail(alerting, 2)
    alerting.service.address = BAD_ADDRESS
    killed(alerting, place)
    fail(alerting, 3)
    told = [each.json["event"] for each in receiver.got if each.path.endswith(SECRET)]
    assert told == ["failing"] * (2 if place in _AFTER_IT_WAS_SENT else 1)


def test_the_places_of_the_kills_come_in_the_order_of_the_run(alerting: Machine, receiver: Receiver) -> None:
    alerting.environment["DDNS_HEARTBEAT_URL"] = f"{receiver.base}/beat"
    listing = alerting.folder / "places"
    alerting.service.address = "1.1.1.1"
    assert alerting.killed("list", "run", KILL_LIST=str(listing)).status == 0
    places = iter(listing.read_text().splitlines())
    for place in _PLACES:
        event, function, *_ = place.split(":")
        assert f"{event}:{function}" in places, place  # each is found after the one before
