"""HTTP delivery for all channels: timeout, retries, and what each response means."""

import logging
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.auth import HTTPBasicAuth
from urllib3.exceptions import HTTPError, InvalidHeader
from urllib3.util import Retry

from ddns_updater.errors import AlertError
from ddns_updater.lib.http_errors import http_reason

log = logging.getLogger(__name__)

_TIMEOUT = 9.0  # seconds for the connection and for each piece of the answer
_RETRIES = 2
_RETRYABLE = (408, 425, 429, *range(500, 600))  # statuses that a later try may get past
_LONGEST_PAUSE = 21_600  # seconds; a longer Retry-After is cut to this


class _Session(requests.Session):
    """A session that leaves a redirect alone; even one that it does not follow it would read to its end."""

    def get_redirect_target(self, resp: requests.Response) -> None:  # noqa: ARG002 - the signature of requests
        return None


def send(method: str, url: str, *, name: str, read: int = 0, **content: Any) -> bytes:
    """Send one request and return at most the first `read` bytes of the response body.

    Raises AlertError unless the status is a success; its message shows `name` in place of the URL. A request that was
    sent is not repeated here: it may have been accepted, whatever the response. Redirects are not followed, so that no
    other server gets the alert.
    """
    retry = Retry(
        total=_RETRIES,
        read=0,
        status=0,
        allowed_methods=None,
        backoff_factor=0.2,
        respect_retry_after_header=False,
        raise_on_status=False,
    )
    with _Session() as session:
        session.mount("http://", HTTPAdapter(max_retries=retry))
        session.mount("https://", HTTPAdapter(max_retries=retry))
        session.auth = _login(url)
        headers = {"User-Agent": "ddns-updater", "Accept-Encoding": "identity"}
        log.info("sending a %s request to %s", method, name)
        try:
            with session.request(
                method, url, timeout=_TIMEOUT, allow_redirects=False, stream=True, headers=headers, **content
            ) as answer:
                log.info("%s answered with status %d", name, answer.status_code)
                _check(answer, name)
                # not unpacked: a short answer may unpack to gigabytes
                body: bytes = answer.raw.read(read, decode_content=False) if read else b""
                return body
        except (requests.RequestException, HTTPError, OSError, ValueError) as error:
            raise AlertError(f"{name} {http_reason(error, _TIMEOUT)}") from error


def _login(url: str) -> Callable[[requests.PreparedRequest], requests.PreparedRequest]:
    """Return an auth hook with the user and password of `url`, or a no-op: requests would otherwise use ~/.netrc.

    They are in UTF-8 (RFC 7617), for which requests takes bytes: text it would encode in Latin-1.
    """
    parts = urlsplit(url)
    user, password = unquote_to_bytes(parts.username or ""), unquote_to_bytes(parts.password or "")
    return HTTPBasicAuth(user, password) if user or password else lambda request: request


def _check(answer: requests.Response, name: str) -> None:
    status = answer.status_code
    if answer.is_redirect or 300 <= status < 400:
        raise AlertError(f"{name} answered with a redirect ({status})", "use the URL it leads to", again=False)
    if status in _RETRYABLE:
        seconds = _retry_after(answer.headers.get("Retry-After", "0"))
        raise AlertError(f"{name} answered with status {status}", seconds=seconds)
    if not answer.ok:
        raise AlertError(f"{name} refused with status {status}", "check its URL", again=False)


def _retry_after(text: str) -> int:
    """Return the seconds of a Retry-After header, which may hold a date; 0 when it is invalid."""
    try:
        return int(min(max(Retry().parse_retry_after(text), 0), _LONGEST_PAUSE))
    except (InvalidHeader, ValueError, OverflowError):
        return 0
