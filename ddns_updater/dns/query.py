"""Questions to single DNS servers, over UDP and then TCP when an answer is too long. Needs dnspython."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

import dns.exception
import dns.message
import dns.query
import dns.resolver

TIMEOUT = 2.0  # seconds for one answer
TRIES = 2  # of each address of a server; and of all of them when no answer comes in time
_LOOK_UP = 1.5  # seconds for one address of a name server


def resolve(server: str) -> list[str]:
    """Return the addresses of a name server; empty when it has none or cannot be looked up."""
    addresses: list[str] = []
    for kind in ("A", "AAAA"):
        with suppress(dns.exception.DNSException):
            addresses += [str(each) for each in dns.resolver.resolve(server, kind, lifetime=_LOOK_UP)]
    return addresses


class Servers:
    """DNS servers on one port; each name is looked up once, and a server that is silent is not asked again."""

    def __init__(self, look_up: Callable[[str], Sequence[str]] = resolve, port: int = 53) -> None:
        self._look_up = look_up
        self._port = port
        self._addresses: dict[str, Sequence[str]] = {}
        self._silent: set[frozenset[str]] = set()  # each the addresses of one server

    def addresses_of(self, server: str) -> Sequence[str]:
        """Return the addresses of a server; empty when it cannot be looked up."""
        if server not in self._addresses:
            self._addresses[server] = self._look_up(server)
        return self._addresses[server]

    def answers(
        self, query: dns.message.Message, addresses: Sequence[str], timeout: Callable[[], float]
    ) -> Iterator[dns.message.Message]:
        """Yield the answers of one server, from one of its `addresses` after another, as long as more are wanted.

        `timeout` gives the seconds to wait for the next one. After two waits in vain the others are not asked.
        """
        server = frozenset(addresses)
        if server in self._silent:
            return
        waits, answered = 0, False
        for where in addresses:
            try:
                answer, _ = dns.query.udp_with_fallback(query, where, timeout(), self._port)
            except dns.exception.Timeout:
                waits += 1
                if waits == TRIES:
                    break
            except (dns.exception.DNSException, OSError, EOFError):  # EOFError: the server closed TCP at once
                continue
            else:
                answered = True
                yield answer
        if waits and not answered:
            self._silent.add(server)
