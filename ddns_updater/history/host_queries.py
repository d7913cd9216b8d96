"""The SQL of the hosts that update themselves: each query for a dialect, with `?` for its values."""

from collections.abc import Sequence

from ddns_updater.history import queries
from ddns_updater.history.queries import Dialect

_NEWEST = "(SELECT version FROM admin_ip_history WHERE originId = r.originId ORDER BY version DESC LIMIT 1)"
# As Publication.is_refused.
_REFUSED = "(p.state = 'failed' OR p.state = 'pending' AND p.lastError IS NOT NULL AND p.submittedAt IS NULL)"
_HOST_FLAGS = ("takesAws", "takesQuery", "isApex")
_HOST_TIMES = ("createdAt", "blockedAt", "slowedAt")
HOST_COLUMNS = (
    3 + len(_HOST_FLAGS) + 1 + len(_HOST_TIMES)
)  # rows of hosts begin with them: host_table.host_of reads them

INSERT_LOGIN = (
    "INSERT INTO admin_ddns_login (login, secretHash, previousHash, sharedSecret, createdAt) VALUES (?, ?, NULL, ?, ?)"
)
LOGIN = "SELECT id, login, sharedSecret FROM admin_ddns_login WHERE login = ?"
DELETE_LOGIN = """
DELETE FROM admin_ddns_login WHERE id = ? AND NOT EXISTS (SELECT 1 FROM admin_ddns_host WHERE loginId = ?)
"""
ROTATE = """
UPDATE admin_ddns_login SET previousHash = secretHash, previousSharedSecret = sharedSecret, secretHash = ?,
       sharedSecret = CASE WHEN sharedSecret IS NULL THEN NULL ELSE ? END
WHERE login = ?
"""
END_ROTATION = """
UPDATE admin_ddns_login SET previousHash = NULL, previousSharedSecret = NULL
WHERE login = ? AND previousHash IS NOT NULL
"""

HOST_OF_NAME = "SELECT id, loginId FROM admin_ddns_host WHERE name = ?"
INSERT_HOST = """
INSERT INTO admin_ddns_host (name, loginId, takesAws, takesQuery, isApex, suffix, createdAt)
VALUES (?, ?, ?, ?, ?, ?, ?)
"""
REVIVE_HOST = """
UPDATE admin_ddns_host SET loginId = ?, takesAws = ?, takesQuery = ?, isApex = ?, suffix = ?, createdAt = ?,
       blockedAt = NULL, slowedAt = NULL, requestedAt = NULL, requestClient = NULL, requestCaller = NULL,
       requestVerdict = NULL
WHERE id = ?
"""
REMOVE_HOST = "UPDATE admin_ddns_host SET loginId = NULL WHERE id = ?"
FORGET_RECORD = "UPDATE admin_ddns_record SET dueSince = NULL, lookAt = NULL WHERE hostId = ? AND recordType = ?"
FORGET_RECORDS = """
UPDATE admin_ddns_record SET dueSince = NULL, lookAt = NULL, freeZoneId = NULL, freeTtl = NULL, freeAt = NULL
WHERE hostId = ?
"""
DUE_AGAIN = """
UPDATE admin_ddns_record SET dueSince = ?, lookAt = ? WHERE hostId = ? AND recordType = ? AND dueSince IS NULL
"""
BLOCK = "UPDATE admin_ddns_host SET blockedAt = ? WHERE id = ?"
SLOW = "UPDATE admin_ddns_host SET slowedAt = ? WHERE id = ?"
NOTE_REQUEST = """
UPDATE admin_ddns_host SET requestedAt = ?, requestClient = ?, requestCaller = ?, requestVerdict = ? WHERE id = ?
"""
NAMES = "SELECT name FROM admin_ddns_host WHERE loginId IS NOT NULL ORDER BY name"
COUNT = "SELECT COUNT(*) FROM admin_ddns_host WHERE loginId IS NOT NULL"
# The hosts with a record that is due, as the end of a query for entries.
WAITING = """JOIN (SELECT hostId, MIN(dueSince) AS since FROM admin_ddns_record WHERE dueSince IS NOT NULL
      GROUP BY hostId ORDER BY since LIMIT ?) d ON d.hostId = o.id ORDER BY d.since, o.name"""
OVERVIEW = """
SELECT COUNT(*), COUNT(blockedAt), COUNT(slowedAt),
       (SELECT COUNT(*) FROM admin_ddns_record r JOIN admin_ddns_host o ON o.id = r.hostId WHERE o.loginId IS NOT NULL)
FROM admin_ddns_host WHERE loginId IS NOT NULL
"""
_OF_DUE = f"""
FROM admin_ddns_record r JOIN admin_ddns_host o ON o.id = r.hostId
JOIN admin_ip_history h ON h.originId = r.originId AND h.version = {_NEWEST}
LEFT JOIN admin_dns_publication p ON p.historyId = h.id AND p.recordName = o.name AND p.recordType = r.recordType
WHERE r.dueSince IS NOT NULL AND o.loginId IS NOT NULL
"""
_FAILING = f"{_OF_DUE} AND p.lastError IS NOT NULL"
COUNT_FAILING = f"SELECT COUNT(*) {_FAILING}"

# The latest versions of a host, but those that DNS refuses, and those that were not published when it was removed.
_HELD = f"""
LEFT JOIN admin_ddns_record r ON r.hostId = o.id
LEFT JOIN admin_ip_history h ON h.originId = r.originId AND h.version = {_NEWEST}
     AND NOT EXISTS (SELECT 1 FROM admin_dns_publication p WHERE p.historyId = h.id
                     AND ({_REFUSED} OR p.state <> 'verified' AND r.dueSince IS NULL))
"""  # noqa: S608 - only names from this program

CREATED_AT = "SELECT {seconds} FROM admin_ip_history WHERE originId = ? AND version = ?"
DUE = "SELECT COUNT(dueSince), {oldest} FROM admin_ddns_record WHERE dueSince IS NOT NULL"
NEXT_LOOK = "SELECT {at} FROM admin_ddns_record WHERE lookAt IS NOT NULL ORDER BY lookAt LIMIT 1"

# The request of a new version. What was sent and seen of earlier ones stays.
_RECORDED = """
INSERT INTO admin_ddns_record (hostId, recordType, originId, version, dueSince, lookAt) VALUES (?, ?, ?, ?, ?, ?)
{on_conflict} {updates}
"""
# What the publisher found. A version that was recorded meanwhile is left as it is.
_LOOKED = """
INSERT INTO admin_ddns_record
       (hostId, recordType, originId, version, dueSince, lookAt, sentAt, freeZoneId, freeTtl, freeAt)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
{on_conflict} {updates}
"""


def hosts(dialect: Dialect, where: str, more: Sequence[str] = ()) -> str:
    """Return the query for the hosts that `where` selects, with their logins; `more` are further columns."""
    times = [dialect.utc_seconds.format(f"o.{each}") for each in _HOST_TIMES]
    flags = [f"o.{each}" for each in _HOST_FLAGS]
    columns = ", ".join(["o.id", "o.name", "l.login", *flags, "o.suffix", *times, *more])
    return f"""
SELECT {columns} FROM admin_ddns_host o JOIN admin_ddns_login l ON l.id = o.loginId
{where}
"""  # noqa: S608 - only names from this program


def logins(dialect: Dialect, number: int) -> str:
    """Return the query for the hosts of so many logins, each with its secrets and the addresses that it holds."""
    return _logins(dialect, f"l.login IN ({', '.join('?' * number)})")


def login_of(dialect: Dialect) -> str:
    """Return the same query for the host with a name."""
    return _logins(dialect, "o.name = ?")


def _logins(dialect: Dialect, where: str) -> str:
    secrets = ("l.secretHash", "l.previousHash", "l.sharedSecret", "l.previousSharedSecret")
    return hosts(dialect, f"{_HELD} WHERE {where} ORDER BY o.name", (*secrets, "h.ip"))


def entries(dialect: Dialect, where: str) -> str:
    """Return the query for the hosts that `where` selects, each with its last request."""
    at = dialect.utc_seconds.format("o.requestedAt")
    return hosts(dialect, where, (at, "o.requestClient", "o.requestCaller", "o.requestVerdict"))


def due(dialect: Dialect) -> str:
    """Return the query for the records to look at by a time, with their hosts; those that are due come first."""
    times = [dialect.utc_seconds.format(f"r.{each}") for each in ("dueSince", "sentAt", "freeAt")]
    columns = ("r.recordType", "r.originId", *times, "r.freeZoneId", "r.freeTtl")
    where = """JOIN admin_ddns_record r ON r.hostId = o.id
WHERE r.lookAt <= ? ORDER BY r.dueSince IS NULL, r.dueSince, r.lookAt LIMIT ?"""
    return hosts(dialect, where, columns)


def failing(dialect: Dialect) -> str:
    """Return the query for the records that are due and have an error, the oldest first."""
    since = dialect.utc_seconds.format("r.dueSince")
    return f"SELECT o.name, r.recordType, p.lastError, {since} {_FAILING} ORDER BY r.dueSince, o.name LIMIT ?"


def current(dialect: Dialect, number: int) -> str:
    """Return the query for the latest versions of so many hosts, with their publications.

    rows.journal_of reads its rows without their last three columns: key of the host, record type and originId.
    """
    columns = ", ".join(f"v.{each}" for each in queries.VERSION.split(", "))
    chosen = f"""
SELECT {columns}, r.hostId, r.recordType FROM admin_ddns_record r
JOIN admin_ip_history v ON v.originId = r.originId AND v.version = {_NEWEST}
WHERE r.hostId IN ({", ".join("?" * number)})"""  # noqa: S608 - only names from this program
    return queries.versions(dialect, chosen, "NULL", "h.hostId", "h.recordType", "h.originId")


def overview_of_due(dialect: Dialect) -> str:
    """Return the query that counts the records that are due and those refused, with the time of the oldest other."""
    since = dialect.utc_seconds.format(f"MIN(CASE WHEN {_REFUSED} THEN NULL ELSE r.dueSince END)")
    return f"SELECT COUNT(*), COUNT(CASE WHEN {_REFUSED} THEN 1 END), {since} {_OF_DUE}"


def writes(dialect: Dialect) -> Sequence[str]:
    """Return every statement with which the server changes the tables of hosts."""
    return (recorded(dialect), looked(dialect), FORGET_RECORD, DUE_AGAIN, SLOW, NOTE_REQUEST, locked(dialect, 1))


def recent(dialect: Dialect, number: int) -> str:
    """Return the query for the late versions of so many hosts that were current at a time or later, newest first.

    Its values are how many versions of a record to read, the keys of the hosts, and the time twice, in seconds.
    """
    began, ended = (queries.seconds(dialect, each) for each in ("h.createdAt", "n.createdAt"))
    return f"""
SELECT r.hostId, r.recordType, h.version, COALESCE(h.ip, ''), {began} FROM admin_ddns_record r
JOIN admin_ip_history h ON h.originId = r.originId AND h.version > r.version - ?
LEFT JOIN admin_ip_history n ON n.originId = h.originId AND n.version = h.version + 1
WHERE r.hostId IN ({", ".join("?" * number)}) AND ({began} >= ? OR {ended} > ? OR n.version IS NULL)
ORDER BY h.version DESC
"""  # noqa: S608 - only names from this program


def locked(dialect: Dialect, number: int) -> str:
    """Return the query that keeps others from changing so many hosts until the transaction ends.

    It gives the keys of those that were not removed.
    """
    ids = ", ".join("?" * number)
    where = f"id IN ({ids}) AND loginId IS NOT NULL"
    return f"SELECT id FROM admin_ddns_host WHERE {where} ORDER BY id {dialect.for_update}"  # noqa: S608 - as above


def recorded(dialect: Dialect) -> str:
    """Return the statement that notes a new version of a record."""
    return _RECORDED.format(
        on_conflict=_on_conflict(dialect),
        updates=", ".join(
            [
                f"originId = {dialect.inserted.format('originId')}",  # another one when its versions were deleted
                f"version = {dialect.inserted.format('version')}",
                f"dueSince = COALESCE(admin_ddns_record.dueSince, {dialect.inserted.format('dueSince')})",
                f"lookAt = {dialect.inserted.format('lookAt')}",
            ]
        ),
    )


def looked(dialect: Dialect) -> str:
    """Return the statement that notes what the publisher found of a record."""
    inserted = dialect.inserted.format
    same = f"admin_ddns_record.version = {inserted('version')} AND admin_ddns_record.lookAt IS NOT NULL"
    found = [
        f"{each} = CASE WHEN {same} THEN {inserted(each)} ELSE admin_ddns_record.{each} END"
        for each in ("dueSince", "lookAt")
    ]
    # MySQL assigns from left to right, so lookAt, which the condition reads, comes last.
    kept = [f"{each} = COALESCE({inserted(each)}, admin_ddns_record.{each})" for each in ("sentAt",)]
    free = [f"{each} = {inserted(each)}" for each in ("freeZoneId", "freeTtl", "freeAt")]
    return _LOOKED.format(on_conflict=_on_conflict(dialect), updates=", ".join([*kept, *free, *found]))


def _on_conflict(dialect: Dialect) -> str:
    return dialect.on_conflict.format("hostId, recordType")
