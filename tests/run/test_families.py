"""A and AAAA kept together: two independent families, over address services on 127.0.0.1 and ::1."""

import csv
import io
import re
import time
from collections.abc import Iterator
from contextlib import nullcontext
from functools import partial
from ipaddress import ip_address
from ssl import create_default_context
from typing import Any

import pytest

from ddns_updater.app import factories
from ddns_updater.app.init import initialise
from ddns_updater.lib.deadline import time_limit
from ddns_updater.model import Family, FamilyResult, Record
from ddns_updater.run.publisher import Publisher
from ddns_updater.run.steps import Policy
from ddns_updater.run.updater import Plan, Updater
from ddns_updater.run.verifier import Verifier
from ddns_updater.sources.http import HttpSource
from ddns_updater.sources.spec import HttpSpec
from tests.run.test_publishing import CHANGE, HOME
from tests.support.aws import pending, refuse
from tests.support.machine import Machine
from tests.support.sdk import open_route53
from tests.support.services import AddressService, answer, hang, running

V4, V6, V6_NEXT = "9.9.9.9", "2620:fe::fe", "2606:4700:4700::1111"


@pytest.fixture
def ipv6_service() -> Iterator[AddressService]:
    """Give an address service that is reachable over IPv6 only."""
    with running("::1") as each:
        each.address = V6
        yield each


def both(machine: Machine, ipv6_service: AddressService) -> Machine:
    """Return `machine` with settings for both families; nothing is seeded."""
    machine.environment["DDNS_IP_FAMILIES"] = "ipv4,ipv6"
    machine.environment["DDNS_IP_SOURCES"] = f"{machine.service.url},{ipv6_service.url}"
    return machine


@pytest.fixture
def dual(machine: Machine, ipv6_service: AddressService) -> Machine:
    """Give a machine that was never initialised, on each engine in turn."""
    return both(machine, ipv6_service)


@pytest.fixture
def empty(small_machine: Machine, ipv6_service: AddressService) -> Machine:
    """Give a machine on SQLite that was never initialised."""
    return both(small_machine, ipv6_service)


@pytest.fixture
def seeded(small_machine: Machine, ipv6_service: AddressService) -> Machine:
    """Give a machine on SQLite whose origins have 9.9.9.9 and 2620:fe::fe and were never published."""
    addresses = {Family.IPV4: ip_address(V4), Family.IPV6: ip_address(V6)}
    initialise(small_machine.database.settings(), name="line", addresses=addresses)
    return both(small_machine, ipv6_service)


def states(machine: Machine) -> dict[tuple[str, str], str]:
    """Return the state of every record, by address and type."""
    rows = machine.database.sql(
        "SELECT h.ip, p.recordType, p.state FROM admin_dns_publication p JOIN admin_ip_history h ON h.id = p.historyId"
    )
    return {(ip, kind): state for ip, kind, state in rows}


def addresses(machine: Machine, name: str = HOME) -> tuple[str | None, str | None]:
    return machine.aws.address(machine.zone_id, name), machine.aws.address(machine.zone_id, name, "AAAA")


def outcomes(result: Any) -> dict[str, str]:
    return {each["family"]: each["outcome"] for each in result["results"]}


# Seeding


def test_init_seeds_both_families_and_a_run_publishes_both(dual: Machine, ipv6_service: AddressService) -> None:
    done = dual.ddns("init", "--name", "line", "--note", "office")
    assert (done.status, done.err) == (0, "")
    assert f"created origin line: version 1 is {V4}\ncreated origin line: version 1 is {V6}\n" in done.out
    rows = dual.database.sql("SELECT ip, name, version, originId = id, note FROM admin_ip_history ORDER BY id")
    assert [tuple(row) for row in rows] == [(V4, "line", 1, 1, "office"), (V6, "line", 1, 1, "office")]
    result = dual.run()
    assert outcomes(result) == {"ipv4": "updated", "ipv6": "updated"}
    assert [(each["address"], each["version"]) for each in result["results"]] == [(V4, 1), (V6, 1)]
    assert [each["source"] for each in result["results"]] == [dual.service.url, ipv6_service.url]
    assert [[(record["name"], record["type"]) for record in each["records"]] for each in result["results"]] == [
        [(HOME, "A")],
        [(HOME, "AAAA")],
    ]
    assert addresses(dual) == (V4, V6)
    assert states(dual) == {(V4, "A"): "verified", (V6, "AAAA"): "verified"}
    asked = len(dual.aws.calls)
    assert outcomes(dual.run()) == {"ipv4": "unchanged", "ipv6": "unchanged"}
    assert len(dual.aws.calls) == asked


def test_the_ipv6_origin_is_seeded_when_it_is_added_to_the_settings(empty: Machine) -> None:
    assert empty.ddns("init", "--name", "line", DDNS_IP_FAMILIES="ipv4").status == 0
    empty.run(DDNS_IP_FAMILIES="ipv4")
    done = empty.ddns("run", "--json")
    assert done.status == 1
    assert outcomes(done.json) == {"ipv4": "unchanged", "ipv6": "failed"}
    assert done.json["results"][1]["error"] == 'there is no ipv6 origin line; run "ddns init --name line"'
    done = empty.ddns("init", "--name", "line", DDNS_IP_FAMILIES="ipv6,ipv4")
    assert (done.status, done.err) == (0, "")
    assert done.out.splitlines()[1:] == [
        f"created origin line: version 1 is {V6}",
        f"origin line already exists: version 1 is {V4}; nothing changed",
    ]
    assert outcomes(empty.run()) == {"ipv4": "unchanged", "ipv6": "updated"}
    assert empty.database.versions() == [(1, V4), (1, V6)]
    assert addresses(empty) == (V4, V6)
    again = empty.ddns("init", "--name", "line")
    assert again.out.count("nothing changed") == 2


def test_init_takes_one_address_and_detects_the_other(empty: Machine) -> None:
    assert empty.ddns("init", "--name", "line", "--ip", V6_NEXT).status == 0
    assert empty.database.versions() == [(1, V4), (1, V6_NEXT)]


def test_init_writes_nothing_when_one_family_has_no_address(empty: Machine, ipv6_service: AddressService) -> None:
    ipv6_service.stop()
    done = empty.ddns("init", "--name", "line")
    assert done.status == 1
    assert "no trustworthy ipv6 address" in done.err
    assert empty.database.sql("SELECT name FROM sqlite_master") == []


def test_ipv6_alone_is_enough(empty: Machine) -> None:
    empty.environment["DDNS_IP_FAMILIES"] = "ipv6"
    empty.ddns("init", "--name", "line")
    assert outcomes(empty.run()) == {"ipv6": "updated"}
    assert addresses(empty) == (None, V6)
    assert empty.database.versions() == [(1, V6)]


# Detection


def test_each_family_asks_over_its_own_sockets(seeded: Machine, ipv6_service: AddressService) -> None:
    seeded.run()
    assert (seeded.service.requests, ipv6_service.requests) == (1, 1)
    # the first works in one family only
    seeded.environment["DDNS_IP_SOURCES"] = f"{ipv6_service.url},{seeded.service.url}"
    assert outcomes(seeded.run()) == {"ipv4": "unchanged", "ipv6": "unchanged"}
    assert (seeded.service.requests, ipv6_service.requests) == (2, 2)


@pytest.mark.parametrize("said", [V4, f"::ffff:{V4}", "fe80::1", "2620:fe::fe%eth0", ""])
def test_an_answer_that_is_no_public_ipv6_address_never_reaches_aaaa(
    seeded: Machine, ipv6_service: AddressService, said: str
) -> None:
    seeded.run()
    seeded.service.address = "1.1.1.1"
    ipv6_service.address = said
    done = seeded.ddns("run", "--json")
    assert done.status == 1
    assert outcomes(done.json) == {"ipv4": "updated", "ipv6": "failed"}
    assert addresses(seeded) == ("1.1.1.1", V6)
    assert seeded.database.versions() == [(1, V4), (2, "1.1.1.1"), (1, V6)]


def test_an_ipv6_answer_never_reaches_an_a_record(seeded: Machine) -> None:
    seeded.run()
    seeded.service.address = V6_NEXT
    assert outcomes(seeded.run()) == {"ipv4": "failed", "ipv6": "unchanged"}
    assert addresses(seeded) == (V4, V6)


@pytest.mark.parametrize("long", ["2606:4700:4700:0:0::1111", "2606:4700:4700:0000:0000:0000:0000:1111"])
def test_ipv6_addresses_are_compared_by_value(seeded: Machine, ipv6_service: AddressService, long: str) -> None:
    ipv6_service.address = long.upper()
    assert seeded.run()["results"][1]["address"] == V6_NEXT
    seeded.database.sql("UPDATE admin_ip_history SET ip = ? WHERE ip = ?", (long, V6_NEXT))
    seeded.aws.put_address(seeded.zone_id, HOME, long, kind="AAAA")
    seeded.database.sql("UPDATE admin_dns_publication SET checkedAt = '2020-01-01 00:00:00'")
    done = seeded.ddns("run", "--json")
    assert (done.err, outcomes(done.json)) == ("", {"ipv4": "unchanged", "ipv6": "unchanged"})
    assert seeded.database.versions() == [(1, V4), (1, V6), (2, long)]
    assert seeded.aws.count()[CHANGE] == 2


def run_for(machine: Machine, seconds: float) -> dict[str, FamilyResult]:
    """Do a run limited to `seconds` in this process, with sources that wait longer, and return its results."""
    urls = machine.environment["DDNS_IP_SOURCES"].split(",")
    ended = Updater(
        Plan("line", (Family.IPV4, Family.IPV6), (Record(HOME, "A"), Record(HOME, "AAAA")), seconds),
        sources=[HttpSource(HttpSpec(url), timeout=60, retries=0, open_tls=create_default_context) for url in urls],
        open_history=partial(factories.open_history, machine.database.settings()),
        publisher=Publisher(Policy(), open_route53),
        verifier=Verifier(open_route53),
        whole_run=nullcontext,
        limit=time_limit,
    ).run()  # fmt: skip
    return {each.family: each for each in ended.results}


def test_a_run_shares_its_time_between_the_families(
    seeded: Machine, ipv6_service: AddressService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", seeded.aws.url)
    ipv6_service.address = V6_NEXT
    seeded.service.play = hang
    start = time.monotonic()
    results = run_for(seeded, 2.4)
    assert time.monotonic() - start < 5
    assert {family: each.outcome for family, each in results.items()} == {"ipv4": "failed", "ipv6": "updated"}
    assert f"{seeded.service.url} did not finish within its 0.3 s" in (results["ipv4"].error or "")  # one of its two
    assert addresses(seeded) == (None, V6_NEXT)


def test_two_families_that_both_hang_end_in_time(seeded: Machine, ipv6_service: AddressService) -> None:
    seeded.service.play = ipv6_service.play = hang
    start = time.monotonic()
    results = run_for(seeded, 1.6)
    assert time.monotonic() - start < 5
    assert {family: each.outcome for family, each in results.items()} == {"ipv4": "failed", "ipv6": "failed"}
    for family, service in (("ipv4", seeded.service), ("ipv6", ipv6_service)):
        error = results[family].error or ""
        assert f"no trustworthy {family} address" in error
        assert re.search(rf"{re.escape(service.url)} did not finish within its 0\.[24] s", error)  # one or both of two


# Independence


@pytest.mark.parametrize("bad", ["ipv4", "ipv6"])
def test_one_family_without_an_address_does_not_hold_back_the_other(
    seeded: Machine, ipv6_service: AddressService, bad: str
) -> None:
    seeded.run()
    seeded.service.address, ipv6_service.address = "1.1.1.1", V6_NEXT
    (seeded.service if bad == "ipv4" else ipv6_service).stop()
    done = seeded.ddns("run", "--json")
    assert done.status == 1
    assert done.json["outcome"] == "failed"
    assert outcomes(done.json) == {"ipv4": "updated", "ipv6": "updated"} | {bad: "failed"}
    assert addresses(seeded) == ((V4, V6_NEXT) if bad == "ipv4" else ("1.1.1.1", V6))
    recorded = {"ipv4": [(1, V4), (1, V6), (2, V6_NEXT)], "ipv6": [(1, V4), (2, "1.1.1.1"), (1, V6)]}
    assert seeded.database.versions() == recorded[bad]
    quiet = seeded.ddns("run", "--quiet", DDNS_ALERT_AFTER="1")
    assert (quiet.status, quiet.out) == (1, "")
    assert f", 2 failed runs. Cause: no trustworthy {bad} address" in quiet.err
    assert len(quiet.err.splitlines()) == 1


def test_one_family_that_is_held_does_not_hold_back_the_other(seeded: Machine) -> None:
    seeded.service.address = "1.1.1.1"
    with running("127.0.0.2") as other, running("::1") as other_ipv6:
        other_ipv6.address = V6
        other.address = "8.8.8.8"
        seeded.environment["DDNS_IP_SOURCES"] += f",{other.url},{other_ipv6.url}"
        done = seeded.ddns("run", "--json", DDNS_IP_AGREEMENT="required")
    assert done.status == 1
    assert done.json["outcome"] == "held"
    assert outcomes(done.json) == {"ipv4": "held", "ipv6": "updated"}
    assert addresses(seeded) == (None, V6)
    assert seeded.database.versions() == [(1, V4), (1, V6)]


def test_a_refused_aaaa_does_not_hold_back_a(seeded: Machine) -> None:
    seeded.aws.fault(CHANGE, refuse("AccessDenied"), containing="<Type>AAAA</Type>")
    done = seeded.ddns("run", "--json")
    assert done.status == 1
    assert outcomes(done.json) == {"ipv4": "updated", "ipv6": "failed"}
    assert states(seeded) == {(V4, "A"): "verified", (V6, "AAAA"): "failed"}
    seeded.aws.heal()
    assert outcomes(seeded.run()) == {"ipv4": "unchanged", "ipv6": "updated"}
    assert addresses(seeded) == (V4, V6)


def test_a_change_that_is_never_in_sync_does_not_block_the_other_family(seeded: Machine) -> None:
    seeded.aws.fault("GetChange", pending, containing=f"/change/{seeded.aws.next_change_id}")
    done = seeded.ddns("run", "--json", DDNS_VERIFY_TIMEOUT="2")
    assert (done.status, done.json["outcome"]) == (0, "pending")
    assert outcomes(done.json) == {"ipv4": "pending", "ipv6": "updated"}
    assert states(seeded) == {(V4, "A"): "submitted", (V6, "AAAA"): "verified"}


def test_an_alias_of_one_type_does_not_hold_back_the_other(seeded: Machine) -> None:
    target = {"HostedZoneId": "Z2FDTNDATAQYW2", "DNSName": "d1.cloudfront.net.", "EvaluateTargetHealth": False}
    seeded.aws.put(seeded.zone_id, {"Name": HOME, "Type": "AAAA", "AliasTarget": target})
    assert outcomes(seeded.run()) == {"ipv4": "updated", "ipv6": "failed"}
    assert seeded.aws.address(seeded.zone_id) == V4
    assert "AliasTarget" in seeded.aws.record_sets(seeded.zone_id)[HOME, "AAAA"]


def test_drift_of_aaaa_is_repaired_without_touching_a(seeded: Machine) -> None:
    seeded.run()
    seeded.aws.put_address(seeded.zone_id, HOME, V6_NEXT, kind="AAAA")
    seeded.database.sql("UPDATE admin_dns_publication SET checkedAt = '2020-01-01 00:00:00'")
    done = seeded.ddns("run", "--json")
    assert done.err == f"warning: {HOME} AAAA held {V6_NEXT} with TTL 60; it is being repaired\n"
    assert outcomes(done.json) == {"ipv4": "unchanged", "ipv6": "updated"}
    assert addresses(seeded) == (V4, V6)
    assert seeded.aws.count()[CHANGE] == 3


def test_only_the_family_that_another_run_has_locked_is_skipped(dual: Machine) -> None:
    dual.ddns("init", "--name", "line")
    with factories.open_history(dual.database.settings()) as history:
        (origin,) = (each for each in history.origins("line") if each.family is Family.IPV6)
        with history.lock(origin.of(Family.IPV6)) as mine:
            assert mine
            done = dual.ddns("run", "--json")
    assert (done.status, done.err, done.json["outcome"]) == (0, "", "updated")
    assert outcomes(done.json) == {"ipv4": "updated", "ipv6": "skipped"}
    assert addresses(dual) == (V4, None)
    assert outcomes(dual.run()) == {"ipv4": "unchanged", "ipv6": "updated"}


# Records of one family


def test_a_record_may_be_restricted_to_one_family(seeded: Machine) -> None:
    other = seeded.aws.zone()
    seeded.environment["DDNS_RECORDS"] = (
        f"a.example.com/A={seeded.zone_id},b.example.com/aaaa={other},c.example.com/A={seeded.zone_id},"
        f"c.example.com/AAAA={other},d.example.com={seeded.zone_id}"
    )
    result = seeded.run()
    assert outcomes(result) == {"ipv4": "updated", "ipv6": "updated"}
    found = {
        zone: {key for key in seeded.aws.record_sets(zone) if key[1] in ("A", "AAAA")}
        for zone in (seeded.zone_id, other)
    }
    assert found == {
        seeded.zone_id: {
            ("a.example.com", "A"),
            ("c.example.com", "A"),
            ("d.example.com", "A"),
            ("d.example.com", "AAAA"),
        },
        other: {("b.example.com", "AAAA"), ("c.example.com", "AAAA")},
    }
    assert outcomes(seeded.run()) == {"ipv4": "unchanged", "ipv6": "unchanged"}


def test_a_family_without_records_keeps_its_history(seeded: Machine, ipv6_service: AddressService) -> None:
    seeded.environment["DDNS_RECORDS"] = f"{HOME}/A"
    ipv6_service.address = V6_NEXT
    assert outcomes(seeded.run()) == {"ipv4": "updated", "ipv6": "updated"}
    assert addresses(seeded) == (V4, None)
    assert seeded.database.versions() == [(1, V4), (1, V6), (2, V6_NEXT)]


# What is shown


def test_a_dry_run_reports_both_families_and_writes_nothing(seeded: Machine, ipv6_service: AddressService) -> None:
    seeded.service.address, ipv6_service.address = "1.1.1.1", V6_NEXT
    done = seeded.ddns("run", "--dry-run")
    assert (done.status, done.err) == (0, "")
    assert done.out == (
        f"dry run, updated: 1.1.1.1 (was {V4}) would be version 2 of line; {HOME} A would be published\n"
        f"dry run, updated: {V6_NEXT} (was {V6}) would be version 2 of line; {HOME} AAAA would be published\n"
    )
    assert seeded.database.versions() == [(1, V4), (1, V6)]
    assert CHANGE not in seeded.aws.calls
    assert states(seeded) == {}


def test_the_history_shows_both_families(empty: Machine, ipv6_service: AddressService) -> None:
    empty.ddns("init", "--name", "line")
    empty.run()
    ipv6_service.address = V6_NEXT
    assert outcomes(empty.run()) == {"ipv4": "unchanged", "ipv6": "updated"}
    entries = empty.ddns("history", "--json").json
    assert [(each["family"], each["version"], each["address"]) for each in entries] == [
        ("ipv6", 2, V6_NEXT),
        ("ipv6", 1, V6),
        ("ipv4", 1, V4),
    ]
    assert [each["until"] is None for each in entries] == [True, False, True]
    assert [[record["type"] for record in each["records"]] for each in entries] == [["AAAA"], ["AAAA"], ["A"]]
    table = empty.ddns("history").out
    assert all(address in table for address in (V4, V6, V6_NEXT))
    rows = list(csv.DictReader(io.StringIO(empty.ddns("history", "--csv").out)))
    assert [row["family"] for row in rows] == ["ipv6", "ipv6", "ipv4"]
    assert [each["address"] for each in empty.ddns("history", "--json", "--limit", "1").json] == [V6_NEXT]


def test_a_run_prints_one_line_for_each_family_that_changed(seeded: Machine, ipv6_service: AddressService) -> None:
    seeded.run()
    ipv6_service.play = answer(V6_NEXT)
    done = seeded.ddns("run", "--quiet")
    assert (done.status, done.err) == (0, "")
    (text,) = done.out.splitlines()
    assert text.startswith(f"updated: {V6_NEXT} (was {V6}) is version 2 of line; {HOME} AAAA verified after ")
