"""The payload of Slack webhooks and compatible ones (Mattermost, Rocket.Chat, Discord's `/slack`).

https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks

These services share no escape for their markup: a backslash is shown by Slack, an entity by the others, and Mattermost
ignores `mrkdwn` and `link_names`. In a block of code all of them leave every other mark alone.
"""

import textwrap
from collections.abc import Mapping
from typing import Any

from ddns_updater.alerts.event import Event
from ddns_updater.alerts.mentions import without_mentions

_COLUMNS = 76  # Mattermost does not wrap a block of code
_NO_MARKS = str.maketrans("`<>", "'\u2039\u203a")  # what ends the block, and what Slack obeys even there


def payload(event: Event) -> Mapping[str, Any]:
    """Return the message as a block of code, in which no markup and no mention is obeyed."""
    lines = [line for text in (event.title, event.text) for line in _wrapped(text.translate(_NO_MARKS))]
    return {"text": "\n".join(["```", *map(without_mentions, lines), "```"])}


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, _COLUMNS, break_long_words=False, break_on_hyphens=False)
