"""Authoritative name servers, asked directly: the proof that DNS has changed. Needs dnspython (the extra `dns`)."""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from ipaddress import ip_address

import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype
import dns.resolver

from ddns_updater.errors import DnsError
from ddns_updater.model import Address, Record

_LOOK_UP = 1.5  # seconds for one address of a name server
_TIMEOUT = 2.0  # seconds for one answer
_MIN_TIMEOUT = 1.0  # seconds for one answer when time is short
_TRIES = 2


def resolve(server: str) -> list[str]:
    """Return the addresses of a name server; empty when it has none or cannot be looked up."""
    addresses: list[str] = []
    for kind in ("A", "AAAA"):
        with suppress(dns.exception.DNSException):
            addresses += [str(each) for each in dns.resolver.resolve(server, kind, lifetime=_LOOK_UP)]
    return addresses


class NameServers:
    """Questions to name servers, without recursion; each is looked up once, and a silent one is not asked again."""

    def __init__(self, *, look_up: Callable[[str], Sequence[str]] = resolve, port: int = 53) -> None:
        self._look_up = look_up
        self._port = port
        self._addresses: dict[str, Sequence[str]] = {}
        self._silent: set[str] = set()

    def mismatch(self, record: Record, address: Address, servers: Sequence[str], seconds: float) -> DnsError | None:
        """Return None when all `servers` answer with exactly this address, else what the others answer.

        Raises TimeoutError when `seconds` are over before all were asked and none of those asked was wrong.
        """
        if not servers:
            return DnsError("its hosted zone has no delegation set", "set DDNS_VERIFY_NAME_SERVERS=0")
        end = time.monotonic() + seconds
        problems: list[str] = []
        for server in servers:
            if time.monotonic() > end:
                if not problems:
                    raise TimeoutError
                break
            if problem := self._ask(server, record, address, end):
                problems.append(f"name server {server} {problem}")
        return DnsError(", ".join(problems)) if problems else None

    def _ask(self, server: str, record: Record, address: Address, end: float) -> str | None:
        if server not in self._addresses:
            self._addresses[server] = self._look_up(server)
        if not self._addresses[server]:
            return "cannot be looked up"
        query = dns.message.make_query(record.name, record.type, flags=0)  # without recursion
        problem, waits = "does not answer", 0
        for where in [] if server in self._silent else [*self._addresses[server]] * _TRIES:
            timeout = min(_TIMEOUT, max(end - time.monotonic(), _MIN_TIMEOUT))
            try:
                answer, _ = dns.query.udp_with_fallback(query, where, timeout, self._port)
            except dns.exception.Timeout:
                waits += 1
                if waits == _TRIES:
                    break
            except (dns.exception.DNSException, OSError, EOFError):  # EOFError: the server closed TCP at once
                continue
            else:
                problem = _problem(answer, record, address)
                if not problem:
                    return None
        if waits == _TRIES:
            self._silent.add(server)
        return problem


def _problem(answer: dns.message.Message, record: Record, address: Address) -> str:
    if answer.rcode() != dns.rcode.NOERROR:
        return f"answers {dns.rcode.to_text(answer.rcode())}"
    if not answer.flags & dns.flags.AA:
        return "gives a non-authoritative answer"
    kind = dns.rdatatype.from_text(record.type)
    values = sorted(str(each) for rrset in answer.answer if rrset.rdtype == kind for each in rrset)
    if [ip_address(value) for value in values] != [address]:
        return f"answers {', '.join(values) or 'nothing'}"
    return ""
