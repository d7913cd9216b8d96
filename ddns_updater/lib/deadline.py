"""Time limits that hold whatever a peer does, and signals that end a run cleanly.

Timeouts of libraries bound one wait each; a peer that sends a byte a second outlives them all. Here an alarm signal
interrupts the main thread wherever it is. It raises what no library's `except Exception` can swallow and `time_limit`
turns into an error of our tree. Every phase of a run can be cut off at any instant, so it is safe.
"""

import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from types import FrameType, TracebackType
from typing import Any

from ddns_updater.errors import DdnsError, Stopped

Monotonic = Callable[[], float]
Limit = Callable[[float, DdnsError], AbstractContextManager[None]]

_AGAIN = 0.1  # seconds; an alarm just before a blocking call, or one that was swallowed, comes once more
_LAST = 0.3  # seconds before its end at which a process is ended that hangs
_SOON = 0.001  # seconds until one that came while a limit was being entered or left


class _Interrupt(BaseException):
    def __init__(self, limit: "time_limit") -> None:
        self.limit = limit


_running: list["time_limit"] = []


def _interrupt(_signum: int, frame: FrameType | None) -> None:
    """Leave the block of the outermost limit that is over, but not while one is being entered or left."""
    while frame is not None:
        if frame.f_globals is globals():
            _arm()
            return
        frame = frame.f_back
    now = time.monotonic()
    for place, limit in enumerate(_running):
        if limit.at <= now:
            limit.at = now + 1
            del _running[place + 1 :]
            _arm()
            raise _Interrupt(limit)
    _arm()


def _arm() -> None:
    if not _running:
        signal.setitimer(signal.ITIMER_REAL, 0)
        return
    left = min(limit.at for limit in _running) - time.monotonic()
    soon = min(signal.getitimer(signal.ITIMER_REAL)[0] or _SOON, _SOON)  # an alarm that is due is not put off again
    signal.setitimer(signal.ITIMER_REAL, max(left, soon), _AGAIN)


class time_limit:  # noqa: N801 - used as a function; a class because a generator cannot guard its own exit
    """Raise `error` inside the `with` block after `seconds`; limits nest, and the outermost that is over wins.

    It works in the main thread, where Python runs signal handlers; in any other thread it does nothing.
    """

    def __init__(self, seconds: float, error: DdnsError) -> None:
        self.at = time.monotonic() + seconds
        self.error = error

    def __enter__(self) -> None:
        if threading.current_thread() is not threading.main_thread():
            return
        if not _running:
            signal.signal(signal.SIGALRM, _interrupt)
        _running.append(self)
        _arm()

    def __exit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self in _running:
            del _running[_running.index(self) :]
            _arm()
        if isinstance(raised, _Interrupt) and raised.limit is self:
            raise self.error from None


class run_limit(time_limit):  # noqa: N801 - as above
    """Bound a whole run: SIGTERM, SIGINT and the end of `seconds` raise `Stopped` inside the block.

    A thread stands behind the alarm for the one case it cannot reach, a call into C that does not return (a resolver
    that hangs): it ends the process just before `seconds` are over, with exit status 1. Before it does, it calls `last`
    with what happened, for at most `grace` seconds. `setting` names the limit in the message. A run that is not
    `stoppable` leaves the signals to whoever has them.
    """

    def __init__(
        self,
        seconds: float,
        setting: str,
        *,
        stoppable: bool = True,
        last: Callable[[str], None] | None = None,
        grace: float = 0,
    ) -> None:
        over = Stopped(f"stopped after {seconds:g} s ({setting}); the next run goes on from here")
        super().__init__(max(seconds - 1, seconds * 0.8), over)
        self._guard = threading.Timer(seconds - min(_LAST, seconds / 10), self._end_process, [str(over), last, grace])
        self._guard.daemon = True
        self._at_end = threading.Lock()  # taken for good by the one that ends the block: its own end, or the guard
        self._signals = (signal.SIGTERM, signal.SIGINT) if stoppable else ()
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> None:
        super().__enter__()
        for wanted in self._signals:
            self._before[wanted] = signal.signal(wanted, self._stop)
        self._guard.start()

    def __exit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._at_end.acquire()  # where the guard has it, the process ends
        self._guard.cancel()
        for number, handler in self._before.items():
            signal.signal(number, handler)
        super().__exit__(kind, raised, trace)

    def _stop(self, signum: int, frame: FrameType | None) -> None:
        signal.signal(signum, signal.SIG_DFL)  # a second one ends the process at once
        self.error = Stopped(f"stopped by {signal.Signals(signum).name}; the next run goes on from here")
        self.at = time.monotonic()
        _interrupt(signum, frame)

    def _end_process(self, message: str, last: Callable[[str], None] | None, grace: float) -> None:
        if not self._at_end.acquire(blocking=False):
            return  # the block has just ended by itself
        with suppress(OSError):
            os.write(2, f"failed: {message}\n".encode())
        end = threading.Timer(max(grace, _LAST), os._exit, [DdnsError.exit_code])
        end.daemon = True
        end.start()
        try:
            if last:
                last(message)
        finally:
            os._exit(DdnsError.exit_code)
