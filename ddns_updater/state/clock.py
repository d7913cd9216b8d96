"""A clock that was set between two runs, as on a machine that starts without knowing the time."""

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from ddns_updater.lib.uptime import Uptime

_LEAST = timedelta(minutes=1)  # less is not noticed
_EVER = datetime(1, 1, 1, tzinfo=UTC)


class ClockShift(NamedTuple):
    """By how much the clock was set, and which times it had dated: those from `since` on, and all after `now`."""

    by: timedelta
    since: datetime
    now: datetime

    def moved(self, time: datetime) -> datetime:
        """Return `time` by the clock as it is now; times that are moved together keep their durations."""
        return time + self.by if time >= self.since or time > self.now else time


def find_shift(
    before: datetime, uptime_before: Uptime | None, now: datetime, uptime_now: Uptime | None
) -> ClockShift | None:
    """Return how the clock was set since a run that ended at `before`; None if it was not, as far as can be known.

    Without the uptimes, or after a reboot, a clock that was set forward looks like a machine that was off.
    """
    if (
        uptime_before
        and uptime_now
        and uptime_before.boot == uptime_now.boot
        and uptime_before.seconds <= uptime_now.seconds  # less after a snapshot of a virtual machine was restored
    ):
        by = (now - before) - timedelta(seconds=uptime_now.seconds - uptime_before.seconds)
        since = before - timedelta(seconds=uptime_before.seconds)
    else:
        by, since = min(now - before, timedelta(0)), _EVER
    return ClockShift(by, since, now) if abs(by) > _LEAST else None
