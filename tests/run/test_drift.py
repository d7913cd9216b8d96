"""Drift: what happens to a verified record that someone else changes, deletes or replaces."""

from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Any

import pytest

from ddns_updater.app.init import initialise
from ddns_updater.model import Family
from tests.dns.test_route53 import OBSTACLES
from tests.run.test_publishing import CHANGE, HOME, age, failing, journal
from tests.support.aws import pending, refuse
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
def published(small_machine: Machine) -> Machine:
    """Give a machine on SQLite whose record is verified at 9.9.9.9 with TTL 60."""
    seed_and_publish(small_machine)
    return small_machine


def seed_and_publish(machine: Machine) -> None:
    initialise(machine.database.settings(), name="line", addresses={Family.IPV4: ip_address("9.9.9.9")})
    assert machine.run()["outcome"] == "updated"


def cause_drift(machine: Machine, drift: str, name: str = HOME) -> str:
    """Change the record as someone else would, make the last check an old one, and return what DNS holds now."""
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


def current_record(machine: Machine) -> tuple[list[str], int] | None:
    found = machine.aws.record_sets(machine.zone_id).get((HOME, "A"))
    return ([each["Value"] for each in found["ResourceRecords"]], found["TTL"]) if found else None


def recorded_drift(machine: Machine) -> tuple[Any, ...]:
    (row,) = machine.database.sql("SELECT drift, driftAt FROM admin_dns_publication ORDER BY id DESC LIMIT 1")
    return row


# Repairing


@pytest.mark.parametrize("drift", DRIFTS)
def test_it_repairs_an_outside_change_in_the_same_run_and_reports_it(published: Machine, drift: str) -> None:
    shown = cause_drift(published, drift)
    done = published.ddns("run", "--json")
    warning = f"{HOME} A held {shown}; it is being repaired"
    assert (done.status, done.err) == (0, f"warning: {warning}\n")
    assert done.json["outcome"] == "updated"
    assert done.json["results"][0]["warnings"] == [warning]
    assert current_record(published) == (["9.9.9.9"], 60)
    assert (journal(published)[HOME]["state"], journal(published)[HOME]["lastError"]) == ("verified", None)
    assert recorded_drift(published)[0] == shown
    assert published.database.versions() == [(1, "9.9.9.9")]
    asked = len(published.aws.calls)
    again = published.ddns("run", "--json")
    assert (again.err, again.json["outcome"]) == ("", "unchanged")
    assert len(published.aws.calls) == asked
    assert recorded_drift(published)[0] == shown  # the journal keeps it


@pytest.mark.parametrize("drift", ["another TTL", "deleted"])
def test_it_restores_a_configured_ttl(published: Machine, drift: str) -> None:
    published.environment["DDNS_TTL"] = "120"
    published.run()
    cause_drift(published, drift)
    assert published.run()["outcome"] == "updated"
    assert current_record(published) == (["9.9.9.9"], 120)


def test_the_journal_keeps_what_was_found_and_when(machine: Machine) -> None:
    seed_and_publish(machine)
    shown = cause_drift(machine, "another address")
    start = datetime.now(UTC).replace(microsecond=0)
    assert machine.run()["outcome"] == "updated"
    (entry,) = machine.ddns("history", "--json").json
    (record,) = entry["records"]
    assert record["drift"] == shown
    assert 0 <= (datetime.fromisoformat(record["drift_at"]) - start).total_seconds() < 30
    drift, at = recorded_drift(machine)
    assert (drift, datetime.fromisoformat(str(at)).replace(tzinfo=UTC)) == (
        shown,
        datetime.fromisoformat(record["drift_at"]),
    )
    machine.statements_hold("9.9.9.9")


def test_it_does_not_check_again_before_the_interval_is_over(published: Machine) -> None:
    cause_drift(published, "another address")
    age(published, "+100 years")  # checked in the future: it is checked again
    assert published.run()["outcome"] == "updated"
    published.aws.delete(published.zone_id, HOME)
    published.aws.calls.clear()
    assert published.run()["outcome"] == "unchanged"
    assert published.aws.calls == []


def test_an_unchanged_record_has_no_drift(published: Machine) -> None:
    grow_old(published)
    done = published.ddns("run", "--json")
    assert (done.err, done.json["outcome"], done.json["results"][0]["warnings"]) == ("", "unchanged", [])
    assert recorded_drift(published) == (None, None)
    assert published.aws.count()[CHANGE] == 1


def test_a_new_version_starts_without_drift(published: Machine) -> None:
    cause_drift(published, "another address")
    published.run()
    published.service.address = "1.1.1.1"
    done = published.ddns("run", "--json")
    assert (done.err, done.json["outcome"]) == ("", "updated")
    assert recorded_drift(published) == (None, None)
    published.statements_hold("1.1.1.1")


def test_a_new_version_says_what_it_replaces_if_that_was_not_sent_by_this_program(published: Machine) -> None:
    shown = cause_drift(published, "another address")
    published.service.address = "1.1.1.1"
    done = published.ddns("run", "--json")
    assert (done.err, done.json["outcome"]) == (f"warning: {HOME} A held {shown}; it is being repaired\n", "updated")
    assert recorded_drift(published)[0] == shown
    published.statements_hold("1.1.1.1")


def test_an_address_of_an_earlier_version_is_expected(published: Machine) -> None:
    for address in ("1.1.1.1", "8.8.4.4"):
        published.service.address = address
        assert published.run()["outcome"] == "updated"
    published.aws.put_address(published.zone_id, HOME, "9.9.9.9")
    published.service.address = "1.0.0.1"
    done = published.ddns("run")
    assert (done.status, done.err) == (0, "")
    assert recorded_drift(published) == (None, None)


@pytest.mark.parametrize(("policy", "outcome"), [("repair", "updated"), ("report", "failed")])
def test_several_values_under_a_new_version_are_drift(published: Machine, policy: str, outcome: str) -> None:
    shown = cause_drift(published, "one more address")
    before = current_record(published)
    published.service.address = "1.1.1.1"
    done = published.ddns("run", "--json", DDNS_ON_DRIFT=policy)
    assert done.json["outcome"] == outcome
    assert shown in done.err
    assert recorded_drift(published)[0] == shown
    assert current_record(published) == ((["1.1.1.1"], 60) if policy == "repair" else before)


# Before the first publication


def seeded(machine: Machine, *values: str) -> Machine:
    """Give the machine a history at 9.9.9.9, and its name `values` that someone else wrote."""
    initialise(machine.database.settings(), name="line", addresses={Family.IPV4: ip_address("9.9.9.9")})
    records = [{"Value": value} for value in values]
    machine.aws.put(machine.zone_id, {"Name": HOME, "Type": "A", "TTL": 300, "ResourceRecords": records})
    return machine


def test_the_first_publication_says_what_it_replaces(machine: Machine) -> None:
    seeded(machine, "8.8.8.8")
    done = machine.ddns("run", "--dry-run")
    assert (done.status, done.err) == (0, f"warning: {HOME} A held 8.8.8.8 with TTL 300; it would be replaced\n")
    done = machine.ddns("run", "--quiet")
    assert (done.status, done.err) == (0, f"warning: {HOME} A held 8.8.8.8 with TTL 300; it is being replaced\n")
    assert current_record(machine) == (["9.9.9.9"], 300)
    assert recorded_drift(machine)[0] == "8.8.8.8 with TTL 300"


def test_the_first_publication_over_the_right_address_says_nothing(small_machine: Machine) -> None:
    done = seeded(small_machine, "9.9.9.9").ddns("run", "--quiet")
    assert (done.status, done.err) == (0, "")


@pytest.mark.parametrize("policy", ["repair", "report"])
def test_several_values_that_someone_else_wrote_are_left_alone(small_machine: Machine, policy: str) -> None:
    small_machine.environment["DDNS_ON_DRIFT"] = policy
    seeded(small_machine, "8.8.8.8", "9.9.9.9")
    for arguments in (["--dry-run"], [], []):
        done = small_machine.ddns("run", *arguments)
        assert done.status == 1
        assert (
            f"failed to change {HOME} A: it holds 2 values (8.8.8.8, 9.9.9.9), and none was written by this program;"
            " leave only one of them, or remove the name from DDNS_RECORDS"
        ) in done.err
    assert current_record(small_machine) == (["8.8.8.8", "9.9.9.9"], 300)
    assert small_machine.aws.count()[CHANGE] == 0
    small_machine.aws.put_address(small_machine.zone_id, HOME, "8.8.8.8", 300)
    assert small_machine.run()["outcome"] == "updated"


def test_a_value_that_comes_before_the_first_check_is_repaired(small_machine: Machine) -> None:
    initialise(small_machine.database.settings(), name="line", addresses={Family.IPV4: ip_address("9.9.9.9")})
    small_machine.aws.fault("GetChange", pending)
    small_machine.run(DDNS_VERIFY_TIMEOUT="0")
    small_machine.aws.heal()
    values = [{"Value": "9.9.9.9"}, {"Value": "8.8.8.8"}]
    small_machine.aws.put(small_machine.zone_id, {"Name": HOME, "Type": "A", "TTL": 60, "ResourceRecords": values})
    failing(small_machine)
    assert journal(small_machine)[HOME]["state"] == "failed"
    assert small_machine.run()["outcome"] == "updated"
    assert current_record(small_machine) == (["9.9.9.9"], 60)


def test_a_ttl_that_is_set_does_not_overwrite_what_is_only_reported(published: Machine) -> None:
    published.environment["DDNS_ON_DRIFT"] = "report"
    cause_drift(published, "another address")
    failing(published)
    failing(published, DDNS_TTL="300")
    assert current_record(published) == (["8.8.8.8"], 60)


# On request


def test_a_recheck_on_request_repairs_at_once(published: Machine) -> None:
    published.aws.put_address(published.zone_id, HOME, "8.8.8.8")
    assert published.run()["outcome"] == "unchanged"
    done = published.ddns("run", "--recheck", "--json")
    assert (done.status, done.json["outcome"]) == (0, "updated")
    assert current_record(published) == (["9.9.9.9"], 60)


def test_a_recheck_on_request_works_when_rechecks_are_off(published: Machine) -> None:
    published.aws.put_address(published.zone_id, HOME, "8.8.8.8")
    done = published.ddns("run", "--recheck", DDNS_RECHECK_EVERY="0")
    assert done.status == 0
    assert current_record(published) == (["9.9.9.9"], 60)


def test_a_repair_is_reported_even_with_quiet(published: Machine) -> None:
    shown = cause_drift(published, "deleted")
    done = published.ddns("run", "--quiet")
    assert done.err == f"warning: {HOME} A held {shown}; it is being repaired\n"
    assert done.out.startswith("updated: ")


def test_it_repairs_one_of_three_and_sends_nothing_for_the_others(published: Machine) -> None:
    published.environment["DDNS_RECORDS"] = f"{HOME},b.example.com,c.example.com"
    published.run()
    published.aws.bodies.clear()
    cause_drift(published, "another address", "b.example.com")
    assert published.run()["outcome"] == "updated"
    (sent,) = filter(None, published.aws.bodies)
    assert sent.count("<Change>") == 1
    assert "<Name>b.example.com</Name>" in sent
    assert published.aws.address(published.zone_id, "b.example.com") == "9.9.9.9"


@pytest.mark.parametrize("ttl", [None, "120"])
def test_it_restores_the_ttl_in_the_run_after_a_failed_repair(published: Machine, ttl: str | None) -> None:
    published.environment |= {"DDNS_TTL": ttl} if ttl else {}
    published.run()
    cause_drift(published, "both")
    published.aws.fault(CHANGE, refuse("AccessDenied"), times=1)
    done = published.ddns("run", "--json")
    assert (done.status, done.json["outcome"]) == (1, "failed")
    assert current_record(published) == (["8.8.8.8"], 300)
    assert published.run()["outcome"] == "updated"
    assert current_record(published) == (["9.9.9.9"], int(ttl or 60))


def test_a_dry_run_says_what_it_would_repair_and_writes_nothing(published: Machine) -> None:
    shown = cause_drift(published, "another address")
    done = published.ddns("run", "--dry-run")
    assert (done.status, done.err) == (0, f"warning: {HOME} A held {shown}; it would be repaired\n")
    assert "would be published" in done.out
    assert published.aws.count()[CHANGE] == 1
    assert recorded_drift(published) == (None, None)


# Reporting


@pytest.mark.parametrize("drift", ["another address", "another TTL", "deleted"])
def test_it_reports_drift_in_each_run_until_it_is_corrected(published: Machine, drift: str) -> None:
    published.environment["DDNS_ON_DRIFT"] = "report"
    shown = cause_drift(published, drift)
    before = current_record(published)
    for _ in range(2):
        records, text = failing(published)
        assert text == f"{HOME} A should hold 9.9.9.9 with TTL 60, not {shown}; {ADVICE}"
        assert records[HOME]["state"] == "verified"
        assert records[HOME]["error"] == text
    assert current_record(published) == before
    assert recorded_drift(published)[0] == shown
    published.aws.put_address(published.zone_id, HOME, "9.9.9.9")
    done = published.ddns("run", "--json")
    assert (done.status, done.err, done.json["outcome"]) == (0, "", "unchanged")
    assert journal(published)[HOME]["lastError"] is None
    assert recorded_drift(published)[0] == shown
    assert published.aws.count()[CHANGE] == 1


def test_a_new_address_does_not_overwrite_what_it_would_report(published: Machine) -> None:
    published.environment["DDNS_ON_DRIFT"] = "report"
    cause_drift(published, "another address")
    published.service.address = "1.1.1.1"
    for _ in range(2):
        records, _ = failing(published)
        assert records[HOME]["error"] == (f"home.example.com A should hold 1.1.1.1, not 8.8.8.8 with TTL 60; {ADVICE}")
        assert current_record(published) == (["8.8.8.8"], 60)
    assert published.database.versions() == [(1, "9.9.9.9"), (2, "1.1.1.1")]
    published.aws.delete(published.zone_id, HOME)
    assert published.run()["outcome"] == "updated"
    assert current_record(published) == (["1.1.1.1"], 60)


def test_it_repairs_what_it_reported_when_the_setting_changes(published: Machine) -> None:
    shown = cause_drift(published, "both")
    failing(published, DDNS_ON_DRIFT="report")
    done = published.ddns("run", "--json")
    assert done.err == f"warning: {HOME} A held {shown}; it is being repaired\n"
    assert done.json["outcome"] == "updated"
    assert current_record(published) == (["9.9.9.9"], 60)
    assert journal(published)[HOME]["lastError"] is None


def test_it_keeps_reporting_when_rechecks_are_off(published: Machine) -> None:
    published.environment["DDNS_ON_DRIFT"] = "report"
    cause_drift(published, "another address")
    failing(published)
    failing(published, DDNS_RECHECK_EVERY="0")


def test_one_record_that_drifted_does_not_hold_back_another(published: Machine) -> None:
    published.environment |= {"DDNS_ON_DRIFT": "report", "DDNS_RECORDS": f"{HOME},new.example.com"}
    cause_drift(published, "another address")
    records, _ = failing(published)
    assert {name: each["state"] for name, each in records.items()} == {HOME: "verified", "new.example.com": "verified"}
    assert records["new.example.com"]["error"] is None
    assert published.aws.address(published.zone_id, "new.example.com") == "9.9.9.9"
    assert published.aws.address(published.zone_id) == "8.8.8.8"


# An alias in its place


def test_it_does_not_overwrite_an_alias_that_appears_later(published: Machine) -> None:
    replace_with_an_alias(published)
    for _ in range(2):
        records, text = failing(published)
        assert OBSTACLES["alias"][1] in text
        assert records[HOME]["state"] == "failed"
    assert recorded_drift(published)[0] == OBSTACLES["alias"][1]
    assert published.aws.count()[CHANGE] == 1
    published.aws.delete(published.zone_id, HOME)
    published.statements_hold("9.9.9.9")
    assert current_record(published) == (["9.9.9.9"], 60)


def test_an_alias_and_what_replaces_it_are_reported_and_left_alone(published: Machine) -> None:
    published.environment["DDNS_ON_DRIFT"] = "report"
    replace_with_an_alias(published)
    _, text = failing(published)
    assert text == f"{HOME} A should hold 9.9.9.9 with TTL 60, not {OBSTACLES['alias'][1]}; correct it"
    published.aws.delete(published.zone_id, HOME)
    published.aws.put_address(published.zone_id, HOME, "8.8.8.8")
    _, text = failing(published)
    assert text == f"{HOME} A should hold 9.9.9.9 with TTL 60, not 8.8.8.8 with TTL 60; {ADVICE}"
    assert published.aws.count()[CHANGE] == 1
