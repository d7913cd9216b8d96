"""Real clients against `ddns serve` on loopback: over HTTP, and over TLS through nginx and Caddy as in contrib."""

import os
import re
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.journeys.test_serve import address, basic
from tests.journeys.test_watch import wait_until
from tests.support.command import finish
from tests.support.endpoint import LOGIN, NAMES, SECRET, Serving, add_hosts, served
from tests.support.machine import Machine
from tests.support.web import connect, exchange, received, split

_CONTRIB = Path(__file__).parents[2] / "contrib"
_ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}


class Way(NamedTuple):
    """How clients reach the server: over HTTP, or with a certificate authority over TLS; `folder` has every log."""

    port: int
    folder: Path
    authority: Path | None = None

    @property
    def url(self) -> str:
        return f"{'https' if self.authority else 'http'}://127.0.0.1:{self.port}"

    def logs(self) -> str:
        """Return all that was logged."""
        return "".join(path.read_text() for path in self.folder.iterdir() if path.suffix == ".log")


class Done(NamedTuple):
    """A client that ended."""

    status: int
    text: str


def run(way: Way, *command: str | Path) -> Done:
    """Run a client to its end."""
    environment = _ENVIRONMENT | {"HOME": str(way.folder)}
    done = subprocess.run(
        command,
        env=environment,
        cwd=way.folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )
    return Done(done.returncode, done.stdout)


# The clients, as docs/endpoint.md sets them up


def ddclient(way: Way, ip: str) -> Done:
    tls = f"ssl=yes\nssl_ca_file={way.authority}\n" if way.authority else "ssl=no\n"
    config = way.folder / "ddclient.conf"
    config.write_text(
        f"{tls}use=ip, ip={ip}\nprotocol=dyndns2\nserver=127.0.0.1:{way.port}\nlogin={LOGIN}\n"
        f"password='{SECRET}'\n{','.join(NAMES)}\n"
    )
    config.chmod(0o600)
    return run(way, "ddclient", "-verbose", "-file", config, "-cache", way.folder / "ddclient.cache")


def inadyn(way: Way, ip: str) -> Done:
    config = way.folder / "inadyn.conf"
    config.write_text(
        "period = 300\nverify-address = false\n"
        + (f'ca-trust-file = "{way.authority}"\n' if way.authority else "")
        + "custom ddns {\n"
        + ("" if way.authority else "ssl = false\n")
        + f'checkip-command = "/bin/echo {ip}"\nusername = {LOGIN}\npassword = "{SECRET}"\n'
        f'ddns-server = "127.0.0.1:{way.port}"\nddns-path = "/nic/update?hostname=%h&myip=%i"\n'
        f"hostname = {{ {', '.join(NAMES)} }}\n}}\n"
    )
    config.chmod(0o600)
    return run(
        way, "inadyn", "-1", "-n", "-l", "notice", "--no-pidfile", "--force", f"--cache-dir={way.folder}", "-f", config
    )


def curl(way: Way, ip: str) -> Done:
    trust = ["--cacert", str(way.authority)] if way.authority else []
    url = f"{way.url}/nic/update?hostname={','.join(NAMES)}&myip={ip}"
    return run(way, "curl", "-sS", "--fail", "--anyauth", "-u", f"{LOGIN}:{SECRET}", *trust, url)


def wget(way: Way, ip: str) -> Done:
    trust = [f"--ca-certificate={way.authority}"] if way.authority else []
    url = f"{way.url}/nic/update?hostname={','.join(NAMES)}&myip={ip}"
    return run(way, "wget", "-qO-", "--tries=1", f"--user={LOGIN}", f"--password={SECRET}", *trust, url)


# The ways


@pytest.fixture
def serving(small_machine: Machine) -> Iterator[Serving]:
    """Give a server with two hosts."""
    add_hosts(small_machine)
    with served(small_machine) as each:
        yield each


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder of a certificate for 127.0.0.1, which is its own authority."""
    folder = tmp_path_factory.mktemp("certificate")
    options = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=127.0.0.1"
    names = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", f"{folder}/key.pem", "-out", f"{folder}/chain.pem"]
    subprocess.run(["openssl", *options.split(), *names], capture_output=True, check=True)
    return folder


def http(serving: Serving, folder: Path, _certificate: Path) -> Iterator[Way]:
    yield Way(serving.port, folder)


def nginx(serving: Serving, folder: Path, certificate: Path) -> Iterator[Way]:
    port = free_port()
    config = replaced(
        (_CONTRIB / "nginx-ddns.conf").read_text(),
        {
            "listen 443 ssl;": f"listen 127.0.0.1:{port} ssl;",
            "listen [::]:443 ssl;": "",
            "ddns.example.com": "127.0.0.1",
            "/etc/ddns-updater/tls/fullchain.pem": str(certificate / "chain.pem"),
            "/etc/ddns-updater/tls/privkey.pem": str(certificate / "key.pem"),
            "/var/log/nginx/ddns.log": str(folder / "access.log"),
            "127.0.0.1:8245": f"127.0.0.1:{serving.port}",
            "timeout 10s": "timeout 2s",
        },
    )
    temporary = "".join(
        f"{each}_temp_path {folder}/{each};\n" for each in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    whole = folder / "nginx.conf"
    whole.write_text(
        ("user root;\n" if os.geteuid() == 0 else "")
        + f"daemon off;\npid {folder}/nginx.pid;\nerror_log {folder}/error.log info;\nevents {{}}\n"
        + f"http {{\n{temporary}{config}}}\n"
    )
    with running(port, folder, "nginx", "-p", folder, "-e", folder / "error.log", "-c", whole):
        yield Way(port, folder, certificate / "chain.pem")


def caddy(serving: Serving, folder: Path, certificate: Path) -> Iterator[Way]:
    port = free_port()
    whole = folder / "Caddyfile"
    whole.write_text(
        replaced(
            (_CONTRIB / "Caddyfile.ddns").read_text(),
            {
                "\tservers {": "\tadmin off\n\tauto_https disable_redirects\n\tservers {",
                "ddns.example.com {": f"https://127.0.0.1:{port} {{\n\ttls chain.pem key.pem",
                "chain.pem key.pem": f"{certificate}/chain.pem {certificate}/key.pem",
                "127.0.0.1:8245": f"127.0.0.1:{serving.port}",
                " 10s": " 2s",
            },
        )
    )
    with running(port, folder, "caddy", "run", "--adapter", "caddyfile", "--config", whole):
        yield Way(port, folder, certificate / "chain.pem")


def replaced(text: str, values: dict[str, str]) -> str:
    """Return `text` with every placeholder replaced; each of them must be there."""
    for placeholder, value in values.items():
        assert placeholder in text, placeholder
        text = text.replace(placeholder, value)
    return text


def free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        return int(free.getsockname()[1])


@contextmanager
def running(port: int, folder: Path, *command: str | Path) -> Iterator[None]:
    """Run a proxy for the length of the block, its output in a log of `folder`."""
    environment = _ENVIRONMENT | {"HOME": str(folder)}
    with (folder / "output.log").open("w") as out:
        process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out)

    def listens() -> bool:
        assert process.poll() is None, (folder / "output.log").read_text()
        with closing(socket.socket()) as tried:
            return tried.connect_ex(("127.0.0.1", port)) == 0

    try:
        wait_until(listens)
        yield
    finally:
        process.terminate()
        process.wait(30)


@pytest.fixture(params=[http, nginx, caddy], ids=lambda each: each.__name__)
def way(request: pytest.FixtureRequest, serving: Serving, tmp_path: Path, certificate: Path) -> Iterator[Way]:
    """Give each way to the server in turn."""
    folder = tmp_path / "way"
    folder.mkdir()
    yield from request.param(serving, folder, certificate)


@pytest.fixture(params=[nginx, caddy], ids=lambda each: each.__name__)
def proxy(request: pytest.FixtureRequest, serving: Serving, tmp_path: Path, certificate: Path) -> Iterator[Way]:
    """Give the way through each proxy in turn."""
    folder = tmp_path / "way"
    folder.mkdir()
    yield from request.param(serving, folder, certificate)


def tls(way: Way) -> socket.socket:
    """Open a connection through a proxy."""
    context = ssl.create_default_context(cafile=str(way.authority))
    return context.wrap_socket(socket.create_connection(("127.0.0.1", way.port), 30), server_hostname="127.0.0.1")


# What clients get


@pytest.mark.parametrize(
    ("client", "success"),
    [
        (ddclient, "SUCCESS:  updating nas.example.com: good: IP address set to 8.8.4.4"),
        (inadyn, "Update forced for alias nas.example.com, new IP# 8.8.4.4"),
        (curl, "good 8.8.4.4\ngood 8.8.4.4"),
        (wget, "good 8.8.4.4\ngood 8.8.4.4"),
    ],
    ids=["ddclient", "inadyn", "curl --anyauth", "wget"],
)
def test_a_client_sets_the_address_of_its_names(
    way: Way, serving: Serving, client: Callable[[Way, str], Done], success: str
) -> None:
    done = client(way, "8.8.4.4")
    assert done.status == 0, done.text
    assert success in done.text
    machine = serving.machine
    assert [each for _, each in machine.database.versions()] == ["8.8.4.4", "8.8.4.4"]
    for name in NAMES:
        wait_until(lambda name=name: address(machine, name) == ["8.8.4.4"])  # type: ignore[misc]
    assert serving.stop().status == 0
    assert "hostname=" not in way.logs()
    assert SECRET not in way.logs()


@pytest.mark.parametrize("client", [ddclient, inadyn, curl, wget], ids=lambda each: each.__name__)
def test_a_client_with_a_wrong_secret_says_that_it_failed(
    serving: Serving, tmp_path: Path, client: Callable[[Way, str], Done], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(globals(), "SECRET", "a-wrong-secret-of-32-characters!")
    done = client(Way(serving.port, tmp_path), "8.8.4.4")
    assert done.status != 0, done.text
    assert serving.machine.database.versions() == []


# The proxies


def drip(connection: socket.socket) -> None:
    """Send a byte now and then for a minute."""
    for _ in range(300):
        connection.sendall(b"X")
        time.sleep(0.2)


def test_a_proxy_tells_where_a_request_came_from_and_believes_nobody_else(proxy: Way) -> None:
    ask = ["curl", "-sS", "--cacert", str(proxy.authority), f"{proxy.url}/ip", "-H"]
    assert run(proxy, *ask, "X-Forwarded-For: 8.8.8.8").text == "127.0.0.1\n"
    for spoofed in ("8.8.8.8", "127.0.0.1", "garbage", "8.8.8.8, 127.0.0.1"):
        done = run(proxy, *ask, f"X-Forwarded-For: {spoofed}", "--interface", "127.0.0.2")
        assert done.text == "127.0.0.2\n", spoofed


def test_a_proxy_logs_no_query_whatever_happens(proxy: Way, serving: Serving) -> None:
    target = "/nic/update?hostname=home.example.com&username=home.example.com&password=hunter2"
    trust = ["--cacert", str(proxy.authority), "--http1.1"]
    ask = ["curl", "-sS", *trust, "-o", "answer", "-w", "%{http_code}", f"{proxy.url}{target}"]
    assert run(proxy, *ask).text == "401"
    assert run(proxy, *ask, "--data-binary", "x" * 20_000).text in ("413", "502")
    assert run(proxy, *ask, "-H", "X: " + "x" * 20_000).text in ("400", "431")
    with closing(tls(proxy)) as gone:
        gone.sendall(f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
    assert serving.stop().status == 0
    assert run(proxy, *ask).text == "502"
    body = (proxy.folder / "answer").read_bytes()
    assert not re.search(rb"ok|good|true|updated|success|nochg", body, re.IGNORECASE), body
    time.sleep(0.5)  # for a line about the client that went away
    assert "/nic/update" in proxy.logs()  # so there is a log
    assert "hunter2" not in proxy.logs()
    assert "hostname" not in proxy.logs()


def test_a_proxy_cuts_off_who_sends_slowly(proxy: Way) -> None:
    with closing(tls(proxy)) as slow:
        slow.sendall(b"GET /ip HTTP/1.1\r\n")
        with pytest.raises(OSError):  # noqa: PT011 - a closed connection has several errors
            drip(slow)
    assert run(proxy, "curl", "-sS", "--cacert", str(proxy.authority), f"{proxy.url}/ip").text == "127.0.0.1\n"


# Many at once


def test_idle_and_dripping_connections_hinder_nobody(serving: Serving) -> None:
    query = b"GET /nic/update?hostname=home.example.com&myip=8.8.4.4 HTTP/1.0\r\nX-Forwarded-For: 9.9.9.9\r\n" + basic()
    with ExitStack() as stack:
        for _ in range(1000):
            stack.enter_context(connect(serving))
        slow = [stack.enter_context(connect(serving)) for _ in range(100)]
        answers = []
        for number in range(5):
            for each in slow:
                each.sendall(query[number : number + 1])
            with ThreadPoolExecutor(20) as pool:
                answers += list(pool.map(lambda _: split(exchange(serving, query + b"\r\n"))[2], range(40)))
            time.sleep(1)
        assert len(answers) == 200
        assert set(answers) <= {b"good 8.8.4.4", b"nochg 8.8.4.4"}
        slow[0].sendall(query[5:] + b"\r\n")
        assert split(received(slow[0]))[2] == b"nochg 8.8.4.4"
    assert serving.stop().status == 0


def test_what_is_in_hand_at_sigterm_is_answered_and_sent(small_machine: Machine) -> None:
    names = [f"h{number}.example.com" for number in range(100)]
    add_hosts(small_machine, *names)
    answered: list[str] = []

    def ask(server: Serving, name: str) -> None:
        head = f"GET /nic/update?hostname={name}&myip=8.8.4.4 HTTP/1.0\r\nX-Forwarded-For: 9.9.9.9\r\n".encode()
        try:
            raw = exchange(server, head + basic() + b"\r\n")
        except ConnectionRefusedError:  # it had ended
            return
        if raw:
            assert split(raw)[2] == b"good 8.8.4.4"
            answered.append(name)

    with served(small_machine) as serving, ThreadPoolExecutor(50) as pool:
        asked = [pool.submit(ask, serving, name) for name in names]
        wait_until(lambda: len(answered) >= 10)
        serving.process.send_signal(signal.SIGTERM)
        for each in asked:
            each.result(60)
        done = finish(serving.process)
    assert (done.status, done.err) == (0, "")
    assert len(answered) >= 10
    assert len(small_machine.database.versions()) == len(answered)
    assert [name for name in answered if address(small_machine, name) != ["8.8.4.4"]] == []
