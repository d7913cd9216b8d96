"""The payload of Slack webhooks and compatible ones (Mattermost, Rocket.Chat).

https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
"""

from collections.abc import Mapping
from typing import Any

from ddns_updater.alerts.event import Event


def payload(event: Event) -> Mapping[str, Any]:
    """Return the message with Slack's control characters escaped."""
    title, text = _escaped(event.title), _escaped(event.text)
    bold = title if "*" in title else f"*{title}*"  # Slack cannot escape the asterisk of a wildcard
    return {"text": f"{bold}\n{text}"}


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
