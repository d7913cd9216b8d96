"""Text from outside as it may be shown: what a terminal, a log or a page would obey becomes visible.

Answers of servers, values in DNS, names and notes in the table are chosen by others.
"""

import re

# Control characters, also those of one byte that terminals take for an escape sequence (C1); line and paragraph
# separators; what reverses the direction of writing (Trojan Source, CVE-2021-42574); halves of a surrogate pair, which
# no encoding takes. Compiled when it is needed for the first time.
_OBEYED = r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u206f\ud800-\udfff\ufeff\ufff9-\ufffb]"


def printable(text: str) -> str:
    r"""Return `text` in one line, with escapes such as `\x1b` or `\u202e` for what would be obeyed."""
    return text if text.isprintable() else re.sub(_OBEYED, _escape, text)


def printable_lines(text: str) -> str:
    """Return `text` as `printable` does, but with its line breaks."""
    return "\n".join(map(printable, text.split("\n")))


def _escape(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode("ascii")
