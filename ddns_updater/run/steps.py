"""Decide what to do about a record: whether it is due, and by what DNS holds, what to send and what to write."""

from collections.abc import Collection, Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import NamedTuple

from ddns_updater.errors import DnsError
from ddns_updater.model import (
    Address,
    Change,
    OnDrift,
    Publication,
    PublicationState,
    Record,
    RecordSet,
    described,
)
from ddns_updater.run.journal import Entry, JournalWriter

_DEFAULT_TTL = 60  # seconds, for a record set that does not exist yet


class Policy(NamedTuple):
    """How to publish; times in seconds.

    `ttl` None keeps the existing TTL, `recheck_every` 0 never rechecks, `recheck` checks every record in this run,
    `hosted_zone_ids` are the only zones to use, and `pins` gives the zone of individual records. `or_else` is what the
    operator can do about a record that may not be changed, besides removing what is there.
    """

    ttl: int | None = None
    recheck_every: float = 3600
    recheck: bool = False
    on_drift: OnDrift = OnDrift.REPAIR
    hosted_zone_ids: tuple[str, ...] = ()
    pins: Mapping[Record, str] = MappingProxyType({})
    or_else: str = "remove the name from DDNS_RECORDS"

    def may_use(self, record: Record, zone_id: str) -> bool:
        """Return whether the settings let a record be in a zone."""
        pin = self.pins.get(record)
        zones = (pin,) if pin else self.hosted_zone_ids
        return not zones or zone_id in zones


class Step(NamedTuple):
    """What to do about one record: what to write into the journal, what to send, and what to warn of."""

    publication: Publication | None = None
    change: Change | None = None
    warning: str | None = None


def needs_upsert(policy: Policy, journal: JournalWriter, record: Record) -> bool:
    """Return whether a change of the record has to be sent, by what the journal and the settings say."""
    publication = journal.get(record)
    if publication.state in (PublicationState.PENDING, PublicationState.FAILED):
        return True
    if publication.address != journal.address:  # the row was edited, or the id of its version was reused
        return True
    moved = not policy.may_use(record, publication.hosted_zone_id or "")
    is_reported = publication.error is not None and policy.on_drift is OnDrift.REPORT
    return moved or (policy.ttl not in (None, publication.ttl) and not is_reported)


def may_be_unread(policy: Policy, entry: Entry, zone_id: str) -> bool:
    """Return whether a record may be sent without a look at what the zone holds.

    It was seen free of obstacles within a recheck interval. With OnDrift.REPORT it is always read, for what
    somebody else wrote there is not replaced then.
    """
    seen = entry.journal.seen_free.get(entry.record)
    if seen is None or seen.zone_id != zone_id or policy.on_drift is OnDrift.REPORT:
        return False
    if entry.publication.state is not PublicationState.PENDING:
        return False  # it was seen to hold something else, or is due for a recheck
    return timedelta(0) <= entry.journal.now() - seen.at < timedelta(seconds=policy.recheck_every)


def unread_step(policy: Policy, entry: Entry, zone_id: str) -> Step:
    """Return the change of a record that is sent without a look at what the zone holds."""
    journal, record = entry
    seen = journal.seen_free[record]
    journal.log(f"{record} in hosted zone {zone_id} was seen without an obstacle at {seen.at:%H:%M:%S} UTC", [record])
    before = entry.publication
    known = before.ttl if before.hosted_zone_id in (None, zone_id) else None
    ttls = (policy.ttl, known, seen.ttl, _DEFAULT_TTL)
    return Step(change=Change(record, (str(journal.address),), next(ttl for ttl in ttls if ttl is not None)))


def next_step(policy: Policy, entry: Entry, found: RecordSet | None, zone_id: str, *, was_verified: bool) -> Step:
    """Decide what to do about a record by what was `found` at its name; `was_verified` before, in some zone."""
    journal, record = entry
    publication = entry.publication
    is_recheck = was_verified and publication.hosted_zone_id == zone_id
    if is_recheck and found and found.holds(journal.address, publication.ttl):
        return Step(publication._replace(checked_at=journal.now(), error=None))
    if publication.hosted_zone_id not in (None, zone_id):
        publication = publication._replace(ttl=None)  # that of the record in the zone where it was before
    ours = journal.sent(record, zone_id)
    has_several = found is not None and len(found.values) > 1
    if found and has_several and not ours:
        return Step(publication._replace(state=PublicationState.FAILED, error=str(_foreign(policy, record, found))))
    has_drifted = is_recheck or not _is_expected(found, {journal.address, *ours})  # a recheck that got here failed
    if has_drifted:
        publication = publication._replace(drift=described(found), drift_at=journal.now())
        if (is_recheck or ours) and policy.on_drift is OnDrift.REPORT:
            error = str(_drifted(journal, publication, found))
            return Step(publication._replace(error=error, checked_at=journal.now()))
    if found and found.obstacle:
        return Step(
            publication._replace(state=PublicationState.FAILED, error=str(_blocked(policy, record, found.obstacle)))
        )
    change = Change(record, (str(journal.address),), _ttl(policy, publication, found))
    if not has_drifted:
        return Step(change=change)
    verb = "would be" if journal.dry_run else "is being"
    done = "repaired" if ours else "replaced"
    return Step(publication, change, f"{record} held {publication.drift}; it {verb} {done}")


def _blocked(policy: Policy, record: Record, obstacle: str) -> DnsError:
    return DnsError(
        f"failed to change {record}: {obstacle} exists there and is never overwritten",
        f"remove it, or {policy.or_else}",
    )


def _foreign(policy: Policy, record: Record, found: RecordSet) -> DnsError:
    return DnsError(
        f"failed to change {record}: it holds {len(found.values)} values ({', '.join(found.values)}), and none was"
        " written by this program",
        f"leave only one of them, or {policy.or_else}",
    )


def _ttl(policy: Policy, publication: Publication, found: RecordSet | None) -> int:
    asked = publication.ttl if publication.drift else None  # what a repair restores; it may take several runs
    ttls = (policy.ttl, asked, found.ttl if found else None, _DEFAULT_TTL)
    return next(ttl for ttl in ttls if ttl is not None)


def _is_expected(found: RecordSet | None, addresses: Collection[Address]) -> bool:
    """Return whether a due record holds nothing, one of `addresses`, or an obstacle, which is looked at later."""
    return found is None or found.obstacle is not None or any(found.holds(each, None) for each in addresses)


def _drifted(journal: JournalWriter, publication: Publication, found: RecordSet | None) -> DnsError:
    repair = "" if found and found.obstacle else ", or set DDNS_ON_DRIFT=repair"
    wanted = f"{journal.address}" if publication.ttl is None else f"{journal.address} with TTL {publication.ttl}"
    return DnsError(f"{publication.record} should hold {wanted}, not {publication.drift}", f"correct it{repair}")
