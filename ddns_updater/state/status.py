"""How everything stands, and what is wrong with it."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from ddns_updater.lib.humanize import counted, duration, local_time
from ddns_updater.model import Family, Journal, Publication, PublicationState, Record, same_address
from ddns_updater.state.run_state import RunState

_GRACE = timedelta(minutes=10)  # a change may take so long before it is called wrong that DNS has not followed


class Status(NamedTuple):
    """How an origin stands; `journals` is empty when the database could not be asked.

    `records` are the configured ones of each configured family, with what is known of them for the latest version;
    `standing` is None when what is remembered of the runs could not be read.
    """

    name: str | None
    now: datetime
    journals: Mapping[Family, Journal]
    records: Mapping[Family, Sequence[tuple[Record, Publication | None]]]
    run_state: RunState | None
    errors: tuple[str, ...] = ()

    @property
    def problems(self) -> list[str]:
        """Return what is wrong, a line each."""
        found = [*self.errors]
        for family, records in self.records.items():
            if journal := self.journals.get(family):
                found += [wrong for record, known in records if (wrong := record_problem(journal, record, known))]
        return found + (run_problems(self.run_state, self.now) if self.run_state else [])


def run_problems(run_state: RunState, now: datetime) -> list[str]:
    """Return what is wrong with the runs themselves: that they fail, or that they stay away."""
    if not run_state.recent:
        return ["no run is remembered on this machine; let cron start `ddns run`, as the user who asks now"]
    found = []
    if incident := run_state.incident:
        runs = counted(incident.failed_runs, "run")
        found.append(f"failing since {local_time(incident.since)}, {runs}: {incident.cause}")
    if run_state.is_overdue(now):
        age = duration(now - run_state.recent[-1])
        found.append(f"the last run was {age} ago; see whether cron, or what else starts `ddns run`, is at work")
    elif run_state.ended is None or now - run_state.ended > run_state.patience:
        since = f"since {local_time(run_state.ended)}" if run_state.ended else "so far"
        found.append(f"every run {since} was skipped; see which other run, here or elsewhere, holds the lock")
    return found


def record_problem(journal: Journal, record: Record, known: Publication | None) -> str | None:
    """Return what is wrong with a record, of which `known` is the publication; None when nothing is."""
    state = known.state if known else PublicationState.PENDING
    version = journal.version
    if known and known.error:
        return known.error
    if known and state is PublicationState.VERIFIED and same_address(known.address, version.ip):
        return None
    due = (
        max(version.created_at, *(at for at in (known.created_at, known.submitted_at) if at))
        if known
        else version.created_at
    )
    if state is not PublicationState.FAILED and journal.read_at - due <= _GRACE:
        return None
    return f"{record} is not verified for version {version.version}, {version.ip}; the next run tries again"
