"""What this machine remembers of the runs of one origin."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import NamedTuple

from ddns_updater.model import Family, Incident, Outcome

_OVERDUE, _LEAST_OVERDUE = 3, timedelta(minutes=5)  # runs that stay away for so many intervals, and for so long
_BACKWARD = timedelta(minutes=1)  # a clock may be corrected by less without a word


class Reported(NamedTuple):
    """What is known to the outside of one address family: the version, its address, and the last drift (UTC)."""

    version: int
    address: str
    drift_at: datetime | None = None


class RunState(NamedTuple):
    """What this machine remembers of the runs of one origin; times are its own, in UTC.

    `runs` counts by outcome, `recent` has when the last ones ended, of several in quick succession only the last.
    `ended`, `outcome` and `error` are those of the last that was not skipped. `seen` is what each record held when it
    was last seen to hold what it should.
    """

    runs: Mapping[Outcome, int] = MappingProxyType({})
    recent: tuple[datetime, ...] = ()
    ended: datetime | None = None
    outcome: Outcome | None = None
    error: str | None = None
    last_success: datetime | None = None
    incident: Incident | None = None
    reported: Mapping[Family, Reported] = MappingProxyType({})
    seen: Mapping[str, tuple[str, datetime]] = MappingProxyType({})

    @property
    def interval(self) -> timedelta | None:
        """Return the usual time from one run to the next, the median of the last; None before the third run."""
        gaps = sorted(later - earlier for earlier, later in zip(self.recent, self.recent[1:], strict=False))
        return gaps[len(gaps) // 2] if len(gaps) > 1 else None

    @property
    def patience(self) -> timedelta:
        """Return for how long no run may come before it is one too many that stays away."""
        return max((self.interval or timedelta(0)) * _OVERDUE, _LEAST_OVERDUE)

    def is_overdue(self, now: datetime) -> bool:
        """Return whether a run should have come since the last one, of which there must be one."""
        return now - self.recent[-1] > self.patience

    @property
    def was_skipped(self) -> bool:
        """Return whether the last run was skipped."""
        return bool(self.recent) and self.recent[-1] != self.ended

    def moved_to(self, now: datetime) -> tuple["RunState", timedelta | None]:
        """Return this with all times moved along where the clock went backward, and by how much; None if it did not.

        Moved together, they still tell how long everything lasted.
        """
        back = self.recent[-1] - now if self.recent else timedelta(0)
        if back <= _BACKWARD:
            return self, None
        incident = self.incident
        if incident:
            alerted_at = incident.alerted_at and incident.alerted_at - back
            incident = incident._replace(since=incident.since - back, alerted_at=alerted_at)
        moved = self._replace(
            recent=tuple(each - back for each in self.recent),
            ended=self.ended and self.ended - back,
            last_success=self.last_success and self.last_success - back,
            incident=incident,
            seen={record: (address, at - back) for record, (address, at) in self.seen.items()},
        )
        return moved, back
