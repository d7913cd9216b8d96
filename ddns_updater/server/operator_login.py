"""The login of the operator, for the pages that are nobody else's business: Basic with any user name, one password."""

from hmac import compare_digest
from http import HTTPStatus

from ddns_updater.hosts import digest
from ddns_updater.server.logins import credentials
from ddns_updater.server.ports import LoginLimits
from ddns_updater.server.request import Caller, Request, Response

_LOGIN = "/status"  # as which a failure is counted, whatever user name came with it; no login of a host has a slash
_CHALLENGE = ("WWW-Authenticate", 'Basic realm="ddns status", charset="UTF-8"')


class OperatorLogin:
    """The login of the operator."""

    def __init__(self, password: str, failed_logins: LoginLimits) -> None:
        """Take the password, and what counts failed logins."""
        self._digest = digest(password)
        self._failed_logins = failed_logins

    def refusal(self, request: Request, caller: Caller) -> Response | None:
        """Return the answer to whoever may not see what `request` asks for; None for the operator.

        A request without a login is asked for one and not counted, for browsers begin so.
        """
        if request.method not in ("GET", "HEAD"):
            return Response(HTTPStatus.METHOD_NOT_ALLOWED, "only GET\n", headers=(("Allow", "GET, HEAD"),))
        if self._failed_logins.is_limited(caller, _LOGIN):
            retry = ("Retry-After", "60")
            return Response(HTTPStatus.TOO_MANY_REQUESTS, "too many failed logins\n", headers=(retry,))
        given = credentials(request, ())
        if given and compare_digest(digest(given.secret), self._digest):
            return None
        if request.headers_of("authorization"):
            self._failed_logins.failed(caller, _LOGIN)
        return Response(HTTPStatus.UNAUTHORIZED, "login required\n", headers=(_CHALLENGE,))
