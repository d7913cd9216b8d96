"""Time limits that hold whatever a peer does, and signals that end a run cleanly.

Timeouts of libraries bound one wait each; a peer that sends a byte a second outlives them all. Here an alarm signal
interrupts the main thread wherever it is. It raises what no library's `except Exception` can swallow and `time_limit`
turns into an error of our tree. Every phase of a run can be cut off at any instant, so it is safe.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from types import FrameType, TracebackType
from typing import Any, NoReturn

from ddns_updater.errors import DdnsError, Stopped

Limit = Callable[[float, DdnsError], AbstractContextManager[None]]


class _Interrupt(BaseException):
    def __init__(self, cause: object) -> None:
        self.cause = cause


_running: list["time_limit"] = []


def _on_alarm(_signum: int, _frame: FrameType | None) -> None:
    now = time.monotonic()
    over = next((limit for limit in _running if limit.at <= now), None)
    if over is None:
        _arm()
        return
    over.at = float("inf")
    _arm()
    raise _Interrupt(over)


def _arm() -> None:
    nearest = min((limit.at for limit in _running), default=float("inf"))
    if nearest == float("inf"):
        signal.setitimer(signal.ITIMER_REAL, 0)
    else:
        signal.setitimer(signal.ITIMER_REAL, max(nearest - time.monotonic(), 1e-6))


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
            signal.signal(signal.SIGALRM, _on_alarm)
        _running.append(self)
        _arm()

    def __exit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._leave()
        except _Interrupt as interrupt:  # the alarm came between the block's end and here
            self._leave()
            raised = interrupt
        if isinstance(raised, _Interrupt):
            if raised.cause is self:
                raise self.error from None
            raise raised

    def _leave(self) -> None:
        if self in _running:
            _running.remove(self)
            _arm()


@contextmanager
def run_limit(seconds: float, setting: str) -> Iterator[None]:
    """Bound a whole run: SIGTERM, SIGINT and the end of `seconds` raise `Stopped` inside the block.

    A thread stands behind the alarm for the one case it cannot reach, a call into C that does not return (a resolver
    that hangs): it ends the process at `seconds`, with exit status 1. `setting` names the limit in the message.
    """

    def stop(signum: int, _frame: FrameType | None) -> NoReturn:
        signal.signal(signum, signal.SIG_DFL)  # a second one ends the process at once
        raise _Interrupt(Stopped(f"stopped by {signal.Signals(signum).name}; the next run goes on from here"))

    over = Stopped(f"stopped after {seconds:g} s ({setting}); the next run goes on from here")
    before: dict[signal.Signals, Any] = {}
    guard = threading.Timer(seconds, _end_process, [f"failed: {over}\n"])
    guard.daemon = True
    try:
        for wanted in (signal.SIGTERM, signal.SIGINT):
            before[wanted] = signal.signal(wanted, stop)
        guard.start()
        with time_limit(max(seconds - 1, seconds * 0.8), over):
            yield
    except _Interrupt as interrupt:
        raise interrupt.cause if isinstance(interrupt.cause, Stopped) else over from None
    finally:
        guard.cancel()
        for number, handler in before.items():
            signal.signal(number, handler)


def _end_process(message: str) -> NoReturn:
    sys.stdout.flush()
    os.write(2, message.encode())
    os._exit(DdnsError.exit_code)
