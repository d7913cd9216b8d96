"""Conversion between database rows and the values of the model."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from ddns_updater.model import Journal, Publication, PublicationState, Record, Version, parse_address

Row = Sequence[Any]


def journal_of(rows: Sequence[Row]) -> Journal:
    """Return the version in `rows`: one row for each of its publications, or a single row without any."""
    publications = tuple(_publication(row[8:23]) for row in rows if row[8] is not None)
    return Journal(_version(rows[0]), publications, time_of(rows[0][7]))


def _version(row: Row) -> Version:
    return Version(row[0], row[1], row[2], row[3], row[4], parse_address(row[4]), time_of(row[5]), row[6])


def _publication(row: Row) -> Publication:
    (
        name,
        kind,
        created,
        state,
        zone,
        address,
        ttl,
        change,
        attempts,
        error,
        submitted,
        verified,
        checked,
        drift,
        drift_at,
    ) = row
    return Publication(
        record=Record(name, kind),
        created_at=time_of(created),
        state=PublicationState(state),
        hosted_zone_id=zone,
        address=parse_address(address),
        ttl=ttl,
        change_id=change,
        attempts=attempts,
        error=error,
        submitted_at=time_or_none(submitted),
        verified_at=time_or_none(verified),
        checked_at=time_or_none(checked),
        drift=drift,
        drift_at=time_or_none(drift_at),
    )


def time_of(epoch: Any) -> datetime:
    """Return `epoch`, in seconds since 1970, as a time in UTC."""
    return datetime.fromtimestamp(int(epoch), UTC)


def time_or_none(epoch: Any) -> datetime | None:
    """Return `epoch`, in seconds since 1970, as a time in UTC; None for NULL."""
    return None if epoch is None else time_of(epoch)


def utc_text(time: datetime | None) -> str | None:
    """Return `time` as the text for a column in UTC; None for NULL."""
    return None if time is None else time.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
