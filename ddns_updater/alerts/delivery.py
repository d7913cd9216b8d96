"""How something is told over HTTP: the timeout, the retries, and what an answer means, for every channel alike."""

from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError
from urllib3.util import Retry

from ddns_updater.alert_forms import host_of
from ddns_updater.errors import AlertError
from ddns_updater.http_reasons import http_reason

_TIMEOUT = 4.0  # seconds for the connection and for each piece of the answer
_RETRIES = 2
_RETRIED = (500, 502, 503, 504)
_LATER = (408, 425, 429, *range(500, 600))  # what another try may mend
_LONGEST = 86_400  # seconds; nobody is left alone for longer, whatever he asks


def send(method: str, url: str, **content: Any) -> None:
    """Send one request and see it taken; raises AlertError, which shows of the URL no more than its host.

    A request that went out and was not answered is not repeated here, for it may have been taken. Redirects are not
    followed: what is told is for nobody else.
    """
    retry = Retry(
        total=_RETRIES,
        read=0,
        status_forcelist=_RETRIED,
        allowed_methods=None,
        backoff_factor=0.2,
        respect_retry_after_header=False,
        raise_on_status=False,
    )
    with requests.Session() as session:
        session.mount("http://", HTTPAdapter(max_retries=retry))
        session.mount("https://", HTTPAdapter(max_retries=retry))
        session.auth = _leave_alone
        headers = {"User-Agent": "ddns-updater"}
        try:
            with session.request(
                method, url, timeout=_TIMEOUT, allow_redirects=False, stream=True, headers=headers, **content
            ) as answer:
                _check(answer, url)
        except (requests.RequestException, HTTPError, OSError, ValueError) as error:
            raise AlertError(f"{host_of(url)} {http_reason(error, _TIMEOUT)}") from error


def _leave_alone(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Add no password: without an answer here, one of ~/.netrc would be sent."""
    return request


def _check(answer: requests.Response, url: str) -> None:
    status = answer.status_code
    if answer.is_redirect or 300 <= status < 400:
        raise AlertError(f"{host_of(url)} answered with a redirect ({status}); name the URL it leads to", again=False)
    if status in _LATER:
        asked = answer.headers.get("Retry-After", "")
        seconds = min(int(asked), _LONGEST) if asked.isascii() and asked.isdigit() else 0
        raise AlertError(f"{host_of(url)} answered with status {status}", seconds=seconds)
    if not answer.ok:
        raise AlertError(f"{host_of(url)} refused with status {status}; check its URL", again=False)
