"""Records in AWS Route 53, translated between its API and the model.

API: https://docs.aws.amazon.com/Route53/latest/APIReference/
Limits: https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/DNSLimitations.html
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, NamedTuple

from ddns_updater.dns.names import covers
from ddns_updater.errors import DnsError, NoHostedZone
from ddns_updater.lib import aws
from ddns_updater.lib.humanize import listed
from ddns_updater.model import Change, Record, RecordSet, Submission

if TYPE_CHECKING:
    from mypy_boto3_route53.client import Route53Client
    from mypy_boto3_route53.type_defs import (
        ChangeTypeDef,
        HostedZoneTypeDef,
        ResourceRecordSetOutputTypeDef,
        ResourceRecordSetTypeDef,
    )

_BATCH = 500  # a request may hold 1,000 values, and an UPSERT counts each of its values twice
_BATCH_CHARACTERS = 16_000  # likewise 32,000 characters of values
_PAGE = 300  # the most record sets that one ListResourceRecordSets returns
_TYPES = 12  # record sets to read at a name: no more of types up to NS, which delegates it, can stand there
_MAX_CHANGE_CALLS = 40  # per zone and run, so that halving batches never uses up the account's 10 requests a second
_NAMED = 3  # zones that a message names
_HALVED = ("InvalidChangeBatch", "AccessDenied", "InvalidInput")
_ESCAPE = re.compile(r"\\([0-7]{3})")


class _Zone(NamedTuple):
    id: str
    name: str
    record_sets: int


class _Unreadable(DnsError):
    """A zone that cannot be read: the error of each name that depends on it, and of no other."""


class Route53:
    """The hosted zones that one set of credentials may change, as they are during one run.

    Every method raises DnsError when AWS refuses.
    """

    def __init__(self, client: "aws.Client[Route53Client]", hosted_zone_ids: Sequence[str] = ()) -> None:
        """Take the zones to use; without them, the longest public zone that covers a name is used."""
        self._aws = client
        self._zone_ids = hosted_zone_ids
        self._candidates: list[_Zone] | None = None
        self._looked_up: dict[str, _Zone | _Unreadable] = {}
        self._unreadable: list[_Unreadable] = []
        self._delegations: dict[tuple[str, Record], list[str]] = {}

    def zones_for(self, records: Mapping[Record, str | None]) -> dict[Record, str | DnsError]:
        """Return the ID of each record's hosted zone, or the error when a record has none.

        `records` maps a record to the zone it is pinned to; without one, the longest zone that covers its name is used.
        """
        zones: dict[Record, str | DnsError] = {}
        for record, pinned in records.items():
            try:
                zone = self._pinned(record.name, pinned) if pinned else self._longest(record.name)
            except (_Unreadable, NoHostedZone) as error:
                zones[record] = error
            else:
                zones[record] = self._delegated(zone, record.name) or zone.id
        return zones

    def read(self, zone_id: str, records: Sequence[Record]) -> dict[Record, RecordSet | None]:
        """Return the record set at each of `records`, None where there is none.

        It makes one call per record or one per page of the zone, whichever is fewer.
        """
        with self._aws.calling(f"failed to read hosted zone {zone_id}") as client:
            if len(records) == 1 or len(records) <= self._pages(zone_id):
                found = [each for record in records for each in _list_at(client, zone_id, record, _TYPES)]
            else:
                paginator = client.get_paginator("list_resource_record_sets")
                found = [
                    each for page in paginator.paginate(HostedZoneId=zone_id) for each in page["ResourceRecordSets"]
                ]
        at: dict[str, list[ResourceRecordSetOutputTypeDef]] = {}
        for each in found:
            at.setdefault(plain(each["Name"]), []).append(each)
        return {record: _record_set(at.get(record.name, []), record) for record in records}

    def upsert(self, zone_id: str, changes: Sequence[Change]) -> Iterator[Submission]:
        """Send `changes` in as few batches as AWS allows, and yield each answer as it comes.

        AWS refuses a whole batch for one bad record, so a refused batch is halved until that record is alone. After too
        many refusals the remaining changes are not sent and are in no answer.
        """
        waiting = _batches(changes)
        for _ in range(_MAX_CHANGE_CALLS):
            if not waiting:
                return
            batch = waiting.pop(0)
            try:
                with self._aws.calling(f"failed to change {listed([str(each.record) for each in batch], 1)}") as client:
                    answer = client.change_resource_record_sets(
                        HostedZoneId=zone_id,
                        ChangeBatch={"Comment": "ddns-updater", "Changes": [_upsert(each) for each in batch]},
                    )["ChangeInfo"]
            except DnsError as error:
                if len(batch) > 1 and aws.error_code(error.__cause__) in _HALVED:
                    middle = len(batch) // 2
                    waiting[:0] = [batch[:middle], batch[middle:]]
                else:
                    is_refused = aws.was_answered(error.__cause__)
                    yield Submission(tuple(batch), error=str(error), is_refused=is_refused)
            else:
                yield Submission(tuple(batch), change_id=_bare_id(answer["Id"]))

    def in_sync(self, change_id: str) -> bool | None:
        """Return whether all name servers of AWS have the change; None when AWS no longer knows the change."""
        try:
            with self._aws.calling(f"failed to check change {change_id}") as client:
                return client.get_change(Id=change_id)["ChangeInfo"]["Status"] == "INSYNC"
        except DnsError as error:
            if aws.error_code(error.__cause__) == "NoSuchChange":
                return None
            raise

    def name_servers(self, zone_id: str) -> tuple[str, ...]:
        """Return the authoritative name servers of a zone (its delegation set); a private zone has none."""
        with self._aws.calling(f"failed to read hosted zone {zone_id}") as client:
            answer = client.get_hosted_zone(Id=zone_id)
            return tuple(plain(name) for name in answer.get("DelegationSet", {}).get("NameServers", []))

    def zone_name(self, zone_id: str) -> str:
        """Return the name of a hosted zone."""
        known = [zone for zone in self._candidates or () if zone.id == zone_id]
        zone = known[0] if known else self._look_up(zone_id)
        if isinstance(zone, _Unreadable):
            raise zone
        return zone.name

    def _pinned(self, name: str, zone_id: str) -> _Zone:
        zone = self._look_up(zone_id)
        if isinstance(zone, _Unreadable):
            raise zone
        if not covers(zone.name, name):
            raise NoHostedZone(f"{name} is not in hosted zone {zone_id} ({zone.name})", "correct DDNS_RECORDS")
        return zone

    def _longest(self, name: str) -> _Zone:
        covering = [zone for zone in self._zones() if covers(zone.name, name)]
        longest = max((zone.name for zone in covering), key=len, default="")
        found = [zone for zone in covering if zone.name == longest]
        if len(found) == 1:
            return found[0]
        if found:
            raise NoHostedZone(
                f"{name} is in {len(found)} hosted zones called {longest} ({', '.join(zone.id for zone in found)})",
                f"write {name}=ID in DDNS_RECORDS, with the ID of the delegated zone",
            )
        if self._unreadable:
            raise self._unreadable[0]  # this zone may cover the name
        if self._zone_ids:
            given = listed([f"{zone.id} ({zone.name})" for zone in self._zones()], _NAMED)
            raise NoHostedZone(f"{name} is not in hosted zone {given}", "correct DDNS_HOSTED_ZONE_ID")
        seen = listed(_nearest(name, {zone.name for zone in self._zones()}), _NAMED) or "none"
        raise NoHostedZone(
            f"no public hosted zone covers {name}; this account has {seen}", "create one, or set DDNS_HOSTED_ZONE_ID"
        )

    def _delegated(self, zone: _Zone, name: str) -> DnsError | None:
        """Return the error when `zone` delegates a name above `name`, because resolvers never ask this zone for it."""
        labels = name.removesuffix(zone.name).split(".")[1:-1]  # without the first label, and the dot before the zone
        for place in range(len(labels)):
            above = Record(".".join([*labels[place:], zone.name]), "NS")
            if (zone.id, above) not in self._delegations:
                try:
                    with self._aws.calling(f"failed to read hosted zone {zone.id}") as client:
                        found = _list_at(client, zone.id, above, 1)
                except DnsError as error:
                    return error
                at_name = [each for each in found if plain(each["Name"]) == above.name]
                self._delegations[zone.id, above] = _name_servers(at_name)
            if servers := self._delegations[zone.id, above]:
                return NoHostedZone(
                    f"{name} is below {above.name}, which hosted zone {zone.id} delegates to {listed(servers, 2)}",
                    f"write {name}=ID in DDNS_RECORDS, with the ID of the zone that is there",
                )
        return None

    def _pages(self, zone_id: str) -> int:
        known = [*(self._candidates or ()), *self._looked_up.values()]
        sizes = [zone.record_sets for zone in known if isinstance(zone, _Zone) and zone.id == zone_id]
        if not sizes:  # a run that only reads back; listing all zones may be forbidden or slow
            zone = self._look_up(zone_id)
            sizes = [zone.record_sets] if isinstance(zone, _Zone) else []
        return -(-sizes[0] // _PAGE) if sizes else 1

    def _look_up(self, zone_id: str) -> "_Zone | _Unreadable":
        """Return the zone with that ID, or the error for the names that depend on it; AWS is asked once."""
        if zone_id not in self._looked_up:
            try:
                with self._aws.calling(f"failed to read hosted zone {zone_id}") as client:
                    self._looked_up[zone_id] = _zone_of(client.get_hosted_zone(Id=zone_id)["HostedZone"])
            except DnsError as error:
                self._looked_up[zone_id] = _Unreadable(error.problem, error.advice, then=error.then)
        return self._looked_up[zone_id]

    def _zones(self) -> list[_Zone]:
        if self._candidates is None:
            self._candidates = [] if self._zone_ids else self._public_zones()
            for zone_id in self._zone_ids:
                found = self._look_up(zone_id)
                if isinstance(found, _Zone):
                    self._candidates.append(found)
                else:
                    self._unreadable.append(found)
        return self._candidates

    def _public_zones(self) -> list[_Zone]:
        with self._aws.calling("failed to list the hosted zones") as client:
            pages = client.get_paginator("list_hosted_zones").paginate()
            zones = [zone for page in pages for zone in page["HostedZones"]]
        return [_zone_of(zone) for zone in zones if not zone.get("Config", {}).get("PrivateZone")]


def _nearest(name: str, zones: Iterable[str]) -> list[str]:
    """Return `zones`, those first that are spelt most like `name`."""
    return sorted(zones, key=lambda zone: (-SequenceMatcher(None, zone, name).ratio(), zone))


def _list_at(
    client: "Route53Client", zone_id: str, record: Record, most: int
) -> Sequence["ResourceRecordSetOutputTypeDef"]:
    """Return at most so many record sets from `record` on, by name and then by type in alphabetical order."""
    answer = client.list_resource_record_sets(
        HostedZoneId=zone_id,
        StartRecordName=record.name,
        StartRecordType=record.type,  # type: ignore[arg-type] # the stubs want a literal
        MaxItems=str(most),
    )
    return answer["ResourceRecordSets"]


def _zone_of(answer: "HostedZoneTypeDef") -> _Zone:
    return _Zone(_bare_id(answer["Id"]), plain(answer["Name"]), answer.get("ResourceRecordSetCount", 0))


def _bare_id(text: str) -> str:
    return text.rpartition("/")[2]


def plain(name: str) -> str:
    r"""Return a name from AWS in our form: no final dot, lower case, escapes such as `\052` decoded.

    https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/DomainNameFormat.html
    """
    return _ESCAPE.sub(lambda match: chr(int(match[1], 8)), name).removesuffix(".").lower()


def _name_servers(found: Iterable["ResourceRecordSetOutputTypeDef"]) -> list[str]:
    sets = [each for each in found if each["Type"] == "NS"]
    return [value["Value"].removesuffix(".") for each in sets for value in each.get("ResourceRecords", [])]


def _record_set(found: Sequence["ResourceRecordSetOutputTypeDef"], record: Record) -> RecordSet | None:
    servers = _name_servers(found)
    if servers and not any(each["Type"] == "SOA" for each in found):  # which only the zone itself has
        return RecordSet((), None, f"a delegation to {listed(servers, 2)}")
    for each in found:
        if each["Type"] == "CNAME":
            target = ", ".join(value["Value"] for value in each.get("ResourceRecords", []))
            return RecordSet((), None, f"a CNAME to {target or 'an alias'}")
        if each["Type"] == record.type:
            if "TrafficPolicyInstanceId" in each:
                return RecordSet((), None, f"a set of traffic policy instance {each['TrafficPolicyInstanceId']}")
            if "AliasTarget" in each:
                return RecordSet((), None, f"an alias to {each['AliasTarget']['DNSName'].removesuffix('.')}")
            if "SetIdentifier" in each:
                return RecordSet((), None, f"a set with a routing policy (SetIdentifier {each['SetIdentifier']!r})")
            if "TTL" not in each or "ResourceRecords" not in each:
                return RecordSet((), None, "a set without values and TTL of its own")
            return RecordSet(tuple(value["Value"] for value in each["ResourceRecords"]), each["TTL"])
    return None


def _batches(changes: Sequence[Change]) -> list[Sequence[Change]]:
    values = max(len(change.values) for change in changes)
    characters = max(sum(map(len, change.values)) for change in changes)
    size = max(min(_BATCH // values, _BATCH_CHARACTERS // characters), 1)
    return [changes[start : start + size] for start in range(0, len(changes), size)]


def _upsert(change: Change) -> "ChangeTypeDef":
    record_set: ResourceRecordSetTypeDef = {
        "Name": change.record.name,
        "Type": change.record.type,  # type: ignore[typeddict-item] # the stubs want a literal
        "TTL": change.ttl,
        "ResourceRecords": [{"Value": value} for value in change.values],
    }
    return {"Action": "UPSERT", "ResourceRecordSet": record_set}
