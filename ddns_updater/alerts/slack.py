"""A webhook of Slack, or of what speaks its language (Mattermost, Rocket.Chat).

https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
"""

from collections.abc import Mapping
from typing import Any


def payload(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the message; what Slack takes for its own marks is escaped."""
    title, text = _escaped(event["title"]), _escaped(event["text"])
    bold = title if "*" in title else f"*{title}*"  # the star of a wildcard cannot be escaped
    return {"text": f"{bold}\n{text}"}


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
