"""What is asked of AWS beyond what a run asks: who we are, a zone's data, the right to write. It changes nothing.

The right to write is found out with an UPSERT of a value that no record can have. Route 53 makes all of a change batch
or none of it, and only after it has validated each change, so this one is always refused: with AccessDenied when the
right is missing, and for its value otherwise. https://docs.aws.amazon.com/Route53/latest/APIReference/API_ChangeResourceRecordSets.html
A stand-in for AWS may be less strict and store it, so only AWS itself is asked.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from ddns_updater.dns.route53 import plain
from ddns_updater.errors import DnsError
from ddns_updater.lib import aws
from ddns_updater.model import Record

if TYPE_CHECKING:
    from mypy_boto3_route53.client import Route53Client
    from mypy_boto3_route53.type_defs import ChangeTypeDef, ResourceRecordSetTypeDef

IMPOSSIBLE = "not-an-address"
_OF_AWS = (".amazonaws.com", ".amazonaws.com.cn", ".api.aws")


class HostedZone(NamedTuple):
    """A hosted zone: its name without the final dot, and its delegation set; that of a private zone is empty."""

    id: str
    name: str
    name_servers: tuple[str, ...]


class Route53Probe:
    """One set of credentials and what it may see; every method raises DnsError for what AWS refuses."""

    def __init__(self) -> None:
        self._client: Route53Client = aws.client("route53", DnsError)

    @property
    def stand_in(self) -> str | None:
        """Return the host that stands in for AWS, None when it is AWS itself that is asked, over TLS."""
        url = urlsplit(self._client.meta.endpoint_url)
        host = url.hostname or ""
        return None if url.scheme == "https" and host.endswith(_OF_AWS) else host

    def identity(self) -> str:
        """Return the ARN that the credentials belong to."""
        with aws.errors("failed to ask AWS who we are", DnsError):
            sts: Any = aws.client("sts", DnsError)
            return str(sts.get_caller_identity()["Arn"])

    def zone(self, zone_id: str) -> HostedZone:
        """Return a hosted zone."""
        with aws.errors(f"failed to read hosted zone {zone_id}", DnsError):
            answer = self._client.get_hosted_zone(Id=zone_id)
            servers = answer.get("DelegationSet", {}).get("NameServers", [])
            return HostedZone(zone_id, plain(answer["HostedZone"]["Name"]), tuple(map(plain, servers)))

    def refused_for_its_value(self, zone_id: str, records: Sequence[Record]) -> bool:
        """Try to write `records` with a value that none can have, and return whether only the value was refused.

        Raises DnsError when the right to write is missing or cannot be told, and when the batch was taken after all.
        """
        changes = [_impossible(record) for record in records]
        doing = f"failed to change {records[0]}" + (f" and {len(records) - 1} more" if records[1:] else "")
        try:
            with aws.errors(doing, DnsError):
                self._client.change_resource_record_sets(HostedZoneId=zone_id, ChangeBatch={"Changes": changes})
        except DnsError as error:
            if aws.error_code(error.__cause__) in ("InvalidChangeBatch", "InvalidInput"):
                return IMPOSSIBLE in str(error)
            raise
        raise DnsError(f"{zone_id} took {IMPOSSIBLE!r} as an address, so this is not Route 53; see what stands there")


def _impossible(record: Record) -> "ChangeTypeDef":
    record_set: ResourceRecordSetTypeDef = {
        "Name": record.name,
        "Type": record.type,  # type: ignore[typeddict-item] # the stubs want a literal
        "TTL": 60,
        "ResourceRecords": [{"Value": IMPOSSIBLE}],
    }
    return {"Action": "UPSERT", "ResourceRecordSet": record_set}
