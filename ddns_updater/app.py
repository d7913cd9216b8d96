"""The composition root: from Settings to each command's work."""

from collections.abc import Mapping
from functools import partial
from time import monotonic
from typing import NamedTuple

from ddns_updater import adapters
from ddns_updater.detection import Detection
from ddns_updater.errors import HistoryError, NotInitialised, OriginError, SourceError
from ddns_updater.history.sql import SqlHistory
from ddns_updater.limits import run_limit, time_limit
from ddns_updater.model import Address, Family, HistoryEntry, Origin, RunResult, Version
from ddns_updater.origins import choose_origins
from ddns_updater.publisher import Policy, Publisher
from ddns_updater.record_forms import record_sets
from ddns_updater.settings import Settings
from ddns_updater.updater import Plan, Updater


class Seeded(NamedTuple):
    """An origin that `init` found or made, by its latest version."""

    version: Version
    created: bool


class InitResult(NamedTuple):
    """What `init` did: migrations applied, and the origin of each address family."""

    migrations: int
    seeded: tuple[Seeded, ...]
    warnings: tuple[str, ...] = ()


def run(settings: Settings, *, name: str | None = None, dry_run: bool = False) -> RunResult:
    """Do one run; raises SettingsError for what has to be mended first, and nothing else of our tree."""
    wanted = record_sets(settings.records, settings.ip_families)
    plan = Plan(
        name=name or settings.name,
        families=settings.ip_families,
        records=tuple(wanted),
        run_timeout=settings.run_timeout,
        agreement=settings.ip_agreement,
        dry_run=dry_run,
    )
    policy = Policy(
        ttl=settings.ttl,
        verify_timeout=settings.verify_timeout,
        recheck_every=settings.recheck_every,
        on_drift=settings.on_drift,
        hosted_zone_ids=settings.hosted_zone_ids,
        pins={record: zone_id for record, zone_id in wanted.items() if zone_id},
    )
    return Updater(
        plan,
        sources=adapters.sources(settings),
        open_history=partial(adapters.open_history, settings),
        publisher=Publisher(policy, partial(adapters.open_dns, settings), authority=adapters.authority(settings)),
        whole_run=partial(run_limit, settings.run_timeout, f"DDNS_RUN_TIMEOUT={settings.run_timeout}"),
        limit=time_limit,
    ).run()


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


def history(settings: Settings, *, name: str | None, limit: int) -> list[HistoryEntry]:
    """Return at most `limit` versions of the origin, newest first, of all its address families."""
    with adapters.open_history(settings) as versions:
        origins = choose_origins(versions.origins, name or settings.name)
        entries = [entry for origin in origins.values() for entry in versions.entries(origin, limit)]
    return sorted(entries, key=lambda entry: (entry.version.created_at, entry.version.id), reverse=True)[:limit]


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
