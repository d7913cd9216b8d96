"""What the endpoint answers in plain text to anybody: the caller's address, and whether the server is healthy."""

import time
from collections.abc import Callable
from http import HTTPStatus

from ddns_updater.server.request import Caller, Request, Response

_METHODS = ("GET", "HEAD")
_LATEST = 60.0  # seconds since the publisher came round
_RETRY = ("Retry-After", "60")


def answer_ip(request: Request, caller: Caller) -> Response:
    """Return the caller's address in a line of its own, public or not: an address source says what it sees.

    503 when it cannot be told, and no address at all: the one of a proxy would be taken for that of the line.
    """
    if request.method not in _METHODS:
        return _not_allowed()
    if caller.own_address is None:
        problem = "cannot tell where this request came from: the proxy in front does not say so\n"
        return Response(HTTPStatus.SERVICE_UNAVAILABLE, problem, headers=(_RETRY,))
    return Response(HTTPStatus.OK, f"{caller.own_address}\n")


class Health:
    """Answers whether the database answers and the publisher comes round."""

    def __init__(
        self,
        answers: Callable[[], bool],
        came_round_at: Callable[[], float],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take what tells whether the database answers, and when by `monotonic` the publisher last came round.

        Neither raises an error: what one says of the database server is nobody's business here.
        """
        self._answers = answers
        self._came_round_at = came_round_at
        self._monotonic = monotonic

    def answer(self, request: Request, _caller: Caller) -> Response:
        """Return 200, or 503 with what is wrong."""
        if request.method not in _METHODS:
            return _not_allowed()
        problems = "".join(f"{each}\n" for each in (self._database_problem(), self._publisher_problem()) if each)
        if problems:
            return Response(HTTPStatus.SERVICE_UNAVAILABLE, problems, headers=(_RETRY,))
        return Response(HTTPStatus.OK, "ok\n")

    def _database_problem(self) -> str | None:
        return None if self._answers() else "the database does not answer"

    def _publisher_problem(self) -> str | None:
        seconds = self._monotonic() - self._came_round_at()
        return None if seconds <= _LATEST else f"the publisher last came round {seconds:.0f} s ago"


def _not_allowed() -> Response:
    return Response(HTTPStatus.METHOD_NOT_ALLOWED, headers=(("Allow", ", ".join(_METHODS)),))
