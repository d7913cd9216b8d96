"""Somebody who answers in the database's place does not get the password."""

import socket
import struct
from contextlib import suppress
from pathlib import Path
from ssl import PROTOCOL_TLS_SERVER, SSLContext
from threading import Thread

import pytest

from tests.support.machine import Machine
from tests.support.mysqld import certificates

PASSWORD = "correct-horse-battery"
_PROTOCOL_41, _SSL, _SECURE, _PLUGIN_AUTH = 0x200, 0x800, 0x8000, 0x80000


class RogueServer:
    """Greets as MySQL does, and asks for the password by an authentication `plugin`; `heard` is all that it is sent.

    `switches` asks in a second packet, as a server does whose account uses another plugin than it announced.
    """

    def __init__(self, plugin: str, *, switches: bool, certificates: Path | None = None) -> None:
        self._plugin, self._switches = plugin, switches
        self._tls = None
        if certificates:
            self._tls = SSLContext(PROTOCOL_TLS_SERVER)
            self._tls.load_cert_chain(certificates / "server.pem", certificates / "server-key.pem")
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.heard = b""
        Thread(target=self._serve, daemon=True).start()

    def stop(self) -> None:
        self._listener.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                with suppress(OSError):
                    self._talk(connection)

    def _talk(self, connection: socket.socket) -> None:
        connection.settimeout(2)
        announced = b"mysql_native_password" if self._switches else self._plugin.encode()
        flags = _PROTOCOL_41 | _SECURE | _PLUGIN_AUTH | (_SSL if self._tls else 0)
        salt = b"a" * 20
        greeting = b"\x0a8.0.36\0" + struct.pack("<I", 7) + salt[:8] + b"\0" + struct.pack("<H", flags & 0xFFFF)
        greeting += b"\x21\x02\0" + struct.pack("<HB", flags >> 16, 21) + b"\0" * 10 + salt[8:] + b"\0"
        connection.sendall(_packet(0, greeting + announced + b"\0"))
        number = 1
        if self._tls:
            _read(connection)
            connection = self._tls.wrap_socket(connection, server_side=True)
            number = 2
        self.heard += _read(connection)
        if self._switches:
            question = b"\x02Password: " if self._plugin == "dialog" else salt + b"\0"
            connection.sendall(_packet(number + 1, b"\xfe" + self._plugin.encode() + b"\0" + question))
        else:
            connection.sendall(_packet(number + 1, b"\x01\x04"))
        self.heard += connection.recv(4096)
        connection.close()


def _packet(number: int, body: bytes) -> bytes:
    return struct.pack("<I", len(body))[:3] + bytes([number]) + body


def _read(connection: socket.socket) -> bytes:
    head = connection.recv(4)
    return connection.recv(int.from_bytes(head[:3], "little"))


@pytest.fixture(params=[True, False], ids=["switched", "announced"])
def switches(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    certificates(tmp_path)
    return tmp_path


def ask(machine: Machine, server: RogueServer, query: str = "") -> str:
    url = f"mysql://runner:{PASSWORD}@127.0.0.1:{server.port}/app{query}"
    done = machine.ddns("run", DDNS_DATABASE_URL=url)
    server.stop()
    assert (done.status, done.err.count("\n")) == (1, 1)
    assert PASSWORD not in done.err
    return done.err


@pytest.mark.parametrize("plugin", ["mysql_clear_password", "dialog"])
@pytest.mark.parametrize("encrypted", [False, True])
def test_nobody_gets_the_password_in_clear_text(
    small_machine: Machine, folder: Path, plugin: str, encrypted: bool, switches: bool
) -> None:
    server = RogueServer(plugin, switches=switches, certificates=folder if encrypted else None)
    said = ask(small_machine, server)
    assert PASSWORD.encode() not in server.heard
    assert said == (
        f"failed: refused to send the password to 127.0.0.1:{server.port}: the server asks for the password in clear"
        " text, and is not verified; add ssl_ca=FILE to DDNS_DATABASE_URL\n"
    )


def test_a_server_that_ssl_ca_verifies_gets_it(small_machine: Machine, folder: Path) -> None:
    server = RogueServer("mysql_clear_password", switches=True, certificates=folder)
    ask(small_machine, server, f"?ssl_ca={folder / 'ca.pem'}")
    assert PASSWORD.encode() in server.heard


def test_one_that_ssl_ca_does_not_verify_gets_nothing(small_machine: Machine, folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    certificates(other)
    server = RogueServer("mysql_clear_password", switches=True, certificates=folder)
    assert "failed to verify the database" in ask(small_machine, server, f"?ssl_ca={other / 'ca.pem'}")
    assert server.heard == b""
