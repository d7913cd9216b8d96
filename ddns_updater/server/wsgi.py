"""The update endpoint as a WSGI application (https://peps.python.org/pep-3333/)."""

import logging
from collections.abc import Callable, Iterable, Iterator
from http import HTTPStatus
from typing import TYPE_CHECKING

from ddns_updater.server.request import BUG, MAX_BODY, Request, Response, header_values

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

log = logging.getLogger(__name__)

_UNPREFIXED = {"CONTENT_TYPE": "content-type", "CONTENT_LENGTH": "content-length"}  # by the standard


def application(answer: Callable[[Request], Response]) -> "WSGIApplication":
    """Return the application that answers with `answer`."""

    def call(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        try:
            response = answer(_request(environ))
        except Exception:
            log.exception("a bug in the answer to a request")
            response = BUG
        body = response.body.encode()
        headers = [
            ("Content-Type", response.content_type),
            ("Content-Length", str(len(body))),
            ("Cache-Control", "no-store"),
            *response.headers,
        ]
        start_response(f"{response.status} {HTTPStatus(response.status).phrase}", headers)
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]

    return call


def _request(environ: "WSGIEnvironment") -> Request:
    return Request(
        method=environ["REQUEST_METHOD"],
        path=environ["PATH_INFO"].encode("latin-1").decode("utf-8", "replace"),
        query=environ.get("QUERY_STRING", ""),
        headers=tuple(_headers(environ)),
        body=_body(environ),
        peer=environ["REMOTE_ADDR"],
    )


def _headers(environ: "WSGIEnvironment") -> Iterator[tuple[str, str]]:
    for key, value in environ.items():
        if key in _UNPREFIXED:
            if value:
                yield _UNPREFIXED[key], value
        elif key.startswith("HTTP_"):
            name = key.removeprefix("HTTP_").replace("_", "-").lower()
            yield from ((name, each) for each in header_values(name, value))


def _body(environ: "WSGIEnvironment") -> bytes:
    length = environ.get("CONTENT_LENGTH") or "0"
    if not (length.isascii() and length.isdigit()):
        return b""
    body: bytes = environ["wsgi.input"].read(min(int(length[:9]), MAX_BODY))
    return body
