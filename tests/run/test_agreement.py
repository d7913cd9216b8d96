"""A change is written once two sources on different hosts agree; through the real command line."""

import re
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from ddns_updater.app import factories
from ddns_updater.app.runner import Runner
from ddns_updater.errors import DdnsError, SettingsError
from ddns_updater.model import Address, Family, Outcome, Record
from ddns_updater.run.publisher import Publisher
from ddns_updater.run.steps import Policy
from ddns_updater.run.updater import Plan, Updater
from ddns_updater.run.verifier import Verifier
from ddns_updater.settings.settings import Settings
from ddns_updater.sources.spec import DEFAULT_SOURCES, parse_source
from tests.sources.test_ec2 import client, launch
from tests.sources.test_imds import metadata
from tests.support.command import Finished
from tests.support.database import load_settings_with
from tests.support.fakes import Clock
from tests.support.machine import Machine
from tests.support.sdk import open_route53
from tests.support.services import AddressService, Play, answer, hang, in_turn, running

START = 3  # seconds; the longest that Python takes to start on a busy machine
OLD, NEW, OTHER, THIRD = "9.9.9.9", "1.1.1.1", "8.8.8.8", "149.112.112.112"
DOWN = "answered with status 503"
ASKS_AGAIN = "nothing was changed, the next run asks again"


@dataclass
class Network:
    """A machine whose latest version is OLD, and address services `a`, `b` and `c` on three hosts."""

    machine: Machine
    a: AddressService
    b: AddressService
    c: AddressService

    def set_answers(self, a: str | Play | None, b: str | Play | None, c: str | Play | None = None) -> None:
        """Set what each service does: answer an address, run a play, or be down (None)."""
        for service, said in ((self.a, a), (self.b, b), (self.c, c)):
            service.play = said if callable(said) else None if said else answer("", "503 Down")
            service.address = said if isinstance(said, str) else ""
            service.requests = 0

    def run(self, *services: AddressService, agreement: str = "preferred", **changes: Any) -> Finished:
        """Do one run over `services` in this order."""
        sources = ",".join(service.url for service in services)
        return self.machine.ddns("run", "--json", DDNS_IP_SOURCES=sources, DDNS_IP_AGREEMENT=agreement, **changes)

    @property
    def asked(self) -> tuple[int, int, int]:
        """Return how often each service was asked."""
        return self.a.requests, self.b.requests, self.c.requests

    def assert_held(self, done: Finished, message: str, *, outcome: str = "held") -> None:
        """Assert that a run ended with `outcome` and `message`, and wrote nothing anywhere."""
        assert done.err == f"{outcome}: {message}\n"
        assert done.status == 1
        family = done.json["results"][0]
        assert (done.json["outcome"], family["outcome"], family["error"]) == (outcome, outcome, message)
        assert self.machine.database.versions() == [(1, OLD)]
        assert self.machine.database.states() == {}
        assert self.machine.aws.calls == []

    def assert_published(self, done: Finished, address: str, source: AddressService) -> None:
        """Assert that a run recorded and published `address`."""
        assert (done.status, done.json["outcome"]) == (0, "updated"), done
        family = done.json["results"][0]
        assert (family["address"], family["source"]) == (address, source.url)
        assert self.machine.database.versions()[-1][1] == address
        assert self.machine.database.states() == {"home.example.com": "verified"}
        assert self.machine.aws.address(self.machine.zone_id) == address


@pytest.fixture
def network(small_machine: Machine) -> Iterator[Network]:
    """Give a machine that has had one address so far, and three services on three hosts."""
    with ExitStack() as stack:
        services = [stack.enter_context(running(host)) for host in ("127.0.0.1", "127.0.0.2", "127.0.0.3")]
        small_machine.init(OLD)
        yield Network(small_machine, *services)


def test_a_run_without_a_change_asks_one_source_only(network: Network) -> None:
    network.set_answers(OLD, NEW, NEW)
    done = network.run(network.a, network.b, network.c, agreement="required", DDNS_RECORDS=None)
    assert (done.status, done.json["outcome"], done.err) == (0, "unchanged", "")
    assert network.asked == (1, 0, 0)


def test_a_change_goes_through_when_a_second_host_agrees(network: Network) -> None:
    network.set_answers(NEW, NEW, OLD)
    done = network.run(network.a, network.b, network.c)
    network.assert_published(done, NEW, network.b)
    assert done.err == ""
    assert done.json["results"][0]["warnings"] == []
    assert network.asked == (1, 1, 0)
    assert network.machine.database.versions() == [(1, OLD), (2, NEW)]


def test_two_host_names_count_as_two_hosts(network: Network) -> None:
    network.set_answers(NEW, NEW)
    network.b.stop()
    second = network.a.url.replace("127.0.0.1", "localhost")
    done = network.machine.ddns(
        "run", "--json", DDNS_IP_SOURCES=f"{network.a.url},{second}", DDNS_IP_AGREEMENT="required"
    )
    assert (done.status, done.json["results"][0]["source"]) == (0, second)


def test_a_change_is_held_while_two_sources_disagree_and_goes_through_once_they_agree(network: Network) -> None:
    network.set_answers(NEW, OTHER)
    message = f"{network.a.url} says {NEW} but {network.b.url} says {OTHER}; {ASKS_AGAIN}"
    for count in (1, 2):
        network.assert_held(network.run(network.a, network.b), message)
        assert network.asked == (count, count, 0)
    network.set_answers(NEW, NEW)
    network.assert_published(network.run(network.a, network.b), NEW, network.b)
    assert network.machine.database.versions() == [(1, OLD), (2, NEW)]


def test_a_change_that_only_the_first_of_two_sources_reports_is_held(network: Network) -> None:
    network.set_answers(NEW, OLD)
    message = f"{network.a.url} says {NEW} but {network.b.url} says {OLD}; {ASKS_AGAIN}"
    network.assert_held(network.run(network.a, network.b), message)


def test_a_third_source_that_agrees_with_the_first_breaks_the_tie(network: Network) -> None:
    network.set_answers(NEW, OTHER, NEW)
    network.assert_published(network.run(network.a, network.b, network.c), NEW, network.c)


def test_two_sources_that_agree_are_enough_when_the_first_is_not_one_of_them(network: Network) -> None:
    network.set_answers(OTHER, NEW, NEW)
    network.assert_published(network.run(network.a, network.b, network.c, agreement="required"), NEW, network.c)


def test_nothing_changes_when_the_two_sources_that_agree_report_the_old_address(network: Network) -> None:
    network.set_answers(OTHER, OLD, OLD)
    done = network.run(network.a, network.b, network.c, DDNS_RECORDS=None)
    assert (done.status, done.json["outcome"], done.err) == (0, "unchanged", "")
    assert done.json["results"][0]["address"] == OLD
    assert network.machine.database.versions() == [(1, OLD)]


def test_three_sources_that_disagree_are_all_named(network: Network) -> None:
    network.set_answers(NEW, OTHER, THIRD)
    message = (
        f"{network.a.url} says {NEW} but {network.b.url} says {OTHER} but {network.c.url} says {THIRD}; {ASKS_AGAIN}"
    )
    network.assert_held(network.run(network.a, network.b, network.c), message)


def test_two_urls_on_one_host_count_as_one_source(network: Network) -> None:
    network.set_answers(NEW, OTHER)
    with running() as same_host:
        same_host.address = NEW
        message = f"{network.a.url} says {NEW} but {network.b.url} says {OTHER}; {ASKS_AGAIN}"
        network.assert_held(network.run(network.a, same_host, network.b), message)
        done = network.run(network.a, same_host)
        assert same_host.requests == 0
    network.assert_published(done, NEW, network.a)
    warning = f"{network.a.url} says {NEW}, but no second source confirms it (no source on another host is configured)"
    assert done.json["results"][0]["warnings"] == [warning]


def test_a_change_that_no_second_source_can_confirm_goes_through_with_one_warning(network: Network) -> None:
    network.set_answers(NEW, None)
    done = network.run(network.a, network.b)
    network.assert_published(done, NEW, network.a)
    warning = f"{network.a.url} says {NEW}, but no second source confirms it ({network.b.url} answered with status 503)"
    assert done.json["results"][0]["warnings"] == [warning]
    assert done.err == f"warning: {warning}\n"


def test_a_change_reported_by_the_only_source_goes_through_with_one_warning(network: Network) -> None:
    network.set_answers(NEW, None)
    done = network.run(network.a)
    network.assert_published(done, NEW, network.a)
    assert done.err == (
        f"warning: {network.a.url} says {NEW}, but no second source confirms it"
        " (no source on another host is configured)\n"
    )


@pytest.fixture(params=["ec2", "imds"])
def own(network: Network, request: pytest.FixtureRequest) -> Iterator[tuple[str, str]]:
    """Give a source that is AWS's word about an instance of its own, and the address that it says."""
    if request.param == "ec2":
        instance, address = launch(client(network.machine.aws.url))
        yield f"ec2:{instance}", str(address)
    else:
        with running() as service:
            service.play = metadata(service, address=answer(NEW))
            yield f"imds:{service.url.removesuffix('/ip')}", NEW


@pytest.mark.parametrize("agreement", ["preferred", "required"])
@pytest.mark.parametrize("is_alone", [True, False])
def test_what_aws_says_of_an_instance_of_its_own_needs_no_second_source(
    network: Network, own: tuple[str, str], agreement: str, is_alone: bool
) -> None:
    source, address = own
    network.set_answers(OTHER, OTHER)
    sources = source if is_alone else f"{source},{network.a.url},{network.b.url}"
    done = network.machine.ddns("run", "--json", DDNS_IP_SOURCES=sources, DDNS_IP_AGREEMENT=agreement)
    assert (done.status, done.err, done.json["results"][0]["address"]) == (0, "", address)
    assert network.machine.database.versions()[-1] == (2, address)
    assert network.asked == (0, 0, 0)


def test_what_aws_says_of_an_instance_of_its_own_contradicts_the_source_before_it(
    network: Network, own: tuple[str, str]
) -> None:
    source, address = own
    network.set_answers(OTHER, OTHER)
    sources = f"{network.a.url},{source},{network.b.url}"
    done = network.machine.ddns("run", "--json", DDNS_IP_SOURCES=sources, DDNS_IP_AGREEMENT="required")
    assert (done.status, done.err, done.json["results"][0]["address"]) == (0, "", address)
    assert network.asked == (1, 0, 0)


def test_the_sources_that_failed_before_the_first_answer_are_not_asked_again_to_confirm_it(network: Network) -> None:
    network.set_answers(None, NEW, None)
    done = network.run(network.a, network.b, network.c)
    network.assert_published(done, NEW, network.b)
    assert done.json["results"][0]["warnings"] == [
        f"{network.b.url} says {NEW}, but no second source confirms it ({network.a.url} {DOWN}; {network.c.url} {DOWN})"
    ]
    assert network.asked == (1, 1, 1)


def test_a_change_that_no_second_source_confirms_is_held_when_agreement_is_required(network: Network) -> None:
    network.set_answers(NEW, None, "192.168.1.1")
    reasons = (
        f"{network.b.url} answered with status 503; {network.c.url} answered 192.168.1.1, which is not a public address"
    )
    message = f"{network.a.url} says {NEW}, but no second source confirms it ({reasons}); {ASKS_AGAIN}"
    network.assert_held(network.run(network.a, network.b, network.c, agreement="required"), message)
    network.set_answers(NEW, None, NEW)
    network.assert_published(network.run(network.a, network.b, network.c, agreement="required"), NEW, network.c)


def test_no_second_source_is_asked_when_agreement_is_off(network: Network) -> None:
    network.set_answers(NEW, OTHER, OTHER)
    done = network.run(network.a, network.b, network.c, agreement="off")
    network.assert_published(done, NEW, network.a)
    assert (network.asked, done.err) == ((1, 0, 0), "")


def test_a_dry_run_checks_agreement_and_writes_nothing(network: Network) -> None:
    network.set_answers(NEW, OTHER)
    sources = f"{network.a.url},{network.b.url}"
    done = network.machine.ddns("run", "--dry-run", DDNS_IP_SOURCES=sources, DDNS_IP_AGREEMENT="required")
    assert (done.status, done.out) == (1, "")
    assert done.err.startswith(f"dry run, held: {network.a.url} says {NEW} but ")
    network.set_answers(NEW, NEW)
    done = network.machine.ddns("run", "--dry-run", DDNS_IP_SOURCES=sources, DDNS_IP_AGREEMENT="required")
    assert (done.status, done.err) == (0, "")
    assert f"{NEW} (was {OLD}) would be version 2" in done.out
    assert network.machine.database.versions() == [(1, OLD)]


def test_one_wrong_one_stale_and_one_correct_source_hold_the_change_until_the_stale_one_is_fresh(
    network: Network,
) -> None:
    network.set_answers(OTHER, OLD, NEW)
    message = (
        f"{network.a.url} says {OTHER} but {network.b.url} says {OLD} but {network.c.url} says {NEW}; {ASKS_AGAIN}"
    )
    network.assert_held(network.run(network.a, network.b, network.c), message)
    network.set_answers(OTHER, NEW, NEW)
    network.assert_published(network.run(network.a, network.b, network.c), NEW, network.c)


def test_two_stale_sources_delay_a_change_and_nothing_wrong_is_written(network: Network) -> None:
    network.set_answers(NEW, OLD, OLD)
    done = network.run(network.a, network.b, network.c, DDNS_RECORDS=None)
    assert (done.status, done.json["outcome"]) == (0, "unchanged")
    assert network.machine.database.versions() == [(1, OLD)]
    network.set_answers(NEW, NEW, OLD)
    network.assert_published(network.run(network.a, network.b, network.c), NEW, network.b)


def test_sources_that_answer_only_half_the_time_never_write_a_wrong_address_and_the_change_goes_through(
    network: Network,
) -> None:
    def half(address: str, *, answers_first: bool) -> Play:
        turns = [answer(address), answer("", "500 No")]
        return in_turn(*(turns if answers_first else turns[::-1]) * 10)

    network.set_answers(half(NEW, answers_first=False), half(OTHER, answers_first=True), half(NEW, answers_first=False))
    services = (network.a, network.b, network.c)
    message = (
        f"{network.b.url} says {OTHER}, but no second source confirms it"
        f" ({network.a.url} answered with status 500; {network.c.url} answered with status 500); {ASKS_AGAIN}"
    )
    network.assert_held(network.run(*services, agreement="required"), message)  # only the wrong source answers
    network.assert_published(network.run(*services, agreement="required"), NEW, network.c)
    assert network.machine.database.versions() == [(1, OLD), (2, NEW)]
    for _ in range(4):  # first the wrong source alone, then the other two, and so on
        network.run(*services, agreement="required")
    assert network.machine.database.versions() == [(1, OLD), (2, NEW)]


def after(seconds: float, address: str) -> Play:
    """Return a play that answers `address` after `seconds`."""

    def play(connection: socket.socket) -> None:
        time.sleep(seconds)
        answer(address)(connection)

    return play


def test_slow_sources_agree_within_the_run_timeout(network: Network) -> None:
    network.set_answers(after(0.2, NEW), after(0.2, OTHER), after(0.2, NEW))
    start = time.monotonic()
    done = network.run(network.a, network.b, network.c, DDNS_RUN_TIMEOUT="6")
    assert time.monotonic() - start < 6
    network.assert_published(done, NEW, network.c)


def test_sources_too_slow_for_the_run_timeout_hold_the_change_and_the_run_ends_in_time(network: Network) -> None:
    network.set_answers(after(0.1, NEW), hang, hang)
    sources = ",".join(service.url for service in (network.a, network.b, network.c))
    changes = {"DDNS_IP_SOURCES": sources, "DDNS_IP_AGREEMENT": "required", "DDNS_IP_TIMEOUT": "60"}
    start = time.monotonic()
    # in a process of its own, which the run's guard may end
    done = network.machine.process("run", "--json", DDNS_RUN_TIMEOUT="3", **changes)
    assert time.monotonic() - start < 3 + START
    message = re.sub(r"within its [0-9.]+ s", "within its share", done.json["results"][0]["error"])
    late = "did not finish within its share"
    assert message == (
        f"{network.a.url} says {NEW}, but no second source confirms it"
        f" ({network.b.url} {late}; {network.c.url} {late}); {ASKS_AGAIN}"
    )
    network.assert_held(done, done.json["results"][0]["error"])


@dataclass
class Late:
    """A source that answers after `seconds` on `clock`."""

    name: str
    host: str
    address: str
    clock: Clock
    seconds: float
    needs_confirmation: bool = True

    def fetch(self, family: Family) -> Address:  # noqa: ARG002 - the port's
        self.clock.sleep(self.seconds)
        return ip_address(self.address)


@contextmanager
def limit_by(clock: Clock, seconds: float, error: DdnsError) -> Iterator[None]:
    """Raise `error` after a block that took longer than `seconds` on `clock`."""
    end = clock.now + seconds
    yield
    if clock.now > end:
        raise error


def test_sources_that_take_almost_five_seconds_each_agree_within_the_default_limits(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", network.machine.aws.url)
    clock, limits = Clock(), network.machine.database.settings()
    seconds = limits.ip_timeout - 0.1
    assert seconds == 4.9
    start = clock.now
    (result,) = Updater(
        Plan("line", (Family.IPV4,), (Record("home.example.com", "A"),), limits.run_timeout),
        sources=[Late(name, name, said, clock, seconds) for name, said in (("a", NEW), ("b", OTHER), ("c", NEW))],
        open_history=partial(factories.open_history, limits),
        publisher=Publisher(Policy(), open_route53),
        verifier=Verifier(open_route53, sleep=clock.sleep),
        whole_run=nullcontext,
        limit=partial(limit_by, clock),
        monotonic=clock.monotonic,
    ).run().results  # fmt: skip
    assert 14.6 < clock.now - start < 20
    assert (result.outcome, result.error, result.address, result.source) == (
        Outcome.UPDATED,
        None,
        ip_address(NEW),
        "c",
    )
    assert network.machine.database.versions() == [(1, OLD), (2, NEW)]
    assert network.machine.database.states() == {"home.example.com": "verified"}
    assert network.machine.aws.address(network.machine.zone_id) == NEW


def test_init_seeds_nothing_while_sources_disagree(small_machine: Machine, tmp_path: Path) -> None:
    with running() as a, running("127.0.0.2") as b:
        a.address, b.address = NEW, OTHER
        small_machine.environment |= {"DDNS_IP_SOURCES": f"{a.url},{b.url}", "DDNS_IP_AGREEMENT": "preferred"}
        done = small_machine.ddns("init", "--name", "line")
        assert (done.status, done.out) == (1, "")
        assert done.err == (
            f"error: {a.url} says {NEW} but {b.url} says {OTHER}; nothing was changed, give the address with --ip\n"
        )
        assert not (tmp_path / "ddns.sqlite3").exists()
        assert not any(small_machine.folder.rglob("*"))
        b.address = NEW
        done = small_machine.ddns("init", "--name", "line")
        assert (done.status, done.err) == (0, "")
        assert small_machine.database.versions() == [(1, NEW)]


def test_init_warns_when_no_second_source_confirms_the_first_address(small_machine: Machine) -> None:
    done = small_machine.ddns("init", "--name", "line", DDNS_IP_AGREEMENT=None)
    assert done.status == 0
    assert done.err == (
        f"warning: {small_machine.service.url} says {OLD}, but no second source confirms it"
        " (no source on another host is configured)\n"
    )
    assert done.out.endswith(f"created origin line: version 1 is {OLD}\n")
    assert small_machine.database.versions() == [(1, OLD)]


def test_init_seeds_nothing_unconfirmed_when_agreement_is_required(small_machine: Machine) -> None:
    with running("127.0.0.2") as b:
        b.play = answer("", "503 Down")
        sources = f"{small_machine.service.url},{b.url}"
        done = small_machine.ddns("init", "--name", "line", DDNS_IP_SOURCES=sources, DDNS_IP_AGREEMENT="required")
    assert (done.status, done.out) == (1, "")
    assert f"no second source confirms it ({b.url} answered with status 503)" in done.err


def order_asked(settings: Settings) -> tuple[str, ...]:
    """Return the sources in the order in which a run asks them; none can be reached."""
    result = Runner(settings).run_once()
    assert result.outcome is Outcome.FAILED
    return tuple(re.findall(r"(https?://\S+) cannot be reached", result.results[0].error or ""))


def order_made(settings: Settings) -> tuple[str, ...]:
    """Return the sources in the order in which they are made for a run."""
    return tuple(source.name for source in factories.sources(settings))


@pytest.fixture
def no_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every name resolution fail, except for loopback."""

    resolve = socket.getaddrinfo

    def refuse(host: Any, *arguments: Any, **options: Any) -> Any:
        if host != "127.0.0.1":
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return resolve(host, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.mark.usefixtures("no_names")
def test_the_default_sources_take_turns_at_being_first(small_machine: Machine) -> None:
    small_machine.init()
    a, b, c = (source.name for source in DEFAULT_SOURCES)
    turns = {(a, b, c), (b, c, a), (c, a, b)}
    settings = small_machine.database.settings(DDNS_IP_RETRIES="0")
    assert {order_made(settings) for _ in range(60)} == turns  # one is missed once in 10^10 times
    assert order_asked(settings) in turns


@pytest.mark.usefixtures("no_names")
def test_a_configured_order_of_sources_is_kept(small_machine: Machine) -> None:
    small_machine.init()
    own = ("https://c.example.com/ip", "https://a.example.com/ip", "https://b.example.com/ip")
    settings = small_machine.database.settings(DDNS_IP_RETRIES="0", DDNS_IP_SOURCES=",".join(own))
    assert {order_made(settings) for _ in range(20)} == {own}
    assert order_asked(settings) == own


@pytest.mark.parametrize(
    ("one", "same"),
    [
        ("https://a.example.com/ip", "https://A.example.com./other#/ip"),
        ("dns:google", "dns:elsewhere.example.com@ns1.google.com:5353?type=TXT"),
        ("interface:eth0", "interface:eth0?temporary"),
        ("file:/run/address", "file:/run/./address"),
        ("command:show ip", "command: show  'ip'"),
    ],
)
def test_one_host_counts_as_one_source_however_it_is_written(one: str, same: str) -> None:
    assert parse_source(one).host == parse_source(same).host
    with pytest.raises(SettingsError, match="DDNS_IP_AGREEMENT=required"):
        load_settings_with({"DDNS_IP_SOURCES": f"{one},{same}", "DDNS_IP_AGREEMENT": "required"})


def test_an_unconfirmed_address_is_not_reported(small_machine: Machine) -> None:
    small_machine.init("9.9.9.9")
    small_machine.service.address = "8.8.8.8"
    held = small_machine.run(DDNS_IP_AGREEMENT="required", DDNS_IP_SOURCES=f"{small_machine.service.url},file:/no/such")
    (family,) = held["results"]
    assert (family["outcome"], family["address"], family["source"], family["version"]) == ("held", None, None, 1)
    assert "says 8.8.8.8" in family["error"]
