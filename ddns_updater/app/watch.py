"""Runs in a loop, for containers and service managers: one process, the same run as cron's."""

import signal
import time
from collections.abc import Callable
from random import uniform
from threading import Event
from types import FrameType

from ddns_updater.errors import SettingsError
from ddns_updater.model import RunResult

_JITTER = 0.1  # of the time between two runs, so that many machines do not ask at the same instant
_LEAST = 0.1  # seconds between two runs, however long the first took


def repeat(
    run: Callable[[], RunResult],
    every: float,
    *,
    ended: Callable[[RunResult], None],
    crashed: Callable[[Exception], None],
    monotonic: Callable[[], float] = time.monotonic,
) -> None:
    """Call `run` every so many seconds, give or take a tenth, until SIGTERM or SIGINT; return after the run in hand.

    What a run raises is given to `crashed` and does not end the loop, but for SettingsError of the very first: that has
    to be mended before anything can work. A second signal ends the process at once.
    """
    over = Event()

    def stop(signum: int, _frame: FrameType | None) -> None:
        signal.signal(signum, signal.SIG_DFL)
        over.set()

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    first = True
    try:
        while not over.is_set():
            begin = monotonic()
            try:
                result = run()
            except Exception as error:
                if first and isinstance(error, SettingsError):
                    raise
                crashed(error)
            else:
                ended(result)
            first = False
            over.wait(pause(every, monotonic() - begin, uniform(-1, 1)))  # noqa: S311 - it only spreads the load
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def pause(every: float, took: float, chance: float) -> float:
    """Return the seconds from the end of a run that `took` so long to the next; `chance` lies between -1 and 1."""
    return max(every * (1 + _JITTER * chance) - took, _LEAST)
