"""The publications of one version during a run."""

import logging
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta

from ddns_updater.lib.deadline import Monotonic
from ddns_updater.model import Address, Claim, Journal, Origin, Publication, Record, Sent
from ddns_updater.run.claims import by_record, stronger_claim
from ddns_updater.run.ports import History

log = logging.getLogger(__name__)

RESOLUTION = timedelta(seconds=1)  # of the times that the history gives back


class JournalWriter:
    """Holds the publications of one version and saves each change at once, except in a dry run."""

    def __init__(
        self, history: History, origin: Origin, journal: Journal, monotonic: Monotonic, *, dry_run: bool
    ) -> None:
        self.version = journal.version
        self.touched = False  # a change was sent, or a record was read back
        self.warnings: list[str] = []
        self._publications = {each.record: each for each in journal.publications}
        self._history = history
        self._origin = origin
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
            self._earlier = {}
            for each in self._history.sent_before(self._origin, self.version):
                self._earlier.setdefault((each.record, each.zone_id), []).append(each)
        return self._earlier.get((record, zone_id), ())

    def stronger_claims(self, records: Collection[Record], zone_id: str, since: datetime) -> dict[Record, Claim]:
        """Return the claim of another origin on each of `records` that this origin may not publish."""
        claims = by_record(self._history.claims(records, since), zone_id)
        found = {record: stronger_claim(self._origin, some) for record, some in claims.items()}
        return {record: claim for record, claim in found.items() if claim}

    def write(self, publications: Iterable[Publication]) -> None:
        """Remember `publications` and save them."""
        written = list(publications)
        self._publications |= {each.record: each for each in written}
        for each in written:
            change = f" (change {each.change_id})" if each.change_id else ""
            self.log(f"{each.record} is {each.state}{change}{f': {each.error}' if each.error else ''}", [each.record])
        if written and not self.dry_run:
            self._history.save(self.version, written)

    def log(self, text: str, records: Iterable[Record]) -> None:
        """Log `text`, which is about the publication of this version in `records`."""
        facts = {
            "address": self.version.ip,
            "version": self.version.version,
            "records": [str(each) for each in records],
        }
        log.info("%s", text, extra={"facts": facts})

    def save_error(self, records: Iterable[Record], error: object) -> None:
        """Save `error` for each of `records`; their states do not change."""
        self.write(self.get(each)._replace(error=str(error)) for each in records)
