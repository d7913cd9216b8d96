"""The database: whether it answers, its schema is up to date, it has the origin, and its clock is right."""

import shlex
from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from datetime import datetime
from functools import partial
from types import MappingProxyType
from typing import NamedTuple

from ddns_updater.doctor.check import Check, Checker
from ddns_updater.errors import DdnsError, NotInitialised
from ddns_updater.model import Address, Claim, Family, Journal, Origin, PublicationState, Record
from ddns_updater.run.claims import claims_since
from ddns_updater.run.origins import choose_origins, misfit
from ddns_updater.run.ports import HistoryStore

_MAX_DRIFT = 5  # seconds between two clocks


class Known(NamedTuple):
    """The origin and latest version of each family that has one; `sent` are the records that DNS may have been sent.

    `claims` are those of all origins on the configured records, `sent` has each record with its zone.
    """

    origins: Mapping[Family, Origin] = MappingProxyType({})
    journals: Mapping[Family, Journal] = MappingProxyType({})
    sent: frozenset[tuple[Record, str]] = frozenset()
    claims: Sequence[Claim] = ()


def check_database(
    check: Checker,
    open_history: Callable[[], AbstractContextManager[HistoryStore]],
    families: Sequence[Family],
    records: Collection[Record],
    recheck_every: float,
    name: str | None,
    has_hosts: Callable[[], bool],
    now: Callable[[], datetime],
    monotonic: Callable[[], float],
) -> Generator[Check, None, Known]:
    """Check the database; return what it knows. `has_hosts` is whether it has hosts, which need no origin besides."""
    with ExitStack() as stack:
        try:
            history = check.attempt("database", lambda: stack.enter_context(open_history()))
            start = monotonic()
            theirs = check.attempt("database", history.now)
        except DdnsError as error:
            yield check.error("database", error)
            for each in ("schema", "origin"):
                yield check.skipped(each, "the database is unavailable")
            return Known()
        yield check.ok("database", f"{history.place} answers ({(monotonic() - start) * 1000:.0f} ms)")
        yield from _remarks(check, "connection", history.remarks())
        if history.has_own_clock:
            yield _clock(check, theirs, now())
        try:
            missing = check.attempt("schema", history.outdated)
        except DdnsError as error:
            yield check.error("schema", error)
            yield check.skipped("origin", "the schema cannot be read")
            return Known()
        yield from _schema(check, history, missing)
        yield from _table(check, history, name, families)
        try:
            origins = check.attempt("origin", partial(choose_origins, history, name, families))
            journals = check.attempt("origin", lambda: {each: history.latest(origins[each]) for each in origins})
            sent = check.attempt("origin", lambda: _sent(history, origins, journals))
            since = claims_since(next(iter(journals.values())).read_at, recheck_every)
            claims = check.attempt("origin", lambda: history.claims(records, since))
        except DdnsError as error:
            if missing:
                yield check.skipped("origin", "the schema is incomplete")
            elif isinstance(error, NotInitialised) and name is None and has_hosts():
                yield check.skipped("origin", "there are only hosts, which bring their own addresses")
            else:
                yield check.error("origin", error)
            return Known()
        yield from _versions(check, journals, families)
        return Known(origins, journals, sent, claims)


def _sent(
    history: HistoryStore, origins: Mapping[Family, Origin], journals: Mapping[Family, Journal]
) -> frozenset[tuple[Record, str]]:
    found = {each.sent for journal in journals.values() for each in journal.publications}
    versions = {origin: journals[family].version for family, origin in origins.items()}
    found.update(*history.sent_before(versions).values())
    return frozenset((each.record, each.zone_id) for each in found if each)


def _schema(check: Checker, history: HistoryStore, missing: Sequence[str]) -> Iterator[Check]:
    if missing:
        yield check.failed("schema", f"lacks {', '.join(missing)}", 'run "ddns init --name NAME"')
        return
    yield check.ok("schema", "up to date")
    try:
        check.attempt("grants", history.check_writing)
    except DdnsError as error:
        yield check.error("grants", error)


def _table(check: Checker, history: HistoryStore, name: str | None, families: Sequence[Family]) -> Iterator[Check]:
    """Report what keeps the table of versions from taking new ones, or else what is odd about it."""
    try:
        remarks = check.attempt("table", lambda: history.examine(name, families))
    except DdnsError as error:
        yield check.error("table", error)
        return
    yield from _remarks(check, "table", remarks)


def _remarks(check: Checker, name: str, remarks: Sequence[tuple[str, str | None]]) -> Iterator[Check]:
    for text, advice in remarks:
        yield check.warning(name, text, advice) if advice else check.note(name, text)


def compare_addresses(
    check: Checker, journals: Mapping[Family, Journal], addresses: Mapping[Family, Address]
) -> Iterator[Check]:
    """Report each family in which the line's address is not the latest version."""
    for family, address in addresses.items():
        if family in journals and journals[family].version.address != address:
            version = journals[family].version
            found = f"the line has {address} now, but version {version.version} is {version.ip}"
            yield check.note(f"{family} origin", found, "the next run records it; to do it now: ddns run")


def _clock(check: Checker, theirs: datetime, ours: datetime) -> Check:
    apart = round((theirs - ours).total_seconds())
    if abs(apart) <= _MAX_DRIFT:
        return check.ok("server time", "the database's clock and this machine's agree")
    found = f"the database's clock is {abs(apart)} s {'ahead of' if apart > 0 else 'behind'} this machine's"
    return check.warning("server time", f"{found}; versions are dated by it", "correct the wrong one with NTP")


def _versions(check: Checker, journals: Mapping[Family, Journal], families: Sequence[Family]) -> Iterator[Check]:
    for family, journal in journals.items():
        version = journal.version
        since = version.created_at.astimezone().strftime("%Y-%m-%d %H:%M:%S")
        if wrong := misfit(version, family):
            yield check.warning(f"{family} origin", wrong, "the next run records the right one; to do it now: ddns run")
        else:
            yield check.ok(f"{family} origin", f"{version.name}, version {version.version}: {version.ip} since {since}")
        for each in journal.publications:
            if each.state is PublicationState.FAILED and each.error and family in families:
                yield check.warning(f"last publication of {each.record}", each.error, '"ddns run" tries it now')
    name = next(journal.version.name for journal in journals.values())
    for family in families:
        if family not in journals:
            yield check.failed(
                f"{family} origin", f"{name} has none", f"create it with: ddns init --name {shlex.quote(name)}"
            )
