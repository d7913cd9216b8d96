"""What `ddns doctor` checks in DNS: delegation, name servers, public resolvers and CAA, on loopback."""

import itertools
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, nullcontext
from ipaddress import ip_address
from typing import NamedTuple

import dns.flags
import dns.resolver
import pytest

from ddns_updater.dns.lookup import Lookup
from ddns_updater.doctor.aws import Published
from ddns_updater.doctor.check import Check, Checker, State
from ddns_updater.doctor.name_servers import check_name_servers
from ddns_updater.errors import DnsError
from ddns_updater.lib.deadline import Deadline
from ddns_updater.model import Record
from tests.support import nameserver
from tests.support.nameserver import Exchange, Fault, NameServer, name_server

HOME = Record("home.example.com", "A")
NAME_SERVERS = ("ns1.example.net", "ns2.example.net")
PARENT = "a.gtld-servers.net"


class Zone(NamedTuple):
    """A hosted zone."""

    id: str = "Z1"
    name: str = "example.com"
    name_servers: tuple[str, ...] = NAME_SERVERS


class World(NamedTuple):
    """Name servers on loopback: a resolver, the parent zone's, and the two of the zone itself."""

    resolver: NameServer
    parent: NameServer
    first: NameServer
    second: NameServer

    def lookup(self, timeout: float = 2.0) -> Lookup:
        own = dns.resolver.Resolver(configure=False)
        own.nameservers = [self.resolver.host]
        own.port = self.resolver.port
        hosts = dict(zip((PARENT, *NAME_SERVERS), ([each.host] for each in self[1:]), strict=True))
        return Lookup(look_up=lambda name: hosts.get(name, []), resolver=own, port=self.resolver.port, timeout=timeout)

    def checks(
        self, address: str | None = "9.9.9.9", record: Record = HOME, zone: Zone | None = None
    ) -> dict[str, Check]:
        """Return each check by its name; the resolver acts as a public one."""
        published = [Published(record, zone or Zone(), ip_address(address) if address else None)]
        check = Checker("DNS", lambda _seconds, _error: nullcontext(), 10)
        found = list(check_name_servers(check, self.lookup(), published, Deadline(30), [self.resolver.host]))
        assert len({each.name for each in found}) == len(found)
        return {each.name: each for each in found}


@pytest.fixture
def world() -> Iterator[World]:
    """Give name servers that all answer correctly."""
    with ExitStack() as stack:
        first = stack.enter_context(name_server())
        rest = [stack.enter_context(name_server(f"127.0.0.{n}", first.port)) for n in (2, 3, 4)]
        found = World(first, *rest)
        found.resolver.answers = {("com", "NS"): [f"{PARENT}."], ("home.example.com", "A"): ["9.9.9.9"]}
        found.resolver.answers |= {("example.com", "SOA"): ["a. b. 1 1 1 1 1"]}
        found.parent.answers = {("example.com", "NS"): [f"{name.upper()}." for name in NAME_SERVERS]}
        found.parent.fault = referral
        for each in (found.first, found.second):
            each.answers = {("home.example.com", "A"): ["9.9.9.9"]}
        yield found


def referral(exchange: Exchange) -> None:
    """Answer as a parent zone does: not authoritative, in the authority section."""
    exchange.answer.authority, exchange.answer.answer = exchange.answer.answer, []
    exchange.answer.flags &= ~dns.flags.AA
    nameserver.good(exchange)


def test_servers_that_agree_are_ok(world: World) -> None:
    found = world.checks()
    assert {each.state for each in found.values()} == {State.OK}
    assert list(found) == [
        "delegation of example.com",
        f"{HOME} at {NAME_SERVERS[0]}",
        f"{HOME} at {NAME_SERVERS[1]}",
        f"{HOME} at resolver 127.0.0.1",
        "CAA of home.example.com",
    ]
    assert found["delegation of example.com"].found == "com delegates it to the 2 name servers of Z1"
    assert found[f"{HOME} at {NAME_SERVERS[0]}"].found.startswith("says 9.9.9.9 (")
    assert found[f"{HOME} at resolver 127.0.0.1"].found.startswith("says 9.9.9.9 (TTL 60 s, ")
    assert found["CAA of home.example.com"].found == "none, so any authority may issue certificates"
    assert not world.first.recursion_asked
    assert not world.parent.recursion_asked
    assert world.resolver.recursion_asked


# Delegation


def test_another_zone_of_the_same_name_that_is_delegated_is_a_failure(world: World) -> None:
    world.parent.answers["example.com", "NS"] = ["ns7.example.org.", "ns8.example.org."]
    check = world.checks()["delegation of example.com"]
    assert check.state is State.FAILED
    assert check.found == (
        "com delegates it to ns7.example.org, ns8.example.org, not to ns1.example.net, ns2.example.net of Z1, where"
        " the records are written: another provider hosts the zone, or a second hosted zone has its name"
    )
    assert "DDNS_HOSTED_ZONE_ID" in (check.advice or "")


def test_a_zone_without_a_delegation_is_a_failure(world: World) -> None:
    world.parent.answers = {}
    check = world.checks()["delegation of example.com"]
    assert (check.state, check.found) == (
        State.FAILED,
        "com does not delegate it, so no resolver finds the records in Z1",
    )
    assert check.advice == "set its name servers to ns1.example.net, ns2.example.net at your registrar, or in com"


def test_a_delegation_that_differs_in_part_is_a_warning(world: World) -> None:
    world.parent.answers["example.com", "NS"] = [f"{NAME_SERVERS[0]}.", "old.example.net."]
    check = world.checks()["delegation of example.com"]
    assert check.state is State.WARNING
    assert "old.example.net" in check.found


def test_the_parent_is_the_next_zone_above_and_not_the_next_label(world: World) -> None:
    world.resolver.answers |= {("example.com", "NS"): [f"{PARENT}."], ("sub.example.com", "SOA"): ["a. b. 1 1 1 1 1"]}
    world.parent.answers["deep.sub.example.com", "NS"] = [f"{name}." for name in NAME_SERVERS]
    assert world.lookup().delegation("deep.sub.example.com") == ("example.com", frozenset(NAME_SERVERS))


def test_an_authoritative_answer_of_the_parent_is_accepted(world: World) -> None:
    world.parent.fault = None
    assert world.lookup().delegation("example.com") == ("com", frozenset(NAME_SERVERS))


def test_a_parent_that_is_silent_is_a_warning(world: World) -> None:
    world.parent.stop()
    check = world.checks()["delegation of example.com"]
    assert (check.state, check.found) == (State.WARNING, "none of the name servers of com answers")


def test_a_parent_that_cannot_be_found_is_a_warning(world: World) -> None:
    world.resolver.answers = {}
    check = world.checks()["delegation of example.com"]
    assert (check.state, check.found) == (State.WARNING, "no name server of a parent of example.com can be found")


def test_a_private_zone_is_skipped_and_not_queried(world: World) -> None:
    found = world.checks(zone=Zone(name_servers=()))
    assert [(each.name, each.state) for each in found.values()] == [("delegation of example.com", State.SKIPPED)]
    assert world.resolver.asked == []


# Name servers


def test_a_name_server_that_lags_is_a_warning(world: World) -> None:
    world.second.answers[HOME.name, "A"] = ["8.8.8.8"]
    found = world.checks()
    assert found[f"{HOME} at {NAME_SERVERS[0]}"].state is State.OK
    lagging = found[f"{HOME} at {NAME_SERVERS[1]}"]
    assert lagging.state is State.WARNING
    assert lagging.found.startswith("says 8.8.8.8 (")
    assert lagging.found.endswith(" ms), but the latest version is 9.9.9.9")


@pytest.mark.parametrize(
    ("change", "state", "said"),
    [
        (lambda server: setattr(server, "authoritative", False), State.FAILED, "is not authoritative"),
        (lambda server: server.answers.clear(), State.WARNING, "says NXDOMAIN"),
        (lambda server: setattr(server, "fault", nameserver.garbage), State.WARNING, "does not answer"),
        (lambda server: server.stop(), State.WARNING, "does not answer"),
    ],
)
def test_a_faulty_name_server_is_named(
    world: World, change: Callable[[NameServer], object], state: State, said: str
) -> None:
    change(world.first)
    check = world.checks()[f"{HOME} at {NAME_SERVERS[0]}"]
    assert check.state is state
    assert said in check.found


def test_a_silent_name_server_costs_a_bounded_time(world: World) -> None:
    world.first.fault = nameserver.hang
    start = time.monotonic()
    with pytest.raises(DnsError, match="does not answer"):
        world.lookup().at_name_server(NAME_SERVERS[0], HOME)
    assert time.monotonic() - start < 5
    assert len(world.first.asked) == 2


def test_a_name_server_that_cannot_be_looked_up_is_named(world: World) -> None:
    check = world.checks(zone=Zone(name_servers=("ns9.example.net",)))[f"{HOME} at ns9.example.net"]
    assert (check.state, check.found) == (State.WARNING, "cannot be looked up")


def test_it_asks_over_tcp_when_an_answer_does_not_fit(world: World) -> None:
    world.first.fault = nameserver.truncated
    assert world.lookup().at_name_server(NAME_SERVERS[0], HOME).values == ("9.9.9.9",)
    assert [over for *_, over in world.first.asked] == ["udp", "tcp"]


def test_addresses_are_compared_by_value(world: World) -> None:
    record = Record("home.example.com", "AAAA")
    for each in (world.first, world.second, world.resolver):
        each.answers[record.name, "AAAA"] = ["2606:4700:4700:0:0::1111"]
    found = world.checks("2606:4700:4700::1111", record)
    assert {each.state for each in found.values()} == {State.OK}


def test_without_a_version_the_answers_are_only_shown(world: World) -> None:
    found = world.checks(None)
    assert found[f"{HOME} at {NAME_SERVERS[0]}"].state is State.NOTE
    assert found[f"{HOME} at resolver 127.0.0.1"].state is State.OK


# Public resolvers


def test_a_stale_answer_of_a_resolver_is_a_note_with_the_time_left(world: World) -> None:
    world.resolver.answers[HOME.name, "A"] = ["8.8.8.8"]
    check = world.checks()[f"{HOME} at resolver 127.0.0.1"]
    assert check.state is State.NOTE
    assert check.found.startswith("says 8.8.8.8 (TTL 60 s, ")
    assert check.found.endswith("the latest version is 9.9.9.9")


def test_a_resolver_without_the_record_may_have_cached_its_absence(world: World) -> None:
    del world.resolver.answers[HOME.name, "A"]
    check = world.checks()[f"{HOME} at resolver 127.0.0.1"]
    assert check.state is State.NOTE
    assert check.found.startswith("says NXDOMAIN (")
    assert "15 minutes" in (check.advice or "")


@pytest.mark.parametrize("code", ["SERVFAIL", "REFUSED"])
@pytest.mark.parametrize("address", ["9.9.9.9", None])
def test_a_resolver_that_refuses_says_nothing_about_the_record(world: World, code: str, address: str | None) -> None:
    world.resolver.fault = nameserver.rcode(code)
    check = world.checks(address)[f"{HOME} at resolver 127.0.0.1"]
    assert check.state is State.NOTE
    assert check.found.startswith(f"says {code} (")
    assert "15 minutes" not in (check.advice or "")


def test_a_resolver_that_cannot_be_reached_is_a_note(world: World) -> None:
    check = Checker("DNS", lambda _seconds, _error: nullcontext(), 10)
    found = {
        each.name: each
        for each in check_name_servers(
            check, world.lookup(), [Published(HOME, Zone(), None)], Deadline(30), ["127.0.0.9"]
        )
    }
    assert found[f"{HOME} at resolver 127.0.0.9"].state is State.NOTE


# CAA


def test_the_nearest_caa_set_counts(world: World) -> None:
    world.resolver.answers["example.com", "CAA"] = ['0 issue "letsencrypt.org"']
    world.resolver.answers["com", "CAA"] = ['0 issue "example.org"']
    check = world.checks()["CAA of home.example.com"]
    assert (check.state, check.found) == (State.OK, '0 issue "letsencrypt.org" (at example.com)')


def test_caa_of_a_wildcard_is_that_of_the_name_below_it(world: World) -> None:
    world.resolver.answers["example.com", "CAA"] = ['0 issuewild ";"']
    assert world.lookup().caa("*.example.com", "example.com") == ("example.com", ('0 issuewild ";"',))
    assert "*.example.com" not in {name for name, *_ in world.resolver.asked}


def test_caa_that_cannot_be_read_is_a_warning(world: World) -> None:
    world.resolver.fault = nameserver.rcode("SERVFAIL")
    check = world.checks()["CAA of home.example.com"]
    assert check.state is State.WARNING
    assert check.found == "CAA of home.example.com cannot be read: SERVFAIL, so no authority would issue a certificate"


@pytest.mark.parametrize("fault", [None, nameserver.rcode("NXDOMAIN")])
def test_the_caa_check_is_skipped_when_the_resolver_does_not_know_the_zone(world: World, fault: Fault | None) -> None:
    world.resolver.answers = {("com", "NS"): [f"{PARENT}."]}
    world.resolver.fault = fault
    check = world.checks()["CAA of home.example.com"]
    assert (check.state, check.found) == (State.SKIPPED, "this machine's resolver does not know example.com")


# Silent servers


def test_a_silent_server_is_asked_once_for_all_records(world: World) -> None:
    for each in world:
        each.fault = nameserver.hang
    published = [Published(Record(f"h{n}.example.com", "A"), Zone(), ip_address("9.9.9.9")) for n in range(5)]
    check = Checker("DNS", lambda _seconds, _error: nullcontext(), 10)
    start = time.monotonic()
    found = list(check_name_servers(check, world.lookup(0.2), published, Deadline(30), ["127.0.0.2"]))
    assert time.monotonic() - start < 3
    assert len(found) == 1 + 5 * 3 + 5
    assert {each.state for each in found} == {State.WARNING, State.NOTE}
    assert [len(each.asked) for each in (world.first, world.second)] == [2, 2]
    assert {name for name, *_ in world.resolver.asked} == {"com"}


def test_a_parent_that_is_silent_is_asked_once_for_all_zones(world: World) -> None:
    world.parent.fault = nameserver.hang
    lookup = world.lookup(0.2)
    for zone in ("example.com", "another.com", "third.com"):
        with pytest.raises(DnsError, match="none of the name servers of com answers"):
            lookup.delegation(zone)
    assert len(world.parent.asked) == 1


def test_lookups_that_would_take_too_long_are_one_skipped_check(world: World) -> None:
    published = [Published(Record(f"h{n}.example.com", "A"), Zone(), ip_address("9.9.9.9")) for n in range(5)]
    check = Checker("DNS", lambda _seconds, _error: nullcontext(), 10)
    times = itertools.count(0, 9)
    found = list(check_name_servers(check, world.lookup(), published, Deadline(30, lambda: next(times)), []))
    assert len(found) == 4
    assert (found[-1].state, found[-1].found) == (State.SKIPPED, "13 more lookups would take too long")


# Which records are looked up


def test_every_zone_is_checked_and_not_only_those_of_the_first_records(world: World) -> None:
    other = Zone("Z2", "example.org")
    published = [Published(Record(f"h{n}.example.com", "A"), Zone(), None) for n in range(8)]
    published += [Published(Record(f"h{n}.example.org", "A"), other, None) for n in range(2)]
    check = Checker("DNS", lambda _seconds, _error: nullcontext(), 10)
    found = list(check_name_servers(check, world.lookup(), published, Deadline(30), []))
    asked = {name for name, kind, *_ in world.first.asked if kind == "A"}
    assert asked == {*(f"h{n}.example.com" for n in range(4)), "h0.example.org"}
    assert found[-1].found == "5 more were not looked up"


def test_only_some_of_many_records_are_looked_up_and_it_says_so(world: World) -> None:
    published = [Published(Record(f"h{n}.example.com", "A"), Zone(), None) for n in range(8)]
    check = Checker("DNS", lambda _seconds, _error: nullcontext(), 10)
    found = list(check_name_servers(check, world.lookup(), published, Deadline(30), []))
    assert found[-1].found == "3 more were not looked up"
    assert {name for name, kind, *_ in world.first.asked if kind == "A"} == {f"h{n}.example.com" for n in range(5)}


@pytest.mark.parametrize(("with_extra", "said"), [(False, "need the extra dns"), (True, "no hosted zone was found")])
def test_a_missing_extra_or_zone_is_one_skipped_check(world: World, with_extra: bool, said: str) -> None:
    check = Checker("DNS", lambda _seconds, _error: nullcontext(), 10)
    (found,) = check_name_servers(check, world.lookup() if with_extra else None, [], Deadline(30))
    assert found.state is State.SKIPPED
    assert said in found.found
