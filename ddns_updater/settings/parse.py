"""Parse environment variables into values, and collect every problem instead of stopping at the first."""

import re
from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

_T = TypeVar("_T")
_E = TypeVar("_E", bound=StrEnum)

_COMMA = re.compile(",")


class Parser:
    """A parser of variables by name; each one it cannot use is added to `problems`, and its name to `bad`."""

    def __init__(self, values: Mapping[str, str], problems: list[str]) -> None:
        """Take the variables that are set; an empty value is a problem."""
        self.values = {key: value.strip() for key, value in values.items()}
        self.problems = problems
        self.bad: set[str] = set()
        for key, value in self.values.items():
            if not value:
                self._reject(key, f"{key} is empty; set a value or remove it")

    def get(self, key: str, parse: Callable[[str], _T], default: _T) -> _T:
        """Return the parsed value of `key` or `default`; a ValueError of `parse` says what is wrong and what to do."""
        text = self.values.get(key)
        if not text:
            return default
        try:
            return parse(text)
        except ValueError as error:
            self._reject(key, f"{key}={text!r} {error}")
            return default

    def choice(self, key: str, default: _E) -> _E:
        """Return a value of the enumeration that `default` belongs to."""

        def parse(text: str) -> _E:
            try:
                return type(default)(text.lower())
            except ValueError:
                words = " or ".join(", ".join(type(default)).rsplit(", ", 1))
                raise ValueError(f"is not {words}; write {key}={default}") from None

        return self.get(key, parse, default)

    def items(
        self,
        key: str,
        parse: Callable[[str], _T],
        default: tuple[_T, ...],
        *,
        show: Callable[[str], str] = repr,
        comma: re.Pattern[str] = _COMMA,
    ) -> tuple[_T, ...]:
        """Return the items of a list without duplicates; `show` quotes an item in a problem without its secrets."""

        def parse_list(text: str) -> tuple[_T, ...]:
            parsed: dict[_T, None] = {}  # keeps the order and drops duplicates
            items = [item.strip() for item in comma.split(text) if item.strip(" ,")]
            if not items:
                raise ValueError("lists nothing; set a value or remove it")
            for item in items:
                try:
                    parsed[parse(item)] = None
                except ValueError as error:
                    self._reject(key, f"{key}: {show(item)} {error}")
            return tuple(parsed) or default

        return self.get(key, parse_list, default)

    def secret(self, key: str, parse: Callable[[str], _T], default: _T) -> _T:
        """Read `key` or the file that `key`_FILE names; a problem never shows the value."""
        text, file = self.values.get(key), self.values.get(f"{key}_FILE")
        shown = key
        if text and file:
            self._reject(key, f"{key} and {key}_FILE are both set; keep one of them")
        elif file:
            shown = f"{key}_FILE={file!r}"
            try:
                text = Path(file).read_text(encoding="utf-8").strip()
            except (OSError, ValueError) as error:
                cause = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
                self._reject(key, f"{shown} cannot be read: {cause}; name a file that holds the value")
                return default
            if not text:
                self._reject(key, f"{shown} is an empty file; put the value in it")
        if not text:
            return default
        try:
            return parse(text)
        except ValueError as error:
            self._reject(key, f"{shown} {error}")
            return default

    def _reject(self, key: str, problem: str) -> None:
        self.problems.append(problem)
        self.bad.add(key)


def whole(key: str, unit: str, low: int, high: int, example: int) -> Callable[[str], int]:
    """Return a parser of whole numbers from `low` to `high`."""

    def parse(text: str) -> int:
        if not (text.isascii() and text.isdigit()):
            raise ValueError(f"is not a whole number of {unit}; write {key}={example}")
        if not low <= int(text) <= high:
            raise ValueError(f"is not between {low} and {high} {unit}; write {key}={example}")
        return int(text)

    return parse
