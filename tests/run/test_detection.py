"""The detection phase, over sources that answer, fail and hang."""

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from ssl import create_default_context

import pytest

from ddns_updater.errors import SourceError
from ddns_updater.lib.deadline import Deadline, time_limit
from ddns_updater.model import Address, Family
from ddns_updater.run.detection import Detected, Detection
from ddns_updater.run.ports import AddressSource
from ddns_updater.sources.http import HttpSource
from ddns_updater.sources.spec import HttpSpec
from tests.support.machine import Machine
from tests.support.services import AddressService, answer, drip, hang, running

START = 3  # seconds; the longest that Python takes to start on a busy machine


@dataclass
class Slow:
    """A source that answers after `seconds`, or fails with `reason`."""

    name: str
    answer: str = "9.9.9.9"
    seconds: float = 0
    reason: str | None = None
    host: str = ""
    needs_confirmation: bool = True

    def fetch(self, family: Family) -> Address:  # noqa: ARG002 - the port's
        end = time.monotonic() + self.seconds
        while time.monotonic() < end:
            try:
                time.sleep(0.02)
            except Exception as error:  # as a library would
                raise AssertionError("a library can swallow the limit") from error
        if self.reason:
            raise SourceError(self.reason)
        return ip_address(self.answer)


def found(sources: Sequence[AddressSource], seconds: float = 5) -> Detected:
    return Detection(sources, Family.IPV4, Deadline(seconds), time_limit).first()


def refusal(sources: Sequence[AddressSource], seconds: float = 5) -> str:
    with pytest.raises(SourceError) as raised:
        found(sources, seconds)
    return str(raised.value)


def http(service: AddressService) -> HttpSource:
    return HttpSource(HttpSpec(service.url), timeout=5, retries=0, open_tls=create_default_context)


def test_it_takes_the_first_source_that_answers_and_asks_no_other(service: AddressService) -> None:
    with running() as other:
        assert found([http(service), http(other)]) == Detected(ip_address("9.9.9.9"), service.url, "127.0.0.1")
        assert other.requests == 0


def test_it_asks_the_next_source_when_one_fails(service: AddressService) -> None:
    service.play = answer("1.1.1.1", "403 Forbidden")
    with running() as other:
        assert found([http(service), http(other)]) == Detected(ip_address("9.9.9.9"), other.url, "127.0.0.1")


def test_it_asks_the_next_source_when_one_answers_an_address_that_is_not_public(service: AddressService) -> None:
    service.address = "192.168.1.10"
    with running() as other:
        assert found([http(service), http(other)]).source == other.url


def test_it_names_every_source_with_its_own_reason_when_all_fail(service: AddressService) -> None:
    service.play = answer("1.1.1.1", "403 Forbidden")
    with running() as other:
        other.address = "100.64.0.1"
        sources: list[AddressSource] = [http(service), http(other), Slow("third", reason="was cut off")]
        assert refusal(sources) == (
            f"no trustworthy ipv4 address, so nothing was changed: {service.url} answered with status 403;"
            f" {other.url} answered 100.64.0.1, a carrier-grade NAT address: this line has no public IPv4 address;"
            " ask the provider for one; third was cut off"
        )


def test_sources_that_hang_get_equal_shares_and_end_in_time() -> None:
    start = time.monotonic()
    reason = refusal([Slow("a", seconds=60), Slow("b", seconds=60), Slow("c", seconds=60)], 0.9)
    assert 0.85 < time.monotonic() - start < 2
    assert re.search(
        "a did not finish within its 0.3 s; b did not finish .* 0[.]. s; c did not finish .* 0[.]. s$", reason
    )


def test_a_source_that_drips_does_not_use_up_the_share_of_the_next(service: AddressService) -> None:
    service.play = drip(b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n9.9.9.9", pause=0.05)
    sources: list[AddressSource] = [http(service), Slow("b", "1.1.1.1", seconds=0.4), Slow("c", seconds=60)]
    assert found(sources, 2.1) == Detected(ip_address("1.1.1.1"), "b", "")


def test_the_time_that_a_quick_failure_leaves_goes_to_the_next_sources() -> None:
    assert found([Slow("a", reason="refused"), Slow("b", seconds=0.6)], 0.9).source == "b"


def test_a_source_is_asked_even_without_any_time_left() -> None:
    assert found([Slow("a")], 0).source == "a"


def test_an_error_outside_the_error_tree_is_a_bug_and_propagates() -> None:
    class Broken(Slow):
        def fetch(self, family: Family) -> Address:
            raise ZeroDivisionError(family)

    with pytest.raises(ZeroDivisionError):
        found([Broken("a"), Slow("b")])


def test_a_run_falls_back_to_the_next_source(small_machine: Machine) -> None:
    small_machine.init()
    with running() as other:
        other.play = answer("<html>8.8.8.8</html>", "503 Service Unavailable")
        result = small_machine.run(DDNS_IP_SOURCES=f"{other.url},{small_machine.service.url}")
    assert (result["outcome"], result["results"][0]["source"]) == ("updated", small_machine.service.url)


def test_a_run_over_three_sources_that_hang_ends_in_time_and_changes_nothing(small_machine: Machine) -> None:
    small_machine.init()
    small_machine.service.play = hang
    with running() as second, running() as third:
        second.play = third.play = hang
        urls = [small_machine.service.url, second.url, third.url]
        start = time.monotonic()
        changes = {"DDNS_IP_SOURCES": ",".join(urls), "DDNS_IP_TIMEOUT": "60"}
        # in a process of its own, which the run's guard may end
        done = small_machine.process("run", DDNS_RUN_TIMEOUT="3", **changes)
        assert time.monotonic() - start < 3 + START
        assert [second.requests, third.requests] == [1, 1]
    assert done.err.startswith(f"failed: no trustworthy ipv4 address, so nothing was changed: {urls[0]} did not finish")
    assert (done.err.count("did not finish within its 0."), done.err.count("\n")) == (3, 1)
    assert (done.status, done.out) == (1, "")
    assert small_machine.database.versions() == [(1, "9.9.9.9")]
    assert small_machine.aws.calls == []
