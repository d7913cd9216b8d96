"""The composition root: from Settings to each command's work. Adapters are imported when they are first needed."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from random import randrange
from time import monotonic
from typing import NamedTuple

from ddns_updater.database_url import SqliteUrl
from ddns_updater.detection import AddressSource, Detection
from ddns_updater.errors import HistoryError, NotInitialised, OriginError, SourceError, missing_extra
from ddns_updater.history.sql import SqlHistory
from ddns_updater.limits import run_limit, time_limit
from ddns_updater.model import Address, Family, HistoryEntry, Origin, Record, RunResult, Version
from ddns_updater.origins import choose_origins
from ddns_updater.ports import Authority, Dns
from ddns_updater.publisher import Policy, Publisher
from ddns_updater.settings import DEFAULT_SOURCES, Settings, export_aws
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
    wanted = [
        (Record(each.name, family.record_type), each.zone_id)
        for each in settings.records
        for family in settings.ip_families
        if each.family in (None, family)
    ]
    plan = Plan(
        name=name or settings.name,
        families=settings.ip_families,
        records=tuple(dict.fromkeys(record for record, _ in wanted)),
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
        pins={record: zone_id for record, zone_id in wanted if zone_id},
    )
    return Updater(
        plan,
        sources=_sources(settings),
        open_history=partial(open_history, settings),
        publisher=Publisher(policy, partial(_open_dns, settings), authority=_authority(settings)),
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
        with open_history(settings) as history:
            existing = _origins(history, wanted)
    except NotInitialised:
        existing = {}
    found = dict(addresses)
    warnings: list[str] = []
    for family in families:
        if family not in existing and family not in found:
            found[family], warning = _detected(settings, family)
            warnings += [warning] if warning else []
    with open_history(settings, for_init=True) as history, history.lock("init") as mine:
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
    with open_history(settings) as versions:
        origins = choose_origins(versions.origins, name or settings.name)
        entries = [entry for origin in origins.values() for entry in versions.entries(origin, limit)]
    return sorted(entries, key=lambda entry: (entry.version.created_at, entry.version.id), reverse=True)[:limit]


@contextmanager
def open_history(settings: Settings, *, for_init: bool = False) -> Iterator[SqlHistory]:
    """Open the database of `settings`; `for_init` makes an SQLite file and waits for long statements."""
    opened: SqlHistory
    if isinstance(settings.database, SqliteUrl):
        from ddns_updater.history.sqlite import SqliteHistory

        opened = SqliteHistory(settings.database, create=for_init)
    else:
        from ddns_updater.history.mysql import MySqlHistory

        opened = MySqlHistory(settings.database, patient=for_init)
    try:
        yield opened
    finally:
        opened.close()


def _origins(history: SqlHistory, name: str) -> dict[Family, Origin]:
    return {origin.family: origin for origin in history.origins(name)}


def _detected(settings: Settings, family: Family) -> tuple[Address, str | None]:
    advice = "give the address with --ip"
    detection = Detection(_sources(settings), family, settings.run_timeout / 2, time_limit, monotonic, advice)
    try:
        first = detection.first()
    except SourceError as error:
        raise SourceError(f"{error}; {advice}") from error
    found, warning = detection.confirm(first, settings.ip_agreement)
    return found.address, warning


def _sources(settings: Settings) -> list[AddressSource]:
    sources = [_source(settings, text) for text in settings.ip_sources]
    if settings.ip_sources is DEFAULT_SOURCES:
        start = randrange(len(sources))  # noqa: S311 - only spreads the load; an operator's own order stays as it is
        sources = sources[start:] + sources[:start]
    return sources


def _source(settings: Settings, text: str) -> AddressSource:
    """Return the source that `text` names: here its kind is chosen, and what it needs is imported."""
    kind, _, spec = text.partition(":")
    try:
        match kind:
            case "dns":
                from ddns_updater.sources.dns import DnsSource

                return DnsSource(spec, timeout=settings.ip_timeout)
            case "interface":
                from ddns_updater.sources.interface import InterfaceSource

                return InterfaceSource(spec)
            case "ec2":
                export_aws(settings)
                from ddns_updater.sources.ec2 import Ec2Source

                return Ec2Source(spec)
            case "imds":
                from ddns_updater.sources.imds import ImdsSource

                return ImdsSource(spec)
            case "file":
                from ddns_updater.sources.file import FileSource

                return FileSource(spec)
            case "command":
                from ddns_updater.sources.command import CommandSource

                return CommandSource(spec, timeout=settings.ip_timeout)
            case _:
                from ddns_updater.sources.http import HttpSource

                return HttpSource(text, timeout=settings.ip_timeout, retries=settings.ip_retries)
    except ImportError as error:
        if kind not in ("dns", "interface"):  # the others need nothing that is not always there
            raise
        raise missing_extra(f"the address source {kind}:", kind) from error


def _authority(settings: Settings) -> Authority | None:
    if not settings.verify_name_servers:
        return None
    try:
        from ddns_updater.dns.authority import NameServers
    except ImportError as error:
        raise missing_extra("DDNS_VERIFY_NAME_SERVERS", "dns") from error
    return NameServers()


def _open_dns(settings: Settings) -> Dns:
    export_aws(settings)
    from ddns_updater.dns.route53 import Route53  # boto3 costs more than the rest of a quiet run

    return Route53(settings.hosted_zone_ids)
