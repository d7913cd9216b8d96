"""Publishing and verifying the journals of many origins at once: one read, one change call, one transaction a write."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import cache
from ipaddress import ip_address
from types import MappingProxyType

import pytest

from ddns_updater.app import factories
from ddns_updater.history.mysql import MySqlHistory
from ddns_updater.history.sqlite import SqliteHistory
from ddns_updater.lib.deadline import Deadline
from ddns_updater.model import Family, OnDrift, Origin, Publication, PublicationState, Record, SeenFree
from ddns_updater.run.journal import JournalWriter
from ddns_updater.run.ports import HistoryStore
from ddns_updater.run.publisher import Publisher
from ddns_updater.run.steps import Policy
from ddns_updater.run.verifier import Verifier
from tests.dns.test_route53 import no_pauses as no_pauses  # a fixture
from tests.support.aws import FakeAws, lose_answer, pending, refuse
from tests.support.database import Database
from tests.support.fakes import Clock
from tests.support.sdk import open_route53

CHANGE = "ChangeResourceRecordSets"
Journals = Sequence[tuple[JournalWriter, Sequence[Record]]]


@pytest.fixture(autouse=True)
def reached(aws: FakeAws, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this process reach Route 53."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws.url)


@pytest.fixture
def zone_id(aws: FakeAws) -> str:
    return aws.zone()


@pytest.fixture
def history(database: Database) -> Iterator[HistoryStore]:
    """Give an open history with the tables of `ddns init`."""
    database.create_tables()
    with factories.open_history(database.settings()) as opened:
        yield opened


class Hosts:
    """Origins called h0, h1, … with a record each; host number N has the address 9.9.9.N."""

    def __init__(self, history: HistoryStore, count: int, zone: str = "example.com") -> None:
        self.history = history
        self.records = [Record(f"h{number}.{zone}", "A") for number in range(count)]
        self.origins = [
            history.seed(each.name, Family.IPV4, ip_address(f"9.9.9.{number}"), None)
            for number, each in enumerate(self.records)
        ]
        self.clock = Clock()
        self.open_dns = cache(open_route53)

    def journals(self) -> list[tuple[JournalWriter, list[Record]]]:
        return [(self.journal(origin), [record]) for origin, record in zip(self.origins, self.records, strict=True)]

    def journal(self, origin: Origin, seen_free: Mapping[Record, SeenFree] = MappingProxyType({})) -> JournalWriter:
        latest = self.history.latest(origin)
        return JournalWriter(self.history, origin, latest, self.clock.monotonic, dry_run=False, seen_free=seen_free)

    def publish(self, journals: Journals, policy: Policy = Policy()) -> None:  # noqa: B008 - it is immutable
        Publisher(policy, self.open_dns).publish(journals)

    def verify(self, journals: Journals, timeout: float = 45) -> None:
        verifier = Verifier(self.open_dns, timeout=timeout, sleep=self.clock.sleep)
        verifier.verify(journals, Deadline(10**6, self.clock.monotonic))

    def stored(self) -> list[Publication]:
        """Return every publication of the latest versions, as the database has it."""
        return [each for origin in self.origins for each in self.history.latest(origin).publications]

    def states(self) -> Counter[str]:
        return Counter(each.state for each in self.stored())


@contextmanager
def counted(history: HistoryStore) -> Iterator[Counter[str]]:
    """Count the transactions that begin in the block, on SQLite the queries for claims as well."""
    found: Counter[str] = Counter()
    if isinstance(history, SqliteHistory):

        def trace(statement: str) -> None:
            found["transactions"] += statement.startswith("BEGIN")
            found["claims"] += "UNION ALL SELECT * FROM admin_dns_publication" in statement

        history._connection.set_trace_callback(trace)
        yield found
        history._connection.set_trace_callback(None)
    else:
        assert isinstance(history, MySqlHistory)
        before = _begun(history)
        yield found
        found["transactions"] += _begun(history) - before


def _begun(history: MySqlHistory) -> int:
    return int(history.execute("SHOW SESSION STATUS LIKE 'Com_begin'").fetchone()[1])


def test_many_origins_are_published_with_one_read_and_one_change(
    history: HistoryStore, aws: FakeAws, zone_id: str
) -> None:
    hosts = Hosts(history, 30)
    journals = hosts.journals()
    with counted(history) as statements:
        hosts.publish(journals)
    assert aws.count() == {"ListHostedZones": 1, "ListResourceRecordSets": 1, CHANGE: 1}
    assert statements["transactions"] == 2  # pending, then submitted
    if isinstance(history, SqliteHistory):
        assert statements["claims"] == 1
    assert hosts.states() == {"submitted": 30}
    assert len({each.change_id for each in hosts.stored()}) == 1
    found = aws.record_sets(zone_id)
    for number, record in enumerate(hosts.records):
        assert found[record]["ResourceRecords"] == [{"Value": f"9.9.9.{number}"}]
    aws.calls.clear()
    with counted(history) as statements:
        hosts.verify(journals)
    assert aws.count() == {"GetChange": 1, "ListResourceRecordSets": 1}
    assert statements["transactions"] == 1
    assert hosts.states() == {"verified": 30}
    assert all(journal.touched for journal, _ in journals)


def test_what_several_zones_hold_is_sent_to_each_at_once(history: HistoryStore, aws: FakeAws, zone_id: str) -> None:
    inner = aws.zone("b.example.com")
    some, others = Hosts(history, 5), Hosts(history, 5, "b.example.com")
    outside = Hosts(history, 2, "example.org")
    journals = some.journals() + others.journals() + outside.journals()
    with counted(history) as statements:
        some.publish(journals)
    assert aws.count() == {"ListHostedZones": 1, "ListResourceRecordSets": 2, CHANGE: 2}
    assert statements["transactions"] == 2 * 2 + 1  # and one for those without a zone
    some.verify(journals)
    assert aws.count()["GetChange"] == 2
    assert {each.hosted_zone_id for each in some.stored()} == {zone_id}
    assert {each.hosted_zone_id for each in others.stored()} == {inner}
    assert some.states() == others.states() == {"verified": 5}
    assert outside.states() == {"pending": 2}
    assert all((each.error or "").startswith("no public hosted zone covers h") for each in outside.stored())


def test_an_obstacle_of_one_origin_does_not_hold_back_the_others(
    history: HistoryStore, aws: FakeAws, zone_id: str
) -> None:
    hosts = Hosts(history, 4)
    taken = hosts.records[1]
    aws.put(
        zone_id,
        {"Name": taken.name, "Type": "CNAME", "TTL": 60, "ResourceRecords": [{"Value": "elsewhere.example.com"}]},
    )
    journals = hosts.journals()
    hosts.publish(journals)
    hosts.verify(journals)
    assert hosts.states() == {"verified": 3, "failed": 1}
    (failed,) = [each for each in hosts.stored() if each.state is PublicationState.FAILED]
    assert failed.record == taken
    assert "a CNAME to elsewhere.example.com exists there" in (failed.error or "")


def test_a_change_that_aws_refuses_is_narrowed_to_its_origin(history: HistoryStore, aws: FakeAws, zone_id: str) -> None:
    hosts = Hosts(history, 8)
    bad = hosts.records[5]
    aws.fault(CHANGE, refuse("InvalidChangeBatch", "not that one"), containing=bad.name)
    journals = hosts.journals()
    hosts.publish(journals)
    hosts.verify(journals)
    assert {each.record for each in hosts.stored() if each.state is not PublicationState.VERIFIED} == {bad}
    assert aws.address(zone_id, bad.name) is None


def test_of_a_record_that_two_origins_publish_at_once_the_first_has_it(
    history: HistoryStore, aws: FakeAws, zone_id: str
) -> None:
    hosts = Hosts(history, 2)
    journals = [(journal, hosts.records[:1]) for journal, _ in hosts.journals()]
    hosts.publish(journals)
    hosts.verify(journals)
    assert [body.count("<Change>") for body in aws.bodies if "<Change>" in body] == [1]
    hosts.publish(journals)
    hosts.verify(journals)
    assert aws.address(zone_id, "h0.example.com") == "9.9.9.0"
    first, second = (journal.get(hosts.records[0]) for journal, _ in journals)
    assert (first.state, second.state) == (PublicationState.VERIFIED, PublicationState.FAILED)
    assert "origin h0.example.com already publishes it" in (second.error or "")


def test_a_record_that_another_origin_claims_is_left_out_of_the_batch(
    history: HistoryStore, aws: FakeAws, zone_id: str
) -> None:
    hosts = Hosts(history, 3)
    line = history.seed("line", Family.IPV4, ip_address("8.8.8.8"), None)
    before = [(hosts.journal(line), [hosts.records[1]])]
    hosts.publish(before)
    hosts.verify(before)
    journals = hosts.journals()
    hosts.publish(journals)
    hosts.verify(journals)
    assert [each.state for each in hosts.stored()] == ["verified", "failed", "verified"]
    assert aws.address(zone_id, hosts.records[1].name) == "8.8.8.8"


@pytest.mark.usefixtures("zone_id")
def test_without_time_a_change_is_asked_for_once_and_those_in_sync_are_read_back(
    history: HistoryStore, aws: FakeAws
) -> None:
    hosts = Hosts(history, 6)
    journals = hosts.journals()
    aws.fault("GetChange", pending, containing=f"/change/{aws.next_change_id}")
    hosts.publish(journals[:3])
    hosts.publish(journals[3:])
    aws.calls.clear()
    hosts.verify(journals, timeout=0)
    assert aws.count() == {"GetChange": 2, "ListResourceRecordSets": 1}
    assert hosts.clock.slept == []
    assert [each.state for each in hosts.stored()] == ["submitted"] * 3 + ["verified"] * 3


@pytest.mark.usefixtures("zone_id")
def test_the_records_of_a_change_that_aws_forgot_are_all_due_again(history: HistoryStore, aws: FakeAws) -> None:
    hosts = Hosts(history, 4)
    journals = hosts.journals()
    hosts.publish(journals)
    aws.fault("GetChange", refuse("NoSuchChange", status=404))
    with counted(history) as statements:
        hosts.verify(journals)
    assert statements["transactions"] == 1
    assert aws.count()["GetChange"] == 1
    assert hosts.states() == {"pending": 4}


@pytest.mark.usefixtures("zone_id")
def test_a_zone_that_cannot_be_read_is_noted_for_all_in_one_transaction(history: HistoryStore, aws: FakeAws) -> None:
    hosts = Hosts(history, 4)
    journals = hosts.journals()
    aws.fault("ListResourceRecordSets", refuse("AccessDenied"))
    with counted(history) as statements:
        hosts.publish(journals)
    assert statements["transactions"] == 1
    assert aws.count()[CHANGE] == 0
    assert all("AWS answered AccessDenied" in (each.error or "") for each in hosts.stored())
    assert hosts.states() == {"pending": 4}


# Sent unread


@pytest.fixture
def host(history: HistoryStore) -> Hosts:
    return Hosts(history, 1)


def ago(history: HistoryStore, zone_id: str, seconds: float, ttl: int | None = None) -> SeenFree:
    return SeenFree(zone_id, history.now() - timedelta(seconds=seconds), ttl)


def publish_one(host: Hosts, seen: SeenFree, policy: Policy) -> Publication:
    """Publish the only record, which was `seen` free; return its publication as it was stored."""
    (record,) = host.records
    host.publish([(host.journal(host.origins[0], {record: seen}), [record])], policy)
    (stored,) = host.stored()
    return stored


def test_a_record_that_was_seen_free_lately_is_sent_without_reading_the_zone(
    host: Hosts, aws: FakeAws, zone_id: str
) -> None:
    stored = publish_one(host, ago(host.history, zone_id, 1800), Policy())
    assert aws.count() == {CHANGE: 1}  # nor is its zone looked for
    assert stored.state is PublicationState.SUBMITTED
    assert (stored.hosted_zone_id, str(stored.address), stored.ttl) == (zone_id, "9.9.9.0", 60)
    assert aws.address(zone_id, "h0.example.com") == "9.9.9.0"


@pytest.mark.parametrize(
    ("seconds", "policy"),
    [
        (3601, Policy()),
        (61, Policy(recheck_every=60)),
        (0, Policy(recheck_every=0)),
        (-600, Policy()),  # by a clock that has gone back since
        (1, Policy(on_drift=OnDrift.REPORT)),
    ],
)
def test_a_record_that_was_not_seen_lately_is_read(
    host: Hosts, aws: FakeAws, zone_id: str, seconds: float, policy: Policy
) -> None:
    assert publish_one(host, ago(host.history, zone_id, seconds), policy).state is PublicationState.SUBMITTED
    assert aws.count() == {"ListHostedZones": 1, "ListResourceRecordSets": 1, CHANGE: 1}


@pytest.mark.usefixtures("zone_id")
def test_a_record_that_was_seen_in_a_zone_that_is_gone_is_looked_for_and_read(host: Hosts, aws: FakeAws) -> None:
    seen = ago(host.history, "ZELSEWHERE", 1)
    assert publish_one(host, seen, Policy()).state is PublicationState.FAILED
    assert publish_one(host, seen, Policy()).state is PublicationState.SUBMITTED
    assert aws.count() == {CHANGE: 2, "ListHostedZones": 1, "ListResourceRecordSets": 1}


def test_a_record_that_was_seen_in_a_zone_that_may_not_be_used_is_read(host: Hosts, aws: FakeAws, zone_id: str) -> None:
    stored = publish_one(host, ago(host.history, "ZELSEWHERE", 1), Policy(hosted_zone_ids=(zone_id,)))
    assert (stored.state, stored.hosted_zone_id) == (PublicationState.SUBMITTED, zone_id)
    assert aws.count()["ListResourceRecordSets"] == 1


def test_a_record_that_failed_is_read(host: Hosts, aws: FakeAws, zone_id: str) -> None:
    aws.fault(CHANGE, refuse("InvalidChangeBatch"), times=1)
    seen = ago(host.history, zone_id, 1)
    assert publish_one(host, seen, Policy()).state is PublicationState.FAILED
    assert aws.count()["ListResourceRecordSets"] == 0
    assert publish_one(host, seen, Policy()).state is PublicationState.SUBMITTED
    assert aws.count()["ListResourceRecordSets"] == 1


def test_an_obstacle_that_came_since_is_found_by_the_read_back_and_then_kept(
    host: Hosts, aws: FakeAws, zone_id: str
) -> None:
    (record,) = host.records
    journals = [(host.journal(host.origins[0], {record: ago(host.history, zone_id, 1)}), [record])]
    host.publish(journals)
    aws.delete(zone_id, record.name)
    aws.put(zone_id, {"Name": record.name, "Type": "CNAME", "TTL": 60, "ResourceRecords": [{"Value": "example.net"}]})
    host.verify(journals)
    assert host.states() == {"failed": 1}
    aws.calls.clear()
    host.publish(journals)
    assert aws.count() == {"ListHostedZones": 1, "ListResourceRecordSets": 1}
    assert "a CNAME to example.net exists there" in (host.stored()[0].error or "")


@pytest.mark.parametrize(("asked", "known", "ttl"), [(None, None, 60), (None, 300, 300), (120, 300, 120), (None, 0, 0)])
def test_the_ttl_of_an_unread_record_is_the_one_that_is_known(
    host: Hosts, aws: FakeAws, zone_id: str, asked: int | None, known: int | None, ttl: int
) -> None:
    stored = publish_one(host, ago(host.history, zone_id, 1, known), Policy(ttl=asked))
    assert stored.ttl == ttl
    assert aws.record_sets(zone_id)[host.records[0]]["TTL"] == ttl


@pytest.mark.usefixtures("no_pauses")
def test_an_unread_record_that_is_sent_again_keeps_its_ttl(host: Hosts, aws: FakeAws, zone_id: str) -> None:
    aws.fault(CHANGE, lose_answer, times=3)
    seen = ago(host.history, zone_id, 1)
    assert publish_one(host, seen._replace(ttl=300), Policy()).state is PublicationState.PENDING
    assert publish_one(host, seen._replace(ttl=900), Policy()).ttl == 300


def test_read_and_unread_records_are_sent_together_and_only_the_others_are_read(
    history: HistoryStore, aws: FakeAws, zone_id: str
) -> None:
    hosts = Hosts(history, 6)
    seen = ago(history, zone_id, 1)
    journals = [
        (hosts.journal(origin, {record: seen} if number else {}), [record])
        for number, (origin, record) in enumerate(zip(hosts.origins, hosts.records, strict=True))
    ]
    aws.fault("ListResourceRecordSets", refuse("AccessDenied"), times=1)
    hosts.publish(journals)
    assert aws.count() == {"ListHostedZones": 1, "ListResourceRecordSets": 1, CHANGE: 1}
    assert hosts.states() == {"pending": 1, "submitted": 5}  # what cannot be read holds back nothing that need not
    hosts.publish(journals)
    assert "h0.example.com" in aws.asked[-2]
    assert aws.count() == {"ListHostedZones": 1, "ListResourceRecordSets": 2, CHANGE: 2}
    hosts.verify(journals)
    assert hosts.states() == {"verified": 6}
