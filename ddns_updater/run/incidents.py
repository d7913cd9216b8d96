"""Advance the run state by one run: start, continue or end an incident, and decide which alerts to send.

An incident starts with the first run that failed or was held, and ends with the first good one. Runs that are
`skipped` for a short time (see skips.py), `off`, or `pending` for up to half an hour neither start nor end one. While
the address flaps (see flapping.py), a good run counts as a failed one. An alert is sent after DDNS_ALERT_AFTER runs,
reminders after 1 h, 6 h and then daily, and a last one when it is over.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

from ddns_updater.alerts import event
from ddns_updater.alerts.event import Event, Kind
from ddns_updater.lib.humanize import duration
from ddns_updater.model import (
    Family,
    FamilyResult,
    Incident,
    Outcome,
    Publication,
    PublicationState,
    Record,
    RunResult,
    Seen,
)
from ddns_updater.run.flapping import flapping, moves_after
from ddns_updater.run.journal import RESOLUTION
from ddns_updater.state.run_state import Reported, RunState

T = TypeVar("T")

# Between alerts: they come at 1 h, 6 h and 24 h, then daily.
_GAPS = (timedelta(hours=1), timedelta(hours=5), timedelta(hours=18), timedelta(days=1))
_LONG_PENDING = timedelta(minutes=30)  # Route 53 usually takes a minute
_LATELY = timedelta(hours=1)  # a version newer than this may be from a run that was killed before it sent its alert
_QUICK = timedelta(seconds=30)  # between two runs; faster than cron can start them
_UNKNOWN = (Outcome.SKIPPED, Outcome.OFF)  # of one family: whether its records are in place was not looked at
_RECENT = 6  # runs whose times are kept, to estimate the interval


def advance(
    state: RunState, result: RunResult, now: datetime, alert_after: int | None, *, quiet: bool = False
) -> tuple[RunState, list[Event]]:
    """Return the state after `result` of a run that ended at `now`, and the alerts to send.

    `alert_after` is the number of failed runs in a row before the first alert; None if nobody gets one. A `quiet` run
    prints the alerts about its incident, in place of each failure.
    """
    counted = state._replace(runs={**state.runs, result.outcome: state.runs.get(result.outcome, 0) + 1})
    if state.ended and now < state.ended:  # this run was delayed, and a later one has reported already
        return counted, []
    counted = counted._replace(recent=(*_spaced(state.recent, now), now)[-_RECENT:])
    if result.outcome is Outcome.SKIPPED:
        return counted, []
    events = [
        each
        for one in result.results
        for each in _changes(state.reported.get(one.family), state.seen, one, result, now)
    ]
    reported = {
        **_previously(result),
        **state.reported,
        **{one.family: _reported(state.reported.get(one.family), one) for one in result.results if _is_settled(one)},
    }
    advanced = counted._replace(
        ended=now,
        outcome=result.outcome,
        error=result.error,
        reported=reported,
        seen=_kept(state.seen, result) | _seen(result, now),
        behind=_behind(state.behind, result, now),
        moves=moves_after(state.moves, result, now),
    )
    if result.outcome is Outcome.OFF:
        return advanced, events
    flaps = flapping(result.name, advanced.moves)
    if flaps:
        events = [each for each in events if each.kind is not Kind.CHANGED]  # the incident tells it once
    stuck = _stuck(advanced.behind, result, now) or flaps
    if result.outcome.is_bad or stuck:
        before = state.incident or Incident(now, 0, "")
        cause = result.error or stuck or str(result.outcome)
        incident = before._replace(failed_runs=before.failed_runs + 1, cause=cause, quiet=before.quiet or quiet)
        return _failed(advanced._replace(incident=incident), result, events, now, alert_after)
    if result.outcome is Outcome.PENDING or any(one.outcome in _UNKNOWN for one in result.results):
        return advanced, events  # not known to be good, so the incident goes on
    advanced = advanced._replace(last_success=now, incident=None)
    if state.incident and state.incident.alerts:
        events.insert(0, event.recovered(result, state.incident, now))
        advanced = advanced._replace(unprinted=events[0] if state.incident.quiet else state.unprinted)
    return advanced, events


def _spaced(recent: tuple[datetime, ...], now: datetime) -> tuple[datetime, ...]:
    """Return the times before `now`, without the last one if this run came too soon after it, as one by hand does.

    Else a few runs by hand between hourly ones would make the usual interval seconds, and the next run overdue.
    """
    by_hand = bool(recent) and now - recent[-1] < _QUICK
    return recent[:-1] if by_hand else recent


def _failed(
    state: RunState, result: RunResult, events: Sequence[Event], now: datetime, alert_after: int | None
) -> tuple[RunState, list[Event]]:
    incident = state.incident
    if incident is None or alert_after is None or not is_due(incident, now, alert_after):
        return state, [*events]
    alert = event.failing(result, incident, state.seen, now)
    incident = incident._replace(alerts=incident.alerts + 1, alerted_at=now)
    return state._replace(incident=incident, unprinted=alert if incident.quiet else state.unprinted), [*events, alert]


def is_due(incident: Incident, now: datetime, alert_after: int) -> bool:
    """Return whether an alert about `incident` is due, the first one or a reminder.

    Counted from the last alert, so that a machine that slept for days sends one reminder, not one for each day.
    """
    if incident.alerted_at is None:
        return incident.failed_runs >= alert_after
    return now - incident.alerted_at >= _GAPS[min(incident.alerts, len(_GAPS)) - 1]


def _stuck(behind: Mapping[Record, datetime], result: RunResult, now: datetime) -> str | None:
    """Return the cause if DNS has been behind for so long that waiting counts as a failure, else None.

    A new address does not begin a new wait: a line that changes more often than DNS follows is never reachable.
    """
    waiting = {each.record for each in _publications(result) if each.state is PublicationState.SUBMITTED}
    late = [str(record) for record, since in behind.items() if record in waiting and now - since > _LONG_PENDING]
    return f"{late[0]} has not held the current address for more than {duration(_LONG_PENDING)}" if late else None


def _behind(before: Mapping[Record, datetime], result: RunResult, now: datetime) -> Mapping[Record, datetime]:
    """Return since when each record has not been seen to hold the current address, if there is one: not while off."""
    off = {one.family.record_type for one in result.results if one.outcome is Outcome.OFF}
    since = {record: at for record, at in _kept(before, result).items() if record.type not in off}
    for each in _publications(result):
        if _is_held(each):
            since.pop(each.record, None)
        else:
            since.setdefault(each.record, now)
    return since


def _is_settled(one: FamilyResult) -> bool:
    """Return whether the run found everything of this family in place."""
    return one.outcome.is_good and one.version is not None and one.address is not None


def _reported(before: Reported | None, one: FamilyResult) -> Reported:
    known = _reported_drift(before, one) if before else None  # also of records no longer configured
    return Reported(one.version or 0, one.address, max([*([known] if known else []), *_drifts(one)], default=None))


def _reported_drift(before: Reported, one: FamilyResult) -> datetime | None:
    """Return when the last drift was found that was reported; None if the database's clock has gone back since then."""
    checked = [each.checked_at for each in one.publications if each.checked_at]
    known = before.drift_at
    return None if known and checked and known - max(checked) >= RESOLUTION else known


def _previously(result: RunResult) -> dict[Family, Reported]:
    """Return the baseline for families never reported: the version before the one that this run recorded."""
    return {
        one.family: Reported(one.version - 1, one.previous_address)
        for one in result.results
        if one.recorded and one.version and one.previous_address
    }


def _drifts(one: FamilyResult) -> list[datetime]:
    return [each.drift_at for each in one.publications if each.drift_at]


def _changes(
    before: Reported | None, seen: Mapping[Record, Seen], one: FamilyResult, result: RunResult, now: datetime
) -> list[Event]:
    """Return what is new for one family since the last report: a verified change, verified repairs.

    What the first publication of a record replaced was no change of ours: the run itself warns of it.
    """
    if not _is_settled(one):
        return []
    known = _reported_drift(before, one) if before else now - _LATELY
    if before is None:  # the state file knows nothing
        is_new = one.recorded or ((one.version or 0) > 1 and one.since is not None and one.since > now - _LATELY)
        before = Reported(0, None)
    else:
        is_new = (one.version or 0) > before.version and one.address != before.address
    previous = one.previous_address if one.recorded else before.address
    repaired = [
        each
        for each in one.publications
        if each.drift_at
        and (known is None or each.drift_at > known)
        and (each.record in seen or (each.verified_at and each.verified_at < each.drift_at))
    ]
    return [
        *([event.changed(result, one, previous, now)] if is_new else []),
        *([event.repaired(result, one, repaired, now)] if repaired else []),
    ]


def _seen(result: RunResult, now: datetime) -> dict[Record, Seen]:
    held = [each for each in _publications(result) if _is_held(each)]
    return {each.record: Seen(each.address, each.checked_at or now) for each in held if each.address}


def _is_held(publication: Publication) -> bool:
    """Return whether the record was last seen to hold the current address."""
    return publication.state is PublicationState.VERIFIED and bool(publication.address) and not publication.error


def _publications(result: RunResult) -> list[Publication]:
    return [each for one in result.results for each in one.publications]


def _kept(before: Mapping[Record, T], result: RunResult) -> dict[Record, T]:
    """Return what is known of the records that still follow the line."""
    records = {each.record for each in _publications(result)}
    unknown = {one.family.record_type for one in result.results if one.version is None}  # the run failed before it knew
    return {record: each for record, each in before.items() if record in records or record.type in unknown}
