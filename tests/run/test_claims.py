"""Two origins that are set up to publish one record: one of them does, and both are told."""

import signal
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from itertools import permutations
from typing import Any

import pytest

from ddns_updater.model import Claim, Family, Origin, Record
from ddns_updater.run.claims import claims_since, refusal, rivals, stronger_claim
from tests.support.machine import Machine

NOW = datetime(2026, 5, 3, 12, tzinfo=UTC)
HOME = Record("home.example.com", "A")
OLD, NEW = Origin(1, "old", Family.IPV4), Origin(2, "new", Family.IPV4)
REFUSED = (
    "failed to change home.example.com A: origin line already publishes it; remove it from the DDNS_RECORDS of one of"
    " the two, or wait: the claim of line ends 2 h after its last check"
)


def claim(origin: Origin, *, holds: bool = True, at: datetime = NOW) -> Claim:
    return Claim(HOME, "Z1", origin.id, origin.name, holds, at)


# Who publishes


def test_a_record_that_nobody_publishes_is_free() -> None:
    assert stronger_claim(NEW, []) is None
    assert stronger_claim(NEW, [claim(NEW)]) is None
    assert stronger_claim(NEW, [claim(OLD, holds=False), claim(NEW, holds=False)]) is None


def test_who_publishes_it_keeps_it_whatever_the_order() -> None:
    claims = [claim(OLD, holds=False), claim(NEW)]
    assert stronger_claim(OLD, claims) == claims[1]
    assert stronger_claim(NEW, claims) is None


def test_who_has_nothing_there_yet_comes_later() -> None:
    assert stronger_claim(OLD, [claim(NEW)]) == claim(NEW)
    assert stronger_claim(NEW, [claim(OLD)]) == claim(OLD)


def test_of_several_that_publish_it_exactly_one_goes_on() -> None:
    third = Origin(3, "third", Family.IPV4)
    claims = [claim(OLD), claim(NEW), claim(third)]
    assert [stronger_claim(each, claims) for each in (OLD, NEW, third)] == [None, claims[0], claims[0]]


@pytest.mark.parametrize("origin", [OLD, NEW])
def test_a_rival_is_told_only_to_who_publishes(origin: Origin) -> None:
    claims = [claim(OLD), claim(NEW, holds=False)]
    assert rivals(origin, claims) == (claims[1:] if origin is OLD else [])


@pytest.mark.parametrize(("every", "hours"), [(3600, 2), (0, 2), (60, 2), (86400, 48)])
def test_a_claim_lasts_two_recheck_intervals_and_at_least_two_hours(every: int, hours: int) -> None:
    assert NOW - claims_since(NOW, every) == timedelta(hours=hours)
    assert f"the claim of old ends {hours} h after its last check" in str(refusal(claim(OLD), every))


# On each engine


def later(machine: Machine, hours: float) -> None:
    """Let so many hours pass since everything that the journal says."""
    for column in ("createdAt", "submittedAt", "verifiedAt", "checkedAt"):
        earlier = (
            f"datetime({column}, '-{int(hours * 60)} minutes')"
            if machine.database.engine == "sqlite"
            else f"{column} - INTERVAL {int(hours * 60)} MINUTE"
        )
        machine.database.sql(f"UPDATE admin_dns_publication SET {column} = {earlier}")


def run(machine: Machine, name: str, address: str, *arguments: str, **changes: Any) -> Any:
    """Do one run of the origin `name` and return the result of its one family."""
    machine.service.address = address
    (family,) = machine.run("--name", name, *arguments, **changes)["results"]
    return family


@pytest.fixture
def two(machine: Machine) -> Machine:
    """Give a machine with the origins line, which publishes 9.9.9.9, and second, which has not run yet."""
    machine.init()
    machine.ddns("init", "--name", "second", "--ip", "8.8.4.4")
    assert run(machine, "line", "9.9.9.9")["outcome"] == "updated"
    return machine


def test_the_later_origin_fails_and_the_record_stays(two: Machine) -> None:
    for _ in range(2):
        result = run(two, "second", "8.8.4.4")
        assert (result["outcome"], result["error"]) == ("failed", REFUSED)
    assert two.aws.address(two.zone_id) == "9.9.9.9"
    assert run(two, "line", "9.9.9.9")["outcome"] == "unchanged"


def test_a_change_of_either_does_not_alter_who_publishes(two: Machine) -> None:
    assert run(two, "second", "8.8.8.8")["error"] == REFUSED
    assert run(two, "line", "1.1.1.1")["outcome"] == "updated"
    assert run(two, "second", "1.0.0.1")["error"] == REFUSED
    assert two.aws.address(two.zone_id) == "1.1.1.1"


def test_a_claim_that_is_no_longer_checked_ends(two: Machine) -> None:
    later(two, 1.9)
    assert run(two, "second", "8.8.4.4")["error"] == REFUSED
    later(two, 0.2)
    assert run(two, "second", "8.8.4.4")["outcome"] == "updated"
    assert two.aws.address(two.zone_id) == "8.8.4.4"
    assert run(two, "line", "1.1.1.1")["error"] == REFUSED.replace("line", "second")
    assert two.aws.address(two.zone_id) == "8.8.4.4"


def test_status_names_the_origin_that_has_taken_a_record_over(two: Machine) -> None:
    later(two, 3)
    assert two.ddns("status", "--name", "line").status == 0
    assert run(two, "second", "8.8.4.4")["outcome"] == "updated"
    done = two.ddns("status", "--name", "line")
    assert done.status == 1
    assert "origin second has published home.example.com A since it was last checked here; remove it" in done.out
    assert two.ddns("status", "--name", "second").status == 0


def test_a_claim_that_is_checked_goes_on(two: Machine) -> None:
    for _ in range(3):
        later(two, 1.5)
        assert run(two, "line", "9.9.9.9")["outcome"] == "unchanged"  # it rechecks
        assert run(two, "second", "8.8.4.4")["error"] == REFUSED


def test_two_that_fight_already_are_ended_at_their_next_check(two: Machine) -> None:
    two.database.sql("UPDATE admin_dns_publication SET checkedAt = NULL, state = 'failed', verifiedAt = NULL")
    assert run(two, "second", "8.8.4.4")["outcome"] == "updated"
    two.database.sql(
        "UPDATE admin_dns_publication SET checkedAt = createdAt, state = 'verified', verifiedAt = createdAt"
    )
    assert run(two, "line", "9.9.9.9", "--recheck")["outcome"] == "updated"
    assert run(two, "second", "8.8.8.8")["error"] == REFUSED
    assert two.aws.address(two.zone_id) == "9.9.9.9"


def test_the_same_name_in_another_zone_or_of_another_type_is_no_rival(two: Machine) -> None:
    other = two.aws.zone()
    result = run(two, "second", "8.8.4.4", DDNS_HOSTED_ZONE_ID=other)
    assert result["outcome"] == "updated"
    assert (two.aws.address(two.zone_id), two.aws.address(other)) == ("9.9.9.9", "8.8.4.4")


def test_the_other_records_of_the_later_origin_are_published(two: Machine) -> None:
    result = run(two, "second", "8.8.4.4", DDNS_RECORDS="home.example.com,nas.example.com")
    states = {each["name"]: each["state"] for each in result["records"]}
    assert states == {"home.example.com": "failed", "nas.example.com": "verified"}
    assert two.aws.address(two.zone_id, "nas.example.com") == "8.8.4.4"


def test_a_dry_run_says_so_and_writes_nothing(two: Machine) -> None:
    before = two.database.sql("SELECT * FROM admin_dns_publication")
    result = run(two, "second", "8.8.4.4", "--dry-run")
    assert (result["outcome"], result["error"]) == ("failed", REFUSED)
    assert two.database.sql("SELECT * FROM admin_dns_publication") == before


@pytest.mark.parametrize("place", ["call:stronger_claims", "call:write_publications", "return:write_publications"])
def test_a_kill_of_the_later_origin_takes_nothing_from_the_other(two: Machine, place: str) -> None:
    two.service.address = "8.8.8.8"
    assert two.killed(place, "run", "--name", "second").status == -signal.SIGKILL
    assert run(two, "line", "9.9.9.9")["outcome"] == "unchanged"
    assert run(two, "second", "8.8.8.8")["error"] == REFUSED
    assert two.aws.address(two.zone_id) == "9.9.9.9"


def test_status_and_doctor_of_both_see_it(two: Machine) -> None:
    run(two, "second", "8.8.4.4")
    first, second = (two.ddns("status", "--json", "--name", name).json for name in ("line", "second"))
    assert first["notes"] == [
        "origin second has home.example.com A in its DDNS_RECORDS as well; remove it there or here"
    ]
    assert REFUSED in " ".join(second["problems"])
    checks = {
        name: [one for one in two.ddns("doctor", "--json", "--name", name).json["checks"] if "claim" in one["name"]]
        for name in ("line", "second")
    }
    assert [(one["state"], one["name"]) for one in checks["line"]] == [("warning", "claim on home.example.com A")]
    assert [(one["state"], one["name"]) for one in checks["second"]] == [("failed", "claim on home.example.com A")]


def test_doctor_sees_it_before_the_first_run(two: Machine) -> None:
    checks = two.ddns("doctor", "--json", "--name", "second").json["checks"]
    (found,) = [one for one in checks if one["name"] == "claim on home.example.com A"]
    assert (found["state"], found["found"]) == ("failed", REFUSED.partition(";")[0])


def test_at_once_one_of_them_publishes_in_the_end(machine: Machine) -> None:
    machine.init()
    machine.ddns("init", "--name", "second", "--ip", "9.9.9.9")
    for order in permutations(("line", "second")):
        for name in order:
            run(machine, name, "9.9.9.9")
    later(machine, 1.2)
    outcomes = {name: run(machine, name, "9.9.9.9")["outcome"] for name in ("second", "line")}
    assert sorted(outcomes.values()) == ["failed", "unchanged"]
    assert ip_address(machine.aws.address(machine.zone_id) or "") == ip_address("9.9.9.9")
