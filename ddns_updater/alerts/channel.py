"""Somebody to tell."""

import hashlib
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple


class Channel(NamedTuple):
    """Where alerts go; `name` is how it is called, and `key` stands for its URL where that must not be written.

    `send` takes an event in its JSON form and raises AlertError when it is not taken.
    """

    key: str
    name: str
    send: Callable[[Mapping[str, Any]], None]


def key_of(url: str) -> str:
    """Return what stands for a URL in the diary; the URL cannot be learned from it."""
    return hashlib.sha256(url.encode()).hexdigest()[:12]
