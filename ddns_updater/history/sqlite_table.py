"""The shared table in an SQLite file, and what keeps it from taking new versions."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from ddns_updater.history.sql import SqlHistory
from ddns_updater.history.table import (
    Column,
    Columns,
    Index,
    Judgement,
    Obstacle,
    Remark,
    by_name,
    further,
    generated,
    is_complete,
    refusal,
    repeats,
)
from ddns_updater.model import Family

_TABLE = "SELECT type, sql FROM sqlite_master WHERE type IN ('table', 'view') AND lower(name) = 'admin_ip_history'"
_COLUMNS = "SELECT name, type, \"notnull\", dflt_value, hidden, pk FROM pragma_table_xinfo('admin_ip_history')"
_INDEXES = """
SELECT l.name, l.origin, lower(COALESCE(i.name, '')) FROM pragma_index_list('admin_ip_history') l
JOIN pragma_index_info(l.name) i WHERE l."unique" ORDER BY l.name, i.seqno
"""
# 0005 of the migrations adds one of ours, which an INSERT does not set off.
_TRIGGERS = """
SELECT name FROM sqlite_master WHERE type = 'trigger' AND lower(tbl_name) = 'admin_ip_history'
AND name <> 'admin_ip_history_updated' ORDER BY name
"""
_WRONG_NUMBER = "SELECT 1 FROM admin_ip_history WHERE typeof({}) NOT IN ('integer', 'null') LIMIT 1"

# SQLite changes the key or the type of a column only by making the table anew.
_REBUILT = """
DROP INDEX IF EXISTS admin_ip_history_origin_version;
DROP INDEX IF EXISTS admin_ip_history_name_origin_version;
ALTER TABLE admin_ip_history RENAME TO admin_ip_history_old;
CREATE TABLE admin_ip_history (id integer PRIMARY KEY AUTOINCREMENT,
createdAt datetime NOT NULL DEFAULT CURRENT_TIMESTAMP, updatedAt datetime NOT NULL DEFAULT CURRENT_TIMESTAMP,
ip varchar(255) NOT NULL, name varchar(255) NOT NULL, version int NOT NULL DEFAULT 1,
originId bigint NOT NULL DEFAULT 0, note text);
WITH numbered AS (SELECT *,
CASE typeof(id) WHEN 'text' THEN ROW_NUMBER() OVER (ORDER BY createdAt) ELSE id END AS number
FROM admin_ip_history_old)
INSERT INTO admin_ip_history SELECT number, createdAt, updatedAt, ip, name, version,
CASE WHEN originId GLOB '*[^0-9]*' THEN MIN(number) OVER (PARTITION BY originId) ELSE CAST(originId AS INTEGER) END,
note FROM numbered;
CREATE UNIQUE INDEX admin_ip_history_origin_version ON admin_ip_history (originId, version);
CREATE INDEX admin_ip_history_name_origin_version ON admin_ip_history (name, originId, version)
"""
_REBUILD = " ".join(_REBUILT.split())


class _Table(NamedTuple):
    """The shared table; `key` are the columns of its primary key, `constraints` the unique indexes of CREATE TABLE."""

    sql: str
    columns: Columns
    key: Sequence[str]
    unique: Mapping[str, Index]
    constraints: frozenset[str]
    triggers: Sequence[str]
    not_numbers: Sequence[str]  # those of version and originId that hold something else


def judge(history: SqlHistory, name: str | None, families: Sequence[Family]) -> Judgement | None:  # noqa: ARG001
    """Return what is known of the shared table, None when it is missing or lacks a column; writes nothing.

    Raises HistoryError when something else has its name. SQLite keeps every text whole, so `name` is not looked at.
    """
    found = history.execute(_TABLE).fetchone()
    if found and found[0] == "view":
        advice = "make a table of that name, with the rows of the view, and the view under another name"
        raise refusal([Obstacle("it is a view", advice=advice)])
    if found and found[1].upper().startswith("CREATE VIRTUAL"):
        raise refusal([Obstacle("it is a virtual table", then=_REBUILD)])
    table = _read(history, found[1]) if found else None
    if table is None:
        return None
    triggers = {f"trigger {each}": f"DROP TRIGGER {_quoted(each)}" for each in table.triggers}
    remarks = [Remark(f"{each} may be executed for every new version") for each in triggers]
    return Judgement([*_obstacles(table, families)], remarks, triggers, can_roll_back=True, is_numbered=True)


def _read(history: SqlHistory, sql: str) -> _Table | None:
    rows = history.execute(_COLUMNS).fetchall()
    columns = by_name([_column(*row[:5]) for row in rows])
    if not is_complete(columns):
        return None
    unique: dict[str, list[str]] = {}
    constraints = set()
    for index, origin, column in history.execute(_INDEXES).fetchall():
        unique.setdefault(index, []).append(column)
        if origin != "c":
            constraints.add(index)
    return _Table(
        sql,
        columns,
        [row[0].lower() for row in rows if row[5]],
        unique,
        frozenset(constraints),
        [row[0] for row in history.execute(_TRIGGERS).fetchall()],
        [each for each in ("version", "originId") if history.execute(_WRONG_NUMBER.format(each)).fetchone()],
    )


def _column(name: str, kind: str, not_null: int, default: str | None, hidden: int) -> Column:
    default = None if default is None or default.upper() == "NULL" else default
    return Column(name, kind, default, not not_null, hidden in (2, 3))


def _obstacles(table: _Table, families: Sequence[Family]) -> Iterator[Obstacle]:
    yield from generated(table.columns)
    key = table.columns["id"]
    if [*table.key] != ["id"] or key.kind != "integer" or re.search(r"(?i)\bWITHOUT\s+ROWID\b", table.sql):
        yield Obstacle(f"id is {key.type or 'of no type'}, not integer PRIMARY KEY", then=_REBUILD)
    for each in ("version", "originId"):
        column = table.columns[each.lower()]
        if each in table.not_numbers or re.search(r"(?i)CHAR|CLOB|TEXT", column.type):
            yield Obstacle(f"{each} is {column.type or 'of no type'}, not a number", then=_REBUILD)
    for column in further(table.columns):
        if column.needs_value and column.name.lower() not in table.key:
            yield Obstacle(f"column {column.name} is NOT NULL without a default", then=_without_not_null(column))
    for index, names in table.unique.items():
        if repeats(names, table.columns, families) and not set(names) <= set(table.key):
            of = ", ".join(table.columns[each].name for each in names if each in table.columns)
            statement = _REBUILD if index in table.constraints else f"DROP INDEX {_quoted(index)}"
            yield Obstacle(f"index {index} allows each {of} only once", then=statement)


def _without_not_null(column: Column) -> str:
    """Return the statements that allow NULL in a column; it becomes the last one."""
    name, old = _quoted(column.name), _quoted(f"{column.name}_old")
    statements = (
        f"ALTER TABLE admin_ip_history RENAME COLUMN {name} TO {old}",
        f"ALTER TABLE admin_ip_history ADD COLUMN {name} {column.type}",
        f"UPDATE admin_ip_history SET {name} = {old}",  # noqa: S608 - only shown
        f"ALTER TABLE admin_ip_history DROP COLUMN {old}",
    )
    return "; ".join(statements)


def _quoted(name: str) -> str:
    """Return somebody else's name as SQL."""
    return '"' + name.replace('"', '""') + '"'
