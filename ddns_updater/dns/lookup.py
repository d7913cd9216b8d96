"""DNS as others see it: the parent's delegation, single name servers, public resolvers, CAA. Needs dnspython."""

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.resolver

from ddns_updater.dns.query import TIMEOUT, TRIES, Servers, resolve
from ddns_updater.errors import DnsError
from ddns_updater.model import Record

_TIMED_OUT = "no answer in time"
_RESOLVER, _PORT = "does this machine's own resolver work?", "is port 53 open to the internet?"
_PARENTS = 3  # name servers of the parent to ask before it counts as silent


class Answer(NamedTuple):
    """The answer of one server: a response code such as NXDOMAIN, the values, and their TTL in seconds if any."""

    code: str
    values: tuple[str, ...]
    ttl: int | None
    authoritative: bool
    milliseconds: int


class Lookup:
    """Questions to single servers on `port`, and to `resolver` (default: this machine's) for public data.

    Each name server is looked up once, and a silent one is not asked again. `timeout` is in seconds, for one answer.
    """

    def __init__(
        self,
        *,
        look_up: Callable[[str], Sequence[str]] = resolve,
        resolver: dns.resolver.Resolver | None = None,
        port: int = 53,
        timeout: float = TIMEOUT,
    ) -> None:
        self._servers = Servers(look_up, port)
        self._resolver = resolver
        self._timeout = timeout
        self._resolver_is_silent = False

    def at_name_server(self, server: str, record: Record) -> Answer:
        """Ask one authoritative name server, by its name; raises DnsError when it does not answer."""
        addresses = self._servers.addresses_of(server)
        if not addresses:
            raise DnsError("cannot be looked up", _RESOLVER)
        return self._answer([*addresses] * TRIES, record.name, record.type, flags=0)

    def at_resolver(self, address: str, record: Record) -> Answer:
        """Ask a recursive resolver; raises DnsError when it does not answer."""
        return self._answer([address] * TRIES, record.name, record.type, flags=dns.flags.RD)

    def delegation(self, zone: str) -> tuple[str, frozenset[str]]:
        """Return the parent of `zone` and the name servers it delegates to, empty when it does not delegate.

        Raises DnsError when the parent cannot be found or none of its name servers answers.
        """
        labels = zone.split(".")
        for parent in [".".join(labels[place:]) for place in range(1, len(labels))] + ["."]:
            servers = self._resolved(parent, "NS")
            if servers:
                return parent, self._referral(zone, parent, [server.rstrip(".").lower() for server in servers])
        raise DnsError(f"no name server of a parent of {zone} can be found", _RESOLVER)

    def caa(self, name: str, zone: str) -> tuple[str, tuple[str, ...]] | None:
        """Return the CAA records that apply to `name`, after the name that holds them; empty when any CA may issue.

        The nearest set applies, from the name up to the top (RFC 8659 §3). Returns None when the resolver does not
        know `zone` at all. Raises DnsError when a set cannot be read, because then a CA does not issue either.
        """
        labels = name.removeprefix("*.").split(".")
        for place in range(len(labels)):
            at = ".".join(labels[place:])
            found = self._resolved(at, "CAA")
            if found is None and at == zone:
                return None
            if found:
                return at, tuple(found)
        return name, ()

    def _resolved(self, name: str, kind: str) -> list[str] | None:
        """Return the values as text, None when the name does not exist."""
        if self._resolver_is_silent:
            raise _unreadable(name, kind, _TIMED_OUT)
        try:
            resolver = self._resolver or dns.resolver.get_default_resolver()
            answer = resolver.resolve(name, kind, lifetime=2 * self._timeout, raise_on_no_answer=False)
        except dns.resolver.NXDOMAIN:
            return None
        except (dns.exception.DNSException, OSError) as error:
            self._resolver_is_silent = isinstance(error, dns.exception.Timeout)
            raise _unreadable(name, kind, _reason(error)) from error
        return [each.to_text() for each in answer.rrset or ()]

    def _referral(self, zone: str, parent: str, servers: Sequence[str]) -> frozenset[str]:
        query = dns.message.make_query(zone, "NS", flags=0)
        for server in servers[:_PARENTS]:
            answer = self._ask(query, self._servers.addresses_of(server)[:TRIES])
            if answer is not None and answer.rcode() in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
                found = [
                    each
                    for rrset in (*answer.answer, *answer.authority)
                    if rrset.rdtype == dns.rdatatype.NS and rrset.name == query.question[0].name
                    for each in rrset
                ]
                return frozenset(each.target.to_text(omit_final_dot=True).lower() for each in found)
        raise DnsError(f"none of the name servers of {parent} answers", _PORT)

    def _answer(self, addresses: Sequence[str], name: str, kind: str, flags: int) -> Answer:
        start = time.monotonic()
        answer = self._ask(dns.message.make_query(name, kind, flags=flags), addresses)
        if answer is None:
            raise DnsError("does not answer", _PORT)
        rdtype = dns.rdatatype.from_text(kind)
        rrsets = [rrset for rrset in answer.answer if rrset.rdtype == rdtype]
        return Answer(
            dns.rcode.to_text(answer.rcode()),
            tuple(sorted(str(each) for rrset in rrsets for each in rrset)),
            min((rrset.ttl for rrset in rrsets), default=None),
            bool(answer.flags & dns.flags.AA),
            round((time.monotonic() - start) * 1000),
        )

    def _ask(self, query: dns.message.Message, addresses: Sequence[str]) -> dns.message.Message | None:
        """Return the first answer of one server, None when there is none."""
        return next(self._servers.answers(query, addresses, lambda: self._timeout), None)


def _unreadable(name: str, kind: str, reason: str) -> DnsError:
    return DnsError(f"{kind} of {name} cannot be read: {reason}", _RESOLVER)


def _reason(error: BaseException) -> str:
    if isinstance(error, dns.resolver.NoNameservers):
        return "SERVFAIL"
    if isinstance(error, dns.exception.Timeout):
        return _TIMED_OUT
    return type(error).__name__
