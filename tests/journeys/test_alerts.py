"""Who is told what, by real command lines and loopback receivers: each thing once, and nothing in quiet times."""

import re
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.run.test_drift import grow_old
from tests.support import services
from tests.support.command import finish
from tests.support.database import Database, replace_port
from tests.support.machine import Machine
from tests.support.mysqld import free_port
from tests.support.proxy import Proxy
from tests.support.receivers import SECRET, Receiver, receiving
from tests.support.tellers import BAD_ADDRESS, DAY, HOUR, fail, later, recover

# An incident


def test_sixty_failed_runs_are_one_alert_with_its_reminders_and_their_end_another(
    telling: Machine, receiver: Receiver
) -> None:
    fail(telling, 60)
    (failing,) = receiver.take()
    assert (failing["event"], failing["failed_runs"], failing["outcome"]) == ("failing", 3, "failed")
    for passed, told in ((HOUR - 60, 0), (60, 1), (5 * HOUR - 60, 0), (60, 1), (18 * HOUR, 1), (DAY, 1), (9 * DAY, 1)):
        later(telling, passed)
        receiver.got.clear()
        fail(telling, 2)
        assert len(receiver.got) == told
    (reminder,) = receiver.take()
    assert reminder["title"].startswith("line: still failing since ")
    assert reminder["reminder"] == 5
    recover(telling)
    (recovered,) = receiver.take()
    assert recovered["event"] == "recovered"
    assert recovered["title"].startswith("line: recovered after ")
    assert recovered["title"].endswith(", 74 failed runs")
    assert recovered["text"].startswith("Cause: no trustworthy ipv4 address")
    recover(telling)
    assert receiver.got == []


def test_held_runs_are_an_incident_too(telling: Machine, receiver: Receiver) -> None:
    with services.running("127.0.0.2") as other:
        other.address, telling.service.address = "1.1.1.1", "8.8.8.8"
        both = {"DDNS_IP_SOURCES": f"{telling.service.url},{other.url}", "DDNS_IP_AGREEMENT": "required"}
        for _ in range(4):
            assert telling.run(**both)["outcome"] == "held"
        (failing,) = receiver.take()
        assert (failing["event"], failing["outcome"], failing["failed_runs"]) == ("failing", "held", 3)
        other.address = "8.8.8.8"
        assert telling.run(**both)["outcome"] == "updated"
        assert receiver.events == ["recovered", "changed"]


def test_how_many_runs_have_to_fail_is_a_setting(telling: Machine, receiver: Receiver) -> None:
    fail(telling, 1, DDNS_ALERT_AFTER="1")
    assert receiver.events == ["failing"]
    recover(telling)
    fail(telling, 4, DDNS_ALERT_AFTER="5")
    recover(telling)
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


def test_a_repaired_record_is_told_once(small_machine: Machine, receiver: Receiver) -> None:
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


def test_a_database_that_was_never_reached_is_an_incident_without_a_name(telling: Machine, receiver: Receiver) -> None:
    away = telling.folder.parent / "ddns.sqlite3"
    hidden = away.rename(away.with_name("hidden"))
    for _ in range(4):
        assert telling.ddns("run").status == 1
    (failing,) = receiver.take()
    assert failing["name"] is None
    assert failing["title"].startswith("ddns: failing since ")
    assert "Cause: there is no database at " in failing["text"]
    hidden.rename(away)
    recover(telling)
    (recovered,) = receiver.take()
    assert recovered["name"] == "line"
    assert recovered["title"].endswith(", 4 failed runs")
    recover(telling)
    assert receiver.got == []


@pytest.mark.parametrize("name", [None, "line"])
def test_a_database_that_goes_down_is_an_incident_of_the_origin(
    telling: Machine, receiver: Receiver, name: str | None
) -> None:
    recover(telling, DDNS_NAME=name)
    away = telling.folder.parent / "ddns.sqlite3"
    hidden = away.rename(away.with_name("hidden"))
    for _ in range(4):
        telling.ddns("run", DDNS_NAME=name)
    hidden.rename(away)
    recover(telling, DDNS_NAME=name)
    assert [(each["event"], each["name"]) for each in receiver.take()] == [("failing", "line"), ("recovered", "line")]


def test_a_mysql_server_that_nobody_reaches_is_told_without_its_password(telling: Machine, receiver: Receiver) -> None:
    url = f"mysql://ddns:{SECRET}@127.0.0.1:{free_port()}/app"
    shown = [telling.ddns("-v", "run", DDNS_DATABASE_URL=url) for _ in range(3)]
    assert receiver.events == ["failing"]
    assert "failed to reach the database at 127.0.0.1" in receiver.got[0].json["cause"]
    assert SECRET not in receiver.got[0].body.decode() + "".join(each.out + each.err for each in shown)


@pytest.mark.parametrize("known", [True, False])
def test_a_mysql_server_that_comes_and_goes_is_one_incident(
    mysql: Database, telling: Machine, receiver: Receiver, known: bool
) -> None:
    telling.environment["DDNS_DATABASE_URL"] = mysql.url
    telling.init()
    with closing(Proxy(urlsplit(mysql.url).port or 0)) as proxy:
        telling.environment["DDNS_DATABASE_URL"] = replace_port(mysql.url, proxy.port)
        if known:
            telling.run()
        proxy.fault = lambda _: "cut"
        assert [telling.ddns("run").status for _ in range(4)] == [1] * 4
        proxy.fault = lambda _: None
        recover(telling)
        recover(telling)
    failing, recovered = receiver.take()
    assert (failing["name"], recovered["name"]) == ("line" if known else None, "line")
    assert "the database at 127.0.0.1" in failing["cause"]
    assert recovered["title"].endswith(", 4 failed runs")


def test_two_origins_of_one_database_have_an_incident_each(telling: Machine, receiver: Receiver) -> None:
    telling.init(name="other")
    fail(telling, 3, DDNS_NAME="line")
    fail(telling, 3, DDNS_NAME="other")
    recover(telling, DDNS_NAME="line")
    assert [(each["event"], each["name"]) for each in receiver.take()] == [
        ("failing", "line"), ("failing", "other"), ("recovered", "line"),
    ]  # fmt: skip
    assert telling.ddns("run").status == 2  # which of them is not said; nobody is told of a mistake in the settings
    assert receiver.got == []


# Overlapping runs, dry runs, the clock


def test_failing_runs_at_once_send_one_alert_to_each_channel(telling: Machine, receiver: Receiver) -> None:
    telling.service.play = services.answer("no", "503 No")
    with receiving() as other:
        telling.environment["DDNS_WEBHOOK_URLS"] = f"{receiver.url},{other.url}"
        for each in telling.at_once(8, "run", DDNS_DATABASE_URL="sqlite:////nowhere/x"):
            assert each.status == 1
        telling.ddns("run", DDNS_DATABASE_URL="sqlite:////nowhere/x")
        assert (receiver.events, other.events) == (["failing"], ["failing"])


def test_runs_at_once_after_a_change_send_one_alert(telling: Machine, receiver: Receiver) -> None:
    telling.service.address = "1.1.1.1"
    for each in telling.at_once(8, "run"):
        assert each.status == 0
    telling.ddns("run")
    assert receiver.events == ["changed"]


def test_a_dry_run_tells_nobody_and_remembers_nothing(telling: Machine, receiver: Receiver) -> None:
    telling.service.address = "1.1.1.1"
    telling.ddns("run", "--dry-run", DDNS_HEARTBEAT_URL=receiver.url, DDNS_ALERT_AFTER="1")
    telling.ddns("run", "--dry-run", DDNS_DATABASE_URL="sqlite:////nowhere/x", DDNS_ALERT_AFTER="1")
    assert receiver.got == []
    assert not (telling.folder / ".config").exists()


@pytest.mark.parametrize("back", [2 * HOUR, 30 * DAY])
def test_a_clock_that_goes_back_is_a_warning_and_repeats_nothing(
    telling: Machine, receiver: Receiver, back: float
) -> None:
    fail(telling, 4)
    receiver.play = services.answer("", "500 No")
    later(telling, HOUR)
    fail(telling, 1)
    later(telling, -back)
    receiver.play = None
    receiver.got.clear()
    done = telling.ddns("run")
    assert "the clock of this machine went back by " in done.err
    assert receiver.events == ["failing"]  # the reminder that was not taken
    fail(telling, 3)
    recover(telling)
    assert receiver.events == ["failing", "recovered"]
    assert receiver.got[-1].json["duration_seconds"] - HOUR < 60


def test_watching_tells_what_runs_of_cron_do(telling: Machine, receiver: Receiver) -> None:
    telling.service.address = BAD_ADDRESS
    process = telling.start("watch", "--every", "1")
    while not receiver.got:
        assert process.poll() is None
        time.sleep(0.05)
    telling.service.address = "9.9.9.9"
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
def imported(telling: Machine) -> Callable[..., set[str]]:
    def run(**changes: Any) -> set[str]:
        script = (
            "import sys\nfrom ddns_updater.cli.main import main\ntry:\n    main(['run'])\n"
            "finally:\n    print(' '.join(sys.modules), file=sys.stderr)"
        )
        modules = finish(telling.start(program=("-c", script), **changes)).err.split()
        return {module for module in modules if module in _HEAVY}

    return run


def test_a_run_with_nothing_to_tell_imports_no_channel(telling: Machine, imported: Callable[..., set[str]]) -> None:
    telling.ddns("run")
    assert imported(DDNS_WEBHOOK_URLS=None) == set()
    assert imported(DDNS_NOTIFY_URLS="json://127.0.0.1/x") == set()
    telling.service.address = BAD_ADDRESS
    assert imported() == set()  # a first failure is not told yet
    telling.service.address = "1.1.1.1"
    assert imported() == {"ddns_updater.alerts.delivery", "ddns_updater.alerts.webhooks"}


def test_the_readme_names_every_field_of_the_events(small_machine: Machine, receiver: Receiver) -> None:
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
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    table = readme.partition("| field of the JSON |")[2].partition("\n\n")[0]
    rows = [row.split(" | ", 2) for row in table.splitlines()[2:]]
    for event in told:
        named = [re.findall(r"`(\w+)`", fields) for fields, of, _ in rows if of == "all" or event["event"] in of]
        assert sorted(field for row in named for field in row) == sorted(event)
    assert {key for each in told[1]["repaired"] for key in each} == {"record", "found", "found_at"}
    assert {key for each in told[2]["seen"] for key in each} == {"record", "address", "checked_at"}
