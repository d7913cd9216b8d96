"""An address source that is asked over HTTP or HTTPS and answers with the caller's address as plain text."""

from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError, IncompleteRead, MaxRetryError, ReadTimeoutError
from urllib3.util import Retry

from ddns_updater.errors import SourceError
from ddns_updater.model import Address, Family
from ddns_updater.sources.address import public_address

_MAX_BODY = 64  # bytes, stripped; the longest address has 45
_MAX_SPACE = 64  # bytes of white space tolerated around it
_MAX_REDIRECTS = 3
_RETRIED = (429, 500, 502, 503, 504)
_ANY_ADDRESS = {Family.IPV4: "0.0.0.0", Family.IPV6: "::"}  # noqa: S104 - binds an outgoing socket, nothing listens


class HttpSource:
    """One URL. Proxies are passed by, for one of them would report its own address."""

    def __init__(self, url: str, *, timeout: float, retries: int) -> None:
        """Take the URL, the seconds to wait for the connection and for each piece of the answer, and the retries."""
        self._url = url
        self._timeout = timeout
        self._retries = retries
        parts = urlsplit(url)
        self.host = parts.hostname or ""
        port = f":{parts.port}" if parts.port else ""
        self.name = f"{parts.scheme}://{self.host}{port}{parts.path}"  # without what may be secret

    def fetch(self, family: Family) -> Address:
        """Return the public address that the service sees; raises SourceError with the reason when it does not say."""
        retry = Retry(
            total=self._retries,
            status_forcelist=_RETRIED,
            backoff_factor=0.2,
            backoff_jitter=0.1,
            respect_retry_after_header=False,
            raise_on_status=False,
        )
        with requests.Session() as session:
            session.max_redirects = _MAX_REDIRECTS
            session.mount("http://", _FamilyAdapter(family, retry))
            session.mount("https://", _FamilyAdapter(family, retry))
            try:
                response = session.get(
                    self._url,
                    stream=True,
                    timeout=self._timeout,
                    headers={"Accept": "text/plain", "User-Agent": "ddns-updater"},
                    proxies={"no_proxy": "*"},
                )
                if response.status_code != requests.codes.ok:
                    raise SourceError(f"answered with status {response.status_code}")
                return public_address(_body(response), family)
            except (requests.RequestException, HTTPError, OSError) as error:
                raise SourceError(self._reason(error)) from error

    def _reason(self, error: BaseException) -> str:
        causes = list(_chain(error))
        if isinstance(error, requests.TooManyRedirects):
            return f"redirected more than {_MAX_REDIRECTS} times"
        if isinstance(error, requests.exceptions.SSLError):
            return "its certificate could not be verified"
        if any(isinstance(cause, IncompleteRead) for cause in causes):
            return "its answer was cut off"
        if any(isinstance(cause, requests.Timeout | ReadTimeoutError | TimeoutError) for cause in causes):
            return f"timed out after {self._timeout:g} s"
        for cause in reversed(causes):
            if isinstance(cause, OSError) and cause.strerror:
                return f"cannot be reached: {cause.strerror}"
        return f"cannot be reached: {type(error).__name__}"


class _FamilyAdapter(HTTPAdapter):
    """Connects over one address family: a socket bound to its any-address cannot reach the other one."""

    def __init__(self, family: Family, retry: Retry) -> None:
        self._source_address = (_ANY_ADDRESS[family], 0)
        super().__init__(max_retries=retry)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs, source_address=self._source_address)


def _body(response: requests.Response) -> str:
    """Return the whole body as text; raises SourceError when it is too long or may have been cut off.

    A body with neither a length nor chunks ends where the connection ends, so only a final line break proves it whole.
    """
    body = b""
    while len(body) <= _MAX_BODY + _MAX_SPACE:
        piece = response.raw.read(_MAX_BODY, decode_content=True)
        if not piece:
            break
        body += piece
    if len(body.strip()) > _MAX_BODY or len(body) > _MAX_BODY + _MAX_SPACE:
        raise SourceError(f"answered more than an address: {body[:40].decode('ascii', 'replace')!r}…")
    framed = "Content-Length" in response.headers or response.raw.chunked
    if not framed and not body.endswith(b"\n"):
        raise SourceError("its answer may have been cut off: it has neither a length nor a final line break")
    return body.decode("ascii", "replace")


def _chain(error: BaseException) -> Any:
    """Yield the error and everything below it: urllib3 and requests nest causes in attributes and arguments."""
    seen: set[int] = set()
    waiting: list[object] = [error]
    while waiting:
        each = waiting.pop(0)
        if isinstance(each, BaseException) and id(each) not in seen:
            seen.add(id(each))
            yield each
            waiting += [each.__cause__, each.__context__, *each.args]
            if isinstance(each, MaxRetryError):
                waiting.append(each.reason)
