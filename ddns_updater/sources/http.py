"""An address source that is asked over HTTP or HTTPS and answers with the client's address, as text or in JSON."""

import json
import re
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from ssl import SSLContext
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

from urllib3 import BaseHTTPResponse, PoolManager, Retry
from urllib3.exceptions import HTTPError
from urllib3.util import parse_url

from ddns_updater.errors import SourceError
from ddns_updater.lib.http_errors import http_reason
from ddns_updater.lib.masking import masked
from ddns_updater.model import Address, Family, parse_address
from ddns_updater.sources.address import public_address
from ddns_updater.sources.spec import HttpSpec

_MAX_TEXT = 128  # bytes; the longest address has 45, the rest allows for white space
_MAX_JSON = 16_384  # bytes
_MAX_REDIRECTS = 3
_INDEX = re.compile("0|[1-9][0-9]{0,9}")
_RETRIED = (429, 500, 502, 503, 504)
_ANY_ADDRESS = {Family.IPV4: "0.0.0.0", Family.IPV6: "::"}  # noqa: S104 - binds an outgoing socket, nothing listens
_USUAL_PORTS = {None, 80, 443}


class HttpSource:
    """One URL, fetched without a proxy, because a proxy would report its own address.

    A fragment that starts with `/` is a pointer (RFC 6901) to the address in a JSON answer.
    """

    def __init__(self, spec: HttpSpec, *, timeout: float, retries: int, open_tls: Callable[[], SSLContext]) -> None:
        """Take the URL, the timeout in seconds (of the connection and of each read) and the number of retries.

        `open_tls` gives what verifies an HTTPS server, or raises SourceError; it is called at every HTTPS request.
        """
        self.name, self.host, self.needs_confirmation = spec.name, spec.host, spec.needs_confirmation
        self._url, self._pointer, self._login = spec.url, spec.pointer, spec.login
        self._timeout = timeout
        self._retry = Retry(
            total=retries,
            status_forcelist=_RETRIED,
            backoff_factor=0.2,
            backoff_jitter=0.1,
            respect_retry_after_header=False,
            raise_on_status=False,
        )
        self._open_tls = open_tls
        self._hide = partial(masked, secrets=spec.secrets)  # a service may quote what it was sent

    def fetch(self, family: Family) -> Address:
        """Return the public address that the service sees; raises SourceError when it answers anything else."""
        try:
            url = _normal(self._url)
            headers = self._headers()
            for _ in range(1 + _MAX_REDIRECTS):
                with (
                    self._pools(url, family) as pools,
                    pools.request("GET", url, headers=headers, redirect=False, preload_content=False) as response,
                ):
                    location = response.get_redirect_location()
                    if not location:
                        return self._public_address(response, family)
                here, url = url, self._redirected(url, location)
                if not _may_share_password(here, url):
                    headers.pop("Authorization", None)
        except (HTTPError, OSError, ValueError) as error:
            raise SourceError(http_reason(error, self._timeout)) from error
        raise SourceError(f"redirected more than {_MAX_REDIRECTS} times")

    def _pools(self, url: str, family: Family) -> PoolManager:
        """Return what opens the connection for one request; one kept open would hide a change of address."""
        return PoolManager(
            source_address=(_ANY_ADDRESS[family], 0),  # from this address, nothing of the other family can be reached
            ssl_context=self._open_tls() if url.startswith("https:") else None,
            timeout=self._timeout,
            retries=self._retry,
        )

    def _headers(self) -> dict[str, str]:
        accept = "application/json" if self._pointer else "text/plain"
        headers = {"Accept": accept, "Accept-Encoding": "identity", "User-Agent": "ddns-updater"}
        if self._login is not None:
            headers["Authorization"] = f"Basic {self._login}"
        return headers

    def _public_address(self, response: BaseHTTPResponse, family: Family) -> Address:
        text = self._address(response)
        return public_address(text if parse_address(text.strip()) else self._hide(text), family)

    def _address(self, response: BaseHTTPResponse) -> str:
        if response.status != HTTPStatus.OK:
            raise SourceError(f"answered with status {response.status}")
        if not self._pointer:
            return whole_body(response, _MAX_TEXT, self._hide).decode("ascii", "replace")
        try:
            document = json.loads(whole_body(response, _MAX_JSON, self._hide))
        except (ValueError, RecursionError):
            raise SourceError("answered something that is not JSON") from None
        found = _pointed_at(document, unquote(self._pointer))
        if not isinstance(found, str):
            raise SourceError(f"has no text at {self._pointer} in its answer")
        return found

    def _redirected(self, here: str, location: str) -> str:
        """Return the URL to which `location` leads; raises SourceError for another host, or from https to http.

        Two sources count as two because their hosts differ, so an answer must come from the host in the setting.
        """
        # a header is read as Latin-1, a URL is UTF-8
        there = _normal(urljoin(here, location.encode("latin-1").decode()))
        if here.startswith("https:") and not there.startswith("https:"):
            raise SourceError("redirected from https to http")
        host = urlsplit(there).hostname or ""
        if host != urlsplit(here).hostname:
            raise SourceError(f"redirected to another host, {self._hide(host)}", "name that host in DDNS_IP_SOURCES")
        return there


def _normal(url: str) -> str:
    """Return `url` as it is requested: percent-encoded, its host in lower case and ASCII; raises ValueError."""
    return parse_url(url).url


def _may_share_password(here: str, there: str) -> bool:
    """Return whether a redirect on one host stays with the same service: on its port, or from http to https."""
    ports = {urlsplit(here).port, urlsplit(there).port}
    return len(ports) == 1 or ports <= _USUAL_PORTS


def _pointed_at(document: Any, pointer: str) -> Any:
    """Return the value at `pointer` (RFC 6901) in `document`, None when there is none."""
    for token in pointer.split("/")[1:]:
        key = token.replace("~1", "/").replace("~0", "~")
        if isinstance(document, dict):
            document = document.get(key)
        elif isinstance(document, list) and _INDEX.fullmatch(key) and int(key) < len(document):
            document = document[int(key)]
        else:
            return None
    return document


def whole_body(response: BaseHTTPResponse, limit: int, hide: Callable[[str], str] = str) -> bytes:
    """Return the whole body; raises SourceError when it is longer than `limit` bytes or may be incomplete.

    `hide` takes the secrets out of what the error quotes.
    A body with neither a length nor chunks ends with the connection, so only a final line break proves it complete.
    It is not decompressed: half of a gzip stream may hold half an address.
    """
    body = b""
    while len(body) <= limit and (piece := response.read(limit, decode_content=False)):
        body += piece
    if len(body) > limit:
        raise SourceError(f"answered more than an address: {hide(body.decode('ascii', 'replace'))[:40]!r}…")
    framed = response.chunked or response.length_remaining is not None
    if not framed and not body.endswith(b"\n"):
        raise SourceError("sent an answer that may be incomplete: it has neither a length nor a final line break")
    return body
