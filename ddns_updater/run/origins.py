"""Choose the origin that a command is about."""

import shlex
from collections.abc import Sequence

from ddns_updater.errors import HistoryError, NotInitialised, OriginError
from ddns_updater.lib.humanize import local_time
from ddns_updater.model import Family, Origin, StoredOrigin, Version
from ddns_updater.run.ports import History


def choose_origins(
    history: History, name: str | None, families: Sequence[Family], *, with_hosts: bool = False, or_none: bool = False
) -> dict[Family, Origin]:
    """Return the origins called `name`, or those of the only name there is, by family; `families` are those wanted.

    `with_hosts` takes the name of a host too, which has the families of its own requests; with `or_none` a `name` that
    is unknown has no origins. Raises NotInitialised when there is none, OriginError when `name` is unknown or missing,
    or of a host, and what `by_family` does.
    """
    origins = history.origins(name) or history.origins()
    names = sorted({origin.name for origin in origins})
    if name is not None and name not in names and history.has_host(name):
        if not with_hosts:
            raise _host(name)
        raise OriginError(f"host {name} has no address yet", "wait for its first request")
    if or_none and name is not None and name not in names:
        return {}
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
    chosen = [origin for origin in origins if origin.name == wanted]
    if any(origin.is_host for origin in chosen):
        if not with_hosts:
            raise _host(wanted)
        return {origin.family: origin.of(origin.family) for origin in chosen if origin.family}
    return by_family(history, chosen, families)


def refuse_host(history: History, name: str) -> None:
    """Raise OriginError when there is, or was, a host called `name`: its address is never this machine's."""
    if history.has_host(name):
        raise _host(name)


def by_family(history: History, origins: Sequence[StoredOrigin], families: Sequence[Family]) -> dict[Family, Origin]:
    """Return the origins of one name by family.

    Where one family is wanted and there is one origin, it is that, whatever its rows hold. Else the newest address of
    each decides; one without an address has the only family that is wanted. Raises HistoryError when two of them could
    be meant, or when the family of one is unknown.
    """
    if len(origins) == len(families) == 1:
        return {families[0]: origins[0].of(families[0])}
    chosen: dict[Family, Origin] = {}
    for origin in origins:
        family = origin.family or (families[0] if len(families) == 1 else None)
        if family is None:
            raise _without_family(history, origin.of(families[0]))
        if family in chosen:
            raise _ambiguous(history, chosen[family], origin.of(family))
        chosen[family] = origin.of(family)
    return chosen


def misfit(version: Version, family: Family) -> str | None:
    """Return what is wrong with the text in `version` of an origin of `family`, None when nothing is."""
    if not version.ip or family.has(version.address):
        return None
    return f"version {version.version} of {version.name} is {version.ip!r}, which is not an {family} address"


def _host(name: str) -> OriginError:
    return OriginError(
        f"{name} is a host of the update endpoint, which keeps its own address",
        "choose another name with --name or DDNS_NAME",
    )


def _without_family(history: History, origin: Origin) -> HistoryError:
    version = history.newest(origin)
    return HistoryError(
        f"the family of origin {origin.name} is unknown: version {version.version} of originId {origin.id} is"
        f" {version.ip!r}, which is not an address",
        "correct it, or set DDNS_IP_FAMILIES to its one family",
    )


def _ambiguous(history: History, one: Origin, other: Origin) -> HistoryError:
    return HistoryError(
        f"origin {one.name} is in the database under two originIds:"
        f" {_newest(history, one)} and {_newest(history, other)}",
        "keep the one that your other services read:"
        f" for {other.id}, execute {history.joining(other, one)}; for {one.id}, execute {history.joining(one, other)}",
        then="nothing was changed",
    )


def _newest(history: History, origin: Origin) -> str:
    version = history.newest(origin)
    held = version.ip or "empty"
    return f"{origin.id} (version {version.version} is {held}, since {local_time(version.created_at)})"


def unseeded(name: str, family: Family) -> NotInitialised:
    """Return the error that the origin `name` lacks this family."""
    return NotInitialised(f"there is no {family} origin {name}", f'run "ddns init --name {shlex.quote(name)}"')
