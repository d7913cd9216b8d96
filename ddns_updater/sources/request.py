"""The addresses of a host from its request: those that it names, else the one that it came from.

The fields are those of dyndns2 (https://help.dyn.com/remote-access-api/perform-update/) and of servers that took it
over. dyn.com takes the caller's address in place of a malformed one; here nothing is changed then, for it may well be
that of another machine.
"""

from collections.abc import Iterable, Mapping
from ipaddress import IPv6Address, IPv6Network
from typing import NamedTuple

from ddns_updater.errors import UnusableAnswer
from ddns_updater.model import Address, Family
from ddns_updater.sources.address import public_address

_LAN_PREFIX = "ip6lanprefix"  # what a FRITZ!Box calls the prefix that its provider has delegated to it
_FIELDS: Mapping[str, Family | None] = {  # each with the only family that it takes
    "myip": None,
    "ip": None,
    "myipv4": Family.IPV4,
    "myipv6": Family.IPV6,
    "ipv6": Family.IPV6,
    _LAN_PREFIX: Family.IPV6,
}
_SHORTEST_PREFIX = 32  # bits; a provider has that many, so a line never has less (RFC 6177)
_INTERFACE = 2**64 - 1  # the bits of the interface identifier (RFC 4291 §2.5.1)


class Given(NamedTuple):
    """What a request says of addresses; None is what it says nothing of."""

    ipv4: Address | None = None
    ipv6: Address | None = None
    prefix: IPv6Network | None = None


def parse_given(fields: Iterable[tuple[str, str]]) -> Given:
    """Return what the fields of a request say of addresses, by their names; other fields are passed over.

    Each holds a list, with a comma between its parts. Raises UnusableAnswer unless every part that is not empty is a
    public address or a prefix, at most one of each family, and one prefix.
    """
    given = Given()
    for field, value in fields:
        if field in _FIELDS:
            for text in filter(None, map(str.strip, value.split(","))):
                given = _with(given, field, text)
    return given


def addresses_of(given: Given, suffix: IPv6Address | None, caller: Address | None) -> Mapping[Family, Address]:
    """Return the addresses of a host with `suffix`, by family; a family that is missing stays as it is.

    The caller's address counts when nothing is given. A router sends its own IPv6 address, and a prefix for the hosts
    behind it, which have a suffix: such a host takes no address that ends otherwise. Raises UnusableAnswer when an
    address is not that of the host, or there is none.
    """
    if given == Given():
        given = _from_caller(caller)
    ipv6 = given.ipv6
    if given.prefix and suffix is not None:
        ipv6 = _joined(given.prefix, suffix)
    elif given.prefix and ipv6 is None:
        raise UnusableAnswer(f"the prefix {given.prefix}, and the host has no suffix to make an address of it")
    elif ipv6 is not None and suffix is not None and (int(ipv6) ^ int(suffix)) & _INTERFACE:
        raise UnusableAnswer(f"{ipv6}, which does not end in the suffix {suffix} of the host")
    both = {Family.IPV4: given.ipv4, Family.IPV6: ipv6}
    return {family: address for family, address in both.items() if address is not None}


def _from_caller(caller: Address | None) -> Given:
    if caller is None:
        raise UnusableAnswer("no address, and it cannot be told where the request came from")
    if Family.IPV4.has(caller):
        return Given(ipv4=public_address(str(caller), Family.IPV4))
    return Given(ipv6=public_address(str(caller), Family.IPV6))


def _with(given: Given, field: str, text: str) -> Given:
    """Return `given` with one more address or prefix."""
    if ":" in text and "/" in text and _FIELDS[field] is not Family.IPV4:
        prefix = _parse_prefix(text)
        if given.prefix not in (None, prefix):
            raise UnusableAnswer(f"{given.prefix} and {prefix}, which are two prefixes")
        return given._replace(prefix=prefix)
    if field == _LAN_PREFIX:
        raise UnusableAnswer(f"{text[:60]!r}, which is not a prefix such as 2001:db8:1:2::/64")
    family = _FIELDS[field] or (Family.IPV6 if ":" in text else Family.IPV4)
    address = public_address(text, family)
    other = given.ipv4 if family is Family.IPV4 else given.ipv6
    if other not in (None, address):
        raise UnusableAnswer(f"{other} and {address}, which are two addresses of one family")
    return given._replace(ipv4=address) if family is Family.IPV4 else given._replace(ipv6=address)


def _parse_prefix(text: str) -> IPv6Network:
    try:
        prefix = IPv6Network(text) if "%" not in text else None  # it takes any text after that for a zone index
    except ValueError:
        prefix = None
    if prefix is None or prefix.prefixlen < _SHORTEST_PREFIX:
        raise UnusableAnswer(f"{text[:60]!r}, which is not a prefix such as 2001:db8:1:2::/64")
    return prefix


def _joined(prefix: IPv6Network, suffix: IPv6Address) -> Address:
    if int(suffix) >> (prefix.max_prefixlen - prefix.prefixlen):
        raise UnusableAnswer(f"the prefix {prefix}, which is too long for the suffix {suffix}")
    return public_address(str(prefix[int(suffix)]), Family.IPV6)
