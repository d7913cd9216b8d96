"""Drift: what becomes of a verified record that somebody else changed, deleted or replaced."""

from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Any

import pytest

from ddns_updater.app.init import initialise
from ddns_updater.model import Family
from tests.dns.test_route53 import OBSTACLES
from tests.run.test_publishing import CHANGE, HOME, age, failing, journal
from tests.support.aws import refuse
from tests.support.machine import Machine

ADVICE = "correct it, or set DDNS_ON_DRIFT=repair"
DRIFTS = {
    "another address": (["8.8.8.8"], 60, "8.8.8.8 with TTL 60"),
    "another TTL": (["9.9.9.9"], 300, "9.9.9.9 with TTL 300"),
    "both": (["8.8.8.8"], 300, "8.8.8.8 with TTL 300"),
    "one more address": (["9.9.9.9", "8.8.8.8"], 60, "9.9.9.9, 8.8.8.8 with TTL 60"),
    "deleted": ([], 0, "no record set"),
}


@pytest.fixture
def line(small_machine: Machine) -> Machine:
    """Give a machine on SQLite whose record is verified at 9.9.9.9 with TTL 60."""
    begin(small_machine)
    return small_machine


def begin(machine: Machine) -> None:
    initialise(machine.database.settings(), name="line", addresses={Family.IPV4: ip_address("9.9.9.9")})
    assert machine.run()["outcome"] == "updated"


def meddle(machine: Machine, drift: str, name: str = HOME) -> str:
    """Change the record as somebody else would, make the last look an old one, and return how it stands there."""
    values, ttl, shown = DRIFTS[drift]
    if values:
        records = [{"Value": value} for value in values]
        machine.aws.put(machine.zone_id, {"Name": name, "Type": "A", "TTL": ttl, "ResourceRecords": records})
    else:
        machine.aws.delete(machine.zone_id, name)
    grow_old(machine)
    return shown


def replace_with_an_alias(machine: Machine) -> None:
    machine.aws.delete(machine.zone_id, HOME)
    machine.aws.put(machine.zone_id, {"Name": HOME} | OBSTACLES["alias"][0])
    grow_old(machine)


def grow_old(machine: Machine) -> None:
    machine.database.sql("UPDATE admin_dns_publication SET checkedAt = '2020-01-01 00:00:00'")


def standing(machine: Machine) -> tuple[list[str], int] | None:
    found = machine.aws.record_sets(machine.zone_id).get((HOME, "A"))
    return ([each["Value"] for each in found["ResourceRecords"]], found["TTL"]) if found else None


def found_before(machine: Machine) -> tuple[Any, ...]:
    (row,) = machine.database.sql("SELECT drift, driftAt FROM admin_dns_publication ORDER BY id DESC LIMIT 1")
    return row


# Repairing


@pytest.mark.parametrize("drift", DRIFTS)
def test_it_repairs_in_the_same_run_what_somebody_changed_and_says_so(line: Machine, drift: str) -> None:
    shown = meddle(line, drift)
    done = line.ddns("run", "--json")
    warning = f"{HOME} A held {shown}; it is being repaired"
    assert (done.status, done.err) == (0, f"warning: {warning}\n")
    assert done.json["outcome"] == "updated"
    assert done.json["results"][0]["warnings"] == [warning]
    assert standing(line) == (["9.9.9.9"], 60)
    assert (journal(line)[HOME]["state"], journal(line)[HOME]["lastError"]) == ("verified", None)
    assert found_before(line)[0] == shown
    assert line.database.versions() == [(1, "9.9.9.9")]
    asked = len(line.aws.calls)
    again = line.ddns("run", "--json")
    assert (again.err, again.json["outcome"]) == ("", "unchanged")
    assert len(line.aws.calls) == asked
    assert found_before(line)[0] == shown  # the journal keeps it


@pytest.mark.parametrize("drift", ["another TTL", "deleted"])
def test_it_repairs_a_ttl_that_was_set(line: Machine, drift: str) -> None:
    line.environment["DDNS_TTL"] = "120"
    line.run()
    meddle(line, drift)
    assert line.run()["outcome"] == "updated"
    assert standing(line) == (["9.9.9.9"], 120)


def test_the_journal_keeps_what_was_found_and_when(machine: Machine) -> None:
    begin(machine)
    shown = meddle(machine, "another address")
    start = datetime.now(UTC).replace(microsecond=0)
    assert machine.run()["outcome"] == "updated"
    (entry,) = machine.ddns("history", "--json").json
    (record,) = entry["records"]
    assert record["drift"] == shown
    assert 0 <= (datetime.fromisoformat(record["drift_at"]) - start).total_seconds() < 30
    drift, at = found_before(machine)
    assert (drift, datetime.fromisoformat(str(at)).replace(tzinfo=UTC)) == (
        shown,
        datetime.fromisoformat(record["drift_at"]),
    )
    machine.statements_hold("9.9.9.9")


def test_it_does_not_look_before_the_interval_is_over(line: Machine) -> None:
    meddle(line, "another address")
    age(line, "+100 years")  # seen in the future: it is looked at
    assert line.run()["outcome"] == "updated"
    line.aws.delete(line.zone_id, HOME)
    line.aws.calls.clear()
    assert line.run()["outcome"] == "unchanged"
    assert line.aws.calls == []


def test_a_record_that_holds_has_no_drift(line: Machine) -> None:
    grow_old(line)
    done = line.ddns("run", "--json")
    assert (done.err, done.json["outcome"], done.json["results"][0]["warnings"]) == ("", "unchanged", [])
    assert found_before(line) == (None, None)
    assert line.aws.count()[CHANGE] == 1


def test_a_new_version_begins_without_drift(line: Machine) -> None:
    meddle(line, "another address")
    line.service.address = "1.1.1.1"
    done = line.ddns("run", "--json")
    assert (done.err, done.json["outcome"]) == ("", "updated")
    assert found_before(line) == (None, None)
    line.statements_hold("1.1.1.1")


def test_it_says_so_when_cron_mails_only_what_changed(line: Machine) -> None:
    shown = meddle(line, "deleted")
    done = line.ddns("run", "--quiet")
    assert done.err == f"warning: {HOME} A held {shown}; it is being repaired\n"
    assert done.out.startswith("updated: ")


def test_it_repairs_one_of_three_and_sends_nothing_of_the_others(line: Machine) -> None:
    line.environment["DDNS_RECORDS"] = f"{HOME},b.example.com,c.example.com"
    line.run()
    line.aws.bodies.clear()
    meddle(line, "another address", "b.example.com")
    assert line.run()["outcome"] == "updated"
    (sent,) = filter(None, line.aws.bodies)
    assert sent.count("<Change>") == 1
    assert "<Name>b.example.com</Name>" in sent
    assert line.aws.address(line.zone_id, "b.example.com") == "9.9.9.9"


@pytest.mark.parametrize("ttl", [None, "120"])
def test_it_brings_back_the_ttl_in_the_run_after_a_repair_that_failed(line: Machine, ttl: str | None) -> None:
    line.environment |= {"DDNS_TTL": ttl} if ttl else {}
    line.run()
    meddle(line, "both")
    line.aws.fault(CHANGE, refuse("AccessDenied"), times=1)
    done = line.ddns("run", "--json")
    assert (done.status, done.json["outcome"]) == (1, "failed")
    assert standing(line) == (["8.8.8.8"], 300)
    assert line.run()["outcome"] == "updated"
    assert standing(line) == (["9.9.9.9"], int(ttl or 60))


def test_a_dry_run_says_what_it_would_repair_and_writes_nothing(line: Machine) -> None:
    shown = meddle(line, "another address")
    done = line.ddns("run", "--dry-run")
    assert (done.status, done.err) == (0, f"warning: {HOME} A held {shown}; it would be repaired\n")
    assert "would be published" in done.out
    assert line.aws.count()[CHANGE] == 1
    assert found_before(line) == (None, None)


# Reporting


@pytest.mark.parametrize("drift", ["another address", "another TTL", "deleted"])
def test_it_reports_drift_each_run_until_it_is_put_right(line: Machine, drift: str) -> None:
    line.environment["DDNS_ON_DRIFT"] = "report"
    shown = meddle(line, drift)
    before = standing(line)
    for _ in range(2):
        records, text = failing(line)
        assert text == f"{HOME} A should hold 9.9.9.9 with TTL 60, not {shown}; {ADVICE}"
        assert records[HOME]["state"] == "verified"
        assert records[HOME]["error"] == text
    assert standing(line) == before
    assert found_before(line)[0] == shown
    line.aws.put_address(line.zone_id, HOME, "9.9.9.9")
    done = line.ddns("run", "--json")
    assert (done.status, done.err, done.json["outcome"]) == (0, "", "unchanged")
    assert journal(line)[HOME]["lastError"] is None
    assert found_before(line)[0] == shown
    assert line.aws.count()[CHANGE] == 1


def test_it_repairs_what_it_reported_when_the_setting_changes(line: Machine) -> None:
    shown = meddle(line, "both")
    failing(line, DDNS_ON_DRIFT="report")
    done = line.ddns("run", "--json")
    assert done.err == f"warning: {HOME} A held {shown}; it is being repaired\n"
    assert done.json["outcome"] == "updated"
    assert standing(line) == (["9.9.9.9"], 60)
    assert journal(line)[HOME]["lastError"] is None


def test_it_goes_on_reporting_when_it_is_not_to_recheck(line: Machine) -> None:
    line.environment["DDNS_ON_DRIFT"] = "report"
    meddle(line, "another address")
    failing(line)
    failing(line, DDNS_RECHECK_EVERY="0")


def test_it_publishes_a_new_address_over_what_it_reported(line: Machine) -> None:
    line.environment["DDNS_ON_DRIFT"] = "report"
    meddle(line, "another address")
    failing(line)
    line.service.address = "1.1.1.1"
    assert line.run()["outcome"] == "updated"
    line.statements_hold("1.1.1.1")


def test_one_record_that_drifted_does_not_hold_back_another(line: Machine) -> None:
    line.environment |= {"DDNS_ON_DRIFT": "report", "DDNS_RECORDS": f"{HOME},new.example.com"}
    meddle(line, "another address")
    records, _ = failing(line)
    assert {name: each["state"] for name, each in records.items()} == {HOME: "verified", "new.example.com": "verified"}
    assert records["new.example.com"]["error"] is None
    assert line.aws.address(line.zone_id, "new.example.com") == "9.9.9.9"
    assert line.aws.address(line.zone_id) == "8.8.8.8"


# An alias in its place


def test_it_does_not_overwrite_an_alias_that_came_later(line: Machine) -> None:
    replace_with_an_alias(line)
    for _ in range(2):
        records, text = failing(line)
        assert OBSTACLES["alias"][1] in text
        assert records[HOME]["state"] == "failed"
    assert found_before(line)[0] == OBSTACLES["alias"][1]
    assert line.aws.count()[CHANGE] == 1
    line.aws.delete(line.zone_id, HOME)
    line.statements_hold("9.9.9.9")
    assert standing(line) == (["9.9.9.9"], 60)


def test_an_alias_that_is_only_reported_stays_as_long_as_it_stands(line: Machine) -> None:
    line.environment["DDNS_ON_DRIFT"] = "report"
    replace_with_an_alias(line)
    _, text = failing(line)
    assert text == f"{HOME} A should hold 9.9.9.9 with TTL 60, not {OBSTACLES['alias'][1]}; correct it"
    line.aws.delete(line.zone_id, HOME)
    line.aws.put_address(line.zone_id, HOME, "8.8.8.8")
    _, text = failing(line)
    assert text == f"{HOME} A should hold 9.9.9.9 with TTL 60, not 8.8.8.8 with TTL 60; {ADVICE}"
    assert line.aws.count()[CHANGE] == 1
