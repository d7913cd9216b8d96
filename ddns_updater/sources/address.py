"""The rule for what counts as a public address; every source applies it."""

from ipaddress import IPv4Network, IPv6Address, IPv6Network

from ddns_updater.errors import CarrierGradeNat, UnusableAnswer
from ddns_updater.model import Address, Family, parse_address

_CARRIER_GRADE_NAT = IPv4Network("100.64.0.0/10")  # RFC 6598
_GLOBAL_UNICAST = IPv6Network("2000::/3")  # RFC 4291; Python calls mapped, site-local and unassigned ones global
_DOCUMENTATION = IPv6Network("3fff::/20")  # RFC 9637, newer than some versions of Python
_NEVER_A_LINE = (  # Python calls these global, but none is ever the address of a line
    IPv4Network("192.0.0.0/24"),  # RFC 6890, protocol assignments
    IPv4Network("192.88.99.0/24"),  # RFC 7526, formerly 6to4 anycast
    IPv6Network("2002::/16"),  # RFC 3056, 6to4
)
_MAX_SHOWN = 60  # characters


def public_address(text: str, family: Family) -> Address:
    """Return `text` as an address; raises UnusableAnswer unless it is exactly one public address of `family`.

    Public means globally reachable by IANA's special-purpose registries (RFC 6890), and not multicast. The error shows
    what `text` is instead.
    """
    address = parse_address(text.strip())
    if address is None:
        raise UnusableAnswer(f"{_shown(text)}, which is not one IP address")
    if address.version != (4 if family is Family.IPV4 else 6):
        raise UnusableAnswer(f"{address}, which is not an {'IPv4' if family is Family.IPV4 else 'IPv6'} address")
    if address in _CARRIER_GRADE_NAT:
        raise CarrierGradeNat(
            f"{address}, a carrier-grade NAT address: this line has no public IPv4 address", "ask the provider for one"
        )
    if not _is_public(address):
        raise UnusableAnswer(f"{address}, which is not a public address")
    return address


def _is_public(address: Address) -> bool:
    if any(address in network for network in _NEVER_A_LINE):
        return False
    if isinstance(address, IPv6Address):
        unicast = address in _GLOBAL_UNICAST and address not in _DOCUMENTATION
        return unicast and address.is_global
    return address.is_global and not address.is_multicast


def _shown(text: str) -> str:
    if not text.strip():
        return "nothing"
    return repr(text if len(text) <= _MAX_SHOWN else text[:_MAX_SHOWN] + "…")
