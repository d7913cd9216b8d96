"""The phase report: update the state file, write the metrics, ping the heartbeat and send the alerts.

A failure here is a warning; it does not change the outcome of the run. The write order: alerts go into the state file
together with the counts that they come from, then to the channels, then out of the file. A kill in between leaves them
to the next run; only a kill just after a channel accepted an alert makes that alert arrive twice.
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

_LOCK_SECONDS = 2.0  # to wait for the lock on the state file, which others hold only briefly
_METRICS_SECONDS = 1.5  # for writing the metrics, during which others wait for the state file
_SHORTEST_TRY = 0.1  # seconds
_USUAL_TRY = 5.0  # seconds; most services accept an alert in that time

Ping = Callable[[Outcome, str], None]
WriteMetrics = Callable[[RunResult, RunState, datetime], None]


class Destinations(NamedTuple):
    """Where the report of a run goes.

    `keys` are the keys of the channels that `open_channels` returns; it is called only when an alert has to be sent.
    """

    keys: tuple[str, ...] = ()
    open_channels: Callable[[], Mapping[str, Channel]] = dict
    ping: Ping | None = None
    write_metrics: WriteMetrics | None = None


class Reporter:
    """Reports runs: state file, metrics, heartbeat, alerts."""

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
        """Take the destinations; `alert_after` failed runs in a row start the alerts."""
        self._state_file = state_file
        self._destinations = destinations
        self._alert_after = alert_after
        self._limit = limit
        self._monotonic = monotonic
        self._clock = clock

    def report(
        self, result: RunResult, given: str | None, line: str, seconds: float, warnings: list[str], ended: datetime
    ) -> None:
        """Report `result` of a run that ended at `ended`, within `seconds`; failures are added to `warnings`.

        `given` is the name from --name or DDNS_NAME, None without one; `line` is the result as one line, for the
        heartbeat. `warnings` is filled step by step, so that what is known survives when the time limit ends this.
        """
        end = self._monotonic() + seconds
        has_alerts = self._update_state(result, given, ended, warnings)
        ping = self._destinations.ping
        if ping and result.outcome is not Outcome.SKIPPED:  # the other run pings
            share = (end - self._monotonic()) / (2 if has_alerts else 1)
            self._try("the heartbeat", "its service", partial(ping, result.outcome, line), share, warnings)
        if has_alerts:
            self._send_alerts(end, warnings)

    def _update_state(self, result: RunResult, given: str | None, ended: datetime, warnings: list[str]) -> bool:
        """Write the state file and the metrics; return whether alerts are due now."""
        now = self._now()
        slow = StateError(
            f"failed to write {self._state_file.path}: another program holds its lock; find that program and end it"
        )
        name = given or result.name
        run_state = RunState()
        has_alerts = False

        def write_metrics() -> None:
            at = run_state.recent[-1] if run_state.recent else now
            self._write_metrics(result._replace(name=name), run_state, at, warnings)

        try:
            with ExitStack() as stack:
                with self._limit(_LOCK_SECONDS, slow):
                    # the metrics are written under the lock of the state file, so that their counters never decrease
                    content = stack.enter_context(self._state_file.write(write_metrics))
                name, run_state = self._advance(content, result, given, ended, now)
                has_alerts = bool(content.outbox.due(self._destinations.keys, now))
                warnings += content.warnings
        except StateError as error:
            silent = "; no alerts are sent until then" if self._destinations.keys else ""
            warnings.append(f"{error}{silent}")
            has_alerts = False  # an alert that is not in the file cannot be marked as delivered
            if not run_state.runs:  # the file could not even be read
                write_metrics()
        return has_alerts

    def _write_metrics(self, result: RunResult, run_state: RunState, now: datetime, warnings: list[str]) -> None:
        if self._destinations.write_metrics is None:
            return
        slow = StateError(f"failed to write the metrics: it took longer than {_METRICS_SECONDS:g} s; check that disk")
        try:
            with self._limit(_METRICS_SECONDS, slow):
                self._destinations.write_metrics(result, run_state, now)
        except StateError as error:
            warnings.append(str(error))

    def _advance(
        self, content: StateContent, result: RunResult, given: str | None, ended: datetime, now: datetime
    ) -> tuple[str, RunState]:
        """Put the run state after `result`, and its alerts, into `content`; return the origin's name and that state."""
        name = content.name_of(given, result.name)
        run_state, back = content.origins.get(name, RunState()).moved_to(now)
        if back:
            ended = now  # by the clock to which the earlier times were moved
            content.outbox.bring_forward(now)
            content.warnings.append(
                f"the clock of this machine went back by {duration(back)}; the times of earlier runs were adjusted"
            )
        keys = self._destinations.keys
        alert_after = self._alert_after if keys else None
        run_state, events = advance(run_state, result._replace(name=name or None), ended, alert_after)
        content.origins[name] = run_state
        content.outbox.add(name, events, keys, now)
        if expired := content.outbox.drop_expired(now):
            content.warnings.append(f"dropped {counted(expired, 'alert')} undelivered after 24 h")
        if surplus := content.outbox.drop_surplus():
            content.warnings.append(f"dropped {counted(surplus, 'alert')}: too many are undelivered")
        return name, run_state

    def _send_alerts(self, end: float, warnings: list[str]) -> None:
        """Send the alerts that are due, unless another run is sending; save each delivery at once."""
        try:
            with self._state_file.sending() as mine:
                if not mine:
                    return
                channels = self._destinations.open_channels()
                due = self._state_file.read().outbox.due(self._destinations.keys, self._now())
                stuck: set[str] = set()  # channels that failed; later alerts wait, to keep their order
                for number, (alert, key) in enumerate(due):
                    if key in stuck or key not in channels:
                        continue
                    left = end - self._monotonic()
                    if left < _SHORTEST_TRY:
                        warnings.append("no time was left to send an alert; the next run sends it")
                        return
                    send = partial(channels[key].send, alert.event)
                    share = max(left / (len(due) - number), min(left, _USUAL_TRY))
                    failure = self._try("an alert", channels[key].name, send, share, warnings)
                    if failure and failure.again:
                        stuck.add(key)
                    self._save_delivery(alert, key, failure)
        except DdnsError as error:
            warnings.append(str(error))

    def _try(
        self, what: str, receiver: str, send: Callable[[], None], seconds: float, warnings: list[str]
    ) -> AlertError | None:
        """Call `send` for at most `seconds`; a failure is added to `warnings` and returned."""
        error = _call_within(max(seconds, _SHORTEST_TRY), send, receiver)
        if error:
            later = "; a later run tries again" if error.again and what == "an alert" else ""
            warnings.append(f"failed to send {what}: {error}{later}")
        return error

    def _save_delivery(self, alert: Undelivered, key: str, failure: AlertError | None) -> None:
        with self._state_file.write() as content:
            if failure and failure.again:
                content.outbox.retry_later(key, self._now(), failure.seconds)
            else:
                content.outbox.delivered(alert, key)

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)


def _call_within(seconds: float, send: Callable[[], None], receiver: str) -> AlertError | None:
    """Call `send` and return its error, None if it succeeded within `seconds`.

    It runs in a thread that is abandoned when the time is over, because a resolver that hangs is a call into C that
    nothing can interrupt. Any other exception is a bug and is raised here.
    """
    ended: list[BaseException | None] = []

    def work() -> None:
        try:
            send()
        except BaseException as error:
            ended.append(error)
        else:
            ended.append(None)

    thread = Thread(target=work, daemon=True)
    thread.start()
    thread.join(seconds)
    if not ended:
        return AlertError(f"{receiver} did not answer within {seconds:.1f} s")
    if ended[0] is None or isinstance(ended[0], AlertError):
        return ended[0]
    raise ended[0]
