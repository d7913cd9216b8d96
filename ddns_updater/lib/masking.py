"""Secrets within texts from outside: a server may quote what it was sent."""

import re
from collections.abc import Iterable
from urllib.parse import quote

_SHORTEST = 6  # characters; less cannot be told from other words


def masked(text: str, secrets: Iterable[str | None]) -> str:
    """Return `text` with `…` in place of each secret: as it is, percent-encoded, or in another letter case."""
    for secret in secrets:
        for part in (secret or "").split():  # an error shows white space in its own way
            for form in (part, quote(part, safe="")):
                if len(form) >= _SHORTEST:
                    text = re.sub(re.escape(form), "…", text, flags=re.IGNORECASE)
    return text
