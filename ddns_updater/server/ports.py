"""The ports of the update endpoint: what it needs from outside, as Protocols; history/ implements them."""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Protocol

from ddns_updater.hosts import (
    Failing,
    Held,
    Host,
    HostEntry,
    HostRecord,
    LastRequest,
    Login,
    Looked,
    NewHost,
    Overview,
    Result,
)
from ddns_updater.model import Address, Family
from ddns_updater.run.ports import History
from ddns_updater.server.request import Caller


class Requests(Protocol):
    """What a request needs of the hosts; its methods raise HistoryError."""

    def login(self, login: str) -> Login | None:
        """Return the login with its hosts, None when there is none; `login` is lower-case."""

    def login_of(self, name: str) -> Login | None:
        """Return the login of the host called `name` with that host alone, None when there is no such host."""

    def update(self, updates: Sequence[tuple[Host, Mapping[Family, Address]]]) -> Sequence[Result]:
        """Record the addresses of hosts and return the result of each.

        An address that is not that of the latest version becomes the next version, with a publication that is pending
        and due. Once this returns, a kill loses nothing of it. No host is in `updates` twice. They are recorded in one
        transaction where the engine has any; else one after another, and one that fails alone is answered LATER.
        """


class Publications(Protocol):
    """What the publisher needs of the hosts; its methods raise HistoryError."""

    @property
    def history(self) -> History:
        """Return their versions and publications, on the same connection."""

    def lock_publisher(self) -> AbstractContextManager[bool]:
        """Take the lock of the publisher without waiting; False when another server holds it."""

    def due(self, limit: int) -> Sequence[HostRecord]:
        """Return at most `limit` records to look at by now: those first that are due, and of these the oldest.

        One whose versions were deleted is not looked at until it has another.
        """

    def next_look(self) -> datetime | None:
        """Return when the next record has to be looked at; None when none ever has."""

    def count_due(self) -> tuple[int, datetime | None]:
        """Return how many records are not yet seen to hold the latest version, and since when the oldest is."""

    def now(self) -> datetime:
        """Return the time by the database's clock, in whole seconds."""

    def failing(self, limit: int) -> tuple[int, Sequence[Failing]]:
        """Return how many records are due and have an error, and at most `limit` of them, the oldest first."""

    def looked(self, found: Sequence[Looked]) -> None:
        """Save what was found; a version that was recorded meanwhile stays due."""


class HostStore(Requests, Publications, Protocol):
    """All that is kept of hosts: what the commands of the operator need as well."""

    def logins(self, wanted: Sequence[str]) -> Mapping[str, Login]:
        """Return those of the logins that exist, each with its hosts; they are lower-case."""

    def note_requests(self, requests: Mapping[Hashable, LastRequest]) -> None:
        """Note the last request of each host, by its key."""

    def answers(self) -> bool:
        """Return whether the connection to the database works and may be kept."""

    def names(self) -> Sequence[str]:
        """Return the names of all hosts, sorted."""

    def count(self) -> int:
        """Return how many hosts there are."""

    def entries(self, *, after: str = "", limit: int = 1000) -> Sequence[HostEntry]:
        """Return at most `limit` hosts with their state, by name, from the first that sorts after `after`."""

    def entry(self, name: str) -> HostEntry | None:
        """Return the host called `name` with its state, None when there is none."""

    def due_entries(self, limit: int) -> Sequence[HostEntry]:
        """Return at most `limit` hosts with a record that is due, with their state: those that wait longest first."""

    def recent_addresses(
        self, host_ids: Sequence[Hashable], since: datetime, most: int
    ) -> Mapping[tuple[Hashable, Family], Sequence[Held]]:
        """Return the addresses of hosts since a time, by the key of the host and the family, the newest first.

        The last of them is the one that was current then, where there was one and it is among the last `most` versions
        of the record; earlier ones are left out.
        """

    def overview(self) -> Overview | None:
        """Return how all hosts stand; None when their tables are missing, or the account may not read them."""

    def check_writing(self) -> None:
        """Raise HistoryError when the database refuses what the server writes; nothing is written."""

    def add(self, new: NewHost) -> Host:
        """Add a host; raises HostError when its name is taken, or its login does not exist or exists already.

        One that was removed continues its history.
        """

    def rotate(self, host: Host, secret: str) -> None:
        """Make `secret` the newest of its login; the one before stays valid, older ones do not."""

    def end_rotation(self, host: Host) -> bool:
        """End the secret before the newest of its login; False when there is one alone."""

    def block(self, host: Host, *, blocked: bool) -> None:
        """Block a host, or unblock it."""

    def remove(self, host: Host) -> None:
        """Remove a host and, with the last of its hosts, its login; the history of its addresses stays."""

    def slowed(self) -> Iterator[Host]:
        """Yield the hosts that are slowed down because they change too often."""


class LoginLimits(Protocol):
    """What counts failed logins by the address that they came from."""

    def is_limited(self, caller: Caller, login: str | None) -> bool:
        """Return whether too many logins have failed from there; `login` is lower-case, None without one."""

    def failed(self, caller: Caller, login: str | None) -> None:
        """Count a failed login; None is one that can be no login at all."""
