"""Checks as lines for a person, and as JSON for a program."""

import json
import re
import textwrap
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from ddns_updater.doctor.check import Check, State

Paint = Callable[[str, str], str]  # a text and a colour, to the text in that colour

_MARKS = {
    State.OK: ("ok", "green"),
    State.NOTE: ("note", "cyan"),
    State.WARNING: ("warn", "yellow"),
    State.FAILED: ("FAIL", "red"),
    State.SKIPPED: ("skip", "bright_black"),
}
_INDENT = " " * 8
_NARROWEST = 30  # columns; below that nothing can be read anyhow
_COMMAND = re.compile(r'"[^"]+"|\b(?:chmod|mkdir|pipx|ddns) [^;,]*')  # in an advice; it is to be copied
_GLUE = "\xa0"  # a space at which no line is wrapped


def check_lines(check: Check, width: int | None, paint: Paint) -> str:
    """Return the lines of one check, wrapped at `width` columns; None is no limit."""
    mark, colour = _MARKS[check.state]
    lines = _wrapped(_one_line(f"{check.name}: {check.found}"), width)
    if check.advice:
        whole = _COMMAND.sub(lambda command: command[0].replace(" ", _GLUE), _one_line(check.advice))
        lines += [line.replace(_GLUE, " ") for line in _wrapped(f"-> {whole}", width)]
    lines[0] = f"  {paint(mark.ljust(4), colour)}  {lines[0].lstrip()}"
    return "\n".join(lines)


def summary(checks: Sequence[Check]) -> str:
    """Return how many checks ended how: `14 checks: 12 ok, 1 warning, 1 failed`."""
    count = Counter(check.state for check in checks)
    words = {State.NOTE: "note", State.WARNING: "warning"}
    parts = [
        f"{count[state]} {words.get(state, state)}{'s' if state in words and count[state] > 1 else ''}"
        for state in State
        if count[state]
    ]
    return f"{len(checks)} check{'' if len(checks) == 1 else 's'}: {', '.join(parts)}"


def checks_json(checks: Iterable[Check]) -> str:
    """Return the object that `ddns doctor --json` prints."""
    found = [check._asdict() for check in checks]
    return json.dumps({"ok": all(each["state"] != State.FAILED for each in found), "checks": found}, indent=2)


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _wrapped(text: str, width: int | None) -> list[str]:
    if width is None:
        return [_INDENT + text]
    return textwrap.wrap(
        text,
        max(width, _NARROWEST),
        initial_indent=_INDENT,
        subsequent_indent=_INDENT,
        break_on_hyphens=False,
        break_long_words=False,  # of a path or an ARN that is to be copied
    )
