"""The heartbeat, in the forms of healthchecks.io and of Uptime Kuma's push monitors."""

from urllib.parse import parse_qsl, urlsplit

import pytest

from ddns_updater.alerts.heartbeat import ping
from ddns_updater.alerts.urls import parse_heartbeat
from ddns_updater.errors import AlertError
from ddns_updater.model import Outcome
from tests.support import services
from tests.support.command import finish
from tests.support.machine import Machine
from tests.support.receivers import SECRET, Receiver

GOOD, BAD = (Outcome.UNCHANGED, Outcome.UPDATED, Outcome.PENDING), (Outcome.FAILED, Outcome.HELD)
CHECK = "/5bf66975-d4c7-4bf5-bcc8-b8d8a82ea278"


@pytest.mark.parametrize("outcome", [*GOOD, *BAD])
@pytest.mark.parametrize(
    ("path", "failed"),
    [
        (CHECK, f"{CHECK}/fail"),
        (f"{CHECK}/", f"{CHECK}/fail"),
        ("/ping-key/home-line?create=1", "/ping-key/home-line/fail?create=1"),
        ("/ping/ping-key/home-line?create=1", "/ping/ping-key/home-line/fail?create=1"),
    ],
)
def test_healthchecks_gets_the_reason_as_the_body_and_failures_below_fail(
    receiver: Receiver, outcome: Outcome, path: str, failed: str
) -> None:
    ping(parse_heartbeat(receiver.base + path), outcome, "failed: nö\udcff")
    (request,) = receiver.got
    assert (request.method, request.path) == ("POST", failed if outcome in BAD else path)
    assert request.body.decode() == r"failed: nö\udcff"


@pytest.mark.parametrize("outcome", [*GOOD, *BAD])
@pytest.mark.parametrize("query", ["", "?status=up&msg=OK&ping=", "?msg=x&ping=12&status=down"])
@pytest.mark.parametrize("below", ["", "/kuma"])
def test_uptime_kuma_gets_status_and_message_in_the_query(
    receiver: Receiver, outcome: Outcome, query: str, below: str
) -> None:
    monitor = parse_heartbeat(f"{receiver.base}{below}/api/push/{SECRET}{query}")
    ping(monitor, outcome, "failed: a & b = nö\udcff" + "x" * 500)
    (request,) = receiver.got
    url = urlsplit(request.path)
    assert (request.method, url.path, request.body) == ("GET", f"{below}/api/push/{SECRET}", b"")
    asked = parse_qsl(url.query, keep_blank_values=True)
    assert len(dict(asked)) == len(asked)
    assert dict(asked)["status"] == ("down" if outcome in BAD else "up")
    assert dict(asked)["msg"] == (r"failed: a & b = nö\udcff" + "x" * 500)[:200]
    assert ("ping" in dict(asked)) == ("ping" in query)


@pytest.mark.parametrize("status", ["404 Not Found", "500 Internal Server Error"])  # by its version
def test_a_push_monitor_that_does_not_exist_is_noticed(receiver: Receiver, status: str) -> None:
    receiver.play = services.answer('{"ok":false,"msg":"Monitor not found or not active."}', status)
    with pytest.raises(AlertError, match=status[:3]) as caught:
        ping(parse_heartbeat(f"{receiver.base}/api/push/{SECRET}"), Outcome.UNCHANGED, "")
    assert SECRET not in str(caught.value)


def test_a_check_that_does_not_exist_is_noticed(receiver: Receiver) -> None:
    receiver.play = services.answer("OK (not found)")
    with pytest.raises(AlertError, match="has no such check; correct DDNS_HEARTBEAT_URL"):
        ping(parse_heartbeat(receiver.base + CHECK), Outcome.UNCHANGED, "")
    for body in ("OK", "OK (rate-limited)", ""):
        receiver.play = services.answer(body)
        ping(parse_heartbeat(receiver.base + CHECK), Outcome.UNCHANGED, "")


def test_every_run_pings_with_how_it_ended(small_machine: Machine, receiver: Receiver) -> None:
    machine = small_machine
    machine.environment["DDNS_HEARTBEAT_URL"] = receiver.base + CHECK
    machine.init()
    shown = [machine.ddns("run").out for _ in range(2)]
    machine.service.address = "10.0.0.1"
    shown.append(machine.ddns("run").err)
    assert [each.path for each in receiver.got] == [CHECK, CHECK, f"{CHECK}/fail"]
    assert [each.body.decode() + "\n" for each in receiver.got] == shown
    machine.ddns("run", "--dry-run")
    assert len(receiver.got) == 3


def test_a_database_that_is_down_pings_as_a_failure(small_machine: Machine, receiver: Receiver) -> None:
    url = f"{receiver.base}/api/push/{SECRET}?status=up&msg=OK&ping="
    done = small_machine.ddns("run", DDNS_HEARTBEAT_URL=url, DDNS_DATABASE_URL="sqlite:////nowhere/ddns.sqlite3")
    assert done.status == 1
    assert "status=down" in receiver.got[0].path


def test_a_run_that_is_skipped_leaves_the_ping_to_the_one_at_work(small_machine: Machine, receiver: Receiver) -> None:
    machine = small_machine
    machine.environment["DDNS_HEARTBEAT_URL"] = receiver.base + CHECK
    machine.init()
    machine.service.play = services.hang
    first = machine.start("run", DDNS_IP_TIMEOUT="30")
    while not machine.service.requests:
        assert first.poll() is None
    assert machine.ddns("run").out == "skipped: another run of line is in progress\n"
    assert receiver.got == []
    first.terminate()
    assert finish(first).status == 1
    assert [each.path for each in receiver.got] == [f"{CHECK}/fail"]


@pytest.mark.parametrize(
    ("play", "warning"),
    [
        (services.answer("", "404 No"), "http://127.0.0.1/… refused with status 404; check its URL"),
        (services.answer("", "500 No"), "http://127.0.0.1/… answered with status 500"),
        (services.redirect("http://127.0.0.1:9/"), "answered with a redirect (302); use the URL it leads to"),
        (services.send(b""), "http://127.0.0.1/… closed the connection without an answer"),
        (services.hang, "its service did not answer within "),
    ],
)
def test_a_heartbeat_that_is_not_accepted_is_a_warning(
    small_machine: Machine, receiver: Receiver, play: services.Play, warning: str
) -> None:
    receiver.play = play
    small_machine.environment |= {"DDNS_HEARTBEAT_URL": receiver.url, "DDNS_RUN_TIMEOUT": "4"}
    small_machine.environment.pop("DDNS_RECORDS")
    small_machine.init()
    done = small_machine.process("run")
    assert (done.status, done.out.partition(":")[0]) == (0, "unchanged")
    assert done.err.startswith("warning: failed to send the heartbeat: ")
    assert warning in done.err
    assert done.err.count("\n") == 1
    assert SECRET not in done.err
