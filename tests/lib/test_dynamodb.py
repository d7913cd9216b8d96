"""One table of DynamoDB: conditional writes that know their own, queries in pages, and leases."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from ddns_updater.errors import HistoryError, NotInitialised
from ddns_updater.lib.aws import Client
from ddns_updater.lib.dynamodb import Changed, Table, TooLarge, Update
from tests.support.aws import FakeAws, answering, cut, lose_answer, refuse_item
from tests.support.dynamodb import REGION, make_table


@pytest.fixture
def table(aws: FakeAws, monkeypatch: pytest.MonkeyPatch) -> Table:
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws.url)
    return make_table(aws.url)


def _numbers(items: object) -> list[int]:
    return [item["number"] for item in items]  # type: ignore[attr-defined]


def test_an_item_is_read_as_it_was_written(table: Table) -> None:
    item = {"text": "ä — \\", "number": 2**40, "yes": True, "nothing": None, "list": [1, {"a": []}], "map": {"b": 2}}
    table.put("p", "s", item)
    assert table.get("p", "s") == {"pk": "p", "sk": "s", **item}
    assert type((table.get("p", "s") or {})["number"]) is int
    assert table.get("p", "another") is None


def test_only_one_put_with_a_token_wins(table: Table) -> None:
    table.put("p", "s", {"number": 1}, token="one")
    with pytest.raises(Changed):
        table.put("p", "s", {"number": 2}, token="another")
    assert _numbers([table.get("p", "s")]) == [1]
    table.put("p", "s", {"number": 3})
    assert _numbers([table.get("p", "s")]) == [3]


def test_a_put_that_is_repeated_after_a_lost_answer_knows_its_own(table: Table, aws: FakeAws) -> None:
    aws.fault("PutItem", lose_answer, times=1)
    table.put("p", "s", {"number": 1}, token="one")
    assert aws.count()["PutItem"] == 2


def test_an_update_sets_keeps_and_removes(table: Table) -> None:
    first = table.update("p", "s", Update({"a": 1}, {"since": 1, "b": 1}))
    second = table.update("p", "s", Update({"a": 2}, {"since": 2}, remove=("b",)))
    assert first == {"pk": "p", "sk": "s", "a": 1, "b": 1, "since": 1}
    assert second == table.get("p", "s") == {"pk": "p", "sk": "s", "a": 2, "since": 1}


def test_an_update_and_a_delete_hold_to_their_condition(table: Table) -> None:
    table.put("p", "s", {"owner": "me"})
    theirs = Update({"owner": "them"}, condition="#owner = :them", names=("owner",), values={"them": "them"})
    with pytest.raises(Changed, match="an item of the table ddns was changed meanwhile"):
        table.update("p", "s", theirs)
    with pytest.raises(Changed):
        table.delete("p", "s", "#owner = :them", ("owner",), {"them": "them"})
    assert (table.get("p", "s") or {})["owner"] == "me"
    table.delete("p", "s", "#owner = :me", ("owner",), {"me": "me"})
    table.delete("p", "s")
    assert table.get("p", "s") is None


def test_a_query_gives_a_part_of_a_partition_in_order(table: Table) -> None:
    for number in (2, 1, 4, 3):
        table.put("p", f"a{number}", {"number": number, "lookAt": f"{9 - number}"})
    table.put("p", "b", {"number": 9})
    table.put("another", "a1", {"number": 8})
    assert _numbers(table.query("p")) == [1, 2, 3, 4, 9]
    assert _numbers(table.query("p", prefix="a", backwards=True)) == [4, 3, 2, 1]
    assert _numbers(table.query("p", after="a2", limit=2)) == [3, 4]
    assert _numbers(table.query("p", before="a3", backwards=True)) == [2, 1]
    assert _numbers(table.query("p", looks_until="7")) == [4, 3, 2]


def test_a_query_reads_as_many_pages_as_are_asked_for(table: Table, aws: FakeAws) -> None:
    for number in range(6):
        table.put("p", str(number), {"number": number, "text": "x" * 300_000})
    items = table.query("p")
    assert _numbers([next(items)]) == [0]
    assert aws.count()["Query"] == 1
    assert _numbers(items) == [1, 2, 3, 4, 5]
    assert aws.count()["Query"] > 1
    assert _numbers(table.query("p", backwards=True, limit=5)) == [5, 4, 3, 2, 1]


@pytest.mark.parametrize("fault", [refuse_item("ProvisionedThroughputExceededException"), cut])
def test_a_call_that_fails_twice_is_tried_a_third_time(table: Table, aws: FakeAws, fault: object) -> None:
    aws.fault("GetItem", fault, times=2)  # type: ignore[arg-type]
    assert table.get("p", "s") is None
    assert aws.count()["GetItem"] == 3


def test_what_cannot_be_done_is_told_in_one_line(table: Table, aws: FakeAws) -> None:
    with pytest.raises(TooLarge, match="an item of the table ddns would have more than 400 KB"):
        table.put("p", "s", {"text": "x" * 410_000})
    missing: Table = Table(Client("dynamodb", HistoryError, REGION), "missing")
    with pytest.raises(NotInitialised, match='there is no table missing in eu-west-1; run "ddns init'):
        missing.get("p", "s")
    aws.fault("GetItem", refuse_item("ThrottlingException"))
    with pytest.raises(HistoryError, match="failed to read the table ddns: AWS answered ThrottlingException") as told:
        table.get("p", "s")
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("page", ["<html>a captive portal</html>", "{}", "[]", ""])
def test_an_answer_that_is_not_from_aws_is_no_missing_item_and_no_write(table: Table, aws: FakeAws, page: str) -> None:
    calls: dict[str, Callable[[], object]] = {
        "GetItem": lambda: table.get("p", "s"),
        "Query": lambda: list(table.query("p")),
        "PutItem": lambda: table.put("p", "s", {}),
        "UpdateItem": lambda: table.update("p", "s", Update({"a": 1})),
        "DeleteItem": lambda: table.delete("p", "s"),
    }
    for operation, call in calls.items():
        aws.fault(operation, answering(page))
        with pytest.raises(HistoryError, match="the answer is not from AWS; check AWS_ENDPOINT_URL"):
            call()


def test_a_lease_has_one_holder_and_is_free_once_it_is_returned(table: Table) -> None:
    with table.lease("l", 60) as mine, table.lease("l", 60) as theirs, table.lease("another", 60) as other:
        assert [each is not None for each in (mine, theirs, other)] == [True, False, True]
    with table.lease("l", 60) as again:
        assert again


def test_a_lease_that_is_over_is_taken_and_not_returned_by_the_holder_before(table: Table) -> None:
    late = table.lease("l", -1)
    assert late.__enter__()
    with table.lease("l", 60) as mine:
        assert mine
        late.__exit__(None, None, None)
        with table.lease("l", 60) as third:
            assert not third


def test_a_lease_whose_answer_was_lost_is_held(table: Table, aws: FakeAws) -> None:
    aws.fault("UpdateItem", lose_answer, times=1)
    with table.lease("l", 60) as mine:
        assert mine
    assert aws.count()["UpdateItem"] == 2


def test_a_lease_that_cannot_be_returned_fails_nothing(table: Table, aws: FakeAws) -> None:
    with table.lease("l", 60):
        aws.fault("DeleteItem", refuse_item("InternalServerError"))
    assert table.get("lease", "l")


def test_of_many_threads_one_takes_a_lease_while_their_client_is_made_anew(table: Table, aws: FakeAws) -> None:
    leases = [table.lease("l", 60) for _ in range(60)]  # none is returned
    aws.fault("UpdateItem", refuse_item("ExpiredTokenException"), times=10)

    def take(number: int) -> bool:
        with suppress(HistoryError):
            return leases[number].__enter__() is not None
        return False

    with ThreadPoolExecutor(10) as pool:
        assert sum(pool.map(take, range(60))) == 1
