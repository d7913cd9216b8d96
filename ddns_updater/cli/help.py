"""Help that fits the terminal: no line is wider, and no word is broken."""

import re
import shutil
from collections.abc import Iterable

import click

from ddns_updater.output.layout import wrapped

_MAX_WIDTH = 80  # columns
_MIN_COLUMN = 24  # columns for the texts of a list; with less, they stand below their terms
_LITERAL = "\b"  # a paragraph that begins with it keeps its lines


class Formatter(click.HelpFormatter):
    """A formatter for the terminal at hand."""

    def __init__(self) -> None:
        super().__init__(width=min(shutil.get_terminal_size().columns, _MAX_WIDTH) - 2)

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        self._write_lines(wrapped(f"{prefix or 'Usage: '}{prog} {args}", self.width, rest=" " * 4))

    def write_text(self, text: str) -> None:
        indent = " " * self.current_indent
        for number, paragraph in enumerate(text.split("\n\n")):
            if number:
                self.write("\n")
            begin, *others = paragraph.splitlines() or [""]
            if begin.strip() == _LITERAL:
                self._write_lines(part for line in others for part in _broken(indent + line, self.width))
            else:
                self._write_lines(wrapped(" ".join(paragraph.split()), self.width, indent, indent))

    def write_dl(self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        rows = list(rows)
        indent = " " * self.current_indent
        column = min(max(len(term) for term, _ in rows), col_max) + col_spacing
        stacked = self.width - len(indent) - column < _MIN_COLUMN
        margin = indent * 3 if stacked else indent + " " * column
        for term, text in rows:
            begin = indent + term
            if stacked or len(begin) > len(margin) - col_spacing:
                self._write_lines(wrapped(begin, self.width, rest=indent))
                begin = ""
            self._write_lines(wrapped(text, self.width, begin.ljust(len(margin)), margin))

    def _write_lines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(f"{line}\n")


def _broken(line: str, width: int) -> list[str]:
    """Return a line that keeps its form if it fits; else its columns move together, and then it is wrapped."""
    if len(line) <= width:
        return [line]
    text = line.lstrip()
    indent = line[: -len(text)]
    is_command = text.startswith("ddns ") and "  " not in text
    if not is_command:
        return wrapped(re.sub(" {3,}", "  ", text), width, indent, f"{indent}    ")
    *lines, last = wrapped(text, width - len(" \\"), indent, f"{indent}    ")
    return [*(f"{each} \\" for each in lines), last]  # as a shell takes it
