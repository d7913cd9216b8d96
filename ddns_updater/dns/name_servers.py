"""Authoritative name servers, asked directly: the proof that DNS has changed. Needs dnspython (the extra `dns`)."""

import logging
from collections.abc import Callable, Sequence
from ipaddress import ip_address

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype

from ddns_updater.dns.query import TIMEOUT, TRIES, Servers, resolve
from ddns_updater.errors import DnsError
from ddns_updater.lib.deadline import Deadline
from ddns_updater.model import Address, Record

log = logging.getLogger(__name__)

_MIN_TIMEOUT = 1.0  # seconds for one answer when time is short


class NameServers:
    """Questions to name servers, without recursion; each is looked up once, and a silent one is not asked again."""

    def __init__(self, *, look_up: Callable[[str], Sequence[str]] = resolve, port: int = 53) -> None:
        self._servers = Servers(look_up, port)

    def mismatch(self, record: Record, address: Address, servers: Sequence[str], deadline: Deadline) -> DnsError | None:
        """Return None when all `servers` answer with exactly this address, else what the others answer.

        Raises TimeoutError when `deadline` is over before all were asked and none of those asked was wrong.
        """
        if not servers:
            return DnsError("its hosted zone has no delegation set", "set DDNS_VERIFY_NAME_SERVERS=0")
        problems: list[str] = []
        for server in servers:
            if not deadline.left():
                if not problems:
                    raise TimeoutError
                break
            problem = self._ask(server, record, address, deadline)
            log.info("name server %s, %s: %s", server, record, problem or f"answers {address}")
            if problem:
                problems.append(f"name server {server} {problem}")
        return DnsError(", ".join(problems)) if problems else None

    def _ask(self, server: str, record: Record, address: Address, deadline: Deadline) -> str | None:
        addresses = self._servers.addresses_of(server)
        if not addresses:
            return "cannot be looked up"
        query = dns.message.make_query(record.name, record.type, flags=0)  # without recursion
        problem = "does not answer"
        for answer in self._servers.answers(
            query, [*addresses] * TRIES, lambda: min(TIMEOUT, max(deadline.left(), _MIN_TIMEOUT))
        ):
            problem = _problem(answer, record, address)
            if not problem:
                return None
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
