"""A change that arrives after its run has ended: DNS is verified only when that can no longer happen."""

from threading import Event
from typing import Any

import pytest

from tests.dns.test_route53 import no_pauses as no_pauses  # a fixture
from tests.support.aws import Call, cut, lose_answer, refuse
from tests.support.machine import Machine

CHANGE = "ChangeResourceRecordSets"
OLD, NEW = "1.1.1.1", "8.8.4.4"


class Line:
    """Keeps what is sent through it until it is let go, also when its sender has ended."""

    def __init__(self) -> None:
        self._caught, self._let_go, self._arrived = Event(), Event(), Event()

    def __call__(self, call: Call) -> bytes:
        self._caught.set()
        assert self._let_go.wait(60)
        answer = call.pass_on()
        self._arrived.set()
        return answer

    def wait(self) -> None:
        assert self._caught.wait(30)

    def let_go(self) -> None:
        self._let_go.set()
        assert self._arrived.wait(30)


def later(machine: Machine, seconds: int) -> None:
    """Let so much time pass for the journal."""
    is_sqlite = machine.database.engine == "sqlite"
    for column in ("createdAt", "submittedAt"):
        earlier = f"datetime({column}, '-{seconds} seconds')" if is_sqlite else f"{column} - INTERVAL {seconds} SECOND"
        machine.database.sql(f"UPDATE admin_dns_publication SET {column} = {earlier}")


def run(machine: Machine, address: str, **changes: Any) -> tuple[str, str]:
    """Do a run and return its outcome and the state of the record."""
    machine.service.address = address
    result = machine.run(**changes)
    return result["outcome"], result["results"][0]["records"][0]["state"]


def test_a_change_that_arrives_after_the_next_one_is_found_and_repaired(published: Machine) -> None:
    line = Line()
    published.aws.fault(CHANGE, line, containing=OLD)
    published.service.address = OLD
    process = published.start("run")
    line.wait()
    process.kill()
    process.communicate(timeout=30)
    assert run(published, NEW) == ("pending", "submitted")
    assert published.aws.address(published.zone_id) == NEW
    line.let_go()
    assert published.aws.address(published.zone_id) == OLD
    assert run(published, NEW)[0] == "failed"
    assert run(published, NEW) == ("pending", "submitted")
    assert published.aws.address(published.zone_id) == NEW
    later(published, 120)
    assert run(published, NEW)[1] == "verified"
    published.statements_hold(NEW)


def test_a_record_is_not_verified_while_an_earlier_change_may_arrive(published: Machine) -> None:
    published.service.address = OLD
    assert published.killed("call:Publisher._ours", "run").status != 0  # recorded, and nothing sent: nothing may arrive
    assert run(published, NEW) == ("updated", "verified")
    published.service.address = OLD
    assert published.killed("call:Route53.upsert", "run").status != 0  # about to be sent
    assert run(published, NEW) == ("pending", "submitted")
    later(published, 100)
    assert run(published, NEW) == ("pending", "submitted")
    later(published, 20)
    assert run(published, NEW)[1] == "verified"
    published.statements_hold(NEW)


def test_a_longer_run_may_have_sent_it_later(published: Machine) -> None:
    published.service.address = OLD
    assert published.killed("call:Route53.upsert", "run").status != 0
    later(published, 120)
    assert run(published, NEW, DDNS_RUN_TIMEOUT="300") == ("pending", "submitted")
    later(published, 300)
    assert run(published, NEW, DDNS_RUN_TIMEOUT="300")[1] == "verified"


@pytest.mark.usefixtures("no_pauses")
@pytest.mark.parametrize("fault", [cut, lose_answer, refuse("InternalFailure", status=500)])
def test_a_change_without_an_answer_may_arrive(published: Machine, fault: Any) -> None:
    published.aws.fault(CHANGE, fault)
    assert run(published, OLD) == ("failed", "pending")
    published.aws.heal()
    assert run(published, NEW) == ("pending", "submitted")
    later(published, 120)
    assert run(published, NEW)[1] == "verified"


@pytest.mark.usefixtures("no_pauses")
def test_the_refusal_of_a_retry_says_nothing_of_the_try_before_it(published: Machine) -> None:
    published.aws.fault(CHANGE, lose_answer, times=1)
    published.aws.fault(CHANGE, refuse("PriorRequestNotComplete"))
    assert run(published, OLD) == ("failed", "pending")
    published.aws.heal()
    assert published.aws.address(published.zone_id) == OLD
    assert run(published, NEW) == ("pending", "submitted")
    assert published.database.sql("SELECT DISTINCT drift FROM admin_dns_publication") == [(None,)]  # it is our own


@pytest.mark.usefixtures("no_pauses")
def test_the_refusal_of_the_next_run_says_nothing_of_a_change_without_an_answer(published: Machine) -> None:
    published.aws.fault(CHANGE, lose_answer)
    assert run(published, OLD) == ("failed", "pending")
    published.aws.heal()
    published.aws.fault(CHANGE, refuse("AccessDenied"))
    assert run(published, OLD) == ("failed", "pending")
    published.aws.heal()
    assert run(published, NEW) == ("pending", "submitted")
    assert published.database.sql("SELECT DISTINCT drift FROM admin_dns_publication") == [(None,)]


@pytest.mark.parametrize("code", ["AccessDenied", "InvalidInput"])
def test_a_change_that_was_refused_never_arrives(published: Machine, code: str) -> None:
    published.aws.fault(CHANGE, refuse(code))
    assert run(published, OLD) == ("failed", "failed")
    published.aws.heal()
    assert run(published, NEW) == ("updated", "verified")


def test_an_earlier_change_to_the_same_address_does_no_harm(published: Machine) -> None:
    published.service.address = OLD
    assert published.killed("call:Route53.upsert", "run").status != 0
    assert run(published, OLD) == ("updated", "verified")


def test_what_was_sent_to_another_zone_does_not_matter(published: Machine) -> None:
    published.service.address = OLD
    assert published.killed("call:Route53.upsert", "run").status != 0
    other = published.aws.zone()
    assert run(published, NEW, DDNS_HOSTED_ZONE_ID=other) == ("updated", "verified")
