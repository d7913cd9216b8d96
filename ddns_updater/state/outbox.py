"""The outbox of undelivered alerts, kept in the state file from run to run.

Each channel gets its alerts in order. Undelivered alerts are retried after 1, 2, 4 … 60 minutes, and at once when a new
one is added, unless the channel itself asked for the pause.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from ddns_updater.alerts.event import Event, Kind
from ddns_updater.state.clock import ClockShift

_FIRST_PAUSE, _LONGEST_PAUSE = timedelta(minutes=1), timedelta(hours=1)
_OLDEST = timedelta(days=1)  # older alerts are dropped
_ABOUT_INCIDENT = {  # and the alerts that they replace
    Kind.FAILING: Kind.FAILING,
    Kind.RECOVERED: Kind.FAILING,
    Kind.HOSTS_FAILING: Kind.HOSTS_FAILING,
    Kind.HOSTS_RECOVERED: Kind.HOSTS_FAILING,
}
_MOST = 100  # alerts; beyond that, the oldest are dropped


class Undelivered(NamedTuple):
    """An alert: the event, since when it waits, and the keys of the channels that lack it."""

    origin: str
    event: Event
    since: datetime
    to: tuple[str, ...]


Due = tuple[Undelivered, str]  # an alert, and the key of a channel that it may be sent to now


class Pause(NamedTuple):
    """How long a channel is left alone: `until` when, after how many `tries`, and whether it `asked` for that."""

    tries: int
    until: datetime
    asked: bool


class Outbox:
    """Undelivered alerts in order, and the pauses of channels by key."""

    def __init__(self, undelivered: Sequence[Undelivered] = (), pauses: Mapping[str, Pause] | None = None) -> None:
        self.undelivered = list(undelivered)
        self.pauses = dict(pauses or {})

    def add(self, origin: str, events: Sequence[Event], keys: Collection[str], now: datetime) -> None:
        """Add `events` for the channels of `keys`; one about an incident replaces an older one about it."""
        for event in events:
            replaced = _ABOUT_INCIDENT.get(event.kind)
            self.undelivered = [
                each for each in self.undelivered if each.origin != origin or each.event.kind is not replaced
            ]
            self.undelivered.append(Undelivered(origin, event, now, tuple(keys)))
        if events:
            self.pauses = {key: pause for key, pause in self.pauses.items() if pause.asked}

    def drop_expired(self, now: datetime) -> int:
        """Drop the alerts that are too old, and return how many.

        Alerts for channels that this run does not know are kept: they can belong to another origin.
        """
        return self._keep([each for each in self.undelivered if each.to and now - each.since <= _OLDEST])

    def drop_surplus(self) -> int:
        """Drop the oldest of too many alerts, and return how many."""
        return self._keep(self.undelivered[-_MOST:])

    def _keep(self, kept: list[Undelivered]) -> int:
        dropped = sum(bool(each.to) for each in self.undelivered) - sum(bool(each.to) for each in kept)
        self.undelivered = kept
        self.pauses = {key: pause for key, pause in self.pauses.items() if any(key in each.to for each in kept)}
        return dropped

    def shift(self, shift: ClockShift) -> None:
        """Correct all times after the clock was set, and end every pause."""
        self.undelivered = [each._replace(since=min(shift.moved(each.since), shift.now)) for each in self.undelivered]
        self.pauses = {key: each._replace(until=min(each.until, shift.now)) for key, each in self.pauses.items()}

    def rename(self, before: str, after: str) -> None:
        """Move the alerts of one origin to another."""
        self.undelivered = [each._replace(origin=after) if each.origin == before else each for each in self.undelivered]

    def due(self, keys: Collection[str], now: datetime) -> list[Due]:
        """Return what may be sent now, in order."""
        waiting = {key for key, pause in self.pauses.items() if pause.until > now}
        return [(each, key) for each in self.undelivered for key in each.to if key in keys and key not in waiting]

    def delivered(self, alert: Undelivered, key: str) -> None:
        """Mark `alert` as done for the channel of `key`: it was accepted, or never will be."""
        left = [
            each._replace(to=tuple(other for other in each.to if other != key)) if each.event == alert.event else each
            for each in self.undelivered
        ]
        self.undelivered = [each for each in left if each.to]
        self.pauses.pop(key, None)

    def retry_later(self, key: str, now: datetime, seconds: int) -> None:
        """Leave the channel of `key` alone for a while, at least for the `seconds` that it asked for."""
        tries = self.pauses[key].tries + 1 if key in self.pauses else 1
        pause = min(_FIRST_PAUSE * 2 ** min(tries - 1, 10), _LONGEST_PAUSE)
        self.pauses[key] = Pause(tries, now + max(pause, timedelta(seconds=seconds)), asked=seconds > 0)
