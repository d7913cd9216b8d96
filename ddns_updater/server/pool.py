"""Connections to the database for the requests of a server: each thread has one to itself for as long as it needs."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from threading import Lock
from typing import NamedTuple

from ddns_updater.errors import HistoryError
from ddns_updater.server.ports import HostStore

_CHECK_AFTER = 1.0  # seconds; a connection that was not checked for longer is checked before it is used
_REFUSE_FOR = 1.0  # seconds after a failed connection, so that a dead database does not occupy every thread


class _Kept(NamedTuple):
    store: HostStore
    stack: ExitStack
    checked_at: float


class Pool:
    """Open stores of hosts, of which each thread takes one when it needs it."""

    def __init__(
        self,
        open_store: Callable[[], AbstractContextManager[HostStore]],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take the function that opens one more store."""
        self._open_store = open_store
        self._monotonic = monotonic
        self._free: list[_Kept] = []
        self._guard = Lock()
        self._failed: tuple[float, HistoryError] | None = None

    @contextmanager
    def taken(self) -> Iterator[HostStore]:
        """Yield a store that answers; one whose use fails is closed. Raises HistoryError when none can be opened."""
        kept = self._working()
        try:
            yield kept.store
        except BaseException:
            kept.stack.close()
            raise
        with self._guard:
            self._free.append(kept)

    def close(self) -> None:
        """Close the stores that nobody uses."""
        with self._guard:
            kept, self._free = self._free, []
        for each in kept:
            each.stack.close()

    def answers(self) -> bool:
        """Return whether the database answers."""
        try:
            with self.taken() as store:
                store.login("")  # which nobody has; to open a table does not ask it
        except HistoryError:
            return False
        return True

    def _working(self) -> _Kept:
        """Return a store that answers, which nobody else uses."""
        while True:
            with self._guard:
                kept = self._free.pop() if self._free else None
            now = self._monotonic()
            if kept is None:
                return self._opened(now)
            if now - kept.checked_at < _CHECK_AFTER:
                return kept
            if kept.store.answers():
                return kept._replace(checked_at=now)
            kept.stack.close()

    def _opened(self, now: float) -> _Kept:
        failed = self._failed  # other threads change it meanwhile
        if failed and now - failed[0] < _REFUSE_FOR:
            raise failed[1].with_traceback(None)  # each time it is raised adds to it
        stack = ExitStack()
        try:
            store = stack.enter_context(self._open_store())
        except HistoryError as error:
            self._failed = (self._monotonic(), error)
            raise
        self._failed = None
        return _Kept(store, stack, now)
