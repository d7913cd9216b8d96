"""The report phase: update the state file, write the metrics, ping the heartbeat and send the alerts.

A failure here is a warning; it does not change the outcome of the run. The write order: alerts go into the state file
together with the counts that they come from, then to the channels, then out of the file. A kill in between leaves them
to the next run. An alert arrives twice when the kill came just after a channel accepted it, or when a channel accepts
it after it was given up.
"""

import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from threading import Thread
from typing import NamedTuple

from ddns_updater.alerts.channel import Channel
from ddns_updater.errors import AlertError, DdnsError, StateError
from ddns_updater.lib.deadline import Deadline, Limit
from ddns_updater.lib.humanize import counted, duration
from ddns_updater.model import Outcome, RunResult
from ddns_updater.run.incidents import advance
from ddns_updater.run.timetable import LOCK_SECONDS, METRICS_SECONDS, alert_seconds, heartbeat_seconds
from ddns_updater.state.content import StateContent
from ddns_updater.state.file import StateFile
from ddns_updater.state.outbox import Due, Undelivered
from ddns_updater.state.run_state import RunState

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
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Take the destinations; `alert_after` failed runs in a row start the alerts."""
        self._state_file = state_file
        self._destinations = destinations
        self._alert_after = alert_after
        self._limit = limit
        self._clock = clock

    def report(
        self, result: RunResult, given: str | None, line: str, ended: datetime, deadline: Deadline
    ) -> Iterator[str]:
        """Report `result` of a run that ended at `ended`, and yield each warning as soon as it is known.

        Warnings given before a time limit cuts the report off are therefore kept. `given` is the name from --name or
        DDNS_NAME, None without one; `line` is the result as one line, for the heartbeat.
        """
        with ExitStack() as sending:
            due = yield from self._update_state(result, given, ended, sending)
            yield from self._ping(result.outcome, line, heartbeat_seconds(deadline, has_alerts=bool(due)))
            if due:
                yield from self._send_alerts(due, deadline)

    def _update_state(
        self, result: RunResult, given: str | None, ended: datetime, sending: ExitStack
    ) -> Generator[str, None, Sequence[Due]]:
        """Write the state file and the metrics; return the alerts to send, none while another run sends.

        `sending` gets the lock for sending. It is taken under the lock of the file, so no other run can have sent in
        between what is returned here, and the file need not be read again.
        """
        now = self._now()
        with ExitStack() as stack:
            try:
                with self._limit(LOCK_SECONDS, self._busy()):
                    content = stack.enter_context(self._state_file.locked())
            except StateError as error:
                yield self._silent(error)
                yield from self._write_metrics(result._replace(name=given or result.name), RunState(), now)
                return ()
            name, run_state = yield from self._advance(content, result, given, ended, now)
            due: Sequence[Due] = content.outbox.due(self._destinations.keys, now)
            try:
                self._state_file.replace(content)
                if due and not sending.enter_context(self._state_file.sending()):
                    due = ()
            except StateError as error:
                yield self._silent(error)
                due = ()  # an alert that is not in the file cannot be marked as delivered
            # under the lock of the file, so that the counters in the metrics never decrease
            at = run_state.recent[-1] if run_state.recent else now
            yield from self._write_metrics(result._replace(name=name), run_state, at)
        return due

    def _advance(
        self, content: StateContent, result: RunResult, given: str | None, ended: datetime, now: datetime
    ) -> Generator[str, None, tuple[str, RunState]]:
        """Put the run state after `result`, and its alerts, into `content`; return the origin's name and that state."""
        if content.damage:
            yield content.damage
        name = content.name_of(given, result.name)
        run_state, back = content.origins.get(name, RunState()).moved_to(now)
        if back:
            ended = now  # by the clock to which the earlier times were moved
            content.outbox.bring_forward(now)
            yield f"the clock of this machine went back by {duration(back)}; the times of earlier runs were adjusted"
        keys = self._destinations.keys
        alert_after = self._alert_after if keys else None
        run_state, events = advance(run_state, result._replace(name=name or None), ended, alert_after)
        content.origins[name] = run_state
        content.outbox.add(name, events, keys, now)
        if expired := content.outbox.drop_expired(now):
            yield f"dropped {counted(expired, 'alert')} undelivered after 24 h"
        if surplus := content.outbox.drop_surplus():
            yield f"dropped {counted(surplus, 'alert')}: too many are undelivered"
        return name, run_state

    def _write_metrics(self, result: RunResult, run_state: RunState, now: datetime) -> Iterator[str]:
        if self._destinations.write_metrics is None:
            return
        slow = StateError(f"failed to write the metrics: it took longer than {METRICS_SECONDS:g} s", "check that disk")
        try:
            with self._limit(METRICS_SECONDS, slow):
                self._destinations.write_metrics(result, run_state, now)
        except StateError as error:
            yield str(error)

    def _ping(self, outcome: Outcome, line: str, seconds: float) -> Iterator[str]:
        ping = self._destinations.ping
        if ping is None or outcome is Outcome.SKIPPED:  # then the other run pings
            return
        if failure := call_within(seconds, partial(ping, outcome, line), "its service"):
            yield f"failed to send the heartbeat: {failure}"

    def _send_alerts(self, due: Sequence[Due], deadline: Deadline) -> Iterator[str]:
        """Send the alerts that are due; save each delivery at once."""
        stuck: set[str] = set()  # channels that failed; later alerts wait, to keep their order
        try:
            channels = self._destinations.open_channels()
            for number, (alert, key) in enumerate(due):
                if key in stuck:
                    continue
                seconds = alert_seconds(deadline, len(due) - number)
                if seconds is None:
                    yield "no time was left to send an alert; the next run sends it"
                    return
                channel = channels[key]
                failure = call_within(seconds, partial(channel.send, alert.event), channel.name)
                if failure:
                    later = "a later run tries again" if failure.again else None
                    yield str(DdnsError(f"failed to send an alert: {failure.problem}", failure.advice, then=later))
                    stuck |= {key} if failure.again else set()
                self._save_delivery(alert, key, failure)
        except DdnsError as error:
            yield str(error)

    def _save_delivery(self, alert: Undelivered, key: str, failure: AlertError | None) -> None:
        with self._state_file.locked() as content:
            if failure and failure.again:
                content.outbox.retry_later(key, self._now(), failure.seconds)
            else:
                content.outbox.delivered(alert, key)
            self._state_file.replace(content)

    def _busy(self) -> StateError:
        where = self._state_file.path
        return StateError(f"failed to write {where}: another program holds its lock", "find that program and end it")

    def _silent(self, error: StateError) -> str:
        """Return the text of `error`, which also keeps alerts from being sent."""
        then = "no alerts are sent until this is fixed" if self._destinations.keys else None
        return str(StateError(error.problem, error.advice, then=then))

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)


def call_within(seconds: float, send: Callable[[], None], receiver: str) -> AlertError | None:
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
