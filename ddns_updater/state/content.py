"""The content of the state and its JSON form; every value is checked on reading, because files get damaged."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from ddns_updater.alerts.event import parse_event
from ddns_updater.errors import StateError
from ddns_updater.lib.uptime import Uptime
from ddns_updater.model import Address, Family, Incident, Outcome, Record, Seen, parse_address
from ddns_updater.state.outbox import Outbox, Pause, Undelivered
from ddns_updater.state.run_state import Move, Reported, RunState, Skips

PROGRAM, FORMAT = "ddns-updater", 1
MALFORMED = (KeyError, TypeError, ValueError, AttributeError, OverflowError, OSError)
_YEARS = range(1800, 2200)  # of times that can be calculated with, also those of a clock that was never set
_LONGEST_UPTIME = 1e10  # seconds, three centuries
_UNNAMED = ""  # the key for runs without a configured name while the database is unavailable


class StateContent:
    """What the state holds, which can be changed; `default` is the name of the only origin.

    `damage` says what was lost because it was damaged, None when it was not.
    """

    def __init__(
        self,
        default: str | None = None,
        origins: Mapping[str, RunState] = MappingProxyType({}),
        outbox: Outbox | None = None,
        damage: str | None = None,
    ) -> None:
        self.default = default
        self.origins = dict(origins)
        self.outbox = outbox or Outbox()
        self.damage = damage

    def name_of(self, given: str | None, resolved: str | None) -> str:
        """Return the name under which to keep a run: `given` is the configured one, `resolved` the one in the database.

        Either can be None. While the database is down, the only origin keeps the name that it had before.
        """
        if resolved is None:
            return given or self.default or _UNNAMED
        if given is None:
            if self.default and self.default != resolved and resolved not in self.origins:
                self._rename(self.default, resolved)  # the only origin was renamed
            self.default = resolved
        self._rename(_UNNAMED, resolved)
        return resolved

    def _rename(self, before: str, after: str) -> None:
        moved = self.origins.pop(before, None)
        if moved:
            known = self.origins.get(after, moved)
            self.origins[after] = known._replace(
                incident=known.incident or moved.incident, unprinted=known.unprinted or moved.unprinted
            )
            self.outbox.rename(before, after)


def content_text(content: StateContent) -> str:
    """Return the text of the file."""
    return json.dumps(
        {
            "program": PROGRAM,
            "format": FORMAT,
            "default": content.default,
            "origins": {name: _state_json(run_state) for name, run_state in content.origins.items()},
            # the names of format 1
            "owed": [
                {**each._asdict(), "event": each.event.json(), "since": _epoch(each.since)}
                for each in content.outbox.undelivered
            ],
            "waits": {
                key: {**each._asdict(), "until": _epoch(each.until)} for key, each in content.outbox.pauses.items()
            },
        }
    )


def parse_content(content: Mapping[str, Any]) -> StateContent:
    """Parse the content of a file; raises one of MALFORMED if it is not what `content_text` writes."""
    origins = {name: _run_state(each) for name, each in content["origins"].items()}
    pauses = {
        key: Pause(_count(each["tries"]), _time(each["until"]), each["asked"] is True)
        for key, each in content["waits"].items()
    }
    return StateContent(
        _optional_text(content["default"]), origins, Outbox([_undelivered(each) for each in content["owed"]], pauses)
    )


def content_of(loaded: Mapping[str, Any], place: str, of: str, away: str) -> StateContent:
    """Return the content that was `loaded` from `place`, an empty one with its damage if it is not what we write.

    `of` is what it remembers many of. Raises StateError, with `away` for advice, for that of another version.
    """
    if loaded.get("format") != FORMAT:
        raise StateError(f"{place} was written by another version of ddns-updater", away)
    try:
        return parse_content(loaded)
    except MALFORMED:
        return StateContent(damage=damage(place, of))


def damage(place: str, of: str) -> str:
    """Return that what `place` held is lost, and what that means."""
    lost = "an open incident and undelivered alerts are lost"
    return f"{place} is damaged; {of} counts restart at zero, {lost}"


def _undelivered(content: Mapping[str, Any]) -> Undelivered:
    to = tuple(map(_text, content["to"]))
    return Undelivered(_text(content["origin"]), parse_event(content["event"]), _time(content["since"]), to)


def _state_json(run_state: RunState) -> dict[str, Any]:
    incident = run_state.incident
    return {
        "runs": dict(run_state.runs),
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
            **({"quiet": True} if incident.quiet else {}),
        },
        "told": {
            family: {"version": each.version, "address": str(each.address or ""), "drift_at": _epoch(each.drift_at)}
            for family, each in run_state.reported.items()
        },
        "seen": {str(record): [str(each.address), _epoch(each.at)] for record, each in run_state.seen.items()},
        **{key: value for key, value in _later_json(run_state).items() if value},
    }


def _later_json(run_state: RunState) -> dict[str, Any]:
    """Return the fields that the first version of format 1 did not have; they are left out when empty."""
    return {
        "skips": {family: {"since": _epoch(each.since), "runs": each.runs} for family, each in run_state.skips.items()},
        "behind": {str(record): _epoch(at) for record, at in run_state.behind.items()},
        "moves": {
            family: [[_epoch(each.at), str(each.before), str(each.after)] for each in past]
            for family, past in run_state.moves.items()
        },
        "unprinted": run_state.unprinted and run_state.unprinted.json(),
        "printed": {text: _epoch(at) for text, at in run_state.printed.items()},
        "uptime": run_state.uptime and run_state.uptime._asdict(),
        "slowed": {name: _epoch(at) for name, at in run_state.slowed.items()},
    }


def _run_state(content: Mapping[str, Any]) -> RunState:
    outcome, incident = _optional_text(content["outcome"]), content["incident"]
    return RunState(
        runs={Outcome(each): _count(number) for each, number in content["runs"].items()},
        recent=tuple(_time(each) for each in content["recent"]),
        ended=_optional_time(content["ended"]),
        outcome=None if outcome is None else Outcome(outcome),
        error=_optional_text(content["error"]),
        last_success=_optional_time(content["last_success"]),
        incident=None
        if incident is None
        else Incident(
            _time(incident["since"]),
            _count(incident["failed_runs"]),
            _text(incident["cause"]),
            _count(incident["told"]),
            _optional_time(incident["told_at"]),
            incident.get("quiet") is True,
        ),
        reported={
            Family(family): Reported(
                _count(each["version"]), parse_address(_text(each["address"])), _optional_time(each["drift_at"])
            )
            for family, each in content["told"].items()
        },
        seen={_record(record): Seen(_address(address), _time(at)) for record, (address, at) in content["seen"].items()},
        skips={
            Family(family): Skips(_time(each["since"]), _count(each["runs"]))
            for family, each in content.get("skips", {}).items()
        },
        behind={_record(record): _time(at) for record, at in content.get("behind", {}).items()},
        moves={
            Family(family): tuple(Move(_time(at), _address(before), _address(after)) for at, before, after in past)
            for family, past in content.get("moves", {}).items()
        },
        unprinted=parse_event(content["unprinted"]) if "unprinted" in content else None,
        printed={text: _time(at) for text, at in content.get("printed", {}).items()},
        uptime=_uptime(content["uptime"]) if "uptime" in content else None,
        slowed={name: _time(at) for name, at in content.get("slowed", {}).items()},
    )


def _uptime(content: Mapping[str, Any]) -> Uptime:
    seconds = float(content["seconds"])
    if not 0 <= seconds < _LONGEST_UPTIME:
        raise ValueError
    return Uptime(_text(content["boot"]), seconds)


def _record(text: str) -> Record:
    name, space, kind = text.rpartition(" ")
    if not space:
        raise ValueError
    return Record(name, kind)


def _address(value: object) -> Address:
    address = parse_address(_text(value))
    if address is None:
        raise ValueError
    return address


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _optional_text(value: object) -> str | None:
    return None if value is None else _text(value)


def _count(value: object) -> int:
    if not isinstance(value, int) or value < 0:
        raise TypeError
    return value


def _epoch(time: datetime | None) -> float | None:
    return None if time is None else time.timestamp()


def _time(epoch: float) -> datetime:
    time = datetime.fromtimestamp(epoch, UTC)
    if time.year not in _YEARS:
        raise ValueError
    return time


def _optional_time(epoch: float | None) -> datetime | None:
    return None if epoch is None else _time(epoch)
