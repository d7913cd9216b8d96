"""A port that is no database's, and certificates and keys that do not fit: one line says which, and what to do."""

import datetime as dt
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread
from urllib.parse import quote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from tests.history.test_rogue_server import RogueServer
from tests.support.database import Database
from tests.support.machine import Machine
from tests.support.mysqld import MySqlServer, certificates

PORT = "correct the port in DDNS_DATABASE_URL"
_GREETING = b"\x0a8.0.36\0" + struct.pack("<I", 7) + b"01234567\0" + struct.pack("<H", 0x8200)


def packet(body: bytes, number: int = 0) -> bytes:
    return struct.pack("<I", len(body))[:3] + bytes([number]) + body


@contextmanager
def port_that(talks: Callable[[socket.socket], object]) -> Iterator[int]:
    """Serve one connection after the other."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with connection, suppress(OSError):
                    talks(connection)

    thread = Thread(target=serve, daemon=True)
    thread.start()
    yield int(listener.getsockname()[1])
    with suppress(OSError):
        listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(5)


def refusal(machine: Machine, port: int, *command: str, query: str = "") -> str:
    url = f"mysql://runner:secret@127.0.0.1:{port}/app{query}"
    done = machine.ddns(*(command or ("run",)), DDNS_DATABASE_URL=url)
    assert (done.status, done.out, done.err.count("\n")) == (1, "", 1), done.err
    assert "secret" not in done.err
    return done.err.removeprefix("failed: ").removeprefix("error: ").rstrip("\n")


@pytest.mark.parametrize("command", ["run", "history", "init"])
@pytest.mark.parametrize(
    "greeting",
    [
        b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n",
        b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n",
        b"220 mail.example.com ESMTP\r\n",
        bytes(range(256)) * 20,
        packet(b""),
        packet(b"\xff"),
        packet(b"\x0a"),
        packet(b"\x0axyz\0"),
        packet(b"\x0a" + b"\xff" * 60),
    ],
)
def test_a_port_of_another_protocol_is_named(small_machine: Machine, greeting: bytes, command: str) -> None:
    more = ("--name", "line", "--ip", "9.9.9.9") if command == "init" else ()
    with port_that(lambda connection: connection.sendall(greeting)) as port:
        said = refusal(small_machine, port, command, *more)
    assert said == f"127.0.0.1:{port} does not answer as MySQL or MariaDB does: it greets in another protocol; {PORT}"


@pytest.mark.parametrize(
    "words",
    [b"", b"E\0\0\0\x86SFATAL\0", b"\x15\x03\x01\0\x02\x02\x0a"],
    ids=["nothing", "an error of PostgreSQL", "a TLS alert"],
)
def test_a_port_that_closes_at_once_is_named(small_machine: Machine, words: bytes) -> None:
    with port_that(lambda connection: connection.sendall(words)) as port:
        said = refusal(small_machine, port)
    assert said == (
        f"127.0.0.1:{port} does not answer as MySQL or MariaDB does: no greeting (it closed the connection); {PORT}"
    )


def test_a_port_that_waits_for_its_client_is_named(small_machine: Machine) -> None:
    """HTTP, PostgreSQL and TLS say nothing before the client does; `init` would otherwise wait for long statements."""
    with port_that(lambda connection: connection.recv(1)) as port:
        said = refusal(small_machine, port, "init", "--name", "line", "--ip", "9.9.9.9")
    assert said == f"127.0.0.1:{port} does not answer as MySQL or MariaDB does: no greeting (timed out); {PORT}"


@pytest.mark.parametrize(
    "answer",
    [
        b"\xfemysql_old_password\0",
        b"\xfe\xff\xff\0",
        b"\xfe",
        b"",
        b"\x01\x03",
        b"\x07what",
        b"\xfecaching_sha2_password\0" + b"x" * 20 + b"\0",
    ],
)
def test_an_answer_to_the_login_that_is_none_is_one_line(small_machine: Machine, answer: bytes) -> None:
    flags = struct.pack("<BHHB", 0x21, 2, 0x8, 21)
    greeting = _GREETING + flags + b"\0" * 10 + b"89abcdefghij\0mysql_native_password\0"

    def talk(connection: socket.socket) -> None:
        connection.sendall(packet(greeting))
        connection.recv(4096)
        connection.sendall(packet(answer, 2))
        connection.recv(4096)
        connection.sendall(packet(b"\x01\x09", 4))

    with port_that(talk) as port:
        assert f"127.0.0.1:{port}" in refusal(small_machine, port)


def test_an_unknown_method_of_login_is_named(small_machine: Machine) -> None:
    server = RogueServer("auth_gssapi_client", switches=True)
    assert refusal(small_machine, server.port) == (
        f"the database at 127.0.0.1:{server.port} asks for a login by auth_gssapi_client, which is not supported;"
        " choose mysql_native_password or caching_sha2_password for the account"
    )
    server.stop()


# Certificates and keys


def client_files(folder: Path) -> None:
    """Write other.pem, another key; encrypted.pem, an encrypted one; both.pem, a certificate with its key."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    (folder / "other.pem").write_bytes(key.private_bytes(pem, pkcs8, serialization.NoEncryption()))
    (folder / "encrypted.pem").write_bytes(key.private_bytes(pem, pkcs8, serialization.BestAvailableEncryption(b"x")))
    (folder / "both.pem").write_bytes((folder / "server.pem").read_bytes() + (folder / "server-key.pem").read_bytes())
    (folder / "broken.pem").write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")


@pytest.mark.parametrize(
    ("query", "name", "said"),
    [
        ("ssl_ca={0}/server-key.pem", "ssl_ca", "holds no certificate; name the PEM file of the authority that signed"),
        ("ssl_ca={0}/empty", "ssl_ca", "holds no certificate; name the PEM file of the authority that signed"),
        ("ssl_ca={0}/broken.pem", "ssl_ca", "holds no certificate; name the PEM file of the authority that signed"),
        ("ssl_cert={0}/server.pem", "ssl_cert", "holds no private key; add ssl_key=FILE"),
        ("ssl_cert={0}/server-key.pem", "ssl_cert", "holds no certificate; name the PEM file of the client's"),
        ("ssl_cert={0}/server.pem&ssl_key={0}/ca.pem", "ssl_key", "holds no private key; name the PEM file of the key"),
        (
            "ssl_cert={0}/server.pem&ssl_key={0}/other.pem",
            "ssl_key",
            "is the key of another certificate than ssl_cert;",
        ),
        ("ssl_cert={0}/server.pem&ssl_key={0}/encrypted.pem", "ssl_key", "is encrypted; remove its passphrase:"),
        ("ssl_cert={0}/broken.pem&ssl_key={0}/other.pem", "ssl_key", "cannot be used, or ssl_cert cannot; write both"),
    ],
)
def test_a_file_that_does_not_fit_is_named_before_anything_is_sent(
    small_machine: Machine, tmp_path: Path, query: str, name: str, said: str
) -> None:
    certificates(tmp_path)
    client_files(tmp_path)
    (tmp_path / "empty").touch()
    heard: list[bytes] = []
    with port_that(lambda connection: heard.append(connection.recv(1))) as port:
        found = refusal(small_machine, port, query="?ssl_mode=verify&" + query.format(tmp_path))
    assert found.startswith(f"{name}='{tmp_path}/")
    assert f" in DDNS_DATABASE_URL {said}" in found
    assert heard == []


def test_a_bundle_of_the_environment_that_is_none_is_named(small_machine: Machine, tmp_path: Path) -> None:
    small_machine.environment["REQUESTS_CA_BUNDLE"] = str(tmp_path / "none")
    assert refusal(small_machine, 1, query="?ssl_mode=verify") == (
        f"failed to read the certificate authorities in {tmp_path}/none: No such file or directory;"
        " correct REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE"
    )


def test_a_certificate_with_its_key_in_one_file_is_taken(
    small_machine: Machine, private_mysql: Database, private_server: MySqlServer, tmp_path: Path
) -> None:
    for name in ("server.pem", "server-key.pem"):
        (tmp_path / name).write_bytes((private_server.folder / name).read_bytes())
    client_files(tmp_path)
    tls = f"?ssl_ca={quote(str(private_server.folder))}/ca.pem&ssl_cert={tmp_path}/both.pem"
    done = small_machine.ddns("init", "--name", "line", "--ip", "9.9.9.9", DDNS_DATABASE_URL=private_mysql.url + tls)
    assert (done.status, done.err) == (0, "")


@pytest.mark.parametrize(
    ("first", "last", "said"),
    [
        (-9, -1, "certificate has expired; renew the certificate of the server"),
        (1, 9, "certificate is not yet valid; is the clock of this machine right?"),
    ],
)
def test_a_certificate_out_of_its_time_is_told_from_a_wrong_one(
    small_machine: Machine, tmp_path: Path, first: int, last: int, said: str
) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "server")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now + dt.timedelta(days=first))
        .not_valid_after(now + dt.timedelta(days=last))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (tmp_path / "server.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    (tmp_path / "server-key.pem").write_bytes(key.private_bytes(pem, pkcs8, serialization.NoEncryption()))
    server = RogueServer("caching_sha2_password", switches=False, certificates=tmp_path)
    found = refusal(small_machine, server.port, query=f"?ssl_ca={tmp_path}/server.pem&ssl_verify_identity=0")
    assert found == f"failed to verify the database at 127.0.0.1:{server.port}: {said}"
    server.stop()


def test_a_server_of_broken_tls_is_named(small_machine: Machine) -> None:
    def talk(connection: socket.socket) -> None:
        flags = struct.pack("<BHHB", 0x21, 2, 0x8, 21)
        greeting = (
            _GREETING[:-2] + struct.pack("<H", 0x8A00) + flags + b"\0" * 10 + b"89abcdefghij\0mysql_native_password\0"
        )
        connection.sendall(packet(greeting))
        connection.recv(4096)
        connection.sendall(b"this is no TLS record at all")

    with port_that(talk) as port:
        assert refusal(small_machine, port) == (
            f"TLS with the database at 127.0.0.1:{port} failed: wrong version number; check the TLS of the server"
        )
