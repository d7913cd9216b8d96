"""What one more run makes of the run state: which incident begins, lasts or ends, and which alerts that calls for.

An incident begins with the first run that failed or was held and ends with the first that found all well; `pending`,
for half an hour, and `skipped` neither begin nor end one. It is told once it has lasted for so many runs, again after
1 h, 6 h and then daily, and at its end.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from ddns_updater.alerts import event
from ddns_updater.alerts.event import Event
from ddns_updater.lib.humanize import duration
from ddns_updater.model import Family, FamilyResult, Incident, Outcome, PublicationState, RunResult
from ddns_updater.state.run_state import Reported, RunState

_GAPS = (timedelta(hours=1), timedelta(hours=5), timedelta(hours=18))  # between alerts: after 1 h, 6 h, a day
_DAY = timedelta(days=1)  # between all that follow
_LONG_PENDING = timedelta(minutes=30)  # Route 53 takes a minute as a rule
_LATELY = timedelta(hours=1)  # what came to hold since then may be of a run that was killed before it told
_QUICK = timedelta(seconds=30)  # from one run to the next; no schedule of cron has that
_RECENT = 6  # runs whose times are kept, to know how often they come


def advance(state: RunState, result: RunResult, now: datetime, alert_after: int | None) -> tuple[RunState, list[Event]]:
    """Return the state after `result` of a run that ended at `now`, and what is to be told of it.

    `alert_after` is how many runs in a row have to fail before it is told; None when there is nobody to tell.
    """
    counted = state._replace(runs={**state.runs, result.outcome: state.runs.get(result.outcome, 0) + 1})
    if state.ended and now < state.ended:  # it was held up, and a later one has told already
        return counted, []
    counted = counted._replace(recent=(*_spaced(state.recent, now), now)[-_RECENT:])
    if result.outcome is Outcome.SKIPPED:
        return counted, []
    events = [each for one in result.results for each in _news(state.reported.get(one.family), one, result, now)]
    reported = {
        **_before_news(result),
        **state.reported,
        **{one.family: _reported(state.reported.get(one.family), one) for one in result.results if _is_settled(one)},
    }
    now_seen = counted._replace(
        ended=now, outcome=result.outcome, error=result.error, reported=reported, seen=_seen(state.seen, result, now)
    )
    stuck = _stuck(result, now)
    if result.outcome.is_bad or stuck:
        return _failed(now_seen, result.error or stuck or str(result.outcome), result, events, now, alert_after)
    if result.outcome is Outcome.PENDING or any(one.outcome is Outcome.SKIPPED for one in result.results):
        return now_seen, events  # what is not known to be well does not end an incident
    if state.incident and state.incident.alerts:
        events.insert(0, event.recovered(result, state.incident, now))
    return now_seen._replace(last_success=now, incident=None), events


def _spaced(recent: tuple[datetime, ...], now: datetime) -> tuple[datetime, ...]:
    """Return the times before `now` without the last one where it is of a run just before, started by hand."""
    by_hand = bool(recent) and now - recent[-1] < _QUICK
    return recent[:-1] if by_hand else recent


def _failed(
    run_state: RunState, cause: str, result: RunResult, events: Sequence[Event], now: datetime, alert_after: int | None
) -> tuple[RunState, list[Event]]:
    before = run_state.incident or Incident(now, 0, "")
    incident = before._replace(failed_runs=before.failed_runs + 1, cause=cause)
    alerts = [*events]
    if alert_after is not None and _is_due(incident, now, alert_after):
        alerts.append(event.failing(result, incident, run_state.seen, now))
        incident = incident._replace(alerts=incident.alerts + 1, alerted_at=now)
    return run_state._replace(incident=incident), alerts


def _is_due(incident: Incident, now: datetime, alert_after: int) -> bool:
    """Return whether it is time to tell of it, for the first time or again.

    Counted from the last alert, so that a machine that slept for days is not reminded of each of them.
    """
    if incident.alerted_at is None:
        return incident.failed_runs >= alert_after
    gap = _GAPS[incident.alerts - 1] if 0 < incident.alerts <= len(_GAPS) else _DAY
    return now - incident.alerted_at >= gap


def _stuck(result: RunResult, now: datetime) -> str | None:
    """Return what has been pending for so long that it is a failure; None when nothing is."""
    waiting = [each for one in result.results for each in one.publications if each.state is PublicationState.SUBMITTED]
    old = [str(each.record) for each in waiting if each.submitted_at and now - each.submitted_at > _LONG_PENDING]
    if result.outcome is not Outcome.PENDING or not old:
        return None
    return f"{old[0]} was sent to Route 53 {duration(_LONG_PENDING)} ago or earlier and is still not seen to hold"


def _is_settled(one: FamilyResult) -> bool:
    """Return whether the run saw everything of this family in place."""
    return one.outcome.is_good and one.version is not None and one.address is not None


def _reported(before: Reported | None, one: FamilyResult) -> Reported:
    drifts = [before.drift_at] if before and before.drift_at else []  # of records that are no longer configured, too
    return Reported(one.version or 0, one.address or "", max([*drifts, *_drifts(one)], default=None))


def _before_news(result: RunResult) -> dict[Family, Reported]:
    """Return what was known before the versions that this run recorded, for later runs to tell them by."""
    return {
        one.family: Reported(one.version - 1, one.previous_address)
        for one in result.results
        if one.recorded and one.version and one.previous_address
    }


def _drifts(one: FamilyResult) -> list[datetime]:
    return [each.drift_at for each in one.publications if each.drift_at]


def _news(before: Reported | None, one: FamilyResult, result: RunResult, now: datetime) -> list[Event]:
    """Return what is new of one family since it was last told: a change that was seen to hold, repairs that were."""
    if not _is_settled(one):
        return []
    if before is None:  # nothing is remembered
        is_new = one.recorded or ((one.version or 0) > 1 and one.since is not None and one.since > now - _LATELY)
        before = Reported(0, (one.recorded and one.previous_address) or "", now - _LATELY)
    else:
        is_new = (one.version or 0) > before.version and one.address != before.address
    previous = one.previous_address if one.recorded else before.address
    repaired = [
        each
        for each in one.publications
        if each.drift_at and (before.drift_at is None or each.drift_at > before.drift_at)
    ]
    return [
        *([event.changed(result, one, previous or None, now)] if is_new else []),
        *([event.repaired(result, one, repaired, now)] if repaired else []),
    ]


def _seen(
    before: Mapping[str, tuple[str, datetime]], result: RunResult, now: datetime
) -> Mapping[str, tuple[str, datetime]]:
    publications = [each for one in result.results for each in one.publications]
    seen = {
        str(each.record): (each.address, each.checked_at or now)
        for each in publications
        if each.state is PublicationState.VERIFIED and each.address and not each.error
    }
    records = {str(each.record) for each in publications}
    unknown = {one.family.record_type for one in result.results if one.version is None}  # it did not come so far
    kept = {name: value for name, value in before.items() if name in records or name.rpartition(" ")[2] in unknown}
    return kept | seen
