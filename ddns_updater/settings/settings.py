"""The settings as one value."""

from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import NamedTuple

from ddns_updater.alerts.urls import ChannelSpec
from ddns_updater.dns.records import record_sets
from ddns_updater.history.url import DatabaseUrl
from ddns_updater.model import Agreement, Family, OnDrift, Record, WantedRecord
from ddns_updater.settings.values import Listen
from ddns_updater.sources.spec import SourceSpec


class Settings(NamedTuple):
    """All settings of the program; times in seconds. The table in `variables.py` has their defaults and meanings.

    `parameters` are the names or ARNs of the parameters that hold some of them, by variable. `aws` are the `AWS_…`
    variables of the `.env` files.
    """

    name: str | None
    database: DatabaseUrl
    records: tuple[WantedRecord, ...]
    hosted_zone_ids: tuple[str, ...]
    ttl: int | None
    ip_sources: tuple[SourceSpec, ...]
    ip_families: tuple[Family, ...]
    ip_agreement: Agreement
    ip_timeout: int
    ip_retries: int
    run_timeout: int
    verify_timeout: int
    recheck_every: int
    on_drift: OnDrift
    verify_name_servers: bool
    webhooks: tuple[ChannelSpec, ...]
    apprise: tuple[ChannelSpec, ...]
    alert_after: int
    heartbeat: ChannelSpec | None
    metrics_file: Path | None
    state_folder: Path | None
    serve_listen: Listen
    serve_trusted_proxies: tuple[IPv4Network | IPv6Network, ...]
    serve_status_password: str | None
    parameters: Mapping[str, str]
    aws: Mapping[str, str]

    def __repr__(self) -> str:
        """Return all but `aws` and the password, which are secret; the other values show none of theirs."""
        hidden = ("aws", "serve_status_password")
        shown = (f"{name}={value!r}" for name, value in self._asdict().items() if name not in hidden)
        return f"Settings({', '.join(shown)})"

    @property
    def record_sets(self) -> dict[Record, str | None]:
        """Return the record sets that follow the line, each with the zone it is pinned to, if any."""
        return record_sets(self.records, self.ip_families)

    @property
    def channels(self) -> tuple[ChannelSpec, ...]:
        """Return where alerts are sent to."""
        return (*self.webhooks, *self.apprise)

    @property
    def listed_channels(self) -> list[tuple[str, int, ChannelSpec]]:
        """Return each channel with the variable that lists it, and its place there."""
        webhooks = [("DDNS_WEBHOOK_URLS", *each) for each in enumerate(self.webhooks, 1)]
        return webhooks + [("DDNS_NOTIFY_URLS", *each) for each in enumerate(self.apprise, 1)]

    @property
    def channel_names(self) -> dict[str, str]:
        """Return the name of each channel by its key, with its place where several have that name."""
        names = [spec.name for spec in self.channels]
        return {
            spec.key: spec.name if names.count(spec.name) == 1 else f"{spec.name} ({variable}, number {number})"
            for variable, number, spec in self.listed_channels
        }
