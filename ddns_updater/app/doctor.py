"""What `ddns doctor` does."""

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from time import monotonic

from ddns_updater.app import factories
from ddns_updater.doctor.check import Check, Starts
from ddns_updater.doctor.examine import Tools, examine
from ddns_updater.lib.deadline import time_limit
from ddns_updater.settings.load import LoadResult


def run_checks(loaded: LoadResult, *, name: str | None, starts: Starts) -> Iterator[Check]:
    """Yield each check as it ends; writes nothing and raises no DdnsError. `starts` is told what is awaited."""
    settings = loaded.settings
    tools = Tools(
        sources=[(spec, partial(factories.source, settings, spec)) for spec in settings.ip_sources],
        open_history=partial(factories.open_history, settings, read_only=True),
        open_hosts=partial(factories.open_hosts, settings, read_only=True),
        open_probe=partial(factories.open_probe, settings),
        open_dns=lambda: factories.open_dns(settings, factories.route53_client(settings)),
        open_lookup=factories.open_lookup,
        missing_serve=partial(factories.missing_extra_advice, "serve"),
        check_channels=partial(factories.check_channels, settings),
        read_state=factories.state_store(settings).read,
        limit=time_limit,
        starts=starts,
        now=partial(datetime.now, UTC),
        monotonic=monotonic,
    )
    return examine(loaded, tools, name or settings.name)
