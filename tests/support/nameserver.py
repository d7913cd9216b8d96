"""A loopback name server over UDP and TCP that answers, and misbehaves, as the test says."""

import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from threading import Thread
from typing import NamedTuple

import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

TTL = 60


class Exchange(NamedTuple):
    """One question, the good answer to it, and the way to send bytes back; `over` is `udp` or `tcp`."""

    server: "NameServer"
    query: dns.message.Message
    answer: dns.message.Message
    over: str
    asker: tuple[str, int]
    send: Callable[[bytes], object]


Fault = Callable[[Exchange], object]


class NameServer:
    """Answers from `answers`, name (no final dot) and type to values, in whatever class it is asked for.

    A name that is not there is NXDOMAIN, one with other types only has no data. `fault` takes the place of the answer.
    `asked` keeps name, type, class and transport (`udp`, `tcp`) of each question, such as
    `("home.example.com", "A", "IN", "udp")`.
    """

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        self.host = host
        self.answers: dict[tuple[str, str], list[str]] = {}
        self.authoritative = True
        self.fault: Fault | None = None
        self.asked: list[tuple[str, str, str, str]] = []
        self.recursion_asked = False
        self._tcp, self._udp = _sockets(host, port)
        self.port = int(self._udp.getsockname()[1])
        Thread(target=self._serve_udp, daemon=True).start()
        Thread(target=self._serve_tcp, daemon=True).start()

    def stop(self) -> None:
        """Close the port."""
        for each in (self._udp, self._tcp):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _serve_udp(self) -> None:
        while True:
            try:
                wire, asker = self._udp.recvfrom(65535)
            except OSError:
                return
            if not wire and self._udp.fileno() < 0:
                return
            self._reply(wire, "udp", asker, partial(_send_to, self._udp, asker))

    def _serve_tcp(self) -> None:
        while True:
            try:
                connection, asker = self._tcp.accept()
            except OSError:
                return
            Thread(target=self._serve_connection, args=(connection, asker), daemon=True).start()

    def _serve_connection(self, connection: socket.socket, asker: tuple[str, int]) -> None:
        connection.settimeout(60)
        with suppress(OSError), connection, connection.makefile("rb") as stream:
            while len(head := stream.read(2)) == 2:
                wire = stream.read(struct.unpack("!H", head)[0])
                self._reply(wire, "tcp", asker, lambda raw: connection.sendall(struct.pack("!H", len(raw)) + raw))

    def _reply(self, wire: bytes, over: str, asker: tuple[str, int], send: Callable[[bytes], object]) -> None:
        with suppress(dns.exception.DNSException, OSError):
            query = dns.message.from_wire(wire)
            question = query.question[0]
            name = question.name.to_text(omit_final_dot=True).lower()
            kind, class_ = dns.rdatatype.to_text(question.rdtype), dns.rdataclass.to_text(question.rdclass)
            self.asked.append((name, kind, class_, over))
            self.recursion_asked = bool(query.flags & dns.flags.RD)
            answer = dns.message.make_response(query)
            if self.authoritative:
                answer.flags |= dns.flags.AA
            if values := self.answers.get((name, kind)):
                answer.answer = [dns.rrset.from_text(question.name, TTL, class_, kind, *values)]
            elif name not in {known for known, _ in self.answers}:
                answer.set_rcode(dns.rcode.NXDOMAIN)
            (self.fault or good)(Exchange(self, query, answer, over, asker[:2], send))


@contextmanager
def name_server(host: str = "127.0.0.1", port: int = 0) -> Iterator[NameServer]:
    """Run a name server for the length of the block."""
    server = NameServer(host, port)
    try:
        yield server
    finally:
        server.stop()


def good(exchange: Exchange) -> None:
    """Answer as is due."""
    exchange.send(exchange.answer.to_wire())


def hang(_exchange: Exchange) -> None:
    """Answer nothing."""


def garbage(exchange: Exchange) -> None:
    """Answer what is no DNS message."""
    exchange.send(exchange.answer.to_wire()[:13] + b"garbage")


def wrong_id(exchange: Exchange) -> None:
    """Answer a question that was not asked."""
    exchange.answer.id ^= 1
    good(exchange)


def wrong_question(exchange: Exchange) -> None:
    """Answer with the right ID to another name."""
    other = dns.message.make_query("other.example.com", "A", id=exchange.query.id)
    exchange.send(dns.message.make_response(other).to_wire())


def truncated(exchange: Exchange) -> None:
    """Answer in part over UDP, and in full over TCP."""
    if exchange.over == "udp":
        exchange.answer.flags |= dns.flags.TC
        exchange.answer.answer = []
    good(exchange)


def truncated_everywhere(exchange: Exchange) -> None:
    """Answer in part over UDP and TCP, with the answer all the same."""
    exchange.answer.flags |= dns.flags.TC
    good(exchange)


def rcode(name: str) -> Fault:
    """Return a fault that answers with a response code such as REFUSED, and no records."""

    def fault(exchange: Exchange) -> None:
        exchange.answer.set_rcode(dns.rcode.from_text(name))
        exchange.answer.answer = []
        good(exchange)

    return fault


def from_another_address(exchange: Exchange) -> None:
    """Answer from 127.0.0.2 and the same port."""
    _send_from(("127.0.0.2", exchange.server.port), exchange)


def from_another_port(exchange: Exchange) -> None:
    """Answer from another port."""
    _send_from((exchange.server.host, 0), exchange)


def in_turn(*faults: Fault) -> Fault:
    """Answer each question with the next of `faults`."""
    waiting = iter(faults)
    return lambda exchange: next(waiting)(exchange)


def _send_to(udp: socket.socket, asker: tuple[str, int], raw: bytes) -> None:
    udp.sendto(raw, asker)


def _send_from(where: tuple[str, int], exchange: Exchange) -> None:
    with socket.socket(socket.AF_INET6 if ":" in where[0] else socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(where)
        other.sendto(exchange.answer.to_wire(), exchange.asker)


def _sockets(host: str, port: int) -> tuple[socket.socket, socket.socket]:
    """Return a TCP and a UDP socket on one port."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    while True:
        tcp = socket.create_server((host, port), family=family)
        udp = socket.socket(family, socket.SOCK_DGRAM)
        try:
            udp.bind((host, tcp.getsockname()[1]))
        except OSError:
            tcp.close()
            udp.close()
            if port:
                raise
        else:
            return tcp, udp
