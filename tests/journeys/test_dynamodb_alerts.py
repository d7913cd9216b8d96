"""Alerts of runs that share a table of DynamoDB, which also has what they remember: cold starts, machines, kills."""

import signal
import time
from collections import Counter
from pathlib import Path

import pytest

from ddns_updater.lib.dynamodb import Table, Update
from ddns_updater.model import Outcome
from ddns_updater.state.table import StateTable
from tests.support import aws as faults
from tests.support.alerting import BAD_ADDRESS, fail, recover
from tests.support.aws import FakeAws
from tests.support.database import Database
from tests.support.dynamodb import dynamodb_environment, make_table
from tests.support.machine import Machine
from tests.support.receivers import SECRET, Receiver
from tests.support.services import AddressService

_BEFORE_IT_IS_KEPT = [
    "return:Updater.run",
    "call:StateTable.locked",
    "return:Table.update:2",  # the first is the lease of the origin; this one has taken the lock
    "call:Outbox.add",
    "call:StateTable.sending",
    "return:Table.update:3",  # that for sending is taken
    "call:StateTable.replace",
]
_BEFORE_IT_IS_TOLD = ["return:StateTable.replace", "call:AlertSender.send", "call:post"]
_AFTER_IT_WAS_SENT = ["return:post", "call:AlertSender._save", "call:Outbox.delivered", "call:StateTable.replace:2"]
_AFTER_IT_WAS_SAVED = ["return:StateTable.replace:2", "return:AlertSender.send", "return:Reporter.report"]
_PLACES = [*_BEFORE_IT_IS_KEPT, *_BEFORE_IT_IS_TOLD, *_AFTER_IT_WAS_SENT, *_AFTER_IT_WAS_SAVED]


@pytest.fixture
def table(aws: FakeAws, monkeypatch: pytest.MonkeyPatch) -> Table:
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws.url)
    return make_table(aws.url)


@pytest.fixture
def line(
    table: Table, sqlite: Database, service: AddressService, aws: FakeAws, receiver: Receiver, tmp_path: Path
) -> Machine:
    """Give a machine with one webhook, whose first address is published."""
    del table
    machine = machine_on(sqlite, service, aws, receiver, tmp_path / "one")
    machine.init()
    assert machine.run()["outcome"] == "updated"
    assert receiver.got == []
    return machine


def machine_on(
    sqlite: Database, service: AddressService, aws: FakeAws, receiver: Receiver, folder: Path, zone: str | None = None
) -> Machine:
    folder.mkdir()
    machine = Machine(sqlite, service, aws, folder, zone or aws.zone())
    machine.environment |= dynamodb_environment(aws.url) | {"DDNS_WEBHOOK_URLS": receiver.url, "DDNS_ALERT_AFTER": "3"}
    return machine


@pytest.fixture
def other(
    line: Machine, sqlite: Database, service: AddressService, aws: FakeAws, receiver: Receiver, tmp_path: Path
) -> Machine:
    """Give another machine on the same table."""
    return machine_on(sqlite, service, aws, receiver, tmp_path / "two", line.zone_id)


def told(receiver: Receiver) -> list[str]:
    return [each.json["event"] for each in receiver.got if each.path.endswith(SECRET)]


def end_leases(table: Table) -> None:
    """Let so much time pass that the leases of the dead have ended."""
    for lease in list(table.query("lease")):
        table.delete("lease", lease["sk"])
    table.update("state", "runs", Update({"until": 0, "sends_until": 0}))


def test_a_quiet_run_makes_two_calls_more_than_for_its_history(line: Machine, aws: FakeAws, receiver: Receiver) -> None:
    line.run()
    aws.calls.clear()
    assert line.run()["outcome"] == "unchanged"
    with_state = aws.count()
    aws.calls.clear()
    assert line.run(DDNS_STATE_FOLDER=str(line.folder / "state"))["outcome"] == "unchanged"
    assert with_state - aws.count() == Counter({"UpdateItem": 2})
    assert with_state.total() == 7
    assert receiver.got == []


def test_what_one_machine_counts_the_other_goes_on_with(line: Machine, other: Machine, receiver: Receiver) -> None:
    fail(line, 1)
    fail(other, 1)
    assert told(receiver) == []
    fail(line, 1)
    assert told(receiver) == ["failing"]
    fail(other, 2)
    assert told(receiver) == ["failing"]
    recover(other)
    recover(line)
    assert told(receiver) == ["failing", "recovered"]
    assert not list(line.folder.rglob("*.json")) + list(other.folder.rglob("*.json"))


def test_status_and_metrics_are_the_same_on_every_machine(line: Machine, other: Machine) -> None:
    fail(line, 2)
    shown = other.ddns("status")
    assert shown.status == 1
    assert "failing since" in shown.out
    assert "2 runs" in shown.out
    file = other.folder / "ddns.prom"
    assert other.ddns("run", DDNS_METRICS_FILE=str(file)).status == 1
    assert 'ddns_runs_total{name="line",outcome="failed"} 3.0' in file.read_text()


def test_a_home_that_cannot_be_used_matters_to_nobody(line: Machine, receiver: Receiver) -> None:
    fail(line, 3, HOME="/dev/null")
    assert told(receiver) == ["failing"]
    checks = {each["name"]: each for each in line.ddns("doctor", "--json", HOME="/dev/null").json["checks"]}
    assert "state folder" not in checks
    assert "failing for" in checks["last run"]["found"]


def test_a_folder_that_is_set_has_the_state_in_place_of_the_table(
    line: Machine, table: Table, receiver: Receiver
) -> None:
    before = table.get("state", "runs")
    fail(line, 3, DDNS_STATE_FOLDER=str(line.folder / "state"))
    assert told(receiver) == ["failing"]
    assert [each.suffix for each in (line.folder / "state").glob("runs-*.json")] == [".json"]
    assert table.get("state", "runs") == before


def test_runs_at_once_on_one_table_tell_what_they_found_once(
    line: Machine, table: Table, service: AddressService, receiver: Receiver
) -> None:
    service.address = "8.8.8.8"
    ended = line.at_once(6, "run", DDNS_IP_TIMEOUT="20")
    assert {each.status for each in ended} == {0}, [each.err for each in ended]
    end_leases(table)
    line.run()
    assert told(receiver) == ["changed"]
    service.address = BAD_ADDRESS
    failed = 0
    while failed < 3:  # those that find the lock of the line taken are skipped
        ended = line.at_once(3, "run", DDNS_IP_TIMEOUT="20")
        failed += sum(each.status for each in ended)
        assert not any("state of the runs" in each.err for each in ended), [each.err for each in ended]
    fail(line, 3)  # one that reports after a later one is only counted
    assert told(receiver) == ["changed", "failing"]
    assert StateTable(table, "").read().origins["line"].runs[Outcome.FAILED] == failed + 3


@pytest.mark.parametrize("place", _PLACES)
def test_a_change_is_told_whenever_its_run_is_killed(
    line: Machine, table: Table, service: AddressService, receiver: Receiver, place: str
) -> None:
    service.address = "8.8.8.8"
    assert line.killed(place, "run", DDNS_RECORDS="home.example.com").status == -signal.SIGKILL
    end_leases(table)
    assert line.run(DDNS_RECHECK_EVERY="3600")["outcome"] in ("unchanged", "updated")
    line.run()
    assert told(receiver) == ["changed"] * (2 if place in _AFTER_IT_WAS_SENT else 1)
    assert {each.json["previous_address"] for each in receiver.got} == {"9.9.9.9"}


@pytest.mark.parametrize("place", _PLACES)
def test_an_incident_is_told_whenever_the_run_that_sends_its_alert_is_killed(
    line: Machine, table: Table, receiver: Receiver, place: str
) -> None:
    fail(line, 2)
    assert line.killed(place, "run").status == -signal.SIGKILL
    end_leases(table)
    fail(line, 3)
    assert told(receiver) == ["failing"] * (2 if place in _AFTER_IT_WAS_SENT else 1)
    end_leases(table)
    recover(line)
    assert told(receiver)[-1] == "recovered"


@pytest.mark.parametrize("fault", [faults.lose_answer, faults.cut])
@pytest.mark.parametrize("after", range(8))
def test_an_incident_is_told_when_the_table_goes_away_at_any_write_of_its_run(
    line: Machine, table: Table, aws: FakeAws, receiver: Receiver, after: int, fault: faults.Fault
) -> None:
    fail(line, 2)
    aws.fault("UpdateItem", fault, after=after)
    failed = line.ddns("run")
    assert (failed.status, "Traceback" in failed.err) == (1, False)
    aws.heal()
    end_leases(table)
    fail(line, 3)
    times = len(told(receiver))
    assert told(receiver) == ["failing"] * times
    assert times in (1, 2)
    assert times == 1 or failed.err.count("failed to write the table ddns") == 1, failed.err


def test_a_table_that_answers_nothing_more_costs_the_report_some_seconds_and_one_warning(
    line: Machine, aws: FakeAws, receiver: Receiver
) -> None:
    aws.fault("UpdateItem", aws.hang, containing='"state"')
    done = line.ddns("run")
    assert (done.status, done.out.partition(":")[0]) == (0, "unchanged")
    assert done.err == (
        "warning: failed to write the state of the runs in DynamoDB table ddns in eu-west-1: AWS does not answer, or"
        " other runs hold its lock; no alerts are sent until this is fixed\n"
    )
    assert receiver.got == []


def test_a_report_on_a_table_that_hangs_ends_with_the_time_of_its_run(line: Machine, aws: FakeAws) -> None:
    aws.fault("UpdateItem", aws.hang, containing='"state"')
    begun = time.monotonic()
    done = line.ddns("run", DDNS_WEBHOOK_URLS=None, DDNS_RUN_TIMEOUT="4", DDNS_VERIFY_TIMEOUT="1", DDNS_IP_TIMEOUT="1")
    assert (done.status, done.out.partition(":")[0]) == (0, "unchanged")
    assert time.monotonic() - begun < 4
    assert "DDNS_RUN_TIMEOUT=4" in done.err or "AWS did not answer" in done.err  # whichever ends first
