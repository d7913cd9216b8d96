"""Checks as lines for a person, and as JSON for a program."""

import json
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


def check_lines(check: Check, width: int | None, paint: Paint) -> str:
    """Return the lines of one check, wrapped at `width` columns; None is no limit."""
    mark, colour = _MARKS[check.state]
    lines = _wrapped(f"{check.name}: {check.found}", width)
    if check.advice:
        lines += _wrapped(f"-> {check.advice}", width)
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


def _wrapped(text: str, width: int | None) -> list[str]:
    text = " ".join(text.split())
    if width is None:
        return [_INDENT + text]
    return textwrap.wrap(
        text,
        max(width, _NARROWEST),
        initial_indent=_INDENT,
        subsequent_indent=_INDENT,
        break_on_hyphens=False,
    )
