"""The metrics of a server, for whoever has the operator's password."""

from collections.abc import Callable
from http import HTTPStatus

from ddns_updater.server.operator_login import OperatorLogin
from ddns_updater.server.request import Caller, Request, Response

_TEXT_FORMAT = "text/plain; version=0.0.4; charset=utf-8"


class MetricsRoute:
    """Answers with the metrics."""

    def __init__(self, login: OperatorLogin, text: Callable[[], str]) -> None:
        """Take the function that returns the metrics in Prometheus' text format."""
        self._login = login
        self._text = text

    def answer(self, request: Request, caller: Caller) -> Response:
        """Return the metrics, or why they are not shown."""
        refusal = self._login.refusal(request, caller)
        return refusal or Response(HTTPStatus.OK, self._text(), _TEXT_FORMAT)


class NoMetrics:
    """Answers that there are no metrics, and why."""

    def __init__(self, login: OperatorLogin, problem: str) -> None:
        """Take what is missing, and what to do about it."""
        self._login = login
        self._problem = problem

    def answer(self, request: Request, caller: Caller) -> Response:
        """Return 503."""
        refusal = self._login.refusal(request, caller)
        return refusal or Response(HTTPStatus.SERVICE_UNAVAILABLE, f"{self._problem}\n")
