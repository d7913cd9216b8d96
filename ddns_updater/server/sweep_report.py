"""Report each sweep of a server: in the log, and to the channels as the phase report of a run does (see run/report.py).

The state is the server's own, so that runs and `ddns status` do not see it. While there is nothing to remember,
nothing is written.

A server sweeps in the thread that publishes, where no time limit interrupts. So the report has a thread of its own,
which is given a few seconds and then left behind; while it hangs, no other begins.
"""

import logging
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial

from ddns_updater.alerts.channel import Channel
from ddns_updater.errors import StateError
from ddns_updater.hosts import Sweep
from ddns_updater.lib.deadline import Deadline
from ddns_updater.lib.uptime import Uptime, uptime
from ddns_updater.run.deliveries import Deliveries
from ddns_updater.run.sending import AlertSender
from ddns_updater.server.host_incidents import advance
from ddns_updater.state.clock import ClockShift, find_shift
from ddns_updater.state.content import StateContent
from ddns_updater.state.outbox import Due
from ddns_updater.state.ports import StateStore
from ddns_updater.state.run_state import RunState

log = logging.getLogger(__name__)

HOSTS = ""  # the origin of all that a server reports
_SECONDS = 8.0  # for which a report may keep the server from publishing
_SENDING = 0.75  # part of them that is over when the last delivery is given up
_REPORT = "report"  # among the keys of the channels, which are digests


class SweepReporter:
    """Reports sweeps: log, state, alerts."""

    def __init__(
        self,
        store: StateStore,
        keys: Collection[str],
        open_channels: Callable[[], Mapping[str, Channel]],
        *,
        alert_after: int,
        seconds: float = _SECONDS,
        clock: Callable[[], float] = time.time,
        uptime: Callable[[], Uptime | None] = uptime,
    ) -> None:
        """Take the state, and the `keys` of the channels that `open_channels` returns when there is an alert to send.

        `alert_after` failed sweeps in a row start the alerts; a report takes at most so many `seconds`.
        """
        self._store = store
        self._place = store.place if store.is_in_database else f"the lock or the disk of {store.place}"
        self._has_channels = bool(keys)
        self._alert_after = alert_after
        self._seconds = seconds
        self._clock = clock
        self._uptime = uptime
        self._deliveries = Deliveries()
        self._sender = AlertSender(store, keys, open_channels, self._deliveries, self._now, turn="sweep")
        self._logged = RunState()  # what the log tells since the server was started
        self._warnings: list[str] = []  # of the report before

    def report(self, sweep: Sweep) -> None:
        """Report `sweep`, which ended just now; no failure of that is raised, only warned of in the log."""
        self._log(sweep)
        if not self._has_channels:
            return
        warnings: list[str] = []
        send = partial(self._alert, sweep, Deadline(self._seconds * _SENDING), warnings.append)
        if late := self._deliveries.deliver(_REPORT, send, self._place, self._seconds):
            warnings.append(f"failed to report a sweep: {late}")
        for warning in warnings:
            if warning not in self._warnings:
                log.warning("%s", warning)
        self._warnings = [*warnings]

    def _log(self, sweep: Sweep) -> None:
        """Log the start and the end of an incident, and hosts that are slowed down, each once."""
        now = self._now()
        state, _ = self._at_present(self._logged, now)
        self._logged, events = advance(state, sweep, now, self._alert_after)
        for event in events:
            if not event.facts.get("reminder"):
                log.warning("%s. %s", event.title, event.text)

    def _alert(self, sweep: Sweep, deadline: Deadline, warn: Callable[[str], None]) -> None:
        with ExitStack() as sending:
            try:
                due = self._update_state(sweep, sending, warn)
            except StateError as error:
                warn(self._sender.silent(error))
                return
            if due:
                self._sender.send(due, deadline, warn)

    def _update_state(self, sweep: Sweep, sending: ExitStack, warn: Callable[[str], None]) -> Sequence[Due]:
        """Write the state and return the alerts to send, none while another server sends; raises StateError.

        `sending` gets the lock for sending, as in the report of a run.
        """
        if self._store.is_in_database and not self._advance(self._store.read(), sweep, lambda _warning: None):
            return ()  # to lock it is a write there; in a folder, that shows at once whether it can be written
        with self._store.locked() as content:
            if not self._advance(content, sweep, warn):
                return ()
            due = self._sender.due(content, self._now())
            if due and not sending.enter_context(self._store.sending()):
                due = ()
            self._store.replace(content)
            return due

    def _advance(self, content: StateContent, sweep: Sweep, warn: Callable[[str], None]) -> bool:
        """Advance `content` by `sweep`, and put its alerts there; return whether it holds, or held, anything."""
        if content.damage:
            warn(content.damage)
        is_needed = _holds_anything(content)
        now = self._now()
        state, shift = self._at_present(content.origins.get(HOSTS, RunState()), now)
        if shift:
            content.outbox.shift(shift)
        content.origins[HOSTS], events = advance(state, sweep, now, self._alert_after)
        self._sender.add(content, HOSTS, events, now, warn)
        return is_needed or _holds_anything(content)

    def _at_present(self, state: RunState, now: datetime) -> tuple[RunState, ClockShift | None]:
        """Return `state` as that of a sweep at `now`, and how the clock was set since the one before it."""
        up = None if self._store.is_in_database else self._uptime()  # servers share it
        shift = find_shift(state.recent[-1], state.uptime, now, up) if state.recent else None
        return (state.shifted(shift) if shift else state)._replace(recent=(now,), uptime=up), shift

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)


def _holds_anything(content: StateContent) -> bool:
    """Return whether anything is to be remembered; when the last sweep was is needed only for that."""
    state = content.origins.get(HOSTS, RunState())
    return bool(content.damage or state.incident or state.slowed or content.outbox.undelivered)
