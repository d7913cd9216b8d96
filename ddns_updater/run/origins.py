"""Choose the origin that a command is about."""

import shlex
from collections.abc import Sequence

from ddns_updater.errors import HistoryError, NotInitialised, OriginError
from ddns_updater.lib.humanize import duration
from ddns_updater.model import Family, Origin
from ddns_updater.run.ports import History


def choose_origins(history: History, name: str | None) -> dict[Family, Origin]:
    """Return the origins called `name`, or those of the only name there is, by family.

    Raises NotInitialised when there is none, OriginError when `name` is unknown or missing, HistoryError when two
    origins of that name could be meant.
    """
    origins = history.origins(name) or history.origins()
    names = sorted({origin.name for origin in origins})
    if not names:
        raise NotInitialised("there is no origin in the database yet", 'run "ddns init --name NAME"')
    listed = ", ".join(names[:10]) + (", …" if len(names) > 10 else "")
    if name is None and len(names) > 1:
        raise OriginError(f"there is more than one origin ({listed})", "choose one with --name or DDNS_NAME")
    wanted = names[0] if name is None else name
    if wanted not in names:
        raise OriginError(
            f"there is no origin {wanted!r}, only {listed}",
            f'correct it, or run "ddns init --name {shlex.quote(wanted)}"',
        )
    return by_family(history, [origin for origin in origins if origin.name == wanted])


def by_family(history: History, origins: Sequence[Origin]) -> dict[Family, Origin]:
    """Return the origins of one name by family; raises HistoryError when two of them could be meant."""
    chosen: dict[Family, Origin] = {}
    for origin in origins:
        if chosen.setdefault(origin.family, origin) != origin:
            raise _ambiguous(history, chosen[origin.family], origin)
    return chosen


def _ambiguous(history: History, one: Origin, other: Origin) -> HistoryError:
    return HistoryError(
        f"origin {one.name} is in the database under two originIds:"
        f" {_newest(history, one)} and {_newest(history, other)}",
        "keep the one that your other services read:"
        f" for {other.id}, execute {history.joining(other, one)}; for {one.id}, execute {history.joining(one, other)}",
        then="nothing was changed",
    )


def _newest(history: History, origin: Origin) -> str:
    version, read_at = history.newest(origin)
    return f"{origin.id} (version {version.version} is {version.ip}, {duration(read_at - version.created_at)} old)"


def unseeded(name: str, family: Family) -> NotInitialised:
    """Return the error that the origin `name` lacks this family."""
    return NotInitialised(f"there is no {family} origin {name}", f'run "ddns init --name {shlex.quote(name)}"')
