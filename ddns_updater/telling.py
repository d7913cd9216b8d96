"""The phase report: remember how the run ended, write the metrics, ping the heartbeat, and tell what is to be told.

Whatever fails here is a warning; the run's outcome stands. The write order: what is to be told is put into the diary
together with the count that it comes from, then sent, then taken out. A kill in between leaves it to the next run; only
a kill just after a channel took it makes that channel hear it twice.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from typing import Any, NamedTuple

from ddns_updater.alerts.channel import Channel
from ddns_updater.alerts.event import Event, Kind
from ddns_updater.detection import Limit
from ddns_updater.diary import Diary, Page
from ddns_updater.errors import AlertError, DdnsError, StateError
from ddns_updater.ledger import Monotonic
from ddns_updater.model import Outcome, RunResult
from ddns_updater.standing import Standing
from ddns_updater.words import duration

_LOCK_PATIENCE = 2.0  # seconds to wait for the diary, which others hold for a moment only
_METRICS_PATIENCE = 1.5  # seconds for the metrics, which are written while others wait for the diary
_FIRST_PAUSE, _LONGEST_PAUSE = 60, 3600  # seconds until something is told again that was not taken
_OLDEST = 86_400  # seconds; nothing older is told

Ping = Callable[[Outcome, str], None]
WriteMetrics = Callable[[RunResult, Standing, datetime], None]


class Ears(NamedTuple):
    """Who hears of the runs.

    `keys` are those of the channels that `open_channels` gives; it is called only when there is something to tell.
    """

    keys: tuple[str, ...] = ()
    open_channels: Callable[[], Mapping[str, Channel]] = dict
    ping: Ping | None = None
    write_metrics: WriteMetrics | None = None


class Teller:
    """What follows a run, on one diary."""

    def __init__(
        self,
        diary: Diary,
        ears: Ears,
        *,
        alert_after: int,
        limit: Limit,
        monotonic: Monotonic = time.monotonic,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Take who hears; `alert_after` is how many runs in a row have to fail before it is told."""
        self._diary = diary
        self._ears = ears
        self._alert_after = alert_after
        self._limit = limit
        self._monotonic = monotonic
        self._clock = clock

    def tell(self, result: RunResult, given: str | None, line: str, seconds: float) -> list[str]:
        """Follow up on `result`, whose origin was `given` by name or not, within `seconds`; return the warnings.

        `line` is the result as one line, for the heartbeat.
        """
        end = self._monotonic() + seconds
        warnings: list[str] = []
        waiting = self._remember(result, given, warnings)
        ping = self._ears.ping
        if ping and result.outcome is not Outcome.SKIPPED:  # the run at work pings by itself
            share = (end - self._monotonic()) / (2 if waiting else 1)
            self._try("the heartbeat", partial(ping, result.outcome, line), share, warnings)
        if waiting:
            self._send(end, warnings)
        return warnings

    def _remember(self, result: RunResult, given: str | None, warnings: list[str]) -> bool:
        """Write the diary and the metrics; return whether something is to be told now."""
        now = self._now()
        slow = StateError(f"failed to write {self._diary.path}: another program holds its lock; find and end it")
        name = given or result.name
        standing = Standing()
        waiting = False

        def write_metrics() -> None:
            self._write_metrics(result._replace(name=name), standing, now, warnings)

        try:
            with ExitStack() as stack:
                with self._limit(_LOCK_PATIENCE, slow):
                    # the metrics are written under the diary's lock, so that no count goes back in them
                    page = stack.enter_context(self._diary.write(write_metrics))
                name = page.name_of(given, result.name)
                standing, back = page.origins.get(name, standing).moved_to(now)
                if back:
                    _bring_forward(page, now)
                    page.warnings.append(f"the clock of this machine went back by {duration(back)}; it is allowed for")
                standing, events = standing.after(result, now, self._alert_after)
                page.origins[name] = standing
                self._put(page, name, events, now)
                waiting = any(_is_due(each, now) for each in page.outbox)
                warnings += page.warnings
        except StateError as error:
            warnings.append(str(error))
            if not standing.runs:  # the diary could not even be read
                write_metrics()
        return waiting

    def _write_metrics(self, result: RunResult, standing: Standing, now: datetime, warnings: list[str]) -> None:
        if self._ears.write_metrics is None:
            return
        slow = StateError(f"failed to write the metrics: it took longer than {_METRICS_PATIENCE:g} s; mend their disk")
        try:
            with self._limit(_METRICS_PATIENCE, slow):
                self._ears.write_metrics(result, standing, now)
        except StateError as error:
            warnings.append(str(error))

    def _put(self, page: Page, name: str, events: Sequence[Event], now: datetime) -> None:
        """Put `events` into the outbox; one about an incident takes the place of an older one about it."""
        for event in events:
            if event.kind in (Kind.FAILING, Kind.RECOVERED):
                page.outbox = [
                    each
                    for each in page.outbox
                    if not (each["origin"] == name and each["event"]["event"] == Kind.FAILING)
                ]
            page.outbox.append(
                {
                    "origin": name,
                    "event": event.json(),
                    "to": list(self._ears.keys),
                    "tries": 0,
                    "since": now.timestamp(),
                    "next": now.timestamp(),
                }
            )
        for each in page.outbox:
            each["to"] = [key for key in each["to"] if key in self._ears.keys]  # the others were taken out meanwhile
        page.outbox = [each for each in page.outbox if each["to"] and now.timestamp() - each["since"] <= _OLDEST]

    def _send(self, end: float, warnings: list[str]) -> None:
        """Tell what is in the outbox, unless another run is doing so."""
        try:
            with self._diary.telling() as mine:
                if not mine:
                    return
                channels = self._ears.open_channels()
                for entry in self._diary.read().outbox:
                    if _is_due(entry, self._now()):
                        self._tell_one(entry, channels, end, warnings)
        except DdnsError as error:
            warnings.append(str(error))

    def _tell_one(
        self, entry: Mapping[str, Any], channels: Mapping[str, Channel], end: float, warnings: list[str]
    ) -> None:
        """Tell one entry to each channel that has not heard it, and note at once who has."""
        keys = [key for key in entry["to"] if key in channels]
        for number, key in enumerate(keys):
            seconds = (end - self._monotonic()) / (len(keys) - number)
            failure = self._try("an alert", partial(channels[key].send, entry["event"]), seconds, warnings)
            self._note(entry, key, failure)

    def _try(self, what: str, do: Callable[[], object], seconds: float, warnings: list[str]) -> AlertError | None:
        """Do it within `seconds`; what goes wrong is a warning."""
        slow = AlertError(f"it was not taken within {max(seconds, 0.1):.1f} s")
        try:
            with self._limit(max(seconds, 0.1), slow):
                do()
        except AlertError as error:
            later = "; a later run tries again" if error.again and what == "an alert" else ""
            warnings.append(f"failed to send {what}: {error}{later}")
            return error
        return None

    def _note(self, entry: Mapping[str, Any], key: str, failure: AlertError | None) -> None:
        with self._diary.write() as page:
            for each in page.outbox:
                if each["event"] != entry["event"]:
                    continue
                if failure is None or not failure.again:
                    each["to"] = [one for one in each["to"] if one != key]
                else:
                    each["tries"] += 1
                    pause = min(_FIRST_PAUSE * 2 ** (each["tries"] - 1), _LONGEST_PAUSE)
                    each["next"] = self._clock() + max(pause, failure.seconds)
            page.outbox = [each for each in page.outbox if each["to"]]

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)


def _is_due(entry: Mapping[str, Any], now: datetime) -> bool:
    return float(entry["next"]) <= now.timestamp()


def _bring_forward(page: Page, now: datetime) -> None:
    """Let nothing wait for a time that a clock now set back would reach much later."""
    for each in page.outbox:
        each["next"] = min(each["next"], now.timestamp())
        each["since"] = min(each["since"], now.timestamp())
