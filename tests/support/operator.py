"""Requests of the operator to a server's own pages, and what counts failed logins there."""

from base64 import b64encode
from collections import Counter
from ipaddress import ip_address

from ddns_updater.server.request import Caller, Request

PASSWORD = "a päss:word of the operator"  # with a colon, which only a user name may not have
CALLER = Caller(ip_address("192.0.2.9"))


class CountingLogins:
    """Limits a login after ten failures, for good."""

    def __init__(self) -> None:
        self.failures: Counter[str | None] = Counter()

    def is_limited(self, caller: Caller, login: str | None) -> bool:
        """Return whether ten have failed."""
        assert caller == CALLER
        return self.failures[login] >= 10

    def failed(self, caller: Caller, login: str | None) -> None:
        """Count one."""
        assert caller == CALLER
        self.failures[login] += 1


def request(path: str, password: str | None = PASSWORD, *, user: str = "anybody", method: str = "GET") -> Request:
    """Return a request with a password, without a login for None."""
    login = b64encode(f"{user}:{password}".encode()).decode()
    headers = () if password is None else (("authorization", f"Basic {login}"),)
    return Request(method, path, "", headers, b"", "127.0.0.1")
