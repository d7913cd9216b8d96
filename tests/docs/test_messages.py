"""docs/troubleshooting.md explains messages that the program has."""

import ast
import re
from collections.abc import Iterator

import pytest

from tests.docs.pages import TOP, text_of

_ROWS = re.findall(r"^\| (`.+?) \| .+ \|$", text_of("docs/troubleshooting.md"), re.MULTILINE)
_MESSAGES = [message for row in _ROWS for message in re.findall(r"`([^`]+)`", row)]
_CODES = "AccessDenied|Throttling|PriorRequestNotComplete"  # of AWS
_FILLED = rf"\b(?:{_CODES}|ipv4|ipv6|dns|HOME|2|55 s|runs|alerts|have|replaced|repaired)\b"


def _texts() -> Iterator[str]:
    """Yield every text that the program's modules hold, in pieces between what is filled in."""
    for path in (TOP / "ddns_updater").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value


_TEXTS = "\n".join(_texts())


@pytest.mark.parametrize("message", _MESSAGES)
def test_every_message_that_is_explained_is_one_of_the_program(message: str) -> None:
    pieces = [piece.strip(" ;:,()/") for piece in re.split("…|; ", re.sub(_FILLED, "…", message))]
    assert all(piece in _TEXTS for piece in pieces), pieces
    assert any(len(piece) > 3 for piece in pieces) or message == "PriorRequestNotComplete"


def test_every_row_names_a_message() -> None:
    table_lines = [line for line in text_of("docs/troubleshooting.md").splitlines() if line.startswith("| ")]
    titles = sum(line in ("| message | what to do |", "| --- | --- |") for line in table_lines)
    assert len(_ROWS) == len(table_lines) - titles > 40
