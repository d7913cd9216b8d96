"""A web server of the update endpoint in a thread, and a client that sends bytes."""

import socket
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from threading import Thread
from typing import Protocol

from ddns_updater.server.request import Request, Response
from ddns_updater.server.web_server import WebServer
from ddns_updater.server.wsgi import application


@contextmanager
def serving(answer: Callable[[Request], Response], host: str = "127.0.0.1") -> Iterator[WebServer]:
    """Run a web server for the length of the block."""
    server = WebServer(application(answer), host, 0)
    thread = Thread(target=server.run)
    thread.start()
    try:
        yield server
    finally:
        server.stop()
        thread.join(30)
    assert not thread.is_alive()


class Listening(Protocol):
    """Whatever listens on a port."""

    host: str
    port: int


def connect(server: Listening) -> socket.socket:
    """Open a connection."""
    return socket.create_connection((server.host, server.port), timeout=20)


def received(connection: socket.socket) -> bytes:
    """Return all that is sent until the other side closes the connection."""
    pieces = []
    try:
        while piece := connection.recv(65_536):
            pieces.append(piece)
    except ConnectionResetError:  # there was more of the request than the server wanted to read
        pass
    return b"".join(pieces)


def exchange(server: Listening, raw: bytes) -> bytes:
    """Send bytes and return all that is sent back until the server closes the connection."""
    with closing(connect(server)) as connection:
        connection.sendall(raw)
        return received(connection)


def split(raw: bytes) -> tuple[int, dict[str, str], bytes]:
    """Return the status, the headers by their lower-case names and the body of a response."""
    head, _, body = raw.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    pairs = [line.split(": ", 1) for line in lines]
    assert len(pairs) == len({key.lower() for key, _ in pairs}), "a header came twice"
    return int(first.split()[1]), {key.lower(): value for key, value in pairs}, body
