"""A channel: a destination that alerts are sent to."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple


class Channel(NamedTuple):
    """A destination for alerts; messages show `name`, the state file holds `key`; neither reveals its secret.

    `send` takes an event in its JSON form and raises AlertError when the channel does not accept it.
    """

    key: str
    name: str
    send: Callable[[Mapping[str, Any]], None]
