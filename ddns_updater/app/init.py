"""What `ddns init` does."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import NamedTuple

from ddns_updater.app import factories
from ddns_updater.app.database import answer_limit, database_limit
from ddns_updater.errors import (
    HistoryError,
    NotInitialised,
    OriginError,
    SourceError,
)
from ddns_updater.lib.deadline import Deadline, time_limit
from ddns_updater.model import (
    Address,
    Family,
    Version,
)
from ddns_updater.run import timetable
from ddns_updater.run.detection import Detection
from ddns_updater.run.origins import by_family, refuse_host
from ddns_updater.run.ports import HistoryStore
from ddns_updater.settings.settings import Settings

Starts = Callable[[str], None]  # takes the name of what may take a while

_ANY_NAME = "host.example.com"  # to try whether the shared table takes new versions; nothing is kept of it
_MADE_ELSEWHERE = "make it where the rest was made, or leave out --no-create"
_IS_BUILDING = "it may still be building an index; when that is done, run init again: it goes on from there"


class Seeded(NamedTuple):
    """An origin that `init` found or created, with its latest version."""

    version: Version
    created: bool


class InitResult(NamedTuple):
    """The result of `init`: how many migrations were applied, and the origin of each address family."""

    migrations: int
    seeded: tuple[Seeded, ...]
    warnings: tuple[str, ...] = ()


def initialise(
    settings: Settings,
    *,
    name: str | None,
    addresses: Mapping[Family, Address],
    note: str | None = None,
    creates: bool = True,
    starts: Starts = lambda _name: None,
) -> InitResult:
    """Create or upgrade the schema and seed the origin in each configured family; existing origins stay unchanged.

    Without `creates` a schema that is missing or old raises HistoryError.
    `addresses` are those given by the operator. The address of any other family is detected before anything is written.
    `starts` is told what is awaited. To build an index takes as long as the table is big; no other wait lasts.
    """
    wanted = name or settings.name
    if wanted is None:
        raise OriginError("the origin has no name", "give one with --name or DDNS_NAME")
    families = tuple(dict.fromkeys([*settings.ip_families, *addresses]))
    starts(f"the database at {settings.database.place}")
    try:
        with answer_limit(settings), factories.open_history(settings) as history:
            if not creates:
                _check_schema(history)
            refuse_host(history, wanted)
            existing = by_family(history, history.origins(wanted), families)
    except NotInitialised as error:
        if not creates:
            raise HistoryError(error.problem, _MADE_ELSEWHERE) from error
        existing = {}
    found = dict(addresses)
    warnings: list[str] = []
    for family in families:
        if family not in existing and family not in found:
            starts(f"the {family} address")
            found[family], warning = _detected(settings, family)
            warnings += [warning] if warning else []
    with _building(settings, starts, creates=creates) as history:
        history.rehearse(wanted, families)
        migrations = history.upgrade() if creates else 0
        existing = by_family(history, history.origins(wanted), families)
        seeded = []
        for family in families:
            created = family not in existing
            origin = history.seed(wanted, family, found[family], note) if created else existing[family]
            seeded.append(Seeded(history.latest(origin).version, created))
    return InitResult(migrations, tuple(seeded), tuple(warnings))


def create_tables(settings: Settings, *, starts: Starts = lambda _name: None) -> InitResult:
    """Create or upgrade the schema alone, as for a server whose hosts bring their own addresses."""
    with _building(settings, starts) as history:
        history.rehearse(_ANY_NAME, settings.ip_families)
        return InitResult(history.upgrade(), ())


def _check_schema(history: HistoryStore) -> None:
    if missing := history.outdated():
        raise HistoryError(f"the database at {history.place} lacks {', '.join(missing)}", _MADE_ELSEWHERE)


@contextmanager
def _building(settings: Settings, starts: Starts, *, creates: bool = True) -> Iterator[HistoryStore]:
    """Open the database to build its tables, under the lock of `init`."""
    starts(f"the tables in the database at {settings.database.place}")
    building = timetable.building_seconds(settings.run_timeout)
    with database_limit(settings, building, _IS_BUILDING), ExitStack() as stack:
        with answer_limit(settings):
            history = stack.enter_context(factories.open_history(settings, for_init=creates))
            locked = stack.enter_context(history.lock_init())
        if not locked:
            raise HistoryError("another ddns init is running on this database", "wait until it ends")
        yield history


def _detected(settings: Settings, family: Family) -> tuple[Address, str | None]:
    advice = "give the address with --ip"
    deadline = Deadline(timetable.detection_seconds(settings.run_timeout, families=1))
    detection = Detection(factories.sources(settings), family, deadline, time_limit, advice)
    try:
        first = detection.first()
    except SourceError as error:
        raise SourceError(error.problem, advice) from error
    found, warning = detection.confirm(first, settings.ip_agreement)
    return found.address, warning
