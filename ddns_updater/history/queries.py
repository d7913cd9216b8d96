"""The SQL of the history: each query for a dialect, with `?` for its values."""

from collections.abc import Collection, Sequence
from typing import NamedTuple

from ddns_updater.history.rows import COLUMNS, KEY


class Dialect(NamedTuple):
    """What the engines spell differently; `{}` stands for a column.

    Times are read as seconds since 1970: `now`, and those of a column in the database's time zone or in UTC.
    """

    now: str
    local_seconds: str
    utc_seconds: str
    on_conflict: str  # what follows an INSERT that may meet a row with the same `{}`, and then the columns to update
    inserted: str  # the value that the INSERT has for a column
    for_update: str  # what follows a SELECT that keeps others from changing its rows
    unfilled: str  # the query for the columns, in lower case, that the table leaves to whoever inserts a row


# The lowest and the highest originId between two, each with its newest row, whatever other rows there are. Asked again
# for those in between, it reads one row of each origin, however many versions there are; no single query does that on
# every engine. ORDER BY and LIMIT, because MAX reads every version there.
_OUTERMOST = """
SELECT o.originId, h.version, h.name, h.ip, {host}
FROM (SELECT MIN(originId) AS originId FROM admin_ip_history v WHERE {chosen} originId > ? AND originId < ?
      UNION SELECT MAX(originId) FROM admin_ip_history v WHERE {chosen} originId > ? AND originId < ?) o
LEFT JOIN admin_ip_history h ON h.originId = o.originId
     AND h.version = (SELECT version FROM admin_ip_history WHERE originId = o.originId ORDER BY version DESC LIMIT 1)
WHERE o.originId IS NOT NULL ORDER BY o.originId
"""
_NO_HOST = "NOT EXISTS (SELECT 1 FROM admin_ddns_record r WHERE r.originId = v.originId) AND"
_HOST = "(SELECT recordType FROM admin_ddns_record r WHERE r.originId = o.originId)"


def outermost(*, of_name: bool, knows_hosts: bool) -> str:
    """Return that query, for the origins of one name or for all; the latter leaves the hosts out.

    Its last column is the record type of a host; without the tables of hosts it is NULL.
    """
    all_but_hosts = _NO_HOST if knows_hosts else ""
    return _OUTERMOST.format(chosen="name = ? AND" if of_name else all_but_hosts, host=_HOST if knows_hosts else "NULL")


HOST = "SELECT name FROM admin_ddns_host WHERE name = ?"

STORED = "SELECT id, ip, name FROM admin_ip_history WHERE originId = ? AND version = ?"

VERSIONS = "SELECT MIN(version), MAX(version) FROM admin_ip_history WHERE originId = ?"
LATE_ADDRESSES = "SELECT ip FROM admin_ip_history WHERE originId = ? AND ip IS NOT NULL ORDER BY version DESC LIMIT 20"

# HEX, because the database may take names for the same that are not.
OF_NAME = """
SELECT originId, MIN(name) FROM admin_ip_history WHERE name = ? GROUP BY originId, HEX(name)
"""
UNNUMBERED = "SELECT 1 FROM admin_ip_history WHERE name = ? AND version IS NULL LIMIT 1"
HIGHEST = "SELECT MAX(id), MAX(originId) FROM admin_ip_history"

_SENT = """
SELECT h.originId, p.recordName, p.recordType, p.hostedZoneId, p.address, CASE WHEN p.state = 'pending' THEN {at} END
FROM admin_ip_history h
JOIN admin_dns_publication p ON p.historyId = h.id
WHERE ({chosen})
  AND p.address IS NOT NULL AND (p.state <> 'failed' OR p.changeId IS NOT NULL OR p.verifiedAt IS NOT NULL)
"""

# An origin that was kept from a record has `failed` there, and never `verifiedAt`.
_CLAIMS = """
SELECT p.recordName, p.recordType, p.hostedZoneId, h.originId, MAX(h.name),
       MAX(CASE WHEN p.state <> 'failed' OR p.verifiedAt IS NOT NULL THEN 1 ELSE 0 END), MAX({at})
FROM (SELECT * FROM admin_dns_publication WHERE {chosen} AND checkedAt >= ?
      UNION ALL SELECT * FROM admin_dns_publication WHERE {chosen} AND checkedAt IS NULL
      AND state <> 'failed' AND COALESCE(submittedAt, createdAt) >= ?) p
JOIN admin_ip_history h ON h.id = p.historyId WHERE p.hostedZoneId IS NOT NULL
GROUP BY p.recordName, p.recordType, p.hostedZoneId, h.originId
ORDER BY h.originId
"""

VERSION = "id, createdAt, ip, name, version, originId, note"  # the shared table may have others, of any name
_LATEST = f"SELECT {VERSION} FROM admin_ip_history WHERE originId = ? ORDER BY version DESC LIMIT 1"  # noqa: S608

# The versions current within a window: those that began in it, and those that began before it and ended after its
# start. The shared table has no index on createdAt, so this walks down from the newest version and stops at the limit.
# The next version is looked up by its number first: across a gap MariaDB reads all the lower versions to find it.
_ENDED = """COALESCE(
    (SELECT {next_began} FROM admin_ip_history n WHERE n.originId = v.originId AND n.version = v.version + 1),
    (SELECT {next_began} FROM admin_ip_history n WHERE n.originId = v.originId AND n.version > v.version
     ORDER BY n.version LIMIT 1)
)"""
_WITHIN = """
SELECT {columns}, {ended} AS ended FROM admin_ip_history v
WHERE v.originId = ? AND {began} < ? AND ({began} >= ? OR COALESCE({ended}, ?) > ?) {below}
ORDER BY v.version DESC LIMIT ?
"""

# The same choice over every version of an origin. LAG would cost a second sort, hence the comparison with the first.
_SUMMARY = """
SELECT {now}, MIN(CASE WHEN isFirst THEN began END), SUM(chosen),
       SUM(CASE WHEN NOT isFirst AND began >= ? AND began < ? THEN 1 ELSE 0 END),
       MAX(CASE WHEN chosen THEN COALESCE(ended, CAST({now} AS SIGNED)) - began END),
       MAX(CASE WHEN chosen AND NOT isFirst THEN ended - began END),
       MIN(CASE WHEN chosen AND NOT isFirst THEN ended - began END)
FROM (SELECT began, ended, isFirst, began < ? AND (began >= ? OR COALESCE(ended, ?) > ?) AS chosen
      FROM (SELECT {began} AS began, LEAD({began}) OVER (ORDER BY v.version) AS ended,
                   v.version = (SELECT MIN(version) FROM admin_ip_history WHERE originId = ?) AS isFirst
            FROM admin_ip_history v WHERE v.originId = ?) h) h
"""


VERSION_COLUMNS = ("ip", "name", "version", "originId", "note")


def insert(columns: Sequence[str], unfilled: Collection[str]) -> str:
    """Return the statement that inserts values for `columns` and the times in `unfilled`, names in lower case."""
    now = [each for each in ("createdAt", "updatedAt") if each.lower() in unfilled]
    values = ["?"] * len(columns) + ["CURRENT_TIMESTAMP"] * len(now)
    return (
        f"INSERT INTO admin_ip_history ({', '.join([*columns, *now])})"  # noqa: S608 - only names from this program
        f" VALUES ({', '.join(values)})"
    )


def latest(dialect: Dialect) -> str:
    """Return the query for the version with the highest number; rows.journal_of reads its rows."""
    return versions(dialect, _LATEST, "NULL")


def newest(dialect: Dialect) -> str:
    """Return the query for the same version without its publications; rows.version_of reads its row."""
    return f"SELECT {_version_columns(dialect)} FROM ({_LATEST}) h"  # noqa: S608 - only names from this program


def entries(dialect: Dialect, *, below: bool) -> str:
    """Return the query for the versions within a window, newest first; rows.entries_of reads its rows.

    `below` leaves only those with lower numbers than one more value.
    """
    began, ended = seconds(dialect, "v.createdAt"), _ENDED.format(next_began=seconds(dialect, "n.createdAt"))
    columns = ", ".join(f"v.{each}" for each in VERSION.split(", "))
    bound = "AND v.version < ?" if below else ""
    return versions(dialect, _WITHIN.format(columns=columns, began=began, ended=ended, below=bound), "h.ended")


def summary(dialect: Dialect) -> str:
    """Return the query for how often the address changed within a window; rows.summary_of reads its row."""
    return _SUMMARY.format(now=dialect.now, began=seconds(dialect, "v.createdAt"))


def sent(dialect: Dialect, origins: int) -> str:
    """Return the query for what was sent for a range of versions of so many origins; rows.sent_of reads its rows.

    The values of each origin are its key, and the versions before which and from which on.
    """
    return _SENT.format(
        at=dialect.utc_seconds.format("COALESCE(p.submittedAt, p.createdAt)"),
        chosen=" OR ".join(["h.originId = ? AND h.version < ? AND h.version >= ?"] * origins),
    )


def claims(dialect: Dialect, names: int) -> str:
    """Return the query for the claims on records of so many names; rows.claims_of reads its rows.

    Two halves, because an OR would read every publication of a name.
    """
    at = dialect.utc_seconds.format("COALESCE(p.checkedAt, p.submittedAt, p.createdAt)")
    chosen = f"recordName IN ({', '.join('?' * names)}) AND recordType IN ('A', 'AAAA')"
    return _CLAIMS.format(at=at, chosen=chosen)


def save(dialect: Dialect) -> str:
    """Return the statement that inserts a publication or overwrites it; rows.publication_row has its values."""
    names = [*KEY, *(column.name for column in COLUMNS)]
    updates = [f"{each.name} = {dialect.inserted.format(each.name)}" for each in COLUMNS if not each.is_kept]
    return (
        f"INSERT INTO admin_dns_publication ({', '.join(names)})"  # noqa: S608 - only names from this program
        f" VALUES ({', '.join('?' for _ in names)}) {dialect.on_conflict.format(', '.join(KEY))} {', '.join(updates)}"
    )


def versions(dialect: Dialect, chosen: str, until: str, *more: str) -> str:
    """Return the query for the versions that `chosen` selects, each with its publications, and then `more` columns."""
    columns = [dialect.utc_seconds.format(f"p.{each.name}") if each.is_time else f"p.{each.name}" for each in COLUMNS]
    return f"""
SELECT {_version_columns(dialect)}, {until},
       p.recordName, p.recordType, {", ".join([*columns, *more])}
FROM ({chosen}) h
LEFT JOIN admin_dns_publication p ON p.historyId = h.id
ORDER BY h.version DESC, p.recordName, p.recordType
"""  # noqa: S608 - only names from this program


def _version_columns(dialect: Dialect) -> str:
    created = dialect.local_seconds.format("h.createdAt")
    return f"h.id, h.name, h.version, COALESCE(h.ip, ''), COALESCE({created}, 0), h.note, {dialect.now}"


def seconds(dialect: Dialect, column: str) -> str:
    """Return the SQL for a column in the database's time zone as signed seconds, which can be subtracted."""
    return f"CAST(COALESCE({dialect.local_seconds.format(column)}, 0) AS SIGNED)"  # MySQL's own is unsigned
