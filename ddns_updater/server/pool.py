"""Connections to the database for the requests of a server: each thread has one to itself for as long as it needs."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from threading import Lock
from typing import Generic, NamedTuple, TypeVar

from ddns_updater.errors import HistoryError
from ddns_updater.hosts import Host, Login, Result
from ddns_updater.model import Address, Family
from ddns_updater.server.ports import Requests

_Store = TypeVar("_Store", bound=Requests)
_Found = TypeVar("_Found")

_CHECK_AFTER = 1.0  # seconds; a connection that was not checked for longer is checked before it is used
_REFUSE_FOR = 1.0  # seconds after a failed connection, so that a dead database does not occupy every thread


class _Kept(NamedTuple, Generic[_Store]):
    store: _Store
    stack: ExitStack
    checked_at: float


class Pool(Generic[_Store]):
    """Open stores of hosts; the port Requests, of which each call uses one of them."""

    def __init__(
        self, open_store: Callable[[], AbstractContextManager[_Store]], monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """Take the function that opens one more store."""
        self._open_store = open_store
        self._monotonic = monotonic
        self._free: list[_Kept[_Store]] = []
        self._guard = Lock()
        self._failed: tuple[float, HistoryError] | None = None

    @contextmanager
    def taken(self) -> Iterator[_Store]:
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

    def login(self, login: str) -> Login | None:
        """Return the login with its hosts, None when there is none; `login` is lower-case."""
        return self._call(lambda store: store.login(login))

    def login_of(self, name: str) -> Login | None:
        """Return the login of the host called `name` with that host alone, None when there is no such host."""
        return self._call(lambda store: store.login_of(name))

    def preview(self, updates: Sequence[tuple[Host, Mapping[Family, Address]]]) -> Sequence[Result]:
        """Return what `update` would return now; nothing is locked or written."""
        return self._call(lambda store: store.preview(updates))

    def update(self, updates: Sequence[tuple[Host, Mapping[Family, Address]]]) -> Sequence[Result]:
        """Record the addresses of hosts, all in one transaction, and return the result of each."""
        return self._call(lambda store: store.update(updates))

    def address_of(self, host: Host, family: Family) -> Address | None:
        """Return the address of the latest version, None when there is none."""
        return self._call(lambda store: store.address_of(host, family))

    def answers(self) -> bool:
        """Return whether the database answers."""
        try:
            return self._call(lambda store: store.answers())
        except HistoryError:
            return False

    def _call(self, asked: Callable[[_Store], _Found]) -> _Found:
        with self.taken() as store:
            return asked(store)

    def _working(self) -> _Kept[_Store]:
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

    def _opened(self, now: float) -> _Kept[_Store]:
        if self._failed and now - self._failed[0] < _REFUSE_FOR:
            raise self._failed[1]
        stack = ExitStack()
        try:
            store = stack.enter_context(self._open_store())
        except HistoryError as error:
            self._failed = (self._monotonic(), error)
            raise
        self._failed = None
        return _Kept(store, stack, now)
