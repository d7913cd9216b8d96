"""Where a request came from, told by the trusted proxies in front of the server.

Each proxy appends to X-Forwarded-For the address that it was called from. So the list is true from its right end up to
the first address that is no trusted proxy's: this one is the caller, and what is left of it is whatever the caller
wrote.
"""

import re
from collections.abc import Callable, Sequence
from ipaddress import IPv4Network, IPv6Address, IPv6Network
from threading import Lock

from ddns_updater.model import Address, parse_address
from ddns_updater.server.request import Caller, Request

Networks = Sequence[IPv4Network | IPv6Network]

_HEADER = "x-forwarded-for"
_WITH_PORT = re.compile(r"\[(?P<ipv6>[^\]]*)\](:[0-9]{1,5})?|(?P<ipv4>[0-9.]+):[0-9]{1,5}")
_LONGEST = 100  # characters; the longest address has 45, with brackets, a zone index and a port
_MONITORED = ("/health", "/metrics")  # what a monitor on this machine asks for without a proxy
_MOST_WARNED = 1000  # proxies


def caller_of(request: Request, trusted: Networks) -> Caller:
    """Return where `request` came from; its header counts only when its peer is in a `trusted` network.

    The address is None when the first that counts cannot be read: the proxy is set up wrongly. It is the proxy's own
    when that sends no header, and the leftmost when all are those of proxies.
    """
    peer = _parse(request.peer)
    if peer is None or not _is_in(peer, trusted):
        return Caller(peer)
    caller: Address = peer
    for text in reversed(_forwarded(request)):
        address = _parse(text)
        if address is None:
            return Caller(None)
        if not _is_in(address, trusted):
            return Caller(address)
        caller = address
    return Caller(caller, is_proxy=True)


class ProxyWarnings:
    """Warns of trusted proxies that do not say where a request came from, once of each."""

    def __init__(self, warn: Callable[[str], None]) -> None:
        """Take what warns the operator."""
        self._warn = warn
        self._warned: set[str] = set()
        self._guard = Lock()

    def check(self, request: Request, caller: Caller) -> None:
        """Warn if `caller`, which `caller_of` returned for `request`, is not told as it should be."""
        if caller.is_proxy and not _forwarded(request) and request.path not in _MONITORED:
            self._once(
                f"trusted proxy {caller.address} sends no X-Forwarded-For, so all its callers have its address; in"
                " nginx set proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for, or remove it from"
                " DDNS_SERVE_TRUSTED_PROXIES if it is no proxy"
            )
        elif caller.address is None and (peer := _parse(request.peer)) is not None:
            self._once(
                f"trusted proxy {peer} sends an X-Forwarded-For that does not end in an address, so its callers cannot"
                " be told apart and are refused; let it append the address of its caller"
            )

    def _once(self, text: str) -> None:
        with self._guard:
            if text in self._warned or len(self._warned) >= _MOST_WARNED:
                return
            self._warned.add(text)
        self._warn(text)


def _forwarded(request: Request) -> list[str]:
    """Return the parts of the header, in order; none when it is missing or blank."""
    text = ",".join(request.headers_of(_HEADER))
    return text.split(",") if text.strip(" \t,") else []


def _parse(text: str) -> Address | None:
    """Return an address as servers and proxies write it, with a port or a zone index that says nothing here.

    An IPv4 address in IPv6 notation, which a socket of both families gives, is the IPv4 address.
    """
    text = text.strip(" \t")
    if len(text) > _LONGEST:
        return None
    match = _WITH_PORT.fullmatch(text)
    if match:
        text = match["ipv4"] or match["ipv6"] or ""
    is_v6_text = ":" in text
    address = parse_address(text.partition("%")[0] if is_v6_text else text)
    if match and match["ipv6"] is not None and not is_v6_text:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def _is_in(address: Address, networks: Networks) -> bool:
    return any(address in network for network in networks)
