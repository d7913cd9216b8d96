"""What a status page shows, made without a database: a line and so many hosts in every state."""

from collections.abc import Hashable, Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv6Address
from random import Random

from ddns_updater.hosts import Held, Host, HostEntry, LastRequest, Overview, Verdict
from ddns_updater.model import (
    Address,
    Family,
    Incident,
    Journal,
    Outcome,
    Publication,
    PublicationState,
    Record,
    Version,
)
from ddns_updater.state.host_status import HostsStatus
from ddns_updater.state.run_state import RunState
from ddns_updater.state.status import Status

NOW = datetime(2026, 5, 3, 14, 0, tzinfo=UTC)
CLIENTS = ("ddclient/3.10.0", "Fritz!Box DDNS/1.0.1", "inadyn/2.10.0", "Synology-DDNS/7.2-64570", "Speedport Smart 4")
_FIRST = {Family.IPV4: int(IPv4Address("203.0.113.0")), Family.IPV6: int(IPv6Address("2001:db8:4f2:9c00::"))}


def journal(
    name: str,
    address: Address,
    since: datetime,
    state: PublicationState | None = PublicationState.VERIFIED,
    error: str | None = None,
    version: int = 3,
) -> Journal:
    """Return the latest version of `name` with a publication in `state`, without one for None."""
    family = Family.IPV4 if address.version == 4 else Family.IPV6
    known = Publication(
        Record(name, family.record_type),
        since,
        state or PublicationState.PENDING,
        hosted_zone_id="Z1",
        address=address,
        error=error,
        checked_at=NOW - timedelta(minutes=9) if state is PublicationState.VERIFIED else None,
    )
    return Journal(Version(1, name, version, str(address), address, since), (known,) if state else (), NOW)


def line(incident: Incident | None = None, **changes: object) -> Status:
    """Return the status of a line with two records."""
    address = IPv4Address("192.0.2.7")
    records = [Record("home.example.com", "A"), Record("vpn.example.com", "A")]
    known = journal("home.example.com", address, NOW - timedelta(days=3))
    publications = (*known.publications, known.publications[0]._replace(record=records[1]))
    made = Status(
        name="home",
        now=NOW,
        journals={Family.IPV4: known._replace(publications=publications)},
        records={Family.IPV4: list(zip(records, publications, strict=True))},
        run_state=RunState(
            runs={Outcome.UNCHANGED: 7},
            recent=tuple(NOW - timedelta(minutes=each) for each in (15, 10, 5)),
            ended=NOW - timedelta(minutes=5),
            outcome=Outcome.FAILED if incident else Outcome.UNCHANGED,
            last_success=NOW - timedelta(minutes=60 if incident else 5),
            incident=incident,
        ),
    )
    return made._replace(**changes)  # type: ignore[arg-type] # fields of it


def hosts(number: int) -> HostsStatus:
    """Return so many hosts: every third has IPv6 too, one in fifty is failing, and some are odd in other ways."""
    random = Random(number)
    entries: list[HostEntry] = []
    addresses: dict[tuple[Hashable, Family], Sequence[Held]] = {}
    states: dict[PublicationState | None, int] = {}
    for key in range(number):
        name = f"{random.choice(('branch', 'cam', 'nas', 'router'))}-{key:04}.dyn.example.com"
        journals = {}
        for family in Family if key % 3 == 1 else (Family.IPV4,) if key % 97 != 3 else ():
            held = _addresses(random, family, changes=random.choice((0, 0, 1, 2, 5, 29)))
            if held[0].version > 4 and held[0].since > NOW - timedelta(days=1):
                state, error = PublicationState.SUBMITTED, None
            elif key % 50 == 7:
                state, error = PublicationState.FAILED, "the record set is an alias of Amazon CloudFront"
            else:
                state, error = PublicationState.VERIFIED, None
            address = IPv4Address(held[0].ip) if family is Family.IPV4 else IPv6Address(held[0].ip)
            since = NOW - timedelta(minutes=4) if state is PublicationState.SUBMITTED else held[0].since
            journals[family] = journal(name, address, since, state, error, held[0].version)
            addresses[key, family] = held
            states[state] = states.get(state, 0) + 1
        host = Host(key, name, name, NOW - timedelta(days=90), blocked_at=NOW if key % 200 == 11 else None)
        at = NOW - timedelta(seconds=random.randrange(1, 3600))
        own = journals[Family.IPV4].version.ip if Family.IPV4 in journals else "198.51.100.77"
        last = LastRequest(at, random.choice(CLIENTS), own, random.choice((Verdict.GOOD, Verdict.NOCHG, Verdict.NOCHG)))
        entries.append(HostEntry(host, journals, last if journals else None))
    entries.sort(key=lambda each: each.host.name)
    due = states.get(PublicationState.SUBMITTED, 0) + states.get(PublicationState.FAILED, 0)
    return HostsStatus(
        overview=Overview(
            hosts=number,
            blocked=sum(bool(each.host.blocked_at) for each in entries),
            slowed=0,
            records=sum(states.values()),
            due=due,
            refused=states.get(PublicationState.FAILED, 0),
            waiting_since=NOW - timedelta(minutes=37) if due else None,
            read_at=NOW,
        ),
        entries=entries,
        since=NOW - timedelta(days=30),
        addresses=addresses,
        most=40,
    )


def statuses(number: int, *, incident: Incident | None = None) -> tuple[Status, HostsStatus]:
    """Return the line and so many hosts."""
    found = hosts(number)
    return line(incident, hosts=found.overview), found


def _addresses(random: Random, family: Family, changes: int) -> list[Held]:
    days = sorted(random.uniform(0.01, 29) for _ in range(changes))
    times = [NOW - timedelta(days=each) for each in [*days, 41]]
    spread = 250 if family is Family.IPV4 else 2**64
    first = IPv4Address if family is Family.IPV4 else IPv6Address
    return [
        Held(len(times) - place, str(first(_FIRST[family] + random.randrange(1, spread))), time)
        for place, time in enumerate(times)
    ]
