"""What was sent for earlier versions is read for many origins at once."""

from collections.abc import Iterator
from ipaddress import ip_address

import pytest

from ddns_updater.app.factories import open_hosts
from ddns_updater.hosts import NewHost
from ddns_updater.model import Family, Origin, Publication, PublicationState, Record, Version
from ddns_updater.run.journal import JournalWriter, read_sent
from ddns_updater.server.ports import HostStore
from tests.support.database import Database

_ONE, _TWO = ip_address("9.9.9.9"), ip_address("8.8.8.8")


@pytest.fixture
def hosts(database: Database) -> Iterator[HostStore]:
    database.create_tables()
    with open_hosts(database.settings()) as opened:
        yield opened


class _Counting:
    """A history that counts how often it is asked, and for how many origins."""

    def __init__(self, hosts: HostStore) -> None:
        self._history = hosts.history
        self.asked: list[int] = []

    def sent_before(self, versions: dict[Origin, Version]) -> object:
        self.asked.append(len(versions))
        return self._history.sent_before(versions)


def test_each_journal_has_what_was_sent_of_its_own_origin(hosts: HostStore) -> None:
    names = [f"h{number}.example.com" for number in range(250)]
    added = [hosts.add(NewHost(name, name, "s" * 32)) for name in names]
    hosts.update([(each, {Family.IPV4: _ONE}) for each in added])
    due = hosts.due(1000)
    hosts.history.save(
        (each.journal.version, Publication(each.record, hosts.now(), PublicationState.SUBMITTED, "Z1", _ONE, 60, "C1"))
        for each in due
        if each.host != added[0]
    )
    hosts.update([(each, {Family.IPV4: _TWO}) for each in added])
    history = _Counting(hosts)
    journals = [
        JournalWriter(
            history,  # type: ignore[arg-type] # only what it asks for
            Origin(each.origin_id, each.host.name, each.family),
            each.journal,
            lambda: 0.0,
            dry_run=False,
        )
        for each in hosts.due(1000)
    ]
    read_sent(journals)
    found = {each.origin.name: each.sent(Record(each.origin.name, "A"), "Z1") for each in journals}
    assert found == {name: frozenset({_ONE}) if name != names[0] else frozenset() for name in names}
    assert history.asked == [250]
