"""Deadlines that are asked how much time is left, time limits that interrupt, and signals that end a run cleanly.

A `Deadline` works in every thread: it is asked between two calls, and the timeout of each library bounds each wait.
That is not enough for a run: a peer that sends one byte a second outlasts any timeout of a single wait. So in the main
thread, where Python runs signal handlers, `time_limit` also sets an alarm:

- The alarm raises an exception wherever the thread is, one that no library's `except Exception` catches, and
  `time_limit` turns it into one of our errors. This is safe because every phase of a run can be cut off at any time.
- Only entering and leaving a limit must not be cut off halfway. An alarm that comes meanwhile comes again a
  millisecond later. It knows by its innermost frame, a function of this module, or by `_pause`, which covers what such
  a function calls elsewhere. That is why no function of this module may wait for a peer.
- The alarm repeats every tenth of a second: one is lost when it comes just before a blocking call, and one may be
  swallowed by a bare `except`.

In any other thread `time_limit` interrupts nothing: it raises its error at the end of a block that took too long.
"""

import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from types import FrameType, TracebackType
from typing import Any

from ddns_updater.errors import DdnsError, Stopped

Monotonic = Callable[[], float]
Limit = Callable[[float, DdnsError], AbstractContextManager[None]]

_REPEAT = 0.1  # seconds between alarms
_RETRY = 0.001  # seconds until the repeat of an alarm that came while a limit was being entered or left
_KILL_BEFORE = 0.3  # seconds before the end of the limit at which a hanging process is ended


class Deadline:
    """An end in time; seconds are counted by a monotonic clock."""

    def __init__(self, seconds: float, monotonic: Monotonic = time.monotonic) -> None:
        self._monotonic = monotonic
        self._end = monotonic() + seconds

    def left(self) -> float:
        """Return the seconds left, 0 when it is over."""
        return max(self._end - self._monotonic(), 0)

    def share(self, parts: int) -> float:
        """Return the seconds of one of `parts` equal parts of the time left."""
        return self.left() / parts

    def at_most(self, seconds: float) -> "Deadline":
        """Return this deadline or the one in `seconds`, whichever is earlier."""
        return Deadline(min(self.left(), seconds), self._monotonic)

    def at_least(self, seconds: float) -> "Deadline":
        """Return this deadline or the one in `seconds`, whichever is later."""
        return Deadline(max(self.left(), seconds), self._monotonic)


class _Interrupt(BaseException):
    def __init__(self, limit: "time_limit") -> None:
        self.limit = limit


class _Pause:
    """A block of the main thread that the alarm does not interrupt; blocks nest."""

    depth = 0

    def __enter__(self) -> None:
        self.depth += 1

    def __exit__(self, *_: object) -> None:
        self.depth -= 1


_pause = _Pause()
_running: list["time_limit"] = []


def _interrupt(_signum: int, frame: FrameType | None) -> None:
    """Leave the block of the outermost limit that is over; wait while a limit is being entered or left."""
    if not _pause.depth and not (frame and frame.f_globals is globals()):
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
    soon = min(signal.getitimer(signal.ITIMER_REAL)[0] or _RETRY, _RETRY)  # an alarm that is due is never delayed
    signal.setitimer(signal.ITIMER_REAL, max(left, soon), _REPEAT)


class time_limit:  # noqa: N801 - used as a function; a class because a generator cannot guard its own exit
    """Raise `error` inside the `with` block after `seconds`; limits nest, and the outermost that is over wins.

    Outside the main thread it is raised at the end of a block that took longer and raised nothing itself.
    """

    def __init__(self, seconds: float, error: DdnsError) -> None:
        self.at = time.monotonic() + seconds
        self.error = error

    def __enter__(self) -> None:
        if threading.current_thread() is not threading.main_thread():
            return
        with _pause:
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
        if (raised is None and time.monotonic() >= self.at) or (
            isinstance(raised, _Interrupt) and raised.limit is self
        ):
            raise self.error from None


class run_limit(time_limit):  # noqa: N801 - as above
    """Limit a whole run: SIGTERM, SIGINT and the end of `seconds` raise `Stopped` inside the block.

    The alarm cannot interrupt a C call that does not return, such as a hanging resolver. For that case a thread ends
    the process just before `seconds` are over, with exit status 1. Before it does, it calls `last` with the message,
    for at most `grace` seconds. `setting` names the limit in the message, which `last_words` prints before that.
    Without `stoppable`, the handlers of SIGTERM and SIGINT stay as they are.
    """

    def __init__(
        self,
        seconds: float,
        setting: str,
        *,
        stoppable: bool = True,
        last: Callable[[str], None] | None = None,
        grace: float = 0,
        last_words: Callable[[str], None] | None = None,
    ) -> None:
        over = _stopped(f"after {seconds:g} s ({setting})")
        super().__init__(max(seconds - 1, seconds * 0.8), over)
        kill_after = seconds - min(_KILL_BEFORE, seconds / 10)
        self._last_words = last_words
        self._guard = threading.Timer(kill_after, self._end_process, [str(over), last, grace])
        self._guard.daemon = True
        self._at_end = threading.Lock()  # never released: held by what ends the block, its normal exit or the guard
        self._signals = (signal.SIGTERM, signal.SIGINT) if stoppable else ()
        self._previous_handlers: dict[signal.Signals, Any] = {}

    def __enter__(self) -> None:
        with _pause:
            self._guard.start()
            for wanted in self._signals:
                self._previous_handlers[wanted] = signal.signal(wanted, self._stop)
            super().__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, trace: TracebackType | None
    ) -> None:
        with _pause:
            self._at_end.acquire()  # when the guard holds it, this waits until the guard ends the process
            self._guard.cancel()
            for number, handler in self._previous_handlers.items():
                signal.signal(number, handler)
            super().__exit__(kind, raised, trace)

    def _stop(self, signum: int, frame: FrameType | None) -> None:
        with _pause:
            signal.signal(signum, signal.SIG_DFL)  # a second signal ends the process at once
            self.error = _stopped(f"by {signal.Signals(signum).name}")
            self.at = time.monotonic()
        _interrupt(signum, frame)

    def _end_process(self, message: str, last: Callable[[str], None] | None, grace: float) -> None:
        if not self._at_end.acquire(blocking=False):
            return  # the block has just ended normally
        end = threading.Timer(max(grace, _KILL_BEFORE), os._exit, [DdnsError.exit_code])
        end.daemon = True
        end.start()
        try:
            if self._last_words:
                self._last_words(f"failed: {message}")
            if last:
                last(message)
        finally:
            os._exit(DdnsError.exit_code)


def _stopped(how: str) -> Stopped:
    return Stopped(f"stopped {how}", then="the next run continues")
