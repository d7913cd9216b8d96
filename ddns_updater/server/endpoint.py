"""The update endpoint: which protocol answers a request, by its path."""

import logging
import time
from collections.abc import Callable, Mapping

from ddns_updater.server.request import BUG, Answer, Caller, Request, Response

log = logging.getLogger(__name__)

_BUG = BUG._replace(counted=("endpoint", "911"))
_NOT_FOUND = Response(404, "not found", counted=("endpoint", "404"))


class Endpoint:
    """The routes of the endpoint, each with what answers there."""

    def __init__(
        self,
        routes: Mapping[str, Answer],
        caller_of: Callable[[Request], Caller],
        *,
        count: Callable[[str, str, float], None] = lambda protocol, answer, seconds: None,  # noqa: ARG005 - no metrics
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take the answer of each exact path; `count` gets the protocol, the answer and the seconds it took."""
        self._routes = routes
        self._caller_of = caller_of
        self._count = count
        self._monotonic = monotonic

    def answer(self, request: Request) -> Response:
        """Return the response to a request; never raises an Exception."""
        started = self._monotonic()
        response = self._answered(request)
        protocol, answer = response.counted or (request.path, str(response.status))
        self._count(protocol, answer, self._monotonic() - started)
        return response

    def _answered(self, request: Request) -> Response:
        route = self._routes.get(request.path)
        if route is None:
            return _NOT_FOUND
        try:
            return route(request, self._caller_of(request))
        except Exception:
            log.exception("a bug in the answer to %s", request.path)  # the path is that of a route: no hostile text
            return _BUG
