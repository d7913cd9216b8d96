"""The history in an SQL database: versions and publications, and what the commands need of them."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from itertools import chain
from typing import Any, Protocol

from ddns_updater.errors import HistoryError, VersionTaken
from ddns_updater.history import queries
from ddns_updater.history.rows import (
    claims_of,
    entries_of,
    journal_of,
    publication_row,
    sent_of,
    summary_of,
    utc_text,
)
from ddns_updater.history.sql_origins import SqlOrigins, without_versions
from ddns_updater.model import (
    Address,
    Claim,
    Family,
    HistoryEntry,
    HistorySummary,
    Journal,
    Origin,
    Publication,
    Record,
    Sent,
    Version,
    Window,
)

_ASKED_TOGETHER = 100  # origins in one query
_LOOK_BACK = 200  # versions in which a value that DNS holds is looked for
_EVER = 2**62  # seconds; later than any time, and earlier than any when negative


class Schema(Protocol):
    """The tables: history/schema.py, which is imported late because it needs yoyo."""

    def upgrade(self, history: "SqlHistory") -> int:
        """Create or upgrade the tables and return how many migrations were applied."""

    def outdated(self, history: "SqlHistory") -> Sequence[str]:
        """Return what the tables lack."""

    def examine(
        self, history: "SqlHistory", name: str | None, families: Sequence[Family]
    ) -> Sequence[tuple[str, str | None]]:
        """Return what is worth knowing about the shared table; raises HistoryError when it takes no new versions."""

    def rehearse(self, history: "SqlHistory", name: str, families: Sequence[Family]) -> None:
        """Raise HistoryError when the shared table takes no new versions."""


class SqlHistory(SqlOrigins):
    """The port HistoryStore on one open connection; every method raises HistoryError when the database fails."""

    def __init__(self, connection: Any, database: str, schema: Callable[[], Schema]) -> None:
        """Take an open connection to `database`, and the function that imports its schema."""
        super().__init__(connection, database)
        self._schema = schema

    # What a run needs

    def lock(self, origin: Origin) -> AbstractContextManager[bool]:
        """Take the lock of `origin` without waiting; yield False when it is taken."""
        return self._lock(str(origin.id))

    def latest(self, origin: Origin) -> Journal:
        """Return the version with the highest number, and its publications."""
        with self.errors():
            rows = self.execute(queries.latest(self.dialect), (origin.id,)).fetchall()
        if not rows:
            raise without_versions(origin)
        return journal_of(rows)

    def append(self, origin: Origin, previous: Version, address: Address) -> Journal:
        """Append the version after `previous`; raises VersionTaken when another run has appended it."""
        try:
            self._insert(origin, previous.version + 1, address)
        except HistoryError as error:
            if self.is_duplicate(error.__cause__) and self.latest(origin).version.version > previous.version:
                raise VersionTaken(
                    f"version {previous.version + 1} of {origin.name} was appended by another run"
                ) from error
            if error.advice or error.then:
                raise
            raise HistoryError(error.problem, '"ddns doctor" names what refuses a version') from error
        return self.latest(origin)

    def _insert(self, origin: Origin, version: int, address: Address) -> None:
        with self.errors(), self.transaction():
            self.insert(origin, version, address)

    def sent_before(self, versions: Mapping[Origin, Version]) -> dict[Origin, set[Sent]]:
        """Return what DNS may have been sent for the versions just before one of each origin."""
        found: dict[Origin, set[Sent]] = {origin: set() for origin in versions}
        by_key = {origin.id: origin for origin in versions}
        asked = [(origin.id, each.version, each.version - _LOOK_BACK) for origin, each in versions.items()]
        for start in range(0, len(asked), _ASKED_TOGETHER):
            chunk = asked[start : start + _ASKED_TOGETHER]
            with self.errors():
                rows = self.execute(queries.sent(self.dialect, len(chunk)), [*chain.from_iterable(chunk)]).fetchall()
            for origin_id, sent in sent_of(rows):
                found[by_key[origin_id]].add(sent)
        return found

    def claims(self, records: Collection[Record], since: datetime) -> Sequence[Claim]:
        """Return the claims of every origin on `records` that were checked at `since` or later, by originId."""
        names = sorted({each.name for each in records})
        if not names:
            return ()
        time = utc_text(since)
        with self.errors():
            rows = self.execute(queries.claims(self.dialect, len(names)), (*names, time) * 2).fetchall()
        wanted = set(records)
        return [each for each in claims_of(rows) if each.record in wanted]

    def save(self, publications: Iterable[tuple[Version, Publication]]) -> None:
        """Write all publications or none; each replaces the one that exists for its version and record."""
        with self.errors(), self.transaction():
            self.execute_many(queries.save(self.dialect), [publication_row(*each) for each in publications])

    # What the commands need that look back

    def entries(self, origin: Origin, limit: int, window: Window, *, below: int | None = None) -> list[HistoryEntry]:
        """Return at most `limit` of the versions of `origin` that were current within `window`, newest first.

        Versions from the number `below` on are left out.
        """
        start, end = _bounds(window)
        bound = () if below is None else (below,)
        with self.errors():
            values = (origin.id, end, start, _EVER, start, *bound, limit)
            rows = self.execute(queries.entries(self.dialect, below=below is not None), values).fetchall()
        return entries_of(rows, origin.family)

    def summary(self, origin: Origin, window: Window) -> HistorySummary:
        """Return how often the address of `origin` changed within `window`; this reads all of its versions."""
        start, end = _bounds(window)
        with self.errors():
            values = (start, end, end, start, _EVER, start, origin.id, origin.id)
            row = self.execute(queries.summary(self.dialect), values).fetchone()
        if row[1] is None:
            raise without_versions(origin)
        return summary_of(row, origin.family, start, end)

    # What the update endpoint needs

    def lock_publisher(self) -> AbstractContextManager[bool]:
        """Take the lock of the publisher without waiting; yield False when it is taken."""
        return self._lock("publisher")

    # What `init` needs

    def lock_init(self) -> AbstractContextManager[bool]:
        """Take the lock of `init` without waiting; yield False when it is taken."""
        return self._lock("init")

    def rehearse(self, name: str, families: Sequence[Family]) -> None:
        """Raise HistoryError when versions of `name` cannot be added to a table that is there; changes nothing."""
        self._schema().rehearse(self, name, families)

    def upgrade(self) -> int:
        """Create or upgrade the tables and return how many migrations were applied."""
        return self._schema().upgrade(self)

    # What `doctor` needs

    def remarks(self) -> Sequence[tuple[str, str | None]]:
        """Return what is worth knowing about the connection, each with what to do or None."""
        return ()

    def outdated(self) -> Sequence[str]:
        """Return what the tables lack; writes nothing."""
        return self._schema().outdated(self)

    def check_writing(self) -> None:
        """Raise HistoryError when the database refuses what a run writes; nothing is written."""
        with self.errors():
            unfilled = self.unfilled()
        self.check_statements([queries.insert(queries.VERSION_COLUMNS, unfilled), queries.save(self.dialect)])

    def examine(self, name: str | None, families: Sequence[Family]) -> Sequence[tuple[str, str | None]]:
        """Return what is worth knowing about the shared table, each with what to do or None; writes nothing.

        Raises HistoryError when versions of `families` cannot be added to it.
        """
        return self._schema().examine(self, name, families)


def _bounds(window: Window) -> tuple[int, int]:
    """Return a window in seconds since 1970."""
    return (
        -_EVER if window.start is None else int(window.start.timestamp()),
        _EVER if window.end is None else int(window.end.timestamp()),
    )
