"""The composition of `ddns doctor`: from what the settings say to the checks."""

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from time import monotonic

from ddns_updater.app import factories
from ddns_updater.dns.records import record_sets
from ddns_updater.doctor.check import Check
from ddns_updater.doctor.examine import Tools, examine
from ddns_updater.lib.deadline import time_limit
from ddns_updater.settings.load import Reading
from ddns_updater.sources.spec import without_secrets
from ddns_updater.state.file import Diary


def run_checks(reading: Reading, *, name: str | None) -> Iterator[Check]:
    """Yield each check as it ends; nothing is written, and no error of our tree is raised."""
    settings = reading.settings
    tools = Tools(
        sources=[(without_secrets(each), partial(factories.source, settings, each)) for each in settings.ip_sources],
        open_history=partial(factories.open_history, settings, read_only=True),
        outdated=factories.outdated,
        open_inspection=partial(factories.open_inspection, settings),
        open_dns=partial(factories.open_dns, settings),
        open_lookup=factories.open_lookup,
        read_diary=Diary(settings.state_folder, settings.database).read,
        limit=time_limit,
        now=partial(datetime.now, UTC),
        monotonic=monotonic,
    )
    wanted = record_sets(settings.records, settings.ip_families)
    return examine(reading, tools, wanted, name or settings.name)
