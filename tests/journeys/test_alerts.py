"""Which alerts are sent, by real command lines and loopback receivers: each one once, and none without a cause."""

import re
import socket
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.run.test_drift import grow_old
from tests.support import services
from tests.support.alerting import BAD_ADDRESS, DAY, HOUR, fail, later, recover, state_file
from tests.support.command import finish
from tests.support.database import Database, replace_port
from tests.support.machine import Machine
from tests.support.mysqld import free_port
from tests.support.proxy import Proxy
from tests.support.receivers import SECRET, Receiver, receiving

# An incident


def test_sixty_failed_runs_are_one_alert_with_its_reminders_and_their_end_another(
    alerting: Machine, receiver: Receiver
) -> None:
    fail(alerting, 60)
    (failing,) = receiver.take()
    assert (failing["event"], failing["failed_runs"], failing["outcome"]) == ("failing", 3, "failed")
    for passed, told in ((HOUR - 60, 0), (60, 1), (5 * HOUR - 60, 0), (60, 1), (18 * HOUR, 1), (DAY, 1), (9 * DAY, 1)):
        later(alerting, passed)
        receiver.got.clear()
        fail(alerting, 2)
        assert len(receiver.got) == told
    (reminder,) = receiver.take()
    assert reminder["title"].startswith("line: still failing since ")
    assert reminder["reminder"] == 5
    recover(alerting)
    (recovered,) = receiver.take()
    assert recovered["event"] == "recovered"
    assert recovered["title"].startswith("line: recovered after ")
    assert recovered["title"].endswith(", 74 failed runs")
    assert recovered["text"].startswith("Cause: no trustworthy ipv4 address")
    recover(alerting)
    assert receiver.got == []


def test_held_runs_are_an_incident_too(alerting: Machine, receiver: Receiver) -> None:
    with services.running("127.0.0.2") as other:
        other.address, alerting.service.address = "1.1.1.1", "8.8.8.8"
        both = {"DDNS_IP_SOURCES": f"{alerting.service.url},{other.url}", "DDNS_IP_AGREEMENT": "required"}
        for _ in range(4):
            assert alerting.run(**both)["outcome"] == "held"
        (failing,) = receiver.take()
        assert (failing["event"], failing["outcome"], failing["failed_runs"]) == ("failing", "held", 3)
        other.address = "8.8.8.8"
        assert alerting.run(**both)["outcome"] == "updated"
        assert receiver.events == ["recovered", "changed"]


def test_how_many_runs_have_to_fail_is_a_setting(alerting: Machine, receiver: Receiver) -> None:
    fail(alerting, 1, DDNS_ALERT_AFTER="1")
    assert receiver.events == ["failing"]
    recover(alerting)
    fail(alerting, 4, DDNS_ALERT_AFTER="5")
    recover(alerting)
    assert receiver.events == ["failing", "recovered"]


def test_an_alert_says_since_when_what_dns_says_and_what_to_do(small_machine: Machine, receiver: Receiver) -> None:
    small_machine.init()
    small_machine.environment["DDNS_WEBHOOK_URLS"] = receiver.url
    small_machine.run()
    small_machine.service.address = "1.1.1.1"
    small_machine.run()
    fail(small_machine, 3)
    changed, failing = receiver.take()
    assert changed["title"] == "line: address changed to 1.1.1.1"
    assert changed["text"].startswith("Previous address: 9.9.9.9. Version 2 is 1.1.1.1, recorded 20")
    assert " DNS followed after " in changed["text"]
    assert changed["dns_seconds"] >= 0
    assert changed["records"] == ["home.example.com A"]
    assert failing["title"].startswith("line: failing since ")
    assert "Cause: no trustworthy ipv4 address, so nothing was changed: " in failing["text"]
    assert "DNS when last verified: home.example.com A held 1.1.1.1 (20" in failing["text"]
    assert "). Nothing is lost: every run tries again. " in failing["text"]
    assert "Run `ddns doctor` on the machine to see what to fix." in failing["text"]


def test_every_alert_names_the_host_that_sends_it_whatever_the_form(alerting: Machine, receiver: Receiver) -> None:
    host = socket.gethostname()
    with receiving() as slack:
        alerting.environment["DDNS_WEBHOOK_URLS"] = f"{receiver.url},slack+{slack.url}"
        receiver.play = services.answer("", "500 No")
        fail(alerting, 3)
        alerting.service.address = "1.1.1.1"
        alerting.ddns("run")
        assert '"host"' not in state_file(alerting).read_text()  # whoever sends it is named, also after a move
        receiver.play = None
        receiver.got.clear()
        later(alerting, 61)
        alerting.ddns("run")
        assert receiver.events == ["recovered", "changed"]
        for event in receiver.take():
            assert event["host"] == host
            assert event["text"].endswith(f" Sent by {host}.")
        for sent in slack.take():
            assert " ".join(sent["text"].split()).endswith(f" Sent by {host}. ```")


def test_a_repaired_record_is_reported_once(small_machine: Machine, receiver: Receiver) -> None:
    small_machine.environment |= {"DDNS_WEBHOOK_URLS": receiver.url}
    small_machine.init()
    small_machine.run()
    small_machine.aws.put_address(small_machine.zone_id, "home.example.com", "8.8.4.4")
    grow_old(small_machine)
    small_machine.run()
    small_machine.run()
    (repaired,) = receiver.take()
    assert repaired["title"] == "line: repaired home.example.com A after an outside change"
    (record,) = repaired["repaired"]
    assert (record["record"], record["found"]) == ("home.example.com A", "8.8.4.4 with TTL 60")
    assert repaired["address"] == "9.9.9.9"


# The database is what is down


def test_a_database_that_was_never_reached_is_an_incident_without_a_name(alerting: Machine, receiver: Receiver) -> None:
    away = alerting.folder.parent / "ddns.sqlite3"
    hidden = away.rename(away.with_name("hidden"))
    for _ in range(4):
        assert alerting.ddns("run").status == 1
    (failing,) = receiver.take()
    assert failing["name"] is None
    assert failing["title"].startswith("ddns: failing since ")
    assert "Cause: there is no database at " in failing["text"]
    hidden.rename(away)
    recover(alerting)
    (recovered,) = receiver.take()
    assert recovered["name"] == "line"
    assert recovered["title"].endswith(", 4 failed runs")
    recover(alerting)
    assert receiver.got == []


@pytest.mark.parametrize("name", [None, "line"])
def test_a_database_that_goes_down_is_an_incident_of_the_origin(
    alerting: Machine, receiver: Receiver, name: str | None
) -> None:
    recover(alerting, DDNS_NAME=name)
    away = alerting.folder.parent / "ddns.sqlite3"
    hidden = away.rename(away.with_name("hidden"))
    for _ in range(4):
        alerting.ddns("run", DDNS_NAME=name)
    hidden.rename(away)
    recover(alerting, DDNS_NAME=name)
    assert [(each["event"], each["name"]) for each in receiver.take()] == [("failing", "line"), ("recovered", "line")]


def test_an_unreachable_mysql_server_is_reported_without_its_password(alerting: Machine, receiver: Receiver) -> None:
    url = f"mysql://ddns:{SECRET}@127.0.0.1:{free_port()}/app"
    shown = [alerting.ddns("-v", "run", DDNS_DATABASE_URL=url) for _ in range(3)]
    assert receiver.events == ["failing"]
    assert "failed to reach the database at 127.0.0.1" in receiver.got[0].json["cause"]
    assert SECRET not in receiver.got[0].body.decode() + "".join(each.out + each.err for each in shown)


@pytest.mark.parametrize("known", [True, False])
def test_a_mysql_server_that_comes_and_goes_is_one_incident(
    mysql: Database, alerting: Machine, receiver: Receiver, known: bool
) -> None:
    alerting.environment["DDNS_DATABASE_URL"] = mysql.url
    alerting.init()
    with closing(Proxy(urlsplit(mysql.url).port or 0)) as proxy:
        alerting.environment["DDNS_DATABASE_URL"] = replace_port(mysql.url, proxy.port)
        if known:
            alerting.run()
        proxy.fault = lambda _: "cut"
        assert [alerting.ddns("run").status for _ in range(4)] == [1] * 4
        proxy.fault = lambda _: None
        recover(alerting)
        recover(alerting)
    failing, recovered = receiver.take()
    assert (failing["name"], recovered["name"]) == ("line" if known else None, "line")
    assert "the database at 127.0.0.1" in failing["cause"]
    assert recovered["title"].endswith(", 4 failed runs")


def test_two_origins_of_one_database_have_an_incident_each(alerting: Machine, receiver: Receiver) -> None:
    alerting.init(name="other")
    fail(alerting, 3, DDNS_NAME="line")
    fail(alerting, 3, DDNS_NAME="other")
    recover(alerting, DDNS_NAME="line")
    assert [(each["event"], each["name"]) for each in receiver.take()] == [
        ("failing", "line"), ("failing", "other"), ("recovered", "line"),
    ]  # fmt: skip
    assert alerting.ddns("run").status == 2  # which one is meant is unknown; settings cause no alert
    assert receiver.got == []


# Overlapping runs, dry runs, the clock


def test_failing_runs_at_once_send_one_alert_to_each_channel(alerting: Machine, receiver: Receiver) -> None:
    alerting.service.play = services.answer("no", "503 No")
    with receiving() as other:
        alerting.environment["DDNS_WEBHOOK_URLS"] = f"{receiver.url},{other.url}"
        for each in alerting.at_once(8, "run", DDNS_DATABASE_URL="sqlite:////nowhere/x"):
            assert each.status == 1
        alerting.ddns("run", DDNS_DATABASE_URL="sqlite:////nowhere/x")
        assert (receiver.events, other.events) == (["failing"], ["failing"])


def test_runs_at_once_after_a_change_send_one_alert(alerting: Machine, receiver: Receiver) -> None:
    alerting.service.address = "1.1.1.1"
    for each in alerting.at_once(8, "run"):
        assert each.status == 0
    alerting.ddns("run")
    assert receiver.events == ["changed"]


def test_a_dry_run_sends_no_alert_and_leaves_no_state(alerting: Machine, receiver: Receiver) -> None:
    alerting.service.address = "1.1.1.1"
    alerting.ddns("run", "--dry-run", DDNS_HEARTBEAT_URL=receiver.url, DDNS_ALERT_AFTER="1")
    alerting.ddns("run", "--dry-run", DDNS_DATABASE_URL="sqlite:////nowhere/x", DDNS_ALERT_AFTER="1")
    assert receiver.got == []
    assert not (alerting.folder / ".config").exists()


@pytest.mark.parametrize("back", [2 * HOUR, 30 * DAY])
def test_a_clock_that_goes_back_is_a_warning_and_repeats_nothing(
    alerting: Machine, receiver: Receiver, back: float
) -> None:
    fail(alerting, 4)
    receiver.play = services.answer("", "500 No")
    later(alerting, HOUR)
    fail(alerting, 1)
    later(alerting, -back)
    receiver.play = None
    receiver.got.clear()
    done = alerting.ddns("run")
    assert "the clock of this machine went back by " in done.err
    assert receiver.events == ["failing"]  # the reminder that was not taken
    fail(alerting, 3)
    recover(alerting)
    assert receiver.events == ["failing", "recovered"]
    assert receiver.got[-1].json["duration_seconds"] - HOUR < 60


def test_watch_sends_the_same_alerts_as_runs_from_cron(alerting: Machine, receiver: Receiver) -> None:
    alerting.service.address = BAD_ADDRESS
    process = alerting.start("watch", "--every", "1")
    while not receiver.got:
        assert process.poll() is None
        time.sleep(0.05)
    alerting.service.address = "9.9.9.9"
    while len(receiver.got) < 2:
        assert process.poll() is None
        time.sleep(0.05)
    process.terminate()
    assert finish(process).status == 0
    assert receiver.events == ["failing", "recovered"]


# The quiet path

_HEAVY = (
    "ddns_updater.alerts.delivery", "ddns_updater.alerts.webhooks", "ddns_updater.alerts.apprise",
    "ddns_updater.alerts.heartbeat", "apprise", "prometheus_client",
)  # fmt: skip


@pytest.fixture
def imported(alerting: Machine) -> Callable[..., set[str]]:
    def run(**changes: Any) -> set[str]:
        script = (
            "import sys\nfrom ddns_updater.cli.main import main\ntry:\n    main(['run'])\n"
            "finally:\n    print(' '.join(sys.modules), file=sys.stderr)"
        )
        modules = finish(alerting.start(program=("-c", script), **changes)).err.split()
        return {module for module in modules if module in _HEAVY}

    return run


def test_a_run_without_an_alert_imports_no_channel(alerting: Machine, imported: Callable[..., set[str]]) -> None:
    alerting.ddns("run")
    assert imported(DDNS_WEBHOOK_URLS=None) == set()
    assert imported(DDNS_NOTIFY_URLS="json://127.0.0.1/x") == set()
    alerting.service.address = BAD_ADDRESS
    assert imported() == set()  # a first failure causes no alert yet
    alerting.service.address = "1.1.1.1"
    assert imported() == {"ddns_updater.alerts.delivery", "ddns_updater.alerts.webhooks"}


def test_the_page_names_every_field_of_the_events(small_machine: Machine, receiver: Receiver) -> None:
    machine = small_machine
    machine.environment |= {"DDNS_WEBHOOK_URLS": receiver.url, "DDNS_ALERT_AFTER": "1"}
    machine.init()
    machine.run()
    machine.service.address = "1.1.1.1"
    machine.run()
    machine.aws.put_address(machine.zone_id, "home.example.com", "8.8.4.4")
    grow_old(machine)
    machine.run()
    fail(machine, 1)
    machine.service.address = "1.1.1.1"
    machine.run()
    told = receiver.take()
    assert [each["event"] for each in told] == ["changed", "repaired", "failing", "recovered"]
    page = (Path(__file__).parents[2] / "docs" / "alerts.md").read_text()
    table = page.partition("| field of the JSON |")[2].partition("\n\n")[0]
    rows = [row.split(" | ", 2) for row in table.splitlines()[2:]]
    for event in told:
        named = [
            re.findall(r"`(\w+)`", fields)
            for fields, of, _ in rows
            if of == "all" or event["event"] in re.findall(r"\w+", of)  # not as a part of `hosts_failing`
        ]
        assert sorted(field for row in named for field in row) == sorted(event)
    assert {key for each in told[1]["repaired"] for key in each} == {"record", "found", "found_at"}
    assert {key for each in told[2]["seen"] for key in each} == {"record", "address", "checked_at"}
