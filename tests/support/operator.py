"""Requests of the operator to a server's own pages, and what counts failed logins there."""

from base64 import b64encode
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from threading import Thread
from urllib.parse import quote

from ddns_updater.server.request import Answer, Caller, Request

PASSWORD = "a päss:word of the operator"  # with a colon, which only a user name may not have
CALLER = Caller(ip_address("192.0.2.9"))


class CountingLogins:
    """Limits a login after ten failures, for good."""

    def __init__(self) -> None:
        self.failures: Counter[str | None] = Counter()

    def is_limited(self, caller: Caller, login: str | None) -> bool:
        """Return whether ten have failed."""
        assert caller == CALLER
        return self.failures[login] >= 10

    def failed(self, caller: Caller, login: str | None) -> None:
        """Count one."""
        assert caller == CALLER
        self.failures[login] += 1


def request(path: str, password: str | None = PASSWORD, *, user: str = "anybody", method: str = "GET") -> Request:
    """Return a request with a password, without a login for None."""
    login = b64encode(f"{user}:{password}".encode()).decode()
    headers = () if password is None else (("authorization", f"Basic {login}"),)
    return Request(method, path, "", headers, b"", "127.0.0.1")


@contextmanager
def serving(answer: Answer) -> Iterator[str]:
    """Serve what a route answers at any path; yield the URL, with the login in it."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            headers = tuple((name.lower(), value) for name, value in self.headers.items())
            response = answer(Request("GET", self.path, "", headers, b"", "127.0.0.1"), CALLER)
            body = response.body.encode()
            self.send_response(response.status)
            for name, value in (
                ("Content-Type", response.content_type),
                ("Content-Length", str(len(body))),
                ("Cache-Control", "no-store"),
                *response.headers,
            ):
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://anybody:{quote(PASSWORD)}@127.0.0.1:{server.server_port}/status"
        server.shutdown()
