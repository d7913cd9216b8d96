"""Decide what a quiet run prints, so that cron mails what is new and not the same every minute."""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from ddns_updater.alerts.event import Event
from ddns_updater.model import Outcome, RunResult
from ddns_updater.state.run_state import RunState

_AGAIN = timedelta(days=1)  # until what lasts is printed again, as the reminders of an incident are
_MOST = 50  # texts that are remembered
_LENGTHS = re.compile(r"\d+(?:\.\d+)?(?= (?:ms|s|min|h|d|runs?)\b)")


class News(NamedTuple):
    """What to print of a run: an alert about the incident, the lines of the results with these outcomes, warnings."""

    event: Event | None
    outcomes: frozenset[Outcome]
    warnings: tuple[str, ...]


def everything(warnings: Sequence[str]) -> News:
    """Return that all of a run is to be printed."""
    return News(None, frozenset(Outcome), tuple(warnings))


def find_news(state: RunState, result: RunResult, warnings: Sequence[str], now: datetime) -> tuple[News, RunState]:
    """Return what a quiet run that ended with `result` and `warnings` prints, and the state once that was printed.

    A failure is printed as an alert of its incident or not at all. What lasts is printed once a day: a warning, except
    beside a change that it may be about, and that a version is pending.
    """
    printed = {text: at for text, at in state.printed.items() if now - at < _AGAIN}
    pending = [f"{one.family} version {one.version}" for one in result.results if one.outcome is Outcome.PENDING]
    outcomes = {Outcome.UPDATED}
    if any(text not in printed for text in pending):
        outcomes.add(Outcome.PENDING)
    changed = any(one.outcome is Outcome.UPDATED for one in result.results)
    shown = [each for each in dict.fromkeys(warnings) if changed or _without_lengths(each) not in printed]
    fresh = [text for text in [*pending, *map(_without_lengths, shown)] if text not in printed]
    news = News(state.unprinted, frozenset(outcomes), tuple(shown))
    if not (news.event or fresh):
        return news, state
    printed |= dict.fromkeys(fresh, now)
    return news, state._replace(unprinted=None, printed=dict(list(printed.items())[-_MOST:]))


def _without_lengths(text: str) -> str:
    """Return the text by which a warning is remembered: how long something took differs each time."""
    return _LENGTHS.sub("", text)
