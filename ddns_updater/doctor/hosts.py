"""The hosts of the update endpoint: what `ddns serve` needs to publish them, and which it cannot publish."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from typing import Protocol

from ddns_updater.doctor.check import Check, Checker
from ddns_updater.errors import DdnsError, DnsError
from ddns_updater.hosts import Failing, Overview
from ddns_updater.lib.humanize import counted, duration, listed
from ddns_updater.model import Family, Record
from ddns_updater.run.ports import Dns

_MAX_FAILING = 10  # records that are named
_MAX_ASKED = 50  # hosts whose zone is looked for: each may cost a call
_MAX_NAMED = 3  # hosts that a list names before it says "and 5 more"


class Hosts(Protocol):
    """What the doctor needs of the hosts; its methods raise HistoryError."""

    def overview(self) -> Overview | None:
        """Return how all hosts stand; None when their tables are missing, or the account may not read them."""

    def names(self) -> Sequence[str]:
        """Return the names of all hosts, sorted."""

    def failing(self, limit: int) -> tuple[int, Sequence[Failing]]:
        """Return how many records are due and have an error, and at most `limit` of them, the oldest first."""

    def check_writing(self) -> None:
        """Raise HistoryError when the database refuses what the server writes."""


def has_hosts(open_hosts: Callable[[], AbstractContextManager[Hosts]]) -> bool:
    """Return whether there are hosts, as far as the database tells."""
    try:
        with open_hosts() as hosts:
            found = hosts.overview()
    except DdnsError:
        return False
    return found is not None and found.hosts > 0


def check_hosts(
    check: Checker,
    open_hosts: Callable[[], AbstractContextManager[Hosts]],
    open_dns: Callable[[], Dns],
    missing_extra: Callable[[], str | None],
    aws_seconds: float,
) -> Iterator[Check]:
    """Check the hosts; yields nothing where there are none, or where the database does not tell.

    `missing_extra` returns how to install what `ddns serve` needs, None when it is installed. AWS has `aws_seconds` for
    an answer, the database those of the group.
    """
    with ExitStack() as stack:
        try:
            hosts = check.attempt("hosts", lambda: stack.enter_context(open_hosts()))
        except DdnsError:  # the checks of the database have told it
            return
        try:
            found = check.attempt("hosts", hosts.overview)
            if not (found and found.hosts):
                return
            names = check.attempt("hosts", hosts.names)
            number, failing = check.attempt("hosts", partial(hosts.failing, _MAX_FAILING))
        except DdnsError as error:
            yield check.error("hosts", error)
            return
        yield _summary(check, found)
        if advice := missing_extra():
            yield check.note("ddns serve", "the extra serve is not installed here", advice)
        try:
            check.attempt("grants", hosts.check_writing)
        except DdnsError as error:
            yield check.error("grants", error)
        yield from _zones(check, open_dns, names, aws_seconds)
        for each in failing:
            yield check.failed(str(each.record), f"cannot be published: {each.error}", _advice(each.record))
        if number > len(failing):
            yield check.note("more hosts", f"{number - len(failing)} more records cannot be published")


def _advice(record: Record) -> str:
    return f"fix that in Route 53, or run: ddns host remove {record.name}"


def _summary(check: Checker, found: Overview) -> Check:
    parts = [f"{counted(found.hosts, 'host')}, {found.records - found.due} of {found.records} records verified"]
    parts += [f"{found.blocked} blocked"] if found.blocked else []
    parts += [f"{found.slowed} slowed down"] if found.slowed else []
    if found.waiting_since:
        age = duration(found.read_at - found.waiting_since)
        parts.append(f"{found.waiting} due, the oldest for {age}")
    return check.ok("hosts", ", ".join(parts))


def _zones(check: Checker, open_dns: Callable[[], Dns], names: Sequence[str], seconds: float) -> Iterator[Check]:
    """Check that each host has a hosted zone; of many, of an even sample."""
    step = -(-len(names) // _MAX_ASKED)
    sample = names[::step]
    records = {Record(name, Family.IPV4.record_type): None for name in sample}
    try:
        dns = check.attempt("hosted zones", open_dns, seconds=seconds)
        zones: Mapping[Record, str | DnsError] = check.attempt(
            "hosted zones", partial(dns.zones_for, records), seconds=seconds
        )
    except DdnsError as error:
        yield check.error("hosted zones", error)
        return
    without: dict[str, list[str]] = {}
    for record, zone in zones.items():
        if isinstance(zone, DnsError):
            without.setdefault(zone.problem.replace(record.name, "…"), []).append(record.name)
    for problem, of_names in without.items():
        named = listed(of_names, _MAX_NAMED)
        yield check.failed(
            "hosted zones", f"{named}: {problem.replace('…', 'it')}", "create the zone, or remove the host"
        )
    if not without:
        ids = sorted({zone for zone in zones.values() if isinstance(zone, str)})
        of_many = f"a sample of {len(sample)} of " if step > 1 else ""
        yield check.ok("hosted zones", f"{of_many}{counted(len(names), 'host')} in {listed(ids, _MAX_NAMED)}")
