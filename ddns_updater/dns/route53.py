"""Records in AWS Route 53; the only file with AWS's words.

API: https://docs.aws.amazon.com/Route53/latest/APIReference/
Limits: https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/DNSLimitations.html
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    HTTPClientError,
    NoCredentialsError,
)
from botocore.exceptions import ConnectionError as AwsConnectionError
from botocore.parsers import ResponseParserError

from ddns_updater.errors import DnsError
from ddns_updater.model import Change, Record, RecordSet, Submission
from ddns_updater.names import covers

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
_MAX_CHANGE_CALLS = 40  # per zone and run, so that narrowing down never eats the account's 10 requests a second
_NARROWED = ("InvalidChangeBatch", "AccessDenied", "InvalidInput")
_CONNECT_TIMEOUT, _READ_TIMEOUT, _ATTEMPTS = 3, 8, 3
_ESCAPE = re.compile(r"\\([0-7]{3})")


class _Zone(NamedTuple):
    id: str
    name: str
    record_sets: int


class Route53:
    """The hosted zones that one set of credentials may change. Every method raises DnsError for what AWS refuses."""

    def __init__(self, hosted_zone_ids: Sequence[str] = ()) -> None:
        """Take the zones to use; with none, the longest public zone that covers a name is used."""
        self._zone_ids = hosted_zone_ids
        self._candidates: list[_Zone] | None = None
        with _errors("failed to prepare the AWS client"):
            session = boto3.Session()
            self._client: Route53Client = session.client(
                "route53",
                region_name=session.region_name
                or "us-east-1",  # it has no regions, but with AWS_ENDPOINT_URL one is asked
                config=Config(
                    retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
                    connect_timeout=_CONNECT_TIMEOUT,
                    read_timeout=_READ_TIMEOUT,
                    user_agent_extra="ddns-updater",
                ),
            )

    def zones_for(self, names: Sequence[str]) -> dict[str, str | DnsError]:
        """Return the ID of the hosted zone that each of `names` belongs to, or the error of a name that has none."""
        candidates = self._zones()
        zones: dict[str, str | DnsError] = {}
        for name in names:
            covering = [zone for zone in candidates if covers(zone.name, name)]
            longest = max((zone.name for zone in covering), key=len, default="")
            found = [zone.id for zone in covering if zone.name == longest]
            if len(found) == 1:
                zones[name] = found[0]
            elif found:
                shown = ", ".join(found)
                zones[name] = DnsError(
                    f"{name} lies in {len(found)} hosted zones called {longest} ({shown}); put the ID of the one"
                    " that is delegated into DDNS_HOSTED_ZONE_ID"
                )
            elif self._zone_ids:
                given = ", ".join(self._zone_ids)
                zones[name] = DnsError(f"{name} lies outside of hosted zone {given}; correct DDNS_HOSTED_ZONE_ID")
            else:
                zones[name] = DnsError(f"no public hosted zone covers {name}; create one, or set DDNS_HOSTED_ZONE_ID")
        return zones

    def read(self, zone_id: str, records: Sequence[Record]) -> dict[Record, RecordSet | None]:
        """Return what stands at each of `records`, None where there is nothing.

        It takes one call a record or one a page of the zone, whichever is less.
        """
        with _errors(f"failed to read hosted zone {zone_id}"):
            if len(records) == 1 or len(records) <= self._pages(zone_id):
                found = [record_set for record in records for record_set in self._list_at(zone_id, record)]
            else:
                paginator = self._client.get_paginator("list_resource_record_sets")
                found = [
                    each for page in paginator.paginate(HostedZoneId=zone_id) for each in page["ResourceRecordSets"]
                ]
        at: dict[str, list[ResourceRecordSetOutputTypeDef]] = {}
        for each in found:
            at.setdefault(_plain(each["Name"]), []).append(each)
        return {record: _record_set(at.get(record.name, []), record) for record in records}

    def upsert(self, zone_id: str, changes: Sequence[Change]) -> Iterator[Submission]:
        """Send `changes`, in as few batches as AWS allows, and yield each answer as it comes.

        A batch that is refused because of one of its records is halved until the error stands alone. Changes that were
        not sent (too many refusals) are not in any answer.
        """
        waiting = _batches(changes)
        for _ in range(_MAX_CHANGE_CALLS):
            if not waiting:
                return
            batch = waiting.pop(0)
            try:
                with _errors("failed to change " + _named(batch)):
                    answer = self._client.change_resource_record_sets(
                        HostedZoneId=zone_id,
                        ChangeBatch={"Comment": "ddns-updater", "Changes": [_upsert(each) for each in batch]},
                    )["ChangeInfo"]
            except DnsError as error:
                if len(batch) > 1 and _code(error.__cause__) in _NARROWED:
                    middle = len(batch) // 2
                    waiting[:0] = [batch[:middle], batch[middle:]]
                else:
                    yield Submission(tuple(batch), error=str(error))
            else:
                yield Submission(tuple(batch), change_id=_bare_id(answer["Id"]))

    def in_sync(self, change_id: str) -> bool | None:
        """Return whether every name server of AWS has the change; None when AWS no longer knows the change."""
        try:
            with _errors(f"failed to follow change {change_id}"):
                return self._client.get_change(Id=change_id)["ChangeInfo"]["Status"] == "INSYNC"
        except DnsError as error:
            if _code(error.__cause__) == "NoSuchChange":
                return None
            raise

    def _pages(self, zone_id: str) -> int:
        return next((-(-zone.record_sets // _PAGE) for zone in self._zones() if zone.id == zone_id), 1)

    def _zone(self, zone_id: str) -> _Zone:
        with _errors(f"failed to read hosted zone {zone_id}"):
            return _zone_of(self._client.get_hosted_zone(Id=zone_id)["HostedZone"])

    def _zones(self) -> list[_Zone]:
        if self._candidates is None:
            self._candidates = [self._zone(zone_id) for zone_id in self._zone_ids] or self._public_zones()
        return self._candidates

    def _public_zones(self) -> list[_Zone]:
        with _errors("failed to list the hosted zones"):
            pages = self._client.get_paginator("list_hosted_zones").paginate()
            zones = [zone for page in pages for zone in page["HostedZones"]]
        return [_zone_of(zone) for zone in zones if not zone.get("Config", {}).get("PrivateZone")]

    def _list_at(self, zone_id: str, record: Record) -> Sequence["ResourceRecordSetOutputTypeDef"]:
        # Types come in alphabetical order, and a CNAME stands alone at its name: the first set from A on tells all.
        answer = self._client.list_resource_record_sets(
            HostedZoneId=zone_id,
            StartRecordName=record.name,
            StartRecordType=record.type,  # type: ignore[arg-type] # the stubs want a literal
            MaxItems="1",
        )
        return answer["ResourceRecordSets"]


def _zone_of(answer: "HostedZoneTypeDef") -> _Zone:
    return _Zone(_bare_id(answer["Id"]), _plain(answer["Name"]), answer.get("ResourceRecordSetCount", 0))


def _bare_id(text: str) -> str:
    return text.rpartition("/")[2]


def _plain(name: str) -> str:
    r"""Return a name of AWS's as we write it: no final dot, lower-case, `\052` and the like decoded.

    https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/DomainNameFormat.html
    """
    return _ESCAPE.sub(lambda match: chr(int(match[1], 8)), name).removesuffix(".").lower()


def _record_set(found: Iterable["ResourceRecordSetOutputTypeDef"], record: Record) -> RecordSet | None:
    for each in found:
        if each["Type"] == "CNAME":
            target = ", ".join(value["Value"] for value in each.get("ResourceRecords", []))
            return RecordSet((), None, f"a CNAME to {target or 'an alias'}")
        if each["Type"] == record.type:
            if "AliasTarget" in each:
                return RecordSet((), None, f"an alias to {each['AliasTarget']['DNSName'].removesuffix('.')}")
            if "SetIdentifier" in each:
                return RecordSet((), None, f"a set with a routing policy (SetIdentifier {each['SetIdentifier']!r})")
            return RecordSet(tuple(value["Value"] for value in each["ResourceRecords"]), each["TTL"])
    return None


def _batches(changes: Sequence[Change]) -> list[Sequence[Change]]:
    size = min(_BATCH, _BATCH_CHARACTERS // max(len(change.address) for change in changes))
    return [changes[start : start + size] for start in range(0, len(changes), size)]


def _upsert(change: Change) -> "ChangeTypeDef":
    record_set: ResourceRecordSetTypeDef = {
        "Name": change.record.name,
        "Type": change.record.type,  # type: ignore[typeddict-item] # the stubs want a literal
        "TTL": change.ttl,
        "ResourceRecords": [{"Value": change.address}],
    }
    return {"Action": "UPSERT", "ResourceRecordSet": record_set}


def _named(batch: Sequence[Change]) -> str:
    return str(batch[0].record) if len(batch) == 1 else f"{batch[0].record} and {len(batch) - 1} more"


def _code(error: BaseException | None) -> str:
    return str(error.response["Error"].get("Code", "")) if isinstance(error, ClientError) else ""


_ADVICE: Mapping[str, str] = {
    "AccessDenied": "grant it in the IAM policy (see the README)",
    "InvalidClientTokenId": "check the AWS credentials",
    "SignatureDoesNotMatch": "check the AWS credentials and this machine's clock",
    "ExpiredToken": "renew the AWS credentials",
    "NoSuchHostedZone": "correct DDNS_HOSTED_ZONE_ID",
    "InvalidChangeBatch": "mend what stands there, or take the name out of DDNS_RECORDS",
}


@contextmanager
def _errors(doing: str) -> Iterator[None]:
    """Translate the SDK's exceptions in the block into DnsError."""
    try:
        yield
    except ClientError as error:
        code = _code(error)
        said = _line(error.response["Error"].get("Message") or "no reason given")
        raise DnsError(
            f"{doing}: AWS answered {code}: {said}; {_ADVICE.get(code, 'the next run tries again')}"
        ) from error
    except NoCredentialsError as error:
        raise DnsError(
            f"{doing}: there are no AWS credentials; set AWS_PROFILE, or AWS_ACCESS_KEY_ID and its secret"
        ) from error
    except (AwsConnectionError, HTTPClientError) as error:
        raise DnsError(f"{doing}: AWS did not answer: {_line(error)}; the next run tries again") from error
    except (ResponseParserError, KeyError) as error:  # not XML, or not the fields that AWS's answers have
        raise DnsError(f"{doing}: the answer is not of AWS; check AWS_ENDPOINT_URL and the proxy settings") from error
    except (BotoCoreError, ValueError) as error:  # a bad AWS_ENDPOINT_URL is a ValueError
        raise DnsError(f"{doing}: {_line(error)}; check the AWS settings of this machine") from error


def _line(cause: object) -> str:
    return " ".join(str(cause).split()).rstrip(".")
