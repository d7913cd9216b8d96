"""Advance what is remembered of the hosts by one sweep, and decide which alerts to send.

An incident starts with the first sweep that failed, because the database or a record did, and ends with the first good
one. It is one incident however many hosts fail: a further one makes no alert. Alerts come after DDNS_ALERT_AFTER
sweeps and then as those of failing runs do. A host that is slowed down is told once, until it was not for a day.
"""

from datetime import datetime, timedelta

from ddns_updater.alerts.event import Event
from ddns_updater.hosts import Host, Sweep
from ddns_updater.model import Incident
from ddns_updater.run.incidents import is_due
from ddns_updater.server import host_events
from ddns_updater.state.run_state import RunState

_CALM = timedelta(days=1)  # after which a host that is slowed down again is news


def advance(state: RunState, sweep: Sweep, now: datetime, alert_after: int) -> tuple[RunState, list[Event]]:
    """Return the state after `sweep`, and the alerts to send; `alert_after` failed sweeps in a row begin them."""
    state, slowed = _slowed(state, sweep, now)
    if cause := host_events.cause(sweep):
        before = state.incident or Incident(now, 0, "")
        incident = before._replace(failed_runs=before.failed_runs + 1, cause=cause)
        if not is_due(incident, now, alert_after):
            return state._replace(incident=incident), slowed
        alert = host_events.failing(sweep, incident, now)
        return state._replace(incident=incident._replace(alerts=incident.alerts + 1, alerted_at=now)), [alert, *slowed]
    over = [host_events.recovered(sweep, state.incident, now)] if state.incident and state.incident.alerts else []
    return state._replace(incident=None), [*over, *slowed]


def _slowed(state: RunState, sweep: Sweep, now: datetime) -> tuple[RunState, list[Event]]:
    if sweep.error:  # which hosts are slowed down is not known
        return state, []
    kept = {name: at for name, at in state.slowed.items() if now - at < _CALM}
    fresh = [each for each in sweep.slowed if _is_news(each, state.slowed.get(each.name), now)]
    kept |= {each.name: now for each in sweep.slowed}
    return state._replace(slowed=kept), [host_events.slowed(fresh, now)] if fresh else []


def _is_news(host: Host, seen_at: datetime | None, now: datetime) -> bool:
    """Return whether `host`, last seen slowed down at `seen_at`, has calmed down for a day since then or never was."""
    if seen_at is None:
        return True
    has_begun_since = host.slowed_at is not None and host.slowed_at > seen_at  # else it went on while nobody looked
    return has_begun_since and now - seen_at >= _CALM
