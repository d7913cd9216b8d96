"""What stands before a function of AWS Lambda: it turns HTTP into payload format 2.0 and back, as AWS does.

https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html
"""

from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

_RENAMED = {"www-authenticate": "x-amzn-Remapped-www-authenticate"}


class Door(ThreadingHTTPServer):
    """Serves a function on loopback; `caller` is the address from which all requests seem to come."""

    daemon_threads = True

    def __init__(self, invoke: Callable[[dict[str, Any]], Any], *, renames: bool, caller: str) -> None:
        """Take what invokes the function, and whether the door renames WWW-Authenticate as a function URL does."""
        super().__init__(("127.0.0.1", 0), _Handler)
        self.invoke = invoke
        self.renames = renames
        self.caller = caller


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Door

    def _pass_on(self) -> None:
        path, _, query = self.path.partition("?")
        joined: dict[str, str] = {}
        for name, value in self.headers.items():
            joined[name.lower()] = f"{joined[name.lower()]},{value}" if name.lower() in joined else value
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        http = {"method": self.command, "path": path, "protocol": "HTTP/1.1", "sourceIp": self.server.caller}
        event = {
            "version": "2.0",
            "routeKey": "$default",
            "rawPath": path,
            "rawQueryString": query,
            "headers": joined | {"x-forwarded-for": self.server.caller, "x-forwarded-proto": "https"},
            "requestContext": {"http": http | {"userAgent": joined.get("user-agent", "")}, "stage": "$default"},
            "isBase64Encoded": bool(body),
        }
        answer = self.server.invoke(event | ({"body": b64encode(body).decode()} if body else {}))
        self.send_response(answer["statusCode"])
        text = answer["body"].encode()
        for name, value in answer["headers"].items():
            self.send_header(_RENAMED.get(name.lower(), name) if self.server.renames else name, value)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = do_HEAD = _pass_on  # noqa: N815 - the names are those of http.server

    def log_message(self, *_arguments: object) -> None:
        """Print nothing."""


@contextmanager
def door(invoke: Callable[[dict[str, Any]], Any], *, renames: bool, caller: str = "9.9.9.9") -> Iterator[Door]:
    """Open a door to a function for the length of the block."""
    with Door(invoke, renames=renames, caller=caller) as opened:
        Thread(target=opened.serve_forever, daemon=True).start()
        yield opened
        opened.shutdown()
