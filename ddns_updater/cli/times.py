"""Dates and times that an operator wrote, as instants; local time where no offset is given."""

from datetime import UTC, date, datetime, timedelta
from typing import TypeVar

from ddns_updater.errors import SettingsError
from ddns_updater.model import Window

_SECOND = timedelta(seconds=1)  # the history counts in whole ones
_YEARS = range(1900, 9999)  # whatever is added to one of these is still a time
_Day = TypeVar("_Day", bound=date)


def window(since: str | None, until: str | None) -> Window:
    """Return the window from --since to --until, both inclusive; a date is the whole day."""
    begin = None if since is None else _begin("--since", since)
    end = None if until is None else _end(until)
    if begin and end and begin >= end:
        raise SettingsError(f"--since {since!r} is later than --until {until!r}; swap them")
    return Window(begin, end)


def second(at: str) -> Window:
    """Return the second that --at names; for a date its first one. Raises SettingsError when it came twice."""
    day = _date("--at", at)
    begin = _local_begin(day) if day else _instant("--at", at, twice=None)
    return Window(begin, begin + _SECOND)


def _begin(option: str, text: str) -> datetime:
    day = _date(option, text)
    return _local_begin(day) if day else _instant(option, text, twice=0)


def _end(text: str) -> datetime:
    day = _date("--until", text)
    return _local_begin(day + timedelta(days=1)) if day else _instant("--until", text, twice=1) + _SECOND


def _date(option: str, text: str) -> date | None:
    """Return the date that `text` is, None when it is something else."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return _checked(option, text, day)


def _local_begin(day: date) -> datetime:
    """Return the first instant of a day; where the clocks leave midnight out, that is when they did."""
    return _read(datetime(day.year, day.month, day.day))


def _instant(option: str, text: str, *, twice: int | None) -> datetime:
    """Return the second that `text` names; of a local time that came twice the first (0), the second (1) or neither."""
    try:
        moment = _checked(option, text, datetime.fromisoformat(text)).replace(microsecond=0)
    except ValueError:
        raise SettingsError(
            f"{option} {text!r} is neither a date nor a time; write {option} 2026-05-03 or {option} 2026-05-03T14:00"
        ) from None
    if moment.tzinfo:
        return moment.astimezone(UTC)
    first, second = (_read(moment.replace(fold=fold)) for fold in (0, 1))
    if first > second:
        cause = "was left out when the clocks went forward"
    elif first < second and twice is None:
        cause = "came twice when the clocks went back"
    else:
        return second if twice else first
    choice = " or ".join(f"{option} {each.astimezone().isoformat()}" for each in sorted((first, second)))
    raise SettingsError(f"{option} {text!r} {cause}; write {choice}")


def _read(moment: datetime) -> datetime:
    """Return the instant that a local time names.

    One that came twice is the first with `fold` 0. One that was left out is as much after the jump as the clock had
    gone past it, and with `fold` 1 as much before (PEP 495): the later comes first.
    """
    return datetime.fromtimestamp(moment.timestamp(), UTC)


def _checked(option: str, text: str, day: _Day) -> _Day:
    if day.year not in _YEARS:
        raise SettingsError(f"{option} {text!r} is too far away; write a year from {_YEARS[0]} to {_YEARS[-1]}")
    return day
