"""The web server of the update endpoint: waitress, with its limits, and an end that answers what is in hand.

As it comes, waitress answers nobody once 100 connections idle, crashes at the 1,025th, repeats parts of a malformed
request in its answer, and drops what is in hand when it ends.
"""

import errno
import logging
import resource
import socket
import time
from typing import TYPE_CHECKING, Any

from waitress import wasyncore
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser, ParsingError
from waitress.server import BaseWSGIServer, create_server
from waitress.task import ErrorTask, WSGITask

from ddns_updater.errors import ServerError
from ddns_updater.server.request import MAX_BODY

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

_THREADS = 16
_CONNECTIONS = 4000
_OTHER_DESCRIPTORS = 256  # of databases, AWS, logs and Python
_MAX_HEAD = 8 * 1024
_GRACE = 10.0  # seconds for the requests in hand when it ends
_REST = 1.0  # seconds in which the rest of a request may come when it ends
_BUG = 500


class _Parser(HTTPRequestParser):
    """A parser that refuses what waitress crashes on: a number of 5,000 digits, a bracket in the URL."""

    def parse_header(self, header_plus: bytes) -> None:
        try:
            super().parse_header(header_plus)
        except ValueError as error:
            raise ParsingError("a value is invalid") from error


class _Task(WSGITask):
    """An answer whose head and body are sent together: some small clients read once."""

    def write(self, data: bytes) -> None:
        if self.wrote_header:
            super().write(data)
            return
        head = self.build_response_header()
        self.wrote_header = True
        self.content_bytes_written += len(data)
        self.channel.write_soon(head + data)


class _ErrorTask(ErrorTask):
    """The answer to what cannot be parsed: without a body, for clients take any of several words for success."""

    def execute(self) -> None:
        error = self.request.error  # type: ignore[attr-defined] # the stubs take the request for the error
        temporary = error.code == _BUG
        self.status = "503 Service Unavailable" if temporary else f"{error.code} {error.reason}"
        retry = [("Retry-After", "300")] if temporary else []
        self.response_headers = [("Cache-Control", "no-store"), *retry]
        self.set_close_on_finish()
        self.content_length = 0
        self.write(b"")


class _Channel(HTTPChannel):
    """A connection."""

    parser_class = _Parser
    task_class = _Task
    error_task_class = _ErrorTask

    def is_busy(self, since: float) -> bool:
        """Return whether a request is in hand, `since` seconds after the end was asked for."""
        return bool(self.requests or self.total_outbufs_len or (self.request and since < _REST))


class WebServer:
    """A server of one WSGI application on one address; it listens once it is made, and answers while it runs."""

    def __init__(self, application: "WSGIApplication", host: str, port: int) -> None:
        """Listen on an address and port, 0 for any; raises ServerError."""
        limit = raise_descriptor_limit(_CONNECTIONS + _OTHER_DESCRIPTORS)
        logging.getLogger("waitress").setLevel(logging.CRITICAL + 1)  # it tells of every client's mistake
        listener = _listen(host, port)
        self.host, self.port = listener.getsockname()[:2]
        self._sockets: dict[int, Any] = {}  # by descriptor: connections, the port and what wakes `_look` up
        server = create_server(
            application,
            map=self._sockets,
            sockets=[listener],
            threads=_THREADS,
            connection_limit=max(min(_CONNECTIONS, limit - _OTHER_DESCRIPTORS), 1),
            max_request_header_size=_MAX_HEAD + 1,
            max_request_body_size=MAX_BODY + 1,
            clear_untrusted_proxy_headers=False,  # X-Forwarded-For is for us to judge
            ident=None,
        )
        assert isinstance(server, BaseWSGIServer)  # there is one socket
        server.channel_class = _Channel
        self._server = server
        self._is_stopped = False

    @property
    def place(self) -> str:
        """Return where it listens, as it stands in a URL."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def run(self) -> None:
        """Answer until `stop` is called; then answer what is in hand, and close every connection."""
        while not self._is_stopped:
            self._look(1)
        self._finish()

    def stop(self) -> None:
        """Let `run` end; it can be called from a signal handler and from another thread."""
        if not self._is_stopped:  # it may have ended since
            self._is_stopped = True
            self._server.pull_trigger()

    def close(self) -> None:
        """Close everything at once."""
        self._is_stopped = True
        self._server.task_dispatcher.shutdown(timeout=1)  # before what its threads use is closed
        wasyncore.close_all(self._sockets)

    def _finish(self) -> None:
        connections = -1
        while connections != len(self._sockets):  # those that the system has accepted for us
            connections = len(self._sockets)
            self._server.handle_accept()
        wasyncore.dispatcher.close(self._server)  # the port alone
        self._look(0)
        begin = time.monotonic()
        while (since := time.monotonic() - begin) < _GRACE:
            channels = [each for each in self._sockets.values() if isinstance(each, _Channel)]
            if not channels:
                break
            for channel in channels:
                channel.will_close = channel.will_close or not channel.is_busy(since)
            self._look(0.1)
        self.close()

    def _look(self, seconds: float) -> None:
        """Wait for a connection to have something to read or room to write, and do that."""
        wasyncore.loop(timeout=seconds, use_poll=True, map=self._sockets, count=1)


def raise_descriptor_limit(wanted: int) -> int:
    """Let this process open `wanted` files and connections if it may; return how many it can."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return wanted
    limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    except (OSError, ValueError):  # a service manager may forbid it
        return soft
    return limit


def _listen(host: str, port: int) -> socket.socket:
    is_v6 = ":" in host
    listener = socket.socket(socket.AF_INET6 if is_v6 else socket.AF_INET)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if is_v6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)  # [::] is every address, of both families
        listener.bind((host, port))
        listener.listen(1)  # so that a port in use shows now; waitress makes the queue longer
    except OSError as error:
        listener.close()
        place = f"[{host}]:{port}" if is_v6 else f"{host}:{port}"
        problem = f"cannot listen on {place}: {error.strerror}"
        raise ServerError(problem, _ADVICE.get(error.errno or 0, "check DDNS_SERVE_LISTEN")) from error
    return listener


_ADVICE = {
    errno.EADDRINUSE: "stop the program that uses the port, or set DDNS_SERVE_LISTEN to another",
    errno.EADDRNOTAVAIL: "set DDNS_SERVE_LISTEN to an address of this machine",
    errno.EACCES: "set DDNS_SERVE_LISTEN to a port from 1024 on",
    errno.EAFNOSUPPORT: "set DDNS_SERVE_LISTEN to an IPv4 address",
}
