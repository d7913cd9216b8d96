"""A channel: a destination that alerts are sent to."""

from collections.abc import Callable
from typing import NamedTuple

from ddns_updater.alerts.event import Event


class Channel(NamedTuple):
    """A destination for alerts; messages show `name`, the state file holds `key`; neither reveals its secret.

    `send` raises AlertError when the channel does not accept the event.
    """

    key: str
    name: str
    send: Callable[[Event], None]
