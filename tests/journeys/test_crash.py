"""Runs that are killed, cut off, or at work all at once; afterwards nothing is lost and the next run sets it right."""

import signal
from contextlib import closing, suppress
from ipaddress import IPv4Address
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from ddns_updater.app.init import initialise
from ddns_updater.errors import HistoryError
from ddns_updater.model import Family
from tests.support import aws as faults
from tests.support import services
from tests.support.aws import FakeAws
from tests.support.command import finish
from tests.support.database import Database, replace_port
from tests.support.machine import Machine
from tests.support.proxy import Proxy

# Each phase of the run, when it begins and when it has ended, and every write in between.
_PLACES = [
    "return:SqlOrigins.origins",  # before the lock
    "call:Updater._detect",  # the lock is held
    "return:Updater._detect",
    "return:Updater._compare",
    "call:SqlHistory.append",
    "call:SqlHistory._insert",
    "return:SqlHistory._insert",  # the version is recorded, and not read back yet
    "return:SqlHistory.append",
    "call:Publisher.publish",
    "return:Route53.zones_for",
    "return:Route53.read",
    "call:SqlHistory.save",  # pending
    "return:SqlHistory.save",
    "call:Route53.upsert",
    "return:Route53.upsert",  # the change was made, its ID is not written yet
    "call:SqlHistory.save:2",  # submitted
    "return:SqlHistory.save:2",
    "call:Verifier.verify",
    "return:Route53.in_sync",
    "call:Verifier._read_back",
    "return:Route53.read:2",
    "call:SqlHistory.save:3",  # verified
    "return:SqlHistory.save:3",
    "return:Verifier.verify",
    "return:Updater.run",
]
# The engines differ in what a dead client leaves: its lock, its transaction, its rows.
_LOCKED = "call:Updater._detect"
_OF_SQL = [place for place in _PLACES if ":Sql" in place or place == _LOCKED]


@pytest.mark.parametrize(
    ("database", "place"),
    [*[("sqlite", place) for place in _PLACES], *[("mysql", place) for place in _OF_SQL]],
    indirect=["database"],
)
def test_a_run_killed_at_any_boundary_loses_nothing(machine: Machine, place: str) -> None:
    machine.init("8.8.8.8")
    machine.service.address = "1.1.1.1"
    assert machine.killed(place, "run").status == -signal.SIGKILL
    machine.statements_hold("1.1.1.1")


def test_the_places_of_the_kills_come_in_the_order_of_the_run(small_machine: Machine) -> None:
    listing = small_machine.folder / "places"
    small_machine.init("8.8.8.8")
    assert small_machine.killed("list", "run", KILL_LIST=str(listing)).status == 0
    places = iter(listing.read_text().splitlines())
    for place in _PLACES:
        event, function, *_ = place.split(":")
        assert f"{event}:{function}" in places, place  # each is found after the one before


@pytest.mark.parametrize("number", [*range(1, 8), *range(10, 45, 5)])
def test_an_init_killed_between_two_statements_is_done_by_the_next(small_machine: Machine, number: int) -> None:
    arguments = ("init", "--name", "line", "--ip", "9.9.9.9")
    place = f"call:DatabaseBackend.execute:{number}"
    small_machine.killed(place, *arguments)
    done = small_machine.ddns(*arguments)
    assert done.status == 0, done.err
    assert small_machine.database.versions() == [(1, "9.9.9.9")]
    small_machine.statements_hold("9.9.9.9")


@pytest.mark.parametrize("number", [*range(0, 24, 3), *range(24, 120, 8)])
@pytest.mark.parametrize("fault", ["cut", "lose"])
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the driver forgets to close its socket
def test_an_init_cut_off_at_any_statement_is_done_by_the_next(mysql: Database, number: int, fault: str) -> None:
    """Once the process is dead for the server, its connections and all that it would still send are gone."""
    with closing(Proxy(urlsplit(mysql.url).port or 0)) as proxy:
        proxy.die_at(number, fault)
        settings = Database("mysql", replace_port(mysql.url, proxy.port)).settings()
        with suppress(HistoryError):
            initialise(settings, name="line", addresses={Family.IPV4: IPv4Address("9.9.9.9")})
    initialise(mysql.settings(), name="line", addresses={Family.IPV4: IPv4Address("9.9.9.9")})
    assert mysql.versions() == [(1, "9.9.9.9")]


def test_twenty_runs_at_once_append_one_version(machine: Machine) -> None:
    machine.init("8.8.8.8")
    machine.service.address = "1.1.1.1"
    ended = machine.at_once(20, "run", "--json", DDNS_IP_TIMEOUT="20")
    assert {each.status for each in ended} == {0}, [each.err for each in ended]
    outcomes = [each.json["outcome"] for each in ended]
    assert outcomes.count("updated") == 1
    assert set(outcomes) <= {"updated", "skipped", "unchanged"}
    assert machine.database.versions() == [(1, "8.8.8.8"), (2, "1.1.1.1")]
    assert machine.aws.count()["ChangeResourceRecordSets"] == 1
    machine.statements_hold("1.1.1.1")


def test_a_second_run_is_skipped_while_the_first_is_at_work(machine: Machine) -> None:
    machine.init("8.8.8.8")
    machine.service.play = services.hang
    first = machine.start("run", DDNS_IP_TIMEOUT="30")
    while not machine.service.requests:
        assert first.poll() is None
    second = machine.ddns("run")
    assert (second.status, second.out) == (0, "skipped: another run of line is in progress\n")
    assert machine.ddns("run", "--quiet").out == ""
    first.send_signal(signal.SIGTERM)
    ended = finish(first)
    assert ended.status == 1
    assert ended.err == "failed: stopped by SIGTERM; the next run continues\n"
    machine.service.play = None
    machine.statements_hold("9.9.9.9")


def test_a_run_that_is_frozen_while_the_database_forgets_it_appends_nothing_twice(
    mysql: Database, aws: FakeAws, service: services.AddressService, tmp_path: Path
) -> None:
    """The lock went with the connection, another run recorded the change; the first one wakes up and must not."""
    proxied = Proxy(urlsplit(mysql.url).port or 0)
    machine = Machine(mysql, service, aws, tmp_path / "home", aws.zone())
    machine.init("8.8.8.8")
    service.address = "1.1.1.1"
    service.play = services.hang
    with closing(proxied):
        frozen = machine.start("run", DDNS_DATABASE_URL=replace_port(mysql.url, proxied.port), DDNS_IP_TIMEOUT="30")
        while not service.requests:
            assert frozen.poll() is None
        proxied.cut_all()
        service.play = None
        machine.run()
        frozen.send_signal(signal.SIGTERM)
        finish(frozen)
    machine.statements_hold("1.1.1.1")
    assert mysql.versions() == [(1, "8.8.8.8"), (2, "1.1.1.1")]


_STATEMENTS = [
    "GET_LOCK",
    "SELECT h.id",
    "INSERT INTO admin_ip_history",
    "COMMIT",
    "INSERT INTO admin_dns_publication",
]


@pytest.mark.parametrize("fault", ["cut", "lose"])
@pytest.mark.parametrize("after", [0, 1])
@pytest.mark.parametrize("statement", _STATEMENTS)
def test_a_database_that_goes_away_for_good_in_the_middle_of_a_run_loses_nothing(
    mysql: Database,
    aws: FakeAws,
    service: services.AddressService,
    tmp_path: Path,
    statement: str,
    after: int,
    fault: str,
) -> None:
    machine = Machine(mysql, service, aws, tmp_path / "home", aws.zone())
    machine.init("8.8.8.8")
    service.address = "1.1.1.1"
    with closing(Proxy(urlsplit(mysql.url).port or 0)) as proxy:
        proxy.on(statement, fault, after=after, for_good=True)
        through = replace_port(mysql.url, proxy.port)
        broken = machine.ddns("run", DDNS_DATABASE_URL=through)
    if proxy.fired:
        assert broken.status == 1
        assert broken.out == ""
        assert broken.err.count("\n") == 1
        assert "lost the connection to the database" in broken.err
    machine.statements_hold("1.1.1.1")


def test_a_database_that_hangs_in_the_middle_of_a_run_ends_it_in_time(
    mysql: Database, aws: FakeAws, service: services.AddressService, tmp_path: Path
) -> None:
    machine = Machine(mysql, service, aws, tmp_path / "home", aws.zone())
    machine.init("8.8.8.8")
    service.address = "1.1.1.1"
    with closing(Proxy(urlsplit(mysql.url).port or 0)) as proxy:
        proxy.on("INSERT INTO admin_ip_history", "hang")
        through = replace_port(mysql.url, proxy.port)
        broken = machine.process("run", DDNS_DATABASE_URL=through, DDNS_RUN_TIMEOUT="3")
    assert broken.status == 1
    assert broken.err == "failed: stopped after 3 s (DDNS_RUN_TIMEOUT=3); the next run continues\n"
    machine.statements_hold("1.1.1.1")


@pytest.mark.parametrize(
    ("operation", "fault"),
    [
        ("ListHostedZones", faults.cut),
        ("ListResourceRecordSets", faults.cut),
        ("ChangeResourceRecordSets", faults.cut),
        ("ChangeResourceRecordSets", faults.lose_answer),
        ("GetChange", faults.cut),
    ],
)
def test_aws_that_goes_away_at_any_call_leaves_the_version_due(
    machine: Machine, operation: str, fault: faults.Fault
) -> None:
    machine.init("8.8.8.8")
    machine.service.address = "1.1.1.1"
    machine.aws.fault(operation, fault)
    broken = machine.ddns("run")
    assert broken.status == 1
    assert "failed: 1.1.1.1 (was 8.8.8.8) is version 2 of line, but " in broken.err
    assert machine.database.versions() == [(1, "8.8.8.8"), (2, "1.1.1.1")]
    machine.statements_hold("1.1.1.1")
