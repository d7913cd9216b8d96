"""AWS's limits before the simulated Route 53: two token buckets, latency, one change at a time in a zone, and PENDING.

https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/throttling-api-requests.html gives the account's bucket of
requests; each action has one of its own besides, which for the actions that are simulated here is no smaller. Of the
bucket of single record changes the numbers here are a guess on the careful side: as many changes as a full batch has,
when an UPSERT counts as two, and a tenth of that each second.
"""

import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock

from tests.support.aws import Call, FakeAws, Fault, refuse

REQUESTS = (50, 10)  # capacity, and what comes back each second
CHANGES = (1000, 100)
_CHANGE = "ChangeResourceRecordSets"
_UPSERT = 2  # changes
_THROTTLED = refuse("Throttling", "Rate exceeded")
_BUSY = refuse(
    "PriorRequestNotComplete", "The request was rejected because Route 53 was still processing a prior request."
)


class TokenBucket:
    """Holds at most `capacity` tokens; `rate` of them come back each second."""

    def __init__(self, capacity: float, rate: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._capacity = self._tokens = capacity
        self._rate = rate
        self._monotonic = monotonic
        self._at = monotonic()

    def take(self, tokens: float) -> bool:
        """Take them if there are as many."""
        now = self._monotonic()
        self._tokens = min(self._capacity, self._tokens + (now - self._at) * self._rate)
        self._at = now
        if self._tokens < tokens:
            return False
        self._tokens -= tokens
        return True


class Limits:
    """The limits of one account, which hold for `aws` until it is reset.

    `refused` counts the calls of each action that were throttled, `busy` those that met another change in their zone;
    `aws.count()` counts all calls, these as well. `latency` is how long each call takes, `in_sync_after` how long a
    change is PENDING, in seconds.
    """

    def __init__(
        self,
        aws: FakeAws,
        *,
        requests: tuple[float, float] = REQUESTS,
        changes: tuple[float, float] = CHANGES,
        latency: float = 0,
        in_sync_after: float = 0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.refused: Counter[str] = Counter()
        self.busy: Counter[str] = Counter()
        self._requests = TokenBucket(*requests, monotonic)
        self._changes = TokenBucket(*changes, monotonic)
        self._latency = latency
        self._in_sync_after = in_sync_after
        self._monotonic = monotonic
        self._made_at: dict[str, float] = {}
        self._changing: set[str] = set()
        self._lock = Lock()
        aws.limit = self._answer

    def _answer(self, call: Call, fault: Fault) -> bytes:
        with self._lock:
            is_refused = not (self._requests.take(1) and self._changes.take(_UPSERT * call.body.count("<Change>")))
            if is_refused:
                self.refused[call.operation] += 1
        if is_refused:
            return _THROTTLED(call)
        if call.operation != _CHANGE:
            time.sleep(self._latency)
            return self._pending(fault(call))
        with self._alone(call.environ["PATH_INFO"]) as is_alone:
            if not is_alone:
                return _BUSY(call)
            time.sleep(self._latency)
            return self._pending(fault(call))

    @contextmanager
    def _alone(self, zone: str) -> Iterator[bool]:
        """Yield whether no other change of the zone is being made."""
        with self._lock:
            is_alone = zone not in self._changing
            self._changing.add(zone)
            if not is_alone:
                self.busy[_CHANGE] += 1
        try:
            yield is_alone
        finally:
            if is_alone:
                self._changing.discard(zone)

    def _pending(self, answer: bytes) -> bytes:
        """Return what Route 53 says of a change that was made lately."""
        found = re.search(rb"(?s)<ChangeInfo>.*<Id>(?:/change/)?(\w+)</Id>", answer)
        if found and self._in_sync_after:
            made_at = self._made_at.setdefault(found[1].decode(), self._monotonic())
            if self._monotonic() - made_at < self._in_sync_after:
                return answer.replace(b"INSYNC", b"PENDING")
        return answer
