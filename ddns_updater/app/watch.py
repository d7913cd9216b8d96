"""What `ddns watch` does: runs in a loop, for containers and service managers."""

import signal
import time
from collections.abc import Callable
from random import uniform
from threading import Event
from types import FrameType
from typing import TypeVar

from ddns_updater.errors import SettingsError

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
    stopped = Event()
    running = False

    def stop(signum: int, _frame: FrameType | None) -> None:
        signal.signal(signum, signal.SIG_DFL)
        if running and signum == signal.SIGINT and not stopped.is_set():
            waits()
        stopped.set()

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    first = True
    try:
        while not stopped.is_set():
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
            stopped.wait(pause(every, monotonic() - start, uniform(-1, 1)))  # noqa: S311 - it only spreads the load
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def pause(every: float, took: float, chance: float) -> float:
    """Return the seconds to wait after a run that took `took` seconds; `chance` is between -1 and 1."""
    return max(every * (1 + _JITTER * chance) - took, _MIN_PAUSE)
