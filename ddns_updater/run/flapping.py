"""Notice an address that goes to and fro: two machines of different lines that use one origin, or a line that flaps.

Each change is a version of its own, and each is published, so every run is good by itself.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

from ddns_updater.model import Address, Family, RunResult
from ddns_updater.state.run_state import Move

_WITHIN = timedelta(hours=1)
_RETURNS = 3  # a line that fails and comes back returns once
_MOST = 60  # changes that are remembered


def moves_after(
    before: Mapping[Family, tuple[Move, ...]], result: RunResult, now: datetime
) -> dict[Family, tuple[Move, ...]]:
    """Return the changes that the runs of this machine recorded within the last hour, those of `result` included."""
    moves = {family: tuple(each for each in past if now - each.at < _WITHIN) for family, past in before.items()}
    for one in result.results:
        if one.recorded and one.address and one.previous_address:
            move = Move(now, one.previous_address, one.address)
            moves[one.family] = (*moves.get(one.family, ()), move)[-_MOST:]
    return {family: past for family, past in moves.items() if past}


def flapping(name: str | None, moves: Mapping[Family, tuple[Move, ...]]) -> str | None:
    """Return the cause if an address flaps, else None."""
    for family, past in moves.items():
        returns = _returns(past)
        if returns >= _RETURNS:
            last = past[-1]
            return (
                f"the {family} address of {name} flaps between {last.before} and {last.after}, {returns} times within"
                " an hour; is another machine using this origin?"
            )
    return None


def _returns(moves: tuple[Move, ...]) -> int:
    """Return how often the line came back to an address that it had before."""
    known: set[Address] = set()
    returns = 0
    for move in moves:
        known.add(move.before)
        returns += move.after in known
        known.add(move.after)
    return returns
