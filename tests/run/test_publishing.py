"""Publishing, verifying and rechecking: the real command, a real database, Route 53 over HTTP with faults before it."""

import gc
import shutil
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache, partial
from ipaddress import ip_address
from pathlib import Path
from ssl import create_default_context
from typing import Any

import pytest

from ddns_updater.app import factories
from ddns_updater.app.init import initialise
from ddns_updater.errors import Stopped
from ddns_updater.history.url import SqliteUrl
from ddns_updater.lib.deadline import Deadline, time_limit
from ddns_updater.model import Family, FamilyResult, Outcome, Publication, PublicationState, Record
from ddns_updater.run.journal import JournalWriter
from ddns_updater.run.ports import HistoryStore
from ddns_updater.run.publisher import Publisher
from ddns_updater.run.steps import Policy
from ddns_updater.run.updater import Plan, Updater
from ddns_updater.run.verifier import Verifier
from ddns_updater.settings.variables import default_settings
from ddns_updater.sources.http import HttpSource
from ddns_updater.sources.spec import HttpSpec
from tests.dns.test_route53 import OBSTACLES
from tests.dns.test_route53 import no_pauses as no_pauses  # a fixture
from tests.support.alerting import state_file
from tests.support.aws import FakeAws, Fault, cut, lose_answer, pending, refuse
from tests.support.command import finish
from tests.support.database import only_origin
from tests.support.fakes import Clock
from tests.support.machine import AWS, Machine
from tests.support.sdk import open_route53

HOME = "home.example.com"
CHANGE = "ChangeResourceRecordSets"


@pytest.fixture(scope="session")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give an SQLite file with the schema and origin `line`, at 9.9.9.9."""
    path = tmp_path_factory.mktemp("seeded") / "ddns.sqlite3"
    initialise(
        default_settings()._replace(database=SqliteUrl(path)),
        name="line",
        addresses={Family.IPV4: ip_address("9.9.9.9")},
    )
    return path


@pytest.fixture
def machine(small_machine: Machine, seeded: Path) -> Machine:
    """Give a machine on SQLite whose origin has 9.9.9.9 and was never published."""
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
    """Shift the time of every DNS check, back or forward."""
    machine.database.sql("UPDATE admin_dns_publication SET checkedAt = datetime(checkedAt, ?)", (by,))


def failing(machine: Machine, **changes: Any) -> tuple[dict[str, dict[str, Any]], str]:
    """Do a run that fails; return its records by name and its one line of error."""
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
def test_it_never_overwrites_what_is_not_a_plain_record_set(machine: Machine, kind: str) -> None:
    record_set, obstacle = OBSTACLES[kind]
    machine.aws.put(machine.zone_id, {"Name": "taken.example.com"} | record_set)
    before = {
        key: each for key, each in machine.aws.record_sets(machine.zone_id).items() if key[0] == "taken.example.com"
    }
    records, text = failing(machine, DDNS_RECORDS=f"taken.example.com,{HOME}")
    assert text == (
        f"failed to change taken.example.com A: {obstacle} exists there and is never overwritten;"
        " remove it, or remove the name from DDNS_RECORDS"
    )
    assert {name: each["state"] for name, each in records.items()} == {"taken.example.com": "failed", HOME: "verified"}
    assert machine.aws.address(machine.zone_id) == "9.9.9.9"
    assert not any("taken.example.com" in body for body in machine.aws.bodies)
    assert before.items() <= machine.aws.record_sets(machine.zone_id).items()


def test_it_publishes_the_names_that_have_a_zone_when_another_has_none(machine: Machine) -> None:
    machine.environment["DDNS_RECORDS"] = f"home.example.org,{HOME}"
    records, text = failing(machine)
    assert text == (
        "no public hosted zone covers home.example.org; this account has example.com; create one, or set"
        " DDNS_HOSTED_ZONE_ID"
    )
    assert records["home.example.org"]["state"] == "pending"
    assert records[HOME]["state"] == "verified"
    machine.aws.zone("example.org")
    machine.statements_hold("9.9.9.9")


def test_it_publishes_only_names_in_the_configured_zones(machine: Machine) -> None:
    inner = machine.aws.zone("b.example.com")
    records, text = failing(machine, DDNS_RECORDS="home.b.example.com,home.example.com", DDNS_HOSTED_ZONE_ID=inner)
    assert text == f"home.example.com is not in hosted zone {inner} (b.example.com); correct DDNS_HOSTED_ZONE_ID"
    assert records["home.b.example.com"]["hosted_zone_id"] == inner
    assert machine.aws.address(inner, "home.b.example.com") == "9.9.9.9"
    assert machine.aws.address(machine.zone_id) is None


def test_it_publishes_a_wildcard_once_and_recognises_it(machine: Machine) -> None:
    machine.environment["DDNS_RECORDS"] = "*.Example.com.,_x.example.com"
    machine.run()
    assert machine.aws.address(machine.zone_id, r"\052.example.com") == "9.9.9.9"
    age(machine)
    assert machine.run()["outcome"] == "unchanged"
    assert machine.aws.count()[CHANGE] == 1


@pytest.mark.parametrize(
    ("existing", "setting", "ttl"), [(None, None, 60), (None, "120", 120), (300, None, 300), (300, "120", 120)]
)
def test_it_chooses_the_ttl(machine: Machine, existing: int | None, setting: str | None, ttl: int) -> None:
    if existing:
        machine.aws.put_address(machine.zone_id, HOME, "8.8.8.8", existing)
    assert machine.run(DDNS_TTL=setting)["outcome"] == "updated"
    assert machine.aws.record_sets(machine.zone_id)[HOME, "A"]["TTL"] == ttl
    assert journal(machine)[HOME]["ttl"] == ttl


def test_it_applies_a_changed_ttl_without_a_change_of_address(machine: Machine) -> None:
    machine.run()
    assert machine.run(DDNS_TTL="300")["outcome"] == "updated"
    assert machine.aws.record_sets(machine.zone_id)[HOME, "A"]["TTL"] == 300
    asked = len(machine.aws.calls)
    assert machine.run(DDNS_TTL="300")["outcome"] == "unchanged"
    assert machine.run()["outcome"] == "unchanged"  # without DDNS_TTL, the TTL in DNS is kept
    assert len(machine.aws.calls) == asked


def test_it_publishes_a_record_that_was_added_and_leaves_a_removed_one_alone(machine: Machine) -> None:
    machine.run()
    result = machine.run(DDNS_RECORDS="new.example.com")
    assert result["outcome"] == "updated"
    assert machine.aws.address(machine.zone_id, "new.example.com") == "9.9.9.9"
    assert machine.database.versions() == [(1, "9.9.9.9")]
    machine.service.address = "1.1.1.1"
    machine.run(DDNS_RECORDS="new.example.com")
    assert machine.aws.address(machine.zone_id, "new.example.com") == "1.1.1.1"
    assert machine.aws.address(machine.zone_id) == "9.9.9.9"
    machine.statements_hold("1.1.1.1")


def test_it_does_not_call_aws_in_history_only_mode(machine: Machine) -> None:
    machine.service.address = "1.1.1.1"
    assert machine.run(DDNS_RECORDS=None)["outcome"] == "updated"
    assert machine.database.versions() == [(1, "9.9.9.9"), (2, "1.1.1.1")]
    assert machine.aws.calls == []


def test_it_writes_nothing_in_a_dry_run(machine: Machine) -> None:
    machine.service.address = "1.1.1.1"
    assert machine.run("--dry-run")["outcome"] == "updated"
    assert CHANGE not in machine.aws.calls
    assert journal(machine) == {}
    machine.statements_hold("1.1.1.1")


# Batches


def test_it_publishes_1000_records_in_two_change_calls(machine: Machine) -> None:
    wanted = names(1000)
    machine.environment["DDNS_RECORDS"] = ",".join(wanted)
    assert machine.run(DDNS_VERIFY_TIMEOUT="0")["outcome"] == "updated"
    count = machine.aws.count()
    assert count[CHANGE] == 2
    assert count["GetChange"] == 2
    assert count["ListResourceRecordSets"] <= 1 + 4  # pages of 300: of an empty zone, then of 1,000
    assert {each["state"] for each in journal(machine).values()} == {"verified"}
    found = machine.aws.record_sets(machine.zone_id)
    assert {found[name, "A"]["ResourceRecords"][0]["Value"] for name in wanted} == {"9.9.9.9"}
    asked = len(machine.aws.calls)
    assert machine.run()["outcome"] == "unchanged"
    assert len(machine.aws.calls) == asked


def test_it_sends_one_batch_to_each_of_three_zones(machine: Machine) -> None:
    zones = {name: machine.aws.zone(name) for name in ("b.example.com", "c.example.com")} | {
        "example.com": machine.zone_id
    }
    machine.environment["DDNS_RECORDS"] = ",".join(name for zone in zones for name in names(4, zone))
    assert machine.run()["outcome"] == "updated"
    assert machine.aws.count() == {"ListHostedZones": 1, "ListResourceRecordSets": 6, CHANGE: 3, "GetChange": 3}
    for name, zone_id in zones.items():
        assert {machine.aws.address(zone_id, each) for each in names(4, name)} == {"9.9.9.9"}
        assert {journal(machine)[each]["hostedZoneId"] for each in names(4, name)} == {zone_id}


def test_one_alias_among_1000_records_in_three_zones_does_not_hold_back_the_other_999(machine: Machine) -> None:
    zones = {"example.com": machine.zone_id} | {
        name: machine.aws.zone(name) for name in ("b.example.com", "c.example.com")
    }
    wanted = {"example.com": 600, "b.example.com": 300, "c.example.com": 100}
    everything = {each: zones[name] for name, count in wanted.items() for each in names(count, name)}
    taken = names(600)[250]
    machine.aws.put(machine.zone_id, {"Name": taken} | OBSTACLES["alias"][0])
    machine.environment["DDNS_RECORDS"] = ",".join(everything)
    records, text = failing(machine)
    assert text.startswith(f"failed to change {taken} A: {OBSTACLES['alias'][1]} exists there")
    assert machine.aws.count() == {
        "ListHostedZones": 1,
        "ListResourceRecordSets": 3
        + 3
        + 2
        + 1,  # a page of each zone before; then 602, 302 and 102 sets in pages of 300
        CHANGE: 2 + 1 + 1,  # 599, 300 and 100 records, 500 in a batch
        "GetChange": 4,
    }
    rows = journal(machine)
    assert set(rows) == set(records) == set(everything)
    assert {name for name, row in rows.items() if row["state"] != "verified"} == {taken}
    assert rows[taken]["state"] == "failed"
    assert {name: row["hostedZoneId"] for name, row in rows.items() if name != taken} == {
        name: zone for name, zone in everything.items() if name != taken
    }
    for name, zone_id in zones.items():
        found = machine.aws.record_sets(zone_id)
        assert {found[each, "A"].get("TTL") for each in names(wanted[name], name) if each != taken} == {60}
    machine.aws.calls.clear()
    failing(machine)
    assert machine.aws.count() == {"ListHostedZones": 1, "ListResourceRecordSets": 1}
    machine.aws.calls.clear()
    machine.database.sql("UPDATE admin_dns_publication SET checkedAt = '2020-01-01 00:00:00'")
    failing(machine)
    assert machine.aws.count() == {"ListHostedZones": 1, "ListResourceRecordSets": 3 + 2 + 1}


def test_it_publishes_in_one_zone_when_another_cannot_be_read(machine: Machine) -> None:
    inner = machine.aws.zone("b.example.com")
    machine.aws.fault("ListResourceRecordSets", refuse("AccessDenied"), containing=inner)
    machine.environment["DDNS_RECORDS"] = f"home.b.example.com,{HOME}"
    records, text = failing(machine)
    assert text == (
        f"failed to read hosted zone {inner}: AWS answered AccessDenied: no;"
        ' attach the policy that "ddns iam-policy" prints'
    )
    assert records["home.b.example.com"]["state"] == "pending"
    assert records[HOME]["state"] == "verified"
    assert not any(inner in asked for asked in machine.aws.asked if "<Change>" in asked)  # no blind write
    machine.statements_hold("9.9.9.9")


# Narrowing


@pytest.mark.parametrize(
    ("code", "count"), [("InvalidChangeBatch", 8), ("AccessDenied", 8), ("InvalidChangeBatch", 500)]
)
def test_it_does_not_let_one_bad_record_hold_back_the_others(machine: Machine, code: str, count: int) -> None:
    wanted = names(count)
    bad = wanted[count // 3]
    machine.environment["DDNS_RECORDS"] = ",".join(wanted)
    machine.aws.fault(CHANGE, refuse(code, "not that one"), containing=bad)
    records, text = failing(machine)
    assert f"failed to change {bad} A: AWS answered {code}: not that one; " in text
    assert {name for name, each in records.items() if each["state"] == "verified"} == set(wanted) - {bad}
    assert (records[bad]["state"], records[bad]["change_id"]) == ("failed", None)
    assert [name for name, each in records.items() if each["error"]] == [bad]
    assert machine.aws.count()[CHANGE] <= 19

    machine.aws.asked.clear()
    failing(machine)
    (again,) = [asked for asked in machine.aws.asked if "<Change>" in asked]
    assert again.count("<Change>") == 1
    assert journal(machine)[bad]["attempts"] == 2
    machine.aws.heal()
    assert machine.run()["outcome"] == "updated"
    assert set(machine.database.states().values()) == {"verified"}


def test_it_starves_no_record_when_most_are_refused(machine: Machine) -> None:
    wanted = names(50)
    good = wanted[9::10]
    machine.environment["DDNS_RECORDS"] = ",".join(wanted)
    for digit in range(9):
        machine.aws.fault(CHANGE, refuse("InvalidChangeBatch"), containing=f"{digit}.example.com")
    for number in range(4):
        machine.aws.calls.clear()
        failing(machine)
        assert machine.aws.count()[CHANGE] <= 40
        rows = journal(machine)
        assert number or not all(each["attempts"] for each in rows.values())  # one run is not enough
    assert {name for name, each in rows.items() if each["state"] == "verified"} == set(good)
    assert all(each["attempts"] for each in rows.values())


# Verifying


def test_it_leaves_a_change_pending_and_follows_it_in_the_next_run(machine: Machine) -> None:
    machine.aws.fault("GetChange", pending)
    done = machine.ddns("run", "--json", DDNS_VERIFY_TIMEOUT="1")
    assert (done.status, done.err) == (0, "")
    assert done.json["outcome"] == "pending"
    row = journal(machine)[HOME]
    assert (row["state"], row["lastError"]) == ("submitted", None)
    assert row["changeId"]
    assert machine.ddns("run", "--quiet", DDNS_VERIFY_TIMEOUT="0").out == (
        "pending: 9.9.9.9 is version 1 of line; home.example.com A submitted and not yet verified;"
        " the next run checks again\n"
    )
    machine.aws.heal()
    machine.aws.asked.clear()
    assert machine.run()["outcome"] == "updated"
    assert machine.aws.count()[CHANGE] == 1
    assert [row["changeId"] in asked for asked in machine.aws.asked if "/change/" in asked] == [True]
    assert journal(machine)[HOME]["state"] == "verified"
    machine.statements_hold("9.9.9.9")


@pytest.mark.usefixtures("reached")
def test_it_ends_within_the_run_timeout_when_a_change_is_never_in_sync(machine: Machine) -> None:
    machine.aws.fault("GetChange", pending)
    clock = Clock()
    result = run(machine, Plan("line", (Family.IPV4,), (Record(HOME, "A"),), 55), clock=clock)
    assert (result.outcome, result.error) == (Outcome.PENDING, None)
    assert clock.slept == [1, 1.5, 2.25, 3.375, *[5] * 7]  # 45 s, which DDNS_VERIFY_TIMEOUT allows
    clock = Clock()
    result = run(machine, Plan("line", (Family.IPV4,), (Record(HOME, "A"),), 7), clock=clock)
    assert (result.outcome, result.error) == (Outcome.PENDING, None)
    assert clock.slept == [1]  # it keeps 5 s for its last writes


def test_it_reports_that_it_may_not_follow_a_change(machine: Machine) -> None:
    machine.aws.fault("GetChange", refuse("AccessDenied", "not authorized", 403))
    _, text = failing(machine)
    change_id = journal(machine)[HOME]["changeId"]
    assert text == (
        f"could not confirm that {HOME} A now points to 9.9.9.9: failed to check change {change_id}: AWS"
        ' answered AccessDenied: not authorized; attach the policy that "ddns iam-policy" prints;'
        " the next run checks again"
    )
    assert journal(machine)[HOME]["state"] == "submitted"
    failing(machine)
    assert machine.aws.count()[CHANGE] == 1
    machine.statements_hold("9.9.9.9")


def test_it_forgets_the_failure_of_an_earlier_check_when_the_next_one_succeeds(machine: Machine) -> None:
    machine.aws.fault("GetChange", refuse("AccessDenied"), times=1)
    machine.aws.fault("GetChange", pending)
    failing(machine)
    done = machine.ddns("run", "--json", DDNS_VERIFY_TIMEOUT="0")
    assert (done.status, done.json["outcome"]) == (0, "pending")
    assert journal(machine)[HOME]["lastError"] is None


def test_it_sends_a_change_again_that_aws_no_longer_knows(machine: Machine) -> None:
    machine.aws.fault("GetChange", pending, times=1)
    assert machine.run(DDNS_VERIFY_TIMEOUT="0")["outcome"] == "pending"
    machine.aws.fault("GetChange", refuse("NoSuchChange", status=404), times=1)
    assert machine.run(DDNS_VERIFY_TIMEOUT="0")["outcome"] == "pending"
    row = journal(machine)[HOME]
    assert (row["state"], row["changeId"]) == ("pending", None)
    assert machine.run()["outcome"] == "updated"
    assert machine.aws.count()[CHANGE] == 2


def test_it_fails_when_dns_holds_something_else_and_repairs_it_in_the_next_run(machine: Machine) -> None:
    machine.aws.fault("GetChange", pending)
    machine.run(DDNS_VERIFY_TIMEOUT="0")
    machine.aws.heal()
    machine.aws.put_address(machine.zone_id, HOME, "8.8.8.8", 300)
    _, text = failing(machine)
    assert text == (
        f"could not confirm that {HOME} A now points to 9.9.9.9: DNS holds 8.8.8.8 with TTL 300;"
        " the next run sends it again"
    )
    assert journal(machine)[HOME]["state"] == "failed"
    machine.statements_hold("9.9.9.9")
    assert machine.aws.record_sets(machine.zone_id)[HOME, "A"]["TTL"] == 60  # as it was sent


def test_it_verifies_in_the_next_run_what_it_could_not_read_back(machine: Machine) -> None:
    machine.aws.fault("ListResourceRecordSets", refuse("InternalFailure", status=500), after=1)
    _, text = failing(machine)
    assert text.startswith(f"could not confirm that {HOME} A now points to 9.9.9.9: failed to read hosted zone")
    assert journal(machine)[HOME]["state"] == "submitted"
    machine.statements_hold("9.9.9.9")
    assert machine.aws.count()[CHANGE] == 1


@pytest.fixture
def history(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> Iterator[HistoryStore]:
    monkeypatch.setenv("AWS_ENDPOINT_URL", machine.aws.url)
    with factories.open_history(machine.database.settings()) as opened:
        yield opened


@pytest.fixture
def reached(aws: FakeAws, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let runs in this process reach Route 53."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws.url)


def run(
    machine: Machine,
    plan: Plan,
    *,
    clock: Clock | None = None,
    whole_run: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> FamilyResult:
    """Do one run in this process, on `clock` if given; the slow AWS client is made before the run starts."""
    dns = open_route53()
    (result,) = Updater(
        plan,
        sources=[HttpSource(HttpSpec(machine.service.url), timeout=2, retries=0, open_tls=create_default_context)],
        open_history=partial(factories.open_history, machine.database.settings()),
        publisher=Publisher(Policy(), lambda: dns),
        verifier=Verifier(lambda: dns, sleep=clock.sleep if clock else time.sleep),
        whole_run=whole_run,
        limit=time_limit,
        monotonic=clock.monotonic if clock else time.monotonic,
    ).run().results  # fmt: skip
    return result


@contextmanager
def sockets_left_behind() -> Iterator[None]:
    """Collect the sockets that the SDK leaves open when a call is interrupted, without a warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        yield
        gc.collect()


def publish(
    history: HistoryStore,
    clock: Clock,
    records: Sequence[str],
    *,
    seconds: float = 10**6,
    verify_timeout: float = 45,
) -> list[Publication]:
    """Publish and verify on `clock`; return the publications as they were stored."""
    origin = only_origin(history)
    writer = JournalWriter(history, origin, history.latest(origin), clock.monotonic, dry_run=False)
    open_dns = cache(open_route53)
    wanted = [Record(name, "A") for name in records]
    Publisher(Policy(), open_dns).publish([(writer, wanted)])
    verifier = Verifier(open_dns, timeout=verify_timeout, sleep=clock.sleep)
    verifier.verify([(writer, wanted)], Deadline(seconds, clock.monotonic))
    return list(history.latest(origin).publications)


def test_it_polls_less_and_less_often_until_the_change_is_in_sync(machine: Machine, history: HistoryStore) -> None:
    machine.aws.fault("GetChange", pending, times=6)
    clock = Clock()
    (publication,) = publish(history, clock, [HOME])
    assert publication.state is PublicationState.VERIFIED
    assert clock.slept == [1, 1.5, 2.25, 3.375, 5, 5]
    assert publication.verified_at is not None
    assert publication.verified_at == publication.checked_at
    assert publication.submitted_at is not None
    assert (publication.verified_at - publication.submitted_at).total_seconds() == 18


@pytest.mark.parametrize(("verify_timeout", "left", "polls"), [(45, 10**6, 12), (10, 10**6, 5), (45, 3, 3), (0, 99, 1)])
def test_it_waits_no_longer_than_both_limits_allow(
    machine: Machine, history: HistoryStore, verify_timeout: float, left: float, polls: int
) -> None:
    machine.aws.fault("GetChange", pending)
    clock = Clock()
    (publication,) = publish(history, clock, [HOME], seconds=left, verify_timeout=verify_timeout)
    assert publication.state is PublicationState.SUBMITTED
    assert machine.aws.count()["GetChange"] == polls
    assert sum(clock.slept) <= min(verify_timeout, left)


def test_it_verifies_what_is_in_sync_while_another_zone_is_not(machine: Machine, history: HistoryStore) -> None:
    machine.aws.zone("b.example.com")
    machine.aws.fault("GetChange", pending, containing=f"/change/{machine.aws.next_change_id}")
    found = publish(history, Clock(), [HOME, "home.b.example.com"])
    assert {each.record.name: each.state for each in found} == {
        HOME: PublicationState.SUBMITTED,
        "home.b.example.com": PublicationState.VERIFIED,
    }


# AWS failures

FAULTS: dict[str, tuple[str, Fault, str]] = {}
for _operation in ("ListHostedZones", "ListResourceRecordSets", CHANGE, "GetChange"):
    FAULTS[f"denied {_operation}"] = (_operation, refuse("AccessDenied", "not authorized", 403), "AccessDenied: not")
    FAULTS[f"500 from {_operation}"] = (_operation, refuse("InternalFailure", "oops", 500), "InternalFailure: oops")
FAULTS["throttled for ever"] = (CHANGE, refuse("Throttling", "Rate exceeded."), "Throttling: Rate exceeded; the next")
FAULTS["busy for ever"] = (
    CHANGE,
    refuse("PriorRequestNotComplete", "wait"),
    "PriorRequestNotComplete: wait; the next",
)
FAULTS["cut"] = (CHANGE, cut, "AWS did not answer: Connection was closed")
FAULTS["every answer lost"] = (CHANGE, lose_answer, "AWS did not answer: Connection was closed")


@pytest.mark.usefixtures("no_pauses")
@pytest.mark.parametrize("case", FAULTS)
def test_it_keeps_the_record_due_and_reports_the_aws_failure(machine: Machine, case: str) -> None:
    machine.service.address = "1.1.1.1"
    operation, fault, said = FAULTS[case]
    machine.aws.fault(operation, fault)
    records, text = failing(machine)
    assert said in text
    assert f"version 2 of line, but {records[HOME]['error']}" in text
    assert machine.database.versions() == [(1, "9.9.9.9"), (2, "1.1.1.1")]
    row = journal(machine)[HOME]
    assert row["lastError"] == records[HOME]["error"]
    unanswered = "did not answer" in said or "InternalFailure" in said or "for ever" in case  # it may arrive yet
    assert row["state"] == {CHANGE: "pending" if unanswered else "failed", "GetChange": "submitted"}.get(
        operation, "pending"
    )
    machine.statements_hold("1.1.1.1")


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
def test_it_recovers_from_a_transient_aws_failure(machine: Machine, operation: str, fault: Fault) -> None:
    machine.aws.fault(operation, fault, times=1)
    done = machine.ddns("run")
    assert (done.status, done.err) == (0, "")
    assert done.out.startswith("updated: ")
    assert machine.aws.address(machine.zone_id) == "9.9.9.9"


def no_credentials(_machine: Machine) -> dict[str, Any]:
    return {"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None}


def unknown_profile(_machine: Machine) -> dict[str, Any]:
    return {"AWS_PROFILE": "nope"}


def refused_connection(_machine: Machine) -> dict[str, Any]:
    return {"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}


def bad_endpoint(_machine: Machine) -> dict[str, Any]:
    return {"AWS_ENDPOINT_URL": "localhost"}


def missing_zone(_machine: Machine) -> dict[str, Any]:
    return {"DDNS_HOSTED_ZONE_ID": "ZNOPE"}


def denied_zone(machine: Machine) -> dict[str, Any]:
    machine.aws.fault("GetHostedZone", refuse("AccessDenied", "not authorized", 403))
    return {"DDNS_HOSTED_ZONE_ID": machine.zone_id}


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
    machine: Machine, arrange: Callable[[Machine], dict[str, Any]], said: str
) -> None:
    machine.service.address = "1.1.1.1"
    _, text = failing(machine, **arrange(machine))
    assert said in text
    assert machine.database.versions() == [(1, "9.9.9.9"), (2, "1.1.1.1")]
    assert journal(machine)[HOME]["state"] == "pending"
    machine.statements_hold("1.1.1.1")


@pytest.mark.usefixtures("reached")
@pytest.mark.parametrize("operation", ["ListHostedZones", "ListResourceRecordSets", CHANGE, "GetChange"])
def test_it_ends_in_time_when_aws_never_answers(machine: Machine, operation: str) -> None:
    machine.service.address = "1.1.1.1"
    machine.aws.fault(operation, machine.aws.hang)
    plan = Plan("line", (Family.IPV4,), (Record(HOME, "A"),), 55)
    start = time.monotonic()
    with sockets_left_behind():
        result = run(machine, plan, whole_run=partial(time_limit, 1, Stopped("stopped after 1 s")))
    assert time.monotonic() - start < 5
    assert (result.outcome, result.error) == (Outcome.FAILED, "stopped after 1 s")
    assert machine.aws.calls[-1] == operation
    machine.statements_hold("1.1.1.1")


def test_the_command_ends_in_time_when_aws_never_answers(machine: Machine) -> None:
    machine.service.address = "1.1.1.1"
    machine.aws.fault(CHANGE, machine.aws.hang)
    start = time.monotonic()
    done = finish(machine.start("run", "--json", DDNS_RUN_TIMEOUT="3", DDNS_VERIFY_TIMEOUT="2"))
    assert time.monotonic() - start < 10  # includes the start of the interpreter, on a busy machine
    assert (done.status, done.json["outcome"], done.err.count("\n")) == (1, "failed", 1)
    assert done.err.endswith("stopped after 3 s (DDNS_RUN_TIMEOUT=3); the next run continues\n")
    machine.statements_hold("1.1.1.1")


# Rechecks


def test_it_rechecks_once_an_interval(machine: Machine) -> None:
    machine.run()
    age(machine)
    machine.aws.calls.clear()
    assert machine.run()["outcome"] == "unchanged"
    assert machine.aws.calls == ["ListHostedZones", "ListResourceRecordSets"]
    assert machine.run()["outcome"] == "unchanged"
    assert len(machine.aws.calls) == 2


def test_it_rechecks_a_record_that_was_checked_in_the_future(machine: Machine) -> None:
    machine.run()
    age(machine, "+2 days")
    machine.aws.put_address(machine.zone_id, HOME, "8.8.8.8")
    assert machine.run()["outcome"] == "updated"
    assert machine.aws.address(machine.zone_id) == "9.9.9.9"
    asked = len(machine.aws.calls)
    assert machine.run()["outcome"] == "unchanged"
    assert len(machine.aws.calls) == asked


def test_it_never_rechecks_when_rechecks_are_off(machine: Machine) -> None:
    machine.run()
    for by in ("-10 years", "+20 years"):
        age(machine, by)
        state_file(machine).unlink()  # it knows better when the record was seen
        machine.aws.calls.clear()
        assert machine.run(DDNS_RECHECK_EVERY="0")["outcome"] == "unchanged"
        assert machine.aws.calls == []


def test_it_writes_nothing_when_a_recheck_cannot_read(machine: Machine) -> None:
    machine.run()
    age(machine)
    machine.aws.fault("ListResourceRecordSets", refuse("InternalFailure", "oops", 500))
    records, text = failing(machine)
    assert text == (
        f"failed to read hosted zone {machine.zone_id}: AWS answered InternalFailure: oops; the next run tries again"
    )
    assert records[HOME]["state"] == "verified"
    assert machine.aws.count()[CHANGE] == 1
    machine.statements_hold("9.9.9.9")
    assert machine.aws.count()[CHANGE] == 1


def test_it_rechecks_after_a_failed_recheck_whatever_the_interval(machine: Machine) -> None:
    machine.run()
    age(machine)
    machine.aws.fault("ListHostedZones", refuse("AccessDenied"), times=1)
    failing(machine)
    assert machine.run(DDNS_RECHECK_EVERY="0")["outcome"] == "unchanged"
    assert journal(machine)[HOME]["lastError"] is None


def test_a_version_whose_id_was_used_before_is_published(small_machine: Machine) -> None:
    small_machine.init("9.9.9.9")
    small_machine.run()
    small_machine.database.sql("DELETE FROM admin_ip_history")
    small_machine.database.sql(
        "INSERT INTO admin_ip_history (id, ip, name, version, originId) VALUES (1, '1.1.1.1', 'line', 1, 1)"
    )
    small_machine.service.address = "1.1.1.1"
    assert small_machine.run()["outcome"] == "updated"
    assert small_machine.aws.address(small_machine.zone_id) == "1.1.1.1"


def test_a_version_that_was_edited_manually_is_published(small_machine: Machine) -> None:
    small_machine.init("9.9.9.9")
    small_machine.run()
    small_machine.database.sql("UPDATE admin_ip_history SET ip = '8.8.8.8'")
    small_machine.service.address = "8.8.8.8"
    assert small_machine.run()["outcome"] == "updated"
    assert small_machine.aws.address(small_machine.zone_id) == "8.8.8.8"


def test_what_the_journal_says_of_another_address_is_forgotten(small_machine: Machine) -> None:
    small_machine.init("9.9.9.9")
    small_machine.run()
    small_machine.database.sql("UPDATE admin_dns_publication SET attempts = 7, verifiedAt = '2020-01-01 00:00:00'")
    small_machine.database.sql("UPDATE admin_ip_history SET ip = '8.8.8.8'")
    small_machine.service.address = "8.8.8.8"
    assert small_machine.run()["outcome"] == "updated"
    assert journal(small_machine)[HOME]["attempts"] == 1
    ((verified_at,),) = small_machine.database.sql("SELECT verifiedAt FROM admin_dns_publication")
    assert not verified_at.startswith("2020")


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
