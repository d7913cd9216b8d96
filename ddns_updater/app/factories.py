"""The adapters that the settings name; each is imported when it is first needed, because most runs need few."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from functools import cache, partial
from pathlib import Path
from random import randrange
from socket import gethostname
from typing import TYPE_CHECKING, Any

from ddns_updater.alerts.channel import Channel
from ddns_updater.alerts.event import Event
from ddns_updater.alerts.urls import ChannelSpec
from ddns_updater.errors import AlertError, DnsError, HistoryError, SettingsError, StateError
from ddns_updater.history.sql import Schema, SqlHistory
from ddns_updater.history.url import DynamoDbUrl, MySqlUrl, SqliteUrl
from ddns_updater.model import RunResult
from ddns_updater.output.run import run_lines
from ddns_updater.run.ports import AddressSource, Authority, Dns, HistoryStore
from ddns_updater.run.report import Destinations
from ddns_updater.run.timetable import answer_seconds, patience_seconds, session_seconds
from ddns_updater.settings.load import ca_bundle, environment_of_programs, export_aws
from ddns_updater.settings.settings import Settings
from ddns_updater.sources.spec import (
    DEFAULT_SOURCES,
    CommandSpec,
    DnsSpec,
    Ec2Spec,
    FileSpec,
    HttpSpec,
    ImdsSpec,
    InterfaceSpec,
    SourceSpec,
)
from ddns_updater.state.file import StateFile
from ddns_updater.state.run_state import RunState

if TYPE_CHECKING:
    from ssl import SSLContext

    from moto.server import ThreadedMotoServer
    from mypy_boto3_dynamodb.client import DynamoDBClient
    from mypy_boto3_route53.client import Route53Client

    from ddns_updater.dns.lookup import Lookup
    from ddns_updater.dns.route53_probe import Route53Probe
    from ddns_updater.history.dynamodb import DynamoDbHistory
    from ddns_updater.lib.aws import Client
    from ddns_updater.lib.budget import Budget
    from ddns_updater.lib.dynamodb import Table
    from ddns_updater.server.ports import HostStore
    from ddns_updater.state.ports import StateStore

_LEASE_MARGIN = 30  # seconds for which the lease of an origin outlasts its run


@contextmanager
def open_history(settings: Settings, *, for_init: bool = False, read_only: bool = False) -> Iterator[HistoryStore]:
    """Open the database of `settings`.

    `for_init` creates the SQLite file and waits for long statements; with `read_only` every write fails.
    """
    opened: HistoryStore
    match settings.database:
        case SqliteUrl() as url:
            from ddns_updater.history.sqlite import SqliteHistory

            opened = SqliteHistory(url, _schema, create=for_init, read_only=read_only)
        case MySqlUrl() as url:
            from ddns_updater.history.mysql import MySqlHistory

            idle = session_seconds(settings.run_timeout)
            opened = MySqlHistory(
                url, _schema, authorities=_authorities, idle=idle, patient=for_init, read_only=read_only
            )
        case DynamoDbUrl() as url:
            opened = _open_dynamodb(settings, url, read_only=read_only)
    try:
        yield opened
    finally:
        opened.close()


@contextmanager
def open_hosts(settings: Settings, *, read_only: bool = False) -> Iterator["HostStore"]:
    """Open the hosts of the update endpoint, on a connection of their own; with `read_only` every write fails."""
    from ddns_updater.server.judgement import judge

    if isinstance(settings.database, DynamoDbUrl):
        from ddns_updater.history.dynamodb_hosts import DynamoDbHosts

        yield DynamoDbHosts(_open_dynamodb(settings, settings.database, read_only=read_only), judge)
        return
    from ddns_updater.history.hosts import SqlHosts

    with open_history(settings, read_only=read_only) as history:
        assert isinstance(history, SqlHistory)
        yield SqlHosts(history, judge)


def _open_dynamodb(settings: Settings, url: DynamoDbUrl, *, read_only: bool) -> "DynamoDbHistory":
    export_aws(settings)
    from ddns_updater.history.dynamodb import DynamoDbHistory

    table = _table(settings, url, read_only=read_only)
    return DynamoDbHistory(table, url.place, settings.run_timeout + _LEASE_MARGIN)


def _table(settings: Settings, url: DynamoDbUrl, *, read_only: bool = False) -> "Table":
    from ddns_updater.lib.dynamodb import Table

    return Table(_kept_client(url.region, answer_seconds(settings.run_timeout)), url.table, read_only=read_only)


@cache
def _kept_client(region: str | None, patience: float) -> "Client[DynamoDBClient]":
    """Return the client of DynamoDB, each call of which ends within so many seconds.

    It is kept for the process, because making one costs far more than a call.
    """
    from ddns_updater.lib.aws import Client

    return Client("dynamodb", HistoryError, region, patience=patience)


def _schema() -> Schema:
    from ddns_updater.history import schema  # imports yoyo, which only `init` and `doctor` need

    return schema


def sources(settings: Settings) -> list[AddressSource]:
    """Return the address sources, in the order in which they are queried."""
    made = [source(settings, spec) for spec in settings.ip_sources]
    if settings.ip_sources is DEFAULT_SOURCES:
        start = randrange(len(made))  # noqa: S311 - only spreads the load; a configured order is kept
        made = made[start:] + made[:start]
    return made


def source(settings: Settings, spec: SourceSpec) -> AddressSource:
    """Return the source of `spec`; raises SettingsError without the extra that it needs."""
    try:
        match spec:
            case HttpSpec():
                from ddns_updater.sources.http import HttpSource

                return HttpSource(spec, timeout=settings.ip_timeout, retries=settings.ip_retries, open_tls=_open_tls)
            case DnsSpec():
                from ddns_updater.sources.dns import DnsSource

                return DnsSource(spec, timeout=settings.ip_timeout)
            case InterfaceSpec():
                from ddns_updater.sources.interface import InterfaceSource

                return InterfaceSource(spec)
            case Ec2Spec():
                export_aws(settings)
                from ddns_updater.sources.ec2 import Ec2Source

                families, sources = len(settings.ip_families), len(settings.ip_sources)
                return Ec2Source(spec, patience=patience_seconds(settings.run_timeout, families, sources))
            case ImdsSpec():
                from ddns_updater.sources.imds import ImdsSource

                return ImdsSource(spec)
            case FileSpec():
                from ddns_updater.sources.file import FileSource

                return FileSource(spec)
            case CommandSpec():
                from ddns_updater.sources.command import CommandSource

                return CommandSource(spec, timeout=settings.ip_timeout, environment=environment_of_programs)
            case _:
                raise AssertionError(f"no source for the kind {spec.kind}")
    except ImportError as error:
        if spec.extra is None:
            raise
        raise _missing_extra(f"the address source {spec.kind}:", spec.extra) from error


def _authorities() -> str:
    from certifi import where  # which only ssl_mode=verify needs

    return ca_bundle() or where()


def _open_tls() -> "SSLContext":
    from ddns_updater.sources.tls import verifying_tls  # imports certifi, which only HTTPS needs

    return verifying_tls(ca_bundle())


def authority(settings: Settings) -> Authority | None:
    """Return the check of the authoritative name servers; None when it is off."""
    if not settings.verify_name_servers:
        return None
    try:
        from ddns_updater.dns.name_servers import NameServers
    except ImportError as error:
        raise _missing_extra("DDNS_VERIFY_NAME_SERVERS", "dns") from error
    return NameServers()


def open_probe(settings: Settings) -> "Route53Probe":
    """Return the AWS checks, with the credentials of this machine."""
    from ddns_updater.dns.route53_probe import Route53Probe

    return Route53Probe(route53_client(settings))


def open_lookup() -> "Lookup | None":
    """Return the DNS lookups of the doctor; None without the extra dns."""
    try:
        from ddns_updater.dns.lookup import Lookup
    except ImportError:
        return None
    return Lookup()


def route53_client(settings: Settings, budget: "Budget | None" = None) -> "Client[Route53Client]":
    """Return the client of Route 53, with the credentials of this machine; it can be kept between runs.

    It asks no more than `budget` allows.
    """
    export_aws(settings)
    from ddns_updater.lib.aws import Client  # importing boto3 costs more than the rest of a quiet run

    return Client("route53", DnsError, budget=budget)


def open_dns(settings: Settings, client: "Client[Route53Client]") -> Dns:
    """Return Route 53 for one run."""
    from ddns_updater.dns.route53 import Route53

    return Route53(client, settings.hosted_zone_ids)


def open_moto(port: int) -> "ThreadedMotoServer":
    """Return the simulated AWS of the demo, not yet started; raises SettingsError without the extra demo."""
    try:
        from moto.server import ThreadedMotoServer
    except ImportError as error:
        raise _missing_extra("the demo", "demo") from error
    return ThreadedMotoServer(ip_address="127.0.0.1", port=port, verbose=False)


def open_simulated_route53(url: str, credentials: Mapping[str, str]) -> Any:
    """Return a client of the simulated AWS at `url`, for AWS's own part in the demo."""
    import boto3  # noqa: TID251 - lib/aws.py takes the settings of the environment; these are the demo's
    from botocore.config import Config  # noqa: TID251 - as above

    return boto3.client(
        "route53",
        config=Config(proxies={}),  # not those of the environment: it is on this machine
        endpoint_url=url,
        aws_access_key_id=credentials["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=credentials["AWS_SECRET_ACCESS_KEY"],
        region_name=credentials["AWS_DEFAULT_REGION"],
    )


def state_store(settings: Settings, *, of: str = "run") -> "StateStore":
    """Return where the state of the configured database is kept; nothing is read or written yet."""
    if settings.state_folder:
        return StateFile(settings.state_folder, settings.database.identity, of=of)
    assert isinstance(settings.database, DynamoDbUrl)
    export_aws(settings)
    from ddns_updater.state.table import StateTable

    return StateTable(_table(settings, settings.database), settings.database.place, of=of)


def destinations(settings: Settings) -> Destinations:
    """Return where runs are reported to; a channel is imported only when there is an alert to send."""
    return Destinations(
        keys=tuple(spec.key for spec in settings.channels),
        open_channels=partial(channels, settings),
        ping=partial(_ping, settings.heartbeat) if settings.heartbeat else None,
        write_metrics=partial(_write_metrics, settings.metrics_file) if settings.metrics_file else None,
    )


def channels(settings: Settings) -> dict[str, Channel]:
    """Return the channels by key; each alert names this machine."""
    host = gethostname()
    found: list[Channel] = []
    if settings.webhooks:
        from ddns_updater.alerts.webhooks import post

        found += [_channel(spec, post, host) for spec in settings.webhooks]
    found += [_channel(spec, _notify, host) for spec in settings.apprise]
    return {channel.key: channel for channel in found}


def _channel(spec: ChannelSpec, send: Callable[[ChannelSpec, Event], None], host: str) -> Channel:
    return Channel(spec.key, spec.name, lambda event: send(spec, event.sent_by(host)))


def missing_channel(settings: Settings) -> SettingsError | None:
    """Return that a channel lacks its extra, None when none does; the extra is not imported."""
    if not settings.apprise:
        return None
    from ddns_updater.lib.installation import is_installed

    return None if is_installed("notify") else _missing_extra("DDNS_NOTIFY_URLS", "notify")


def missing_extra_advice(extra: str) -> str | None:
    """Return how to install an extra, None when it is installed; it is not imported."""
    from ddns_updater.lib.installation import install_advice, is_installed

    return None if is_installed(extra) else install_advice(extra)


def check_channels(settings: Settings) -> None:
    """Raise AlertError when Apprise does not know a channel; nothing is sent."""
    if not settings.apprise or missing_channel(settings):
        return
    from ddns_updater.alerts.apprise import open_service

    for spec in settings.apprise:
        open_service(spec)


def _notify(spec: ChannelSpec, event: Event) -> None:
    try:
        from ddns_updater.alerts.apprise import notify
    except ImportError as error:
        missing = _missing_extra("DDNS_NOTIFY_URLS", "notify")
        raise AlertError(missing.problem, missing.advice) from error
    notify(spec, event)


def _ping(spec: ChannelSpec, result: RunResult) -> None:
    from ddns_updater.alerts.heartbeat import ping

    ping(spec, result.outcome, " / ".join(line for _, line in run_lines(result)))


def _write_metrics(path: Path, result: RunResult, run_state: RunState, now: datetime) -> None:
    try:
        from ddns_updater.output.metrics import write_metrics
    except ImportError as error:
        missing = _missing_extra("DDNS_METRICS_FILE", "metrics")
        raise StateError(missing.problem, missing.advice) from error
    write_metrics(path, result, run_state, now)


def _missing_extra(what: str, extra: str) -> SettingsError:
    from ddns_updater.lib.installation import missing_extra  # looks for the other extras, which a run need not

    return missing_extra(what, extra)
