"""A connection that is kept from one run to the next, which saves a login and a TLS handshake each time."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager

from ddns_updater.history.sql import SqlHistory

_LONGEST = 600.0  # seconds that one is kept: what was changed for new sessions, such as the time zone, is seen by then


class KeepAliveHistory:
    """The history of many runs, one after the other; each gets a connection that works."""

    def __init__(
        self,
        open_history: Callable[[], AbstractContextManager[SqlHistory]],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take what opens a new connection."""
        self._open_history = open_history
        self._monotonic = monotonic
        self._stack = ExitStack()
        self._kept: SqlHistory | None = None
        self._since = 0.0

    @contextmanager
    def open(self) -> Iterator[SqlHistory]:
        """Give the connection that was kept, if it is young and answers, else a new one."""
        if self._kept is None or self._monotonic() - self._since > _LONGEST or not self._kept.answers():
            self.close()
            self._kept = self._stack.enter_context(self._open_history())
            self._since = self._monotonic()
        yield self._kept

    def close(self) -> None:
        """Close the connection, if there is one; also to be called after a run that did not go well."""
        self._kept = None
        self._stack.close()
