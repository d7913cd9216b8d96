"""What counts as a public address: the rule that every source obeys."""

from ipaddress import IPv4Network, ip_address

from ddns_updater.errors import SourceError
from ddns_updater.model import Address, Family

_CARRIER_GRADE_NAT = IPv4Network("100.64.0.0/10")  # RFC 6598
_SHOWN = 60


def public_address(text: str, family: Family) -> Address:
    """Return `text`, which must be one address of `family` and nothing else, if it is reachable from everywhere.

    That is what IANA's special-purpose registries (RFC 6890) call globally reachable, without multicast. Raises
    SourceError, which says what stands in its place.
    """
    try:
        address = ip_address(text.strip())
    except ValueError:
        raise SourceError(f"answered {_shown(text)}, which is not one IP address") from None
    if address.version != (4 if family is Family.IPV4 else 6):
        raise SourceError(f"answered {address}, which is not an {'IPv4' if family is Family.IPV4 else 'IPv6'} address")
    if address in _CARRIER_GRADE_NAT:
        raise SourceError(
            f"answered {address}, an address of carrier-grade NAT: this line has no public IPv4 address of its own;"
            " ask the provider for one"
        )
    if address.is_multicast or not address.is_global:
        raise SourceError(f"answered {address}, which is not a public address")
    return address


def _shown(text: str) -> str:
    if not text.strip():
        return "nothing"
    return repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "…")
