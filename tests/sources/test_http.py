"""The HTTP source against real servers on loopback, most of which misbehave."""

import base64
import gzip
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from ssl import create_default_context
from threading import Event, Thread

import pytest
from requests.utils import DEFAULT_CA_BUNDLE_PATH

from ddns_updater.app import factories
from ddns_updater.errors import SourceError
from ddns_updater.lib.deadline import time_limit
from ddns_updater.model import Family
from ddns_updater.settings.load import ca_bundle
from ddns_updater.sources.http import HttpSource
from ddns_updater.sources.spec import HttpSpec, parse_source
from ddns_updater.sources.tls import verifying_tls
from tests.support.database import load_settings_with
from tests.support.machine import Machine
from tests.support.mysqld import certificates, free_port
from tests.support.services import AddressService, Flood, Play, answer, drip, hang, in_turn, redirect, running, send

START = 3  # seconds; a busy machine's slowest start of Python
NEVER = "1.1.1.1"  # stands in answers that must not be believed
CUT_OFF = "sent an incomplete answer"
UNFRAMED = "sent an answer that may be incomplete: it has neither a length nor a final line break"
NOT_HTTP = "did not answer in HTTP"
UNUSABLE = "leads to an invalid URL"


def http_source(url: str, *, timeout: float, retries: int) -> HttpSource:
    return HttpSource(HttpSpec(url), timeout=timeout, retries=retries, open_tls=lambda: verifying_tls(ca_bundle()))


def fetched(url: str, family: Family = Family.IPV4, *, timeout: float = 5, retries: int = 0) -> str:
    return str(http_source(url, timeout=timeout, retries=retries).fetch(family))


def refusal(url: str, family: Family = Family.IPV4, *, timeout: float = 5, retries: int = 0) -> str:
    with pytest.raises(SourceError) as raised:
        fetched(url, family, timeout=timeout, retries=retries)
    return str(raised.value)


def head(*lines: str) -> bytes:
    return "\r\n".join(["HTTP/1.1 200 OK", "Connection: close", *lines, "", ""]).encode("latin-1")


@pytest.fixture(scope="session")
def untrusted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder with a certificate for 127.0.0.1 from an unknown authority."""
    folder = tmp_path_factory.mktemp("certificates")
    certificates(folder)
    return folder


@pytest.fixture
def other() -> Iterator[AddressService]:
    """Give a second address service, which answers 8.8.8.8."""
    with running() as each:
        each.address = "8.8.8.8"
        yield each


@pytest.mark.parametrize(
    "play",
    [
        answer("9.9.9.9"),
        answer("9.9.9.9\n"),
        answer("\r\n 9.9.9.9 \r\n"),
        answer("9.9.9.9" + " " * 121),
        answer("9.9.9.9", headers=["Content-Type: text/html; charset=utf-16", "Set-Cookie: \xff=; expires=never"]),
        answer("9.9.9.9", headers=["Content-Encoding: gzip"]),
        send(head("Transfer-Encoding: chunked") + b"4\r\n9.9.\r\n3\r\n9.9\r\n0\r\n\r\n"),
        send(head() + b"9.9.9.9\n"),
        send(b"HTTP/1.0 200 OK\r\n\r\n9.9.9.9\n"),
        send(b"HTTP/1.1 100 Continue\r\n\r\n" + head("Content-Length: 7") + b"9.9.9.9"),
        drip(head("Content-Length: 7") + b"9.9.9.9", pause=0.001),
    ],
)
def test_it_takes_a_whole_answer_of_one_address(service: AddressService, play: Play) -> None:
    service.play = play
    assert fetched(service.url) == "9.9.9.9"


def test_it_asks_for_plain_text_and_says_who_it_is(service: AddressService) -> None:
    fetched(service.url + "?format=text")
    lines = service.heads[0].split("\r\n")
    assert lines[0] == "GET /ip?format=text HTTP/1.1"
    assert {"Accept: text/plain", "Accept-Encoding: identity", "User-Agent: ddns-updater"} <= set(lines)


@pytest.mark.parametrize(
    ("status", "number"),
    [
        ("201 Created", 201),
        ("203 Non-Authoritative Information", 203),
        ("204 No Content", 204),
        ("206 Partial Content", 206),
        ("304 Not Modified", 304),
        ("302 Found", 302),  # without a Location
        ("401 Unauthorized", 401),
        ("403 Forbidden", 403),
        ("404 Not Found", 404),
        ("429 Too Many Requests", 429),
        ("500 Internal Server Error", 500),
        ("503 Service Unavailable", 503),
        ("999 Denied", 999),
    ],
)
def test_it_reads_no_address_from_an_answer_with_another_status(
    service: AddressService, status: str, number: int
) -> None:
    service.play = answer(NEVER, status)
    assert refusal(service.url) == f"answered with status {number}"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("", "answered nothing, which is not one IP address"),
        ("\r\n", "answered nothing, which is not one IP address"),
        ("<p>1.1.1.1</p>", "answered '<p>1.1.1.1</p>', which is not one IP address"),
        ('{"ip": "1.1.1.1"}', 'answered \'{"ip": "1.1.1.1"}\', which is not one IP address'),
        ("1.1.1.1\n1.1.1.1\n", "answered '1.1.1.1\\n1.1.1.1\\n', which is not one IP address"),
        ("\ufeff1.1.1.1", "answered '���1.1.1.1', which is not one IP address"),
        ("\N{FULLWIDTH DIGIT ONE}.1.1.1", "answered '���.1.1.1', which is not one IP address"),
        ("\x1b[2J1.1.1.1", "answered '\\x1b[2J1.1.1.1', which is not one IP address"),
        ("<html>" + NEVER * 99, "answered more than an address: '<html>1.1.1.11.1.1.11.1.1.11.1.1.11.1.1.'…"),
        (NEVER + " " * 200, f"answered more than an address: '1.1.1.1{' ' * 33}'…"),
        ("192.168.1.10", "answered 192.168.1.10, which is not a public address"),
        ("2606:4700:4700::1111", "answered 2606:4700:4700::1111, which is not an IPv4 address"),
    ],
)
def test_it_refuses_a_page_that_is_not_one_public_address(service: AddressService, body: str, reason: str) -> None:
    service.play = answer(body)
    assert refusal(service.url) == reason


@pytest.mark.parametrize(
    ("play", "reason"),
    [
        (send(b""), "closed the connection without an answer"),
        (send(head("Content-Length: 8") + b"1.1.1.1"), CUT_OFF),
        (send(head("Transfer-Encoding: chunked") + b"8\r\n1.1.1.1"), CUT_OFF),
        (send(head("Transfer-Encoding: chunked") + b"7\r\n1.1.1.1\r\n"), CUT_OFF),
        (send(head("Transfer-Encoding: chunked") + b"many\r\n1.1.1.1\r\n"), CUT_OFF),
        (send(head() + b"1.1.1.1"), UNFRAMED),
        (send(head("Content-Length: seven") + b"1.1.1.1"), UNFRAMED),
        (send(head("Content-Length: -7") + b"1.1.1.1"), UNFRAMED),
        (send(b"HTTP/1.1 200 OK\r\nContent-Le"), UNFRAMED),
        (send(b"1.1.1.1\n"), NOT_HTTP),
        (send(b"\x16\x03\x01\x02\x00\r\n\r\n1.1.1.1\n"), NOT_HTTP),
        (send(b"HTTP/1.1 fine\r\n\r\n1.1.1.1\n"), NOT_HTTP),
        (send(b"HTTP/9.9 200 OK\r\nContent-Length: 7\r\n\r\n1.1.1.1"), NOT_HTTP),
        (send(b"HTTP/1.1 200 " + b"x" * 70_000), NOT_HTTP),
        (send(head("X: " + "x" * 70_000) + b"1.1.1.1\n"), NOT_HTTP),
        (send(head(*["X: y"] * 200) + b"1.1.1.1\n"), NOT_HTTP),
    ],
)
def test_it_refuses_an_answer_that_is_broken_or_may_be_half(service: AddressService, play: Play, reason: str) -> None:
    service.play = play
    assert refusal(service.url) == reason


def test_it_refuses_half_of_a_compressed_answer(service: AddressService) -> None:
    service.play = answer(gzip.compress(b"1.1.1.10")[:-10], headers=["Content-Encoding: gzip"])
    assert refusal(service.url).endswith(", which is not one IP address")


def test_a_connection_that_is_reset_is_a_reason(service: AddressService) -> None:
    def reset(connection: socket.socket) -> None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    service.play = reset
    assert refusal(service.url) == "cannot be reached: Connection reset by peer"


def test_a_connection_that_is_refused_is_a_reason() -> None:
    assert refusal(f"http://127.0.0.1:{free_port()}/ip") == "cannot be reached: Connection refused"


def test_a_name_that_does_not_exist_is_a_reason() -> None:
    assert refusal("http://source.invalid/ip").startswith("cannot be reached: ")


@pytest.mark.parametrize("label", ["a..b", "a" * 64, "ü..b"])
def test_a_name_that_cannot_exist_is_a_reason(label: str) -> None:
    assert refusal(f"http://{label}/ip") == UNUSABLE


@pytest.mark.parametrize("begun", [b"", b"HTTP/1.1 200 OK\r\nContent-", head("Content-Length: 7") + b"1.1.1"])
def test_silence_times_out_before_and_after_the_headers(service: AddressService, begun: bytes) -> None:
    def play(connection: socket.socket) -> None:
        connection.sendall(begun)
        hang(connection)

    service.play = play
    begin = time.monotonic()
    assert refusal(service.url, timeout=0.2) == "timed out after 0.2 s"
    assert time.monotonic() - begin < 2


def test_a_server_that_accepts_no_connection_times_out() -> None:
    with closing(socket.create_server(("127.0.0.1", 0), backlog=0)) as full:
        port = full.getsockname()[1]
        with closing(socket.create_connection(("127.0.0.1", port))):
            assert refusal(f"http://127.0.0.1:{port}/ip", timeout=0.2) == "timed out after 0.2 s"


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 999,
        head() + b"1" * 999,
        head("Transfer-Encoding: chunked") + b"1\r\n1\r\n" * 999,
        b"HTTP/1.1 100 Continue\r\n\r\n" * 999,
        b"HTTP/1.1 302 Found\r\nLocation: /ip\r\n\r\n" + b"x" * 999,
    ],
)
def test_no_dripping_outlives_the_limit_around_it(service: AddressService, raw: bytes) -> None:
    service.play = drip(raw, pause=0.05)
    begin = time.monotonic()
    with pytest.raises(SourceError), time_limit(0.5, SourceError("too late")):
        fetched(service.url, timeout=2)
    assert time.monotonic() - begin < 2


@pytest.mark.parametrize("headers", [["Content-Length: 10000000"], []])
def test_it_does_not_read_a_huge_body(service: AddressService, headers: list[str]) -> None:
    service.play = flood = Flood(head(*headers), 10_000_000)
    assert refusal(service.url) == f"answered more than an address: '{'1' * 40}'…"
    assert flood.was_refused()


def test_it_does_not_read_the_huge_body_of_a_redirect(service: AddressService, other: AddressService) -> None:
    answer_head = f"HTTP/1.1 302 Found\r\nLocation: {other.url}\r\nContent-Length: 10000000\r\n\r\n"
    service.play = flood = Flood(answer_head.encode(), 10_000_000)
    assert fetched(service.url) == "8.8.8.8"
    assert flood.was_refused()


def test_it_does_not_unpack_a_gzip_bomb(service: AddressService) -> None:
    service.play = answer(gzip.compress(b" " * 50_000_000), headers=["Content-Encoding: gzip"])
    begin = time.monotonic()
    assert refusal(service.url).startswith("answered more than an address: ")
    assert time.monotonic() - begin < 2


def test_it_follows_a_redirect_on_its_own_host(service: AddressService, other: AddressService) -> None:
    service.play = redirect(f"http://127.0.0.1:{other.port}/where?else=1")
    assert fetched(service.url) == "8.8.8.8"
    assert other.heads[0].startswith("GET /where?else=1 ")


def test_it_follows_no_redirect_to_another_host(service: AddressService, other: AddressService) -> None:
    service.play = redirect(f"http://localhost:{other.port}/")
    assert refusal(service.url) == "redirected to another host, localhost; name that host in DDNS_IP_SOURCES"
    assert other.heads == []


def test_it_follows_three_redirects_and_no_more(service: AddressService) -> None:
    service.play = in_turn(*[redirect("/again")] * 3, answer("9.9.9.9"))
    assert fetched(service.url) == "9.9.9.9"
    service.play = redirect("/again")
    service.requests = 0
    assert refusal(service.url) == "redirected more than 3 times"
    assert service.requests == 4


@pytest.mark.parametrize(
    "location",
    [
        "ftp://127.0.0.1/ip",
        "http://[::1/",
        "http://127.0.0.1:99999/",
        b"http://127.0.0.1/\xff",
    ],
)
def test_a_redirect_that_leads_nowhere_is_a_reason(service: AddressService, location: str | bytes) -> None:
    service.play = redirect(location)
    assert refusal(service.url) == UNUSABLE


def test_a_redirect_to_a_bad_certificate_is_refused(service: AddressService, untrusted: Path) -> None:
    with running(certificates=untrusted) as secure:
        secure.address = NEVER
        service.play = redirect(secure.url, "301 Moved Permanently")
        assert refusal(service.url).startswith("has a certificate that could not be verified: ")
        assert secure.requests == 0


def test_an_untrusted_certificate_is_refused_before_anything_is_asked(untrusted: Path) -> None:
    with running(certificates=untrusted) as secure:
        assert refusal(secure.url).startswith("has a certificate that could not be verified: ")
        assert secure.requests == 0


def test_a_certificate_for_another_name_is_refused(untrusted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(untrusted / "ca.pem"))
    with running(certificates=untrusted) as secure:
        reason = refusal(secure.url.replace("127.0.0.1", "localhost"))
        assert reason.startswith("has a certificate that could not be verified: Hostname mismatch")
        assert secure.requests == 0


def test_an_authority_of_ones_own_can_be_trusted(untrusted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(untrusted / "ca.pem"))
    with running(certificates=untrusted) as secure:
        assert fetched(secure.url) == "9.9.9.9"


def test_a_folder_of_authorities_can_be_trusted(
    untrusted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = untrusted / "ca.pem"
    digest = subprocess.run(
        ["openssl", "x509", "-hash", "-noout", "-in", str(authority)], capture_output=True, text=True, check=True
    )
    (tmp_path / f"{digest.stdout.strip()}.0").symlink_to(authority)
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    monkeypatch.setenv("CURL_CA_BUNDLE", str(tmp_path))
    with running(certificates=untrusted) as secure:
        assert fetched(secure.url) == "9.9.9.9"


def test_without_a_setting_it_trusts_the_authorities_that_alerts_trust(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    monkeypatch.delenv("CURL_CA_BUNDLE", raising=False)
    of_alerts = create_default_context(cafile=DEFAULT_CA_BUNDLE_PATH)
    ours, theirs = verifying_tls(ca_bundle()).get_ca_certs(), of_alerts.get_ca_certs()
    assert len(ours) == len(theirs)
    assert set(map(str, ours)) == set(map(str, theirs))  # their order is that of a hash table


def test_the_authorities_are_read_once_for_all_sources_of_a_process(
    untrusted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = tmp_path / "ca.pem"
    bundle.write_bytes((untrusted / "ca.pem").read_bytes())
    settings = load_settings_with({})
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    with running(certificates=untrusted) as secure:
        for each in range(2):
            assert str(factories.source(settings, parse_source(f"{secure.url}?{each}")).fetch(Family.IPV4)) == "9.9.9.9"
            bundle.unlink(missing_ok=True)


@pytest.mark.parametrize(
    ("content", "cause"), [(None, "No such file or directory"), (b"no PEM", "[X509: NO_CERTIFICATE_OR_CRL_FOUND]")]
)
def test_a_file_of_authorities_that_cannot_be_read_is_named(
    untrusted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None, cause: str
) -> None:
    bundle = tmp_path / "ca.pem"
    if content:
        bundle.write_bytes(content)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    with running(certificates=untrusted) as secure:
        reason = refusal(secure.url)
    assert reason.startswith(f"cannot be verified: failed to read the certificate authorities in {bundle}: ")
    assert cause in reason
    assert secure.requests == 0


def test_a_port_that_does_not_speak_tls_is_a_reason() -> None:
    def serve() -> None:
        with listener.accept()[0] as connection:
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            connection.recv(4096)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        Thread(target=serve, daemon=True).start()
        port = listener.getsockname()[1]
        assert refusal(f"https://127.0.0.1:{port}/ip") == "does not speak TLS: WRONG_VERSION_NUMBER"


@pytest.mark.parametrize("failure", [answer(NEVER, "503 Service Unavailable"), answer(NEVER, "429 Slow"), send(b"")])
def test_it_tries_again_after_a_passing_failure(service: AddressService, failure: Play) -> None:
    service.play = in_turn(failure, failure, answer("9.9.9.9"))
    assert fetched(service.url, retries=2) == "9.9.9.9"


def test_it_tries_no_more_often_than_configured(service: AddressService) -> None:
    service.play = answer(NEVER, "503 Service Unavailable")
    assert refusal(service.url, retries=2) == "answered with status 503"
    assert service.requests == 3


@pytest.mark.parametrize("status", ["403 Forbidden", "404 Not Found", "200 OK"])
def test_it_does_not_try_again_what_will_not_pass(service: AddressService, status: str) -> None:
    service.play = answer("<html>", status)
    refusal(service.url, retries=2)
    assert service.requests == 1


@pytest.mark.parametrize("status", ["429 Too Many Requests", "503 Service Unavailable"])
def test_it_does_not_wait_for_an_hour_because_the_server_says_so(service: AddressService, status: str) -> None:
    service.play = in_turn(answer(NEVER, status, ["Retry-After: 3600"]), answer("9.9.9.9"))
    begin = time.monotonic()
    assert fetched(service.url, retries=1) == "9.9.9.9"
    assert time.monotonic() - begin < 3


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"])
def test_it_passes_the_proxy_of_the_environment_by(
    service: AddressService, other: AddressService, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, other.url)
    assert fetched(service.url) == "9.9.9.9"
    service.play = in_turn(redirect("/again"), answer("9.9.9.9"))
    assert fetched(service.url) == "9.9.9.9"
    assert other.requests == 0


def test_it_sends_no_password_of_the_home_folder(service: AddressService) -> None:
    Path("~/.netrc").expanduser().write_text("default login someone password hunter2\n")
    Path("~/.netrc").expanduser().chmod(0o600)
    service.play = in_turn(redirect("/again"), answer("9.9.9.9"))
    fetched(service.url)
    assert "authorization" not in "".join(service.heads).lower()


def test_it_sends_the_password_of_the_url_to_its_own_host_only(service: AddressService, other: AddressService) -> None:
    service.play = redirect(other.url)
    fetched(service.url.replace("//", "//someone:hunter2@"))
    assert f"Authorization: Basic {base64.b64encode(b'someone:hunter2').decode()}" in service.heads[0]
    assert "authorization" not in other.heads[0].lower()


@pytest.mark.parametrize("login", ["mü€:pässwörd✓", "m%C3%BC%E2%82%AC:p%C3%A4ssw%C3%B6rd%E2%9C%93"])
def test_it_sends_a_login_in_utf_8(service: AddressService, login: str) -> None:
    fetched(service.url.replace("//", f"//{login}@"))
    assert f"Authorization: Basic {base64.b64encode('mü€:pässwörd✓'.encode()).decode()}" in service.heads[0]


def test_a_login_of_bytes_that_are_not_utf_8_is_one_line(small_machine: Machine, service: AddressService) -> None:
    small_machine.init()
    done = small_machine.ddns("run", DDNS_IP_SOURCES=service.url.replace("//", "//me:p\udce4@"))
    assert (done.status, done.err.count("\n")) == (2, 1)
    assert "is not an address source; write a URL" in done.err
    assert "udce4" not in done.err
    assert service.heads == []


@pytest.fixture
def usual_ports(monkeypatch: pytest.MonkeyPatch) -> dict[int, int]:
    """Connect to the loopback ports of this dictionary instead of the ports of every host."""
    ports: dict[int, int] = {}

    def resolve(_host: object, port: int, *_args: object) -> list[tuple[object, ...]]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", ports[port]))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    return ports


def test_an_international_host_may_redirect_to_its_own_ascii_form(
    service: AddressService, usual_ports: dict[int, int]
) -> None:
    usual_ports[80] = service.port
    service.play = in_turn(redirect("http://xn--bcher-kva.example/ip"), answer("9.9.9.9"))
    assert fetched("http://Bücher.example") == "9.9.9.9"
    assert [each for each in service.heads if "\r\nHost: xn--bcher-kva.example\r\n" in each] == service.heads


@pytest.mark.parametrize(("port", "keeps"), [("", True), (":443", True), (":8443", False)])
def test_it_sends_the_password_on_where_its_own_host_turns_to_https(
    service: AddressService,
    usual_ports: dict[int, int],
    untrusted: Path,
    monkeypatch: pytest.MonkeyPatch,
    port: str,
    keeps: bool,
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(untrusted / "ca.pem"))
    service.play = redirect(f"https://127.0.0.1{port}/ip")
    with running(certificates=untrusted) as secure:
        usual_ports |= {80: service.port, 443: secure.port, 8443: secure.port}
        assert fetched("http://someone:hunter2@127.0.0.1/ip") == "9.9.9.9"
        assert ("Authorization: Basic " in secure.heads[0]) == keeps


@pytest.mark.parametrize("body", ["9.9.9.9", "<html>"])
def test_it_leaves_no_connection_open(service: AddressService, body: str) -> None:
    closed = Event()

    def play(connection: socket.socket) -> None:
        connection.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
        hang(connection)
        closed.set()

    service.play = play
    source = http_source(service.url, timeout=5, retries=0)
    with suppress(SourceError):
        source.fetch(Family.IPV4)
    assert closed.wait(5)


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


WRONG_FAMILY = [("127.0.0.1", Family.IPV6)] + ([("::1", Family.IPV4)] if has_ipv6() else [])


@pytest.mark.parametrize(("host", "family"), WRONG_FAMILY)
def test_it_does_not_connect_over_the_other_address_family(host: str, family: Family) -> None:
    with running(host) as service:
        service.address = "9.9.9.9" if family is Family.IPV4 else "2606:4700:4700::1111"
        assert refusal(service.url, family).startswith("cannot be reached: ")
        assert service.requests == 0


@pytest.mark.parametrize("host", [host for host, _ in WRONG_FAMILY])
def test_it_connects_over_the_family_it_is_asked_for(host: str) -> None:
    with running(host) as service:
        address, family = ("2606:4700:4700::1111", Family.IPV6) if ":" in host else ("9.9.9.9", Family.IPV4)
        service.address = address
        assert fetched(service.url, family) == address


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://a.example.com", "https://a.example.com"),
        ("https://someone:hunter2@a.example.com:8443/ip?key=hunter2#/hunter2", "https://a.example.com:8443/ip"),
        ("http://hunter2@[2001:db8::1]:8080/ip", "http://[2001:db8::1]:8080/ip"),
        ("http://someone:hunter@2@a.example.com/", "http://a.example.com/"),
    ],
)
def test_its_name_holds_no_secret(url: str, name: str) -> None:
    spec = HttpSpec(url)
    assert spec.name == http_source(url, timeout=1, retries=0).name == name
    assert "hunter2" not in repr(spec)


def nothing_changed(machine: Machine, reason: str, source: str | None = None, **changes: str) -> None:
    """Assert that a process fails with `reason` in one line, within its limit, and writes nothing anywhere."""
    begin = time.monotonic()
    done = machine.process("run", DDNS_RUN_TIMEOUT="3", **changes)  # its guard would end this one
    assert time.monotonic() - begin < 3 + START
    source = source or machine.service.url
    assert done.err == f"failed: no trustworthy ipv4 address, so nothing was changed: {source} {reason}\n"
    assert (done.status, done.out) == (1, "")
    assert machine.database.versions() == [(1, "9.9.9.9")]
    assert machine.database.states() == {}
    assert machine.aws.calls == []


@pytest.mark.parametrize(
    ("play", "reason"),
    [
        (answer(NEVER, "403 Forbidden"), "answered with status 403"),
        (answer(f"<html>{NEVER}</html>"), f"answered '<html>{NEVER}</html>', which is not one IP address"),
        (answer(""), "answered nothing, which is not one IP address"),
        (send(head("Content-Length: 8") + b"1.1.1.1"), CUT_OFF),
        (hang, "timed out after 1 s"),
        (lambda connection: drip(b"1.1.1.1", 0.5)(begun(connection)), "did not finish within its 1.5 s"),
        (redirect("/ip"), "redirected more than 3 times"),
    ],
    ids=["403", "html", "empty", "cut", "hang", "drip", "loop"],
)
def test_a_run_that_learns_no_address_fails_and_changes_nothing(
    small_machine: Machine, play: Play, reason: str
) -> None:
    small_machine.init()
    small_machine.service.play = play
    nothing_changed(small_machine, reason, DDNS_IP_TIMEOUT="1")


def begun(connection: socket.socket) -> socket.socket:
    """Send whole headers, and give the connection back for the body."""
    connection.sendall(head("Content-Length: 7"))
    return connection


def test_a_run_whose_source_floods_it_fails_and_changes_nothing(small_machine: Machine) -> None:
    small_machine.init()
    small_machine.service.play = flood = Flood(head(), 10_000_000)
    nothing_changed(small_machine, f"answered more than an address: '{'1' * 40}'…")
    assert flood.was_refused()


def test_a_run_whose_source_refuses_the_connection_fails_and_changes_nothing(small_machine: Machine) -> None:
    small_machine.init()
    source = f"http://127.0.0.1:{free_port()}/ip"
    nothing_changed(small_machine, "cannot be reached: Connection refused", source, DDNS_IP_SOURCES=source)


def test_a_run_tries_again_as_often_as_its_setting_says_and_passes_proxies_by(
    small_machine: Machine, other: AddressService
) -> None:
    small_machine.init()
    failure = answer(NEVER, "503 Service Unavailable")
    small_machine.service.play = in_turn(failure, failure, answer("9.9.9.9"))
    result = small_machine.run(DDNS_IP_RETRIES="2", HTTP_PROXY=other.url, NO_PROXY="localhost", AWS_MAX_ATTEMPTS="1")
    family = result["results"][0]
    assert (family["address"], family["source"]) == ("9.9.9.9", small_machine.service.url)
    assert not [each for each in other.heads if "/ip" in each.split("\r\n")[0]]


@pytest.mark.parametrize(
    "play",
    [answer("9.9.9.9"), answer(NEVER, "403 Forbidden"), redirect("ftp://someone:hunter2@a.example.com/"), send(b"")],
    ids=["good", "403", "redirect", "closed"],
)
def test_a_run_shows_no_secret_of_a_url_anywhere(small_machine: Machine, play: Play) -> None:
    small_machine.init()
    small_machine.service.play = play
    url = small_machine.service.url
    secret = url.replace("//", "//someone:hunter2@") + "?key=hunter2"
    done = small_machine.ddns("-v", "run", "--json", DDNS_IP_SOURCES=secret)
    assert "someone:hunter2" in base64.b64decode(small_machine.service.heads[0].split("Basic ")[1].split()[0]).decode()
    assert "hunter2" not in done.out + done.err
    family = done.json["results"][0]
    assert url in (family["source"] or family["error"])


LOGIN = base64.b64encode(b"someone:hunter2").decode()


@pytest.mark.parametrize(
    "play",
    [
        answer("hunter2"),
        answer(f"Basic {LOGIN}"),
        answer(f"you are someone:hunter2 {'x' * 200}"),
        answer('{"ip": "hunter2"}'),
        answer("<p>/k3y-0f-an-account/ip</p>"),
        redirect("http://hunter2/"),
    ],
)
@pytest.mark.parametrize("pointer", ["", "#/ip"])
def test_what_a_service_quotes_of_its_url_is_shown_nowhere(small_machine: Machine, play: Play, pointer: str) -> None:
    small_machine.init("9.9.9.9")
    small_machine.service.play = play
    url = small_machine.service.url.replace("//", "//someone:hunter2@").replace("/ip", "/k3y-0f-an-account/ip")
    done = small_machine.ddns("-v", "run", "--json", DDNS_IP_SOURCES=f"{url}{pointer}")
    assert done.status == 1
    (file,) = small_machine.folder.rglob("runs-*.json")
    said = done.out + done.err + file.read_text()
    assert not [each for each in ("hunter2", LOGIN[:30], "k3y-0f") if each in said]


def test_an_address_in_the_url_is_no_secret(small_machine: Machine) -> None:
    small_machine.init("9.9.9.9")
    url = f"{small_machine.service.url}?address=203.0.113.10&now=9.9.9.9"
    assert small_machine.run(DDNS_IP_SOURCES=url)["results"][0]["address"] == "9.9.9.9"
