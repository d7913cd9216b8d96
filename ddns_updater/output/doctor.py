"""The checks of `ddns doctor` as text and JSON."""

import json
import re
import textwrap
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from ddns_updater.doctor.check import Check, State

Paint = Callable[[str, str], str]  # takes a text and a colour, returns the coloured text

_MARKS = {
    State.OK: ("ok", "green"),
    State.NOTE: ("note", "cyan"),
    State.WARNING: ("warn", "yellow"),
    State.FAILED: ("FAIL", "red"),
    State.SKIPPED: ("skip", "bright_black"),
}
_INDENT = " " * 8
_MIN_WIDTH = 30  # columns; narrower text is unreadable
_COMMAND = re.compile(r'"[^"]+"|\b(?:chmod|mkdir|pipx|ddns) [^;,]*')  # in advice; kept on one line for copying
_GLUE = "\xa0"  # a no-break space


def check_lines(check: Check, width: int | None, paint: Paint) -> str:
    """Return the lines of one check, wrapped at `width` columns; None means no limit."""
    mark, colour = _MARKS[check.state]
    lines = _wrap(_one_line(f"{check.name}: {check.found}"), width)
    if check.advice:
        whole = _COMMAND.sub(lambda command: command[0].replace(" ", _GLUE), _one_line(check.advice))
        lines += [line.replace(_GLUE, " ") for line in _wrap(f"-> {whole}", width)]
    lines[0] = f"  {paint(mark.ljust(4), colour)}  {lines[0].lstrip()}"
    return "\n".join(lines)


def summary(checks: Sequence[Check]) -> str:
    """Return the number of checks by state: `14 checks: 12 ok, 1 warning, 1 failed`."""
    count = Counter(check.state for check in checks)
    nouns = {State.NOTE: "note", State.WARNING: "warning"}
    parts = [
        f"{count[state]} {nouns.get(state, state)}{'s' if state in nouns and count[state] > 1 else ''}"
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


def _wrap(text: str, width: int | None) -> list[str]:
    if width is None:
        return [_INDENT + text]
    return textwrap.wrap(
        text,
        max(width, _MIN_WIDTH),
        initial_indent=_INDENT,
        subsequent_indent=_INDENT,
        break_on_hyphens=False,
        break_long_words=False,  # keeps paths and ARNs whole for copying
    )
