"""The phase report: remember how the run ended, write the metrics, ping the heartbeat, and tell what is to be told.

Whatever fails here is a warning; the run's outcome stands. The write order: what is to be told is put into the diary
together with the count that it comes from, then sent, then taken out. A kill in between leaves it to the next run; only
a kill just after a channel took it makes that channel hear it twice.
"""

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from threading import Thread
from typing import NamedTuple

from ddns_updater.alerts.channel import Channel
from ddns_updater.errors import AlertError, DdnsError, StateError
from ddns_updater.lib.deadline import Limit, Monotonic
from ddns_updater.lib.humanize import counted, duration
from ddns_updater.model import Outcome, RunResult
from ddns_updater.run.incidents import advance
from ddns_updater.state.content import StateContent
from ddns_updater.state.file import StateFile
from ddns_updater.state.outbox import Undelivered
from ddns_updater.state.run_state import RunState

_LOCK_PATIENCE = 2.0  # seconds to wait for the diary, which others hold for a moment only
_METRICS_PATIENCE = 1.5  # seconds for the metrics, which are written while others wait for the diary
_LEAST = 0.1  # seconds that anything is tried for
_ENOUGH = 5.0  # seconds in which most services take an alert, however many wait for theirs

Ping = Callable[[Outcome, str], None]
WriteMetrics = Callable[[RunResult, RunState, datetime], None]


class Destinations(NamedTuple):
    """Who hears of the runs.

    `keys` are those of the channels that `open_channels` gives; it is called only when there is something to tell.
    """

    keys: tuple[str, ...] = ()
    open_channels: Callable[[], Mapping[str, Channel]] = dict
    ping: Ping | None = None
    write_metrics: WriteMetrics | None = None


class Reporter:
    """What follows a run, on one diary."""

    def __init__(
        self,
        state_file: StateFile,
        destinations: Destinations,
        *,
        alert_after: int,
        limit: Limit,
        monotonic: Monotonic = time.monotonic,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Take who hears; `alert_after` is how many runs in a row have to fail before it is told."""
        self._state_file = state_file
        self._destinations = destinations
        self._alert_after = alert_after
        self._limit = limit
        self._monotonic = monotonic
        self._clock = clock

    def tell(
        self, result: RunResult, given: str | None, line: str, seconds: float, warnings: list[str], ended: datetime
    ) -> None:
        """Follow up on `result`, of a run that `ended` then, within `seconds`; what goes wrong is added to `warnings`.

        Its origin was `given` by name or not; `line` is the result as one line, for the heartbeat.
        """
        end = self._monotonic() + seconds
        waiting = self._remember(result, given, ended, warnings)
        ping = self._destinations.ping
        if ping and result.outcome is not Outcome.SKIPPED:  # the run at work pings by itself
            share = (end - self._monotonic()) / (2 if waiting else 1)
            self._try("the heartbeat", "nobody has", partial(ping, result.outcome, line), share, warnings)
        if waiting:
            self._send(end, warnings)

    def _remember(self, result: RunResult, given: str | None, ended: datetime, warnings: list[str]) -> bool:
        """Write the diary and the metrics; return whether something is to be told now."""
        now = self._now()
        slow = StateError(f"failed to write {self._state_file.path}: another program holds its lock; find and end it")
        name = given or result.name
        run_state = RunState()
        waiting = False

        def write_metrics() -> None:
            self._write_metrics(result._replace(name=name), run_state, now, warnings)

        try:
            with ExitStack() as stack:
                with self._limit(_LOCK_PATIENCE, slow):
                    # the metrics are written under the diary's lock, so that no count goes back in them
                    page = stack.enter_context(self._state_file.write(write_metrics))
                name, run_state = self._followed_up(page, result, given, ended, now)
                waiting = bool(page.outbox.due(self._destinations.keys, now))
                warnings += page.warnings
        except StateError as error:
            unheard = "; nobody is told meanwhile" if self._destinations.keys else ""
            warnings.append(f"{error}{unheard}")
            waiting = False  # what is not written cannot be taken out again once it was told
            if not run_state.runs:  # the diary could not even be read
                write_metrics()
        return waiting

    def _write_metrics(self, result: RunResult, run_state: RunState, now: datetime, warnings: list[str]) -> None:
        if self._destinations.write_metrics is None:
            return
        slow = StateError(f"failed to write the metrics: it took longer than {_METRICS_PATIENCE:g} s; mend their disk")
        try:
            with self._limit(_METRICS_PATIENCE, slow):
                self._destinations.write_metrics(result, run_state, now)
        except StateError as error:
            warnings.append(str(error))

    def _followed_up(
        self, page: StateContent, result: RunResult, given: str | None, ended: datetime, now: datetime
    ) -> tuple[str, RunState]:
        """Return the origin's name and how it stands after `result`; put that, and what is to be told, on `page`."""
        name = page.name_of(given, result.name)
        run_state, back = page.origins.get(name, RunState()).moved_to(now)
        if back:
            page.outbox.bring_forward(now)
            page.warnings.append(f"the clock of this machine went back by {duration(back)}; it is allowed for")
        keys = self._destinations.keys
        patience = self._alert_after if keys else None
        run_state, events = advance(run_state, result._replace(name=name or None), ended, patience)
        page.origins[name] = run_state
        page.outbox.put(name, events, keys, now)
        if given_up := page.outbox.drop_expired(now):
            page.warnings.append(f"gave up {counted(given_up, 'alert')} that nobody took within a day")
        return name, run_state

    def _send(self, end: float, warnings: list[str]) -> None:
        """Tell what is due, unless another run is doing so; note at once who has heard what."""
        try:
            with self._state_file.telling() as mine:
                if not mine:
                    return
                channels = self._destinations.open_channels()
                due = self._state_file.read().outbox.due(self._destinations.keys, self._now())
                silent: set[str] = set()  # who did not take something hears nothing that came later
                for number, (owed, key) in enumerate(due):
                    left = end - self._monotonic()
                    if left < _LEAST:
                        warnings.append("there was no time left to send an alert; the next run goes on")
                        return
                    if key in silent or key not in channels:
                        continue
                    send = partial(channels[key].send, owed.event)
                    share = max(left / (len(due) - number), min(left, _ENOUGH))
                    failure = self._try("an alert", f"{channels[key].name} has not", send, share, warnings)
                    if failure and failure.again:
                        silent.add(key)
                    self._note(owed, key, failure)
        except DdnsError as error:
            warnings.append(str(error))

    def _try(
        self, what: str, who: str, do: Callable[[], object], seconds: float, warnings: list[str]
    ) -> AlertError | None:
        """Do it within `seconds`; what goes wrong is a warning."""
        error = _done_within(max(seconds, _LEAST), do, who)
        if error:
            later = "; a later run tries again" if error.again and what == "an alert" else ""
            warnings.append(f"failed to send {what}: {error}{later}")
        return error

    def _note(self, owed: Undelivered, key: str, failure: AlertError | None) -> None:
        with self._state_file.write() as page:
            if failure and failure.again:
                page.outbox.retry_later(key, self._now(), failure.seconds)
            else:
                page.outbox.delivered(owed, key)

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)


def _done_within(seconds: float, do: Callable[[], object], who: str) -> AlertError | None:
    """Do it, and return what was wrong; None when it was done within `seconds`.

    It is done in a thread that is left behind when it takes longer: a name that no resolver answers for is a call into
    C that nothing can interrupt. What it raises besides is a fault of ours, and raised here.
    """
    ended: list[BaseException | None] = []

    def work() -> None:
        try:
            do()
        except BaseException as error:
            ended.append(error)
        else:
            ended.append(None)

    thread = Thread(target=work, daemon=True)
    thread.start()
    thread.join(seconds)
    if not ended:
        return AlertError(f"{who} taken it within {seconds:.1f} s")
    if ended[0] is None or isinstance(ended[0], AlertError):
        return ended[0]
    raise ended[0]
