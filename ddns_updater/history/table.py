"""The shared table as somebody else may have made it, and what keeps it from taking new versions."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from ddns_updater.errors import HistoryError
from ddns_updater.history.queries import VERSION_COLUMNS
from ddns_updater.model import Family

OURS = ("id", "createdAt", "updatedAt", *VERSION_COLUMNS)


class Column(NamedTuple):
    """A column; `type` as it was declared, `width` in characters, `default` as SQL, None when it is NULL."""

    name: str
    type: str
    default: str | None
    is_nullable: bool
    is_generated: bool
    extra: str = ""
    width: int | None = None
    collation: str | None = None
    comment: str = ""

    @property
    def kind(self) -> str:
        """Return its type without what follows the name, in lower case."""
        found = re.match(r"\w+", self.type)
        return found[0].lower() if found else ""

    @property
    def is_clock(self) -> bool:
        """Return whether its default is a function, such as the time."""
        default = (self.default or "").lower()
        return "(" in default or default.startswith("current_")

    @property
    def needs_value(self) -> bool:
        """Return whether an INSERT has to have a value for it."""
        return not (self.is_nullable or self.is_generated or self.default is not None)


Columns = Mapping[str, Column]  # by their names in lower case
Index = Sequence[str]  # its columns in lower case, "" for an expression


class Obstacle(NamedTuple):
    """What keeps versions from being added to the shared table, and how to remove it.

    `clauses` are those of an ALTER TABLE; `then` is a statement to execute after it, or alone. Whether one that is not
    `is_certain` is an obstacle, an INSERT shows: a trigger may be there that this account cannot see.
    """

    problem: str
    clauses: tuple[str, ...] = ()
    then: str | None = None
    advice: str | None = None
    is_certain: bool = True


class Remark(NamedTuple):
    """What is worth knowing about the shared table; `advice` is None when there is nothing to do."""

    text: str
    advice: str | None = None


class Judgement(NamedTuple):
    """What was found out about the shared table without writing to it.

    `constraints` may refuse a version or alter it, each with the statement that removes it. `can_roll_back` says
    whether an INSERT can be undone with all that it sets off, `is_numbered` whether the table numbers its rows itself.
    """

    obstacles: Sequence[Obstacle]
    remarks: Sequence[Remark]
    constraints: Mapping[str, str]
    can_roll_back: bool
    is_numbered: bool


def refusal(obstacles: Sequence[Obstacle]) -> HistoryError:
    """Return the error that names every obstacle, and one line of statements that removes them."""
    clauses = dict.fromkeys(clause for each in obstacles for clause in each.clauses)
    statements = [f"ALTER TABLE admin_ip_history {', '.join(clauses)}"] if clauses else []
    statements += dict.fromkeys(each.then for each in obstacles if each.then)
    advice = [f"execute {'; '.join(statements)}"] if statements else []
    advice += dict.fromkeys(each.advice for each in obstacles if each.advice)
    return HistoryError(
        f"table admin_ip_history cannot take new versions: {', '.join(each.problem for each in obstacles)}",
        "; ".join(advice),
        then="nothing was changed",
    )


def by_name(columns: Sequence[Column]) -> Columns:
    """Return columns by their names in lower case."""
    return {each.name.lower(): each for each in columns}


def is_complete(columns: Columns) -> bool:
    """Return whether every column is there that the program uses; `upgrade` refuses a table that lacks one."""
    return all(each.lower() in columns for each in OURS)


def further(columns: Columns) -> Iterator[Column]:
    """Yield the columns that are none of ours."""
    return (column for name, column in columns.items() if name not in {each.lower() for each in OURS})


def generated(columns: Columns) -> Iterator[Obstacle]:
    """Yield an obstacle for each column that the program writes and the database computes."""
    for each in ("id", *VERSION_COLUMNS):
        if columns[each.lower()].is_generated:
            yield Obstacle(f"column {each} is generated", advice=f"make {each} a plain column")


def repeats(index: Index, columns: Columns, families: Sequence[Family]) -> bool:
    """Return whether a unique index would refuse a version of an origin because of its earlier ones.

    Versions differ in id, in version and in their times; so do those of the two families of a name, except in version.
    NULL is never the same as NULL.
    """
    names = set(index)
    if names & {"id", "createdat", "updatedat", ""} or names >= {"version", "originid"}:
        return False
    if names >= {"version", "name"} and len(families) == 1:
        return False
    ours = {each.lower() for each in VERSION_COLUMNS}
    others = [columns[each] for each in names if each in columns and each not in ours]
    return not any(each.default is None or each.is_clock for each in others)
