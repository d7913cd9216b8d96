"""The checks of `ddns doctor` as text and JSON."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence

from ddns_updater.doctor.check import Check, State
from ddns_updater.output.layout import Paint, wrapped

_MARKS = {
    State.OK: ("ok", "green"),
    State.NOTE: ("note", "cyan"),
    State.WARNING: ("warn", "yellow"),
    State.FAILED: ("FAIL", "red"),
    State.SKIPPED: ("skip", "bright_black"),
}
_INDENT = " " * 8


def check_lines(check: Check, width: int | None, paint: Paint) -> str:
    """Return the lines of one check, wrapped at `width` columns; None means no limit."""
    mark, colour = _MARKS[check.state]
    lines = wrapped(_one_line(f"{check.name}: {check.found}"), width, _INDENT, _INDENT)
    if check.advice:
        lines += wrapped(_one_line(check.advice), width, f"{_INDENT}-> ", _INDENT)
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
