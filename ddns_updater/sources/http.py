"""An address source that is asked over HTTP or HTTPS and answers with the client's address, as text or in JSON."""

import json
import re
from io import BytesIO
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError
from urllib3.util import Retry
from urllib3.util.ssl_ import create_urllib3_context

from ddns_updater.errors import SourceError
from ddns_updater.lib.http_errors import http_reason, innermost
from ddns_updater.model import Address, Family
from ddns_updater.sources.address import public_address
from ddns_updater.sources.spec import HttpSpec

_MAX_TEXT = 128  # bytes; the longest address has 45, the rest allows for white space
_MAX_JSON = 16_384  # bytes
_MAX_REDIRECTS = 3
_INDEX = re.compile("0|[1-9][0-9]{0,9}")
_RETRIED = (429, 500, 502, 503, 504)
_ANY_ADDRESS = {Family.IPV4: "0.0.0.0", Family.IPV6: "::"}  # noqa: S104 - binds an outgoing socket, nothing listens


class HttpSource:
    """One URL, fetched without a proxy, because a proxy would report its own address.

    A fragment that starts with `/` is a pointer (RFC 6901) to the address in a JSON answer.
    """

    def __init__(self, spec: HttpSpec, *, timeout: float, retries: int) -> None:
        """Take the URL, the timeout in seconds (of the connection and of each read) and the number of retries."""
        self.name, self.host = spec.name, spec.host
        self._url, self._pointer = spec.url, spec.pointer
        self._timeout = timeout
        self._retries = retries
        self._sessions: dict[Family, requests.Session] = {}

    def fetch(self, family: Family) -> Address:
        """Return the public address that the service sees; raises SourceError when it answers anything else."""
        if family not in self._sessions:
            self._sessions[family] = self._session(family)
        session = self._sessions[family]
        try:
            with session.get(self._url, stream=True, timeout=self._timeout) as response:
                if response.status_code != requests.codes.ok:
                    raise SourceError(f"answered with status {response.status_code}")
                return public_address(self._address(response), family)
        except (requests.RequestException, HTTPError, OSError, ValueError) as error:
            raise SourceError(_reason(error, self._timeout)) from error
        finally:
            session.close()  # a connection kept open would hide a change of address
            session.cookies.clear()

    def _session(self, family: Family) -> requests.Session:
        """Return a session for all requests of one family, with the settings and the trusted certificates."""
        retry = Retry(
            total=self._retries,
            status_forcelist=_RETRIED,
            backoff_factor=0.2,
            backoff_jitter=0.1,
            respect_retry_after_header=False,
            raise_on_status=False,
        )
        session = requests.Session()
        session.verify = session.merge_environment_settings(self._url, {}, True, None, None)["verify"]
        session.trust_env = False  # of the environment only REQUESTS_CA_BUNDLE: no proxy, no password of ~/.netrc
        session.max_redirects = _MAX_REDIRECTS
        session.hooks["response"] = [_check_redirect]
        session.headers.update({"Accept": self._accept, "Accept-Encoding": "identity", "User-Agent": "ddns-updater"})
        session.mount("http://", _FamilyAdapter(family, retry))
        session.mount("https://", _TlsAdapter(family, retry))
        return session

    @property
    def _accept(self) -> str:
        return "application/json" if self._pointer else "text/plain"

    def _address(self, response: requests.Response) -> str:
        if not self._pointer:
            return whole_body(response, _MAX_TEXT).decode("ascii", "replace")
        try:
            document = json.loads(whole_body(response, _MAX_JSON))
        except (ValueError, RecursionError):
            raise SourceError("answered something that is not JSON") from None
        found = _pointed_at(document, unquote(self._pointer))
        if not isinstance(found, str):
            raise SourceError(f"has no text at {self._pointer} in its answer")
        return found


def _check_redirect(response: requests.Response, *_args: Any, **_kwargs: Any) -> None:
    """Refuse a redirect to another host or from https to http, and skip a redirect's body, which has no size limit.

    Two sources count as two because their hosts differ, so an answer must come from the host in the setting.
    """
    if response.is_redirect:
        response.close()
        here, there = urlsplit(response.url), urlsplit(urljoin(response.url, response.headers["Location"]))
        if here.scheme == "https" and there.scheme != "https":
            raise SourceError("redirected from https to http")
        if here.hostname != there.hostname:
            raise SourceError(f"redirected to another host, {there.hostname}; name that host in DDNS_IP_SOURCES")
        response.raw = BytesIO()


def _reason(error: BaseException, timeout: float) -> str:
    if isinstance(innermost(error), requests.TooManyRedirects):
        return f"redirected more than {_MAX_REDIRECTS} times"
    return http_reason(error, timeout)


class _FamilyAdapter(HTTPAdapter):
    """An adapter for one address family: a socket bound to its wildcard address cannot reach the other family."""

    def __init__(self, family: Family, retry: Retry) -> None:
        self._source_address = (_ANY_ADDRESS[family], 0)
        super().__init__(max_retries=retry)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs, source_address=self._source_address)


class _TlsAdapter(_FamilyAdapter):
    """An adapter that reads the trusted certificates once; urllib3 reads them per connection, for 17 ms of CPU."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        self._context = create_urllib3_context()
        self._has_certificates = False
        super().init_poolmanager(*args, **kwargs, ssl_context=self._context)

    def cert_verify(self, conn: Any, *args: Any, **kwargs: Any) -> None:
        super().cert_verify(conn, *args, **kwargs)  # type: ignore[no-untyped-call] # in the stubs
        if not self._has_certificates:
            self._context.load_verify_locations(conn.ca_certs, conn.ca_cert_dir)
            self._has_certificates = True
        conn.ca_certs = conn.ca_cert_dir = None


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


def whole_body(response: requests.Response, limit: int) -> bytes:
    """Return the whole body; raises SourceError when it is longer than `limit` bytes or may be incomplete.

    A body with neither a length nor chunks ends with the connection, so only a final line break proves it complete.
    It is not decompressed: half of a gzip stream may hold half an address.
    """
    body = b""
    while len(body) <= limit and (piece := response.raw.read(limit, decode_content=False)):
        body += piece
    if len(body) > limit:
        raise SourceError(f"answered more than an address: {body[:40].decode('ascii', 'replace')!r}…")
    framed = response.raw.chunked or response.raw.length_remaining is not None
    if not framed and not body.endswith(b"\n"):
        raise SourceError("sent an answer that may be incomplete: it has neither a length nor a final line break")
    return body
