"""Questions to AWS that a run does not ask: whose credentials these are, a zone's data, the permission to write.

Nothing is changed. The permission is tested with an UPSERT of a value that no record can have. Route 53 makes all
changes of a batch or none, after it has validated each, so this one is always refused: with AccessDenied when the
permission is missing, else for its value. https://docs.aws.amazon.com/Route53/latest/APIReference/API_ChangeResourceRecordSets.html
A substitute for AWS may be less strict and store the value, so only AWS itself is asked.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from ddns_updater.dns.route53 import plain
from ddns_updater.errors import DnsError
from ddns_updater.lib import aws
from ddns_updater.lib.humanize import listed
from ddns_updater.model import Record

if TYPE_CHECKING:
    from mypy_boto3_route53.client import Route53Client
    from mypy_boto3_route53.type_defs import ChangeTypeDef, ResourceRecordSetTypeDef

IMPOSSIBLE = "not-an-address"
_AWS_DOMAINS = (".amazonaws.com", ".amazonaws.com.cn", ".api.aws")


class HostedZone(NamedTuple):
    """A hosted zone: its name without the final dot, and its delegation set, which is empty for a private zone."""

    id: str
    name: str
    name_servers: tuple[str, ...]


class Route53Probe:
    """Questions to AWS with one set of credentials; every method raises DnsError when AWS refuses."""

    def __init__(self, client: "aws.Client[Route53Client]") -> None:
        self._aws = client

    @property
    def stand_in(self) -> str | None:
        """Return the host that is asked in place of AWS, None when it is AWS itself, over TLS."""
        with self._aws.calling("failed to find the endpoint of AWS") as client:
            url = urlsplit(client.meta.endpoint_url)
        host = url.hostname or ""
        return None if url.scheme == "https" and host.endswith(_AWS_DOMAINS) else host

    def identity(self) -> str:
        """Return the ARN that the credentials belong to."""
        sts: aws.Client[Any] = aws.Client("sts", DnsError)
        with sts.calling("failed to identify the AWS credentials") as client:
            return str(client.get_caller_identity()["Arn"])

    def zone(self, zone_id: str) -> HostedZone:
        """Return a hosted zone."""
        with self._aws.calling(f"failed to read hosted zone {zone_id}") as client:
            answer = client.get_hosted_zone(Id=zone_id)
            servers = answer.get("DelegationSet", {}).get("NameServers", [])
            return HostedZone(zone_id, plain(answer["HostedZone"]["Name"]), tuple(map(plain, servers)))

    def refused_for_its_value(self, zone_id: str, records: Sequence[Record]) -> bool:
        """Try to write `records` with a value that none can have, and return whether only the value was refused.

        Raises DnsError when the permission to write is missing or unknown, and when the batch is accepted after all.
        """
        changes = [_impossible(record) for record in records]
        doing = f"failed to change {listed([str(record) for record in records], 1)}"
        try:
            with self._aws.calling(doing) as client:
                client.change_resource_record_sets(HostedZoneId=zone_id, ChangeBatch={"Changes": changes})
        except DnsError as error:
            if aws.error_code(error.__cause__) in ("InvalidChangeBatch", "InvalidInput"):
                return IMPOSSIBLE in str(error)
            raise
        raise DnsError(
            f"hosted zone {zone_id} accepted {IMPOSSIBLE!r} as an address, so this is not Route 53", "check its records"
        )


def _impossible(record: Record) -> "ChangeTypeDef":
    record_set: ResourceRecordSetTypeDef = {
        "Name": record.name,
        "Type": record.type,  # type: ignore[typeddict-item] # the stubs want a literal
        "TTL": 60,
        "ResourceRecords": [{"Value": IMPOSSIBLE}],
    }
    return {"Action": "UPSERT", "ResourceRecordSet": record_set}
