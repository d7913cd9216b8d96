"""Record the addresses of requests, those of many at once in one transaction.

A transaction costs a write to the disk, so a server that made one for each request would be as slow as the disk. The
thread whose turn it is records what all the waiting ones brought, and they answer when that is committed.
"""

from collections.abc import Callable, Mapping, Sequence
from threading import Lock

from ddns_updater.errors import HistoryError
from ddns_updater.hosts import Host, Login, Result, Verdict
from ddns_updater.model import Address, Family
from ddns_updater.server.pool import Pool

Updates = Sequence[tuple[Host, Mapping[Family, Address]]]

_MOST = 200  # hosts in one transaction


class _Waiting:
    """The updates of one request, and what became of them."""

    def __init__(self, updates: Updates) -> None:
        self.updates = updates
        self.results: Sequence[Result] | None = None
        self.error: Exception | None = None

    @property
    def is_done(self) -> bool:
        return self.results is not None or self.error is not None


class Recorder:
    """The port Requests for many threads: what they record at the same time goes into one transaction."""

    def __init__(self, pool: Pool, recorded: Callable[[], None]) -> None:
        """Take the connections, and what to call when something was recorded."""
        self._pool = pool
        self._recorded = recorded
        self._queue: list[_Waiting] = []
        self._guard = Lock()
        self._turn = Lock()

    def login(self, login: str) -> Login | None:
        """Return the login with its hosts, None when there is none; `login` is lower-case."""
        with self._pool.taken() as hosts:
            return hosts.login(login)

    def login_of(self, name: str) -> Login | None:
        """Return the login of the host called `name` with that host alone, None when there is no such host."""
        with self._pool.taken() as hosts:
            return hosts.login_of(name)

    def update(self, updates: Updates) -> Sequence[Result]:
        """Record the addresses of hosts and return the result of each; nothing is written when nothing is new."""
        with self._pool.taken() as hosts:
            results = hosts.preview(updates)
        if all(each.verdict in (Verdict.NOCHG, Verdict.BLOCKED) for each in results):
            return results
        mine = _Waiting(updates)
        with self._guard:
            self._queue.append(mine)
        while not mine.is_done:
            with self._turn:
                if not mine.is_done:
                    self._record(self._taken())
        if mine.error:
            raise mine.error
        assert mine.results is not None
        return mine.results

    def _taken(self) -> list[_Waiting]:
        """Return those that come first in the queue, with no host twice, and take them out of it."""
        taken: list[_Waiting] = []
        hosts: set[object] = set()
        with self._guard:
            for each in list(self._queue):
                wanted = {host.id for host, _ in each.updates}
                if taken and (hosts & wanted or len(hosts) + len(wanted) > _MOST):
                    break
                hosts |= wanted
                taken.append(each)
                self._queue.remove(each)
        return taken

    def _record(self, taken: Sequence[_Waiting]) -> None:
        """Record what was taken in one transaction; each by itself when the database refuses that."""
        try:
            with self._pool.taken() as hosts:
                together = hosts.update([update for each in taken for update in each.updates])
        except HistoryError as error:
            if len(taken) == 1 or not self._pool.answers():
                for each in taken:
                    each.error = error
                return
            for each in taken:
                self._record([each])
            return
        except Exception as error:  # a bug: the other requests must not wait for ever
            for each in taken:
                each.error = error
            return
        if any(each.verdict is Verdict.GOOD for each in together):
            self._recorded()
        results = iter(together)
        for each in taken:
            each.results = [next(results) for _ in each.updates]
