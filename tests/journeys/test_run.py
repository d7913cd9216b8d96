"""The run from end to end: the real command, a real database, Route 53 over HTTP."""

from tests.support.machine import Machine


def test_it_publishes_the_first_version_and_then_stays_quiet(machine: Machine) -> None:
    machine.init()
    first = machine.ddns("run")
    assert (first.err, first.status) == ("", 0)
    assert first.out.startswith("updated: 9.9.9.9 is version 1 of line; home.example.com A verified after ")
    asked = len(machine.aws.calls)
    second = machine.ddns("run")
    assert second.out == "unchanged: 9.9.9.9 is version 1 of line; home.example.com A verified\n"
    assert len(machine.aws.calls) == asked
    assert machine.ddns("run", "--quiet").out == ""


def test_it_follows_a_change(machine: Machine) -> None:
    machine.init()
    machine.run()
    machine.service.address = "1.1.1.1"
    result = machine.run()
    assert result["outcome"] == "updated"
    (family,) = result["results"]
    (record,) = family.pop("records")
    assert family == {
        "family": "ipv4",
        "outcome": "updated",
        "address": "1.1.1.1",
        "previous_address": "9.9.9.9",
        "version": 2,
        "source": machine.service.url,
        "warnings": [],
        "error": None,
    }
    assert record.pop("change_id")
    assert record == {
        "name": "home.example.com",
        "type": "A",
        "hosted_zone_id": machine.zone_id,
        "state": "verified",
        "error": None,
    }
    machine.statements_hold("1.1.1.1")
