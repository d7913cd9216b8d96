"""Claims on a record: one origin at a time publishes it.

An origin claims a record by publishing it, and keeps the claim for as long as it checks the record. Two origins that
both publish one, each with its own address, would take it from each other at every check.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from ddns_updater.errors import DnsError
from ddns_updater.model import Claim, Journal, Origin, Record

_LEAST = 3600  # seconds; the interval of the other origin is not known here, so at least the default


def claims_since(now: datetime, recheck_every: float) -> datetime:
    """Return when a record must have been checked for the claim on it to last: two recheck intervals ago."""
    return now - 2 * timedelta(seconds=max(recheck_every, _LEAST))


def by_record(claims: Sequence[Claim], zone_id: str) -> dict[Record, list[Claim]]:
    """Return the claims in a hosted zone by their records, in the same order."""
    found: dict[Record, list[Claim]] = {}
    for each in claims:
        if each.zone_id == zone_id:
            found.setdefault(each.record, []).append(each)
    return found


def stronger_claim(origin: Origin, claims: Sequence[Claim]) -> Claim | None:
    """Return the claim that keeps `origin` from publishing a record; None when it may.

    `claims` are all that there are on the record, in an order that is the same for every origin. An origin without a
    claim comes later than any with one. Of several that have one, because they began at the same moment or before
    origins looked for claims, the first in that order publishes.
    """
    holding = [each for each in claims if each.holds]
    others = [each for each in holding if each.origin_id != origin.id]
    is_first = bool(holding) and holding[0] not in others
    return others[0] if others and not is_first else None


def refusal(claim: Claim, recheck_every: float) -> DnsError:
    """Return the error for the origin that comes later than `claim`; it reads the same at every run."""
    hours = (claim.at - claims_since(claim.at, recheck_every)).total_seconds() / 3600
    return DnsError(
        f"failed to change {claim.record}: origin {claim.name} already publishes it",
        f"remove it from the DDNS_RECORDS of one of the two, or wait: the claim of {claim.name} ends {hours:g} h"
        " after its last check",
    )


def rivals(origin: Origin, claims: Sequence[Claim]) -> list[Claim]:
    """Return the claims of other origins on the records that `origin` itself publishes."""
    own = {(each.record, each.zone_id) for each in claims if each.origin_id == origin.id and each.holds}
    return [each for each in claims if each.origin_id != origin.id and (each.record, each.zone_id) in own]


def takeovers(journal: Journal, claims: Sequence[Claim]) -> list[Claim]:
    """Return those of rivals' `claims` that were checked after the record was here: it holds the other address."""
    checked = {each.record: each.checked_at for each in journal.publications}
    return [each for each in claims if each.holds and (at := checked.get(each.record)) and each.at > at]


def takeover(claim: Claim) -> DnsError:
    """Return the error for a record that the origin of `claim` has taken over."""
    return DnsError(
        f"origin {claim.name} has published {claim.record} since it was last checked here",
        'remove it from the DDNS_RECORDS of one of the two; here, "ddns run --recheck" checks it now',
    )


def rivalry(claim: Claim) -> tuple[str, str]:
    """Return what there is to say of a rival's `claim`, and what to do."""
    return f"origin {claim.name} has {claim.record} in its DDNS_RECORDS as well", "remove it there or here"
