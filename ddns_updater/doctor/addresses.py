"""Every address source in each family, and whether the sources agree."""

from collections.abc import Callable, Generator, Iterator, Sequence
from functools import partial

from ddns_updater.doctor.check import Check, Checker, State
from ddns_updater.errors import CarrierGradeNat, DdnsError, NotRunning, SourceError
from ddns_updater.model import Address, Agreement, Family
from ddns_updater.run.ports import AddressSource
from ddns_updater.sources.spec import SourceSpec

_INSIDE = ("interface", "ec2", "imds")  # kinds of source that see the address of the line itself
_ADVICE = {  # by the kind of a source that needs no internet
    "file": "check that file and what writes it",
    "command": "run that command yourself, as the user who runs ddns",
    "interface": 'check what "ip address" shows for it',
}
_Answer = tuple[SourceSpec, Address]


def check_addresses(
    check: Checker,
    makers: Sequence[tuple[SourceSpec, Callable[[], AddressSource]]],
    families: Sequence[Family],
    agreement: Agreement,
    monotonic: Callable[[], float],
) -> Generator[Check, None, dict[Family, Address]]:
    """Make each source and ask it for each family.

    Returns the address of each family in which all answers are the same.
    """
    sources: list[tuple[SourceSpec, AddressSource]] = []
    for spec, make in makers:
        try:
            sources.append((spec, make()))
        except DdnsError as error:
            yield check.error(spec.name, error)
    made = [spec for spec, _ in sources]
    agreed: dict[Family, Address] = {}
    for family in families:
        answers: list[_Answer] = []
        refusals: list[SourceError] = []
        for spec, source in sources:
            start = monotonic()
            try:
                address = check.attempt(spec.name, partial(source.fetch, family))
            except SourceError as error:
                refusals.append(error)
                yield _refusal(check, spec, family, error, alone=len(makers) == 1)
            except DdnsError as error:  # the time limit
                late = check.error(f"{spec.name}, {family}", error, State.WARNING)
                yield late._replace(advice=_ADVICE.get(spec.kind, late.advice))
            else:
                yield check.ok(spec.name, f"says {address} ({(monotonic() - start) * 1000:.0f} ms)")
                answers.append((spec, address))
        if family is Family.IPV4 and answers and not any(isinstance(each, CarrierGradeNat) for each in refusals):
            yield _carrier_grade_nat(check, answers)
        if made and sum(isinstance(each, NotRunning) for each in refusals) == len(made):
            yield check.note(f"{family} address", f"runs are off until {' or '.join(each.name for each in made)} runs")
        else:
            yield _agreement(check, family, answers, agreement, made)
        if len({address for _, address in answers}) == 1:
            agreed[family] = answers[0][1]
    yield from _shared_hosts(check, made)
    return agreed


def _refusal(check: Checker, spec: SourceSpec, family: Family, error: SourceError, *, alone: bool) -> Check:
    if isinstance(error, CarrierGradeNat):
        return check.error(spec.name, error)
    name = f"{spec.name}, {family}"
    if isinstance(error, NotRunning):
        return check.note(name, error.problem)
    return check.warning(name, error.problem, error.advice or _advice(spec, alone=alone))


def _advice(spec: SourceSpec, *, alone: bool) -> str:
    instead = "use another one in DDNS_IP_SOURCES" if alone else "remove it from DDNS_IP_SOURCES"
    return _ADVICE.get(spec.kind) or f"try again, or {instead}"


def _carrier_grade_nat(check: Checker, answers: Sequence[_Answer]) -> Check:
    """Return whether the provider shares the IPv4 address among customers, which no service outside can see."""
    name = "carrier-grade NAT"
    by_kind = {spec.kind: spec for spec, _ in reversed(answers)}
    if inside := next((by_kind[kind] for kind in _INSIDE if kind in by_kind), None):
        return check.ok(name, f"no; {inside.name} sees the address of the line itself, and it is public")
    if router := by_kind.get("file") or by_kind.get("command"):
        return check.ok(name, f"no, if {router.name} gives the router's WAN address")
    address = answers[0][1]
    advice = f"compare {address} with the WAN address that your router shows; if they differ, other customers share it"
    return check.note(name, "sources outside the line cannot detect it", advice)


def _agreement(
    check: Checker, family: Family, answers: Sequence[_Answer], agreement: Agreement, made: Sequence[SourceSpec]
) -> Check:
    name = f"{family} address"
    hosts = {spec.host for spec, _ in answers}
    addresses = {address for _, address in answers}
    final = next((spec for spec, _ in answers if not spec.needs_confirmation), None)
    if not answers:
        local = bool(made) and all(spec.kind in _ADVICE for spec in made)
        advice = "see each source above" if local else "is this machine online? see each source above"
        return check.failed(name, "no source gave a trustworthy address", advice)
    if len(addresses) > 1:
        conflict = " but ".join(f"{spec.name} says {address}" for spec, address in answers)
        advice = "remove the wrong one from DDNS_IP_SOURCES"
        if agreement is Agreement.OFF:
            return check.warning(name, f"{conflict}; DDNS_IP_AGREEMENT=off uses the first answer", advice)
        if final:
            return check.warning(name, f"{conflict}; a change needs only what {final.name} says", advice)
        return check.failed(name, f"{conflict}; a change is held until two agree", advice)
    (address,) = addresses
    if len(hosts) > 1:
        return check.ok(name, f"{address}, {len(hosts)} hosts agree")
    if final:
        return check.ok(name, f"{address}; {final.name} needs no second source")
    if agreement is Agreement.OFF:
        return check.ok(name, f"{address}; DDNS_IP_AGREEMENT=off needs no second source")
    found, advice = f"{address}, but no second source confirms it", "add a source on another host to DDNS_IP_SOURCES"
    if agreement is Agreement.REQUIRED:
        return check.failed(name, f"{found}, and DDNS_IP_AGREEMENT=required holds every change", advice)
    return check.warning(name, found, advice)


def _shared_hosts(check: Checker, made: Sequence[SourceSpec]) -> Iterator[Check]:
    for host in dict.fromkeys(spec.host for spec in made):
        names = [spec.name for spec in made if spec.host == host]
        if len(names) > 1:
            yield check.note("address sources", f"{' and '.join(names)} are on one host and count as one source")
