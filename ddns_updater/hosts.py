"""The terms of the update endpoint as immutable values: hosts, logins, and what a request asks for and gets.

A host is a name that its own machine keeps up to date by requests. In the history it is an origin for each address
family, like a line.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from ipaddress import IPv6Address
from typing import NamedTuple

from ddns_updater.model import Address, Family, Journal, Record, SeenFree


class Host(NamedTuple):
    """A host as the database has it; times are aware UTC times by the database's clock.

    `id` is its key, which only the store that gave it can read. `name` is lower-case ASCII without the final dot.
    `takes_aws` is whether it may use AWS's protocol, `takes_query` whether its secret may stand in the query of a URL,
    `is_apex` whether its name may be that of a hosted zone itself. `suffix` is the interface identifier that makes an
    IPv6 address of a delegated prefix, None without one. `slowed_at` is since when it changes too often. `held` are the
    addresses of its latest versions that DNS does not refuse, where they were read with its login; else there are none.
    """

    id: Hashable
    name: str
    login: str
    created_at: datetime
    takes_aws: bool = False
    takes_query: bool = False
    is_apex: bool = False
    suffix: IPv6Address | None = None
    blocked_at: datetime | None = None
    slowed_at: datetime | None = None
    held: frozenset[Address] = frozenset()


class Login(NamedTuple):
    """A login with its hosts.

    `digests` are the SHA-256 digests of its valid secrets in hexadecimal: one, or two while the secret is rotated, the
    newest first. `shared_secrets` are the secrets themselves in the same order, which AWS's protocol needs; empty
    unless a host of it was added for that.
    """

    login: str
    digests: tuple[str, ...]
    shared_secrets: tuple[str, ...]
    hosts: tuple[Host, ...]

    def __repr__(self) -> str:
        return f"<login {self.login} of {len(self.hosts)} hosts>"  # without its secrets


def digest(secret: str) -> str:
    """Return the SHA-256 digest of a secret in hexadecimal.

    A secret is made by us and has 160 bits, so that this is safe at rest: there is nothing to guess, and a slow hash
    would let anybody keep the server busy.
    """
    return sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


class Verdict(StrEnum):
    """What became of a request for one host; the values are the return codes of dyndns2."""

    GOOD = "good"  # an address is recorded as a new version, and due to be published
    NOCHG = "nochg"  # each address is that of the latest version already
    LATER = "911"  # not now: the host changes too often, DNS refuses its record, or the database does not answer
    BLOCKED = "abuse"  # the operator has blocked the host


class Result(NamedTuple):
    """The answer for one host; `addresses` are those of the request, `retry_after` seconds for LATER."""

    verdict: Verdict
    addresses: tuple[Address, ...] = ()
    retry_after: int = 0


class LastRequest(NamedTuple):
    """The last request that was made for a host with its secret: when, by which client, from where, and the answer.

    `client` is the User-Agent, cut to 200 characters: hostile text. `caller` is the address that it came from.
    """

    at: datetime
    client: str
    caller: str
    verdict: Verdict


class HostEntry(NamedTuple):
    """A host with all that is known of it: its current versions by family, and its last request."""

    host: Host
    journals: Mapping[Family, Journal]
    last_request: LastRequest | None = None


class Overview(NamedTuple):
    """How many hosts there are, and how their records stand; `read_at` is the database's time.

    `records` are those that have a version, `due` of them are not yet seen to hold it, and `refused` of these cannot be
    published. `waiting_since` is since when the oldest of the others is due, None without one.
    """

    hosts: int
    blocked: int
    slowed: int
    records: int
    due: int
    refused: int
    waiting_since: datetime | None
    read_at: datetime

    @property
    def waiting(self) -> int:
        """Return how many records are due and may yet be published."""
        return self.due - self.refused


class Held(NamedTuple):
    """An address that a host had, as the text in the row of its version, and since when."""

    version: int
    ip: str
    since: datetime


class Decision(NamedTuple):
    """What to do with an address of a request: GOOD records it as the next version.

    `retry_after` is in seconds, for LATER. `is_slowed` is whether the host changes too often.
    """

    verdict: Verdict
    retry_after: int = 0
    is_slowed: bool = False


# For a host that was removed since its request came, and for one that could not be written.
NOT_NOW = Decision(Verdict.LATER, 60)
_WORST = (Verdict.BLOCKED, Verdict.LATER, Verdict.GOOD, Verdict.NOCHG)


def result_of(decisions: Sequence[Decision], addresses: tuple[Address, ...]) -> Result:
    """Return the answer for a host from what was decided of its records: the worst."""
    verdicts = [each.verdict for each in decisions]
    verdict = next(each for each in _WORST if each in verdicts)
    return Result(verdict, addresses, max(each.retry_after for each in decisions))


# Decides by the host, the address, the latest version (None without one), and a function that returns when the version
# with a number was recorded, None when there is none.
Judge = Callable[[Host, Address, Journal | None, Callable[[int], datetime | None]], Decision]


class HostRecord(NamedTuple):
    """A record set of a host that the publisher has to look at, with its journal.

    `due_since` is since when it is not seen to hold the latest version, None when it was. `sent_at` is when a change of
    it was last sent, for whichever version. `free` is None when it was never seen to be free. `mark` is what the store
    that gave it knows its due mark by, where that needs more than the version.
    """

    host: Host
    family: Family
    origin_id: Hashable
    journal: Journal
    due_since: datetime | None
    sent_at: datetime | None = None
    free: SeenFree | None = None
    mark: Hashable = None

    @property
    def record(self) -> Record:
        """Return its record set."""
        return Record(self.host.name, self.family.record_type)


class Looked(NamedTuple):
    """What the publisher found of a record set, and when to look at it next; None is never, until it changes.

    `is_done` is whether it holds the version of its journal; `sent_at` is when a change was sent, None if none was.
    """

    at: HostRecord
    is_done: bool
    look_at: datetime | None
    free: SeenFree | None = None
    sent_at: datetime | None = None


class Failing(NamedTuple):
    """A record set of a host that cannot be published: why, and since when it is due."""

    record: Record
    error: str
    since: datetime


class NewHost(NamedTuple):
    """A host to add, with the secret that its login gets; None joins a login that exists.

    The secret itself is kept only when `takes_aws`, else its digest alone.
    """

    name: str
    login: str
    secret: str | None
    takes_aws: bool = False
    takes_query: bool = False
    is_apex: bool = False
    suffix: IPv6Address | None = None

    def __repr__(self) -> str:
        return f"<new host {self.name} of login {self.login}>"  # without its secret


class Sweep(NamedTuple):
    """How the hosts are, looked at once a minute.

    `error` is why that could not be told, such as a database that does not answer. `failing` is how many of their
    records cannot be published, `examples` are the first of them. `slowed` are the hosts that change too often.
    """

    error: str | None = None
    hosts: int = 0
    failing: int = 0
    examples: tuple[Failing, ...] = ()
    slowed: tuple[Host, ...] = ()
