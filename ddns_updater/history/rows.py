"""The columns of `admin_dns_publication`, and the conversion of database rows to the values of the model."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any, NamedTuple

from ddns_updater.errors import HistoryError
from ddns_updater.model import (
    Address,
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
    """Return `epoch`, in seconds since 1970, as a time in UTC; raises HistoryError when it is none."""
    try:
        return datetime.fromtimestamp(int(epoch), UTC)
    except (TypeError, ValueError, OverflowError, OSError) as error:
        raise HistoryError(f"the database holds a time that cannot be read, {epoch!r}", "correct it") from error


def time_or_none(epoch: Any) -> datetime | None:
    """Return `epoch` as `time_of` does; None stays None."""
    return None if epoch is None else time_of(epoch)


def utc_text(time: datetime | None) -> str | None:
    """Return `time` as a column in UTC has it."""
    return None if time is None else time.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _state(value: Any) -> PublicationState:
    return PublicationState(text_of(value))


def _address(value: Any) -> Address | None:
    address = parse_address(text_of(value))
    if value is not None and address is None:
        raise ValueError
    return address


def _number(value: Any) -> int:
    if not isinstance(value, int) or value < 0:
        raise ValueError
    return value


def _number_or_none(value: Any) -> int | None:
    return None if value is None else _number(value)


def text_of(value: Any) -> Any:
    """Return what a column for text holds as text, also where it is of another type; None stays None."""
    if value is None or isinstance(value, str):
        return value
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _shortened(text: str | None) -> str | None:
    return None if text is None else text[:_MAX_TEXT]


def _time(name: str, field: str, *, is_kept: bool = False) -> Column:
    read = time_of if is_kept else time_or_none
    return Column(name, field, utc_text, read, is_time=True, is_kept=is_kept)


KEY = ("historyId", "recordName", "recordType")  # these make a publication unique
COLUMNS = (
    _time("createdAt", "created_at", is_kept=True),
    Column("state", "state", _text, _state),
    Column("hostedZoneId", "hosted_zone_id", read=text_of),
    Column("address", "address", _text, _address),
    Column("ttl", "ttl", read=_number_or_none),
    Column("changeId", "change_id", read=text_of),
    Column("attempts", "attempts", read=_number),
    Column("lastError", "error", _shortened, text_of),
    _time("submittedAt", "submitted_at"),
    _time("verifiedAt", "verified_at"),
    _time("checkedAt", "checked_at"),
    Column("drift", "drift", _shortened, text_of),
    _time("driftAt", "drift_at"),
)


def publication_row(version: Version, publication: Publication) -> Row:
    """Return the values of KEY and COLUMNS for a publication of `version`."""
    record = publication.record
    return (version.id, *record, *(column.write(getattr(publication, column.field)) for column in COLUMNS))


def family_of(ip: str | None) -> Family | None:
    """Return the family of the address that `ip` stands for, also in an unusual notation; None when it is none."""
    address = parse_address((ip or "").strip())
    if address is None:
        return None
    return Family.IPV4 if getattr(address, "ipv4_mapped", address) else Family.IPV6


def version_of(row: Row) -> Version:
    """Return the version in the first columns of `row`."""
    key, name, version, ip, created_at, note = row[:6]
    if isinstance(version, str | bytes):  # SQLite stores what it is given
        raise HistoryError(f"row {key} of admin_ip_history has the version {version!r}", "correct it or delete the row")
    name, ip = text_of(name), text_of(ip)
    return Version(key, name, version, ip, parse_address(ip), time_of(created_at), note)


def journal_of(rows: Sequence[Row]) -> Journal:
    """Return the version in `rows`: one row for each of its publications, or a single row without any.

    Raises HistoryError for a publication that means nothing here, such as one of a newer version of this program: what
    the record needs is then unknown, and to save it would overwrite what is meant.
    """
    version = version_of(rows[0])
    publications = tuple(_publication(version, row[8:]) for row in rows if row[8] is not None)
    return Journal(version, publications, time_of(rows[0][6]))


def _publication(version: Version, row: Row) -> Publication:
    record = Record(text_of(row[0]), text_of(row[1]))
    fields: dict[str, Any] = {}
    for column, value in zip(COLUMNS, row[2:], strict=True):
        try:
            fields[column.field] = column.read(value)
        except (ValueError, HistoryError) as error:
            raise _unreadable(version, record, column.name, value) from error
    found = Publication(record, **fields)
    if found.state in (PublicationState.SUBMITTED, PublicationState.VERIFIED):
        needed = {"hostedZoneId": found.hosted_zone_id, "address": found.address}
        if found.state is PublicationState.SUBMITTED:
            needed["changeId"] = found.change_id
        for name, value in needed.items():
            if not value:
                raise _unreadable(version, record, name, value, f" though it is {found.state}")
    return found


def _unreadable(version: Version, record: Record, column: str, value: object, though: str = "") -> HistoryError:
    where = f"{record} in version {version.version} of {version.name}"
    held = "NULL" if value is None else repr(text_of(value)[:60] if isinstance(value, (str, bytes)) else value)
    if column == "state":
        return HistoryError(
            f"the publication of {where} has the state {held}, which this version of ddns does not know",
            "update ddns here if a newer one wrote that, else correct state in admin_dns_publication",
        )
    return HistoryError(
        f"the publication of {where} has {column} {held}{though}, which is impossible",
        f"correct that row of admin_dns_publication, or delete it (historyId {version.id}) to publish the record again",
    )


def sent_of(rows: Sequence[Row]) -> Iterator[tuple[Any, Sent]]:
    """Yield the originId and what was sent, by `rows`."""
    for origin_id, name, kind, zone_id, text, unanswered_at in rows:
        address = parse_address(text_of(text))
        if address and zone_id:
            sent = Sent(Record(text_of(name), text_of(kind)), text_of(zone_id), address, time_or_none(unanswered_at))
            yield origin_id, sent


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
        entries.append(HistoryEntry(version, family, time_or_none(of_version[0][7]), read_at, publications))
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
