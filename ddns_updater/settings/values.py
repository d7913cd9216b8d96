"""Parsers of single values; each raises InvalidValue, or InvalidItems for a list, when a text is not a valid value."""

import re
from collections.abc import Callable, Hashable
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network, ip_interface
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from ddns_updater.errors import InvalidValue
from ddns_updater.lib.files import named_path
from ddns_updater.model import Address, Family, parse_address

T = TypeVar("T", bound=Hashable)
E = TypeVar("E", bound=StrEnum)

_MAPPED = IPv6Network("::ffff:0:0/96")  # RFC 4291 §2.5.5.2


class Listen(NamedTuple):
    """Where a server listens; port 0 is any that is free."""

    address: Address
    port: int

    def __str__(self) -> str:
        """Return it as it stands in a URL."""
        return f"[{self.address}]:{self.port}" if self.address.version == 6 else f"{self.address}:{self.port}"


class InvalidItems(ValueError):
    """Say which items of a list are invalid: `invalid` has each as it may be shown; `valid` are the others."""

    def __init__(self, invalid: list[tuple[str, InvalidValue]], valid: tuple[Any, ...]) -> None:
        super().__init__(invalid, valid)
        self.invalid = invalid
        self.valid = valid


def items(
    parse: Callable[[str], T], *, show: Callable[[str], str] = repr, separator: str = ","
) -> Callable[[str], tuple[T, ...]]:
    """Return a parser of lists without duplicates; `show` quotes an item without its secrets."""

    def parse_list(text: str) -> tuple[T, ...]:
        texts = [item.strip() for item in re.split(separator, text) if item.strip(" ,")]
        if not texts:
            raise InvalidValue("lists nothing", "set a value or remove it")
        valid: dict[T, None] = {}  # keeps the order and drops duplicates
        invalid = []
        for item in texts:
            try:
                valid[parse(item)] = None
            except InvalidValue as error:
                invalid.append((show(item), error))
        if invalid:
            raise InvalidItems(invalid, tuple(valid))
        return tuple(valid)

    return parse_list


def whole(unit: str, low: int, high: int, advice: str) -> Callable[[str], int]:
    """Return a parser of whole numbers from `low` to `high`."""

    def parse(text: str) -> int:
        if not (text.isascii() and text.isdigit()):
            raise InvalidValue(f"is not a whole number of {unit}", advice)
        digits = text.lstrip("0")
        if len(digits) > len(str(high)) or not low <= int(digits or "0") <= high:
            raise InvalidValue(f"is not between {low} and {high} {unit}", advice)
        return int(digits or "0")

    return parse


def choice(kind: type[E], advice: str) -> Callable[[str], E]:
    """Return a parser of the words of `kind`, in any case."""

    def parse(text: str) -> E:
        try:
            return kind(text.lower())
        except ValueError:
            words = " or ".join(", ".join(kind).rsplit(", ", 1))
            raise InvalidValue(f"is not {words}", advice) from None

    return parse


def switch(advice: str) -> Callable[[str], bool]:
    """Return a parser of 0 and 1."""

    def parse(text: str) -> bool:
        if text not in ("0", "1"):
            raise InvalidValue("is not 0 or 1", advice)
        return text == "1"

    return parse


def parameter_name(text: str) -> str:
    """Return the name or the ARN of a parameter of AWS Systems Manager; raises InvalidValue, which does not show it."""
    if not re.fullmatch(r"(arn:aws[a-z-]*:ssm:[a-z0-9-]+:[0-9]{12}:parameter/)?[A-Za-z0-9_./-]{1,1011}", text):
        raise InvalidValue("is not the name of a parameter", "write one such as /ddns-updater/webhook-urls, or its ARN")
    return text


def origin_name(text: str) -> str:
    """Return `text` as the name of an origin."""
    name = text.strip()
    if not name or len(name) > 255 or not name.isprintable():
        raise InvalidValue("is not a name of 1 to 255 printable characters")
    return name


def family(text: str) -> Family:
    """Return the address family that `text` names."""
    try:
        return Family(text.lower())
    except ValueError:
        raise InvalidValue("is not an address family", "write ipv4, ipv6 or ipv4,ipv6") from None


def metrics_file(text: str) -> Path:
    """Return the path of a file that Prometheus' node exporter reads."""
    if not text.endswith(".prom"):
        raise InvalidValue("does not end in .prom, so the node exporter would not read it", "rename it")
    return named_path(text)


def listen(text: str) -> Listen:
    """Return the address and port of a server, as 127.0.0.1:8245 or [::1]:8245."""
    host, colon, digits = text.rpartition(":")
    is_v6 = host.startswith("[") and host.endswith("]")
    address = parse_address(host[1:-1] if is_v6 else host)
    if not colon or address is None or (address.version == 6) != is_v6:
        raise InvalidValue("is not an IP address with a port", "write it as 127.0.0.1:8245 or [::1]:8245")
    try:
        return Listen(address, whole("", 0, 65_535, "")(digits))
    except InvalidValue:
        raise InvalidValue("has no port between 0 and 65535", f"write {host}:8245") from None


def status_password(text: str) -> str:
    """Return `text` as a password that a browser can send."""
    if not text.isprintable():
        raise InvalidValue("holds a control character", "use only printable characters")
    return text


def trusted_proxies(text: str) -> tuple[IPv4Network | IPv6Network, ...]:
    """Return the networks of the proxies that are believed; a single address is a network of itself."""
    return items(_proxy_network)(text)


def _proxy_network(text: str) -> IPv4Network | IPv6Network:
    try:
        interface = ip_interface(text) if "%" not in text else None  # Python takes any text for a zone index
    except ValueError:
        interface = None
    if interface is None:
        raise InvalidValue("is not an address or a network", "write them as 192.0.2.7 and 192.0.2.0/24")
    network = interface.network
    if network.prefixlen == 0:
        raise InvalidValue("includes every address, so any caller could choose its own", "list only the proxies")
    if interface.ip != network.network_address:
        raise InvalidValue("has bits beyond its prefix", f"write {network}, or {interface.ip} for that address alone")
    if isinstance(network, IPv6Network) and network.overlaps(_MAPPED):
        raise InvalidValue("is an IPv4 address in IPv6 notation", "write it as 192.0.2.7 or 192.0.2.0/24")
    return network
