"""What is written in the diary, and its form: each value is checked when it is read, for files get damaged."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from ddns_updater.alerts.event import Kind
from ddns_updater.model import Family, Incident, Outcome
from ddns_updater.state.outbox import Outbox, Undelivered, Wait
from ddns_updater.state.run_state import Reported, RunState

PROGRAM, FORMAT = "ddns-updater", 1
MALFORMED = (KeyError, TypeError, ValueError, AttributeError, OverflowError, OSError)
_YEARS = range(1800, 2200)  # of times that can be reckoned with, also those of a clock that was never set
_UNNAMED = ""  # the origin of a run that had no name and could not look it up


@dataclass
class StateContent:
    """The open diary: what is changed here is written at the end of the block.

    `outbox` has what is still to be told; `warnings` what was found wrong with the file.
    """

    default: str | None = None
    origins: dict[str, RunState] = field(default_factory=dict)
    outbox: Outbox = field(default_factory=Outbox)
    warnings: list[str] = field(default_factory=list)

    def name_of(self, given: str | None, resolved: str | None) -> str:
        """Return the name under which a run is kept, which was `given` one or none, and found out `resolved` or not.

        While the database is down, the only origin there is goes by the name it had when it was last looked up.
        """
        if resolved is None:
            return given or self.default or _UNNAMED
        if given is None:
            if self.default and self.default != resolved and resolved not in self.origins:
                self._rename(self.default, resolved)  # the only origin there is was given another name
            self.default = resolved
        self._rename(_UNNAMED, resolved)
        return resolved

    def _rename(self, before: str, after: str) -> None:
        moved = self.origins.pop(before, None)
        if moved:
            known = self.origins.get(after, moved)
            self.origins[after] = known._replace(incident=known.incident or moved.incident)
            self.outbox.rename(before, after)


def content_text(page: StateContent) -> str:
    """Return the content of the file."""
    return json.dumps(
        {
            "program": PROGRAM,
            "format": FORMAT,
            "default": page.default,
            "origins": {name: _state_json(run_state) for name, run_state in page.origins.items()},
            "owed": [{**each._asdict(), "since": _epoch(each.since)} for each in page.outbox.owed],
            "waits": {key: {**each._asdict(), "until": _epoch(each.until)} for key, each in page.outbox.waits.items()},
        }
    )


def parse_content(content: Mapping[str, Any]) -> StateContent:
    """Return what `content` of a file says; raises one of MALFORMED when that is nothing that was ever written."""
    origins = {name: _run_state(each) for name, each in content["origins"].items()}
    waits = {
        key: Wait(_count(each["tries"]), _instant(each["until"]), each["asked"] is True)
        for key, each in content["waits"].items()
    }
    return StateContent(_words(content["default"]), origins, Outbox([_owed(each) for each in content["owed"]], waits))


def _owed(content: Mapping[str, Any]) -> Undelivered:
    event = dict(content["event"])
    Kind(event["event"])
    for name in ("time", "title", "text"):
        _word(event[name])
    return Undelivered(_word(content["origin"]), event, _instant(content["since"]), tuple(map(_word, content["to"])))


def _state_json(run_state: RunState) -> dict[str, Any]:
    incident = run_state.incident
    return {
        "runs": run_state.runs,
        "recent": [_epoch(each) for each in run_state.recent],
        "ended": _epoch(run_state.ended),
        "outcome": run_state.outcome,
        "error": run_state.error,
        "last_success": _epoch(run_state.last_success),
        "incident": incident
        and {
            "since": _epoch(incident.since),
            "failed_runs": incident.failed_runs,
            "cause": incident.cause,
            "told": incident.alerts,
            "told_at": _epoch(incident.alerted_at),
        },
        "told": {
            family: {**each._asdict(), "drift_at": _epoch(each.drift_at)} for family, each in run_state.reported.items()
        },
        "seen": {record: [address, _epoch(at)] for record, (address, at) in run_state.seen.items()},
    }


def _run_state(content: Mapping[str, Any]) -> RunState:
    outcome, incident = _words(content["outcome"]), content["incident"]
    return RunState(
        runs={Outcome(each): _count(number) for each, number in content["runs"].items()},
        recent=tuple(_instant(each) for each in content["recent"]),
        ended=_time(content["ended"]),
        outcome=None if outcome is None else Outcome(outcome),
        error=_words(content["error"]),
        last_success=_time(content["last_success"]),
        incident=None
        if incident is None
        else Incident(
            _instant(incident["since"]),
            _count(incident["failed_runs"]),
            _word(incident["cause"]),
            _count(incident["told"]),
            _time(incident["told_at"]),
        ),
        reported={
            Family(family): Reported(_count(each["version"]), _word(each["address"]), _time(each["drift_at"]))
            for family, each in content["told"].items()
        },
        seen={record: (_word(address), _instant(at)) for record, (address, at) in content["seen"].items()},
    )


def _word(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _words(value: object) -> str | None:
    return None if value is None else _word(value)


def _count(value: object) -> int:
    if not isinstance(value, int) or value < 0:
        raise TypeError
    return value


def _epoch(time: datetime | None) -> float | None:
    return None if time is None else time.timestamp()


def _instant(epoch: float) -> datetime:
    time = datetime.fromtimestamp(epoch, UTC)
    if time.year not in _YEARS:
        raise ValueError
    return time


def _time(epoch: float | None) -> datetime | None:
    return None if epoch is None else _instant(epoch)
