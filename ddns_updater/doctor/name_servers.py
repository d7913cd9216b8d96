"""DNS as others see it: delegation, every name server, public resolvers, and who may issue certificates."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Protocol

from ddns_updater.doctor.aws import HostedZone, Published
from ddns_updater.doctor.check import Check, Checker, State
from ddns_updater.errors import DdnsError
from ddns_updater.lib.humanize import counted
from ddns_updater.model import Record, same_address

PUBLIC_RESOLVERS = ("1.1.1.1", "8.8.8.8", "9.9.9.9")
_SECONDS = 10
_IN_ALL = 30  # seconds after which no further question is asked
_NEGATIVE = "it may remember for 15 minutes that nothing is there"  # the TTL of Route 53's SOA, RFC 2308 §5
_KNOWING = ("NOERROR", "NXDOMAIN")  # whoever says so knows; SERVFAIL, REFUSED and the like say nothing of the name
_MOST = 5  # records that are asked for, if no more zones are to be seen by one each


class Answer(Protocol):
    """What one server said; `code` is NOERROR or why there are no values, `ttl` in seconds."""

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
    """Whoever can ask DNS; every method raises DnsError when there is no answer."""

    def at_name_server(self, server: str, record: Record) -> Answer:
        """Ask one authoritative name server."""

    def at_resolver(self, address: str, record: Record) -> Answer:
        """Ask a recursive resolver."""

    def delegation(self, zone: str) -> tuple[str, frozenset[str]]:
        """Return the parent of `zone` and the name servers that it delegates to."""

    def caa(self, name: str, zone: str) -> tuple[str, tuple[str, ...]] | None:
        """Return where the CAA records for `name` stand, and the records; None when there seems to be no `zone`."""


def check_name_servers(
    check: Checker,
    lookup: Lookup | None,
    published: Sequence[Published],
    monotonic: Callable[[], float],
    resolvers: Sequence[str] = PUBLIC_RESOLVERS,
) -> Iterator[Check]:
    """Look at the zones and the records from outside; None for `lookup` is a missing extra."""
    if lookup is None:
        yield check.skipped("name servers", "looking at DNS needs the extra dns", "pipx install --force '.[dns]'")
        return
    if not published:
        yield check.skipped("name servers", "no hosted zone is known to look at")
        return
    ask = _questions(check, lookup, published, resolvers)
    end = monotonic() + _IN_ALL
    for number, question in enumerate(ask):
        if monotonic() > end:
            why = f"{counted(len(ask) - number, 'question')} more would take too long here"
            yield check.skipped("other questions", why, "is port 53 open to the internet?")
            return
        yield question()
    more = sum(bool(each.zone.name_servers) for each in published) - len(_chosen(published))
    if more:
        yield check.note("other records", f"{more} more were not asked for")


def _questions(
    check: Checker, lookup: Lookup, published: Sequence[Published], resolvers: Sequence[str]
) -> list[Callable[[], Check]]:
    """Return what there is to ask, in its order; each question makes its check."""
    ask: list[Callable[[], Check]] = [
        partial(_delegation, check, lookup, zone) for zone in {each.zone.id: each.zone for each in published}.values()
    ]
    chosen = _chosen(published)
    for each in chosen:
        ask += [partial(_at_name_server, check, lookup, server, each) for server in each.zone.name_servers]
        ask += [partial(_at_resolver, check, lookup, resolver, each) for resolver in resolvers]
    zones = {each.record.name: each.zone.name for each in chosen}
    return ask + [partial(_caa, check, lookup, name, zone) for name, zone in zones.items()]


def _chosen(published: Sequence[Published]) -> list[Published]:
    """Return the records that are asked for: of each public zone the first, then the others up to so many in all."""
    public = [each for each in published if each.zone.name_servers]
    first = list({each.zone.id: each for each in reversed(public)}.values())
    others = [each for each in public if each not in first]
    wanted = first + others[: max(_MOST - len(first), 0)]
    return [each for each in public if each in wanted]


def _delegation(check: Checker, lookup: Lookup, zone: HostedZone) -> Check:
    name = f"delegation of {zone.name}"
    if not zone.name_servers:
        return check.skipped(name, "a private zone is delegated by nobody")
    ours = frozenset(zone.name_servers)
    listed = ", ".join(sorted(ours))
    try:
        parent, theirs = check.attempt(_SECONDS, partial(lookup.delegation, zone.name))
    except DdnsError as error:
        return check.error(name, error, State.WARNING)
    if theirs == ours:
        return check.ok(name, f"{parent} delegates it to the {len(ours)} name servers of {zone.id}")
    if not theirs:
        found = f"{parent} does not delegate it, so nobody sees what is written into {zone.id}"
        return check.failed(name, found, f"give {listed} to whoever runs {parent} (your registrar)")
    named = ", ".join(sorted(theirs))
    if theirs & ours:
        found = f"{parent} delegates it to {named}, and the name servers of {zone.id} are {listed}"
        return check.warning(name, found, "make the two lists the same at your registrar")
    found = f"{parent} delegates it to {named}, and not to {listed} of {zone.id}, into which the records are written"
    return check.failed(
        name,
        f"{found}: another provider has the zone, or a second hosted zone bears its name",
        "set DDNS_HOSTED_ZONE_ID to the one that is delegated, or correct the name servers at your registrar",
    )


def _at_name_server(check: Checker, lookup: Lookup, server: str, wanted: Published) -> Check:
    name = f"{wanted.record} at {server}"
    try:
        answer = check.attempt(_SECONDS, partial(lookup.at_name_server, server, wanted.record))
    except DdnsError as error:
        return check.error(name, error, State.WARNING)
    said = f"{_values(answer)}, in {answer.milliseconds} ms"
    if not answer.authoritative:
        return check.failed(name, f"{said}, without authority", "compare the delegation with the hosted zone")
    if wanted.address is None:
        return check.note(name, f"{said}; there is no version to compare it with")
    if _is(answer, wanted.address):
        return check.ok(name, said)
    return check.warning(name, f"{said}, and the latest version is {wanted.address}", "ddns run, and look again")


def _at_resolver(check: Checker, lookup: Lookup, resolver: str, wanted: Published) -> Check:
    name = f"{wanted.record} at resolver {resolver}"
    try:
        answer = check.attempt(_SECONDS, partial(lookup.at_resolver, resolver, wanted.record))
    except DdnsError:
        return check.note(name, "does not answer here; a firewall may keep it away")
    left = "" if answer.ttl is None else f", for {answer.ttl} s more"
    said = f"{_values(answer)}{left}, in {answer.milliseconds} ms"
    if answer.code not in _KNOWING:
        return check.note(name, said, "it did not look, or got no answer that it trusts; see the checks above")
    if wanted.address is None or _is(answer, wanted.address):
        return check.ok(name, said)
    advice = "it follows when that time is over" if answer.values else _NEGATIVE
    return check.note(name, f"{said}; the latest version is {wanted.address}", advice)


def _caa(check: Checker, lookup: Lookup, record_name: str, zone: str) -> Check:
    name = f"CAA of {record_name}"
    try:
        found = check.attempt(_SECONDS, partial(lookup.caa, record_name, zone))
    except DdnsError as error:
        said = check.error(name, error, State.WARNING)
        return said._replace(found=f"{said.found}, so nobody would issue a certificate")
    if found is None:
        return check.skipped(name, f"this machine's own resolver knows of no {zone}")
    at, records = found
    if not records:
        return check.ok(name, "there is none, so anybody may issue certificates")
    return check.ok(name, f"{'; '.join(records)} (at {at})")


def _values(answer: Answer) -> str:
    if answer.values:
        return f"says {', '.join(answer.values)}"
    return f"says {answer.code}" if answer.code != "NOERROR" else "says nothing of that type"


def _is(answer: Answer, address: str) -> bool:
    return len(answer.values) == 1 and same_address(answer.values[0], address)
