"""The last run of this machine, and whether runs still come, whatever starts them: cron, a timer, `ddns watch`."""

from collections.abc import Callable, Iterator
from datetime import datetime

from ddns_updater.doctor.check import Check, Checker
from ddns_updater.errors import DdnsError
from ddns_updater.lib.humanize import counted, duration
from ddns_updater.state.content import StateContent
from ddns_updater.state.run_state import RunState

_SECONDS = 5


def check_runs(
    check: Checker, read_state: Callable[[], StateContent], given: str | None, resolved: str | None, now: datetime
) -> Iterator[Check]:
    """Look at what is remembered of the origin that was `given` by name, or that the database `resolved`."""
    try:
        page = check.attempt(_SECONDS, read_state)
    except DdnsError as error:
        yield check.error("last run", error)
        return
    for warning in page.warnings:
        yield check.warning("diary", warning, "nothing; the next run begins a new one")
    run_state = page.origins.get(given or resolved or page.default or "")
    if run_state is None or not run_state.recent:
        yield check.note(
            "last run", "this machine remembers none", "ddns run; then have it started every minute, see the README"
        )
        return
    yield _last(check, run_state, now)
    yield _schedule(check, run_state, now)


def _last(check: Checker, run_state: RunState, now: datetime) -> Check:
    ended = f"{duration(now - run_state.recent[-1])} ago"
    if incident := run_state.incident:
        failing = f"failing for {duration(now - incident.since)}, {counted(incident.failed_runs, 'run')}"
        cause = (
            run_state.error
            if run_state.outcome and run_state.outcome.is_bad
            else f"no end yet of what failed before: {incident.cause}"
        )
        found = f"{ended}; the last that was not skipped ended {run_state.outcome}: {cause} ({failing})"
        return check.failed("last run", found, "see the other checks; then: ddns run")
    outcome = "skipped" if run_state.was_skipped else run_state.outcome
    success = run_state.last_success and f", the last success {duration(now - run_state.last_success)} ago"
    return check.ok("last run", f"{ended}, {outcome}{success or ''}")


def _schedule(check: Checker, run_state: RunState, now: datetime) -> Check:
    interval = run_state.interval
    often = f"every {duration(interval)}" if interval else ""
    if run_state.is_overdue(now):
        found = f"no run for {duration(now - run_state.recent[-1])}{often and f', and they came {often}'}"
        advice = 'look at what starts them: "crontab -l", "systemctl list-timers", "ddns watch" or its container'
        return check.failed("schedule", found, advice)
    if interval is None:
        return check.note("schedule", "too few runs are remembered to know how often they come")
    return check.ok("schedule", f"runs come {often}")
