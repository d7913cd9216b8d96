"""What counts as a public address: the rule that every source obeys."""

from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address

from ddns_updater.errors import CarrierGradeNat, SourceError
from ddns_updater.model import Address, Family

_CARRIER_GRADE_NAT = IPv4Network("100.64.0.0/10")  # RFC 6598
_GLOBAL_UNICAST = IPv6Network("2000::/3")  # RFC 4291; Python takes mapped, site-local and unassigned ones for global
_DOCUMENTATION = IPv6Network("3fff::/20")  # RFC 9637, too young for some versions of Python
_NOT_OURS = (  # Python takes these for global, but no line has one for itself
    IPv4Network("192.0.0.0/24"),  # RFC 6890, protocol assignments
    IPv4Network("192.88.99.0/24"),  # RFC 7526, what was 6to4's anycast
    IPv6Network("2002::/16"),  # RFC 3056, 6to4
)
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
        raise CarrierGradeNat(
            f"answered {address}, an address of carrier-grade NAT: this line has no public IPv4 address of its own;"
            " ask the provider for one"
        )
    if not _is_public(address):
        raise SourceError(f"answered {address}, which is not a public address")
    return address


def _is_public(address: Address) -> bool:
    if any(address in network for network in _NOT_OURS):
        return False
    if isinstance(address, IPv6Address):
        ours = address in _GLOBAL_UNICAST and address not in _DOCUMENTATION and address.scope_id is None
        return ours and address.is_global
    return address.is_global and not address.is_multicast


def _shown(text: str) -> str:
    if not text.strip():
        return "nothing"
    return repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "…")
