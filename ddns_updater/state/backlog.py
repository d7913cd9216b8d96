"""The undelivered alerts of one origin, by channel, as people look at them."""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from ddns_updater.lib.humanize import counted, local_time
from ddns_updater.state.outbox import Outbox, Undelivered


class Backlog(NamedTuple):
    """The alerts that one channel has not accepted yet, oldest first; `channel` is None when it is not configured."""

    channel: str | None
    alerts: tuple[Undelivered, ...]

    @property
    def since(self) -> datetime:
        """Return since when the oldest waits."""
        return min(each.since for each in self.alerts)

    def __str__(self) -> str:
        kinds = ", ".join(dict.fromkeys(each.event.kind for each in self.alerts))
        verb = "has" if len(self.alerts) == 1 else "have"
        return (
            f"{counted(len(self.alerts), 'alert')} ({kinds}) {verb} been undelivered to"
            f" {self.channel or 'a channel that is not configured here'} since {local_time(self.since)}"
        )


def backlogs(outbox: Outbox, origin: str, names: Mapping[str, str]) -> tuple[Backlog, ...]:
    """Return what each channel lacks of the alerts of `origin`; `names` has the configured channels by key."""
    waiting: dict[str, list[Undelivered]] = {}
    for alert in outbox.undelivered:
        if alert.origin == origin:
            for key in alert.to:
                waiting.setdefault(key, []).append(alert)
    return tuple(Backlog(names.get(key), tuple(alerts)) for key, alerts in waiting.items())
