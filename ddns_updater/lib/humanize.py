"""Times and counts as text for people."""

from collections.abc import Sequence
from datetime import datetime, timedelta


def duration(time: timedelta) -> str:
    """Return a length of time in its two largest units: `34 s`, `12 min`, `3 h 20 min`, `41 d 2 h`."""
    seconds = max(int(time.total_seconds()), 0)
    if seconds < 60:
        return f"{seconds} s"
    minutes = seconds // 60
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 24 * 60:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{minutes // 1440} d {minutes % 1440 // 60} h"


def local_time(time: datetime) -> str:
    """Return a time in this machine's time zone, with the name of the zone."""
    return time.astimezone().strftime("%Y-%m-%d %H:%M %Z")


def local_second(time: datetime) -> str:
    """Return a time in this machine's time zone, to the second."""
    return time.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def listed(texts: Sequence[str], most: int, separator: str = ", ") -> str:
    """Return the first `most` of `texts`, and how many more there are: `a, b, c and 5 more`."""
    more = f" and {len(texts) - most} more" if len(texts) > most else ""
    return separator.join(texts[:most]) + more


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: `1 run`, `2 runs`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
