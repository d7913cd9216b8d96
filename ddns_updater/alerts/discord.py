"""A webhook of Discord.

https://docs.discord.com/developers/resources/webhook#execute-webhook
"""

from collections.abc import Mapping
from typing import Any

_TITLE, _TEXT = 256, 4096  # characters that an embed may have
_COLOURS = {"changed": 0x3498DB, "repaired": 0xF1C40F, "failing": 0xE74C3C, "recovered": 0x2ECC71}


def payload(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the message as an embed that calls nobody by name."""
    embed = {
        "title": _cut(event["title"], _TITLE),
        "description": _cut(event["text"], _TEXT),
        "color": _COLOURS[event["event"]],
        "timestamp": event["time"],
    }
    return {"embeds": [embed], "allowed_mentions": {"parse": []}}


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
