"""What this machine remembers of the runs of one origin."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import NamedTuple

from ddns_updater.alerts.event import Event
from ddns_updater.lib.uptime import Uptime
from ddns_updater.model import Address, Family, Incident, Outcome, Record, Seen
from ddns_updater.state.clock import ClockShift

_OVERDUE, _LEAST_OVERDUE = 3, timedelta(minutes=5)  # intervals, and time, without a run before it is overdue


class Reported(NamedTuple):
    """What was last reported of one address family: the version, its address, and the last drift (UTC)."""

    version: int
    address: Address | None
    drift_at: datetime | None = None


class Skips(NamedTuple):
    """How many runs in a row were skipped for one family, and when the first of them ended (UTC)."""

    since: datetime
    runs: int


class Move(NamedTuple):
    """A change of the address that a run of this machine recorded, and when (UTC)."""

    at: datetime
    before: Address
    after: Address


class RunState(NamedTuple):
    """What this machine remembers of the runs of one origin; times are its own, in UTC.

    `runs` counts runs by outcome; `recent` has the end of the last ones, of several in quick succession only the last,
    and `uptime` is that of the machine then, None when unknown.
    `ended`, `outcome` and `error` are those of the last run that was not skipped. `seen` is what each record last held
    correctly, `behind` since when one has not been seen to hold the current address, `skips` the families that the last
    run had to skip, `moves` the changes of the last hour. `unprinted` is an alert that a quiet run has to print,
    `printed` what quiet runs have printed and when.

    A server keeps its sweeps of the hosts in the same way: `slowed` are the hosts whose slowing down was reported, and
    when each was last seen slowed down.
    """

    runs: Mapping[Outcome, int] = MappingProxyType({})
    recent: tuple[datetime, ...] = ()
    ended: datetime | None = None
    outcome: Outcome | None = None
    error: str | None = None
    last_success: datetime | None = None
    incident: Incident | None = None
    reported: Mapping[Family, Reported] = MappingProxyType({})
    seen: Mapping[Record, Seen] = MappingProxyType({})
    behind: Mapping[Record, datetime] = MappingProxyType({})
    skips: Mapping[Family, Skips] = MappingProxyType({})
    moves: Mapping[Family, tuple[Move, ...]] = MappingProxyType({})
    unprinted: Event | None = None
    printed: Mapping[str, datetime] = MappingProxyType({})
    uptime: Uptime | None = None
    slowed: Mapping[str, datetime] = MappingProxyType({})

    @property
    def interval(self) -> timedelta | None:
        """Return the usual time between two runs, the median of the last ones; None before the third run."""
        gaps = sorted(later - earlier for earlier, later in zip(self.recent, self.recent[1:], strict=False))
        return gaps[len(gaps) // 2] if len(gaps) > 1 else None

    @property
    def patience(self) -> timedelta:
        """Return the time without a run after which one is overdue."""
        return max((self.interval or timedelta(0)) * _OVERDUE, _LEAST_OVERDUE)

    def is_overdue(self, now: datetime) -> bool:
        """Return whether the next run is overdue; there must have been one."""
        return now - self.recent[-1] > self.patience

    @property
    def was_skipped(self) -> bool:
        """Return whether the last run was skipped."""
        return bool(self.recent) and self.recent[-1] != self.ended

    def shifted(self, shift: ClockShift) -> "RunState":
        """Return this with its times by the clock as it was set; those of `seen` are by the database's."""
        moved = shift.moved
        incident = self.incident
        if incident:
            alerted_at = incident.alerted_at and moved(incident.alerted_at)
            incident = incident._replace(since=moved(incident.since), alerted_at=alerted_at)
        return self._replace(
            recent=tuple(map(moved, self.recent)),
            ended=self.ended and moved(self.ended),
            last_success=self.last_success and moved(self.last_success),
            incident=incident,
            behind={record: moved(at) for record, at in self.behind.items()},
            skips={family: each._replace(since=moved(each.since)) for family, each in self.skips.items()},
            moves={
                family: tuple(each._replace(at=moved(each.at)) for each in past) for family, past in self.moves.items()
            },
            printed={text: moved(at) for text, at in self.printed.items()},
            slowed={name: moved(at) for name, at in self.slowed.items()},
        )
