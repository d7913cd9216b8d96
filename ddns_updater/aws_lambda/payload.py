"""Requests and responses in payload format 2.0, which an HTTP API and a function URL share.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
"""

import binascii
from base64 import b64decode
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote

from ddns_updater.server.request import MAX_BODY, Request, Response, header_values

_FORMAT = "2.0"


def request_of(event: Mapping[str, Any]) -> Request | None:
    """Return the request in an event; None when that is of another payload format."""
    if event.get("version") != _FORMAT:
        return None
    http = event["requestContext"]["http"]
    return Request(
        method=http["method"],
        path=unquote(event["rawPath"], errors="replace"),
        query=event.get("rawQueryString", ""),
        headers=tuple(_headers(event)),
        body=_body(event),
        peer=http["sourceIp"],
    )


def payload_of(response: Response, request: Request | None) -> dict[str, Any]:
    """Return the response as Lambda takes it; the answer to a HEAD has no body."""
    headers = {"content-type": response.content_type, "cache-control": "no-store", **dict(response.headers)}
    body = "" if request and request.method == "HEAD" else response.body
    return {"statusCode": int(response.status), "headers": headers, "body": body, "isBase64Encoded": False}


def _headers(event: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in event.get("headers", {}).items():
        yield from ((name.lower(), each) for each in header_values(name.lower(), value))


def _body(event: Mapping[str, Any]) -> bytes:
    """Return the body, cut to what is read of one."""
    text = event.get("body") or ""
    if not event.get("isBase64Encoded"):
        return text.encode("utf-8", "surrogatepass")[:MAX_BODY]
    try:
        return b64decode(text)[:MAX_BODY]
    except (binascii.Error, ValueError):
        return b""
