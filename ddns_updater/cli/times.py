"""Dates and times from the command line; without an offset they are local time."""

from datetime import UTC, date, datetime, timedelta
from typing import TypeVar

from ddns_updater.errors import SettingsError
from ddns_updater.model import Window

_SECOND = timedelta(seconds=1)  # the resolution of the history
_YEARS = range(1900, 9999)  # leaves room to add a day or an offset
_Day = TypeVar("_Day", bound=date)


def window(since: str | None, until: str | None) -> Window:
    """Return the window from --since to --until, both inclusive; a date is the whole day."""
    start = None if since is None else _start("--since", since)
    end = None if until is None else _end(until)
    if start and end and start >= end:
        raise SettingsError(f"--since {since!r} is later than --until {until!r}", "swap them")
    return Window(start, end)


def second(at: str) -> Window:
    """Return the second that --at names; for a date its first one. Raises SettingsError when it occurred twice."""
    day = _date("--at", at)
    start = _local_start(day) if day else _instant("--at", at, twice=None)
    return Window(start, start + _SECOND)


def _start(option: str, text: str) -> datetime:
    day = _date(option, text)
    return _local_start(day) if day else _instant(option, text, twice=0)


def _end(text: str) -> datetime:
    day = _date("--until", text)
    return _local_start(day + timedelta(days=1)) if day else _instant("--until", text, twice=1) + _SECOND


def _date(option: str, text: str) -> date | None:
    """Return `text` as a date, None when it is not one."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return _checked(option, text, day)


def _local_start(day: date) -> datetime:
    """Return the first instant of a local day; when the clocks skip midnight, the instant of the jump."""
    return _utc(datetime(day.year, day.month, day.day))


def _instant(option: str, text: str, *, twice: int | None) -> datetime:
    """Return the second that `text` names.

    `twice` chooses when the local time occurred twice: 0 the first, 1 the second, None raises SettingsError, because an
    hour off can be another address.
    """
    try:
        moment = _checked(option, text, datetime.fromisoformat(text)).replace(microsecond=0)
    except ValueError:
        raise SettingsError(
            f"{option} {text!r} is neither a date nor a time",
            f"write {option} 2026-05-03 or {option} 2026-05-03T14:00",
        ) from None
    if moment.tzinfo:
        return moment.astimezone(UTC)
    first, second = (_utc(moment.replace(fold=fold)) for fold in (0, 1))
    if first > second:
        cause = "was skipped when the clocks went forward"
    elif first < second and twice is None:
        cause = "occurred twice when the clocks went back"
    else:
        return second if twice else first
    choice = " or ".join(f"{option} {each.astimezone().isoformat()}" for each in sorted((first, second)))
    raise SettingsError(f"{option} {text!r} {cause}", f"write {choice}")


def _utc(moment: datetime) -> datetime:
    """Return the instant of a local time.

    Of a time that occurred twice, `fold` 0 is the first and `fold` 1 the second. A skipped time lands after the jump
    with `fold` 0 and before it with `fold` 1, so there `fold` 0 is the later one (PEP 495).
    """
    return datetime.fromtimestamp(moment.timestamp(), UTC)


def _checked(option: str, text: str, day: _Day) -> _Day:
    if day.year not in _YEARS:
        raise SettingsError(f"{option} {text!r} is out of range", f"write a year from {_YEARS[0]} to {_YEARS[-1]}")
    return day
