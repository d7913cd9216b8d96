"""The web server with real sockets: what an answer is told of a request, what goes back, and how it ends."""

import re
import resource
import socket
import subprocess
import sys
from contextlib import closing
from threading import Barrier, Event, Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddns_updater.errors import ServerError
from ddns_updater.server.request import Request, Response
from ddns_updater.server.web_server import WebServer
from tests.support.web import connect, exchange, received, serving, split

SUCCESS = re.compile(rb"ok|good|true|updated|success|nochg", re.IGNORECASE)  # what inadyn takes for success


class Recorder:
    """An answer that keeps its requests."""

    def __init__(self, response: Response = Response(200, "good 8.8.4.4")) -> None:  # noqa: B008 - immutable
        self.requests: list[Request] = []
        self.response = response

    def __call__(self, request: Request) -> Response:
        self.requests.append(request)
        return self.response


def asked(raw: bytes) -> Request:
    """Return the request that is made of bytes."""
    seen = Recorder()
    with serving(seen) as server:
        exchange(server, raw)
    (request,) = seen.requests
    return request


# The request


def test_a_request_arrives_as_it_was_sent() -> None:
    request = asked(
        b"POST /nic/%75pd%C3%A4te?hostname=a%2eb&myip=::1&&x=%C3%A4 HTTP/1.0\r\nHost: h\r\nX-One: 1\r\n"
        b'User-Agent: caf\xe9, really\r\nContent-Type: application/json\r\nContent-Length: 7\r\n\r\n{"a":1}'
    )
    assert (request.method, request.path) == ("POST", "/nic/updäte")
    assert request.query == "hostname=a%2eb&myip=::1&&x=%C3%A4"
    assert (request.body, request.peer) == (b'{"a":1}', "127.0.0.1")
    assert request.headers == (
        ("host", "h"),
        ("x-one", "1"),
        ("user-agent", "caf\xe9, really"),
        ("content-type", "application/json"),
        ("content-length", "7"),
    )


def test_what_came_twice_is_there_twice() -> None:
    request = asked(
        b"GET / HTTP/1.0\r\nAuthorization: Basic YTpi\r\nX-Forwarded-For: 8.8.4.4\r\nauthorization: Basic Yzpk\r\n"
        b"X-Forwarded-For: 9.9.9.9, 1.1.1.1\r\n\r\n"
    )
    assert request.headers_of("authorization") == ["Basic YTpi", "Basic Yzpk"]
    assert request.header("authorization") is None
    assert ",".join(request.headers_of("x-forwarded-for")).replace(" ", "") == "8.8.4.4,9.9.9.9,1.1.1.1"


def test_a_header_with_an_underscore_is_not_taken_for_the_one_of_the_proxy() -> None:
    request = asked(b"GET / HTTP/1.0\r\nX_Forwarded_For: 8.8.4.4\r\nX-Forwarded-For: 9.9.9.9\r\n\r\n")
    assert request.headers_of("x-forwarded-for") == ["9.9.9.9"]


def test_a_body_in_chunks_is_put_together() -> None:
    request = asked(
        b"POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
        b'3\r\n{"a\r\n4\r\n":1}\r\n0\r\n\r\n'
    )
    assert request.body == b'{"a":1}'


def test_a_caller_over_ipv6_has_its_address() -> None:
    seen = Recorder()
    with serving(seen, "::1") as server:
        assert server.place == f"[::1]:{server.port}"
        exchange(server, b"GET / HTTP/1.0\r\n\r\n")
    assert seen.requests[0].peer == "::1"


# The response


def test_an_answer_says_its_length_and_that_nobody_may_keep_it() -> None:
    with serving(Recorder(Response(401, "badäuth", headers=(("WWW-Authenticate", "Basic"),)))) as server:
        raw = exchange(server, b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nAccept-Encoding: gzip\r\n\r\n")
    status, headers, body = split(raw)
    assert raw.startswith(b"HTTP/1.1 401 Unauthorized\r\n")
    assert (status, body) == (401, "badäuth".encode())
    assert set(headers) == {"cache-control", "connection", "content-length", "content-type", "date", "www-authenticate"}
    assert (headers["cache-control"], headers["connection"]) == ("no-store", "close")
    assert (headers["content-length"], headers["content-type"]) == (str(len(body)), "text/plain; charset=utf-8")
    assert headers["www-authenticate"] == "Basic"


@pytest.mark.parametrize("request_line", [b"GET / HTTP/1.0", b"GET / HTTP/1.1\r\nConnection: close", b"GET /"])
def test_the_connection_ends_where_the_client_wants_it(request_line: bytes) -> None:
    with serving(Recorder()) as server:
        assert split(exchange(server, request_line + b"\r\n\r\n"))[2] == b"good 8.8.4.4"


def test_a_connection_is_kept_for_more_requests() -> None:
    seen = Recorder()
    with serving(seen) as server:
        raw = exchange(server, b"GET /1 HTTP/1.1\r\nHost: h\r\n\r\nGET /2 HTTP/1.0\r\n\r\n")
    assert [each.path for each in seen.requests] == ["/1", "/2"]
    assert raw.count(b"good 8.8.4.4") == 2


def test_head_gets_the_head_of_the_answer_alone() -> None:
    with serving(Recorder(Response(405, "x"))) as server:
        status, headers, body = split(exchange(server, b"HEAD / HTTP/1.1\r\nConnection: close\r\n\r\n"))
    assert (status, headers["content-length"], body) == (405, "1", b"")


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"GET / HTTP/1.0\r\nX: " + b"x" * 8192 + b"\r\n\r\n", 431),
        (b"POST / HTTP/1.0\r\nContent-Length: 16385\r\n\r\n", 413),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n4001\r\n" + b"x" * 16385 + b"\r\n0\r\n\r\n", 413),
        (b"POST / HTTP/1.0\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n", 400),
        (b"POST / HTTP/1.0\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello", 400),
        (b"POST / HTTP/1.0\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\ngood\r\n", 400),
        (b"GET http://[good/ HTTP/1.0\r\n\r\n", 400),
        (b"GET /nic/update?hostname=m\xc3\xbcller HTTP/1.0\r\n\r\n", 400),
        (b"GET /nic/update?hostname=a b HTTP/1.0\r\n\r\n", 400),
        (b"good / HTTP/1.0\r\n\r\n", 400),
        (b"GET / HTTP/1.0\r\n good\r\n\r\n", 400),
        (b"GET / HTTP/1.0\r\nX: 1\rgood\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03good\r\n\r\n", 400),
        (b"good\r\n\r\n", 400),
    ],
)
def test_what_is_no_request_is_refused_without_a_word(raw: bytes, status: int) -> None:
    seen = Recorder()
    with serving(seen) as server:
        found, headers, body = split(exchange(server, raw))
    assert (found, headers["content-length"], body, seen.requests) == (status, "0", b"", [])
    assert "server" not in headers


def test_what_is_just_not_too_large_is_answered() -> None:
    seen = Recorder()
    with serving(seen) as server:
        head = b"POST / HTTP/1.0\r\nContent-Length: 16384\r\nX: "
        exchange(server, head + b"x" * (8192 - len(head) - 4) + b"\r\n\r\n" + b"b" * 16384)
    assert [len(each.body) for each in seen.requests] == [16384]


@given(st.binary(max_size=200))
def test_no_bytes_lead_to_a_500_or_to_a_word_of_success(raw: bytes) -> None:
    with closing(connect(_SHARED.server)) as connection:
        connection.sendall(raw + b"\r\n\r\n")
        connection.shutdown(socket.SHUT_WR)
        answer = received(connection)
    if answer:
        status, _, body = split(answer)
        assert status in (400, 404, 413, 501)
        assert not SUCCESS.search(body)


class _Shared:
    """One server for all examples."""

    server: WebServer


_SHARED = _Shared()


@pytest.fixture(autouse=True, scope="module")
def _shared() -> object:
    with serving(lambda _request: Response(404)) as _SHARED.server:
        yield


def test_a_fault_of_the_program_is_a_503_and_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    def answer(_request: Request) -> Response:
        raise ZeroDivisionError

    with serving(answer) as server:
        status, headers, body = split(exchange(server, b"GET /?good HTTP/1.0\r\n\r\n"))
    assert (status, headers["retry-after"], body) == (503, "60", b"911")
    assert "ZeroDivisionError" in caplog.text


def test_an_answer_that_cannot_be_sent_is_a_503_too() -> None:
    with serving(Recorder(Response(200, headers=(("X", "a\nb"),)))) as server:
        status, headers, body = split(exchange(server, b"GET / HTTP/1.0\r\n\r\n"))
    assert (status, headers["retry-after"], body) == (503, "300", b"")


def test_an_answer_comes_in_one_piece() -> None:
    with serving(Recorder()) as server, connect(server) as client:
        for _ in range(20):
            client.sendall(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
            assert client.recv(65_536).endswith(b"\r\n\r\ngood 8.8.4.4")


# Many connections


def test_a_thousand_idle_connections_and_a_hundred_that_drip_hinder_nobody() -> None:
    with serving(Recorder()) as server:
        idle = [connect(server) for _ in range(1000)]
        slow = [connect(server) for _ in range(100)]
        for number in range(5):
            for each in slow:
                each.sendall(b"GET /"[number : number + 1])
            assert split(exchange(server, b"GET / HTTP/1.0\r\n\r\n"))[0] == 200
        for each in idle + slow:
            each.close()


def test_the_limit_of_descriptors_is_raised_at_the_start() -> None:
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (64, 2000))\n"
        "from ddns_updater.server.web_server import WebServer\n"
        "server = WebServer(lambda *_: [], '127.0.0.1', 0)\n"
        "print(resource.getrlimit(resource.RLIMIT_NOFILE)[0], server._server.adj.connection_limit)"
    )
    if resource.getrlimit(resource.RLIMIT_NOFILE)[1] < 2000:
        pytest.fail("the tests need 2,000 descriptors")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "2000 1744\n"


# The start and the end


@pytest.mark.parametrize(
    ("host", "problem"),
    [
        (
            "127.0.0.1",
            "Address already in use; stop the program that uses the port, or set DDNS_SERVE_LISTEN to another",
        ),
        ("203.0.113.7", "Cannot assign requested address; set DDNS_SERVE_LISTEN to an address of this machine"),
    ],
)
def test_it_says_why_it_cannot_listen(host: str, problem: str) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        port = other.getsockname()[1]
        with pytest.raises(ServerError) as refused:
            WebServer(lambda *_: [], host, port)
    assert str(refused.value) == f"cannot listen on {host}:{port}: {problem}"


def test_requests_in_hand_are_answered_before_it_ends() -> None:
    arrived, go = Barrier(17), Event()

    def answer(_request: Request) -> Response:
        arrived.wait(20)
        go.wait(20)
        return Response(200, "answered")

    def route(request: Request) -> Response:
        return answer(request) if request.path == "/slow" else Response(200, "late")

    answers: list[bytes] = []
    with serving(route) as server, connect(server) as idle, connect(server) as kept, connect(server) as queued:
        kept.sendall(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        assert b"late" in kept.recv(1000)
        clients = [
            Thread(target=lambda: answers.append(exchange(server, b"GET /slow HTTP/1.1\r\nHost: h\r\n\r\n")))
            for _ in range(16)
        ]
        for each in clients:
            each.start()
        arrived.wait(20)
        queued.sendall(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")  # while every thread of the server is busy
        server.stop()
        assert received(idle) == received(kept) == b""
        go.set()
        for each in clients:
            each.join(20)
        assert split(received(queued))[2] == b"late"
    assert [split(each)[2] for each in answers] == [b"answered"] * 16
    with pytest.raises(ConnectionRefusedError):
        connect(server).close()


def test_the_rest_of_a_request_may_come_for_a_moment_after_the_end_was_asked_for() -> None:
    with serving(Recorder()) as server, connect(server) as half, connect(server) as dripping:
        half.sendall(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n")
        dripping.sendall(b"GET /")
        assert split(exchange(server, b"GET / HTTP/1.0\r\n\r\n"))[0] == 200  # so those were read
        server.stop()
        half.sendall(b"{}")
        assert split(received(half))[2] == b"good 8.8.4.4"
        assert received(dripping) == b""
