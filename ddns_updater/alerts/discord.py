"""The payload of Discord webhooks.

https://docs.discord.com/developers/resources/webhook#execute-webhook
"""

import re
from collections.abc import Mapping
from typing import Any

from ddns_updater.alerts.event import Event, Kind

_TITLE, _TEXT = 256, 4096  # Discord's limits for an embed, in characters
# Otherwise text between two wildcards would turn italic, `2001:db8:100::` hold an emoji, and a URL become a link.
_MARKDOWN = re.compile(r"[\\*_~`|<>()\[\]#@:]|^[-+]|(?<=\d)\.(?=\s)")
_COLOURS = {
    Kind.CHANGED: 0x3498DB,
    Kind.REPAIRED: 0xF1C40F,
    Kind.FAILING: 0xE74C3C,
    Kind.RECOVERED: 0x2ECC71,
    Kind.HOSTS_FAILING: 0xE74C3C,
    Kind.HOSTS_RECOVERED: 0x2ECC71,
    Kind.HOSTS_SLOWED: 0xF1C40F,
    Kind.TEST: 0x3498DB,
}


def payload(event: Event) -> Mapping[str, Any]:
    """Return the message as an embed that mentions no one."""
    embed = {
        "title": _escaped(event.title, _TITLE),
        "description": _escaped(event.text, _TEXT),
        "color": _COLOURS[event.kind],
        "timestamp": event.time.isoformat(timespec="seconds"),
    }
    return {"embeds": [embed], "allowed_mentions": {"parse": []}}


def _escaped(text: str, limit: int) -> str:
    """Return `text` with Markdown escaped, cut to `limit` characters."""
    escaped = _MARKDOWN.sub(r"\\\g<0>", text)
    return escaped if len(escaped) <= limit else escaped[: limit - 1].rstrip("\\") + "…"
