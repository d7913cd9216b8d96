"""DNS as seen from outside: delegation, every name server, public resolvers, and who may issue certificates."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Protocol

from ddns_updater.doctor.aws import HostedZone, Published
from ddns_updater.doctor.check import Check, Checker, State
from ddns_updater.errors import DdnsError
from ddns_updater.lib.deadline import Deadline
from ddns_updater.lib.humanize import counted
from ddns_updater.lib.installation import install_advice
from ddns_updater.model import Address, Record, parse_address

PUBLIC_RESOLVERS = ("1.1.1.1", "8.8.8.8", "9.9.9.9")
_NEGATIVE = "it may cache the negative answer for 15 minutes"  # the TTL of Route 53's SOA, RFC 2308 §5
_CONCLUSIVE = ("NOERROR", "NXDOMAIN")  # SERVFAIL, REFUSED and the like say nothing about the name
_MAX_RECORDS = 5  # that are queried; more zones than that have one each


class Answer(Protocol):
    """The answer of one server; `code` is NOERROR or why there are no values, `ttl` is in seconds."""

    @property
    def code(self) -> str: ...
    @property
    def values(self) -> Sequence[str]: ...
    @property
    def ttl(self) -> int | None: ...
    @property
    def authoritative(self) -> bool: ...
    @property
    def milliseconds(self) -> int: ...


class Lookup(Protocol):
    """A DNS client; every method raises DnsError when there is no answer."""

    def at_name_server(self, server: str, record: Record) -> Answer:
        """Query one authoritative name server."""

    def at_resolver(self, address: str, record: Record) -> Answer:
        """Query a recursive resolver."""

    def delegation(self, zone: str) -> tuple[str, frozenset[str]]:
        """Return the parent of `zone` and the name servers that it delegates to."""

    def caa(self, name: str, zone: str) -> tuple[str, tuple[str, ...]] | None:
        """Return the name that has the CAA records for `name`, and the records; None when `zone` seems not to exist."""


def check_name_servers(
    check: Checker,
    lookup: Lookup | None,
    published: Sequence[Published],
    deadline: Deadline,
    resolvers: Sequence[str] = PUBLIC_RESOLVERS,
) -> Iterator[Check]:
    """Query the zones and the records from outside; no query starts after `deadline`.

    `lookup` is None when the extra dns is missing.
    """
    if lookup is None:
        yield check.skipped("name servers", "DNS checks need the extra dns", install_advice("dns"))
        return
    if not published:
        yield check.skipped("name servers", "no hosted zone was found")
        return
    queries = _queries(check, lookup, published, resolvers)
    for number, query in enumerate(queries):
        if not deadline.left():
            why = f"{counted(len(queries) - number, 'more lookup')} would take too long"
            yield check.skipped("other lookups", why, "is port 53 open to the internet?")
            return
        yield query()
    more = sum(bool(each.zone.name_servers) for each in published) - len(_chosen(published))
    if more:
        yield check.note("other records", f"{more} more were not looked up")


def _queries(
    check: Checker, lookup: Lookup, published: Sequence[Published], resolvers: Sequence[str]
) -> list[Callable[[], Check]]:
    """Return the queries in order; each returns its check."""
    queries: list[Callable[[], Check]] = [
        partial(_delegation, check, lookup, zone) for zone in {each.zone.id: each.zone for each in published}.values()
    ]
    chosen = _chosen(published)
    for each in chosen:
        queries += [partial(_at_name_server, check, lookup, server, each) for server in each.zone.name_servers]
        queries += [partial(_at_resolver, check, lookup, resolver, each) for resolver in resolvers]
    zones = {each.record.name: each.zone.name for each in chosen}
    return queries + [partial(_caa, check, lookup, name, zone) for name, zone in zones.items()]


def _chosen(published: Sequence[Published]) -> list[Published]:
    """Return the records to query: the first of each public zone, then others up to `_MAX_RECORDS` in all."""
    public = [each for each in published if each.zone.name_servers]
    first = list({each.zone.id: each for each in reversed(public)}.values())
    others = [each for each in public if each not in first]
    wanted = first + others[: max(_MAX_RECORDS - len(first), 0)]
    return [each for each in public if each in wanted]


def _delegation(check: Checker, lookup: Lookup, zone: HostedZone) -> Check:
    name = f"delegation of {zone.name}"
    if not zone.name_servers:
        return check.skipped(name, "a private zone has no delegation")
    ours = frozenset(zone.name_servers)
    listed = ", ".join(sorted(ours))
    try:
        parent, theirs = check.attempt(name, partial(lookup.delegation, zone.name))
    except DdnsError as error:
        return check.error(name, error, State.WARNING)
    if theirs == ours:
        return check.ok(name, f"{parent} delegates it to the {len(ours)} name servers of {zone.id}")
    if not theirs:
        found = f"{parent} does not delegate it, so no resolver finds the records in {zone.id}"
        return check.failed(name, found, f"set its name servers to {listed} at your registrar, or in {parent}")
    named = ", ".join(sorted(theirs))
    if theirs & ours:
        found = f"{parent} delegates it to {named}, but the name servers of {zone.id} are {listed}"
        return check.warning(name, found, "make the two lists match at your registrar")
    found = f"{parent} delegates it to {named}, not to {listed} of {zone.id}, where the records are written"
    return check.failed(
        name,
        f"{found}: another provider hosts the zone, or a second hosted zone has its name",
        "set DDNS_HOSTED_ZONE_ID to the delegated zone, or correct the name servers at your registrar",
    )


def _at_name_server(check: Checker, lookup: Lookup, server: str, wanted: Published) -> Check:
    name = f"{wanted.record} at {server}"
    try:
        answer = check.attempt(name, partial(lookup.at_name_server, server, wanted.record))
    except DdnsError as error:
        return check.error(name, error, State.WARNING)
    said = f"{_values(answer)} ({answer.milliseconds} ms)"
    if not answer.authoritative:
        return check.failed(name, f"{said}, but is not authoritative", "compare the delegation with the hosted zone")
    if wanted.address is None:
        return check.note(name, f"{said}; there is no version to compare it with")
    if _is(answer, wanted.address):
        return check.ok(name, said)
    return check.warning(
        name, f"{said}, but the latest version is {wanted.address}", "ddns run --recheck, then check again"
    )


def _at_resolver(check: Checker, lookup: Lookup, resolver: str, wanted: Published) -> Check:
    name = f"{wanted.record} at resolver {resolver}"
    try:
        answer = check.attempt(name, partial(lookup.at_resolver, resolver, wanted.record))
    except DdnsError:
        return check.note(name, "does not answer; a firewall may block it")
    left = "" if answer.ttl is None else f"TTL {answer.ttl} s, "
    said = f"{_values(answer)} ({left}{answer.milliseconds} ms)"
    if answer.code not in _CONCLUSIVE:
        return check.note(name, said, "it refused the query or got no answer that it trusts; see the checks above")
    if wanted.address is None or _is(answer, wanted.address):
        return check.ok(name, said)
    advice = "it follows when that TTL expires" if answer.values else _NEGATIVE
    return check.note(name, f"{said}; the latest version is {wanted.address}", advice)


def _caa(check: Checker, lookup: Lookup, record_name: str, zone: str) -> Check:
    name = f"CAA of {record_name}"
    try:
        found = check.attempt(name, partial(lookup.caa, record_name, zone))
    except DdnsError as error:
        failed = check.error(name, error, State.WARNING)
        return failed._replace(found=f"{failed.found}, so no authority would issue a certificate")
    if found is None:
        return check.skipped(name, f"this machine's resolver does not know {zone}")
    at, records = found
    if not records:
        return check.ok(name, "none, so any authority may issue certificates")
    return check.ok(name, f"{'; '.join(records)} (at {at})")


def _values(answer: Answer) -> str:
    if answer.values:
        return f"says {', '.join(answer.values)}"
    return f"says {answer.code}" if answer.code != "NOERROR" else "has no record of that type"


def _is(answer: Answer, address: Address) -> bool:
    return [parse_address(value) for value in answer.values] == [address]
