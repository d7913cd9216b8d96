"""The last run of this machine, and whether cron still does its part."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from ddns_updater.diary import Page
from ddns_updater.doctor.check import Check, Checker
from ddns_updater.errors import DdnsError
from ddns_updater.standing import BAD, Standing
from ddns_updater.words import duration

_SECONDS = 5
_MISSED = 3  # intervals without a run
_LEAST = timedelta(minutes=5)
_UNKNOWN = timedelta(hours=1)  # while it is not known how often runs come


def check_runs(
    check: Checker, read_diary: Callable[[], Page], given: str | None, resolved: str | None, now: datetime
) -> Iterator[Check]:
    """Look at what is remembered of the origin that was `given` by name, or that the database `resolved`."""
    try:
        page = check.attempt(_SECONDS, read_diary)
    except DdnsError as error:
        yield check.error("last run", error)
        return
    for warning in page.warnings:
        yield check.warning("diary", warning, "nothing; the next run begins a new one")
    standing = page.origins.get(given or resolved or page.default or "")
    if standing is None or not standing.recent:
        yield check.note("last run", "this machine remembers none", "ddns run; then have cron do it, see the README")
        return
    yield _last(check, standing, now)
    yield _cron(check, standing, now)


def _last(check: Checker, standing: Standing, now: datetime) -> Check:
    ended = f"{duration(now - standing.recent[-1])} ago"
    if standing.outcome in BAD:
        found = f"{ended}; the last that was not skipped ended {standing.outcome}: {standing.error}"
        if standing.incident:
            failing = duration(now - standing.incident.since)
            found += f" (failing for {failing}, {standing.incident.failed_runs} runs)"
        return check.warning("last run", found, "see the other checks; then: ddns run")
    success = standing.last_success and f", the last success {duration(now - standing.last_success)} ago"
    return check.ok("last run", f"{ended}, {standing.outcome or 'skipped'}{success or ''}")


def _cron(check: Checker, standing: Standing, now: datetime) -> Check:
    interval, silence = standing.interval, now - standing.recent[-1]
    if silence > (max(_MISSED * interval, _LEAST) if interval else _UNKNOWN):
        often = f", and they came every {duration(interval)}" if interval else ""
        found = f"no run for {duration(silence)}{often}: cron seems not to run it"
        return check.warning(
            "cron", found, 'look at "crontab -l" and at cron\'s log, for instance "journalctl -u cron"'
        )
    if interval is None:
        return check.note("cron", "too few runs are remembered to know how often they come")
    return check.ok("cron", f"runs come every {duration(interval)}")
