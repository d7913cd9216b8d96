"""What `ddns init` does."""

from collections.abc import Mapping
from typing import NamedTuple

from ddns_updater.app import factories
from ddns_updater.errors import (
    HistoryError,
    NotInitialised,
    OriginError,
    SourceError,
)
from ddns_updater.lib.deadline import Deadline, time_limit
from ddns_updater.model import (
    Address,
    Family,
    Version,
)
from ddns_updater.run import timetable
from ddns_updater.run.detection import Detection
from ddns_updater.run.origins import by_family
from ddns_updater.settings.settings import Settings


class Seeded(NamedTuple):
    """An origin that `init` found or created, with its latest version."""

    version: Version
    created: bool


class InitResult(NamedTuple):
    """The result of `init`: how many migrations were applied, and the origin of each address family."""

    migrations: int
    seeded: tuple[Seeded, ...]
    warnings: tuple[str, ...] = ()


def initialise(
    settings: Settings, *, name: str | None, addresses: Mapping[Family, Address], note: str | None = None
) -> InitResult:
    """Create or upgrade the schema and seed the origin in each configured family; existing origins stay unchanged.

    `addresses` are those given by the operator. The address of any other family is detected before anything is written.
    """
    wanted = name or settings.name
    if wanted is None:
        raise OriginError("the origin has no name", "give one with --name or DDNS_NAME")
    families = tuple(dict.fromkeys([*settings.ip_families, *addresses]))
    try:
        with factories.open_history(settings) as history:
            existing = by_family(history, history.origins(wanted), families)
    except NotInitialised:
        existing = {}
    found = dict(addresses)
    warnings: list[str] = []
    for family in families:
        if family not in existing and family not in found:
            found[family], warning = _detected(settings, family)
            warnings += [warning] if warning else []
    with factories.open_history(settings, for_init=True) as history, history.lock_init() as locked:
        if not locked:
            raise HistoryError("another ddns init is running on this database", "wait until it ends")
        history.rehearse(wanted, families)
        migrations = history.upgrade()
        existing = by_family(history, history.origins(wanted), families)
        seeded = []
        for family in families:
            created = family not in existing
            origin = history.seed(wanted, family, found[family], note) if created else existing[family]
            seeded.append(Seeded(history.latest(origin).version, created))
    return InitResult(migrations, tuple(seeded), tuple(warnings))


def _detected(settings: Settings, family: Family) -> tuple[Address, str | None]:
    advice = "give the address with --ip"
    deadline = Deadline(timetable.detection_seconds(settings.run_timeout, families=1))
    detection = Detection(factories.sources(settings), family, deadline, time_limit, advice)
    try:
        first = detection.first()
    except SourceError as error:
        raise SourceError(error.problem, advice) from error
    found, warning = detection.confirm(first, settings.ip_agreement)
    return found.address, warning
