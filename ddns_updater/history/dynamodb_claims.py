"""The claims of origins on records, found in their versions in a table of DynamoDB."""

from collections.abc import Collection, Iterable, Iterator
from datetime import datetime

from ddns_updater.history.dynamodb_versions import Versions
from ddns_updater.model import Claim, Journal, Publication, PublicationState, Record

_PAGE = 20  # versions of an origin that are read at once


def claims_of(versions: Versions, key: str, records: Collection[Record], since: datetime) -> Iterable[Claim]:
    """Return the claims of an origin on `records` that were checked at `since` or later."""
    found: dict[tuple[Record, str], Claim] = {}
    for journal in _newest_first(versions, key):
        for each in journal.publications:
            claim = _claim(key, journal.version.name, each)
            if claim and claim.record in records and claim.at >= since:
                other = found.get((claim.record, claim.zone_id), claim)
                holds, at = claim.holds or other.holds, max(claim.at, other.at)
                found[claim.record, claim.zone_id] = claim._replace(holds=holds, at=at)
        if journal.version.created_at < since:
            break
    return found.values()


def _newest_first(versions: Versions, key: str) -> Iterator[Journal]:
    """Yield the versions of an origin, a few of which are read at a time."""
    below = None
    while page := list(versions.readable(key, below=below, limit=_PAGE)):
        yield from page
        if len(page) < _PAGE:
            return
        below = page[-1].version.version


def _claim(key: str, name: str, publication: Publication) -> Claim | None:
    """Return what a publication claims, None when it claims nothing: it was not tried, or refused at once."""
    is_failed = publication.state is PublicationState.FAILED
    at = publication.checked_at or (None if is_failed else publication.submitted_at or publication.created_at)
    if at is None or publication.hosted_zone_id is None:
        return None
    holds = not is_failed or publication.verified_at is not None
    return Claim(publication.record, publication.hosted_zone_id, key, name, holds, at)
