"""What a process may ask of AWS: token buckets that are a part of those that AWS keeps for an account.

AWS has a bucket of 50 requests, of which 10 come back each second, and another one of single record changes:
https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/throttling-api-requests.html
Others use the same account, so a part is left to them; after an answer of Throttling the process is slower for a while.
"""

import logging
import time
from collections.abc import Callable
from math import log2
from threading import Lock
from typing import NamedTuple

log = logging.getLogger(__name__)

_RECOVERY = 10.0  # seconds without throttling after which the rates double, up to the whole
_LEAST = 1 / 16  # of the rates
_AT_ONCE = 1.0  # seconds in which further throttling is about the same rate: those calls were on their way


class Rate(NamedTuple):
    """The size of a bucket: at most `burst` tokens, of which `each_second` come back."""

    each_second: float
    burst: float


REQUESTS = Rate(8, 40)  # four fifths of what an account has
CHANGES = Rate(80, 800)  # a careful guess, where each UPSERT counts as two changes; throttling corrects it
_UPSERT = 2


class Budget:
    """Lets its callers wait until they may ask; it works in any thread."""

    def __init__(
        self,
        requests: Rate = REQUESTS,
        changes: Rate = CHANGES,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._buckets = (_Bucket(requests), _Bucket(changes))
        self._monotonic = monotonic
        self._sleep = sleep
        self._lock = Lock()
        self._part = 1.0  # of the rates, when it was last throttled
        self._filled_at = monotonic()
        self._throttled_at = self._filled_at - _AT_ONCE

    def spend(self, upserts: int = 0) -> None:
        """Take one request with so many UPSERTs, and wait until it is there.

        What is not there is owed: the next one waits longer.
        """
        with self._lock:
            part = self._fill()
            requests, changes = self._buckets
            wait = max(requests.take(1, part), changes.take(_UPSERT * upserts, part))
        if wait > 0:
            log.info("waiting %.1f s, because AWS limits the requests of an account", wait)
            self._sleep(wait)

    def throttled(self) -> None:
        """Empty the buckets and halve the rates, because AWS refused a request; they recover with time."""
        with self._lock:
            part = self._fill()
            for bucket in self._buckets:
                bucket.empty()
            now = self._monotonic()
            if now - self._throttled_at >= _AT_ONCE:
                self._part = max(part / 2, _LEAST)
                self._throttled_at = now

    def _fill(self) -> float:
        """Put back what has come since, and return which part of the rates there is now."""
        now = self._monotonic()
        doubled = min((now - self._throttled_at) // _RECOVERY, -log2(_LEAST))
        part = min(self._part * 2**doubled, 1.0)
        for bucket in self._buckets:
            bucket.fill((now - self._filled_at) * part)
        self._filled_at = now
        return part


class _Bucket:
    def __init__(self, rate: Rate) -> None:
        self._rate = rate
        self._tokens = rate.burst

    def fill(self, seconds: float) -> None:
        self._tokens = min(self._tokens + seconds * self._rate.each_second, self._rate.burst)

    def take(self, tokens: float, part: float) -> float:
        """Take `tokens` and return in how many seconds they are there, at this part of the rate."""
        self._tokens -= tokens
        return max(-self._tokens, 0) / (self._rate.each_second * part) if tokens else 0

    def empty(self) -> None:
        self._tokens = min(self._tokens, 0)
