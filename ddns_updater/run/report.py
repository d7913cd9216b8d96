"""The report phase: update the state, write the metrics, ping the heartbeat and send the alerts.

A failure here is a warning; it does not change the outcome of the run. See sending.py for the order of the writes.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from ddns_updater.alerts.channel import Channel
from ddns_updater.errors import StateError
from ddns_updater.lib.deadline import Deadline, Limit
from ddns_updater.lib.humanize import duration
from ddns_updater.lib.uptime import Uptime, uptime
from ddns_updater.model import Outcome, RunResult
from ddns_updater.run.deliveries import Deliveries
from ddns_updater.run.incidents import advance
from ddns_updater.run.news import News, everything, find_news
from ddns_updater.run.sending import AlertSender
from ddns_updater.run.skips import judge_skips
from ddns_updater.run.timetable import LEASE_SECONDS, LOCK_SECONDS, METRICS_SECONDS, heartbeat_seconds
from ddns_updater.state.clock import find_shift
from ddns_updater.state.content import StateContent
from ddns_updater.state.outbox import Due
from ddns_updater.state.run_state import RunState

if TYPE_CHECKING:
    from ddns_updater.state.ports import StateStore

Ping = Callable[[RunResult], None]
WriteMetrics = Callable[[RunResult, RunState, datetime], None]

_HEARTBEAT = "heartbeat"  # among the keys of the channels, which are digests


class Destinations(NamedTuple):
    """Where the report of a run goes.

    `keys` are the keys of the channels that `open_channels` returns; it is called only when an alert has to be sent.
    """

    keys: tuple[str, ...] = ()
    open_channels: Callable[[], Mapping[str, Channel]] = dict
    ping: Ping | None = None
    write_metrics: WriteMetrics | None = None


class Report:
    """The report of a run as it grows, so that nothing is lost when a time limit cuts it off.

    `result` is that of the run, with the warnings of the report; a run skipped for too long becomes a failed one.
    `run_state` is what the state has under `name` after the run, None when it could not be written. `is_first` is
    whether it knew no run before.
    """

    def __init__(self, result: RunResult) -> None:
        self.result = result
        self.name = ""
        self.run_state: RunState | None = None
        self.is_first = False

    def warn(self, text: str) -> None:
        """Add a warning."""
        self.result = self.result._replace(warnings=(*self.result.warnings, text))


class Reporter:
    """Reports runs: state, metrics, heartbeat, alerts."""

    def __init__(
        self,
        store: "StateStore",
        destinations: Destinations,
        *,
        alert_after: int,
        run_timeout: float,
        quiet: bool = False,
        limit: Limit,
        clock: Callable[[], float] = time.time,
        uptime: Callable[[], Uptime | None] = uptime,
    ) -> None:
        """Take the destinations; `alert_after` failed runs in a row start the alerts, a run ends in `run_timeout` s.

        The runs are `quiet` when the alerts about their incident are printed in place of each failure.
        """
        self._store = store
        self._destinations = destinations
        self._alert_after = alert_after
        self._run_timeout = timedelta(seconds=run_timeout)
        self._quiet = quiet
        self._limit = limit
        self._clock = clock
        self._uptime = uptime
        self._deliveries = Deliveries()
        self._sender = AlertSender(store, destinations.keys, destinations.open_channels, self._deliveries, self._now)
        self._heartbeat_hangs = False

    def report(self, report: Report, given: str | None, ended: datetime, deadline: Deadline) -> None:
        """Report the run of `report`, which ended at `ended`, and add each warning to it as soon as it is known.

        `given` is the name from --name or DDNS_NAME, None without one.
        """
        with ExitStack() as sending:
            due = self._update_state(report, given, ended, sending)
            self._ping(report, heartbeat_seconds(deadline, has_alerts=bool(due)))
            if due:
                self._sender.send(due, deadline, report.warn)

    @contextmanager
    def news(self, report: Report, warnings: Sequence[str]) -> Iterator[News]:
        """Yield what to print of the run of `report`, which has `warnings`; when the block ends, save that it was.

        A kill in between repeats it. It is everything when the runs are not quiet, and when the state may not be
        kept from run to run: it cannot be written, or knew no run before, as in a container without a volume.
        """
        now = self._now()
        if not self._quiet or report.run_state is None:
            yield everything(warnings)
            return
        news, after = find_news(report.run_state, report.result, warnings, now)
        if after is report.run_state:
            yield everything(warnings) if report.is_first else news
            return
        with ExitStack() as stack:
            try:
                content = self._locked(stack)
            except StateError:
                yield everything(warnings)
                return
            run_state = content.origins.get(report.name, report.run_state)  # another run may have printed it
            news, content.origins[report.name] = find_news(run_state, report.result, warnings, now)
            yield everything(warnings) if report.is_first else news
            with suppress(StateError), self._limit_state():
                self._store.replace(content)  # if that fails, the next run prints it again

    def _limit_state(self) -> AbstractContextManager[None]:
        return self._limit(LEASE_SECONDS if self._store.is_in_database else LOCK_SECONDS, self._store.busy)

    def _locked(self, stack: ExitStack) -> StateContent:
        with self._limit_state():
            return stack.enter_context(self._store.locked())

    def _update_state(self, report: Report, given: str | None, ended: datetime, sending: ExitStack) -> Sequence[Due]:
        """Write the state and the metrics; return the alerts to send, none while another run sends.

        `sending` gets the lock for sending. It is taken under the lock of the state, so no other run can have sent in
        between what is returned here, and the state need not be read again.
        """
        now = self._now()
        with ExitStack() as stack:
            try:
                content = self._locked(stack)
            except StateError as error:
                report.warn(self._sender.silent(error))
                self._write_metrics(report, given or report.result.name, RunState(), now)
                return ()
            name, run_state = self._advance(content, report, given, ended, now)
            due = self._sender.due(content, now)
            try:
                with self._limit_state():
                    if due and not sending.enter_context(self._store.sending()):
                        due = ()
                    self._store.replace(content)
                report.name, report.run_state = name, run_state
            except StateError as error:
                report.warn(self._sender.silent(error))
                due = ()  # an alert that is not in the state cannot be marked as delivered
            # under the lock of a file, so that the counters in the metrics never decrease
            at = run_state.recent[-1] if run_state.recent else now
            self._write_metrics(report, name, run_state, at)
        return due

    def _advance(
        self, content: StateContent, report: Report, given: str | None, ended: datetime, now: datetime
    ) -> tuple[str, RunState]:
        """Put the run state after the run, and its alerts, into `content`; return the origin's name and that state."""
        if content.damage:
            report.warn(content.damage)
        name = content.name_of(given, report.result.name)
        run_state = content.origins.get(name, RunState())
        up = None if self._store.is_in_database else self._uptime()  # machines share it
        if shift := run_state.recent and find_shift(run_state.recent[-1], run_state.uptime, now, up):
            ended = now  # by the clock to which the earlier times were moved
            run_state = run_state.shifted(shift)
            content.outbox.shift(shift)
            if shift.by < timedelta(0):  # forward, it is the usual start of a machine that does not keep the time
                back = duration(-shift.by)
                report.warn(f"the clock of this machine went back by {back}; the times of earlier runs were adjusted")
        report.is_first = not run_state.recent
        run_state, report.result = judge_skips(run_state, report.result, ended, self._run_timeout)
        alert_after = self._alert_after if self._destinations.keys or self._quiet else None
        result = report.result._replace(name=name or None)
        run_state, events = advance(run_state, result, ended, alert_after, quiet=self._quiet)
        run_state = run_state._replace(uptime=up)
        content.origins[name] = run_state
        self._sender.add(content, name, events, now, report.warn)
        return name, run_state

    def _write_metrics(self, report: Report, name: str | None, run_state: RunState, now: datetime) -> None:
        if self._destinations.write_metrics is None:
            return
        slow = StateError(f"failed to write the metrics: it took longer than {METRICS_SECONDS:g} s", "check that disk")
        try:
            with self._limit(METRICS_SECONDS, slow):
                self._destinations.write_metrics(report.result._replace(name=name), run_state, now)
        except StateError as error:
            report.warn(str(error))

    def _ping(self, report: Report, seconds: float) -> None:
        ping = self._destinations.ping
        if ping is None or report.result.outcome is Outcome.SKIPPED:  # then the other run pings
            return
        hung, self._heartbeat_hangs = self._heartbeat_hangs, self._deliveries.hangs(_HEARTBEAT)
        if self._heartbeat_hangs:
            if not hung:
                report.warn("skipped the heartbeat: an earlier one still hangs; heartbeats resume when that has ended")
            return
        if failure := self._deliveries.deliver(_HEARTBEAT, partial(ping, report.result), "its service", seconds):
            report.warn(f"failed to send the heartbeat: {failure}")

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)
