"""Somebody who answers in the database's place does not get the password."""

import socket
import struct
from contextlib import suppress
from pathlib import Path
from ssl import PROTOCOL_TLS_SERVER, SSLContext
from threading import Thread

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from tests.support.machine import Machine
from tests.support.mysqld import certificates

PASSWORD = "correct-horse-battery-✓"
_PROTOCOL_41, _SSL, _SECURE, _PLUGIN_AUTH = 0x200, 0x800, 0x8000, 0x80000
_SALT = b"0123456789abcdefghij"
_OAEP = padding.OAEP(padding.MGF1(hashes.SHA1()), hashes.SHA1(), None)
_REMEMBERED = b"\x01\x03"
_DENIED = b"\xff" + struct.pack("<H", 1045) + b"#28000no"


class RogueServer:
    """Greets as MySQL does, and asks for the password by an authentication `plugin`; `heard` is all that it is sent.

    `switches` asks in a second packet, as a server does whose account uses another plugin than it announced. `key` is
    its own for the methods that encrypt the password; what it could decrypt is in `heard` as well. A server that
    `remembers` the password is content with proof of it.
    """

    def __init__(
        self, plugin: str, *, switches: bool, certificates: Path | None = None, remembers: bool = False
    ) -> None:
        self._plugin, self._switches, self._remembers = plugin, switches, remembers
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self._tls = None
        if certificates:
            self._tls = SSLContext(PROTOCOL_TLS_SERVER)
            self._tls.load_cert_chain(certificates / "server.pem", certificates / "server-key.pem")
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.heard = b""
        Thread(target=self._serve, daemon=True).start()

    @property
    def public_key(self) -> bytes:
        """Return what a client may pin."""
        public = self.key.public_key()
        return public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)

    def stop(self) -> None:
        self._listener.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                with connection, suppress(OSError):
                    self._talk(connection)

    def _talk(self, connection: socket.socket) -> None:
        connection.settimeout(2)
        announced = b"mysql_native_password" if self._switches else self._plugin.encode()
        flags = _PROTOCOL_41 | _SECURE | _PLUGIN_AUTH | (_SSL if self._tls else 0)
        greeting = b"\x0a8.0.36\0" + struct.pack("<I", 7) + _SALT[:8] + b"\0" + struct.pack("<H", flags & 0xFFFF)
        greeting += b"\x21\x02\0" + struct.pack("<HB", flags >> 16, 21) + b"\0" * 10 + _SALT[8:] + b"\0"
        connection.sendall(_packet(0, greeting + announced + b"\0"))
        if self._tls:
            _read(connection)
            connection = self._tls.wrap_socket(connection, server_side=True)
        with connection:
            number, said = self._hear(connection)
            for question in self._questions():
                connection.sendall(_packet(number + 1, question))
                if question == _REMEMBERED:
                    number += 1
                    break
                number, said = self._hear(connection)
                if len(said) == self.key.key_size // 8:
                    with suppress(ValueError):  # encrypted with another key
                        clear = self.key.decrypt(said, _OAEP)
                        self.heard += bytes(each ^ _SALT[i % len(_SALT)] for i, each in enumerate(clear))
                    break
            connection.sendall(_packet(number + 1, _DENIED))

    def _questions(self) -> list[bytes]:
        """Return what to send after each packet of the client, until it has sent the password."""
        prompt = b"\x02Password: " if self._plugin == "dialog" else _SALT + b"\0"
        switch = [b"\xfe" + self._plugin.encode() + b"\0" + prompt] if self._switches else []
        key = [b"\x01" + self.public_key]
        match self._plugin:
            case "sha256_password":
                return switch if self._tls else [*switch, *key]
            case "caching_sha2_password" if self._remembers:
                return [*switch, _REMEMBERED]
            case "caching_sha2_password":
                return [*switch, b"\x01\x04", *([] if self._tls else key)]
            case _:
                return switch or [b"\x01\x04"]

    def _hear(self, connection: socket.socket) -> tuple[int, bytes]:
        number, said = _read(connection)
        self.heard += said
        return number, said


def _packet(number: int, body: bytes) -> bytes:
    return struct.pack("<I", len(body))[:3] + bytes([number]) + body


def _read(connection: socket.socket) -> tuple[int, bytes]:
    head = connection.recv(4)
    if len(head) < 4:
        raise ConnectionError
    return head[3], connection.recv(int.from_bytes(head[:3], "little"))


@pytest.fixture(params=[True, False], ids=["switched", "announced"])
def switches(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    certificates(tmp_path)
    return tmp_path


def ask(machine: Machine, server: RogueServer, query: str = "", command: str = "run") -> str:
    url = f"mysql://runner:{PASSWORD}@127.0.0.1:{server.port}/app{query}"
    done = machine.ddns(command, DDNS_DATABASE_URL=url)
    server.stop()
    assert (done.status, done.err.count("\n")) == (1, 1), done.err
    assert PASSWORD not in done.err
    return done.err


def knows_it(server: RogueServer) -> bool:
    return PASSWORD.encode() in server.heard


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have every peer seem to be on another machine."""
    monkeypatch.setattr(socket.socket, "getpeername", lambda _self: ("192.0.2.7", 3306))


@pytest.mark.parametrize("plugin", ["mysql_clear_password", "dialog"])
@pytest.mark.parametrize("encrypted", [False, True])
def test_nobody_gets_the_password_in_clear_text(
    small_machine: Machine, folder: Path, plugin: str, encrypted: bool, switches: bool
) -> None:
    server = RogueServer(plugin, switches=switches, certificates=folder if encrypted else None)
    said = ask(small_machine, server)
    assert not knows_it(server)
    assert said == (
        f"failed: refused to send the password to 127.0.0.1:{server.port}: the server asks for the password in clear"
        " text, and is not verified; add ssl_mode=verify or ssl_ca=FILE to DDNS_DATABASE_URL\n"
    )


def test_a_server_that_ssl_ca_verifies_gets_it(small_machine: Machine, folder: Path) -> None:
    server = RogueServer("mysql_clear_password", switches=True, certificates=folder)
    ask(small_machine, server, f"?ssl_ca={folder / 'ca.pem'}")
    assert knows_it(server)


def test_one_that_ssl_ca_does_not_verify_gets_nothing(small_machine: Machine, folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    certificates(other)
    server = RogueServer("mysql_clear_password", switches=True, certificates=folder)
    said = ask(small_machine, server, f"?ssl_ca={other / 'ca.pem'}")
    assert said.endswith("; check ssl_ca in DDNS_DATABASE_URL\n")
    assert server.heard == b""


SHA2 = pytest.mark.parametrize("plugin", ["caching_sha2_password", "sha256_password"])


@SHA2
def test_the_default_login_of_mysql_works_on_this_machine(small_machine: Machine, plugin: str, switches: bool) -> None:
    server = RogueServer(plugin, switches=switches)
    assert "refused the login of runner" in ask(small_machine, server)
    assert knows_it(server)


@SHA2
@pytest.mark.usefixtures("elsewhere")
def test_a_key_of_the_own_choice_of_another_host_gets_nothing(
    small_machine: Machine, plugin: str, switches: bool
) -> None:
    server = RogueServer(plugin, switches=switches)
    said = ask(small_machine, server)
    assert not knows_it(server)
    assert said == (
        f"failed: refused to send the password to 127.0.0.1:{server.port}: the server asks for it with a key of its own"
        " choice, and is not verified; add ssl_mode=verify, ssl_ca=FILE or server_public_key=FILE to"
        " DDNS_DATABASE_URL\n"
    )


@pytest.mark.usefixtures("elsewhere")
def test_a_host_that_remembers_the_password_gets_proof_of_it(small_machine: Machine, switches: bool) -> None:
    server = RogueServer("caching_sha2_password", switches=switches, remembers=True)
    assert "refused the login of runner" in ask(small_machine, server)
    assert not knows_it(server)


@SHA2
@pytest.mark.parametrize("offers_tls", [False, True])
@pytest.mark.usefixtures("elsewhere")
def test_a_pinned_key_is_the_only_one_and_tls_does_not_get_around_it(
    small_machine: Machine, tmp_path: Path, folder: Path, plugin: str, switches: bool, offers_tls: bool
) -> None:
    rogue = RogueServer(plugin, switches=switches, certificates=folder if offers_tls else None)
    server = RogueServer(plugin, switches=switches)
    (tmp_path / "key.pem").write_bytes(server.public_key)
    query = f"?server_public_key={tmp_path / 'key.pem'}"
    said = ask(small_machine, rogue, query)
    assert not knows_it(rogue)
    if not offers_tls:
        assert said.endswith("check user, password and server_public_key in DDNS_DATABASE_URL\n")
    ask(small_machine, server, query)
    assert knows_it(server)


@SHA2
@pytest.mark.parametrize("mode", ["required", "verify"])
@pytest.mark.parametrize("command", ["run", "history"])
def test_without_tls_nobody_gets_anything_where_tls_is_demanded(
    small_machine: Machine, plugin: str, mode: str, command: str
) -> None:
    server = RogueServer(plugin, switches=False)
    said = ask(small_machine, server, f"?ssl_mode={mode}", command)
    assert server.heard == b""
    assert said.partition(": ")[2] == (
        f"the database at 127.0.0.1:{server.port} offers no TLS, which DDNS_DATABASE_URL demands; turn TLS on there, or"
        " check who answers\n"
    )


@SHA2
def test_the_public_authorities_do_not_vouch_for_a_rogue(
    small_machine: Machine, folder: Path, plugin: str, switches: bool
) -> None:
    server = RogueServer(plugin, switches=switches, certificates=folder)
    said = ask(small_machine, server, "?ssl_mode=verify")
    assert server.heard == b""
    assert said == (
        f"failed to verify the database at 127.0.0.1:{server.port}: unable to get local issuer certificate;"
        " name the authority that signed its certificate: add ssl_ca=FILE to DDNS_DATABASE_URL\n"
    )


@SHA2
@pytest.mark.usefixtures("elsewhere")
def test_one_that_the_trusted_authorities_vouch_for_gets_it(
    small_machine: Machine, folder: Path, plugin: str, switches: bool
) -> None:
    small_machine.environment["REQUESTS_CA_BUNDLE"] = str(folder / "ca.pem")
    server = RogueServer(plugin, switches=switches, certificates=folder)
    assert "refused the login of runner" in ask(small_machine, server, "?ssl_mode=verify")
    assert knows_it(server)


def test_a_key_that_is_none_is_refused_before_anything_is_sent(small_machine: Machine, tmp_path: Path) -> None:
    pem, subject = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    certificates(tmp_path)
    file = tmp_path / "key.pem"
    for content in (
        b"",
        b"\0\xff garbage",
        ec.generate_private_key(ec.SECP256R1()).public_key().public_bytes(pem, subject),
        (tmp_path / "server-key.pem").read_bytes(),
        (tmp_path / "ca.pem").read_bytes(),
    ):
        file.write_bytes(content)
        server = RogueServer("caching_sha2_password", switches=False)
        assert ask(small_machine, server, f"?server_public_key={file}") == (
            f"failed: server_public_key='{file}' in DDNS_DATABASE_URL holds no RSA public key; copy the server's"
            " public_key.pem\n"
        )
        assert server.heard == b""
