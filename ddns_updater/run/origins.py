"""Choose the origin that a command is about."""

import shlex
from collections.abc import Callable, Iterable

from ddns_updater.errors import NotInitialised, OriginError
from ddns_updater.model import Family, Origin


def choose_origins(find: Callable[[str | None], Iterable[Origin]], name: str | None) -> dict[Family, Origin]:
    """Return the origins called `name`, or those of the only name there is, by family.

    `find` gives the origins of a name, or all of them. Raises NotInitialised when there is none, OriginError when
    `name` is unknown or missing.
    """
    origins = tuple(find(name)) or tuple(find(None))
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
    chosen: dict[Family, Origin] = {}
    for origin in origins:
        if origin.name == wanted and chosen.setdefault(origin.family, origin) != origin:
            raise OriginError(
                f"origin {wanted} is in the database twice (originId {chosen[origin.family].id} and {origin.id})",
                "rename one of them",
            )
    return chosen


def unseeded(name: str, family: Family) -> NotInitialised:
    """Return the error that the origin `name` lacks this family."""
    return NotInitialised(f"there is no {family} origin {name}", f'run "ddns init --name {shlex.quote(name)}"')
