"""The AWS identity, the hosted zones, the content of the records, and the permission to write them."""

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple, Protocol

from ddns_updater.doctor.check import Check, Checker, State
from ddns_updater.doctor.database import Known
from ddns_updater.errors import DdnsError, DnsError
from ddns_updater.lib.humanize import listed
from ddns_updater.model import Address, Record, RecordSet
from ddns_updater.run.claims import by_record, refusal, rivalry, rivals, stronger_claim
from ddns_updater.run.ports import Dns

_MAX_SINGLE = 10  # records of a zone with a check each; of more, those with the same result share one
_MAX_NAMED = 3  # records that a list names before it says "and 5 more"


class HostedZone(Protocol):
    """A hosted zone of Route 53; a private one has no name servers."""

    @property
    def id(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def name_servers(self) -> Sequence[str]: ...


class Route53Probe(Protocol):
    """The requests to AWS that only the doctor sends; every method raises DnsError."""

    @property
    def stand_in(self) -> str | None:
        """Return the host that stands in for AWS, None when it is AWS itself."""

    def identity(self) -> str:
        """Return the ARN that the credentials belong to."""

    def zone(self, zone_id: str) -> HostedZone:
        """Return a hosted zone."""

    def refused_for_its_value(self, zone_id: str, records: Sequence[Record]) -> bool:
        """Send a change of `records` that Route 53 must refuse; return whether its value was the only reason."""


class Published(NamedTuple):
    """A record in its hosted zone, and the address it should hold; None when that is unknown."""

    record: Record
    zone: HostedZone
    address: Address | None


def check_aws(
    check: Checker,
    open_probe: Callable[[], Route53Probe],
    open_dns: Callable[[], Dns],
    wanted: Mapping[Record, str | None],
    known: Known,
    recheck_every: float,
) -> Generator[Check, None, tuple[Published, ...]]:
    """Check `wanted`, each record with the zone it is pinned to; return those whose hosted zone was found."""
    if not wanted:
        yield check.note("records", "DDNS_RECORDS is empty: only the history is kept, and AWS is not used")
        return ()
    try:
        probe = check.attempt("identity", open_probe)
        yield check.ok("identity", check.attempt("identity", probe.identity))
    except DdnsError as error:
        yield check.error("identity", error)
        yield check.skipped("hosted zones", "the identity check failed")
        return ()
    try:
        dns = check.attempt("hosted zones", open_dns)
        zones = check.attempt("hosted zones", partial(dns.zones_for, wanted))
    except DdnsError as error:
        yield check.error("hosted zones", error)
        return ()
    latest = {family.record_type: journal.version.address for family, journal in known.journals.items()}
    published: list[Published] = []
    by_zone: dict[str, list[Record]] = {}
    for record, found in zones.items():
        if isinstance(found, DnsError):
            yield check.error(f"hosted zone of {record}", found)
        else:
            by_zone.setdefault(found, []).append(record)
    for zone_id, records in by_zone.items():
        name = f"hosted zone {zone_id}"
        try:
            zone = check.attempt(name, partial(probe.zone, zone_id))
        except DdnsError as error:
            yield check.error(name, error)
        else:
            kind = "" if zone.name_servers else " (private)"
            yield check.ok(name, f"{zone.name}{kind} covers {_named(records)}")
            yield from _claims(check, known, zone_id, records, recheck_every)
            published += [Published(record, zone, latest.get(record.type)) for record in records]
        yield from _contents(
            check, probe, dns, zone_id, {each: (each, zone_id) in known.sent for each in records}, latest
        )
    return tuple(published)


def _claims(
    check: Checker, known: Known, zone_id: str, records: Sequence[Record], recheck_every: float
) -> Iterator[Check]:
    """Report the records that another origin publishes, or is set up to publish."""
    origins = {family.record_type: origin for family, origin in known.origins.items()}
    on = by_record(known.claims, zone_id)
    for record in records:
        origin, claims, name = origins.get(record.type), on.get(record), f"claim on {record}"
        if not (origin and claims):
            continue
        if stronger := stronger_claim(origin, claims):
            yield check.error(name, refusal(stronger, recheck_every))
        else:
            yield from (check.warning(name, *rivalry(each)) for each in rivals(origin, claims))


def _contents(
    check: Checker,
    probe: Route53Probe,
    dns: Dns,
    zone_id: str,
    records: Mapping[Record, bool],
    latest: Mapping[str, Address | None],
) -> Iterator[Check]:
    all_records, name = f"records of {zone_id}", f"write permission in {zone_id}"
    try:
        sets = check.attempt(all_records, partial(dns.read, zone_id, list(records)))
    except DdnsError as error:
        yield check.error(all_records, error)
        yield check.skipped(name, "its records cannot be read")
        return
    held = {
        record: _holds(check, record, record_set, latest.get(record.type), is_ours=records[record])
        for record, record_set in sets.items()
    }
    yield from _grouped(held)
    free = [record for record, record_set in sets.items() if not (record_set and record_set.obstacle)]
    if not free:
        yield check.skipped(name, "no record there may be overwritten")
    elif probe.stand_in is not None:
        yield check.skipped(name, f"tested only on AWS itself, not on {probe.stand_in}")
    else:
        yield _permission(check, probe, name, zone_id, free)


def _grouped(held: Mapping[Record, Check]) -> Iterator[Check]:
    """Yield the checks of a zone's records; of many, merge those that are ok or notes and have the same result."""
    alike: dict[tuple[str, ...], list[Record]] = {}
    for record, one in held.items():
        if len(held) <= _MAX_SINGLE or one.state not in (State.OK, State.NOTE):
            yield one
        else:
            alike.setdefault((one.state, one.found, one.advice or ""), []).append(record)
    for records in alike.values():
        yield held[records[0]]._replace(name=_named(records))


def _named(records: Sequence[Record]) -> str:
    return listed([str(record) for record in records], _MAX_NAMED)


def _permission(check: Checker, probe: Route53Probe, name: str, zone_id: str, records: Sequence[Record]) -> Check:
    try:
        by_value = check.attempt(name, partial(probe.refused_for_its_value, zone_id, records))
    except DdnsError as error:
        return check.error(name, error)
    if by_value:
        return check.ok(name, "AWS refused a test change for its invalid value, not for a missing permission")
    return check.note(name, "AWS refused a test change for a reason other than its value; the next run will show")


def _holds(
    check: Checker, record: Record, record_set: RecordSet | None, latest: Address | None, *, is_ours: bool
) -> Check:
    """Return the check of what a record holds, which `is_ours` when this program may have written it before."""
    name = str(record)
    if record_set is None:
        return check.note(name, f"does not exist {'any more' if is_ours else 'yet'}", "ddns run --recheck")
    if record_set.obstacle:
        return check.failed(
            name,
            f"{record_set.obstacle} exists there and is never overwritten",
            "delete that record set, or remove the name from DDNS_RECORDS",
        )
    held = f"{', '.join(record_set.values)}, TTL {record_set.ttl} s"
    if len(record_set.values) > 1 and not is_ours:
        found = f"holds {held}, and none was written by this program"
        return check.failed(name, found, "leave one of them, or remove the name from DDNS_RECORDS")
    if latest is None:
        return check.note(name, f"holds {held}; there is no version to compare it with")
    if record_set.holds(latest, None):
        return check.ok(name, f"holds {held}, the latest version")
    found = f"holds {held}, but the latest version is {latest}"
    return check.warning(name, found, "ddns run --recheck")
