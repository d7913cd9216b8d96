"""An address source that is asked over DNS: open resolvers answer a special name with the client's address.

Needs dnspython (the extra `dns`). Write it as `dns:opendns`, `dns:google`, `dns:cloudflare` or
`dns:NAME@SERVER[:PORT][?type=TXT&class=CH]`.
"""

import socket

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdataclass
import dns.rdatatype

from ddns_updater.errors import SourceError
from ddns_updater.model import Address, Family
from ddns_updater.sources.address import public_address
from ddns_updater.sources.spec import DnsSpec

_SOCKET = {Family.IPV4: socket.AF_INET, Family.IPV6: socket.AF_INET6}


class DnsSource:
    """One name at one server, asked over the family of the wanted address."""

    def __init__(self, spec: DnsSpec, *, timeout: float) -> None:
        """Take what to ask whom, and the timeout in seconds."""
        self.name, self.host, self.needs_confirmation = spec.name, spec.host, spec.needs_confirmation
        self._question = dns.name.from_text(spec.question)
        self._server, self._port = spec.server, spec.port
        self._type, self._class = spec.type, dns.rdataclass.from_text(spec.class_)
        self._timeout = timeout

    def fetch(self, family: Family) -> Address:
        """Return the public address that the server sees; raises SourceError when it answers anything else."""
        kind = dns.rdatatype.from_text(self._type or family.record_type)
        query = dns.message.make_query(self._question, kind, self._class)
        try:
            where = socket.getaddrinfo(self._server, self._port, _SOCKET[family], socket.SOCK_DGRAM)[0][4][0]
            answer = dns.query.udp(query, str(where), self._timeout, self._port, raise_on_truncation=True)
        except dns.exception.Timeout:
            raise SourceError(f"timed out after {self._timeout:g} s") from None
        except dns.message.Truncated:
            raise SourceError("sent an incomplete answer") from None
        except dns.query.UnexpectedSource:
            raise SourceError("got an answer from another server") from None
        except dns.exception.DNSException as error:
            raise SourceError(f"sent no valid DNS answer: {type(error).__name__}") from error
        except (OSError, UnicodeError) as error:  # UnicodeError: the server's name is not a valid host name
            raise SourceError(f"cannot be reached: {getattr(error, 'strerror', None) or error}") from error
        if answer.rcode() != dns.rcode.NOERROR:
            raise SourceError(f"answered {dns.rcode.to_text(answer.rcode())}")
        values = [each.to_text() for rrset in answer.answer if rrset.rdtype == kind for each in rrset]
        if len(values) != 1:
            raise SourceError(f"answered {len(values)} {dns.rdatatype.to_text(kind)} records instead of one")
        return public_address(values[0].strip('"'), family)
