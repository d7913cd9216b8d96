"""One check of `ddns doctor`: what was checked, what was found, and what to do about it."""

from collections.abc import Callable
from enum import StrEnum
from typing import NamedTuple, TypeVar

from ddns_updater.errors import DdnsError
from ddns_updater.lib.deadline import Limit

T = TypeVar("T")
Starts = Callable[[str], None]  # takes the name of a check that may take a while


class State(StrEnum):
    """The result of a check; only `failed` makes `ddns doctor` fail."""

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
    """The maker of one group of checks.

    `seconds` is the time that each attempt of the group may take; `starts` is told the name of its check.
    """

    def __init__(self, group: str, limit: Limit, seconds: float, starts: Starts = lambda _name: None) -> None:
        self._group = group
        self._limit = limit
        self._seconds = seconds
        self._starts = starts

    def attempt(self, name: str, work: Callable[[], T], *, seconds: float | None = None) -> T:
        """Return the result of `work`, for the check of that name; raises DdnsError, also when it takes too long.

        `seconds` are for this attempt alone, in place of those of the group.
        """
        self._starts(name)
        seconds = self._seconds if seconds is None else seconds
        with self._limit(seconds, DdnsError(f"did not finish within {seconds:g} s", "is a firewall in the way?")):
            return work()

    def ok(self, name: str, found: str) -> Check:
        """Return a check that passed."""
        return Check(self._group, name, State.OK, found)

    def note(self, name: str, found: str, advice: str | None = None) -> Check:
        """Return a check whose finding need not be a fault."""
        return Check(self._group, name, State.NOTE, found, advice)

    def warning(self, name: str, found: str, advice: str) -> Check:
        """Return a check that found a fault, but one that does not stop the runs."""
        return Check(self._group, name, State.WARNING, found, advice)

    def failed(self, name: str, found: str, advice: str) -> Check:
        """Return a check that found a fault to fix."""
        return Check(self._group, name, State.FAILED, found, advice)

    def skipped(self, name: str, why: str, advice: str | None = None) -> Check:
        """Return a check that could not be made, and why."""
        return Check(self._group, name, State.SKIPPED, why, advice)

    def error(self, name: str, error: DdnsError, state: State = State.FAILED) -> Check:
        """Return the check that `error` ended; what a run would do next is no concern of the doctor's."""
        advice = error.advice or ("try again later" if error.then else None)
        return Check(self._group, name, state, error.problem, advice)
