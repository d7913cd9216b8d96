"""Sweeps as a server reports them."""

from datetime import UTC, datetime, timedelta

from ddns_updater.hosts import Failing, Host, Sweep
from ddns_updater.model import Record

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
GOOD = Sweep(hosts=50)
DATABASE_DOWN = Sweep("the database at db.example.com refused the connection; check that it runs")
DENIED = "failed to change records: AccessDenied; allow route53:ChangeResourceRecordSets"


def failing(*names: str, error: str = DENIED, number: int | None = None) -> Sweep:
    """Return a sweep in which the A records of `names` fail; `number` is how many do in all."""
    examples = tuple(
        Failing(Record(f"{name}.example.com", "A"), error.format(name=f"{name}.example.com"), NOW) for name in names
    )
    return Sweep(hosts=50, failing=len(names) if number is None else number, examples=examples)


def slowed(*names: str, at: datetime = NOW) -> Sweep:
    """Return a good sweep in which the hosts with `names` are slowed down since `at`."""
    hosts = (Host(name, f"{name}.example.com", name, NOW - timedelta(days=9), slowed_at=at) for name in names)
    return Sweep(hosts=50, slowed=tuple(hosts))
