"""Mentions: what makes a chat service notify people, such as @channel."""

import re

_MENTION = re.compile(r"[@#](?=\w)|<(?=[@!#])")  # Slack: <!channel>, <@U012>, <#C012>
_BREAK = "\N{ZERO WIDTH SPACE}"  # is part of no name


def without_mentions(text: str) -> str:
    """Return `text`, which looks the same, with no mention in it that a service would obey."""
    return _MENTION.sub(rf"\g<0>{_BREAK}", text)
