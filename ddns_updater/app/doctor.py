"""The composition of `ddns doctor`: from what the settings say to the checks."""

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING

from ddns_updater.app import factories as adapters
from ddns_updater.dns.records import record_sets
from ddns_updater.lib.deadline import time_limit
from ddns_updater.settings.settings import Reading
from ddns_updater.sources.spec import without_secrets
from ddns_updater.state.file import Diary

if TYPE_CHECKING:
    from ddns_updater.doctor.check import Check


def doctor(reading: Reading, *, name: str | None) -> "Iterator[Check]":
    """Yield each check as it ends; nothing is written, and no error of our tree is raised."""
    from ddns_updater.doctor.examine import Tools, examine  # with what is under it, needed here only
    from ddns_updater.history.schema import outdated

    settings = reading.settings
    tools = Tools(
        sources=[(without_secrets(each), partial(adapters.source, settings, each)) for each in settings.ip_sources],
        open_history=partial(adapters.open_history, settings, read_only=True),
        outdated=outdated,
        open_inspection=partial(adapters.open_inspection, settings),
        open_dns=partial(adapters.open_dns, settings),
        open_lookup=adapters.open_lookup,
        read_diary=Diary(settings.state_folder, settings.database).read,
        limit=time_limit,
        now=partial(datetime.now, UTC),
        monotonic=monotonic,
    )
    wanted = record_sets(settings.records, settings.ip_families)
    return examine(reading, tools, wanted, name or settings.name)
