"""A connection that is kept between runs, which saves a login and a TLS handshake each time."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Generic, Protocol, TypeVar

_MAX_AGE = 600.0  # seconds; a setting changed for new sessions, such as the time zone, takes effect by then


class _Connected(Protocol):
    """A history on a connection: of all that an engine offers, the only thing that matters here."""

    def answers(self) -> bool:
        """Return whether the connection works and may be kept."""


_History = TypeVar("_History", bound=_Connected)


class KeepAliveHistory(Generic[_History]):
    """The history for successive runs; each run gets a working connection."""

    def __init__(
        self,
        open_history: Callable[[], AbstractContextManager[_History]],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take the function that opens a new connection."""
        self._open_history = open_history
        self._monotonic = monotonic
        self._stack = ExitStack()
        self._kept: _History | None = None
        self._since = 0.0

    @contextmanager
    def open(self) -> Iterator[_History]:
        """Yield the kept connection if it is less than 10 minutes old and answers, else a new one."""
        if self._kept is None or self._monotonic() - self._since > _MAX_AGE or not self._kept.answers():
            self.close()
            self._kept = self._stack.enter_context(self._open_history())
            self._since = self._monotonic()
        yield self._kept

    def close(self) -> None:
        """Close the connection, if there is one; call this after a failed run too."""
        self._kept = None
        self._stack.close()
