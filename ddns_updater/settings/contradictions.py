"""Settings that are valid alone but not together."""

from collections.abc import Callable, Collection, Iterator

from ddns_updater.errors import SettingsError
from ddns_updater.model import Agreement, Family
from ddns_updater.settings.settings import Settings

Found = Iterator[tuple[str, str]]  # problems, each with its advice


def contradictions(settings: Settings, given: Collection[str], bad: Collection[str]) -> Iterator[SettingsError]:
    """Yield the problems between the settings that are `given`; a value is not compared with a `bad` one."""
    for variable, compared_with, find in _RULES:
        if variable in given and not any(other in bad for other in compared_with):
            for problem, advice in dict.fromkeys(find(settings)):
                yield SettingsError(problem, advice, settings=(variable, *compared_with))


def _two_zones(settings: Settings) -> Found:
    zones: dict[tuple[str, Family], str] = {}
    for record in settings.records:
        for family in [record.family] if record.family else Family:
            if record.zone_id and zones.setdefault((record.name, family), record.zone_id) != record.zone_id:
                yield f"DDNS_RECORDS pins {record.name} to two hosted zones", "keep one of them"


def _family_not_kept(settings: Settings) -> Found:
    kept = settings.ip_families
    for record in settings.records:
        if record.family and record.family not in kept:
            written = f"{record.name}/{record.family.record_type}"
            problem = f"DDNS_RECORDS names {written}, but {record.family} is not in DDNS_IP_FAMILIES"
            yield problem, f"write DDNS_IP_FAMILIES={','.join([*kept, record.family])}"


def _one_host(settings: Settings) -> Found:
    sources = settings.ip_sources
    unconfirmed = len({source.host for source in sources}) < 2 and all(source.needs_confirmation for source in sources)
    if settings.ip_agreement is Agreement.REQUIRED and unconfirmed:
        yield "DDNS_IP_AGREEMENT=required needs a second source in DDNS_IP_SOURCES", "add one on another host"


def _verify_longer_than_run(settings: Settings) -> Found:
    verify, run = settings.verify_timeout, settings.run_timeout
    if verify > run:
        yield f"DDNS_VERIFY_TIMEOUT={verify} is longer than DDNS_RUN_TIMEOUT={run}", "make it shorter"


_RULES: tuple[tuple[str, tuple[str, ...], Callable[[Settings], Found]], ...] = (
    # what may break the rule, what it is compared with, and how the rule is found broken
    ("DDNS_RECORDS", (), _two_zones),
    ("DDNS_RECORDS", ("DDNS_IP_FAMILIES",), _family_not_kept),
    ("DDNS_IP_AGREEMENT", ("DDNS_IP_SOURCES",), _one_host),
    ("DDNS_VERIFY_TIMEOUT", ("DDNS_RUN_TIMEOUT",), _verify_longer_than_run),
)
