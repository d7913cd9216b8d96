"""Publishing, verifying and rechecking: the real command, a real database, Route 53 over HTTP with faults before it."""

import gc
import shutil
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from functools import cache, partial
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from ddns_updater.app import factories
from ddns_updater.app.init import initialise
from ddns_updater.dns.route53 import Route53
from ddns_updater.errors import Stopped
from ddns_updater.history.sqlite import SqliteHistory
from ddns_updater.history.url import SqliteUrl
from ddns_updater.lib.deadline import time_limit
from ddns_updater.model import Family, FamilyResult, Outcome, Publication, PublicationState, Record
from ddns_updater.run.journal import JournalWriter
from ddns_updater.run.publisher import Policy, Publisher
from ddns_updater.run.updater import Plan, Updater
from ddns_updater.run.verifier import Verifier
from ddns_updater.settings.settings import Settings
from ddns_updater.sources.http import HttpSource
from tests.dns.test_route53 import OBSTACLES
from tests.dns.test_route53 import no_pauses as no_pauses  # a fixture
from tests.support.aws import FakeAws, Fault, cut, lose_answer, pending, refuse
from tests.support.command import finish
from tests.support.fakes import Clock
from tests.support.machine import AWS, Machine

HOME = "home.example.com"
CHANGE = "ChangeResourceRecordSets"


@pytest.fixture(scope="session")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give an SQLite file with the schema and origin `line`, at 9.9.9.9."""
    path = tmp_path_factory.mktemp("seeded") / "ddns.sqlite3"
    initialise(Settings(database=SqliteUrl(path)), name="line", addresses={Family.IPV4: ip_address("9.9.9.9")})
    return path


@pytest.fixture
def line(small_machine: Machine, seeded: Path) -> Machine:
    """Give a machine on SQLite whose origin stands at 9.9.9.9 and was never published."""
    shutil.copy(seeded, file_of(small_machine))
    return small_machine


def file_of(machine: Machine) -> Path:
    return Path(machine.database.url.removeprefix("sqlite:///"))


def journal(machine: Machine) -> dict[str, dict[str, Any]]:
    """Return the rows of the latest version by record name."""
    columns = ("recordName", "state", "hostedZoneId", "ttl", "changeId", "attempts", "lastError", "checkedAt")
    rows = machine.database.sql(
        f"SELECT {', '.join(columns)} FROM admin_dns_publication"
        " WHERE historyId = (SELECT MAX(id) FROM admin_ip_history)"
    )
    return {row[0]: dict(zip(columns, row, strict=True)) for row in rows}


def age(machine: Machine, by: str = "-2 hours") -> None:
    """Make every look at DNS older (or younger) than it is."""
    machine.database.sql("UPDATE admin_dns_publication SET checkedAt = datetime(checkedAt, ?)", (by,))


def failing(machine: Machine, **changes: Any) -> tuple[dict[str, dict[str, Any]], str]:
    """Do a run that fails; return its records by name and its one line for the operator."""
    done = machine.ddns("run", "--json", **changes)
    assert done.status == 1
    assert AWS["AWS_SECRET_ACCESS_KEY"] not in done.out + done.err
    (text,) = done.err.splitlines()
    assert not text.endswith(".")
    assert done.json["outcome"] == "failed"
    return {each["name"]: each for each in done.json["results"][0]["records"]}, text.removeprefix("failed: ")


def names(count: int, zone: str = "example.com") -> list[str]:
    return [f"h{number:04}.{zone}" for number in range(count)]


# What is published, and what is not


@pytest.mark.parametrize("kind", OBSTACLES)
def test_it_never_overwrites_what_is_not_a_plain_record_set(line: Machine, kind: str) -> None:
    record_set, obstacle = OBSTACLES[kind]
    line.aws.put(line.zone_id, {"Name": "taken.example.com"} | record_set)
    before = {key: each for key, each in line.aws.record_sets(line.zone_id).items() if key[0] == "taken.example.com"}
    records, text = failing(line, DDNS_RECORDS=f"taken.example.com,{HOME}")
    assert text == (
        f"failed to change taken.example.com A: {obstacle} exists there and is never overwritten;"
        " remove it, or take the name out of DDNS_RECORDS"
    )
    assert {name: each["state"] for name, each in records.items()} == {"taken.example.com": "failed", HOME: "verified"}
    assert line.aws.address(line.zone_id) == "9.9.9.9"
    assert not any("taken.example.com" in body for body in line.aws.bodies)
    assert before.items() <= line.aws.record_sets(line.zone_id).items()


def test_it_publishes_what_has_a_zone_when_another_name_has_none(line: Machine) -> None:
    line.environment["DDNS_RECORDS"] = f"home.example.org,{HOME}"
    records, text = failing(line)
    assert text == "no public hosted zone covers home.example.org; create one, or set DDNS_HOSTED_ZONE_ID"
    assert records["home.example.org"]["state"] == "pending"
    assert records[HOME]["state"] == "verified"
    line.aws.zone("example.org")
    line.statements_hold("9.9.9.9")


def test_it_publishes_what_lies_in_the_given_zones(line: Machine) -> None:
    inner = line.aws.zone("b.example.com")
    records, text = failing(line, DDNS_RECORDS="home.b.example.com,home.example.com", DDNS_HOSTED_ZONE_ID=inner)
    assert text == f"home.example.com is not in hosted zone {inner}; correct DDNS_HOSTED_ZONE_ID"
    assert records["home.b.example.com"]["hosted_zone_id"] == inner
    assert line.aws.address(inner, "home.b.example.com") == "9.9.9.9"
    assert line.aws.address(line.zone_id) is None


def test_it_publishes_a_wildcard_once_and_knows_it_again(line: Machine) -> None:
    line.environment["DDNS_RECORDS"] = "*.Example.com.,_x.example.com"
    line.run()
    assert line.aws.address(line.zone_id, r"\052.example.com") == "9.9.9.9"
    age(line)
    assert line.run()["outcome"] == "unchanged"
    assert line.aws.count()[CHANGE] == 1


@pytest.mark.parametrize(
    ("standing", "setting", "ttl"), [(None, None, 60), (None, "120", 120), (300, None, 300), (300, "120", 120)]
)
def test_it_chooses_the_ttl(line: Machine, standing: int | None, setting: str | None, ttl: int) -> None:
    if standing:
        line.aws.put_address(line.zone_id, HOME, "8.8.8.8", standing)
    assert line.run(DDNS_TTL=setting)["outcome"] == "updated"
    assert line.aws.record_sets(line.zone_id)[HOME, "A"]["TTL"] == ttl
    assert journal(line)[HOME]["ttl"] == ttl


def test_it_applies_a_changed_ttl_without_a_change_of_address(line: Machine) -> None:
    line.run()
    assert line.run(DDNS_TTL="300")["outcome"] == "updated"
    assert line.aws.record_sets(line.zone_id)[HOME, "A"]["TTL"] == 300
    asked = len(line.aws.calls)
    assert line.run(DDNS_TTL="300")["outcome"] == "unchanged"
    assert line.run()["outcome"] == "unchanged"  # without DDNS_TTL, what stands is kept
    assert len(line.aws.calls) == asked


def test_it_publishes_a_record_that_was_added_and_leaves_a_removed_one_alone(line: Machine) -> None:
    line.run()
    result = line.run(DDNS_RECORDS="new.example.com")
    assert result["outcome"] == "updated"
    assert line.aws.address(line.zone_id, "new.example.com") == "9.9.9.9"
    assert line.database.versions() == [(1, "9.9.9.9")]
    line.service.address = "1.1.1.1"
    line.run(DDNS_RECORDS="new.example.com")
    assert line.aws.address(line.zone_id, "new.example.com") == "1.1.1.1"
    assert line.aws.address(line.zone_id) == "9.9.9.9"
    line.statements_hold("1.1.1.1")


def test_it_asks_aws_nothing_in_history_only_mode(line: Machine) -> None:
    line.service.address = "1.1.1.1"
    assert line.run(DDNS_RECORDS=None)["outcome"] == "updated"
    assert line.database.versions() == [(1, "9.9.9.9"), (2, "1.1.1.1")]
    assert line.aws.calls == []


def test_it_writes_nothing_in_a_dry_run(line: Machine) -> None:
    line.service.address = "1.1.1.1"
    assert line.run("--dry-run")["outcome"] == "updated"
    assert CHANGE not in line.aws.calls
    assert journal(line) == {}
    line.statements_hold("1.1.1.1")


# Batches


def test_it_publishes_1000_records_in_two_change_calls(line: Machine) -> None:
    wanted = names(1000)
    line.environment["DDNS_RECORDS"] = ",".join(wanted)
    assert line.run(DDNS_VERIFY_TIMEOUT="0")["outcome"] == "updated"
    count = line.aws.count()
    assert count[CHANGE] == 2
    assert count["GetChange"] == 2
    assert count["ListResourceRecordSets"] <= 1 + 4  # pages of 300: of an empty zone, then of 1,000
    assert {each["state"] for each in journal(line).values()} == {"verified"}
    found = line.aws.record_sets(line.zone_id)
    assert {found[name, "A"]["ResourceRecords"][0]["Value"] for name in wanted} == {"9.9.9.9"}
    asked = len(line.aws.calls)
    assert line.run()["outcome"] == "unchanged"
    assert len(line.aws.calls) == asked


def test_it_sends_one_batch_to_each_of_three_zones(line: Machine) -> None:
    zones = {name: line.aws.zone(name) for name in ("b.example.com", "c.example.com")} | {"example.com": line.zone_id}
    line.environment["DDNS_RECORDS"] = ",".join(name for zone in zones for name in names(4, zone))
    assert line.run()["outcome"] == "updated"
    assert line.aws.count() == {"ListHostedZones": 1, "ListResourceRecordSets": 6, CHANGE: 3, "GetChange": 3}
    for name, zone_id in zones.items():
        assert {line.aws.address(zone_id, each) for each in names(4, name)} == {"9.9.9.9"}
        assert {journal(line)[each]["hostedZoneId"] for each in names(4, name)} == {zone_id}


def test_one_alias_among_1000_records_in_three_zones_does_not_hold_back_the_other_999(line: Machine) -> None:
    zones = {"example.com": line.zone_id} | {name: line.aws.zone(name) for name in ("b.example.com", "c.example.com")}
    wanted = {"example.com": 600, "b.example.com": 300, "c.example.com": 100}
    everything = {each: zones[name] for name, count in wanted.items() for each in names(count, name)}
    taken = names(600)[250]
    line.aws.put(line.zone_id, {"Name": taken} | OBSTACLES["alias"][0])
    line.environment["DDNS_RECORDS"] = ",".join(everything)
    records, text = failing(line)
    assert text.startswith(f"failed to change {taken} A: {OBSTACLES['alias'][1]} exists there")
    assert line.aws.count() == {
        "ListHostedZones": 1,
        "ListResourceRecordSets": 3
        + 3
        + 2
        + 1,  # a page of each zone before; then 602, 302 and 102 sets in pages of 300
        CHANGE: 2 + 1 + 1,  # 599, 300 and 100 records, 500 in a batch
        "GetChange": 4,
    }
    rows = journal(line)
    assert set(rows) == set(records) == set(everything)
    assert {name for name, row in rows.items() if row["state"] != "verified"} == {taken}
    assert rows[taken]["state"] == "failed"
    assert {name: row["hostedZoneId"] for name, row in rows.items() if name != taken} == {
        name: zone for name, zone in everything.items() if name != taken
    }
    for name, zone_id in zones.items():
        found = line.aws.record_sets(zone_id)
        assert {found[each, "A"].get("TTL") for each in names(wanted[name], name) if each != taken} == {60}
    line.aws.calls.clear()
    failing(line)
    assert line.aws.count() == {"ListHostedZones": 1, "ListResourceRecordSets": 1}
    line.aws.calls.clear()
    line.database.sql("UPDATE admin_dns_publication SET checkedAt = '2020-01-01 00:00:00'")
    failing(line)
    assert line.aws.count() == {"ListHostedZones": 1, "ListResourceRecordSets": 3 + 2 + 1}


def test_it_publishes_in_one_zone_when_another_cannot_be_read(line: Machine) -> None:
    inner = line.aws.zone("b.example.com")
    line.aws.fault("ListResourceRecordSets", refuse("AccessDenied"), containing=inner)
    line.environment["DDNS_RECORDS"] = f"home.b.example.com,{HOME}"
    records, text = failing(line)
    assert text == (
        f"failed to read hosted zone {inner}: AWS answered AccessDenied: no;"
        ' attach the policy that "ddns iam-policy" prints'
    )
    assert records["home.b.example.com"]["state"] == "pending"
    assert records[HOME]["state"] == "verified"
    assert not any(inner in asked for asked in line.aws.asked if "<Change>" in asked)  # no blind write
    line.statements_hold("9.9.9.9")


# Narrowing


@pytest.mark.parametrize(
    ("code", "count"), [("InvalidChangeBatch", 8), ("AccessDenied", 8), ("InvalidChangeBatch", 500)]
)
def test_it_does_not_let_one_bad_record_hold_back_the_others(line: Machine, code: str, count: int) -> None:
    wanted = names(count)
    bad = wanted[count // 3]
    line.environment["DDNS_RECORDS"] = ",".join(wanted)
    line.aws.fault(CHANGE, refuse(code, "not that one"), containing=bad)
    records, text = failing(line)
    assert f"failed to change {bad} A: AWS answered {code}: not that one; " in text
    assert {name for name, each in records.items() if each["state"] == "verified"} == set(wanted) - {bad}
    assert (records[bad]["state"], records[bad]["change_id"]) == ("failed", None)
    assert [name for name, each in records.items() if each["error"]] == [bad]
    assert line.aws.count()[CHANGE] <= 19

    line.aws.asked.clear()
    failing(line)
    (again,) = [asked for asked in line.aws.asked if "<Change>" in asked]
    assert again.count("<Change>") == 1
    assert journal(line)[bad]["attempts"] == 2
    line.aws.heal()
    assert line.run()["outcome"] == "updated"
    assert set(line.database.states().values()) == {"verified"}


def test_it_starves_no_record_when_most_are_refused(line: Machine) -> None:
    wanted = names(50)
    good = wanted[9::10]
    line.environment["DDNS_RECORDS"] = ",".join(wanted)
    for digit in range(9):
        line.aws.fault(CHANGE, refuse("InvalidChangeBatch"), containing=f"{digit}.example.com")
    for number in range(4):
        line.aws.calls.clear()
        failing(line)
        assert line.aws.count()[CHANGE] <= 40
        rows = journal(line)
        assert number or not all(each["attempts"] for each in rows.values())  # one run is not enough
    assert {name for name, each in rows.items() if each["state"] == "verified"} == set(good)
    assert all(each["attempts"] for each in rows.values())


# Verifying


def test_it_leaves_what_is_not_in_sync_pending_and_follows_it_in_the_next_run(line: Machine) -> None:
    line.aws.fault("GetChange", pending)
    done = line.ddns("run", "--json", DDNS_VERIFY_TIMEOUT="1")
    assert (done.status, done.err) == (0, "")
    assert done.json["outcome"] == "pending"
    row = journal(line)[HOME]
    assert (row["state"], row["lastError"]) == ("submitted", None)
    assert row["changeId"]
    assert line.ddns("run", "--quiet", DDNS_VERIFY_TIMEOUT="0").out == (
        "pending: 9.9.9.9 is version 1 of line; home.example.com A submitted and not yet in sync;"
        " the next run checks again\n"
    )
    line.aws.heal()
    line.aws.asked.clear()
    assert line.run()["outcome"] == "updated"
    assert line.aws.count()[CHANGE] == 1
    assert [row["changeId"] in asked for asked in line.aws.asked if "/change/" in asked] == [True]
    assert journal(line)[HOME]["state"] == "verified"
    line.statements_hold("9.9.9.9")


@pytest.mark.usefixtures("reached")
def test_it_ends_within_the_run_timeout_when_a_change_is_never_in_sync(line: Machine) -> None:
    line.aws.fault("GetChange", pending)
    clock = Clock()
    result = run(line, Plan("line", (Family.IPV4,), (Record(HOME, "A"),), 55), clock=clock)
    assert (result.outcome, result.error) == (Outcome.PENDING, None)
    assert clock.slept == [1, 1.5, 2.25, 3.375, *[5] * 7]  # 45 s, which DDNS_VERIFY_TIMEOUT allows
    clock = Clock()
    result = run(line, Plan("line", (Family.IPV4,), (Record(HOME, "A"),), 7), clock=clock)
    assert (result.outcome, result.error) == (Outcome.PENDING, None)
    assert clock.slept == [1]  # it keeps 5 s for its last writes


def test_it_says_that_it_may_not_follow_a_change(line: Machine) -> None:
    line.aws.fault("GetChange", refuse("AccessDenied", "not authorized", 403))
    _, text = failing(line)
    change_id = journal(line)[HOME]["changeId"]
    assert text == (
        f"could not confirm that {HOME} A now points to 9.9.9.9: failed to check change {change_id}: AWS"
        ' answered AccessDenied: not authorized; attach the policy that "ddns iam-policy" prints;'
        " the next run checks again"
    )
    assert journal(line)[HOME]["state"] == "submitted"
    failing(line)
    assert line.aws.count()[CHANGE] == 1
    line.statements_hold("9.9.9.9")


def test_it_forgets_the_failure_of_an_earlier_look_when_the_next_one_succeeds(line: Machine) -> None:
    line.aws.fault("GetChange", refuse("AccessDenied"), times=1)
    line.aws.fault("GetChange", pending)
    failing(line)
    done = line.ddns("run", "--json", DDNS_VERIFY_TIMEOUT="0")
    assert (done.status, done.json["outcome"]) == (0, "pending")
    assert journal(line)[HOME]["lastError"] is None


def test_it_sends_again_what_aws_no_longer_knows(line: Machine) -> None:
    line.aws.fault("GetChange", pending, times=1)
    assert line.run(DDNS_VERIFY_TIMEOUT="0")["outcome"] == "pending"
    line.aws.fault("GetChange", refuse("NoSuchChange", status=404), times=1)
    assert line.run(DDNS_VERIFY_TIMEOUT="0")["outcome"] == "pending"
    row = journal(line)[HOME]
    assert (row["state"], row["changeId"]) == ("pending", None)
    assert line.run()["outcome"] == "updated"
    assert line.aws.count()[CHANGE] == 2


def test_it_fails_when_something_else_stands_there_and_repairs_it_in_the_next_run(line: Machine) -> None:
    line.aws.fault("GetChange", pending)
    line.run(DDNS_VERIFY_TIMEOUT="0")
    line.aws.heal()
    line.aws.put_address(line.zone_id, HOME, "8.8.8.8", 300)
    _, text = failing(line)
    assert text == (
        f"could not confirm that {HOME} A now points to 9.9.9.9: DNS holds 8.8.8.8 with TTL 300;"
        " the next run sends it again"
    )
    assert journal(line)[HOME]["state"] == "failed"
    line.statements_hold("9.9.9.9")
    assert line.aws.record_sets(line.zone_id)[HOME, "A"]["TTL"] == 300


def test_it_verifies_in_the_next_run_what_it_could_not_read_back(line: Machine) -> None:
    line.aws.fault("ListResourceRecordSets", refuse("InternalFailure", status=500), after=1)
    _, text = failing(line)
    assert text.startswith(f"could not confirm that {HOME} A now points to 9.9.9.9: failed to read hosted zone")
    assert journal(line)[HOME]["state"] == "submitted"
    line.statements_hold("9.9.9.9")
    assert line.aws.count()[CHANGE] == 1


@pytest.fixture
def history(line: Machine, monkeypatch: pytest.MonkeyPatch) -> Iterator[SqliteHistory]:
    monkeypatch.setenv("AWS_ENDPOINT_URL", line.aws.url)
    with closing(SqliteHistory(SqliteUrl(file_of(line)))) as opened:
        yield opened


@pytest.fixture
def reached(aws: FakeAws, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have runs of this process reach Route 53."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws.url)


def run(
    machine: Machine,
    plan: Plan,
    *,
    clock: Clock | None = None,
    whole_run: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> FamilyResult:
    """Do one run in this process, by `clock` if there is one; what is slow to make is made before it begins."""
    clocked: Any = {"monotonic": clock.monotonic, "sleep": clock.sleep} if clock else {}
    dns = Route53()
    (result,) = Updater(
        plan,
        sources=[HttpSource(machine.service.url, timeout=2, retries=0)],
        open_history=partial(factories.open_history, machine.database.settings()),
        publisher=Publisher(Policy(), lambda: dns),
        verifier=Verifier(lambda: dns, **clocked),
        whole_run=whole_run,
        limit=time_limit,
        monotonic=clock.monotonic if clock else time.monotonic,
    ).run().results  # fmt: skip
    return result


@contextmanager
def sockets_left_behind() -> Iterator[None]:
    """Collect the sockets that the SDK leaves open where a call of it was interrupted, and have no warning of them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        yield
        gc.collect()


def publish(
    history: SqliteHistory,
    clock: Clock,
    records: Sequence[str],
    *,
    until: float = 10**6,
    verify_timeout: float = 45,
) -> list[Publication]:
    """Publish and verify by `clock`; return the publications as they were stored."""
    (origin,) = history.origins()
    ledger = JournalWriter(history, history.latest(origin), clock.monotonic, dry_run=False)
    open_dns = cache(Route53)
    wanted = [Record(name, "A") for name in records]
    Publisher(Policy(), open_dns).publish(ledger, wanted)
    verifier = Verifier(open_dns, timeout=verify_timeout, monotonic=clock.monotonic, sleep=clock.sleep)
    verifier.verify([(ledger, wanted)], until)
    return list(history.latest(origin).publications)


def test_it_looks_ever_more_rarely_until_the_change_is_in_sync(line: Machine, history: SqliteHistory) -> None:
    line.aws.fault("GetChange", pending, times=6)
    clock = Clock()
    (publication,) = publish(history, clock, [HOME])
    assert publication.state is PublicationState.VERIFIED
    assert clock.slept == [1, 1.5, 2.25, 3.375, 5, 5]
    assert publication.verified_at is not None
    assert publication.verified_at == publication.checked_at
    assert publication.submitted_at is not None
    assert (publication.verified_at - publication.submitted_at).total_seconds() == 18


@pytest.mark.parametrize(("verify_timeout", "left", "looks"), [(45, 10**6, 12), (10, 10**6, 5), (45, 3, 3), (0, 99, 1)])
def test_it_waits_no_longer_than_both_limits_allow(
    line: Machine, history: SqliteHistory, verify_timeout: float, left: float, looks: int
) -> None:
    line.aws.fault("GetChange", pending)
    clock = Clock()
    (publication,) = publish(history, clock, [HOME], until=clock.now + left, verify_timeout=verify_timeout)
    assert publication.state is PublicationState.SUBMITTED
    assert line.aws.count()["GetChange"] == looks
    assert sum(clock.slept) <= min(verify_timeout, left)


def test_it_verifies_what_is_in_sync_while_another_zone_is_not(line: Machine, history: SqliteHistory) -> None:
    line.aws.zone("b.example.com")
    line.aws.fault("GetChange", pending, containing=f"/change/{line.aws.next_change_id}")
    found = publish(history, Clock(), [HOME, "home.b.example.com"])
    assert {each.record.name: each.state for each in found} == {
        HOME: PublicationState.SUBMITTED,
        "home.b.example.com": PublicationState.VERIFIED,
    }


# Bad weather

WEATHER: dict[str, tuple[str, Fault, str]] = {}
for _operation in ("ListHostedZones", "ListResourceRecordSets", CHANGE, "GetChange"):
    WEATHER[f"denied {_operation}"] = (_operation, refuse("AccessDenied", "not authorized", 403), "AccessDenied: not")
    WEATHER[f"500 from {_operation}"] = (_operation, refuse("InternalFailure", "oops", 500), "InternalFailure: oops")
WEATHER["throttled for ever"] = (CHANGE, refuse("Throttling", "Rate exceeded."), "Throttling: Rate exceeded; the next")
WEATHER["busy for ever"] = (
    CHANGE,
    refuse("PriorRequestNotComplete", "wait"),
    "PriorRequestNotComplete: wait; the next",
)
WEATHER["cut"] = (CHANGE, cut, "AWS did not answer: Connection was closed")
WEATHER["every answer lost"] = (CHANGE, lose_answer, "AWS did not answer: Connection was closed")


@pytest.mark.usefixtures("no_pauses")
@pytest.mark.parametrize("case", WEATHER)
def test_it_keeps_the_record_due_and_says_what_aws_did(line: Machine, case: str) -> None:
    line.service.address = "1.1.1.1"
    operation, fault, said = WEATHER[case]
    line.aws.fault(operation, fault)
    records, text = failing(line)
    assert said in text
    assert f"version 2 of line, but {records[HOME]['error']}" in text
    assert line.database.versions() == [(1, "9.9.9.9"), (2, "1.1.1.1")]
    row = journal(line)[HOME]
    assert row["lastError"] == records[HOME]["error"]
    assert row["state"] == {CHANGE: "failed", "GetChange": "submitted"}.get(operation, "pending")
    line.statements_hold("1.1.1.1")


@pytest.mark.usefixtures("no_pauses")
@pytest.mark.parametrize(
    ("operation", "fault"),
    [
        (CHANGE, refuse("Throttling", "Rate exceeded")),
        (CHANGE, refuse("PriorRequestNotComplete")),
        (CHANGE, lose_answer),
        ("ListResourceRecordSets", cut),
        ("GetChange", refuse("ServiceUnavailable", status=503)),
    ],
)
def test_it_gets_over_a_moment_of_bad_weather(line: Machine, operation: str, fault: Fault) -> None:
    line.aws.fault(operation, fault, times=1)
    done = line.ddns("run")
    assert (done.status, done.err) == (0, "")
    assert done.out.startswith("updated: ")
    assert line.aws.address(line.zone_id) == "9.9.9.9"


def no_credentials(_line: Machine) -> dict[str, Any]:
    return {"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None}


def unknown_profile(_line: Machine) -> dict[str, Any]:
    return {"AWS_PROFILE": "nope"}


def refused_connection(_line: Machine) -> dict[str, Any]:
    return {"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}


def bad_endpoint(_line: Machine) -> dict[str, Any]:
    return {"AWS_ENDPOINT_URL": "localhost"}


def missing_zone(_line: Machine) -> dict[str, Any]:
    return {"DDNS_HOSTED_ZONE_ID": "ZNOPE"}


def denied_zone(line: Machine) -> dict[str, Any]:
    line.aws.fault("GetHostedZone", refuse("AccessDenied", "not authorized", 403))
    return {"DDNS_HOSTED_ZONE_ID": line.zone_id}


@pytest.mark.parametrize(
    ("arrange", "said"),
    [
        (
            no_credentials,
            "there are no AWS credentials; set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
        ),
        (unknown_profile, "The config profile (nope) could not be found; check the AWS settings of this machine"),
        (refused_connection, "failed to list the hosted zones: AWS did not answer: Could not connect"),
        (bad_endpoint, "failed to prepare the AWS client: Invalid endpoint: localhost; check the AWS settings"),
        (missing_zone, "failed to read hosted zone ZNOPE: AWS answered NoSuchHostedZone: "),
        (denied_zone, 'AWS answered AccessDenied: not authorized; attach the policy that "ddns iam-policy" prints'),
    ],
)
def test_it_records_the_version_when_aws_cannot_be_used(
    line: Machine, arrange: Callable[[Machine], dict[str, Any]], said: str
) -> None:
    line.service.address = "1.1.1.1"
    _, text = failing(line, **arrange(line))
    assert said in text
    assert line.database.versions() == [(1, "9.9.9.9"), (2, "1.1.1.1")]
    assert journal(line)[HOME]["state"] == "pending"
    line.statements_hold("1.1.1.1")


@pytest.mark.usefixtures("reached")
@pytest.mark.parametrize("operation", ["ListHostedZones", "ListResourceRecordSets", CHANGE, "GetChange"])
def test_it_ends_in_time_when_aws_never_answers(line: Machine, operation: str) -> None:
    line.service.address = "1.1.1.1"
    line.aws.fault(operation, line.aws.hang)
    plan = Plan("line", (Family.IPV4,), (Record(HOME, "A"),), 55)
    start = time.monotonic()
    with sockets_left_behind():
        result = run(line, plan, whole_run=partial(time_limit, 1, Stopped("stopped after 1 s")))
    assert time.monotonic() - start < 5
    assert (result.outcome, result.error) == (Outcome.FAILED, "stopped after 1 s")
    assert line.aws.calls[-1] == operation
    line.statements_hold("1.1.1.1")


def test_the_command_ends_in_time_when_aws_never_answers(line: Machine) -> None:
    line.service.address = "1.1.1.1"
    line.aws.fault(CHANGE, line.aws.hang)
    start = time.monotonic()
    done = finish(line.start("run", "--json", DDNS_RUN_TIMEOUT="3", DDNS_VERIFY_TIMEOUT="2"))
    assert time.monotonic() - start < 10  # with the start of the interpreter, on a busy machine
    assert (done.status, done.json["outcome"], done.err.count("\n")) == (1, "failed", 1)
    assert done.err.endswith("stopped after 3 s (DDNS_RUN_TIMEOUT=3); the next run continues\n")
    line.statements_hold("1.1.1.1")


# Rechecks


def test_it_rechecks_once_an_interval(line: Machine) -> None:
    line.run()
    age(line)
    line.aws.calls.clear()
    assert line.run()["outcome"] == "unchanged"
    assert line.aws.calls == ["ListHostedZones", "ListResourceRecordSets"]
    assert line.run()["outcome"] == "unchanged"
    assert len(line.aws.calls) == 2


def test_it_rechecks_what_was_seen_in_the_future(line: Machine) -> None:
    line.run()
    age(line, "+2 days")
    line.aws.put_address(line.zone_id, HOME, "8.8.8.8")
    assert line.run()["outcome"] == "updated"
    assert line.aws.address(line.zone_id) == "9.9.9.9"
    asked = len(line.aws.calls)
    assert line.run()["outcome"] == "unchanged"
    assert len(line.aws.calls) == asked


def test_it_never_rechecks_when_told_so(line: Machine) -> None:
    line.run()
    for by in ("-10 years", "+20 years"):
        age(line, by)
        line.aws.calls.clear()
        assert line.run(DDNS_RECHECK_EVERY="0")["outcome"] == "unchanged"
        assert line.aws.calls == []


def test_it_writes_nothing_when_a_recheck_cannot_read(line: Machine) -> None:
    line.run()
    age(line)
    line.aws.fault("ListResourceRecordSets", refuse("InternalFailure", "oops", 500))
    records, text = failing(line)
    assert text == (
        f"failed to read hosted zone {line.zone_id}: AWS answered InternalFailure: oops; the next run tries again"
    )
    assert records[HOME]["state"] == "verified"
    assert line.aws.count()[CHANGE] == 1
    line.statements_hold("9.9.9.9")
    assert line.aws.count()[CHANGE] == 1


def test_it_looks_again_after_a_failed_recheck_whatever_the_interval(line: Machine) -> None:
    line.run()
    age(line)
    line.aws.fault("ListHostedZones", refuse("AccessDenied"), times=1)
    failing(line)
    assert line.run(DDNS_RECHECK_EVERY="0")["outcome"] == "unchanged"
    assert journal(line)[HOME]["lastError"] is None


def test_a_version_whose_id_was_used_before_is_published_all_the_same(small_machine: Machine) -> None:
    small_machine.init("9.9.9.9")
    small_machine.run()
    small_machine.database.sql("DELETE FROM admin_ip_history")
    small_machine.database.sql(
        "INSERT INTO admin_ip_history (id, ip, name, version, originId) VALUES (1, '1.1.1.1', 'line', 1, 1)"
    )
    small_machine.service.address = "1.1.1.1"
    assert small_machine.run()["outcome"] == "updated"
    assert small_machine.aws.address(small_machine.zone_id) == "1.1.1.1"


def test_a_version_that_was_edited_by_hand_is_published_all_the_same(small_machine: Machine) -> None:
    small_machine.init("9.9.9.9")
    small_machine.run()
    small_machine.database.sql("UPDATE admin_ip_history SET ip = '8.8.8.8'")
    small_machine.service.address = "8.8.8.8"
    assert small_machine.run()["outcome"] == "updated"
    assert small_machine.aws.address(small_machine.zone_id) == "8.8.8.8"


def test_an_adopted_address_with_spaces_is_replaced_by_a_clean_version(small_machine: Machine) -> None:
    small_machine.init("9.9.9.9")
    small_machine.database.sql("UPDATE admin_ip_history SET ip = ' 9.9.9.9 '")
    assert small_machine.run()["outcome"] == "updated"
    assert small_machine.database.versions() == [(1, " 9.9.9.9 "), (2, "9.9.9.9")]
    assert small_machine.aws.address(small_machine.zone_id) == "9.9.9.9"


def test_a_record_added_later_counts_its_time_from_then(small_machine: Machine) -> None:
    small_machine.init("9.9.9.9")
    small_machine.run()
    small_machine.database.sql("UPDATE admin_ip_history SET createdAt = '2026-01-01 00:00:00'")
    done = small_machine.ddns("run", DDNS_RECORDS="home.example.com,second.example.com")
    assert "verified after 0 s" in done.out or "verified after 1 s" in done.out, done.out


def test_a_ttl_of_zero_is_kept(small_machine: Machine) -> None:
    small_machine.aws.put_address(small_machine.zone_id, "home.example.com", "8.8.8.8", ttl=0)
    small_machine.init("9.9.9.9")
    small_machine.run()
    assert small_machine.aws.record_sets(small_machine.zone_id)[("home.example.com", "A")]["TTL"] == 0
