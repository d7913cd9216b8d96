"""All checks in order; one that an earlier failure makes impossible is skipped and says why."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from functools import partial
from typing import NamedTuple

from ddns_updater.doctor.addresses import check_addresses
from ddns_updater.doctor.aws import Route53Probe, check_aws
from ddns_updater.doctor.check import Check, Checker, Starts
from ddns_updater.doctor.database import Known, check_database, compare_addresses
from ddns_updater.doctor.files import check_places, check_settings
from ddns_updater.doctor.hosts import Hosts, check_hosts, has_hosts
from ddns_updater.doctor.name_servers import Lookup, check_name_servers
from ddns_updater.doctor.runs import check_runs
from ddns_updater.errors import SettingsError
from ddns_updater.lib.deadline import Deadline, Limit
from ddns_updater.run import timetable
from ddns_updater.run.ports import AddressSource, Dns, HistoryStore
from ddns_updater.settings.load import LoadResult
from ddns_updater.sources.spec import SourceSpec
from ddns_updater.state.content import StateContent

_PROBLEM = "a setting that this needs is invalid; fix that first"

# Seconds that one attempt of each group may take.
_FILES, _AWS, _DNS = 5, 30, 10
_MAX_SOURCE = 30  # with its retries
_GRACE = 5  # for resolving a source's host name and for the pauses between its retries
_ALL_DNS = 30  # seconds after which no further DNS query starts


class Tools(NamedTuple):
    """The access to all that is checked; each function is called when it is needed."""

    sources: Sequence[tuple[SourceSpec, Callable[[], AddressSource]]]
    open_history: Callable[[], AbstractContextManager[HistoryStore]]
    open_hosts: Callable[[], AbstractContextManager[Hosts]]
    open_probe: Callable[[], Route53Probe]
    open_dns: Callable[[], Dns]
    open_lookup: Callable[[], Lookup | None]
    missing_serve: Callable[[], str | None]
    check_channels: Callable[[], None]
    read_state: Callable[[], StateContent]
    limit: Limit
    starts: Starts
    now: Callable[[], datetime]
    monotonic: Callable[[], float]


def examine(loaded: LoadResult, tools: Tools, name: str | None) -> Iterator[Check]:
    """Yield every check as it ends; `name` is that of the origin, None for the only one."""
    settings = loaded.settings
    wanted = settings.record_sets

    def group(title: str, seconds: float) -> Checker:
        return Checker(title, tools.limit, seconds, tools.starts)

    def usable(*prefixes: str) -> bool:
        return not any(_concerns(problem, prefixes) for problem in loaded.problems)

    check = group("settings and files", _FILES)
    yield from check_settings(check, loaded, tools.check_channels)
    if usable("DDNS_DATABASE_URL", "DDNS_STATE_FOLDER", "DDNS_METRICS_FILE"):
        yield from check_places(check, settings)

    check = group("address", min(settings.ip_timeout * (settings.ip_retries + 1) + _GRACE, _MAX_SOURCE))
    addresses = {}
    if usable("DDNS_IP_"):
        addresses = yield from check_addresses(
            check, tools.sources, settings.ip_families, settings.ip_agreement, tools.monotonic
        )
    else:
        yield check.skipped("address sources", _PROBLEM)

    check = group("database", timetable.answer_seconds(settings.run_timeout))
    known = Known()
    if usable("DDNS_DATABASE_URL", "DDNS_NAME", "DDNS_IP_FAMILIES"):
        known = yield from check_database(
            check,
            tools.open_history,
            settings.ip_families,
            wanted,
            settings.recheck_every,
            name,
            partial(has_hosts, tools.open_hosts),
            tools.now,
            tools.monotonic,
        )
        yield from compare_addresses(check, known.journals, addresses)
    else:
        yield check.skipped("database", _PROBLEM)

    if usable("DDNS_RECORDS", "DDNS_HOSTED_ZONE_ID", "DDNS_IP_FAMILIES"):
        published = yield from check_aws(
            group("AWS", _AWS), tools.open_probe, tools.open_dns, wanted, known, settings.recheck_every
        )
        if wanted:
            deadline = Deadline(_ALL_DNS, tools.monotonic)
            yield from check_name_servers(group("DNS", _DNS), tools.open_lookup(), published, deadline)
    else:
        yield group("AWS", _AWS).skipped("records", _PROBLEM)

    if usable("DDNS_DATABASE_URL", "DDNS_HOSTED_ZONE_ID"):
        check = group("hosts", timetable.answer_seconds(settings.run_timeout))
        yield from check_hosts(check, tools.open_hosts, tools.open_dns, tools.missing_serve, _AWS)

    if usable("DDNS_DATABASE_URL", "DDNS_STATE_FOLDER"):
        resolved = next((journal.version.name for journal in known.journals.values()), None)
        yield from check_runs(
            group("runs", _FILES), tools.read_state, name, resolved, tools.now(), settings.channel_names
        )
    else:
        yield group("runs", _FILES).skipped("last run", _PROBLEM)


def _concerns(problem: SettingsError, prefixes: Sequence[str]) -> bool:
    """Return whether a problem concerns variables with these prefixes; one that names no variable concerns all."""
    return not problem.settings or any(variable.startswith(tuple(prefixes)) for variable in problem.settings)
