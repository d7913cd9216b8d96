"""Runs that create their origin, as those of a function do, which nobody initialises: on each engine in turn."""

import pytest

from ddns_updater.app.factories import open_history
from ddns_updater.app.runner import Runner
from ddns_updater.errors import OriginError
from ddns_updater.model import Outcome, RunResult
from tests.support.endpoint import add_hosts
from tests.support.machine import AWS, Machine
from tests.support.services import running

_ADDRESS = "9.9.9.9"


@pytest.fixture
def unseeded(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """Give a machine with tables and no origin."""
    for variable, text in (AWS | {"AWS_ENDPOINT_URL": machine.aws.url}).items():
        monkeypatch.setenv(variable, text)
    machine.database.create_tables()
    machine.service.address = _ADDRESS
    return machine


def run(machine: Machine, name: str = "web", **changes: str) -> RunResult:
    """Do one run that creates its origin."""
    chosen = {"DDNS_IP_SOURCES": machine.service.url, "DDNS_IP_AGREEMENT": "off", "DDNS_RECORDS": "home.example.com"}
    return Runner(machine.database.settings(**chosen | changes), name=name, seeds=True).run_once()


def test_the_first_run_creates_the_origin_and_publishes_it(unseeded: Machine) -> None:
    first = run(unseeded)
    assert first.outcome is Outcome.UPDATED
    assert (first.results[0].recorded, first.results[0].previous_address) == (True, None)
    assert unseeded.database.versions() == [(1, _ADDRESS)]
    assert unseeded.aws.address(unseeded.zone_id) == _ADDRESS
    assert run(unseeded).outcome is Outcome.UNCHANGED
    assert unseeded.database.versions() == [(1, _ADDRESS)]


def test_a_second_origin_is_created_beside_the_first(unseeded: Machine) -> None:
    run(unseeded)
    assert run(unseeded, "other", DDNS_RECORDS="other.example.com").outcome is Outcome.UPDATED
    assert unseeded.database.versions() == [(1, _ADDRESS), (1, _ADDRESS)]


def test_a_doubtful_address_creates_nothing(unseeded: Machine) -> None:
    with running("127.0.0.2") as other:
        other.address = "8.8.8.8"
        sources = f"{unseeded.service.url},{other.url}"
        result = run(unseeded, DDNS_IP_SOURCES=sources, DDNS_IP_AGREEMENT="preferred")
    assert result.outcome is Outcome.HELD
    assert unseeded.database.versions() == []


def test_while_another_one_creates_origins_the_run_is_skipped(unseeded: Machine) -> None:
    with open_history(unseeded.database.settings(), for_init=True) as other, other.lock_init() as is_theirs:
        assert is_theirs
        assert run(unseeded).outcome is Outcome.SKIPPED
    assert unseeded.database.versions() == []


def test_the_name_of_a_host_is_not_taken(unseeded: Machine) -> None:
    add_hosts(unseeded, "nas.example.com")
    with pytest.raises(OriginError, match=r"nas\.example\.com is a host of the update endpoint"):
        run(unseeded, "nas.example.com")
    assert unseeded.database.versions() == []
