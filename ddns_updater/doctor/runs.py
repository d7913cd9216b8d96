"""The last run of this machine, and whether runs still come from cron, a timer or `ddns watch`."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime

from ddns_updater.doctor.check import Check, Checker
from ddns_updater.errors import DdnsError
from ddns_updater.lib.humanize import counted, duration
from ddns_updater.state.backlog import Backlog, backlogs
from ddns_updater.state.content import StateContent
from ddns_updater.state.run_state import RunState


def check_runs(
    check: Checker,
    read_state: Callable[[], StateContent],
    given: str | None,
    resolved: str | None,
    now: datetime,
    channels: Mapping[str, str],
) -> Iterator[Check]:
    """Check the state of the origin that was `given` by name, else of the one that the database `resolved`.

    `channels` has the name of each configured channel by its key.
    """
    try:
        content = check.attempt("last run", read_state)
    except DdnsError as error:
        yield check.error("last run", error)
        return
    if content.damage:
        yield check.warning("state file", content.damage, "nothing to do; the next run starts a new one")
    name = given or resolved or content.default or ""
    run_state = content.origins.get(name)
    if run_state is None or not run_state.recent:
        yield check.note(
            "last run", "none recorded on this machine", "ddns run; then schedule it every minute as in the README"
        )
        return
    yield _last(check, run_state, now)
    yield _schedule(check, run_state, now)
    yield from _undelivered(check, backlogs(content.outbox, name, channels), channels)


def _last(check: Checker, run_state: RunState, now: datetime) -> Check:
    ended = f"{duration(now - run_state.recent[-1])} ago"
    if incident := run_state.incident:
        failing = f"failing for {duration(now - incident.since)}, {counted(incident.failed_runs, 'run')}"
        cause = (
            run_state.error
            if run_state.outcome and run_state.outcome.is_bad
            else f"not yet recovered from: {incident.cause}"
        )
        found = f"{ended}; the last one not skipped ended {run_state.outcome}: {cause} ({failing})"
        return check.failed("last run", found, "see the other checks; then: ddns run")
    outcome = "skipped" if run_state.was_skipped else run_state.outcome
    success = run_state.last_success and f"; last success {duration(now - run_state.last_success)} ago"
    return check.ok("last run", f"{ended}, {outcome}{success or ''}")


def _schedule(check: Checker, run_state: RunState, now: datetime) -> Check:
    interval = run_state.interval
    often = f"every {duration(interval)}" if interval else ""
    if run_state.is_overdue(now):
        found = f"no run for {duration(now - run_state.recent[-1])}{often and f'; they came {often} before'}"
        advice = 'check what starts them: "crontab -l", "systemctl list-timers", "ddns watch" or its container'
        return check.failed("schedule", found, advice)
    if interval is None:
        return check.note("schedule", "too few runs are recorded to tell how often they come")
    return check.ok("schedule", f"runs come {often}")


def _undelivered(check: Checker, waiting: Sequence[Backlog], channels: Mapping[str, str]) -> Iterator[Check]:
    name = "undelivered alerts"
    if channels and not waiting:
        yield check.ok(name, "none")
    for each in waiting:
        if each.channel:
            yield check.warning(name, str(each), "ddns notify --test shows why")
        else:
            yield check.note(name, str(each), "they are dropped after a day, if no run has the channel")
