"""A and AAAA kept together: two families that never meet, over address services on 127.0.0.1 and ::1."""

import csv
import io
import re
import time
from collections.abc import Iterator
from contextlib import closing, nullcontext
from functools import partial
from ipaddress import ip_address
from typing import Any

import pytest

from ddns_updater.app import factories
from ddns_updater.app.init import initialise
from ddns_updater.dns.route53 import Route53
from ddns_updater.history.mysql import MySqlHistory
from ddns_updater.history.sql import SqlHistory
from ddns_updater.history.sqlite import SqliteHistory
from ddns_updater.history.url import parse_database_url
from ddns_updater.lib.deadline import time_limit
from ddns_updater.model import Family, FamilyResult, Record
from ddns_updater.run.publisher import Policy, Publisher
from ddns_updater.run.updater import Plan, Updater
from ddns_updater.run.verifier import Verifier
from ddns_updater.sources.http import HttpSource
from tests.run.test_publishing import CHANGE, HOME
from tests.support.aws import pending, refuse
from tests.support.database import Database
from tests.support.machine import Machine
from tests.support.services import AddressService, answer, hang, running

V4, V6, V6_NEXT = "9.9.9.9", "2620:fe::fe", "2606:4700:4700::1111"


@pytest.fixture
def sixth() -> Iterator[AddressService]:
    """Give an address service that is reached over IPv6 alone."""
    with running("::1") as each:
        each.address = V6
        yield each


def both(machine: Machine, sixth: AddressService) -> Machine:
    """Return `machine` with settings for both families; nothing is seeded."""
    machine.environment["DDNS_IP_FAMILIES"] = "ipv4,ipv6"
    machine.environment["DDNS_IP_SOURCES"] = f"{machine.service.url},{sixth.url}"
    return machine


@pytest.fixture
def dual(machine: Machine, sixth: AddressService) -> Machine:
    """Give a machine on each engine in turn that was never initialised."""
    return both(machine, sixth)


@pytest.fixture
def empty(small_machine: Machine, sixth: AddressService) -> Machine:
    """Give a machine on SQLite that was never initialised."""
    return both(small_machine, sixth)


@pytest.fixture
def line(small_machine: Machine, sixth: AddressService) -> Machine:
    """Give a machine on SQLite whose origins stand at 9.9.9.9 and 2620:fe::fe and were never published."""
    addresses = {Family.IPV4: ip_address(V4), Family.IPV6: ip_address(V6)}
    initialise(small_machine.database.settings(), name="line", addresses=addresses)
    return both(small_machine, sixth)


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


def opened(database: Database) -> SqlHistory:
    url = parse_database_url(database.url)
    return SqliteHistory(url) if database.engine == "sqlite" else MySqlHistory(url)  # type: ignore[arg-type] # by engine


# Seeding


def test_init_seeds_both_families_and_a_run_publishes_both(dual: Machine, sixth: AddressService) -> None:
    done = dual.ddns("init", "--name", "line", "--note", "office")
    assert (done.status, done.err) == (0, "")
    assert f"created origin line: version 1 is {V4}\ncreated origin line: version 1 is {V6}\n" in done.out
    rows = dual.database.sql("SELECT ip, name, version, originId = id, note FROM admin_ip_history ORDER BY id")
    assert [tuple(row) for row in rows] == [(V4, "line", 1, 1, "office"), (V6, "line", 1, 1, "office")]
    result = dual.run()
    assert outcomes(result) == {"ipv4": "updated", "ipv6": "updated"}
    assert [(each["address"], each["version"]) for each in result["results"]] == [(V4, 1), (V6, 1)]
    assert [each["source"] for each in result["results"]] == [dual.service.url, sixth.url]
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
    assert done.out == (
        f"created origin line: version 1 is {V6}\norigin line already exists: version 1 is {V4}; nothing changed\n"
    )
    assert outcomes(empty.run()) == {"ipv4": "unchanged", "ipv6": "updated"}
    assert empty.database.versions() == [(1, V4), (1, V6)]
    assert addresses(empty) == (V4, V6)
    again = empty.ddns("init", "--name", "line")
    assert again.out.count("nothing changed") == 2


def test_init_takes_one_address_and_asks_for_the_other(empty: Machine) -> None:
    assert empty.ddns("init", "--name", "line", "--ip", V6_NEXT).status == 0
    assert empty.database.versions() == [(1, V4), (1, V6_NEXT)]


def test_init_writes_nothing_when_one_family_has_no_address(empty: Machine, sixth: AddressService) -> None:
    sixth.stop()
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


def test_each_family_asks_over_its_own_sockets(line: Machine, sixth: AddressService) -> None:
    line.run()
    assert (line.service.requests, sixth.requests) == (1, 1)
    line.environment["DDNS_IP_SOURCES"] = f"{sixth.url},{line.service.url}"  # the first works in one family only
    assert outcomes(line.run()) == {"ipv4": "unchanged", "ipv6": "unchanged"}
    assert (line.service.requests, sixth.requests) == (2, 2)


@pytest.mark.parametrize("said", [V4, f"::ffff:{V4}", "fe80::1", "2620:fe::fe%eth0", ""])
def test_what_is_no_public_ipv6_address_never_lands_in_aaaa(line: Machine, sixth: AddressService, said: str) -> None:
    line.run()
    line.service.address = "1.1.1.1"
    sixth.address = said
    done = line.ddns("run", "--json")
    assert done.status == 1
    assert outcomes(done.json) == {"ipv4": "updated", "ipv6": "failed"}
    assert addresses(line) == ("1.1.1.1", V6)
    assert line.database.versions() == [(1, V4), (2, "1.1.1.1"), (1, V6)]


def test_an_ipv6_answer_never_lands_in_a(line: Machine) -> None:
    line.run()
    line.service.address = V6_NEXT
    assert outcomes(line.run()) == {"ipv4": "failed", "ipv6": "unchanged"}
    assert addresses(line) == (V4, V6)


@pytest.mark.parametrize("long", ["2606:4700:4700:0:0::1111", "2606:4700:4700:0000:0000:0000:0000:1111"])
def test_ipv6_addresses_are_compared_by_value(line: Machine, sixth: AddressService, long: str) -> None:
    sixth.address = long.upper()
    assert line.run()["results"][1]["address"] == V6_NEXT
    line.database.sql("UPDATE admin_ip_history SET ip = ? WHERE ip = ?", (long, V6_NEXT))
    line.aws.put_address(line.zone_id, HOME, long, kind="AAAA")
    line.database.sql("UPDATE admin_dns_publication SET checkedAt = '2020-01-01 00:00:00'")
    done = line.ddns("run", "--json")
    assert (done.err, outcomes(done.json)) == ("", {"ipv4": "unchanged", "ipv6": "unchanged"})
    assert line.database.versions() == [(1, V4), (1, V6), (2, long)]
    assert line.aws.count()[CHANGE] == 2


def run_for(machine: Machine, seconds: float) -> dict[str, FamilyResult]:
    """Do a run of so many seconds in this process, with sources that wait longer, and return its results."""
    urls = machine.environment["DDNS_IP_SOURCES"].split(",")
    ended = Updater(
        Plan("line", (Family.IPV4, Family.IPV6), (Record(HOME, "A"), Record(HOME, "AAAA")), seconds),
        sources=[HttpSource(url, timeout=60, retries=0) for url in urls],
        open_history=partial(factories.open_history, machine.database.settings()),
        publisher=Publisher(Policy(), Route53),
        verifier=Verifier(Route53),
        whole_run=nullcontext,
        limit=time_limit,
    ).run()  # fmt: skip
    return {each.family: each for each in ended.results}


def test_a_run_shares_its_time_between_the_families(
    line: Machine, sixth: AddressService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", line.aws.url)
    sixth.address = V6_NEXT
    line.service.play = hang
    start = time.monotonic()
    results = run_for(line, 2.4)
    assert time.monotonic() - start < 5
    assert {family: each.outcome for family, each in results.items()} == {"ipv4": "failed", "ipv6": "updated"}
    assert f"{line.service.url} did not finish within its 0.3 s" in (results["ipv4"].error or "")  # one of its two
    assert addresses(line) == (None, V6_NEXT)


def test_two_families_that_both_hang_end_in_time(line: Machine, sixth: AddressService) -> None:
    line.service.play = sixth.play = hang
    start = time.monotonic()
    results = run_for(line, 1.6)
    assert time.monotonic() - start < 5
    assert {family: each.outcome for family, each in results.items()} == {"ipv4": "failed", "ipv6": "failed"}
    for family, service in (("ipv4", line.service), ("ipv6", sixth)):
        error = results[family].error or ""
        assert f"no trustworthy {family} address" in error
        assert re.search(rf"{re.escape(service.url)} did not finish within its 0\.[24] s", error)  # one or both of two


# Independence


@pytest.mark.parametrize("bad", ["ipv4", "ipv6"])
def test_one_family_without_an_address_does_not_hold_back_the_other(
    line: Machine, sixth: AddressService, bad: str
) -> None:
    line.run()
    line.service.address, sixth.address = "1.1.1.1", V6_NEXT
    (line.service if bad == "ipv4" else sixth).stop()
    done = line.ddns("run", "--json")
    assert done.status == 1
    assert done.json["outcome"] == "failed"
    assert outcomes(done.json) == {"ipv4": "updated", "ipv6": "updated"} | {bad: "failed"}
    assert addresses(line) == ((V4, V6_NEXT) if bad == "ipv4" else ("1.1.1.1", V6))
    recorded = {"ipv4": [(1, V4), (1, V6), (2, V6_NEXT)], "ipv6": [(1, V4), (2, "1.1.1.1"), (1, V6)]}
    assert line.database.versions() == recorded[bad]
    told = line.ddns("run", "--quiet")
    assert (told.status, told.out) == (1, "")
    assert told.err.startswith(f"failed: no trustworthy {bad} address")
    assert len(told.err.splitlines()) == 1


def test_one_family_that_is_held_does_not_hold_back_the_other(line: Machine) -> None:
    line.service.address = "1.1.1.1"
    with running("127.0.0.2") as other, running("::1") as fourth:
        fourth.address = V6
        other.address = "8.8.8.8"
        line.environment["DDNS_IP_SOURCES"] += f",{other.url},{fourth.url}"
        done = line.ddns("run", "--json", DDNS_IP_AGREEMENT="required")
    assert done.status == 1
    assert done.json["outcome"] == "held"
    assert outcomes(done.json) == {"ipv4": "held", "ipv6": "updated"}
    assert addresses(line) == (None, V6)
    assert line.database.versions() == [(1, V4), (1, V6)]


def test_a_refused_aaaa_does_not_hold_back_a(line: Machine) -> None:
    line.aws.fault(CHANGE, refuse("AccessDenied"), containing="<Type>AAAA</Type>")
    done = line.ddns("run", "--json")
    assert done.status == 1
    assert outcomes(done.json) == {"ipv4": "updated", "ipv6": "failed"}
    assert states(line) == {(V4, "A"): "verified", (V6, "AAAA"): "failed"}
    line.aws.heal()
    assert outcomes(line.run()) == {"ipv4": "unchanged", "ipv6": "updated"}
    assert addresses(line) == (V4, V6)


def test_a_change_that_is_not_in_sync_does_not_keep_the_other_waiting_for_ever(line: Machine) -> None:
    line.aws.fault("GetChange", pending, containing=f"/change/{line.aws.next_change_id}")
    done = line.ddns("run", "--json", DDNS_VERIFY_TIMEOUT="2")
    assert (done.status, done.json["outcome"]) == (0, "pending")
    assert outcomes(done.json) == {"ipv4": "pending", "ipv6": "updated"}
    assert states(line) == {(V4, "A"): "submitted", (V6, "AAAA"): "verified"}


def test_an_alias_of_one_type_does_not_hold_back_the_other(line: Machine) -> None:
    target = {"HostedZoneId": "Z2FDTNDATAQYW2", "DNSName": "d1.cloudfront.net.", "EvaluateTargetHealth": False}
    line.aws.put(line.zone_id, {"Name": HOME, "Type": "AAAA", "AliasTarget": target})
    assert outcomes(line.run()) == {"ipv4": "updated", "ipv6": "failed"}
    assert line.aws.address(line.zone_id) == V4
    assert "AliasTarget" in line.aws.record_sets(line.zone_id)[HOME, "AAAA"]


def test_drift_of_aaaa_is_repaired_without_a_touch_to_a(line: Machine) -> None:
    line.run()
    line.aws.put_address(line.zone_id, HOME, V6_NEXT, kind="AAAA")
    line.database.sql("UPDATE admin_dns_publication SET checkedAt = '2020-01-01 00:00:00'")
    done = line.ddns("run", "--json")
    assert done.err == f"warning: {HOME} AAAA held {V6_NEXT} with TTL 60; it is being repaired\n"
    assert outcomes(done.json) == {"ipv4": "unchanged", "ipv6": "updated"}
    assert addresses(line) == (V4, V6)
    assert line.aws.count()[CHANGE] == 3


def test_a_family_that_another_run_has_in_hand_is_skipped_alone(dual: Machine) -> None:
    dual.ddns("init", "--name", "line")
    with closing(opened(dual.database)) as history:
        (origin,) = (each for each in history.origins("line") if each.family is Family.IPV6)
        with history.lock(str(origin.id)) as mine:
            assert mine
            done = dual.ddns("run", "--json")
    assert (done.status, done.err, done.json["outcome"]) == (0, "", "updated")
    assert outcomes(done.json) == {"ipv4": "updated", "ipv6": "skipped"}
    assert addresses(dual) == (V4, None)
    assert outcomes(dual.run()) == {"ipv4": "unchanged", "ipv6": "updated"}


# Records of one family


def test_a_record_may_be_restricted_to_one_family(line: Machine) -> None:
    other = line.aws.zone()
    line.environment["DDNS_RECORDS"] = (
        f"a.example.com/A={line.zone_id},b.example.com/aaaa={other},c.example.com/A={line.zone_id},"
        f"c.example.com/AAAA={other},d.example.com={line.zone_id}"
    )
    result = line.run()
    assert outcomes(result) == {"ipv4": "updated", "ipv6": "updated"}
    found = {
        zone: {key for key in line.aws.record_sets(zone) if key[1] in ("A", "AAAA")} for zone in (line.zone_id, other)
    }
    assert found == {
        line.zone_id: {
            ("a.example.com", "A"),
            ("c.example.com", "A"),
            ("d.example.com", "A"),
            ("d.example.com", "AAAA"),
        },
        other: {("b.example.com", "AAAA"), ("c.example.com", "AAAA")},
    }
    assert outcomes(line.run()) == {"ipv4": "unchanged", "ipv6": "unchanged"}


def test_a_family_without_records_keeps_its_history(line: Machine, sixth: AddressService) -> None:
    line.environment["DDNS_RECORDS"] = f"{HOME}/A"
    sixth.address = V6_NEXT
    assert outcomes(line.run()) == {"ipv4": "updated", "ipv6": "updated"}
    assert addresses(line) == (V4, None)
    assert line.database.versions() == [(1, V4), (1, V6), (2, V6_NEXT)]


# What is shown


def test_a_dry_run_tells_of_both_and_writes_nothing(line: Machine, sixth: AddressService) -> None:
    line.service.address, sixth.address = "1.1.1.1", V6_NEXT
    done = line.ddns("run", "--dry-run")
    assert (done.status, done.err) == (0, "")
    assert done.out == (
        f"dry run, updated: 1.1.1.1 (was {V4}) would be version 2 of line; {HOME} A would be published\n"
        f"dry run, updated: {V6_NEXT} (was {V6}) would be version 2 of line; {HOME} AAAA would be published\n"
    )
    assert line.database.versions() == [(1, V4), (1, V6)]
    assert CHANGE not in line.aws.calls
    assert states(line) == {}


def test_the_history_shows_both_families(empty: Machine, sixth: AddressService) -> None:
    empty.ddns("init", "--name", "line")
    empty.run()
    sixth.address = V6_NEXT
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


def test_a_run_prints_one_line_for_each_family_that_changed(line: Machine, sixth: AddressService) -> None:
    line.run()
    sixth.play = answer(V6_NEXT)
    done = line.ddns("run", "--quiet")
    assert (done.status, done.err) == (0, "")
    (text,) = done.out.splitlines()
    assert text.startswith(f"updated: {V6_NEXT} (was {V6}) is version 2 of line; {HOME} AAAA verified after ")
