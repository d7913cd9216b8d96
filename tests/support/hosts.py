"""Hosts of the update endpoint, as their requests leave them."""

from datetime import datetime, timedelta

from ddns_updater.app.factories import open_hosts
from ddns_updater.hosts import Host, HostRecord, LastRequest, Looked, NewHost, Verdict
from ddns_updater.model import Family, Publication, PublicationState, parse_address
from tests.support.database import Database

SECRET = "m" * 32
ZONE = "Z0123456789"


def add(database: Database, name: str = "nas.example.com", **more: object) -> Host:
    """Add a host as the operator would."""
    with open_hosts(database.settings()) as hosts:
        return hosts.add(NewHost(name, str(more.pop("login", name)), more.pop("secret", SECRET), **more))  # type: ignore[arg-type]


def update(database: Database, host: Host, *addresses: str, client: str = "ddclient/3.10.0") -> None:
    """Let a host send its addresses, one of each family."""
    given = {Family.IPV6 if ":" in each else Family.IPV4: parse_address(each) for each in addresses}
    with open_hosts(database.settings()) as hosts:
        ((verdict, *_),) = hosts.update([(host, {family: each for family, each in given.items() if each})])
        hosts.note_requests({host.id: LastRequest(hosts.now(), client, addresses[0], verdict)})
        assert verdict is Verdict.GOOD


def publish(
    database: Database,
    state: PublicationState = PublicationState.VERIFIED,
    *,
    error: str | None = None,
    due_for: timedelta = timedelta(0),
) -> None:
    """Do with all that is due as the publisher would that finds it in this state."""
    with open_hosts(database.settings()) as hosts:
        now = hosts.now()
        found = hosts.due(1000)
        for each in found:
            hosts.history.save([(each.journal.version, _published(each, state, now, error))])
        is_done = state is PublicationState.VERIFIED
        hosts.looked(
            [Looked(each._replace(due_since=now - due_for), is_done, now + timedelta(hours=1)) for each in found]
        )


def age(database: Database, time: timedelta) -> None:
    """Let time pass for the publisher: all that is written down of records happened that much earlier."""
    seconds = int(time.total_seconds())
    for table, columns in {
        "admin_ddns_record": ("dueSince", "lookAt", "sentAt", "freeAt"),
        "admin_dns_publication": ("createdAt", "submittedAt", "verifiedAt", "checkedAt", "driftAt"),
    }.items():
        earlier = "datetime({0}, '-{1} seconds')" if database.engine == "sqlite" else "{0} - INTERVAL {1} SECOND"
        changes = ", ".join(f"{column} = {earlier.format(column, seconds)}" for column in columns)
        database.sql(f"UPDATE {table} SET {changes}")


def _published(each: HostRecord, state: PublicationState, now: datetime, error: str | None) -> Publication:
    is_seen = now if state is PublicationState.VERIFIED else None
    return Publication(
        each.record,
        now,
        state,
        hosted_zone_id=ZONE,
        address=each.journal.version.address,
        ttl=60,
        change_id=None if state is PublicationState.FAILED else "C1",
        error=error,
        submitted_at=now,
        verified_at=is_seen,
        checked_at=is_seen,
    )
