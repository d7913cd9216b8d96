"""The secrets that AWS Systems Manager keeps: a setting by the name, or the ARN, of a SecureString.

https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParameter.html
"""

from typing import Any

from ddns_updater.errors import NEXT_RUN, ParameterError
from ddns_updater.lib import aws
from ddns_updater.lib.deadline import time_limit

_SECONDS = 20.0  # for one parameter, with the SDK's retries


class Parameters:
    """Reads parameters, with one client for each region."""

    def __init__(self) -> None:
        self._clients: dict[str | None, aws.Client[Any]] = {}

    def read(self, name: str) -> str:
        """Return the value of a SecureString; raises ParameterError, whose problem continues a sentence about it."""
        region = name.split(":")[3] if name.startswith("arn:") else None
        client = self._clients.setdefault(region, aws.Client("ssm", ParameterError, region))
        late = ParameterError(f"cannot be read: AWS did not answer within {_SECONDS:g} s", then=NEXT_RUN)
        with time_limit(_SECONDS, late), client.calling("cannot be read") as ssm:
            found = ssm.get_parameter(Name=name, WithDecryption=True)["Parameter"]
            kind, value = str(found["Type"]), str(found["Value"]).strip()
        if kind != "SecureString":
            raise ParameterError(f"is a {kind}, which is not encrypted", "make it a SecureString")
        if not value:
            raise ParameterError("holds nothing", "put the value in it")
        return value
