"""The composition root: from Settings to each command's work."""

from collections.abc import Iterable, Mapping
from contextlib import closing
from datetime import UTC, datetime
from time import monotonic
from typing import NamedTuple

from ddns_updater.app import factories as adapters
from ddns_updater.app.runner import Runs
from ddns_updater.dns.records import record_sets
from ddns_updater.errors import (
    HistoryError,
    NotInitialised,
    OriginError,
    SourceError,
    StateError,
)
from ddns_updater.history.sql import SqlHistory
from ddns_updater.lib.deadline import time_limit
from ddns_updater.model import (
    Address,
    Family,
    Figures,
    HistoryEntry,
    Journal,
    Origin,
    RunResult,
    Version,
    Window,
)
from ddns_updater.output.status import Status
from ddns_updater.run.detection import Detection
from ddns_updater.run.origins import choose_origins, unseeded
from ddns_updater.settings.settings import Settings
from ddns_updater.state.file import Diary
from ddns_updater.state.run_state import Standing


class Seeded(NamedTuple):
    """An origin that `init` found or made, by its latest version."""

    version: Version
    created: bool


class InitResult(NamedTuple):
    """What `init` did: migrations applied, and the origin of each address family."""

    migrations: int
    seeded: tuple[Seeded, ...]
    warnings: tuple[str, ...] = ()


class Past(NamedTuple):
    """Versions of an origin, newest first, and how often the address of each family changed."""

    entries: list[HistoryEntry]
    figures: list[Figures]


def run(settings: Settings, *, name: str | None = None, dry_run: bool = False) -> RunResult:
    """Do one run and tell of it; raises SettingsError for what has to be mended first, and nothing else of our tree."""
    with closing(Runs(settings, name=name, dry_run=dry_run)) as runs:
        return runs.run()


def status(settings: Settings, *, name: str | None) -> Status:
    """Return how the origin stands; what cannot be asked is among its errors. Raises SettingsError."""
    given = name or settings.name
    journals: dict[Family, Journal] = {}
    errors: list[str] = []
    found = None
    try:
        with adapters.open_history(settings) as versions:
            origins = choose_origins(versions.origins, given)
            journals = {family: versions.latest(origin) for family, origin in origins.items()}
            found = next(iter(origins.values())).name
    except HistoryError as error:
        errors.append(str(error))
    standing = None
    try:
        page = Diary(settings.state_folder, settings.database).read()
        errors += page.warnings
        standing = page.origins.get(page.name_of(given, found), Standing())
    except StateError as error:
        errors.append(str(error))
    known = {family: {each.record: each for each in journal.publications} for family, journal in journals.items()}
    return Status(
        name=found or given,
        now=datetime.now(UTC),
        journals=journals,
        records={
            family: [(record, known.get(family, {}).get(record)) for record in record_sets(settings.records, [family])]
            for family in settings.ip_families
        },
        standing=standing,
        errors=(
            *errors,
            *(unseeded(found, family) for family in settings.ip_families if found and family not in journals),
        ),
    )


def init(
    settings: Settings, *, name: str | None, addresses: Mapping[Family, Address], note: str | None = None
) -> InitResult:
    """Create or upgrade the schema and seed the origin, in each configured family; what exists is left as it is.

    `addresses` are those the operator gave; a family without one is detected, before anything is written.
    """
    wanted = name or settings.name
    if wanted is None:
        raise OriginError("the origin has no name; give one with --name or DDNS_NAME")
    families = tuple(dict.fromkeys([*settings.ip_families, *addresses]))
    try:
        with adapters.open_history(settings) as history:
            existing = _origins(history, wanted)
    except NotInitialised:
        existing = {}
    found = dict(addresses)
    warnings: list[str] = []
    for family in families:
        if family not in existing and family not in found:
            found[family], warning = _detected(settings, family)
            warnings += [warning] if warning else []
    with adapters.open_history(settings, for_init=True) as history, history.lock("init") as mine:
        from ddns_updater.history.schema import upgrade  # yoyo is needed here only

        if not mine:
            raise HistoryError("another ddns init is at work on this database; wait for its end")
        migrations = upgrade(history)
        existing = _origins(history, wanted)
        seeded = []
        for family in families:
            created = family not in existing
            origin = history.seed(wanted, family, str(found[family]), note) if created else existing[family]
            seeded.append(Seeded(history.latest(origin).version, created))
    return InitResult(migrations, tuple(seeded), tuple(warnings))


def history(settings: Settings, *, name: str | None, limit: int, window: Window, counted: bool) -> Past:
    """Return what was current within `window`, of all address families of the origin; its figures only when `counted`.

    At most `limit` versions; the figures are of all of them.
    """
    with adapters.open_history(settings) as versions:
        origins = choose_origins(versions.origins, name or settings.name).values()
        entries = [entry for origin in origins for entry in versions.entries(origin, limit, window)]
        figures = [versions.figures(origin, window) for origin in origins] if counted else []
    return Past(_newest_first(entries)[:limit], figures)


def history_at(settings: Settings, *, name: str | None, second: Window) -> Past:
    """Return the version that was current in `second`, of each address family; figures only of those without one."""
    with adapters.open_history(settings) as versions:
        origins = choose_origins(versions.origins, name or settings.name).values()
        found = {origin: versions.entries(origin, 1, second) for origin in origins}
        figures = [versions.figures(origin, second) for origin, entries in found.items() if not entries]
    return Past(_newest_first(entry for entries in found.values() for entry in entries), figures)


def _newest_first(entries: Iterable[HistoryEntry]) -> list[HistoryEntry]:
    return sorted(entries, key=lambda entry: (entry.version.created_at, entry.version.id), reverse=True)


def _origins(history: SqlHistory, name: str) -> dict[Family, Origin]:
    return {origin.family: origin for origin in history.origins(name)}


def _detected(settings: Settings, family: Family) -> tuple[Address, str | None]:
    advice = "give the address with --ip"
    detection = Detection(adapters.sources(settings), family, settings.run_timeout / 2, time_limit, monotonic, advice)
    try:
        first = detection.first()
    except SourceError as error:
        raise SourceError(f"{error}; {advice}") from error
    found, warning = detection.confirm(first, settings.ip_agreement)
    return found.address, warning
