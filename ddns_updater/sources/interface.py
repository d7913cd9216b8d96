"""An address source that reads the public address of one of this machine's network interfaces, on Linux.

Needs pyroute2 (the extra `interface`). Write it as `interface:eth0` or `interface:eth0?temporary`.
"""

import socket
from collections.abc import Iterable, Mapping
from typing import Any

from pyroute2 import IPRoute, NetlinkError

from ddns_updater.errors import SourceError, UnusableAnswer
from ddns_updater.model import Address, Family
from ddns_updater.sources.address import public_address
from ddns_updater.sources.spec import InterfaceSpec

_SOCKET = {Family.IPV4: socket.AF_INET, Family.IPV6: socket.AF_INET6}
# https://git.kernel.org/pub/scm/linux/kernel/git/torvalds/linux.git/tree/include/uapi/linux/if_addr.h
_TEMPORARY, _DEPRECATED, _TENTATIVE, _DAD_FAILED = 0x01, 0x20, 0x40, 0x08


class InterfaceSource:
    """One interface, by its name."""

    def __init__(self, spec: InterfaceSpec) -> None:
        """Take the interface, and which of its IPv6 addresses is wanted."""
        self.name, self.host, self.needs_confirmation = spec.name, spec.host, spec.needs_confirmation
        self._interface, self._temporary = spec.interface, spec.temporary

    def fetch(self, family: Family) -> Address:
        """Return the interface's one public address; raises SourceError when it has none, or more than one."""
        try:
            socket.socket(socket.AF_NETLINK, socket.SOCK_RAW).close()  # where this fails, IPRoute leaves a traceback
            with IPRoute() as netlink:
                index = netlink.link_lookup(ifname=self._interface)
                messages = list(netlink.get_addr(index=index[0], family=_SOCKET[family])) if index else []
        except (OSError, NetlinkError) as error:  # a sandbox without netlink, an interface that goes away
            raise SourceError(f"cannot be read: {getattr(error, 'strerror', None) or error}") from error
        if not index:
            raise SourceError("does not exist on this machine")
        return pick(usable(messages, temporary=self._temporary and family is Family.IPV6), family)


def usable(messages: Iterable[Mapping[str, Any]], *, temporary: bool) -> list[str]:
    """Return the valid addresses in RTM_NEWADDR `messages`, either only the temporary ones or only the others."""
    found = []
    for message in messages:
        attributes = dict(message["attrs"])
        flags = int(attributes.get("IFA_FLAGS", message["flags"]))
        secondary_v4 = message["family"] == socket.AF_INET  # in IPv4 the first bit means secondary, not temporary
        if flags & (_DEPRECATED | _TENTATIVE | _DAD_FAILED):
            continue
        if not secondary_v4 and bool(flags & _TEMPORARY) is not temporary:
            continue
        found.append(str(attributes.get("IFA_LOCAL") or attributes["IFA_ADDRESS"]))
    return found


def pick(addresses: Iterable[str], family: Family) -> Address:
    """Return the one public address among `addresses`; raises SourceError when there is none or more than one."""
    public: dict[Address, None] = {}
    unusable: list[UnusableAnswer] = []
    for text in addresses:
        try:
            public[public_address(text, family)] = None
        except UnusableAnswer as error:
            unusable.append(error)
    if not public:
        why = f": {'; '.join(each.answer for each in unusable)}" if unusable else f" of {family}"
        raise SourceError(f"has no public address{why}", next((each.advice for each in unusable if each.advice), None))
    if len(public) > 1:
        raise SourceError(f"has more than one public address: {', '.join(map(str, public))}")
    return next(iter(public))
