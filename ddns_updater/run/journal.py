"""The publications of one version during a run, and what is done at once for those of several versions."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import NamedTuple

from ddns_updater.lib.deadline import Monotonic
from ddns_updater.model import Address, Claim, Journal, Origin, Publication, Record, SeenFree, Sent
from ddns_updater.run.claims import by_record, stronger_claim
from ddns_updater.run.ports import History

log = logging.getLogger(__name__)

RESOLUTION = timedelta(seconds=1)  # of the times that the history gives back


class JournalWriter:
    """Holds the publications of one version and saves each change at once, except in a dry run."""

    def __init__(
        self,
        history: History,
        origin: Origin,
        journal: Journal,
        monotonic: Monotonic,
        *,
        dry_run: bool,
        seen_free: Mapping[Record, SeenFree] = MappingProxyType({}),
    ) -> None:
        """Take the version and its publications as they were read; records in `seen_free` may be sent unread."""
        self.seen_free = seen_free
        self.version = journal.version
        self.touched = False  # a change was sent, or a record was read back
        self.warnings: list[str] = []
        self._publications = {each.record: each for each in journal.publications}
        self.history = history
        self.origin = origin
        self._earlier: dict[tuple[Record, str | None], list[Sent]] | None = None
        self.dry_run = dry_run
        self._read_at, self._monotonic, self._start = journal.read_at, monotonic, monotonic()

    @property
    def address(self) -> Address:
        """Return the address to publish; only a version with the address that was just detected is published."""
        assert self.version.address is not None
        return self.version.address

    def now(self) -> datetime:
        """Return the time by the database's clock."""
        return self._read_at + timedelta(seconds=self._monotonic() - self._start)

    def get(self, record: Record) -> Publication:
        """Return the publication of `record`, a new one if it has none."""
        return self._publications.get(record) or Publication(record, self.now())

    def sent(self, record: Record, zone_id: str) -> frozenset[Address]:
        """Return the addresses that DNS may have been sent for `record`, for this version and earlier ones."""
        own = self.get(record).sent
        sent = [*self._sent_earlier(record, zone_id), *([own] if own and own.zone_id == zone_id else [])]
        return frozenset(each.address for each in sent)

    def unanswered_at(self, publication: Publication) -> datetime | None:
        """Return when another address was last sent to the same record without an answer; None if never."""
        sent = self._sent_earlier(publication.record, publication.hosted_zone_id)
        times = [each.unanswered_at for each in sent if each.unanswered_at and each.address != publication.address]
        return max(times, default=None)

    def _sent_earlier(self, record: Record, zone_id: str | None) -> Sequence[Sent]:
        if self._earlier is None:
            read_sent([self])
        assert self._earlier is not None
        return self._earlier.get((record, zone_id), ())

    def remember(self, publication: Publication) -> None:
        """Keep `publication` and log it, without saving it."""
        self._publications[publication.record] = publication
        change = f" (change {publication.change_id})" if publication.change_id else ""
        error = f": {publication.error}" if publication.error else ""
        self.log(f"{publication.record} is {publication.state}{change}{error}", [publication.record])

    def log(self, text: str, records: Iterable[Record]) -> None:
        """Log `text`, which is about the publication of this version in `records`."""
        facts = {
            "address": self.version.ip,
            "version": self.version.version,
            "records": [str(each) for each in records],
        }
        log.info("%s", text, extra={"facts": facts})


def read_sent(journals: Iterable[JournalWriter]) -> None:
    """Read what was sent for earlier versions, for all journals that do not know it at once; they have one history."""
    unknown = {each.origin: each for each in journals if each._earlier is None}
    if not unknown:
        return
    history = next(iter(unknown.values())).history
    for origin, sent in history.sent_before({origin: each.version for origin, each in unknown.items()}).items():
        earlier = unknown[origin]._earlier = {}
        for each in sent:
            earlier.setdefault((each.record, each.zone_id), []).append(each)


class Entry(NamedTuple):
    """A record in the journal that has its publication."""

    journal: JournalWriter
    record: Record

    @property
    def publication(self) -> Publication:
        """Return the publication as it is now."""
        return self.journal.get(self.record)


def write_publications(publications: Iterable[tuple[JournalWriter, Publication]]) -> None:
    """Remember each publication in its journal and save all in one transaction; the journals have one history."""
    written = list(publications)
    for journal, each in written:
        journal.remember(each)
    saved = [(journal, each) for journal, each in written if not journal.dry_run]
    if saved:
        saved[0][0].history.save((journal.version, each) for journal, each in saved)


def write_error(entries: Iterable[Entry], error: object) -> None:
    """Save `error` for each of `entries`; their states do not change."""
    write_publications((each.journal, each.publication._replace(error=str(error))) for each in entries)


def stronger_claims(entries: Sequence[Entry], zone_id: str, since: datetime) -> dict[Record, Claim]:
    """Return the claim of another origin on each record that the origin of its journal may not publish.

    `entries` are of different records and have one history, which is asked once.
    """
    if not entries:
        return {}
    origins = {each.record: each.journal.origin for each in entries}
    claims = by_record(entries[0].journal.history.claims(origins, since), zone_id)
    found = {record: stronger_claim(origins[record], some) for record, some in claims.items()}
    return {record: claim for record, claim in found.items() if claim}
