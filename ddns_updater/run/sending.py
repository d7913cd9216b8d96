"""Send the undelivered alerts of the state.

The write order: alerts go into the state together with the counts that they come from, then to the channels, then
out of it. A kill in between leaves them to the next time. An alert arrives twice when the kill came just after a
channel accepted it, or when a channel accepts it after it was given up. While that delivery still hangs, no other to
the same channel begins.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from ddns_updater.alerts.channel import Channel
from ddns_updater.alerts.event import Event
from ddns_updater.errors import AlertError, DdnsError, StateError
from ddns_updater.lib.deadline import Deadline
from ddns_updater.lib.humanize import counted
from ddns_updater.run.deliveries import Deliveries
from ddns_updater.run.timetable import alert_seconds
from ddns_updater.state.content import StateContent
from ddns_updater.state.outbox import Due, Undelivered

if TYPE_CHECKING:
    from ddns_updater.state.ports import StateStore

Warn = Callable[[str], None]


class AlertSender:
    """Puts alerts into the content of the state, and sends those that are due."""

    def __init__(
        self,
        store: "StateStore",
        keys: Collection[str],
        open_channels: Callable[[], Mapping[str, Channel]],
        deliveries: Deliveries,
        now: Callable[[], datetime],
        *,
        turn: str = "run",
    ) -> None:
        """Take the state, and the `keys` of the channels that `open_channels` returns when there is an alert to send.

        What messages call the occasion on which alerts are sent is `turn`.
        """
        self._store = store
        self._keys = keys
        self._open_channels = open_channels
        self._deliveries = deliveries
        self._now = now
        self._turn = turn

    def add(self, content: StateContent, origin: str, events: Sequence[Event], now: datetime, warn: Warn) -> None:
        """Add the alerts of an origin to `content`, and drop those that are too old or too many."""
        content.outbox.add(origin, events, self._keys, now)
        if expired := content.outbox.drop_expired(now):
            warn(f"dropped {counted(expired, 'alert')} undelivered after 24 h")
        if surplus := content.outbox.drop_surplus():
            warn(f"dropped {counted(surplus, 'alert')}: too many are undelivered")

    def due(self, content: StateContent, now: datetime) -> Sequence[Due]:
        """Return the alerts of `content` that may be sent now."""
        return content.outbox.due(self._keys, now)

    def send(self, due: Sequence[Due], deadline: Deadline, warn: Warn) -> None:
        """Send the alerts that are due, under the lock for sending; save each delivery at once."""
        stuck: set[str] = set()  # channels that failed; later alerts wait, to keep their order
        try:
            channels = self._open_channels()
            for number, (alert, key) in enumerate(due):
                if key in stuck:
                    continue
                seconds = alert_seconds(deadline, len(due) - number)
                if seconds is None:
                    warn(f"no time was left to send an alert; the next {self._turn} sends it")
                    return
                channel = channels[key]
                failure = self._deliveries.deliver(key, partial(channel.send, alert.event), channel.name, seconds)
                if failure:
                    later = f"a later {self._turn} tries again" if failure.again else None
                    warn(str(DdnsError(f"failed to send an alert: {failure.problem}", failure.advice, then=later)))
                    stuck |= {key} if failure.again else set()
                self._save(alert, key, failure)
        except DdnsError as error:
            warn(str(error))

    def silent(self, error: StateError) -> str:
        """Return the text of `error`, which also keeps alerts from being sent."""
        then = "no alerts are sent until this is fixed" if self._keys else None
        return str(StateError(error.problem, error.advice, then=then))

    def _save(self, alert: Undelivered, key: str, failure: AlertError | None) -> None:
        with self._store.locked() as content:
            if failure and failure.again:
                content.outbox.retry_later(key, self._now(), failure.seconds)
            else:
                content.outbox.delivered(alert, key)
            self._store.replace(content)
