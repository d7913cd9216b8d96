"""Failed logins, so that nobody can try secrets fast or keep the database busy with them."""

import time
from array import array
from collections import OrderedDict
from collections.abc import Callable
from hashlib import blake2b
from threading import Lock

from ddns_updater.server.request import Caller

_PERIOD = 60.0  # seconds
_OF_A_LOGIN = 10  # in a period, from one address
_OF_AN_ADDRESS = 100  # in a period, with any login: customers of one carrier-grade NAT share an address
_ADDRESSES = 10_000
_NO_LOGIN = 0


class FailedLogins:
    """The failed logins of the last minute by address, which is the first 64 bits of an IPv6 address.

    Takes 20 MB at most. A right login resets nothing, for an attacker may have one of his own. Never limited are a
    trusted proxy's own address and an unknown one: each may stand for anybody.
    """

    def __init__(
        self, monotonic: Callable[[], float] = time.monotonic, *, count: Callable[[], None] = lambda: None
    ) -> None:
        """Take the clock, and what is told of each failed login for the metrics."""
        self._count = count
        self._monotonic = monotonic
        self._by_address: OrderedDict[bytes, _Failures] = OrderedDict()  # the least recent first
        self._guard = Lock()

    def is_limited(self, caller: Caller, login: str | None) -> bool:
        """Return whether too many logins have failed from there: with `login`, unless that is None, or with any."""
        address = _address(caller)
        if address is None:
            return False
        with self._guard:
            failures = self._by_address.get(address)
            if failures is None:
                return False
            failures.forget(self._monotonic() - _PERIOD)
            if len(failures.logins) >= _OF_AN_ADDRESS:
                return True
            return login is not None and failures.logins.count(_digest(login)) >= _OF_A_LOGIN

    def failed(self, caller: Caller, login: str | None) -> None:
        """Count a failed login; None is one that can be no login at all."""
        self._count()
        address = _address(caller)
        if address is None:
            return
        with self._guard:
            failures = self._by_address.setdefault(address, _Failures())
            failures.add(self._monotonic(), _NO_LOGIN if login is None else _digest(login))
            self._by_address.move_to_end(address)
            if len(self._by_address) > _ADDRESSES:
                self._by_address.popitem(last=False)


class _Failures:
    """The failed logins from one address, the oldest first; arrays, for they take an eighth of the memory of lists."""

    __slots__ = ("logins", "times")

    def __init__(self) -> None:
        self.times = array("d")
        self.logins = array("Q")

    def add(self, at: float, login: int) -> None:
        """Add one; of more than limit an address, the oldest is forgotten."""
        self.times.append(at)
        self.logins.append(login)
        del self.times[:-_OF_AN_ADDRESS], self.logins[:-_OF_AN_ADDRESS]

    def forget(self, until: float) -> None:
        """Forget those up to a time."""
        old = sum(at <= until for at in self.times)
        del self.times[:old], self.logins[:old]


def _address(caller: Caller) -> bytes | None:
    if caller.address is None or caller.is_proxy:
        return None
    return caller.address.packed[:8]  # all of an IPv4 address, and the network of an IPv6 address


def _digest(login: str) -> int:
    """Return a login as a number: it may be long, and people type secrets there."""
    return int.from_bytes(blake2b(login.encode("utf-8", "surrogatepass"), digest_size=8).digest())
