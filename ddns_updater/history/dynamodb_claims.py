"""The claims of origins on records, found in their versions in a table of DynamoDB."""

from collections.abc import Collection, Iterable
from datetime import datetime

from ddns_updater.history.dynamodb_versions import Versions
from ddns_updater.model import Claim, Publication, PublicationState, Record

_LOOK_BACK = 20  # versions of an origin, at most, in which a claim is looked for


def claims_of(versions: Versions, key: str, records: Collection[Record], since: datetime) -> Iterable[Claim]:
    """Return the claims of an origin on `records` that were checked at `since` or later."""
    found: dict[tuple[Record, str], Claim] = {}
    for journal in versions.readable(key, limit=_LOOK_BACK):
        for each in journal.publications:
            claim = _claim(key, journal.version.name, each)
            if claim and claim.record in records and claim.at >= since:
                other = found.get((claim.record, claim.zone_id), claim)
                holds, at = claim.holds or other.holds, max(claim.at, other.at)
                found[claim.record, claim.zone_id] = claim._replace(holds=holds, at=at)
        if journal.version.created_at < since:
            break
    return found.values()


def _claim(key: str, name: str, publication: Publication) -> Claim | None:
    """Return what a publication claims, None when it claims nothing: it was not tried, or refused at once."""
    is_failed = publication.state is PublicationState.FAILED
    at = publication.checked_at or (None if is_failed else publication.submitted_at or publication.created_at)
    if at is None or publication.hosted_zone_id is None:
        return None
    holds = not is_failed or publication.verified_at is not None
    return Claim(publication.record, publication.hosted_zone_id, key, name, holds, at)
