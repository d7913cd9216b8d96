"""Samples of what a command prints, and how one is compared with what it prints now."""

import difflib
import re
from collections.abc import Iterator

_ALIKE = (  # what differs from run to run, whatever it is
    (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d)?(?:[.,]\d+)?(?:[+-]\d\d:\d\d|Z| [A-Z]{3,4}\b)?", "<time>"),
    (r"\b\d+(?:\.\d+)? (?:ms|s|min|h|d)\b(?: \d+ (?:s|min|h)\b)?", "<duration>"),
    (r'"C\w+"', '"<change>"'),
    (r"\b[0-9a-hjkmnp-tv-z]{32}\b", "<secret>"),
    (r"(_seconds\"?[=:] ?)\d+", r"\1<seconds>"),
    (r"[ \t]+", " "),
)


def commands(text: str) -> Iterator[tuple[str, str]]:
    """Yield each command of a session behind `$ `, and what it prints; a final backslash continues it."""
    assert text.startswith("$ ")
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, _, rest = part.partition("\n")
        while command.endswith("\\"):
            more, _, rest = rest.partition("\n")
            command = command[:-1] + more.removeprefix("> ").strip()
        yield command, rest


def compare(expected: str, printed: str, what: str) -> None:
    """Assert that a sample is what was printed, up to times and the like.

    `…` is anything in a line or, alone in a line, any lines.
    """
    form = ""
    for line in _lines(expected):
        form += r"(?:.*\n)*?" if line == "…" else re.escape(line).replace("…", ".*") + "\n"
    found = _lines(printed)
    if not re.fullmatch(form, "".join(f"{line}\n" for line in found)):
        difference = "\n".join(difflib.ndiff(_lines(expected), found))
        raise AssertionError(f"{what} prints otherwise:\n{difference}\n\nthat is\n{printed}")


def _lines(text: str) -> list[str]:
    for pattern, name in _ALIKE:
        text = re.sub(pattern, name, text)
    return [line.rstrip() for line in text.strip("\n").splitlines()]
