"""Lines for a terminal: where they may break, and their colours."""

import re
import textwrap
from collections.abc import Callable

from ddns_updater.lib.printable import printable

Paint = Callable[[str, str], str]  # takes a text and a colour, returns the coloured text

_GLUE = "\xa0"  # a no-break space
# The expressions are compiled when a line is wrapped for the first time: a run under cron wraps none.
_TOGETHER = (
    r"\bRoute (?=53\b)"
    r"|(?<![^\s(])(?<!Route )\d+ (?=[a-z])"  # a number and its unit: 34 s, 3 runs
    r"|(?<=\d [dh]) (?=\d+ (?:h|min)\b)"  # both units of a duration: 3 h 20 min
    r"|(?:(?<=\d [shd])|(?<=\d min)) (?=ago\b)"
    r"|(?<=\d{4}-\d\d-\d\d) (?=\d\d:\d\d)"  # a date and its time
    r"|(?<=\d\d:\d\d) (?=[A-Z]{2,5}\b|[+-]\d\d\b)"  # a time and its zone
)
_COMMAND = r"(?<!\S)(?:chmod|chown|mkdir|pipx|sudo|uv|/\S+/pip) [^;,]*"  # stays whole for copying, however long it is
_WHERE_IT_FITS = (
    r'(?<!\S)(?:"[^"]+"|`[^`]+`'  # a command or prose
    r"|ddns [\w-]+(?: --[\w-]+(?: [\w.-]+)?)*"
    r"|[*\w.-]+\.[\w-]+ A(?:AAA)?\b)"  # a record
)


def wrapped(text: str, width: int | None, first: str = "", rest: str = "") -> list[str]:
    """Return `text` as lines of at most `width` columns, None for no limit; `first` and `rest` are their indents.

    What a terminal would obey in it is escaped. They break at spaces only, and not within a time, a duration or a
    command. A word that is wider than a line, such as a path or an ARN, has a line to itself.
    """
    text = printable(text)
    if width is None:
        return [first + text]
    room = width - len(rest)

    def glued_if_it_fits(match: re.Match[str]) -> str:
        return _glued(match) if len(match[0]) <= room else match[0]

    text = re.sub(_COMMAND, _glued, re.sub(_TOGETHER, _glued, text))
    lines = textwrap.wrap(
        re.sub(_WHERE_IT_FITS, glued_if_it_fits, text),
        width,
        initial_indent=first,
        subsequent_indent=rest,
        break_on_hyphens=False,
        break_long_words=False,
    )
    return [line.replace(_GLUE, " ") for line in lines]


def _glued(match: re.Match[str]) -> str:
    return match[0].replace(" ", _GLUE)
