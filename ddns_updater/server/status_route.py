"""The status page of a server, for its operator alone."""

import time
from collections.abc import Callable
from http import HTTPStatus
from threading import Lock
from typing import NamedTuple

from ddns_updater.lib.deadline import Monotonic
from ddns_updater.server.operator_login import OperatorLogin
from ddns_updater.server.request import Caller, Request, Response

_KEPT = 5.0  # seconds for which a page is shown again
_SHARE = 10  # and at least so many times what it took: of many hosts it takes seconds, in which all requests are slower


class _Page(NamedTuple):
    text: str
    until: float


class StatusRoute:
    """Answers with the status page; one thread at a time makes it, and others show the last one meanwhile."""

    def __init__(
        self, login: OperatorLogin, render: Callable[[], str], policy: str, *, monotonic: Monotonic = time.monotonic
    ) -> None:
        """Take the function that makes the page, and the page's Content-Security-Policy."""
        self._login = login
        self._render = render
        self._headers = (
            ("Content-Security-Policy", f"{policy}; frame-ancestors 'none'"),
            ("Referrer-Policy", "no-referrer"),
            ("X-Content-Type-Options", "nosniff"),
            ("X-Frame-Options", "DENY"),
        )
        self._monotonic = monotonic
        self._turn = Lock()
        self._last: _Page | None = None

    def answer(self, request: Request, caller: Caller) -> Response:
        """Return the page, or why it is not shown."""
        refusal = self._login.refusal(request, caller)
        return refusal or Response(HTTPStatus.OK, self._page(), "text/html; charset=utf-8", self._headers)

    def _page(self) -> str:
        last = self._last
        if last and self._monotonic() < last.until:
            return last.text
        if not self._turn.acquire(blocking=last is None):
            assert last
            return last.text
        try:
            if self._last is not last and self._last:  # made while this thread waited
                return self._last.text
            begun = self._monotonic()
            text = self._render()
            ended = self._monotonic()
            self._last = _Page(text, ended + max(_KEPT, _SHARE * (ended - begun)))
            return text
        finally:
            self._turn.release()
