"""The columns of `admin_dns_publication`, and the conversion of database rows to the values of the model."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any, NamedTuple

from ddns_updater.model import (
    Claim,
    Family,
    HistoryEntry,
    HistorySummary,
    Journal,
    Publication,
    PublicationState,
    Record,
    Sent,
    Version,
    parse_address,
)

Row = Sequence[Any]

_MAX_TEXT = 1000  # characters of an error


class Column(NamedTuple):
    """A column of `admin_dns_publication` and the field of a publication in it: how it is written and read."""

    name: str
    field: str
    write: Callable[[Any], Any] = lambda value: value
    read: Callable[[Any], Any] = lambda value: value
    is_time: bool = False  # in UTC; read as seconds since 1970
    is_kept: bool = False  # as it was inserted; the others are overwritten


def time_of(epoch: Any) -> datetime:
    """Return `epoch`, in seconds since 1970, as a time in UTC."""
    return datetime.fromtimestamp(int(epoch), UTC)


def _time_or_none(epoch: Any) -> datetime | None:
    return None if epoch is None else time_of(epoch)


def utc_text(time: datetime | None) -> str | None:
    """Return `time` as a column in UTC has it."""
    return None if time is None else time.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _shortened(text: str | None) -> str | None:
    return None if text is None else text[:_MAX_TEXT]


def _time(name: str, field: str, *, is_kept: bool = False) -> Column:
    return Column(name, field, utc_text, _time_or_none, is_time=True, is_kept=is_kept)


KEY = ("historyId", "recordName", "recordType")  # these make a publication unique
COLUMNS = (
    _time("createdAt", "created_at", is_kept=True),
    Column("state", "state", _text, PublicationState),
    Column("hostedZoneId", "hosted_zone_id"),
    Column("address", "address", _text, parse_address),
    Column("ttl", "ttl"),
    Column("changeId", "change_id"),
    Column("attempts", "attempts"),
    Column("lastError", "error", _shortened),
    _time("submittedAt", "submitted_at"),
    _time("verifiedAt", "verified_at"),
    _time("checkedAt", "checked_at"),
    Column("drift", "drift", _shortened),
    _time("driftAt", "drift_at"),
)


def publication_row(version: Version, publication: Publication) -> Row:
    """Return the values of KEY and COLUMNS for a publication of `version`."""
    record = publication.record
    return (version.id, *record, *(column.write(getattr(publication, column.field)) for column in COLUMNS))


def text_of(value: Any) -> Any:
    """Return what a column for text holds as text, also where it is of another type; None stays None."""
    if value is None or isinstance(value, str):
        return value
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def family_of(ip: str | None) -> Family | None:
    """Return the family of the address that `ip` stands for, also in an unusual notation; None when it is none."""
    address = parse_address((ip or "").strip())
    if address is None:
        return None
    return Family.IPV4 if getattr(address, "ipv4_mapped", address) else Family.IPV6


def version_of(row: Row) -> Version:
    """Return the version in the first columns of `row`."""
    key, name, version, ip, created_at, note = row[:6]
    name, ip = text_of(name), text_of(ip)
    return Version(key, name, version, ip, parse_address(ip), time_of(created_at), note)


def journal_of(rows: Sequence[Row]) -> Journal:
    """Return the version in `rows`: one row for each of its publications, or a single row without any."""
    publications = tuple(_publication(*row[8:]) for row in rows if row[8] is not None)
    return Journal(version_of(rows[0]), publications, time_of(rows[0][6]))


def _publication(name: str, kind: str, *values: Any) -> Publication:
    fields = {column.field: column.read(value) for column, value in zip(COLUMNS, values, strict=True)}
    return Publication(Record(name, kind), **fields)


def sent_of(rows: Sequence[Row]) -> Iterator[Sent]:
    """Yield what was sent, by `rows`."""
    for name, kind, zone_id, text, unanswered_at in rows:
        if address := parse_address(text):
            yield Sent(Record(name, kind), zone_id, address, _time_or_none(unanswered_at))


def claims_of(rows: Sequence[Row]) -> Iterator[Claim]:
    """Yield the claims in `rows`."""
    for name, kind, zone_id, origin_id, called, holds, at in rows:
        yield Claim(Record(name, kind), zone_id, origin_id, called, bool(holds), time_of(at))


def entries_of(rows: Sequence[Row], family: Family) -> list[HistoryEntry]:
    """Return the versions in `rows`; the rows of a version follow one another."""
    entries = []
    for _, group in groupby(rows, key=lambda row: row[0]):
        of_version = list(group)
        version, publications, read_at = journal_of(of_version)
        entries.append(HistoryEntry(version, family, _time_or_none(of_version[0][7]), read_at, publications))
    return entries


def summary_of(row: Row, family: Family, start: int, end: int) -> HistorySummary:
    """Return the summary in `row` of a window from `start` to `end`, in seconds since 1970."""
    now, first, versions, changes = (int(each) for each in row[:4])
    longest, seen, shortest = (None if each is None else timedelta(seconds=max(int(each), 0)) for each in row[4:])
    start = max(first, min(start, now))
    return HistorySummary(
        family=family,
        first_recorded_at=time_of(first),
        start=time_of(start),
        end=time_of(max(start, min(end, now))),
        versions=versions,
        changes=changes,
        longest=longest or timedelta(0),
        at_least=longest != seen,
        shortest=shortest,
    )
