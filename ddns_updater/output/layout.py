"""Lines for a terminal: where they may break, and their colours."""

import re
import textwrap
from collections.abc import Callable

Paint = Callable[[str, str], str]  # takes a text and a colour, returns the coloured text

_GLUE = "\xa0"  # a no-break space
_TOGETHER = re.compile(
    r"\bRoute (?=53\b)"
    r"|(?<![^\s(])(?<!Route )\d+ (?=[a-z])"  # a number and its unit: 34 s, 3 runs
    r"|(?<=\d [dh]) (?=\d+ (?:h|min)\b)"  # both units of a duration: 3 h 20 min
    r"|(?<=\d{4}-\d\d-\d\d) (?=\d\d:\d\d)"  # a date and its time
    r"|(?<=\d\d:\d\d) (?=[A-Z]{2,5}\b|[+-]\d\d\b)"  # a time and its zone
)
_COMMAND = re.compile(r"(?<!\S)(?:chmod|mkdir|pipx|sudo|uv) [^;,]*")  # stays whole for copying, however long it is
_QUOTE = re.compile(  # a command or prose; stays whole where it fits
    r'(?<!\S)(?:"[^"]+"|`[^`]+`|ddns [\w-]+(?: --[\w-]+(?: [\w.-]+)?)*)'
)


def wrapped(text: str, width: int | None, first: str = "", rest: str = "") -> list[str]:
    """Return `text` as lines of at most `width` columns, None for no limit; `first` and `rest` are their indents.

    They break at spaces only, and not within a time, a duration or a command. A word that is wider than a line, such as
    a path or an ARN, has a line to itself.
    """
    if width is None:
        return [first + text]
    room = width - len(rest)

    def where_it_fits(quote: re.Match[str]) -> str:
        return _glued(quote) if len(quote[0]) <= room else quote[0]

    text = _QUOTE.sub(where_it_fits, _COMMAND.sub(_glued, _TOGETHER.sub(_glued, text)))
    lines = textwrap.wrap(
        text,
        width,
        initial_indent=first,
        subsequent_indent=rest,
        break_on_hyphens=False,
        break_long_words=False,
    )
    return [line.replace(_GLUE, " ") for line in lines]


def _glued(match: re.Match[str]) -> str:
    return match[0].replace(" ", _GLUE)
