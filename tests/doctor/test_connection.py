"""What doctor says of a connection over which somebody in the database's place would get the password."""

import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from tests.support.aws import FakeAws
from tests.support.database import Database, replace_port
from tests.support.machine import Machine
from tests.support.mysqld import MySqlServer
from tests.support.proxy import Proxy
from tests.support.services import AddressService

VERIFY = "add ssl_mode=verify to DDNS_DATABASE_URL, or ssl_ca=FILE for an authority of your own"
GETS_IT = "whoever answers in its place gets the password"


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have every peer seem to be on another machine."""
    monkeypatch.setattr(socket.socket, "getpeername", lambda _self: ("192.0.2.7", 3306))


@pytest.fixture
def machine(private_mysql: Database, service: AddressService, aws: FakeAws, tmp_path: Path) -> Machine:
    made = Machine(private_mysql, service, aws, tmp_path / "home", aws.zone())
    made.init()
    return made


@pytest.fixture
def proxy(private_mysql: Database) -> Iterator[Proxy]:
    """Give somebody in the middle, who takes the offer of TLS out of the server's greeting."""
    made = Proxy(urlsplit(private_mysql.url).port or 0)
    yield made
    made.close()


def connection(machine: Machine, url: str) -> tuple[str, str, str | None] | None:
    done = machine.ddns("doctor", "--json", DDNS_DATABASE_URL=url)
    found = [each for each in done.json["checks"] if each["group"] == "database" and each["name"] == "connection"]
    assert [each["state"] for each in done.json["checks"] if each["name"] == "database"] == ["ok"], done.out
    assert len(found) <= 1
    return (found[0]["state"], found[0]["found"], found[0]["advice"]) if found else None


@pytest.mark.usefixtures("elsewhere")
@pytest.mark.parametrize("query", ["", "?ssl_mode=required"])
def test_doctor_warns_of_another_host_that_nobody_verified(machine: Machine, query: str) -> None:
    host = urlsplit(machine.database.url).netloc.rpartition("@")[2]
    assert connection(machine, machine.database.url + query) == (
        "warning",
        f"{host} is encrypted, but not verified: {GETS_IT}",
        VERIFY,
    )


@pytest.mark.usefixtures("elsewhere")
def test_doctor_warns_of_another_host_without_tls(machine: Machine, proxy: Proxy) -> None:
    url = replace_port(machine.database.url, proxy.port)
    assert connection(machine, url) == (
        "warning",
        f"127.0.0.1:{proxy.port} is neither encrypted nor verified: {GETS_IT}",
        VERIFY,
    )


@pytest.mark.usefixtures("elsewhere")
def test_doctor_notes_that_a_pinned_key_protects_only_the_password(
    machine: Machine, private_server: MySqlServer, tmp_path: Path
) -> None:
    key = load_pem_private_key((private_server.folder / "server-key.pem").read_bytes(), None).public_key()
    (tmp_path / "key.pem").write_bytes(key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    found = connection(machine, f"{machine.database.url}?server_public_key={tmp_path}/key.pem")
    assert found is not None
    assert (found[0], found[2]) == ("note", None)


@pytest.mark.usefixtures("elsewhere")
def test_a_verified_host_gives_no_warning(machine: Machine, private_server: MySqlServer) -> None:
    assert connection(machine, f"{machine.database.url}?ssl_ca={private_server.folder}/ca.pem") is None
    trusted = {"REQUESTS_CA_BUNDLE": f"{private_server.folder}/ca.pem"}
    machine.environment |= trusted
    assert connection(machine, f"{machine.database.url}?ssl_mode=verify") is None


def test_this_machine_gives_no_warning(machine: Machine, proxy: Proxy) -> None:
    assert connection(machine, machine.database.url) is None
    assert connection(machine, replace_port(machine.database.url, proxy.port)) is None


def test_somebody_who_takes_the_offer_of_tls_away_gets_no_login_where_it_is_demanded(
    machine: Machine, proxy: Proxy, private_server: MySqlServer
) -> None:
    heard: list[bytes] = []
    proxy.fault = lambda piece: heard.append(piece)
    url = replace_port(machine.database.url, proxy.port)
    for query in ("?ssl_mode=required", "?ssl_mode=verify", f"?ssl_ca={private_server.folder}/ca.pem"):
        done = machine.ddns("run", DDNS_DATABASE_URL=url + query)
        assert done.status == 1
        assert done.err == (
            f"failed: the database at 127.0.0.1:{proxy.port} offers no TLS, which DDNS_DATABASE_URL demands;"
            " turn TLS on there, or check who answers\n"
        )
    assert heard == []
