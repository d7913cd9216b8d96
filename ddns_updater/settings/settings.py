"""The settings and their defaults."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import click

from ddns_updater.history.url import DatabaseUrl, SqliteUrl
from ddns_updater.model import Agreement, Family, OnDrift, WantedRecord

APP_NAME = "ddns-updater"
DEFAULT_SOURCES = ("https://ifconfig.me/ip", "https://icanhazip.com", "https://api64.ipify.org")


@dataclass(frozen=True)
class Settings:
    """All settings of the program; times in seconds. `.env.example` explains each."""

    name: str | None = None
    database: DatabaseUrl = field(default_factory=lambda: SqliteUrl(user_folder() / "ddns.sqlite3"))
    records: tuple[WantedRecord, ...] = ()
    hosted_zone_ids: tuple[str, ...] = ()
    ttl: int | None = None
    ip_sources: tuple[str, ...] = field(default=DEFAULT_SOURCES, repr=False)  # a URL may hold a key
    ip_families: tuple[Family, ...] = (Family.IPV4,)
    ip_agreement: Agreement = Agreement.PREFERRED
    ip_timeout: int = 5
    ip_retries: int = 3
    run_timeout: int = 55
    verify_timeout: int = 45
    recheck_every: int = 3600
    on_drift: OnDrift = OnDrift.REPAIR
    verify_name_servers: bool = False
    webhook_urls: tuple[str, ...] = field(default=(), repr=False)
    notify_urls: tuple[str, ...] = field(default=(), repr=False)
    alert_after: int = 3
    heartbeat_url: str | None = field(default=None, repr=False)
    metrics_file: Path | None = None
    state_folder: Path = field(default_factory=lambda: user_folder())
    aws: Mapping[str, str] = field(default_factory=dict, repr=False)


def user_folder() -> Path:
    """Return the per-user folder of this program, which may not exist."""
    return Path(click.get_app_dir(APP_NAME))
