"""Names of every kind, in several zones, and records that are pinned to one: the real command, Route 53 over HTTP."""

import re
from ipaddress import ip_address

import pytest

from ddns_updater.app.init import initialise
from ddns_updater.model import Family
from tests.run.test_drift import grow_old
from tests.run.test_publishing import CHANGE, HOME, failing, journal
from tests.support.aws import refuse
from tests.support.machine import Machine


@pytest.fixture
def line(small_machine: Machine) -> Machine:
    """Give a machine on SQLite whose origin stands at 9.9.9.9 and was never published."""
    initialise(small_machine.database.settings(), name="line", addresses={Family.IPV4: ip_address("9.9.9.9")})
    return small_machine


def zones_in_the_journal(machine: Machine) -> dict[str, str]:
    return {name: row["hostedZoneId"] for name, row in journal(machine).items()}


# Names


def test_it_publishes_every_kind_of_name_in_its_zone_and_knows_it_again(line: Machine) -> None:
    inner, umlaut = line.aws.zone("b.example.com"), line.aws.zone("xn--bcher-kva.example.com")
    expected = {  # as it is written, how it is called in the journal, how AWS stores it, and its zone
        "example.com": ("example.com", "example.com", line.zone_id),
        "*.Example.com.": ("*.example.com", r"\052.example.com", line.zone_id),
        "_x._y.example.com": ("_x._y.example.com", "_x._y.example.com", line.zone_id),
        "straße.example.com": ("xn--strae-oqa.example.com", "xn--strae-oqa.example.com", line.zone_id),
        "b.example.com": ("b.example.com", "b.example.com", inner),
        "*.b.example.com": ("*.b.example.com", r"\052.b.example.com", inner),
        "BÜCHER.example.com": ("xn--bcher-kva.example.com", "xn--bcher-kva.example.com", umlaut),
        "*.bücher.example.com": ("*.xn--bcher-kva.example.com", r"\052.xn--bcher-kva.example.com", umlaut),
        "例え.b.example.com": ("xn--r8jz45g.b.example.com", "xn--r8jz45g.b.example.com", inner),
    }
    line.environment["DDNS_RECORDS"] = ",".join(expected)
    result = line.run()
    assert result["outcome"] == "updated"
    assert [each["name"] for each in result["results"][0]["records"]] == [name for name, _, _ in expected.values()]
    assert {name: row["state"] for name, row in journal(line).items()} == {
        name: "verified" for name, _, _ in expected.values()
    }
    assert zones_in_the_journal(line) == {name: zone for name, _, zone in expected.values()}
    for _, stored, zone in expected.values():
        assert line.aws.address(zone, stored) == "9.9.9.9"
    assert line.aws.count()[CHANGE] == 3
    grow_old(line)
    assert line.run()["outcome"] == "unchanged"
    assert line.aws.count()[CHANGE] == 3


def test_an_internationalised_name_is_published_as_its_a_label_from_beginning_to_end(line: Machine) -> None:
    line.environment["DDNS_RECORDS"] = "bücher.example.com"
    done = line.ddns("run")
    assert (done.status, done.err) == (0, "")
    assert "xn--bcher-kva.example.com A verified" in done.out
    assert line.aws.address(line.zone_id, "xn--bcher-kva.example.com") == "9.9.9.9"
    assert list(journal(line)) == ["xn--bcher-kva.example.com"]
    assert line.run(DDNS_RECORDS="xn--bcher-kva.example.com")["outcome"] == "unchanged"


# Pins


def test_a_pin_chooses_between_two_zones_of_one_name(line: Machine) -> None:
    other = line.aws.zone()
    _, text = failing(line)
    advice = re.search(r"write (\S+)=ID in DDNS_RECORDS", text)
    assert advice
    assert line.run(DDNS_RECORDS=f"{advice[1]}={other}")["outcome"] == "updated"
    assert line.aws.address(other) == "9.9.9.9"
    assert line.aws.address(line.zone_id) is None
    assert zones_in_the_journal(line) == {HOME: other}


def test_a_pin_chooses_the_outer_of_two_zones_that_cover_the_name(line: Machine) -> None:
    inner = line.aws.zone("b.example.com")
    line.environment["DDNS_RECORDS"] = f"b.example.com={line.zone_id}, *.b.example.com/A={line.zone_id},x.b.example.com"
    assert line.run()["outcome"] == "updated"
    assert zones_in_the_journal(line) == {
        "b.example.com": line.zone_id,
        "*.b.example.com": line.zone_id,
        "x.b.example.com": inner,
    }
    assert line.aws.address(line.zone_id, "b.example.com") == "9.9.9.9"
    assert line.aws.address(line.zone_id, r"\052.b.example.com") == "9.9.9.9"
    assert line.aws.address(inner, "b.example.com") is None
    grow_old(line)
    assert line.run()["outcome"] == "unchanged"


def test_a_pinned_zone_may_be_private(line: Machine) -> None:
    private = line.aws.zone(private=True)
    assert line.run(DDNS_RECORDS=f"{HOME}={private}")["outcome"] == "updated"
    assert line.aws.address(private) == "9.9.9.9"


def test_it_needs_no_list_of_zones_when_every_record_is_pinned(line: Machine) -> None:
    line.aws.fault("ListHostedZones", refuse("AccessDenied"))
    assert line.run(DDNS_RECORDS=f"{HOME}={line.zone_id}")["outcome"] == "updated"
    assert line.aws.count()["ListHostedZones"] == 0


def test_a_changed_pin_is_published_again_and_the_old_record_left_alone(line: Machine) -> None:
    other = line.aws.zone()
    line.environment["DDNS_RECORDS"] = f"{HOME}={line.zone_id}"
    line.run()
    line.aws.put_address(other, HOME, "8.8.8.8", 300)
    line.environment["DDNS_RECORDS"] = f"{HOME}={other}"
    done = line.ddns("run", "--json")
    assert (done.err, done.json["outcome"]) == ("", "updated")
    assert done.json["results"][0]["records"][0]["hosted_zone_id"] == other
    assert line.aws.record_sets(other)[HOME, "A"]["TTL"] == 300
    assert line.aws.address(other) == "9.9.9.9"
    assert line.aws.address(line.zone_id) == "9.9.9.9"
    assert zones_in_the_journal(line) == {HOME: other}
    assert line.run()["outcome"] == "unchanged"
    assert line.aws.count()[CHANGE] == 2
    line.service.address = "1.1.1.1"
    line.run()
    assert (line.aws.address(other), line.aws.address(line.zone_id)) == ("1.1.1.1", "9.9.9.9")


def test_a_pin_to_the_zone_that_is_used_already_changes_nothing(line: Machine) -> None:
    line.run()
    asked = len(line.aws.calls)
    assert line.run(DDNS_RECORDS=f"{HOME}={line.zone_id}")["outcome"] == "unchanged"
    assert line.run()["outcome"] == "unchanged"
    assert len(line.aws.calls) == asked


@pytest.mark.parametrize("kind", ["does not exist", "does not cover the name"])
def test_a_pin_that_cannot_be_fails_alone(line: Machine, kind: str) -> None:
    if kind == "does not exist":
        zone, said = "ZNOPE", "failed to read hosted zone ZNOPE: AWS answered NoSuchHostedZone: "
    else:
        zone = line.aws.zone("b.example.com")
        said = f"a.example.com is not in hosted zone {zone} (b.example.com); correct DDNS_RECORDS"
    line.environment["DDNS_RECORDS"] = f"a.example.com={zone},{HOME}"
    for _ in range(2):
        records, text = failing(line)
        assert text.startswith(said)
        assert records["a.example.com"]["error"] == text
        assert {name: each["state"] for name, each in records.items()} == {"a.example.com": "pending", HOME: "verified"}
    assert line.aws.count()[CHANGE] == 1
    line.environment["DDNS_RECORDS"] = f"a.example.com={line.zone_id},{HOME}"
    line.statements_hold("9.9.9.9")


def test_a_pin_that_becomes_wrong_leaves_dns_as_it_is_until_it_is_mended(line: Machine) -> None:
    line.run()
    failing(line, DDNS_RECORDS=f"{HOME}=ZNOPE")
    assert line.aws.address(line.zone_id) == "9.9.9.9"
    done = line.ddns("run", "--json")
    assert (done.status, done.err, done.json["outcome"]) == (0, "", "unchanged")
    assert journal(line)[HOME]["lastError"] is None
    assert line.aws.count()[CHANGE] == 1
