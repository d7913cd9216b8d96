"""What `ddns watch` does: runs in a loop, for containers and service managers."""

import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from random import uniform
from types import FrameType
from typing import TypeVar

from ddns_updater.errors import SettingsError
from ddns_updater.lib.deadline import Deadline

_Run = TypeVar("_Run")

_JITTER = 0.1  # of the interval, so that many machines do not send their requests at the same instant
_MIN_PAUSE = 0.1  # seconds between two runs, however long the first took


def repeat(
    run: Callable[[], _Run],
    every: float,
    *,
    ended: Callable[[_Run], None],
    crashed: Callable[[Exception], None],
    waits: Callable[[], None],
    monotonic: Callable[[], float] = time.monotonic,
) -> None:
    """Call `run` every `every` seconds, give or take a tenth, until SIGTERM or SIGINT; return after the current run.

    An exception of a run goes to `crashed` and does not end the loop. Only a SettingsError of the first run is raised:
    it must be fixed before anything can work. A second signal ends the process at once. `waits` is called, from within
    a signal handler, when SIGINT came during a run.
    """
    stopped = False
    running = False

    def stop(signum: int, _frame: FrameType | None) -> None:
        nonlocal stopped
        signal.signal(signum, signal.SIG_DFL)
        if running and signum == signal.SIGINT and not stopped:
            waits()
        stopped = True

    with _handled(stop) as signals:
        first = True
        while not stopped:
            start = monotonic()
            running = True
            try:
                result = run()
            except Exception as error:
                if first and isinstance(error, SettingsError):
                    raise
                crashed(error)
            else:
                ended(result)
            first = False
            running = False
            chance = uniform(-1, 1)  # noqa: S311 - it only spreads the load
            wait = Deadline(pause(every, monotonic() - start, chance))
            while not stopped and (left := wait.left()):
                signals.settimeout(left)
                with suppress(TimeoutError):
                    signals.recv(4096)  # also what the alarms of the run have left


@contextmanager
def _handled(stop: Callable[[int, FrameType | None], None]) -> Iterator[socket.socket]:
    """Let `stop` handle SIGTERM and SIGINT; give a socket that has something to read as soon as any signal came.

    A `threading.Event` set by `stop` is no substitute: its lock is not reentrant, so a signal that comes while `wait`
    holds it hangs for ever. One that comes just before the wait begins, or to another thread, would not end the wait:
    Python runs its handler in the main thread, only after it.
    """
    reader, writer = socket.socketpair()
    with reader, writer:
        writer.setblocking(False)
        previous_socket = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
        previous_handlers = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield reader
        finally:
            for number, handler in previous_handlers.items():
                signal.signal(number, handler)
            signal.set_wakeup_fd(previous_socket)


def pause(every: float, took: float, chance: float) -> float:
    """Return the seconds to wait after a run that took `took` seconds; `chance` is between -1 and 1."""
    return max(every * (1 + _JITTER * chance) - took, _MIN_PAUSE)
