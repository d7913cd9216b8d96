"""A private MySQL-compatible server for the tests: in a temporary folder, on a free loopback port."""

import datetime as dt
import getpass
import ipaddress
import shutil
import socket
import subprocess
import time
from pathlib import Path

import pymysql
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

_PATH = "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin"


class MySqlServer:
    """Started when made; `url` is that of an account that may do everything."""

    def __init__(self, folder: Path) -> None:
        program = next(filter(None, (shutil.which(name, path=_PATH) for name in ("mariadbd", "mysqld"))), None)
        if program is None:
            raise RuntimeError("no mariadbd and no mysqld on this machine; apt-get install mariadb-server-core")
        self.folder = folder
        self.port = free_port()
        self._socket = folder / "s"
        certificates(folder)
        common = [
            "--no-defaults",
            f"--datadir={folder / 'data'}",
            f"--tmpdir={folder / 'tmp'}",  # in a shared one, each server that starts deletes the tables of the others
            f"--user={getpass.getuser()}",
            "--skip-log-bin",
            "--skip-innodb-doublewrite",
            "--innodb-flush-method=nosync",
            "--innodb-buffer-pool-size=32M",
            "--performance-schema=OFF",
        ]
        mariadb = Path(program).resolve().name == "mariadbd"
        for each in ("data", "tmp"):
            (folder / each).mkdir()
        with (folder / "log").open("wb") as log:
            if mariadb:
                script = _mariadb_bootstrap(Path(program).resolve().parents[1] / "share")
                subprocess.run([program, *common, "--bootstrap"], input=script, stdout=log, stderr=log, check=True)
            else:
                common.append("--mysqlx=0")
                subprocess.run([program, *common, "--initialize-insecure"], stdout=log, stderr=log, check=True)
            self._process = subprocess.Popen(
                [
                    program,
                    *common,
                    f"--socket={self._socket}",
                    f"--port={self.port}",
                    "--bind-address=127.0.0.1",
                    f"--pid-file={folder / 'pid'}",
                    "--innodb-flush-log-at-trx-commit=0",
                    f"--ssl-ca={folder / 'ca.pem'}",
                    f"--ssl-cert={folder / 'server.pem'}",
                    f"--ssl-key={folder / 'server-key.pem'}",
                ],
                stdout=log,
                stderr=log,
            )
        self._wait()
        self.url = f"mysql://tester:tester@127.0.0.1:{self.port}/"

    def stop(self) -> None:
        """End the server that was started here."""
        self._process.terminate()
        self._process.wait(30)

    def _wait(self) -> None:
        end = time.monotonic() + 60
        while not self._listening():
            if time.monotonic() > end or self._process.poll() is not None:
                raise RuntimeError((self.folder / "log").read_text()[-2000:])
            time.sleep(0.05)
        with pymysql.connect(unix_socket=str(self._socket), user="root", password="") as admin:
            cursor = admin.cursor()
            cursor.execute("CREATE USER tester@'%' IDENTIFIED BY 'tester'")
            cursor.execute("GRANT ALL ON *.* TO tester@'%' WITH GRANT OPTION")

    def _listening(self) -> bool:
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(str(self._socket)) == 0


def _mariadb_bootstrap(share: Path) -> bytes:
    """Return what mariadb-install-db feeds to the server; that script itself needs programs of other packages."""
    parts = [b"CREATE DATABASE IF NOT EXISTS mysql;\nUSE mysql;\nSET @auth_root_socket=NULL;\n"]
    for name in ("system_tables.sql", "performance_tables.sql", "system_tables_data.sql"):
        found = sorted([*share.glob(f"mysql/m*_{name}"), *share.glob(f"mariadb/m*_{name}")])
        if not found:
            raise RuntimeError(f"no {name} below {share}; apt-get install mariadb-server-core")
        parts.append(found[0].read_bytes())
    return b"\n".join(parts)


def free_port() -> int:
    """Return a free loopback port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def certificates(folder: Path, *hosts: str) -> None:
    """Write ca.pem, and server.pem with its key, for 127.0.0.1 and `hosts`."""
    now = dt.datetime.now(dt.UTC)

    def make(subject: str, issuer: str, key: rsa.RSAPrivateKey, signer: rsa.RSAPrivateKey, authority: bool) -> bytes:
        def name(text: str) -> x509.Name:
            return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

        builder = (
            x509.CertificateBuilder()
            .subject_name(name(subject))
            .issuer_name(name(issuer))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + dt.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        )
        if not authority:
            address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
            names = [address, *map(x509.DNSName, hosts)]
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(signer, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    ca_key, server_key = (rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(2))
    (folder / "ca.pem").write_bytes(make("test authority", "test authority", ca_key, ca_key, True))
    (folder / "server.pem").write_bytes(make("server", "test authority", server_key, ca_key, False))
    (folder / "server-key.pem").write_bytes(
        server_key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        )
    )
