"""Loopback receivers of alerts and heartbeats: they keep each request whole and answer as the test says."""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from tests.support.services import AddressService, answer

SECRET = "a-secret-of-the-receiver"


class Request(NamedTuple):
    """One request; the names of headers are in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Receiver(AddressService):
    """Takes every request with status 200 unless it has a `play`; `url` holds a secret."""

    def __init__(self, host: str = "127.0.0.1", certificates: Path | None = None) -> None:
        self.got: list[Request] = []
        super().__init__(host, certificates)
        self.base = self.url.removesuffix("/ip")
        self.url = f"{self.base}/hook/{SECRET}"

    @property
    def events(self) -> list[str]:
        """Return the kinds of the events that came as JSON."""
        return [each.json["event"] for each in self.got]

    def take(self) -> list[Any]:
        """Return what came as JSON, and forget it."""
        found = [each.json for each in self.got]
        self.got.clear()
        return found

    def _answer(self, connection: socket.socket) -> None:
        with suppress(OSError), connection, self._secured(connection) as connection, connection.makefile("rb") as file:
            line = file.readline().decode()
            if not line:
                return
            method, path, _ = line.split(" ", 2)
            headers = {}
            while field := file.readline().decode().strip():
                name, _, value = field.partition(":")
                headers[name.lower()] = value.strip()
            body = file.read(int(headers.get("content-length", 0)))
            self.got.append(Request(method, path, headers, body))
            (self.play or answer("ok"))(connection)


@contextmanager
def receiving(host: str = "127.0.0.1", certificates: Path | None = None) -> Iterator[Receiver]:
    """Run a receiver for the length of the block."""
    receiver = Receiver(host, certificates)
    try:
        yield receiver
    finally:
        receiver.stop()
