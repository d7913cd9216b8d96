"""The ticks of a time axis: round local times, as close together as their labels allow."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import pairwise

_MONDAY = datetime(1900, 1, 1)
_DAY = timedelta(days=1)
_MARK = "|"

Label = Callable[[datetime], str]
Step = timedelta | int


def tick_line(begin: datetime, end: datetime, columns: int) -> str:
    """Return the ticks between `begin` and `end` on an axis of so many columns, each a mark and its label.

    They are the finest of seconds, minutes, hours, days, weeks, months and years whose labels fit. It is empty where
    none fits.
    """
    length = (end - begin).total_seconds()
    for step, *labels in _STEPS:
        if length * 2 > _seconds(step) * columns:  # two columns are the least for a tick
            continue
        times = list(_ticks(begin, end, step))
        places = [int((time.astimezone() - begin).total_seconds() * columns / length) for time in times]
        for label, longest in labels:
            texts = [_MARK + label(time) for time in times]
            if texts and length <= longest.total_seconds() and _fit(places, texts):
                return _drawn(places, texts, columns)
    return ""


def _ticks(begin: datetime, end: datetime, step: Step) -> Iterator[datetime]:
    """Yield the local times of the axis that are a multiple of `step`, a number of months or a length of time."""
    time, last = (each.astimezone().replace(tzinfo=None) for each in (begin, end))
    while (time := _next(time, step)) < last:
        yield time


def _next(time: datetime, step: Step) -> datetime:
    if isinstance(step, timedelta):
        return _MONDAY + ((time - _MONDAY) // step + 1) * step
    months = ((time.year * 12 + time.month - 1) // step + 1) * step
    return datetime(months // 12, months % 12 + 1, 1)


def _seconds(step: Step) -> float:
    return (step if isinstance(step, timedelta) else step * 28 * _DAY).total_seconds()


def _fit(places: Sequence[int], texts: Sequence[str]) -> bool:
    return all(place + len(text) <= after for text, (place, after) in zip(texts, pairwise(places), strict=False))


def _drawn(places: Sequence[int], texts: Sequence[str], columns: int) -> str:
    line = ""
    for place, text in zip(places, texts, strict=True):
        line = line.ljust(place) + (text if place + len(text) <= columns else _MARK)
    return line


def _second(time: datetime) -> str:
    return f"{time:%H:%M:%S}"


def _minute(time: datetime) -> str:
    return f"{time:%H:%M}"


def _minute_or_day(time: datetime) -> str:
    return _minute(time) if time.hour or time.minute else _day(time)


def _day(time: datetime) -> str:
    return f"{time:%b} {time.day}"


def _day_of_month(time: datetime) -> str:
    return str(time.day)


def _month(time: datetime) -> str:
    return f"{time:%b}"


def _month_or_year(time: datetime) -> str:
    return _month(time) if time.month > 1 else _year(time)


def _year(time: datetime) -> str:
    return f"{time:%Y}"


_EVER = timedelta.max
# The labels of a step, each with the longest axis on which it says enough; months are numbers.
_OF_HOURS = ((_minute_or_day, _EVER), (_minute, _DAY))
_OF_DAYS = ((_day, _EVER), (_day_of_month, 31 * _DAY))
_OF_MONTHS = ((_month_or_year, _EVER), (_month, 366 * _DAY))
_STEPS: tuple[tuple[Step, *tuple[tuple[Label, timedelta], ...]], ...] = (
    *((timedelta(seconds=number), (_second, _EVER)) for number in (1, 5, 15)),
    *((timedelta(minutes=number), *_OF_HOURS) for number in (1, 5, 15)),
    *((timedelta(hours=number), *_OF_HOURS) for number in (1, 3, 6)),
    (_DAY, *_OF_DAYS),
    (7 * _DAY, *_OF_DAYS),
    (1, *_OF_MONTHS),
    (3, *_OF_MONTHS),
    *((12 * number, (_year, _EVER)) for number in (1, 5, 10, 50)),
)
