"""A webhook of Discord.

https://docs.discord.com/developers/resources/webhook#execute-webhook
"""

import re
from collections.abc import Mapping
from typing import Any

_TITLE, _TEXT = 256, 4096  # characters that an embed may have
_MARKS = re.compile(r"[\\*_~`|>\[\]#]")  # two wildcards would be taken for the begin and the end of italics
_COLOURS = {"changed": 0x3498DB, "repaired": 0xF1C40F, "failing": 0xE74C3C, "recovered": 0x2ECC71}


def payload(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the message as an embed that calls nobody by name."""
    embed = {
        "title": _shown(event["title"], _TITLE),
        "description": _shown(event["text"], _TEXT),
        "color": _COLOURS[event["event"]],
        "timestamp": event["time"],
    }
    return {"embeds": [embed], "allowed_mentions": {"parse": []}}


def _shown(text: str, most: int) -> str:
    """Return `text` with Discord's own marks escaped, cut to what it takes."""
    escaped = _MARKS.sub(r"\\\g<0>", text)
    return escaped if len(escaped) <= most else escaped[: most - 1].rstrip("\\") + "…"
