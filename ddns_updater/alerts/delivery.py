"""How something is told over HTTP: the timeout, the retries, and what an answer means, for every channel alike."""

from collections.abc import Callable
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from requests.auth import HTTPBasicAuth
from requests.utils import get_auth_from_url
from urllib3.exceptions import HTTPError, InvalidHeader
from urllib3.util import Retry

from ddns_updater.alerts.urls import host_of
from ddns_updater.errors import AlertError
from ddns_updater.lib.http_errors import http_reason

_TIMEOUT = 9.0  # seconds for the connection and for each piece of the answer
_RETRIES = 2
_LATER = (408, 425, 429, *range(500, 600))  # what another try may mend
_LONGEST = 21_600  # seconds; nobody is left alone for longer, whatever he asks


def send(method: str, url: str, *, read: int = 0, **content: Any) -> bytes:
    """Send one request, see it taken, and return the first bytes of the answer's body, so many as are to be `read`.

    Raises AlertError, which shows of the URL no more than its host. A request that went out is not repeated here,
    for it may have been taken, whatever was answered. Redirects are not followed: what is told is for nobody else.
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
    with requests.Session() as session:
        session.mount("http://", HTTPAdapter(max_retries=retry))
        session.mount("https://", HTTPAdapter(max_retries=retry))
        session.auth = _login(url)
        headers = {"User-Agent": "ddns-updater"}
        try:
            with session.request(
                method, url, timeout=_TIMEOUT, allow_redirects=False, stream=True, headers=headers, **content
            ) as answer:
                _check(answer, url)
                return next(answer.iter_content(read), b"") if read else b""
        except (requests.RequestException, HTTPError, OSError, ValueError) as error:
            raise AlertError(f"{host_of(url)} {http_reason(error, _TIMEOUT)}") from error


def _login(url: str) -> Callable[[requests.PreparedRequest], requests.PreparedRequest]:
    """Return what adds the user and password of `url`, or nothing: without it, those of ~/.netrc would be sent."""
    user, password = get_auth_from_url(url)
    return HTTPBasicAuth(user, password) if user or password else lambda request: request


def _check(answer: requests.Response, url: str) -> None:
    status = answer.status_code
    if answer.is_redirect or 300 <= status < 400:
        raise AlertError(f"{host_of(url)} answered with a redirect ({status}); name the URL it leads to", again=False)
    if status in _LATER:
        seconds = _asked_for(answer.headers.get("Retry-After", "0"))
        raise AlertError(f"{host_of(url)} answered with status {status}", seconds=seconds)
    if not answer.ok:
        raise AlertError(f"{host_of(url)} refused with status {status}; check its URL", again=False)


def _asked_for(text: str) -> int:
    """Return the seconds that a Retry-After stands for, which may be a date; 0 when it says nothing."""
    try:
        return int(min(max(Retry().parse_retry_after(text), 0), _LONGEST))
    except (InvalidHeader, ValueError, OverflowError):
        return 0
