"""History in a table of DynamoDB: where it must act as the SQL engines do, and what only it can meet."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ddns_updater.app import factories
from ddns_updater.errors import HistoryError, NotInitialised, VersionTaken
from ddns_updater.history.dynamodb import DynamoDbHistory
from ddns_updater.history.dynamodb_versions import time_text
from ddns_updater.lib.dynamodb import Table, Update
from ddns_updater.model import Family, HistoryEntry, HistorySummary, Publication, PublicationState, Record, Window
from ddns_updater.run.ports import HistoryStore
from tests.support import aws as faults
from tests.support.aws import FakeAws
from tests.support.database import Database
from tests.support.dynamodb import dynamodb_settings, make_table, sdk

_ONE, _TWO, _THREE = (ip_address(f"192.0.2.{number}") for number in (1, 2, 3))
_RECORD = Record("home.example.com", "A")
_START = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def table(aws: FakeAws, monkeypatch: pytest.MonkeyPatch) -> Table:
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws.url)
    return make_table(aws.url)


@pytest.fixture
def history(table: Table) -> DynamoDbHistory:
    return DynamoDbHistory(table, "here", 60)


def test_init_makes_the_table_once_and_says_what_another_one_lacks(
    aws: FakeAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws.url)
    with factories.open_history(dynamodb_settings(aws.url)) as history:
        with pytest.raises(NotInitialised, match='there is no table ddns in eu-west-1; run "ddns init --name'):
            history.origins()
        with history.lock_init() as taken:
            assert taken
            assert history.upgrade() == 2  # the table, and its backups
        assert (history.upgrade(), history.outdated()) == (0, ())
    about = sdk(aws.url).describe_table(TableName="ddns")["Table"]
    assert about["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    backups = sdk(aws.url).describe_continuous_backups(TableName="ddns")["ContinuousBackupsDescription"]
    assert backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "ENABLED"


def test_a_table_with_other_keys_is_refused(aws: FakeAws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws.url)
    sdk(aws.url).create_table(
        TableName="ddns",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    with factories.open_history(dynamodb_settings(aws.url)) as history:
        assert history.outdated() == ("the keys pk and sk with the local index byLook",)
        with pytest.raises(HistoryError, match="the table ddns is not one of ddns-updater: its keys must be pk and sk"):
            history.upgrade()


def test_only_one_init_works_on_a_table(history: DynamoDbHistory, table: Table) -> None:
    with history.lock_init() as mine, DynamoDbHistory(table, "here", 60).lock_init() as theirs:
        assert (mine, theirs) == (True, False)


def test_an_origin_without_a_version_is_none_yet_and_is_seeded_again(history: DynamoDbHistory, table: Table) -> None:
    table.put("origin", "line#ipv4", {"name": "line", "family": "ipv4"}, token="killed after it")
    assert (history.origins(), history.origins("line")) == ((), ())
    origin = history.seed("line", Family.IPV4, _ONE, "office")
    assert history.origins("line") == history.origins() != ()
    assert (history.newest(origin).ip, history.newest(origin).note) == ("192.0.2.1", "office")


def test_a_version_that_another_run_appended_is_not_appended_again(history: DynamoDbHistory) -> None:
    origin = history.seed("line", Family.IPV4, _ONE, None)
    first = history.newest(origin)
    assert history.append(origin, first, _TWO).version.address == _TWO
    with pytest.raises(VersionTaken, match="version 2 of line was appended by another run"):
        history.append(origin, first, _THREE)
    assert history.newest(origin).address == _TWO


def test_an_append_whose_answer_was_lost_knows_its_own(history: DynamoDbHistory, aws: FakeAws) -> None:
    origin = history.seed("line", Family.IPV4, _ONE, None)
    first = history.newest(origin)
    aws.fault("PutItem", faults.lose_answer, times=1)
    assert history.append(origin, first, _TWO).version.version == 2
    assert history.newest(origin).version == 2


def test_a_run_that_comes_back_after_its_lease_undoes_nothing(table: Table) -> None:
    late, next_one = (DynamoDbHistory(table, "here", 60) for _ in range(2))
    origin = late.seed("line", Family.IPV4, _ONE, None)
    pending = Publication(_RECORD, _START, hosted_zone_id="Z1", address=_ONE, ttl=60)
    with late.lock(origin) as mine:
        journal = late.latest(origin)
        table.update("lease", f"origin#{origin.id}", Update({"until": 0}))  # it is suspended for that long
        with next_one.lock(origin) as theirs:
            assert (mine, theirs) == (True, True)
            verified = pending._replace(state=PublicationState.VERIFIED, verified_at=_START)
            next_one.save([(next_one.latest(origin).version, verified)])
            with pytest.raises(HistoryError, match="was changed meanwhile"):
                late.save([(journal.version, pending)])
            with DynamoDbHistory(table, "here", 60).lock(origin) as third:
                assert not third  # the late one has not given back what is not its own
    assert next_one.latest(origin).publications == (verified,)


def test_a_host_is_no_line_and_a_claim_on_its_record_is_seen(history: DynamoDbHistory, table: Table) -> None:
    line = history.seed("line", Family.IPV4, _ONE, None)
    history.versions.append("home.example.com#ipv4", 1, _TWO)
    table.put("host", "home.example.com", {"login": "home.example.com"})
    for key, address in (("home.example.com#ipv4", _TWO), ("line#ipv4", _ONE)):
        journal = history.versions.latest(key)
        assert journal
        published = Publication(
            _RECORD, _START, PublicationState.SUBMITTED, "Z1", address, 60, "C1", submitted_at=_START
        )
        history.save([(journal.version, published)])
    assert [each.name for each in history.origins()] == ["line"]
    assert [each.is_host for each in history.origins("home.example.com")] == [True]
    assert history.has_host("home.example.com")
    assert not history.has_host("line")
    claims = history.claims([_RECORD], _START)
    assert [(each.name, each.holds, each.at) for each in claims] == [
        ("home.example.com", True, _START),
        ("line", True, _START),
    ]
    assert history.claims([_RECORD], _START + timedelta(seconds=1)) == []
    assert history.claims([Record("other.example.com", "A")], _START) == []
    assert history.newest(line).address == _ONE


def test_what_was_sent_for_earlier_versions_is_known(history: DynamoDbHistory) -> None:
    origin = history.seed("line", Family.IPV4, _ONE, None)
    first = history.latest(origin)
    sent = Publication(_RECORD, _START, PublicationState.PENDING, "Z1", _ONE, 60, submitted_at=_START)
    history.save([(first.version, sent)])
    second = history.append(origin, first.version, _TWO)
    assert history.sent_before({origin: second.version}) == {origin: {sent.sent}}
    assert history.sent_before({origin: first.version}) == {origin: set()}


def test_writing_is_checked_without_a_write(history: DynamoDbHistory, table: Table, aws: FakeAws) -> None:
    history.check_writing()
    assert sdk(aws.url).scan(TableName=table.name)["Items"] == []
    for operation in ("PutItem", "UpdateItem", "DeleteItem"):
        aws.heal()
        aws.fault(operation, faults.refuse_item("AccessDeniedException"))
        with pytest.raises(HistoryError, match=f"AWS refuses dynamodb:{operation} on the table ddns; attach the"):
            history.check_writing()


def test_a_run_that_was_suspended_beyond_its_lease_writes_nothing_that_it_found_before(
    history: DynamoDbHistory, table: Table
) -> None:
    origin = history.seed("line", Family.IPV4, _ONE, None)
    clock = [0.0]
    late = DynamoDbHistory(table, "here", 60, lambda: clock[0])
    with late.lock(origin):
        journal = late.latest(origin)
        late.save([(journal.version, Publication(_RECORD, _START))])
        clock[0] = 60
        with pytest.raises(HistoryError, match="this run of line, ipv4, was suspended for longer than its lease; the"):
            late.append(origin, journal.version, _TWO)
        with pytest.raises(HistoryError, match="was suspended"):
            late.save([(journal.version, Publication(_RECORD, _START, PublicationState.FAILED))])
    assert history.latest(origin).version.address == _ONE
    with late.lock(origin):
        assert late.append(origin, late.newest(origin), _TWO).version.version == 2


@pytest.mark.parametrize("name", ["a#ipv4", "a", "a#", "#", "ä" * 255, " #ipv6", "a v#00000001", "\U0001f3e0" * 240])
def test_an_origin_may_have_any_name(history: DynamoDbHistory, name: str) -> None:
    others = [history.seed(other, Family.IPV4, _TWO, None) for other in ("a#ipv4#ipv4", "b", "a#ipv6")]
    origins = {family: history.seed(name, family, _ONE, None) for family in Family}
    for origin in origins.values():
        with history.lock(origin) as taken:
            assert taken
            assert history.append(origin, history.newest(origin), _THREE).version.version == 2
    assert {each.family: each.id for each in history.origins(name)} == {f: each.id for f, each in origins.items()}
    assert {each.name for each in history.origins()} == {name, "a#ipv4#ipv4", "b", "a#ipv6"}
    assert [history.newest(each).version for each in others] == [1, 1, 1]


def test_a_name_that_no_key_holds_is_refused(history: DynamoDbHistory) -> None:
    with pytest.raises(HistoryError, match="is too long for DynamoDB; choose one that is shorter in UTF-8"):
        history.seed("\U0001f3e0" * 255, Family.IPV4, _ONE, None)


moments = st.lists(st.integers(0, 60), min_size=1, max_size=6, unique=True).map(sorted)
sides = st.none() | st.integers(-5, 65)


@given(times=moments, start=sides, end=sides, below=st.none() | st.integers(1, 8), limit=st.integers(1, 8))
@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_windows_hold_the_same_versions_as_in_sql(
    times: list[int], start: int | None, end: int | None, below: int | None, limit: int, both: "Both"
) -> None:
    window = Window(*(None if each is None else _START + timedelta(seconds=each) for each in (start, end)))
    expected, found = both.read([_START + timedelta(seconds=each) for each in times], window, limit, below)
    assert found == expected


Found = tuple[list[tuple[int, datetime | None]], HistorySummary]


class Both:
    """One line in SQLite and in DynamoDB, whose versions are replaced for each example."""

    def __init__(self, database: Database, sql: HistoryStore, table: Table) -> None:
        self._database, self._sql, self._table = database, sql, table
        self._other = DynamoDbHistory(table, "here", 60)
        self._origins = [each.seed("line", Family.IPV4, _ONE, None) for each in (sql, self._other)]
        self._count = 1

    def read(self, times: list[datetime], window: Window, limit: int, below: int | None) -> tuple[Found, Found]:
        """Give the line versions of these times, and return what each engine says of them."""
        for number in range(1, max(self._count, len(times)) + 1):
            if number > len(times):
                self._table.delete("line#line#ipv4", f"v#{number:08}")
            else:
                item: dict[str, Any] = {"ip": "192.0.2.1", "createdAt": time_text(times[number - 1]), "pubs": {}}
                self._table.put("line#line#ipv4", f"v#{number:08}", item)
        self._count = len(times)
        self._database.sql("DELETE FROM admin_ip_history")
        for number, at in enumerate(times, 1):
            self._database.sql(
                "INSERT INTO admin_ip_history (id, ip, name, version, originId, createdAt) VALUES (?, ?, ?, ?, ?, ?)",
                (number, "192.0.2.1", "line", number, self._origins[0].id, f"{at:%Y-%m-%d %H:%M:%S}"),
            )
        one, other = (
            (
                [_told(each) for each in store.entries(origin, limit, window, below=below)],
                store.summary(origin, window),
            )
            for store, origin in zip((self._sql, self._other), self._origins, strict=True)
        )
        return _rounded(one), _rounded(other)


def _told(entry: HistoryEntry) -> tuple[int, datetime | None]:
    return entry.version.version, entry.until


def _rounded(found: Found) -> Found:
    """Leave out what the clock adds to the version that is still current."""
    entries, summary = found
    still = timedelta(days=30)
    end, start = (min(each, _START + still) for each in (summary.end, summary.start))
    return entries, summary._replace(longest=min(summary.longest, still), end=end, start=start)


@pytest.fixture
def both(sqlite: Database, table: Table) -> Iterator[Both]:
    with factories.open_history(sqlite.settings(), for_init=True) as sql:
        sql.upgrade()
        yield Both(sqlite, sql, table)


def test_a_throttled_call_is_tried_again_and_a_throttled_table_is_told(history: DynamoDbHistory, aws: FakeAws) -> None:
    origin = history.seed("line", Family.IPV4, _ONE, None)
    aws.fault("Query", faults.refuse_item("ProvisionedThroughputExceededException"), times=1)
    assert history.newest(origin).address == _ONE
    aws.fault("Query", faults.refuse_item("ProvisionedThroughputExceededException"))
    with pytest.raises(HistoryError, match="ProvisionedThroughputExceededException"):
        history.newest(origin)
