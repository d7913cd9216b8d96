"""One check of `ddns doctor`: what was looked at, what was found, and what to do about it."""

import re
from collections.abc import Callable
from enum import StrEnum
from typing import NamedTuple, TypeVar

from ddns_updater.errors import DdnsError
from ddns_updater.lib.deadline import Limit

T = TypeVar("T")

LATER = "the next run"  # an error that ends so has no other advice than to wait
# What somebody else wrote stands in quotes; an apostrophe within a word is none.
_QUOTED = re.compile(r"""(?<!\w)(?:'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*")""")
_PART = "; "


class State(StrEnum):
    """How a check ended; only `failed` makes the whole a failure."""

    OK = "ok"
    NOTE = "note"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


class Check(NamedTuple):
    """One check; `advice` is what to do, None when there is nothing to do."""

    group: str
    name: str
    state: State
    found: str
    advice: str | None = None


class Checker:
    """Makes the checks of one group, and bounds what it does to so many seconds each."""

    def __init__(self, group: str, limit: Limit) -> None:
        self._group = group
        self._limit = limit

    def attempt(self, seconds: float, work: Callable[[], T]) -> T:
        """Return what `work` returns; raises DdnsError, also when it takes longer than `seconds`."""
        with self._limit(seconds, DdnsError(f"did not end within {seconds:g} s; is a firewall in the way?")):
            return work()

    def ok(self, name: str, found: str) -> Check:
        """Say that something is well."""
        return Check(self._group, name, State.OK, found)

    def note(self, name: str, found: str, advice: str | None = None) -> Check:
        """Say something that need not be wrong."""
        return Check(self._group, name, State.NOTE, found, advice)

    def warning(self, name: str, found: str, advice: str) -> Check:
        """Say what is wrong but does not stop the runs."""
        return Check(self._group, name, State.WARNING, found, advice)

    def failed(self, name: str, found: str, advice: str) -> Check:
        """Say what has to be mended."""
        return Check(self._group, name, State.FAILED, found, advice)

    def skipped(self, name: str, why: str, advice: str | None = None) -> Check:
        """Say what could not be looked at, and why."""
        return Check(self._group, name, State.SKIPPED, why, advice)

    def error(self, name: str, error: DdnsError | str, state: State = State.FAILED) -> Check:
        """Say that an error was met; what stands after the last semicolon of its text, out of quotes, is the advice."""
        found, advice = _parted(str(error))
        return Check(self._group, name, state, found, "try again later" if advice.startswith(LATER) else advice or None)


def _parted(text: str) -> tuple[str, str]:
    """Return what was found and what to do about it, which may be empty."""
    at = _QUOTED.sub(lambda quoted: "x" * len(quoted[0]), text).rfind(_PART)
    return (text, "") if at < 0 else (text[:at], text[at + len(_PART) :])
