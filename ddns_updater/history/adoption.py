"""Whether the shared table takes new versions: what can be read, and what only an INSERT shows."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from ipaddress import ip_address

from ddns_updater.errors import HistoryError
from ddns_updater.history import mysql_obstacles, queries, sqlite_table
from ddns_updater.history.sql import SqlHistory
from ddns_updater.history.table import Remark, refusal
from ddns_updater.model import Family, Origin

_JUDGES = {"mysql": mysql_obstacles.judge, "sqlite": sqlite_table.judge}
_SAMPLES = {
    Family.IPV4: ip_address("198.51.100.254"),
    Family.IPV6: ip_address("2001:db8:1111:2222:3333:4444:5555:6666"),
}
_NUMBERS = "SELECT MIN(id), MAX(id), MAX(originId) FROM admin_ip_history"


class _RolledBack(Exception):
    """Ends a transaction without keeping what it did."""


def examine(history: SqlHistory, name: str | None, families: Sequence[Family]) -> Sequence[Remark]:
    """Return what is worth knowing about the shared table; writes nothing.

    Raises HistoryError when versions of `families` cannot be added to it.
    """
    with history.errors():
        found = _JUDGES[history.engine](history, name, families)
    if found and found.obstacles:
        raise refusal(found.obstacles)
    return found.remarks if found else ()


def rehearse(history: SqlHistory, name: str, families: Sequence[Family]) -> None:
    """Raise HistoryError when versions of `name` cannot be added to the shared table, if there is one.

    What cannot be read off the table is found by adding a version and rolling it back, where that is possible.
    """
    with history.errors():
        found = _JUDGES[history.engine](history, name, families)
    if found is None:
        return
    if any(each.is_certain for each in found.obstacles) or (found.obstacles and not found.can_roll_back):
        raise refusal(found.obstacles)
    if not found.can_roll_back:
        return
    try:
        with history.errors(), _zero_as_a_number(history):
            _add(history, name, families, is_numbered=found.is_numbered)
    except HistoryError as error:
        if error.then:  # no matter of the table
            raise
        raise (refusal(found.obstacles) if found.obstacles else _refused(error, found.constraints)) from error


def _add(history: SqlHistory, name: str, families: Sequence[Family], *, is_numbered: bool) -> None:
    """Add and roll back a version of each origin called `name`, and a first one when a family has none.

    They take the id 0 when it is free: one above the others would move the table's next id, which no rollback undoes.
    Where something refuses it, another id may do.
    """
    lowest, *highest = history.execute(_NUMBERS).fetchone()
    number = max(each or 0 for each in highest) + 1
    keys = [0, number] if lowest is None or lowest > 0 else [number]
    origins = history.origins(name)
    for each in origins:
        origin = each.of(each.family or families[0])
        last = history.execute(queries.VERSIONS, (origin.id,)).fetchone()[1]
        try:
            _try(history, origin, (last or 0) + 1, keys if is_numbered else [None])
        except HistoryError:
            if history.execute(queries.VERSIONS, (origin.id,)).fetchone()[1] == last:  # else a run was faster
                raise
    if len(origins) < len(families):
        _try(history, Origin(number, name, families[-1]), 1, keys if is_numbered else [None])


def _try(history: SqlHistory, origin: Origin, version: int, keys: Sequence[int | None]) -> None:
    for key in keys:
        try:
            with suppress(_RolledBack), history.errors(), history.transaction():
                history.insert(origin, version, _SAMPLES[origin.family], key=key)
                raise _RolledBack
        except HistoryError as error:
            if key == keys[-1] or error.__cause__ is None:  # it was added and altered: another id changes nothing
                raise
        else:
            return


@contextmanager
def _zero_as_a_number(history: SqlHistory) -> Iterator[None]:
    """Let 0 be an id for MySQL, where it otherwise stands for the next one."""
    if history.engine != "mysql":
        yield
        return
    mode = history.execute("SELECT @@SESSION.sql_mode").fetchone()[0]
    history.execute("SET SESSION sql_mode = CONCAT_WS(',', NULLIF(?, ''), 'NO_AUTO_VALUE_ON_ZERO')", (mode,))
    yield
    history.execute("SET SESSION sql_mode = ?", (mode,))


def _refused(error: HistoryError, constraints: Mapping[str, str]) -> HistoryError:
    """Return the error that a version was refused or altered, with what may do that."""
    is_refused = error.__cause__ is not None
    if is_refused and error.advice:  # the database says what to do, such as granting a right
        return error
    named = {what: how for what, how in constraints.items() if what.rpartition(" ")[2] in error.problem} or constraints
    causes = ", ".join(f"{what} ({how})" for what, how in named.items())
    advice = f"correct or remove what does it: {causes}" if causes else error.advice or "correct what does it"
    problem = f"table admin_ip_history refuses a new version: {error.problem}" if is_refused else error.problem
    return HistoryError(problem, advice, then="nothing was changed")
