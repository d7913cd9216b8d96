"""The writes to a table of DynamoDB, each of which stands alone: killed between two, lost, too late, too large."""

from collections.abc import Iterator
from datetime import timedelta
from ipaddress import ip_address
from typing import Any

import pytest

from ddns_updater.app import factories
from ddns_updater.errors import HistoryError, VersionTaken
from ddns_updater.history.dynamodb import DynamoDbHistory
from ddns_updater.model import Family, Origin, Publication, PublicationState, Record, Window
from ddns_updater.settings.settings import Settings
from tests.support.aws import FakeAws, lose_answer, refuse_item, replacing
from tests.support.dynamodb import dynamodb_settings, make_table, sdk

_ONE, _TWO = (ip_address(each) for each in ("192.0.2.1", "192.0.2.2"))
_RECORD = Record("home.example.com", "A")


@pytest.fixture
def settings(aws: FakeAws, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Give settings for a table that is not there yet."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws.url)
    return dynamodb_settings(aws.url)


@pytest.fixture
def history(settings: Settings) -> Iterator[DynamoDbHistory]:
    """Give a history in a table that `init` has made."""
    with factories.open_history(settings, for_init=True) as opened:
        assert isinstance(opened, DynamoDbHistory)
        assert opened.upgrade() == 2
        yield opened


@pytest.fixture
def line(history: DynamoDbHistory) -> Origin:
    return history.seed("line", Family.IPV4, _ONE, None)


def _other(history: DynamoDbHistory) -> DynamoDbHistory:
    """Return the history as another process opens it."""
    return DynamoDbHistory(history.table, history.place, 60)


def _verified(history: DynamoDbHistory, record: Record = _RECORD, **more: Any) -> Publication:
    now = history.now()
    sent = Publication(record, now, PublicationState.VERIFIED, "Z1", _ONE, 60, "C1", checked_at=now)
    return sent._replace(**more)


def test_an_init_that_was_killed_before_recovery_was_switched_on_is_done_by_the_next(
    settings: Settings, aws: FakeAws
) -> None:
    aws.fault("UpdateContinuousBackups", refuse_item("InternalServerError"))
    with factories.open_history(settings, for_init=True) as history:
        with pytest.raises(HistoryError, match="failed to switch on the point-in-time recovery of the table ddns"):
            history.upgrade()
        aws.heal()
        assert history.outdated() == ("point-in-time recovery",)
        assert history.upgrade() == 1
        assert history.outdated() == ()


def test_two_inits_at_once_make_one_table(settings: Settings, aws: FakeAws) -> None:
    def made_meanwhile(call: Any) -> bytes:
        make_table(aws.url)
        return bytes(call.forward())

    aws.fault("CreateTable", made_meanwhile, times=1)
    with factories.open_history(settings, for_init=True) as history:
        assert history.upgrade() == 1
        assert history.outdated() == ()


def test_init_waits_until_a_new_table_and_its_backups_can_be_used(settings: Settings, aws: FakeAws) -> None:
    unknown = refuse_item("ResourceNotFoundException")
    aws.fault("DescribeTable", unknown, times=1, after=1)  # a description may be older than the table
    creating = replacing('"TableStatus": "ACTIVE"', '"TableStatus": "CREATING"')
    aws.fault("DescribeTable", creating, times=1)
    enabling = refuse_item("ContinuousBackupsUnavailableException", "Backups are being enabled for the table: ddns")
    aws.fault("UpdateContinuousBackups", enabling, times=2)
    with factories.open_history(settings, for_init=True) as history:
        assert history.upgrade() == 2
        assert history.outdated() == ()
    assert aws.count()["DescribeTable"] > 3


def test_init_waits_for_a_table_that_another_one_is_creating(settings: Settings, aws: FakeAws) -> None:
    make_table(aws.url)

    def has_no_backups_yet(call: Any) -> bytes:
        still = aws.count()["DescribeTable"] < 3
        return refuse_item("TableNotFoundException")(call) if still else bytes(call.forward())

    aws.fault("DescribeTable", replacing('"TableStatus": "ACTIVE"', '"TableStatus": "CREATING"'), times=2)
    aws.fault("DescribeContinuousBackups", has_no_backups_yet)
    with factories.open_history(settings, for_init=True) as history:
        assert history.upgrade() == 1


@pytest.mark.parametrize("after", [0, 1])
def test_a_seed_that_was_killed_half_way_is_done_again(aws: FakeAws, history: DynamoDbHistory, after: int) -> None:
    aws.fault("PutItem", refuse_item("InternalServerError"), after=after)
    with pytest.raises(HistoryError):
        history.seed("line", Family.IPV4, _ONE, None)
    aws.heal()
    assert history.origins("line") == history.origins() == ()
    assert not history.has_host("line")
    origin = history.seed("line", Family.IPV4, _TWO, None)
    assert history.latest(origin).version.ip == str(_TWO)
    assert [each.id for each in history.origins()] == [origin.id]


def test_an_append_whose_answer_was_lost_knows_its_own_version(
    aws: FakeAws, history: DynamoDbHistory, line: Origin
) -> None:
    aws.fault("PutItem", lose_answer, times=1)
    aws.fault("UpdateItem", lose_answer, times=1)
    assert history.append(line, history.latest(line).version, _TWO).version.version == 2
    assert aws.count()["PutItem"] == 4  # two to seed, and two
    assert [each.version.ip for each in history.entries(line, 9, Window())] == [str(_TWO), str(_ONE)]


def test_a_save_whose_answer_was_lost_knows_its_own(aws: FakeAws, history: DynamoDbHistory, line: Origin) -> None:
    version = history.latest(line).version
    aws.fault("UpdateItem", lose_answer, times=1)
    for attempts in (1, 2):
        history.save([(version, _verified(history, attempts=attempts))])
    assert [each.attempts for each in history.latest(line).publications] == [2]


def test_a_run_that_was_suspended_saves_nothing_once_the_next_one_has_appended(
    history: DynamoDbHistory, line: Origin
) -> None:
    late = _other(history)
    version = late.latest(line).version
    history.append(line, history.latest(line).version, _TWO)
    with pytest.raises(HistoryError, match="was changed meanwhile by another run"):
        late.save([(version, _verified(late))])  # before each change is sent, that is saved
    with pytest.raises(VersionTaken, match="version 2 of line was appended by another run"):
        late.append(line, version, _TWO)


def test_a_version_is_not_appended_over_what_another_run_has_saved(history: DynamoDbHistory, line: Origin) -> None:
    late = _other(history)
    version = late.latest(line).version
    history.latest(line)
    history.save([(version, _verified(history))])
    with pytest.raises(HistoryError, match="was changed meanwhile by another run") as refused:
        late.append(line, version, _TWO)
    assert not isinstance(refused.value, VersionTaken)
    assert history.latest(line).version.version == 1


def test_publications_that_do_not_fit_an_item_are_refused_in_one_line(history: DynamoDbHistory, line: Origin) -> None:
    version = history.latest(line).version
    many = [_verified(history, Record(f"{number}.example.com", "A"), error="x" * 1000) for number in range(400)]
    with pytest.raises(
        HistoryError, match="than the 400 KB of an item in DynamoDB hold; divide DDNS_RECORDS among several origins"
    ):
        history.save((version, each) for each in many)
    assert history.latest(line).publications == ()


def test_a_claim_is_that_of_the_origin_whichever_version_has_it(history: DynamoDbHistory, line: Origin) -> None:
    other = history.seed("another", Family.IPV4, _ONE, None)
    since = history.now() - timedelta(hours=2)
    assert history.claims([_RECORD], since) == []
    history.save([(history.latest(line).version, _verified(history))])
    history.append(line, history.latest(line).version, _TWO)  # and was killed before it saved anything
    refused = _verified(history, state=PublicationState.FAILED, change_id=None)
    history.save([(history.latest(other).version, refused)])
    now = history.now()
    found = history.claims([_RECORD], since)
    assert [(each.name, each.holds) for each in found] == [("another", False), ("line", True)]
    assert all(abs(each.at - now) < timedelta(seconds=30) for each in found)
    assert history.claims([_RECORD], now + timedelta(minutes=1)) == []
    assert history.claims([Record("other.example.com", "A")], since) == []


def test_a_claim_is_found_however_often_the_address_has_changed_since(history: DynamoDbHistory, line: Origin) -> None:
    since = history.now() - timedelta(hours=2)
    history.save([(history.latest(line).version, _verified(history))])
    for number in range(25):
        history.append(line, history.latest(line).version, ip_address(f"8.8.8.{number}"))
    assert [each.name for each in history.claims([_RECORD], since)] == ["line"]


def test_a_publication_of_a_newer_program_stops_the_run_of_its_origin_alone(
    history: DynamoDbHistory, line: Origin, aws: FakeAws
) -> None:
    other = history.seed("another", Family.IPV4, _ONE, None)
    history.save([(history.latest(line).version, _verified(history))])
    sdk(aws.url).update_item(
        TableName="ddns",
        Key={"pk": {"S": "line#line#ipv4"}, "sk": {"S": "v#00000001"}},
        UpdateExpression="SET pubs.#record.#state = :state",
        ExpressionAttributeNames={"#record": str(_RECORD), "#state": "state"},
        ExpressionAttributeValues={":state": {"S": "leased"}},
    )
    with pytest.raises(HistoryError, match="update ddns here if a newer one wrote that"):
        history.latest(line)
    assert {each.name for each in history.origins()} == {"line", "another"}
    assert history.claims([_RECORD], history.now() - timedelta(hours=2)) == []
    assert history.latest(other).version.version == 1
