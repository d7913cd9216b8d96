"""A request and its response, as every way into the program has them: a web server, or a function of AWS Lambda."""

from collections.abc import Callable
from typing import NamedTuple

from ddns_updater.lib.printable import printable
from ddns_updater.model import Address

_MAX_CLIENT = 200  # characters of a User-Agent


class Request(NamedTuple):
    """An HTTP request; everything in it is hostile until it is checked.

    `path` is decoded, `query` is as it was sent, without the question mark. `headers` are in the order in which they
    came, with lower-case names; one that came twice is there twice. `peer` is the address of the TCP connection.
    """

    method: str
    path: str
    query: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    peer: str

    def __repr__(self) -> str:
        return f"<{self.method} {self.path!r}>"  # a secret may stand in each of the others

    def header(self, name: str) -> str | None:
        """Return the value of a header by its lower-case name; None when it is missing, or came more than once."""
        values = self.headers_of(name)
        return values[0] if len(values) == 1 else None

    @property
    def client(self) -> str:
        """Return the client that it names, its User-Agent: printable, cut to 200 characters, empty without one."""
        return printable(self.header("user-agent") or "")[:_MAX_CLIENT]

    def headers_of(self, name: str) -> list[str]:
        """Return every value of a header, by its lower-case name."""
        return [value for key, value in self.headers if key == name]


class Response(NamedTuple):
    """An HTTP response; `headers` are those beyond Content-Length, Content-Type and Cache-Control: no-store.

    `counted` is the protocol and the answer as metrics count them, such as dyndns2 and nochg; None for the path and the
    status.
    """

    status: int
    body: str = ""
    content_type: str = "text/plain; charset=utf-8"
    headers: tuple[tuple[str, str], ...] = ()
    counted: tuple[str, str] | None = None


class Caller(NamedTuple):
    """Where a request came from.

    `address` is the address that counts, behind the trusted proxies; None when it cannot be told. `is_proxy` is
    whether that is the address of a trusted proxy itself, which is never limited: it may stand for anybody.
    """

    address: Address | None
    is_proxy: bool = False

    @property
    def own_address(self) -> Address | None:
        """Return the address if it can be that of the caller's line, None when it cannot be told.

        The public address of a trusted proxy is the proxy's own, and must never become that of a host.
        """
        return None if self.address and self.is_proxy and self.address.is_global else self.address


MAX_BODY = 16 * 1024  # bytes that are read of a body


def header_values(name: str, value: str) -> list[str]:
    """Return the values of a header that a server joined with commas where it came twice; `name` is lower-case.

    That means the same for a list such as X-Forwarded-For. A login is not a list: it has a comma only if it came twice,
    or is of a scheme that we do not take.
    """
    return [each.strip() for each in value.split(",")] if name == "authorization" else [value]


# The answer where the program has a bug. Not a 500: inadyn, OPNsense and ddclient try again after a 503, and nothing of
# the error is for strangers.
BUG = Response(503, "911", headers=(("Retry-After", "60"),))

Answer = Callable[[Request, Caller], Response]
