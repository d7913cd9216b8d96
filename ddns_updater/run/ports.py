"""The ports of the run: what it needs of the outside, as Protocols; adapters implement them, tests fake them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from ddns_updater.errors import DnsError
from ddns_updater.model import (
    Address,
    Change,
    Family,
    Journal,
    Origin,
    Publication,
    Record,
    RecordSet,
    Submission,
    Version,
)


class History(Protocol):
    """Where versions and publications are kept; its methods raise HistoryError."""

    def lock(self, key: str) -> AbstractContextManager[bool]:
        """Take a lock without waiting; False when another run holds it."""

    def origins(self, name: str | None = None) -> tuple[Origin, ...]:
        """Return the origins called `name`, or every origin."""

    def latest(self, origin: Origin) -> Journal:
        """Return the latest version of `origin` and its publications."""

    def append(self, origin: Origin, previous: Version, ip: str) -> Journal:
        """Append the version after `previous`; VersionTaken when it exists already."""

    def save(self, version: Version, publications: Iterable[Publication]) -> None:
        """Write the publications of `version` over what is there."""


class Dns(Protocol):
    """Where records are published; its methods raise DnsError."""

    def zones_for(self, records: Mapping[Record, str | None]) -> Mapping[Record, str | DnsError]:
        """Return the hosted zone that each record belongs to, or why it has none; a record may be pinned to one."""

    def read(self, zone_id: str, records: Sequence[Record]) -> Mapping[Record, RecordSet | None]:
        """Return what stands at each of `records`."""

    def upsert(self, zone_id: str, changes: Sequence[Change]) -> Iterator[Submission]:
        """Send `changes` and yield the answers as they come; those not sent are in none."""

    def name_servers(self, zone_id: str) -> Sequence[str]:
        """Return the authoritative name servers of a zone."""

    def in_sync(self, change_id: str) -> bool | None:
        """Return whether every name server has the change; None when the change is unknown."""


class Authority(Protocol):
    """Whoever can ask authoritative name servers."""

    def answers(self, record: Record, address: str, servers: Sequence[str], seconds: float) -> str | None:
        """Return None when each of `servers` answers with just this address, else which does not, and what it does.

        Raises TimeoutError when `seconds` were over before all were asked and none of those asked was wrong.
        """


class AddressSource(Protocol):
    """Something that knows the public address.

    `name` is how it is called in messages, without secrets; `host` is who answers: two sources of one host are one
    witness.
    """

    name: str
    host: str

    def fetch(self, family: Family) -> Address:
        """Return the public address; raises SourceError when it cannot be trusted."""
