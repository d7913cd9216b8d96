"""Loopback servers for address sources: one that answers, and one that sends the bytes of the test."""

import socket
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread

Play = Callable[[socket.socket], None]


class AddressService:
    """Answers `address` as ifconfig.me/ip does; a `play` in its place writes to the socket itself.

    `requests` counts connections that asked for something, `heads` keeps what they sent. `certificates` is the folder
    of the server's certificate and key, and makes it speak TLS.
    """

    def __init__(self, host: str = "127.0.0.1", certificates: Path | None = None) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.socket(family, socket.SOCK_STREAM)
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind((host, 0))
        self._listener.listen(128)
        self.port = int(self._listener.getsockname()[1])
        self._tls = None
        if certificates:
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._tls.load_cert_chain(certificates / "server.pem", certificates / "server-key.pem")
        scheme = "https" if certificates else "http"
        self.url = f"{scheme}://{f'[{host}]' if ':' in host else host}:{self.port}/ip"
        self.address = "9.9.9.9"
        self.play: Play | None = None
        self.requests = 0
        self.heads: list[str] = []
        Thread(target=self._serve, daemon=True).start()

    def stop(self) -> None:
        """Close the port; connections are refused from now on."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with suppress(OSError), connection, self._secured(connection) as connection:
            request = b""
            while b"\r\n\r\n" not in request:
                piece = connection.recv(4096)
                if not piece:
                    return
                request += piece
            self.requests += 1
            self.heads.append(request.decode("latin-1"))
            (self.play or answer(self.address))(connection)

    def _secured(self, connection: socket.socket) -> socket.socket:
        return self._tls.wrap_socket(connection, server_side=True) if self._tls else connection


@contextmanager
def running(host: str = "127.0.0.1", certificates: Path | None = None) -> Iterator[AddressService]:
    """Run an address service for the length of the block."""
    service = AddressService(host, certificates)
    try:
        yield service
    finally:
        service.stop()


def answer(body: str | bytes, status: str = "200 OK", headers: Sequence[str] = ()) -> Play:
    """Answer with a status, a body and its length."""
    content = body if isinstance(body, bytes) else body.encode()
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(content)}", "Connection: close", *headers]
    return send("\r\n".join(head).encode() + b"\r\n\r\n" + content)


def send(raw: bytes) -> Play:
    """Answer with these bytes and close."""
    return lambda connection: connection.sendall(raw)


def drip(raw: bytes, pause: float = 1.0) -> Play:
    """Answer with one byte at a time."""

    def play(connection: socket.socket) -> None:
        for each in raw:
            connection.sendall(bytes([each]))
            time.sleep(pause)

    return play


def hang(connection: socket.socket) -> None:
    """Answer nothing; end when the client does, whose body may come after its head."""
    connection.settimeout(60)
    with suppress(OSError):
        while connection.recv(65_536):
            pass


def redirect(url: str | bytes, status: str = "302 Found") -> Play:
    """Answer that the address is to be asked for at `url`."""
    location = url if isinstance(url, bytes) else url.encode()
    return send(
        f"HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\nLocation: ".encode() + location + b"\r\n\r\n"
    )


def in_turn(*plays: Play) -> Play:
    """Answer each request with the next of `plays`."""
    waiting = iter(plays)
    return lambda connection: next(waiting)(connection)


class Flood:
    """Answers with `head` and a body of `size` bytes; `sent` is how much of it was taken when `over` is set."""

    def __init__(self, head: bytes, size: int) -> None:
        self._head = head
        self.size = size
        self.sent = 0
        self.over = Event()

    def __call__(self, connection: socket.socket) -> None:
        try:
            connection.sendall(self._head)
            while self.sent < self.size:
                self.sent += connection.send(b"1" * min(65536, self.size - self.sent))
        finally:
            self.over.set()

    def was_refused(self) -> bool:
        """Return whether the client went away before the end of the body."""
        assert self.over.wait(10)
        return self.sent < self.size
