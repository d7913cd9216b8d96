"""Every address source in each family, and whether they agree."""

from collections.abc import Callable, Generator, Iterator, Sequence
from functools import partial

from ddns_updater.doctor.check import Check, Checker, State
from ddns_updater.errors import CarrierGradeNat, DdnsError, SourceError
from ddns_updater.model import Address, Agreement, Family
from ddns_updater.run.ports import AddressSource

_LONGEST = 30.0  # seconds for one source, with its retries
_INSIDE = ("interface", "ec2", "imds")  # kinds of source that see the line itself, or whoever gives it its address
_ADVICE = {  # by the kind of a source that asks nobody over the internet
    "file": "look at that file, and at what writes it",
    "command": "run that program by hand, as the user who runs ddns",
    "interface": 'look at what "ip address" shows of it',
}


def check_addresses(
    check: Checker,
    makers: Sequence[tuple[str, Callable[[], AddressSource]]],
    families: Sequence[Family],
    agreement: Agreement,
    seconds: float,
    monotonic: Callable[[], float],
) -> Generator[Check, None, dict[Family, Address]]:
    """Make each source, by its name, and ask it for each family, for at most so many seconds.

    Returns the addresses that are beyond doubt.
    """
    sources: list[AddressSource] = []
    for name, make in makers:
        try:
            sources.append(make())
        except DdnsError as error:
            yield check.error(name, error)
    agreed: dict[Family, Address] = {}
    for family in families:
        heard: list[tuple[AddressSource, Address]] = []
        shared: CarrierGradeNat | None = None
        for source in sources:
            start = monotonic()
            try:
                address = check.attempt(min(seconds, _LONGEST), partial(source.fetch, family))
            except CarrierGradeNat as error:
                shared = error
                yield check.error(source.name, error)
            except SourceError as error:  # shown as a whole: nothing that others answer becomes our advice
                yield check.warning(f"{source.name}, {family}", str(error), _advice(source, alone=len(makers) == 1))
            except DdnsError as error:  # its time is over
                said = check.error(f"{source.name}, {family}", error, State.WARNING)
                yield said._replace(advice=_ADVICE.get(_kind(source), said.advice))
            else:
                yield check.ok(source.name, f"says {address}, in {(monotonic() - start) * 1000:.0f} ms")
                heard.append((source, address))
        if family is Family.IPV4 and heard and not shared:
            yield _own_address(check, heard)
        yield _agreement(check, family, heard, agreement, sources)
        if len({address for _, address in heard}) == 1:
            agreed[family] = heard[0][1]
    yield from _one_witness(check, sources)
    return agreed


def _kind(source: AddressSource) -> str:
    return source.name.partition(":")[0]


def _advice(source: AddressSource, *, alone: bool) -> str:
    instead = "name another one in DDNS_IP_SOURCES" if alone else "take it out of DDNS_IP_SOURCES"
    return _ADVICE.get(_kind(source)) or f"ask again, or {instead}"


def _own_address(check: Checker, heard: Sequence[tuple[AddressSource, Address]]) -> Check:
    """Say whether the line has the public IPv4 address for itself: a service outside sees the same if it is shared."""
    name = "carrier-grade NAT"
    by_kind = {_kind(source): source for source, _ in reversed(heard)}
    if inside := next((by_kind[kind] for kind in _INSIDE if kind in by_kind), None):
        return check.ok(name, f"no; {inside.name} sees the line itself, and has a public address")
    if told := by_kind.get("file") or by_kind.get("command"):
        return check.ok(name, f"no, if {told.name} tells what the router has")
    address = heard[0][1]
    advice = f"compare {address} with the WAN address that your router shows; where they differ, others share it"
    return check.note(name, "sources outside of the line cannot tell", advice)


def _agreement(
    check: Checker,
    family: Family,
    heard: Sequence[tuple[AddressSource, Address]],
    agreement: Agreement,
    sources: Sequence[AddressSource],
) -> Check:
    name = f"{family} address"
    hosts = {source.host for source, _ in heard}
    addresses = {address for _, address in heard}
    if not heard:
        local = bool(sources) and all(_kind(source) in _ADVICE for source in sources)
        advice = "see above for each" if local else "is this machine online? see above for each"
        return check.failed(name, "no source gave one that can be trusted", advice)
    if len(addresses) > 1:
        said = " but ".join(f"{source.name} says {address}" for source, address in heard)
        advice = "take the one that is wrong out of DDNS_IP_SOURCES"
        if agreement is Agreement.OFF:
            return check.warning(name, f"{said}; the first that answers is believed (DDNS_IP_AGREEMENT=off)", advice)
        return check.failed(name, f"{said}; a change is held while no two agree", advice)
    (address,) = addresses
    if len(hosts) > 1:
        return check.ok(name, f"{address}, and {len(hosts)} hosts agree on it")
    if agreement is Agreement.OFF:
        return check.ok(name, f"{address}; DDNS_IP_AGREEMENT=off asks for no second source")
    found, advice = f"{address}, but only one host says so", "name a source of another host in DDNS_IP_SOURCES"
    if agreement is Agreement.REQUIRED:
        return check.failed(name, f"{found}, and DDNS_IP_AGREEMENT=required holds every change", advice)
    return check.warning(name, found, advice)


def _one_witness(check: Checker, sources: Sequence[AddressSource]) -> Iterator[Check]:
    for host in dict.fromkeys(source.host for source in sources):
        names = [source.name for source in sources if source.host == host]
        if len(names) > 1:
            yield check.note("address sources", f"{' and '.join(names)} are of one host and count as one witness")
