"""The status of an origin, and what is wrong with it."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from ddns_updater.hosts import Overview
from ddns_updater.lib.humanize import counted, duration, local_time
from ddns_updater.model import Family, Journal, Outcome, Publication, PublicationState, Record
from ddns_updater.state.backlog import Backlog
from ddns_updater.state.run_state import RunState

_GRACE = timedelta(minutes=10)  # for DNS to follow, and for an alert to be delivered, before that is a problem


class Status(NamedTuple):
    """The status of an origin; `journals` is empty when the database is unavailable.

    `records` are the configured ones of each configured family, with their publication for the latest version;
    `run_state` is None when the state file cannot be read; `rivals` has a line for each claim
    of another origin on those records. `hosts` is how the hosts of the update endpoint stand, None when that is unknown
    or not asked for. `is_host` is whether the status is that of a host, with its own records and without runs.
    """

    name: str | None
    now: datetime
    journals: Mapping[Family, Journal]
    records: Mapping[Family, Sequence[tuple[Record, Publication | None]]]
    run_state: RunState | None
    backlogs: tuple[Backlog, ...] = ()
    errors: tuple[str, ...] = ()
    rivals: tuple[str, ...] = ()
    hosts: Overview | None = None
    is_host: bool = False

    @property
    def notes(self) -> list[str]:
        """Return what may be meant so or may pass, a line each."""
        if self.is_host or not self.records:  # or a server of hosts, where nothing runs
            return []
        waiting = [str(each) for each in self.backlogs if not self._is_stuck(each)]
        if not any(self.records.values()):
            return ["no record follows the line: DDNS_RECORDS is not set", *waiting]
        idle = [
            f"no record follows the {family} address: DDNS_RECORDS has no {family.record_type} record"
            for family, records in self.records.items()
            if not records
        ]
        return [*self.rivals, *idle, *waiting]

    @property
    def problems(self) -> list[str]:
        """Return every problem, a line each, those of the runs first; what the incident tells is not told again."""
        found = [*self.errors]
        for family, records in self.records.items():
            if journal := self.journals.get(family):
                found += filter(None, (self.record_problem(journal, *each) for each in records))
        incident = self.run_state and self.run_state.incident
        cause = incident.cause if incident else ""  # joins the errors of the run
        of_runs = run_problems(self.run_state, self.now) if self.run_state else []
        stuck = [f'{each}; "ddns notify --test" shows why' for each in self.backlogs if self._is_stuck(each)]
        found += host_problems(self.hosts) if self.hosts else []
        return of_runs + [each for each in dict.fromkeys([*found, *stuck]) if each not in cause]

    def record_problem(self, journal: Journal, record: Record, known: Publication | None) -> str | None:
        """Return the problem of a record with the publication `known`; None if there is none.

        A record is given time to follow from when it was last seen to hold a current address, by what this machine
        knows of that, else from the latest version.
        """
        version = journal.version
        if known and known.error:
            return known.error
        if known and known.state is PublicationState.VERIFIED and known.address and known.address == version.address:
            return None
        if self.run_state and self.run_state.outcome is Outcome.OFF:
            return None  # it waits until the machine with the address runs again
        due = max(filter(None, (version.created_at, known and known.created_at, known and known.submitted_at)))
        behind = self.run_state and self.run_state.behind.get(record)
        is_failed = known is not None and known.state is PublicationState.FAILED
        late = max(journal.read_at - due, self.now - behind if behind else timedelta(0))  # each by its own clock
        if not is_failed and late <= _GRACE:
            return None
        retried_by = "ddns serve" if self.is_host else "the next run"
        return f"{record} is not verified for version {version.version}, {version.ip}; {retried_by} tries again"

    def _is_stuck(self, backlog: Backlog) -> bool:
        """Return whether a configured channel has been unable to deliver for too long."""
        return backlog.channel is not None and self.now - backlog.since > _GRACE


def host_problems(hosts: Overview) -> list[str]:
    """Return the problems of the hosts: records that cannot be published, or that nobody publishes in time."""
    found = []
    if hosts.refused:
        found.append(f"{counted(hosts.refused, 'record')} of hosts cannot be published; ddns doctor names them")
    if hosts.waiting_since and hosts.read_at - hosts.waiting_since > _GRACE:
        age = duration(hosts.read_at - hosts.waiting_since)
        found.append(
            f"{counted(hosts.waiting, 'record')} of hosts not published yet, the oldest for {age};"
            " check that ddns serve is running"
        )
    return found


def run_problems(run_state: RunState, now: datetime) -> list[str]:
    """Return the problems of the runs themselves: they fail, or have stopped."""
    if not run_state.recent:
        return ["no run is recorded on this machine; schedule `ddns run` in this user's crontab"]
    found = []
    if incident := run_state.incident:
        runs = counted(incident.failed_runs, "run")
        found.append(f"failing since {local_time(incident.since)}, {runs}: {incident.cause}")
    if run_state.is_overdue(now):
        age = duration(now - run_state.recent[-1])
        found.append(f"the last run was {age} ago; check that cron, or whatever starts `ddns run`, is working")
    elif run_state.ended is None or now - run_state.ended > run_state.patience:
        since = f"since {local_time(run_state.ended)}" if run_state.ended else "so far"
        found.append(
            f"every run {since} was skipped; find the other run, here or on another machine, that holds the lock"
        )
    return found
