"""An address source that asks AWS for the public address of an EC2 instance: `ec2:i-0123456789abcdef0[?region=NAME]`.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstances.html
"""

import time
from collections.abc import Callable
from typing import Any, Final

from ddns_updater.errors import NotRunning, SourceError
from ddns_updater.lib import aws
from ddns_updater.model import Address, Family
from ddns_updater.sources.address import public_address
from ddns_updater.sources.spec import Ec2Spec

_OFF: Final = ("pending", "stopping", "stopped")  # states of an instance that may run again
_PAUSE = 1.0  # seconds


class Ec2Source:
    """One instance by its ID."""

    def __init__(
        self,
        spec: Ec2Spec,
        *,
        patience: float,
        sleep: Callable[[float], None] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take the instance and its region, and the seconds to wait for its address once it is running."""
        self.name, self.host, self.needs_confirmation = spec.name, spec.host, spec.needs_confirmation
        self._instance = spec.instance
        self._aws: aws.Client[Any] = aws.Client("ec2", SourceError, spec.region)
        self._patience = patience
        self._sleep = sleep
        self._monotonic = monotonic

    def fetch(self, family: Family) -> Address:
        """Return the instance's public address; an instance may be running before it has one.

        Raises NotRunning while it is stopped, or on its way there or back, and SourceError when it has no public
        address, is gone for good, or AWS refuses.
        """
        end = self._monotonic() + self._patience
        while not (addresses := self._addresses(family)):
            if self._monotonic() + _PAUSE > end:
                raise SourceError(f"has no public {family} address", "give it one in its subnet or network interface")
            self._sleep(_PAUSE)
        if len(addresses) > 1:
            raise SourceError(f"has more than one {family} address: {', '.join(sorted(addresses))}")
        return public_address(addresses.pop(), family)

    def _addresses(self, family: Family) -> set[str]:
        """Return the public addresses that the instance has now, while it is running."""
        with self._aws.calling("cannot be described") as client:
            answer = client.describe_instances(InstanceIds=[self._instance])
            instances = [each for group in answer["Reservations"] for each in group["Instances"]]
            if not instances:
                raise SourceError("does not exist in this account and region")
            state = instances[0]["State"]["Name"]
            if family is Family.IPV4:
                addresses = {instances[0].get("PublicIpAddress")} - {None}
            else:
                addresses = {
                    each["Ipv6Address"]
                    for interface in instances[0].get("NetworkInterfaces", [])
                    for each in interface.get("Ipv6Addresses", [])
                }
        if state in _OFF:
            raise NotRunning(f"is {state}")
        if state != "running":  # it keeps an Elastic IP or an IPv6 address, but nothing answers there
            raise SourceError(f"is {state}; its address is used only while it is running")
        return addresses
