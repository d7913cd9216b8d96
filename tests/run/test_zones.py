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
def machine(small_machine: Machine) -> Machine:
    """Give a machine on SQLite whose origin has 9.9.9.9 and was never published."""
    initialise(small_machine.database.settings(), name="line", addresses={Family.IPV4: ip_address("9.9.9.9")})
    return small_machine


def zones_in_the_journal(machine: Machine) -> dict[str, str]:
    return {name: row["hostedZoneId"] for name, row in journal(machine).items()}


# Names


def test_it_publishes_every_kind_of_name_in_its_zone_and_recognises_it(machine: Machine) -> None:
    inner, umlaut = machine.aws.zone("b.example.com"), machine.aws.zone("xn--bcher-kva.example.com")
    expected = {  # the name as written: its name in the journal, its name at AWS, its zone
        "example.com": ("example.com", "example.com", machine.zone_id),
        "*.Example.com.": ("*.example.com", r"\052.example.com", machine.zone_id),
        "_x._y.example.com": ("_x._y.example.com", "_x._y.example.com", machine.zone_id),
        "straße.example.com": ("xn--strae-oqa.example.com", "xn--strae-oqa.example.com", machine.zone_id),
        "b.example.com": ("b.example.com", "b.example.com", inner),
        "*.b.example.com": ("*.b.example.com", r"\052.b.example.com", inner),
        "BÜCHER.example.com": ("xn--bcher-kva.example.com", "xn--bcher-kva.example.com", umlaut),
        "*.bücher.example.com": ("*.xn--bcher-kva.example.com", r"\052.xn--bcher-kva.example.com", umlaut),
        "例え.b.example.com": ("xn--r8jz45g.b.example.com", "xn--r8jz45g.b.example.com", inner),
    }
    machine.environment["DDNS_RECORDS"] = ",".join(expected)
    result = machine.run()
    assert result["outcome"] == "updated"
    assert [each["name"] for each in result["results"][0]["records"]] == [name for name, _, _ in expected.values()]
    assert {name: row["state"] for name, row in journal(machine).items()} == {
        name: "verified" for name, _, _ in expected.values()
    }
    assert zones_in_the_journal(machine) == {name: zone for name, _, zone in expected.values()}
    for _, stored, zone in expected.values():
        assert machine.aws.address(zone, stored) == "9.9.9.9"
    assert machine.aws.count()[CHANGE] == 3
    grow_old(machine)
    assert machine.run()["outcome"] == "unchanged"
    assert machine.aws.count()[CHANGE] == 3


def test_an_internationalised_name_is_its_a_label_everywhere(machine: Machine) -> None:
    machine.environment["DDNS_RECORDS"] = "bücher.example.com"
    done = machine.ddns("run")
    assert (done.status, done.err) == (0, "")
    assert "xn--bcher-kva.example.com A verified" in done.out
    assert machine.aws.address(machine.zone_id, "xn--bcher-kva.example.com") == "9.9.9.9"
    assert list(journal(machine)) == ["xn--bcher-kva.example.com"]
    assert machine.run(DDNS_RECORDS="xn--bcher-kva.example.com")["outcome"] == "unchanged"


# Pins


def test_a_pin_chooses_between_two_zones_of_one_name(machine: Machine) -> None:
    other = machine.aws.zone()
    _, text = failing(machine)
    advice = re.search(r"write (\S+)=ID in DDNS_RECORDS", text)
    assert advice
    assert machine.run(DDNS_RECORDS=f"{advice[1]}={other}")["outcome"] == "updated"
    assert machine.aws.address(other) == "9.9.9.9"
    assert machine.aws.address(machine.zone_id) is None
    assert zones_in_the_journal(machine) == {HOME: other}


def test_a_pin_chooses_the_outer_of_two_zones_that_cover_the_name(machine: Machine) -> None:
    inner = machine.aws.zone("b.example.com")
    machine.environment["DDNS_RECORDS"] = (
        f"b.example.com={machine.zone_id}, *.b.example.com/A={machine.zone_id},x.b.example.com"
    )
    assert machine.run()["outcome"] == "updated"
    assert zones_in_the_journal(machine) == {
        "b.example.com": machine.zone_id,
        "*.b.example.com": machine.zone_id,
        "x.b.example.com": inner,
    }
    assert machine.aws.address(machine.zone_id, "b.example.com") == "9.9.9.9"
    assert machine.aws.address(machine.zone_id, r"\052.b.example.com") == "9.9.9.9"
    assert machine.aws.address(inner, "b.example.com") is None
    grow_old(machine)
    assert machine.run()["outcome"] == "unchanged"


def test_a_pinned_zone_may_be_private(machine: Machine) -> None:
    private = machine.aws.zone(private=True)
    assert machine.run(DDNS_RECORDS=f"{HOME}={private}")["outcome"] == "updated"
    assert machine.aws.address(private) == "9.9.9.9"


def test_it_needs_no_list_of_zones_when_every_record_is_pinned(machine: Machine) -> None:
    machine.aws.fault("ListHostedZones", refuse("AccessDenied"))
    assert machine.run(DDNS_RECORDS=f"{HOME}={machine.zone_id}")["outcome"] == "updated"
    assert machine.aws.count()["ListHostedZones"] == 0


def test_a_changed_pin_is_published_again_and_the_old_record_left_alone(machine: Machine) -> None:
    other = machine.aws.zone()
    machine.environment["DDNS_RECORDS"] = f"{HOME}={machine.zone_id}"
    machine.run()
    machine.aws.put_address(other, HOME, "8.8.8.8", 300)
    machine.environment["DDNS_RECORDS"] = f"{HOME}={other}"
    done = machine.ddns("run", "--json")
    assert done.err == f"warning: {HOME} A held 8.8.8.8 with TTL 300; it is being replaced\n"
    assert done.json["outcome"] == "updated"
    assert done.json["results"][0]["records"][0]["hosted_zone_id"] == other
    assert machine.aws.record_sets(other)[HOME, "A"]["TTL"] == 300
    assert machine.aws.address(other) == "9.9.9.9"
    assert machine.aws.address(machine.zone_id) == "9.9.9.9"
    assert zones_in_the_journal(machine) == {HOME: other}
    assert machine.run()["outcome"] == "unchanged"
    assert machine.aws.count()[CHANGE] == 2
    machine.service.address = "1.1.1.1"
    machine.run()
    assert (machine.aws.address(other), machine.aws.address(machine.zone_id)) == ("1.1.1.1", "9.9.9.9")


def test_a_pin_to_the_zone_that_is_used_already_changes_nothing(machine: Machine) -> None:
    machine.run()
    asked = len(machine.aws.calls)
    assert machine.run(DDNS_RECORDS=f"{HOME}={machine.zone_id}")["outcome"] == "unchanged"
    assert machine.run()["outcome"] == "unchanged"
    assert len(machine.aws.calls) == asked


@pytest.mark.parametrize("kind", ["does not exist", "does not cover the name"])
def test_a_wrong_pin_fails_only_its_own_record(machine: Machine, kind: str) -> None:
    if kind == "does not exist":
        zone, said = "ZNOPE", "failed to read hosted zone ZNOPE: AWS answered NoSuchHostedZone: "
    else:
        zone = machine.aws.zone("b.example.com")
        said = f"a.example.com is not in hosted zone {zone} (b.example.com); correct DDNS_RECORDS"
    machine.environment["DDNS_RECORDS"] = f"a.example.com={zone},{HOME}"
    for _ in range(2):
        records, text = failing(machine)
        assert text.startswith(said)
        assert records["a.example.com"]["error"] == text
        assert {name: each["state"] for name, each in records.items()} == {"a.example.com": "pending", HOME: "verified"}
    assert machine.aws.count()[CHANGE] == 1
    machine.environment["DDNS_RECORDS"] = f"a.example.com={machine.zone_id},{HOME}"
    machine.statements_hold("9.9.9.9")


def test_a_pin_that_becomes_wrong_leaves_dns_as_it_is_until_it_is_fixed(machine: Machine) -> None:
    machine.run()
    failing(machine, DDNS_RECORDS=f"{HOME}=ZNOPE")
    assert machine.aws.address(machine.zone_id) == "9.9.9.9"
    done = machine.ddns("run", "--json")
    assert (done.status, done.err, done.json["outcome"]) == (0, "", "unchanged")
    assert journal(machine)[HOME]["lastError"] is None
    assert machine.aws.count()[CHANGE] == 1


def test_values_in_the_zone_that_a_record_moves_to_are_not_ours(machine: Machine) -> None:
    other = machine.aws.zone()
    machine.environment["DDNS_RECORDS"] = f"{HOME}={machine.zone_id}"
    machine.run()
    values = [{"Value": "9.9.9.9"}, {"Value": "8.8.8.8"}]
    machine.aws.put(other, {"Name": HOME, "Type": "A", "TTL": 300, "ResourceRecords": values})
    machine.environment["DDNS_RECORDS"] = f"{HOME}={other}"
    machine.service.address = "1.1.1.1"
    for _ in range(2):
        _, text = failing(machine)
        assert "it holds 2 values (9.9.9.9, 8.8.8.8), and none was written by this program" in text
    assert len(machine.aws.record_sets(other)[HOME, "A"]["ResourceRecords"]) == 2


def test_a_record_that_moves_back_holds_what_is_ours(machine: Machine) -> None:
    other = machine.aws.zone()
    for zone, address in [(machine.zone_id, "9.9.9.9"), (other, "1.1.1.1"), (other, "8.8.4.4")]:
        machine.environment["DDNS_RECORDS"] = f"{HOME}={zone}"
        machine.service.address = address
        assert machine.run()["outcome"] == "updated"
    machine.environment["DDNS_RECORDS"] = f"{HOME}={machine.zone_id}"
    done = machine.ddns("run")
    assert (done.status, done.err) == (0, "")
    assert machine.aws.address(machine.zone_id) == "8.8.4.4"
