"""What is still to be told, and to whom; the diary keeps it from run to run.

A channel hears of things in the order in which they came about. One that does not take something is left alone for 1,
2, 4 … 60 minutes, but tried at once when something new is to be told, unless it asked for the pause itself.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from ddns_updater.alerts.event import Event, Kind

_FIRST_PAUSE, _LONGEST_PAUSE = timedelta(minutes=1), timedelta(hours=1)
_OLDEST = timedelta(days=1)  # nothing older is told
_MOST = 100  # things that are owed; of more, the newest


class Undelivered(NamedTuple):
    """An event in its JSON form, `since` when it is owed, and the keys of the channels that have not taken it."""

    origin: str
    event: Mapping[str, Any]
    since: datetime
    to: tuple[str, ...]


class Wait(NamedTuple):
    """How often in a row a channel took nothing, and `until` when it is left alone; `asked` when it asked for that."""

    tries: int
    until: datetime
    asked: bool


class Outbox:
    """What is owed, in order, and the waits of channels by their keys."""

    def __init__(self, owed: Sequence[Undelivered] = (), waits: Mapping[str, Wait] | None = None) -> None:
        self.owed = list(owed)
        self.waits = dict(waits or {})

    def put(self, origin: str, events: Sequence[Event], keys: Collection[str], now: datetime) -> None:
        """Owe `events` to the channels of `keys`; one about an incident takes the place of an older one about it."""
        for event in events:
            if event.kind in (Kind.FAILING, Kind.RECOVERED):
                self.owed = [each for each in self.owed if each.origin != origin or each.event["event"] != Kind.FAILING]
            self.owed.append(Undelivered(origin, event.json(), now, tuple(keys)))
        if events:
            self.waits = {key: wait for key, wait in self.waits.items() if wait.asked}

    def drop_expired(self, now: datetime) -> int:
        """Give up what is too old, or too much, and return how many things that were.

        Who is owed something may be a channel of another origin, or one that a run by hand did not name: it is kept.
        """
        left = [each for each in self.owed if each.to and now - each.since <= _OLDEST][-_MOST:]
        given_up = sum(bool(each.to) for each in self.owed) - len(left)
        self.owed = left
        self.waits = {key: wait for key, wait in self.waits.items() if any(key in each.to for each in left)}
        return given_up

    def bring_forward(self, now: datetime) -> None:
        """Let nothing wait for a time that a clock now set back would reach much later."""
        self.owed = [each._replace(since=min(each.since, now)) for each in self.owed]
        self.waits = {key: wait._replace(until=min(wait.until, now)) for key, wait in self.waits.items()}

    def rename(self, before: str, after: str) -> None:
        """Let what is owed about one origin be about another."""
        self.owed = [each._replace(origin=after) if each.origin == before else each for each in self.owed]

    def due(self, keys: Collection[str], now: datetime) -> list[tuple[Undelivered, str]]:
        """Return what may be told now to the channels of `keys`, each with the key of one."""
        waiting = {key for key, wait in self.waits.items() if wait.until > now}
        return [(each, key) for each in self.owed for key in each.to if key in keys and key not in waiting]

    def delivered(self, owed: Undelivered, key: str) -> None:
        """Note that the channel of `key` took it, or never will."""
        left = [
            each._replace(to=tuple(other for other in each.to if other != key)) if each.event == owed.event else each
            for each in self.owed
        ]
        self.owed = [each for each in left if each.to]
        self.waits.pop(key, None)

    def retry_later(self, key: str, now: datetime, seconds: int) -> None:
        """Leave the channel of `key` alone for a while, at least for the `seconds` that it asked for."""
        tries = self.waits[key].tries + 1 if key in self.waits else 1
        pause = min(_FIRST_PAUSE * 2 ** min(tries - 1, 10), _LONGEST_PAUSE)
        self.waits[key] = Wait(tries, now + max(pause, timedelta(seconds=seconds)), asked=seconds > 0)
