"""The shared table on MySQL and MariaDB, by information_schema; reading it needs no right but those of a run."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ddns_updater.history import queries
from ddns_updater.history.sql import SqlHistory
from ddns_updater.history.table import (
    Column,
    Columns,
    Index,
    Obstacle,
    by_name,
    is_complete,
)

_OF_TABLE = "TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'admin_ip_history'"
_TABLES = """
SELECT t.TABLE_NAME, t.TABLE_TYPE, t.ENGINE, e.TRANSACTIONS
FROM information_schema.TABLES t LEFT JOIN information_schema.ENGINES e ON e.ENGINE = t.ENGINE
WHERE t.TABLE_SCHEMA = DATABASE() AND LOWER(t.TABLE_NAME) = 'admin_ip_history'
"""
_COLUMNS = f"""
SELECT COLUMN_NAME, COLUMN_TYPE, COLUMN_DEFAULT, IS_NULLABLE, COALESCE(GENERATION_EXPRESSION, ''), LOWER(EXTRA),
       CHARACTER_MAXIMUM_LENGTH, COLLATION_NAME, COLUMN_COMMENT
FROM information_schema.COLUMNS WHERE {_OF_TABLE} ORDER BY ORDINAL_POSITION
"""  # noqa: S608 - a constant
_INDEXES = f"""
SELECT INDEX_NAME, LOWER(COALESCE(COLUMN_NAME, '')), NON_UNIQUE FROM information_schema.STATISTICS WHERE {_OF_TABLE}
ORDER BY INDEX_NAME, SEQ_IN_INDEX
"""  # noqa: S608 - a constant
_FOREIGN_KEYS = f"""
SELECT CONSTRAINT_NAME, COLUMN_NAME, REFERENCED_TABLE_NAME, REFERENCED_COLUMN_NAME
FROM information_schema.KEY_COLUMN_USAGE WHERE {_OF_TABLE} AND REFERENCED_TABLE_NAME IS NOT NULL
ORDER BY CONSTRAINT_NAME
"""  # noqa: S608 - a constant
_CHECKS = f"""
SELECT CONSTRAINT_NAME FROM information_schema.TABLE_CONSTRAINTS WHERE {_OF_TABLE} AND CONSTRAINT_TYPE = 'CHECK'
"""  # noqa: S608 - a constant
_TRIGGERS = """
SELECT TRIGGER_NAME FROM information_schema.TRIGGERS WHERE EVENT_OBJECT_SCHEMA = DATABASE()
AND EVENT_OBJECT_TABLE = 'admin_ip_history' AND EVENT_MANIPULATION = 'INSERT' ORDER BY TRIGGER_NAME
"""
_PARTITIONS = f"""
SELECT DISTINCT PARTITION_EXPRESSION, SUBPARTITION_EXPRESSION FROM information_schema.PARTITIONS
WHERE {_OF_TABLE} AND PARTITION_NAME IS NOT NULL
"""  # noqa: S608 - a constant
# A trigger that writes to a table without transactions cannot be rolled back.
_WITHOUT_TRANSACTIONS = """
SELECT COUNT(*) FROM information_schema.TABLES t JOIN information_schema.ENGINES e ON e.ENGINE = t.ENGINE
WHERE t.TABLE_SCHEMA = DATABASE() AND e.TRANSACTIONS <> 'YES'
"""

BITS = {"tinyint": 8, "smallint": 16, "mediumint": 24, "int": 32, "bigint": 64}


class MySqlTable(NamedTuple):
    """The shared table; `keys` maps each foreign key to its columns, each with what it refers to."""

    columns: Columns
    indexes: Mapping[str, Index]
    unique: frozenset[str]
    engine: str
    has_transactions: bool
    is_versioned: bool  # by MariaDB itself
    keys: Mapping[str, Sequence[tuple[str, str]]]
    checks: Sequence[str]
    triggers: Sequence[str]
    partitioned_by: frozenset[str]
    is_strict: bool
    highest: int  # the highest id or originId
    has_other_engines: bool

    @property
    def can_roll_back(self) -> bool:
        """Return whether an INSERT can be undone, with all that it sets off."""
        return self.has_transactions and not (self.triggers and self.has_other_engines)

    @property
    def is_numbered(self) -> bool:
        """Return whether the table numbers its rows itself."""
        return "auto_increment" in self.columns["id"].extra

    @property
    def constraints(self) -> Mapping[str, str]:
        """Return what may refuse a version or alter it, each with the statement that removes it."""
        return (
            {
                f"foreign key {each}": f"ALTER TABLE admin_ip_history DROP FOREIGN KEY {quoted(each)}"
                for each in self.keys
            }
            | {f"CHECK {each}": f"ALTER TABLE admin_ip_history {self._without_check(each)}" for each in self.checks}
            | {f"trigger {each}": f"DROP TRIGGER {quoted(each)}" for each in self.triggers}
        )

    def _without_check(self, name: str) -> str:
        """Return the change that removes a CHECK; MariaDB names that of a column after it, and keeps it within."""
        column = self.columns.get(name.lower())
        if column is None:
            return f"DROP CONSTRAINT {quoted(name)}"
        null = "NULL" if column.is_nullable else "NOT NULL"
        default = f" DEFAULT {column.default}" if column.default is not None else ""
        return f"MODIFY {quoted(column.name)} {column.type}{collation(column)} {null}{default}{comment(column)}"


def unusable(history: SqlHistory) -> Obstacle | None:
    """Return why there is no such table at all although its name is taken; None when there is one, or nothing."""
    found = {row[0]: row[1] for row in history.execute(_TABLES).fetchall()}
    if history.has_table("admin_ip_history"):
        kind = next((kind for name, kind in found.items() if name == "admin_ip_history"), next(iter(found.values())))
        if "VIEW" not in kind:
            return None
        return Obstacle(
            "it is a view",
            advice="swap its name with that of the table that it shows: RENAME TABLE admin_ip_history TO other_name,"
            " the_table TO admin_ip_history",
        )
    for name in found:
        return Obstacle(f"it is called {name}", then=f"RENAME TABLE {quoted(name)} TO admin_ip_history")
    return None


def read(history: SqlHistory) -> MySqlTable | None:
    """Return the shared table; None when there is none, or it lacks a column."""
    rows = history.execute(_COLUMNS).fetchall()
    columns = by_name([_column(*row) for row in rows])
    if not is_complete(columns):
        return None
    _, kind, engine, transactions = history.execute(_TABLES).fetchone()
    indexes: dict[str, list[str]] = {}
    unique = set()
    for name, column, repeatable in history.execute(_INDEXES).fetchall():
        indexes.setdefault(name, []).append(column)
        if not int(repeatable):
            unique.add(name)
    keys: dict[str, list[tuple[str, str]]] = {}
    for name, column, table, referenced in history.execute(_FOREIGN_KEYS).fetchall():
        keys.setdefault(name, []).append((column, f"{table}.{referenced}"))
    return MySqlTable(
        columns,
        indexes,
        frozenset(unique),
        engine or "",
        transactions == "YES",
        kind == "SYSTEM VERSIONED",
        keys,
        [row[0] for row in history.execute(_CHECKS).fetchall()],
        [row[0] for row in history.execute(_TRIGGERS).fetchall()],
        frozenset(_partitioned_by(history.execute(_PARTITIONS).fetchall(), columns, indexes)),
        "STRICT_" in history.execute("SELECT @@SESSION.sql_mode").fetchone()[0],
        _highest(history, columns),
        bool(history.execute(_WITHOUT_TRANSACTIONS).fetchone()[0]),
    )


def _column(
    name: str, kind: Any, default: Any, nullable: str, expression: str, extra: str, width: Any, *rest: Any
) -> Column:
    is_nullable = nullable == "YES"
    if is_nullable and default == "NULL":  # MariaDB's spelling
        default = None
    width = None if width is None else int(width)
    return Column(name, str(kind), default, is_nullable, bool(expression), extra, width, *rest)


def _partitioned_by(rows: Sequence[Any], columns: Columns, indexes: Mapping[str, Index]) -> set[str]:
    """Return the columns by which the table is partitioned; without an expression they are those of its primary key."""
    words = {word.lower() for row in rows for each in row for word in re.findall(r"\w+", each or "")}
    by_key = any(not expression for expression, _ in rows)
    return {each for each in columns if each in words or (by_key and each in indexes.get("PRIMARY", ()))}


def _highest(history: SqlHistory, columns: Columns) -> int:
    """Return the highest id or originId; 0 where they are no numbers."""
    if any(columns[each].kind not in BITS for each in ("id", "originid")):
        return 0
    return max(int(each or 0) for each in history.execute(queries.HIGHEST).fetchone())


def collation(column: Column) -> str:
    """Return the COLLATE of a column's definition, empty when it has none."""
    return f" COLLATE {column.collation}" if column.collation else ""


def comment(column: Column) -> str:
    """Return the COMMENT of a column's definition, empty when it has none."""
    text = column.comment.replace("\\", "\\\\").replace("'", "''")
    return f" COMMENT '{text}'" if text else ""


def quoted(name: str) -> str:
    """Return somebody else's name as SQL."""
    return f"`{name.replace('`', '``')}`"
