"""Make a hundred thousand hosts as they are once all of them are published; `ddns host add` would take an hour."""

from hashlib import sha256

from ddns_updater.history.sql import SqlHistory

ADDRESS, OTHER = "9.9.9.9", "8.8.8.8"  # global ones, of public resolvers
SECRET = "7k3vq9m2x8c4r6t5w0y1z2n3b4d5f6g7"
_KEY = 10**6  # below it are the keys of everything else


def name_of(number: int) -> str:
    """Return the name, and the login, of a host."""
    return f"h{_KEY + number}.example.com"


def fill(history: SqlHistory, digits: int, zone_id: str) -> None:
    """Insert 10**`digits` hosts with a version each that was seen to hold, with a day until they are rechecked."""
    sqlite = history.engine == "sqlite"
    number = "(" + " + ".join([str(_KEY), *(f"d{place}.n * {10**place}" for place in range(digits))]) + ")"
    name = f"'h' || {number} || '.example.com'" if sqlite else f"CONCAT('h', {number}, '.example.com')"
    now, later = "UTC_TIMESTAMP()", "UTC_TIMESTAMP() + INTERVAL 1 DAY"
    if sqlite:
        now, later = "datetime('now')", "datetime('now', '1 day')"
    digest = sha256(SECRET.encode()).hexdigest()
    tables = {
        "admin_ddns_login (id, login, secretHash, createdAt)": f"{number}, {name}, '{digest}', {now}",
        "admin_ddns_host (id, name, loginId, createdAt)": f"{number}, {name}, {number}, {now}",
        "admin_ip_history (id, ip, name, originId, version)": f"{number}, '{ADDRESS}', {name}, {number}, 1",
        "admin_ddns_record (hostId, recordType, originId, version, lookAt, freeZoneId, freeTtl, freeAt)": (
            f"{number}, 'A', {number}, 1, {later}, '{zone_id}', 60, {now}"
        ),
        "admin_dns_publication (historyId, recordName, recordType, hostedZoneId, address, state, ttl, changeId,"
        " createdAt, submittedAt, verifiedAt, checkedAt)": (
            f"{number}, {name}, 'A', '{zone_id}', '{ADDRESS}', 'verified', 60, 'C0', {now}, {now}, {now}, {now}"
        ),
    }
    ten = " UNION ALL ".join(f"SELECT {digit} AS n" for digit in range(10))
    source = ", ".join(f"d AS d{place}" for place in reversed(range(digits)))
    with history.errors(), history.transaction():
        for table, values in tables.items():
            history.execute(f"INSERT INTO {table} WITH d AS ({ten}) SELECT {values} FROM {source} ORDER BY 1")
