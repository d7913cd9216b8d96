"""Decide when skipped runs are a failure: once no run has got the lock for longer than three runs should take."""

from datetime import datetime, timedelta

from ddns_updater.errors import NEXT_RUN, DdnsError
from ddns_updater.lib.humanize import counted, local_time
from ddns_updater.model import FamilyResult, Outcome, RunResult
from ddns_updater.state.run_state import RunState, Skips

_RUNS = 3  # that may be skipped in a row
_INTERVALS = 3.5  # so that jitter does not make the fourth skipped run one too many
_UNKNOWN = timedelta(minutes=5)  # instead, while the usual interval is unknown


def judge_skips(
    state: RunState, result: RunResult, now: datetime, run_timeout: timedelta
) -> tuple[RunState, RunResult]:
    """Count the skipped families of a run that ended at `now`; those skipped for too long fail in the result returned.

    Runs skipped at the same moment are many but not for long, so more than three usual intervals must have passed, and
    more than `run_timeout`, which the run in progress may take. A run that reports after a later one changes nothing.
    """
    if state.ended and now < state.ended:
        return state, result
    skips = {one.family: _next(state.skips.get(one.family), now) for one in result.results if _is_skipped(one)}
    patience = max(state.interval * _INTERVALS if state.interval else _UNKNOWN, run_timeout)
    stuck = {family: each for family, each in skips.items() if each.runs > _RUNS and now - each.since > patience}
    whole = len(stuck) == len(result.results)
    results = tuple(
        one._replace(outcome=Outcome.FAILED, error=_error(result, one, stuck[one.family], whole=whole))
        if one.family in stuck
        else one
        for one in result.results
    )
    return state._replace(skips=skips), result._replace(results=results)


def _is_skipped(one: FamilyResult) -> bool:
    return one.outcome is Outcome.SKIPPED


def _next(before: Skips | None, now: datetime) -> Skips:
    return before._replace(runs=before.runs + 1) if before else Skips(now, 1)


def _error(result: RunResult, one: FamilyResult, skips: Skips, *, whole: bool) -> str:
    origin = result.name if whole else f"{result.name} ({one.family})"
    return str(
        DdnsError(
            f"all {counted(skips.runs, 'run')} since {local_time(skips.since)} were skipped: another run of {origin}"
            " holds the lock, on this machine or another one,"
            " or the database keeps it for a connection that is gone",
            'end that "ddns run" or "ddns watch", or that connection',
            then=NEXT_RUN,
        )
    )
