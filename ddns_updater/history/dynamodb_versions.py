"""The versions of an origin in a table of DynamoDB, each with its publications: one item for each version.

A version is one conditional put, which a writer's token lets know its own. A publication is saved on the condition that
nobody has saved one since the version was read: a publisher that comes late undoes nothing.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext, suppress
from datetime import UTC, datetime
from typing import Any, NamedTuple, cast
from uuid import uuid4

from ddns_updater.errors import NEXT_RUN, HistoryError, VersionTaken
from ddns_updater.history.rows import COLUMNS
from ddns_updater.lib.at_once import at_once
from ddns_updater.lib.dynamodb import Changed, Item, Table, TooLarge, Update
from ddns_updater.model import Address, Family, Journal, Publication, PublicationState, Record, Version, parse_address

_FORMAT = "%Y-%m-%dT%H:%M:%SZ"
_KEPT = [column.name for column in COLUMNS if column.is_kept]
_UNCHANGED = "#rev = :rev OR #saver = :saver"  # the second: by this very write, whose answer was lost


class VersionKey(NamedTuple):
    """The key of a version."""

    origin: str
    number: int


class _Read(NamedTuple):
    """The version of an origin that was last read to be saved to, and how often its publications had been saved."""

    number: int
    rev: int
    pubs: Mapping[str, Item]


def origin_key(name: str, family: Family) -> str:
    """Return the key of the origin of a name in one family, which Origin.id is."""
    return f"{name}#{family.name.lower()}"


def time_text(time: datetime) -> str:
    """Return `time` as an item has it, which sorts as the times do."""
    return time.astimezone(UTC).strftime(_FORMAT)


def time_of(text: str) -> datetime:
    """Return the time in an item; raises HistoryError when it is none."""
    try:
        return datetime.strptime(text, _FORMAT).replace(tzinfo=UTC)
    except (TypeError, ValueError) as error:
        raise HistoryError(f"the table holds a time that cannot be read, {text!r}", "correct it") from error


def time_or_none(text: str | None) -> datetime | None:
    """Return the time in an item as `time_of` does; None stays None."""
    return None if text is None else time_of(text)


def now() -> datetime:
    """Return the time by this machine's clock, in whole seconds."""
    return datetime.now(UTC).replace(microsecond=0)


class Versions:
    """The versions in a table; its methods raise HistoryError."""

    def __init__(self, table: Table) -> None:
        """Take the table."""
        self._table = table
        self._read: dict[str, _Read] = {}  # by origin

    def latest(self, origin: str) -> Journal | None:
        """Return the latest version of an origin and its publications, to be saved; None when it has none."""
        for item in self._items(origin, None, 1):
            return self._remembered(origin, item)
        return None

    def latest_of(self, numbers: Mapping[str, int]) -> dict[str, Journal]:
        """Return the latest versions of many origins, to be saved, by their keys; those without a version are left out.

        Each is given with the number that it has most likely.
        """
        found = self._latest_items(numbers)
        return {origin: self._remembered(origin, item) for origin, item in found.items()}

    def seen_of(self, numbers: Mapping[str, int]) -> dict[str, Journal]:
        """Return the latest versions of many origins as `latest_of` does, to be looked at alone."""
        return {origin: _journal(origin, item) for origin, item in self._latest_items(numbers).items()}

    def _latest_items(self, numbers: Mapping[str, int]) -> dict[str, Item]:
        """Return the latest versions of origins: each the one with a number, unless there is one with the next."""
        pairs = {origin: (number, number + 1) for origin, number in numbers.items()}
        items = self._table.get_many(
            (_partition(origin), _sort(number)) for origin, pair in pairs.items() for number in pair
        )

        def read(origin: str) -> Item | None:
            item, later = (items.get((_partition(origin), _sort(number))) for number in pairs[origin])
            return item if item and not later else next(self._items(origin, None, 1), None)

        found = zip(numbers, at_once(read, numbers), strict=True)
        return {origin: item for origin, item in found if item}

    def _remembered(self, origin: str, item: Item) -> Journal:
        journal = _journal(origin, item)
        self._read[origin] = _Read(journal.version.version, item.get("rev", 0), item.get("pubs", {}))
        return journal

    def seen(self, origin: str) -> Journal | None:
        """Return the latest version of an origin as `latest` does, to be looked at alone."""
        return next(self.journals(origin, limit=1), None)

    def has_any(self, origin: str) -> bool:
        """Return whether an origin has a version."""
        return any(True for _ in self._table.query(_partition(origin), limit=1))

    def journals(self, origin: str, *, below: int | None = None, limit: int | None = None) -> Iterator[Journal]:
        """Yield at most `limit` versions of an origin below a number with their publications, the newest first."""
        for item in self._items(origin, below, limit):
            yield _journal(origin, item)

    def readable(self, origin: str, *, below: int | None = None, limit: int) -> Iterator[Journal]:
        """Yield the same without the publications that mean nothing here, such as those of a newer version."""
        for item in self._items(origin, below, limit):
            yield _journal(origin, item, is_strict=False)

    def _items(self, origin: str, below: int | None, limit: int | None) -> Iterator[Item]:
        before = None if below is None else _sort(below)
        return self._table.query(_partition(origin), before=before, backwards=True, limit=limit)

    def recorded_at(self, origin: str, number: int) -> datetime | None:
        """Return when a version was recorded, None when there is none with this number."""
        item = self._table.get(_partition(origin), _sort(number))
        return None if item is None else time_of(item["createdAt"])

    def append(
        self,
        origin: str,
        number: int,
        address: Address,
        publications: Iterable[Publication] = (),
        note: str | None = None,
    ) -> None:
        """Append a version with its publications in one write; raises VersionTaken if it exists already."""
        item: dict[str, Any] = {
            "ip": str(address),
            "createdAt": time_text(now()),
            "rev": 0,
            "pubs": {str(each.record): _written(each) for each in publications},
        }
        if note is not None:
            item["note"] = note
        try:
            self._table.put(_partition(origin), _sort(number), item, token=uuid4().hex)
        except Changed as error:
            raise VersionTaken(f"version {number} of {origin} exists already") from error

    def save(self, publications: Iterable[tuple[Version, Publication]]) -> None:
        """Save each publication of its version over the existing one, one version after another.

        Raises HistoryError when another one has saved some since the version was read.
        """
        by_version: dict[VersionKey, list[Publication]] = {}
        for version, publication in publications:
            by_version.setdefault(cast(VersionKey, version.id), []).append(publication)
        at_once(self._save, by_version.items())

    def _save(self, saved: tuple[VersionKey, Sequence[Publication]]) -> None:
        key, publications = saved
        pubs = dict(self._read_of(key).pubs)
        for each in publications:
            text = str(each.record)
            kept = {name: value for name, value in pubs.get(text, {}).items() if name in _KEPT}
            pubs[text] = _written(each) | kept
        self._change(key, pubs)

    def close(self, origin: str, number: int) -> None:
        """Let nobody who has read a version before save its publications any more; raises Changed when one has."""
        key = VersionKey(origin, number)
        self._change(key, self._read_of(key).pubs)

    def _read_of(self, key: VersionKey) -> _Read:
        read = self._read[key.origin]
        if read.number != key.number:
            raise Changed(f"version {read.number} of {key.origin} was recorded meanwhile", then=NEXT_RUN)
        return read

    def _change(self, key: VersionKey, pubs: Mapping[str, Item]) -> None:
        rev = self._read_of(key).rev
        token = uuid4().hex
        update = Update(
            {"pubs": pubs, "rev": rev + 1, "saver": token},
            condition=_UNCHANGED,
            names=("rev", "saver"),
            values={"rev": rev, "saver": token},
        )
        try:
            self._table.update(_partition(key.origin), _sort(key.number), update)
        except Changed as error:
            raise Changed(
                f"version {key.number} of {key.origin} was changed meanwhile by another run", then=NEXT_RUN
            ) from error
        except TooLarge as error:
            raise HistoryError(
                f"version {key.number} of {key.origin} has more publications than the 400 KB of an item in"
                " DynamoDB hold",
                "divide DDNS_RECORDS among several origins",
            ) from error
        self._read[key.origin] = _Read(key.number, rev + 1, pubs)


def _partition(origin: str) -> str:
    return f"line#{origin}"


def _sort(number: int) -> str:
    return f"v#{number:08}"


def _journal(origin: str, item: Item, *, is_strict: bool = True) -> Journal:
    number = int(item["sk"].removeprefix("v#"))
    name = origin.rpartition("#")[0]
    key = VersionKey(origin, number)
    ip = item.get("ip", "")
    version = Version(key, name, number, ip, parse_address(ip), time_of(item["createdAt"]), item.get("note"))
    pubs: Mapping[str, Item] = item.get("pubs", {})
    publications = []
    for text in sorted(pubs):
        with nullcontext() if is_strict else suppress(HistoryError):
            publications.append(_publication(version, Record(*text.split(" ")), pubs[text]))
    return Journal(version, tuple(publications), now())


def _written(publication: Publication) -> dict[str, Any]:
    """Return a publication as an item has it: the columns that hold something."""
    values: dict[str, Any] = {}
    for column in COLUMNS:
        value = getattr(publication, column.field)
        if value is not None:
            values[column.name] = time_text(value) if column.is_time else column.write(value)
    return values


def _publication(version: Version, record: Record, item: Item) -> Publication:
    fields: dict[str, Any] = {}
    for column in COLUMNS:
        value = item.get(column.name)
        try:
            fields[column.field] = time_or_none(value) if column.is_time else column.read(value)
        except (ValueError, HistoryError) as error:
            raise _unreadable(version, record, f"{column.name} {value!r}") from error
    found = Publication(record, **fields)
    is_sent = found.state in (PublicationState.SUBMITTED, PublicationState.VERIFIED)
    if found.created_at is None or (is_sent and not (found.hosted_zone_id and found.address)):
        raise _unreadable(version, record, f"the state {found.state}, but not what was sent and when")
    return found


def _unreadable(version: Version, record: Record, holds: str) -> HistoryError:
    return HistoryError(
        f"the publication of {record} in version {version.version} of {version.name} has {holds}",
        "update ddns here if a newer one wrote that, else correct it in the table",
    )
