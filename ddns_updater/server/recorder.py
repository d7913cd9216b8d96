"""The hosts for the requests of many threads: what they want at the same time is done at once.

A transaction costs a write to the disk, so a server that made one for each request would be as slow as the disk. The
thread whose turn it is records what all the waiting ones brought, and they answer when that is committed. A query costs
less, but there is one in every request.
"""

from collections.abc import Callable, Mapping, Sequence

from ddns_updater.errors import HistoryError, NoAnswer
from ddns_updater.hosts import Host, Login, Result, Verdict
from ddns_updater.model import Address, Family
from ddns_updater.server.pool import Pool
from ddns_updater.server.turns import Turns, Wanted

Updates = Sequence[tuple[Host, Mapping[Family, Address]]]

_MOST = 200  # hosts in one transaction


class Recorder:
    """The port Requests for many threads."""

    def __init__(self, pool: Pool, recorded: Callable[[], None]) -> None:
        """Take the connections, and what to call when something was recorded."""
        self._pool = pool
        self._recorded = recorded
        self._logins: Turns[str, Login | None] = Turns(self._look_up)
        self._updates: Turns[Updates, Sequence[Result]] = Turns(self._record, _fitting)

    def login(self, login: str) -> Login | None:
        """Return the login with its hosts, None when there is none; `login` is lower-case."""
        return self._logins.answer(login)

    def login_of(self, name: str) -> Login | None:
        """Return the login of the host called `name` with that host alone, None when there is no such host."""
        with self._pool.taken() as hosts:
            return hosts.login_of(name)

    def update(self, updates: Updates) -> Sequence[Result]:
        """Record the addresses of hosts and return the result of each; nothing is asked when nothing is new."""
        known = [_known(host, addresses) for host, addresses in updates]
        if all(known):
            return [each for each in known if each]
        return self._updates.answer(updates)

    def _look_up(self, wanted: Sequence[Wanted[str, Login | None]]) -> None:
        with self._pool.taken() as hosts:
            found = hosts.logins(list({each.question for each in wanted}))
        for each in wanted:
            each.answer = found.get(each.question)

    def _record(self, wanted: Sequence[Wanted[Updates, Sequence[Result]]]) -> None:
        """Record what is wanted in one transaction; each by itself when the database refuses that."""
        try:
            with self._pool.taken() as hosts:
                together = hosts.update([update for each in wanted for update in each.question])
        except HistoryError as error:
            if len(wanted) == 1 or isinstance(error, NoAnswer) or not self._pool.answers():
                for each in wanted:
                    each.error = error
                return
            for each in wanted:
                self._record([each])
            return
        if any(each.verdict is Verdict.GOOD for each in together):
            self._recorded()
        results = iter(together)
        for each in wanted:
            each.answer = [next(results) for _ in each.question]


def _known(host: Host, addresses: Mapping[Family, Address]) -> Result | None:
    """Return the result for a host if what was read with its login tells it: nothing changes."""
    if host.blocked_at:
        return Result(Verdict.BLOCKED, tuple(addresses.values()))
    return Result(Verdict.NOCHG, tuple(addresses.values())) if host.held.issuperset(addresses.values()) else None


def _fitting(waiting: Sequence[Updates]) -> int:
    """Return how many of those that wait fit into one transaction, in which no host may be twice."""
    hosts: set[object] = set()
    for number, updates in enumerate(waiting):
        wanted = {host.id for host, _ in updates}
        if number and (hosts & wanted or len(hosts) + len(wanted) > _MOST):
            return number
        hosts |= wanted
    return len(waiting)
