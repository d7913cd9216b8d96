"""Send update requests over several connections at once, and print how many were answered and how fast, as JSON.

A program of its own, which does little else, so that it is the server that is measured. Each connection sends its next
request once the one before is answered.
"""

import json
import select
import socket
import sys
import time
from base64 import b64encode
from typing import NamedTuple

_END_OF_HEAD = b"\r\n\r\n"


class Load(NamedTuple):
    """What to send: a request for each of `names`, with their secret and an address, for at most some seconds.

    `expected` is how each answer begins; without `keep_alive` each request has a connection of its own.
    """

    port: int
    names: list[str]
    path: str
    secret: str
    expected: str
    connections: int = 16
    seconds: float = 60
    keep_alive: bool = True


class Answered(NamedTuple):
    """How many requests were answered in how many seconds, and the seconds of one that half and 99 % took at most."""

    requests: int
    seconds: float
    p50: float
    p99: float

    @property
    def each(self) -> float:
        """Return the seconds for a request when many are answered at once."""
        return self.seconds / self.requests


class _Connection:
    def __init__(self, load: Load, poll: select.epoll) -> None:
        self._load, self._poll = load, poll
        self._socket: socket.socket | None = None
        self._sent_at = 0.0
        self._received = b""

    def send(self, request: bytes) -> int:
        """Send a request and return the descriptor on which its answer comes."""
        self._received = b""
        self._sent_at = time.perf_counter()
        if self._socket is None:
            self._socket = socket.create_connection(("127.0.0.1", self._load.port))
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._poll.register(self._socket, select.EPOLLIN)
        self._socket.sendall(request)
        return self._socket.fileno()

    def receive(self) -> float | None:
        """Receive a part of the answer, and return the seconds that it took once it is there; else None."""
        assert self._socket
        part = self._socket.recv(4096)
        self._received += part
        head, end, body = self._received.partition(_END_OF_HEAD)
        if not part:
            raise RuntimeError(f"the server closed the connection after {self._received!r}")
        length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
        if not end or len(body) < int(length):
            return None
        if not body.startswith(self._load.expected.encode()):
            raise RuntimeError(f"the answer is {self._received!r}, not {self._load.expected!r}")
        if not self._load.keep_alive:
            self._poll.unregister(self._socket)
            self._socket.close()
            self._socket = None
        return time.perf_counter() - self._sent_at


def _requests(load: Load) -> list[bytes]:
    made = []
    for name in load.names:
        login = b64encode(f"{name}:{load.secret}".encode()).decode()
        connection = "keep-alive" if load.keep_alive else "close"
        made.append(
            f"GET {load.path.format(name=name)} HTTP/1.1\r\nHost: ddns.example.com\r\nUser-Agent: ddclient/3.10.0\r\n"
            f"Authorization: Basic {login}\r\nConnection: {connection}\r\n\r\n".encode()
        )
    return made


def _main(load: Load) -> Answered:
    requests = _requests(load)
    poll = select.epoll()
    connections = [_Connection(load, poll) for _ in range(min(load.connections, len(requests)))]
    took: list[float] = []
    start = time.perf_counter()
    upcoming = iter(requests)
    waiting = {each.send(next(upcoming)): each for each in connections}
    while waiting:
        for descriptor, _ in poll.poll():
            connection = waiting[descriptor]
            seconds = connection.receive()
            if seconds is None:
                continue
            took.append(seconds)
            del waiting[descriptor]
            if time.perf_counter() - start < load.seconds and (request := next(upcoming, None)):
                waiting[connection.send(request)] = connection
    seconds = time.perf_counter() - start
    took.sort()
    return Answered(len(took), seconds, took[len(took) // 2], took[len(took) * 99 // 100])


if __name__ == "__main__":
    print(json.dumps(_main(Load(**json.load(sys.stdin)))))
