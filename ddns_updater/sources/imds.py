"""An address source that asks the EC2 instance metadata service, version 2, on the instance itself: `imds:`.

https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-service.html
"""

from http import HTTPStatus

from urllib3 import PoolManager
from urllib3.exceptions import HTTPError

from ddns_updater.errors import SourceError
from ddns_updater.lib.http_errors import innermost
from ddns_updater.model import Address, Family
from ddns_updater.sources.address import public_address
from ddns_updater.sources.http import whole_body
from ddns_updater.sources.spec import ImdsSpec

_ENDPOINT = "http://169.254.169.254"
_TIMEOUT = 1.0  # seconds; it is on the same host
_TOKEN_TTL = "60"  # noqa: S105 - seconds, not a token
_PATHS = {Family.IPV4: "public-ipv4", Family.IPV6: "ipv6"}
_MAX_BYTES = 128  # a token has 56


class ImdsSource:
    """The metadata service, at its usual address or at the one in `imds:http://…`."""

    def __init__(self, spec: ImdsSpec) -> None:
        """Take where the service is."""
        self.name, self.host, self.needs_confirmation = spec.name, spec.host, spec.needs_confirmation
        self._endpoint = spec.endpoint or _ENDPOINT

    def fetch(self, family: Family) -> Address:
        """Return the instance's public address; raises SourceError when it has none or the service refuses."""
        with PoolManager(timeout=_TIMEOUT, retries=False) as pools:
            token = self._ask(pools, "PUT", "api/token", {"X-aws-ec2-metadata-token-ttl-seconds": _TOKEN_TTL})
            path = f"meta-data/{_PATHS[family]}"
            return public_address(self._ask(pools, "GET", path, {"X-aws-ec2-metadata-token": token}, family), family)

    def _ask(
        self, pools: PoolManager, method: str, path: str, headers: dict[str, str], family: Family | None = None
    ) -> str:
        url = f"{self._endpoint}/latest/{path}"
        try:
            with pools.request(method, url, headers=headers, redirect=False, preload_content=False) as answer:
                status = answer.status
                text = whole_body(answer, _MAX_BYTES).decode("ascii", "replace") if status == HTTPStatus.OK else ""
        except (HTTPError, OSError, ValueError) as error:
            if isinstance(innermost(error), TimeoutError):
                raise SourceError(
                    "does not answer",
                    "in a container, raise the instance's metadata hop limit (HttpPutResponseHopLimit) to 2",
                ) from error
            raise SourceError("cannot be reached", "is this an EC2 instance with its metadata service on?") from error
        if status == HTTPStatus.NOT_FOUND and family:
            raise SourceError(f"has no public {family} address for this instance", "assign one to it")
        if status != HTTPStatus.OK:
            raise SourceError(f"refused with status {status}", "allow IMDSv2 in the instance's metadata options")
        return text
