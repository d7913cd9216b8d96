"""One address source tried in a whole run: what it leads to, and that a refused one writes nothing."""

from dataclasses import dataclass
from typing import Any

import pytest

from ddns_updater.app.runner import Runner
from ddns_updater.model import Family, FamilyResult, Outcome
from tests.support.machine import Machine

SEEDED = {Family.IPV4: "149.112.112.112", Family.IPV6: "2620:fe::fe"}


@dataclass
class Trial:
    """A machine with one version in each family, on which runs are done in this process."""

    machine: Machine

    def run(self, source: str, family: Family = Family.IPV4, **changes: Any) -> FamilyResult:
        """Do one run over `source`."""
        environment = {
            "DDNS_IP_SOURCES": source,
            "DDNS_IP_FAMILIES": family,
            "DDNS_IP_AGREEMENT": "off",
            "DDNS_IP_TIMEOUT": "1",
            "DDNS_IP_RETRIES": "0",
            "DDNS_RUN_TIMEOUT": "6",
            "DDNS_RECORDS": "home.example.com",
        } | changes
        return Runner(self.machine.database.settings(**environment)).run_once().results[0]

    def address(self, source: str, family: Family = Family.IPV4, **changes: Any) -> str:
        """Return the address that a run over `source` recorded and published."""
        result = self.run(source, family, **changes)
        assert result.outcome is Outcome.UPDATED, result
        address = str(result.address)
        assert (2, address) in self.machine.database.versions()
        assert self.machine.aws.address(self.machine.zone_id, kind=family.record_type) == address
        return address

    def refusal(self, source: str, family: Family = Family.IPV4, *, name: str | None = None, **changes: Any) -> str:
        """Return the one reason for which a run over `source` failed, having written nothing; it is shown as `name`."""
        result = self.run(source, family, **changes)
        assert result.outcome is Outcome.FAILED, result
        begin = f"no trustworthy {family} address, so nothing was changed: {name or source} "
        assert result.error
        assert result.error.startswith(begin)
        assert result.error.isprintable()
        assert self.machine.database.versions() == [(1, SEEDED[Family.IPV4]), (1, SEEDED[Family.IPV6])]
        assert self.machine.database.states() == {}
        assert self.machine.aws.calls == []
        return result.error.removeprefix(begin)


@pytest.fixture
def trial(small_machine: Machine, monkeypatch: pytest.MonkeyPatch) -> Trial:
    """Give a machine on which sources can be tried."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", small_machine.aws.url)
    for family, address in SEEDED.items():
        small_machine.database.seed(address, family=family)
    return Trial(small_machine)
