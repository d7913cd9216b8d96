"""The grammar of a record in `DDNS_RECORDS` and of a hosted zone in `DDNS_HOSTED_ZONE_ID`."""

from collections.abc import Iterable, Sequence

from ddns_updater.dns.names import normalize_name
from ddns_updater.errors import InvalidValue
from ddns_updater.model import Family, Record, WantedRecord


def parse_record(text: str) -> WantedRecord:
    """Parse `name`, `name/A` or `name/AAAA`, each with or without `=ZONEID`; raises InvalidValue for anything else."""
    name, equals, zone_id = text.partition("=")
    name, slash, kind = name.partition("/")
    families = {family.record_type: family for family in Family}
    if slash and kind.strip().upper() not in families:
        raise InvalidValue(f"has the type {kind!r}", "write /A or /AAAA, or leave it out")
    return WantedRecord(
        normalize_name(name),
        families[kind.strip().upper()] if slash else None,
        parse_zone_id(zone_id.strip()) if equals else None,
    )


def parse_zone_id(text: str) -> str:
    """Return `text` as the ID of a hosted zone; raises InvalidValue when it cannot be one."""
    zone_id = text.removeprefix("/hostedzone/")
    if not (zone_id.isascii() and zone_id.isalnum() and len(zone_id) <= 32):
        raise InvalidValue("is not a hosted zone ID such as Z0123456789ABCDEFGHIJ")
    return zone_id.upper()


def record_sets(wanted: Iterable[WantedRecord], families: Sequence[Family]) -> dict[Record, str | None]:
    """Return the record sets that `wanted` asks for in `families`, each with the zone it is pinned to, if any."""
    found: dict[Record, str | None] = {}
    for each in wanted:
        for family in families:
            if each.family in (None, family):
                record = Record(each.name, family.record_type)
                found[record] = each.zone_id or found.get(record)
    return found
