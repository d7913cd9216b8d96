"""What `ddns serve` does: answers the requests of hosts, and publishes what they record."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def _stopped_by_signals(stop: Callable[[], None], waits: Callable[[], None]) -> Iterator[None]:
    """Call `stop` at the first SIGTERM or SIGINT, and `waits` before if it is SIGINT; a second one ends the process."""

    def received(signum: int, _frame: FrameType | None) -> None:
        for each in _SIGNALS:
            signal.signal(each, signal.SIG_DFL)
        if signum == signal.SIGINT:
            waits()
        stop()

    before = {each: signal.signal(each, received) for each in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
