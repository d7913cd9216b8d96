"""A webhook that gets the event as JSON, in the documented form."""

from collections.abc import Mapping
from typing import Any


def payload(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the event as it is."""
    return event
