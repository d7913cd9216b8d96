"""What keeps a table on MySQL or MariaDB from taking new versions, with the ALTER TABLE that changes it."""

from collections.abc import Iterator, Sequence

from ddns_updater.history.mysql_table import BITS, MySqlTable, collation, comment, quoted, read, unusable
from ddns_updater.history.sql import SqlHistory
from ddns_updater.history.table import (
    Column,
    Columns,
    Judgement,
    Obstacle,
    Remark,
    further,
    generated,
    refusal,
    repeats,
)
from ddns_updater.model import Family

_ROOM = 1_000_000  # numbers that have to be left
_TEXTS = ("char", "varchar", "tinytext", "text", "mediumtext", "longtext")
_BINARIES = ("binary", "varbinary")
_TIMES = ("datetime", "timestamp")
_WIDTHS = {Family.IPV4: 15, Family.IPV6: 39}  # characters of the longest address
_UUID_WIDTH = 32  # characters; nobody writes a number that wide
_INDEXES = {
    "admin_ip_history_origin_version": "CREATE UNIQUE INDEX admin_ip_history_origin_version"
    " ON admin_ip_history (originId, version)",
    "admin_ip_history_name_origin_version": "CREATE INDEX admin_ip_history_name_origin_version"
    " ON admin_ip_history (name, originId, version)",
}
_ENGINES = ("MyISAM", "Aria")  # those without transactions that keep what they are given


def judge(history: SqlHistory, name: str | None, families: Sequence[Family]) -> Judgement | None:
    """Return what is known of the shared table, None when it is missing or lacks a column; writes nothing.

    Raises HistoryError when something else has its name.
    """
    if obstacle := unusable(history):
        raise refusal([obstacle])
    table = read(history)
    if table is None:
        return None
    found, noted = obstacles(table, name, families), [*remarks(table)]
    if table.triggers:
        noted += [Remark(f"{each.problem}; a trigger has to fill it") for each in found if not each.is_certain]
        found = [each for each in found if each.is_certain]
    return Judgement(found, noted, table.constraints, table.can_roll_back, table.is_numbered)


def obstacles(table: MySqlTable, name: str | None, families: Sequence[Family]) -> list[Obstacle]:
    """Return what keeps versions of `name`, or of any name, from being added."""
    found = [*generated(table.columns)]
    found += _numbers(table)
    found += _texts(table.columns, name, families)
    found += _times(table.columns)
    found += _further(table)
    for index in table.unique:
        if repeats(table.indexes[index], table.columns, families):
            drop = "DROP PRIMARY KEY, ADD PRIMARY KEY (id)" if index == "PRIMARY" else f"DROP INDEX {quoted(index)}"
            of = ", ".join(table.columns[each].name for each in table.indexes[index] if each in table.columns)
            found.append(Obstacle(f"index {index} allows each {of} only once", (drop,)))
    for key, pairs in table.keys.items():
        if any(column.lower() in ("ip", "version", "note") for column, _ in pairs):
            drop = f"DROP FOREIGN KEY {quoted(key)}"
            found.append(Obstacle(f"foreign key {key} refers to {pairs[0][1]}", (drop,), is_certain=False))
    if not table.has_transactions and table.engine not in _ENGINES:
        found.append(Obstacle(f"its engine is {table.engine}", ("ENGINE = InnoDB",)))
    if not table.partitioned_by <= {"originid", "version"} and not _has_key(table):
        by = ", ".join(sorted(table.partitioned_by))
        statement = "ALTER TABLE admin_ip_history REMOVE PARTITIONING"  # no other clause may stand beside it
        found.append(Obstacle(f"it is partitioned by {by}, which allows no unique key on its versions", then=statement))
    if table.is_versioned and not table.indexes.keys() >= _INDEXES.keys():
        indexes = "; ".join(_INDEXES.values())
        statement = f"SET SESSION system_versioning_alter_history = KEEP; {indexes}"
        found.append(Obstacle("MariaDB keeps its old rows, which allows no new index", then=statement))
    return found


def remarks(table: MySqlTable) -> Iterator[Remark]:
    """Yield what does not keep versions from being added, and may surprise."""
    if not table.has_transactions:
        yield Remark(
            f"its engine {table.engine} has no transactions; a crash may damage it",
            "execute ALTER TABLE admin_ip_history ENGINE = InnoDB",
        )
    created = table.columns["createdat"]
    if "on update" in created.extra:
        null = "NULL" if created.is_nullable else "NOT NULL"
        yield Remark(
            "each UPDATE of a row changes its createdAt",
            f"execute ALTER TABLE admin_ip_history MODIFY createdAt {created.type} {null} DEFAULT"
            f" {created.default or 'CURRENT_TIMESTAMP'}{comment(created)}",
        )
    for key, pairs in table.keys.items():
        of = ", ".join(f"{column} has to be in {target}" for column, target in pairs)
        yield Remark(f"foreign key {key}: {of}")
    for each in table.triggers:
        yield Remark(f"trigger {each} is executed for every new version")


def _numbers(table: MySqlTable) -> Iterator[Obstacle]:
    columns = table.columns
    yield from _id(table)
    version, origin = columns["version"], columns["originid"]
    if not _has_room(version, 0):
        yield Obstacle(
            f"version is {version.type}", (f"MODIFY version int {_null(version)} DEFAULT 1{comment(version)}",)
        )
    if _is_identifier(origin):
        change = f"CHANGE originId originIdOld {origin.type} NULL", "ADD originId bigint NOT NULL DEFAULT 0"
        yield Obstacle(
            f"originId is {origin.type}",
            change,
            "UPDATE admin_ip_history h JOIN (SELECT originIdOld, MIN(id) AS first FROM admin_ip_history"
            " GROUP BY originIdOld) o ON o.originIdOld = h.originIdOld SET h.originId = o.first",
        )
    elif not _has_room(origin, table.highest):
        yield Obstacle(
            f"originId is {origin.type}", (f"MODIFY originId bigint {_null(origin)} DEFAULT 0{comment(origin)}",)
        )


def _id(table: MySqlTable) -> Iterator[Obstacle]:
    column, primary = table.columns["id"], table.indexes.get("PRIMARY", ())
    if _is_identifier(column):
        drop = ("DROP PRIMARY KEY",) if "id" in primary else ()
        key = "UNIQUE" if primary and not drop else "PRIMARY KEY"
        add = f"ADD id bigint NOT NULL AUTO_INCREMENT {key} FIRST"
        yield Obstacle(f"id is {column.type}", (*drop, f"CHANGE id idOld {column.type} NULL", add))
        return
    is_wide, is_filled = _has_room(column, table.highest), table.is_numbered or column.is_clock
    if is_wide and is_filled:
        return
    is_key = any(index[0] == "id" for index in table.indexes.values())
    key = "" if is_key else " UNIQUE" if primary else " PRIMARY KEY"
    sign = " unsigned" if "unsigned" in column.type else ""
    change = f"MODIFY id bigint{sign} NOT NULL AUTO_INCREMENT{key}{comment(column)}"
    problem = f"id is {column.type}" if not is_wide else "id is not AUTO_INCREMENT"
    yield Obstacle(problem, (change,), is_certain=not is_wide)


def _texts(columns: Columns, name: str | None, families: Sequence[Family]) -> Iterator[Obstacle]:
    ip, named = columns["ip"], columns["name"]
    if ip.kind in _TEXTS:
        needed = max((_WIDTHS[each] for each in families), default=0)
        if (ip.width or needed) < needed:
            yield Obstacle(f"ip is {ip.type}, too short for {needed} characters", (_as_text(ip),))
    elif ip.kind in BITS or (ip.kind in _BINARIES and ip.width in (4, 16)):
        packed = "INET_NTOA" if ip.kind in BITS else "INET6_NTOA"
        yield Obstacle(
            f"ip is {ip.type}, not text",
            (f"CHANGE ip ipOld {ip.type} NULL", "ADD ip varchar(255) NOT NULL DEFAULT ''"),
            f"UPDATE admin_ip_history SET ip = COALESCE({packed}(ipOld), '')",  # noqa: S608 - only shown
        )
    else:
        yield Obstacle(f"ip is {ip.type}, not text", (_as_text(ip),))
    if named.kind not in _TEXTS:
        yield Obstacle(f"name is {named.type}, not text", (_as_text(named),))
    elif named.width is not None and named.width < len(name or ""):
        yield Obstacle(f"name is {named.type}, too short for {name}", (_as_text(named),))


def _as_text(column: Column) -> str:
    return f"MODIFY {column.name} varchar(255) {_null(column)}{comment(column)}"


def _times(columns: Columns) -> Iterator[Obstacle]:
    for each in ("createdAt", "updatedAt"):
        column = columns[each.lower()]
        if column.kind == "date" and each == "createdAt":
            yield Obstacle(
                f"{each} is a date",
                (f"MODIFY {each} datetime {_null(column)} DEFAULT CURRENT_TIMESTAMP{comment(column)}",),
            )
        elif column.kind not in (*_TIMES, "date") and (each == "createdAt" or column.needs_value):
            change = (
                f"CHANGE {each} {each}Old {column.type} NULL",
                f"ADD {each} datetime NOT NULL DEFAULT CURRENT_TIMESTAMP",
            )
            yield Obstacle(f"{each} is {column.type}, not a time", change)


def _further(table: MySqlTable) -> Iterator[Obstacle]:
    if not table.is_strict:
        return  # the server takes 0 or '' for what has no value
    for column in further(table.columns):
        if not column.needs_value or "auto_increment" in column.extra or column.kind == "enum":
            continue
        problem = f"column {column.name} is NOT NULL without a default"
        if column.name.lower() in table.indexes.get("PRIMARY", ()):
            value = "''" if column.kind in (*_TEXTS, *_BINARIES) else "0"
            yield Obstacle(problem, (f"ALTER {quoted(column.name)} SET DEFAULT {value}",), is_certain=False)
        else:
            yield Obstacle(problem, (f"MODIFY {quoted(column.name)} {_nullable(column)}",), is_certain=False)


def _nullable(column: Column) -> str:
    """Return the definition of a column, with NULL allowed."""
    return f"{column.type}{collation(column)} NULL{comment(column)}"


def _has_room(column: Column, used: int) -> bool:
    """Return whether an integer column has enough numbers left above `used`; anything else has none."""
    bits = BITS.get(column.kind, 0)
    highest: int = 2 ** (bits if "unsigned" in column.type else bits - 1) - 1 if bits else 0
    return highest - used >= _ROOM


def _is_identifier(column: Column) -> bool:
    """Return whether a column holds UUIDs or the like, which cannot be made numbers."""
    wide = column.kind in _TEXTS and (column.width or 0) >= _UUID_WIDTH
    return wide or column.kind in ("uuid", *_BINARIES)


def _has_key(table: MySqlTable) -> bool:
    return any(set(table.indexes[each]) == {"originid", "version"} for each in table.unique)


def _null(column: Column) -> str:
    return "NULL" if column.is_nullable else "NOT NULL"
