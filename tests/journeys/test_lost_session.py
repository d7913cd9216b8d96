"""A run whose database session ends under it, and what the server keeps of a run whose client is gone.

The lock ends with the session, so whatever was read before counts for nothing any more.
"""

import hashlib
import shutil
import signal
import socket
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from ddns_updater.app import factories
from ddns_updater.errors import ConnectionLost
from ddns_updater.history.mysql import MySqlHistory
from ddns_updater.history.url import MySqlUrl
from tests.support import aws as faults
from tests.support import services
from tests.support.aws import Call, FakeAws
from tests.support.command import Finished, finish
from tests.support.database import Database, only_origin, replace_port
from tests.support.machine import Machine
from tests.support.proxy import Proxy

AGAIN = "warning: lost the connection to the database at "


@pytest.fixture
def machine(
    mysql: Database, service: services.AddressService, aws: FakeAws, tmp_path_factory: pytest.TempPathFactory
) -> Machine:
    """Give a machine on MySQL whose address has just changed from 8.8.8.8 to 1.1.1.1."""
    made = Machine(mysql, service, aws, tmp_path_factory.mktemp("home"), aws.zone())
    made.init("8.8.8.8")
    made.service.address = "1.1.1.1"
    return made


def sessions(database: Database) -> list[int]:
    """Return the IDs of the sessions in a database, less that of this question."""
    name = database.url.rpartition("/")[2]
    found = database.sql(
        "SELECT ID FROM information_schema.PROCESSLIST WHERE DB = ? AND ID <> CONNECTION_ID()", (name,)
    )
    return [row[0] for row in found]


def kill_sessions(database: Database) -> None:
    """End every session in a database, and wait until it is gone."""
    for each in sessions(database):
        database.sql(f"KILL {each}")
    while sessions(database):
        time.sleep(0.01)


def lock_of(database: Database, key: str = "1") -> str:
    """Return the name of the lock of an origin."""
    name = database.url.rpartition("/")[2]
    return f"ddns:{hashlib.sha256(name.encode()).hexdigest()[:32]}:{key}"


def holder(database: Database) -> int | None:
    """Return the ID of the session that holds the lock of the origin."""
    ((found,),) = database.sql("SELECT IS_USED_LOCK(?)", (lock_of(database),))
    return None if found is None else int(found)


def then(fault: Callable[[Call], bytes], work: Callable[[], object]) -> Callable[[Call], bytes]:
    """Return a fault that also does `work` before it answers."""

    def both(call: Call) -> bytes:
        answer = fault(call)
        work()
        return answer

    return both


def assert_began_again(done: Finished) -> None:
    assert (done.status, done.err.count("\n")) == (0, 1), done.err
    assert done.err.startswith(AGAIN)
    assert done.err.endswith("; the run began again\n")


# A session that was ended at each phase of a run


def test_a_version_whose_commit_had_no_answer_is_told_as_recorded(machine: Machine) -> None:
    proxy = Proxy(int(urlsplit(machine.database.url).port or 0))
    proxy.on("COMMIT", "lose")
    result = machine.run(DDNS_DATABASE_URL=replace_port(machine.database.url, proxy.port))
    proxy.close()
    assert proxy.fired
    (family,) = result["results"]
    assert (result["outcome"], family["version"], family["previous_address"]) == ("updated", 2, "8.8.8.8")
    assert machine.database.versions() == [(1, "8.8.8.8"), (2, "1.1.1.1")]
    line = machine.ddns("run").out
    assert line.startswith("unchanged: 1.1.1.1 is version 2 of line")


def test_a_family_that_has_ended_keeps_its_result(machine: Machine) -> None:
    with services.running("127.0.0.2") as second, services.running("::1") as six:
        machine.environment |= {
            "DDNS_IP_FAMILIES": "ipv4,ipv6",
            "DDNS_IP_SOURCES": f"{machine.service.url},{second.url},{six.url}",
            "DDNS_IP_AGREEMENT": "required",
        }
        six.address = "2600::1"
        assert machine.ddns("init", "--name", "line", "--ip", "2600::1").status == 0
        second.address = "8.8.4.4"  # so IPv4 is held

        def play(connection: socket.socket) -> None:
            six.play = None
            kill_sessions(machine.database)
            services.answer("2600::1")(connection)

        six.play = play
        four, six_result = machine.run()["results"]
    assert (four["outcome"], four["version"]) == ("held", 1)
    assert six_result["outcome"] == "updated"


def test_a_session_that_ends_during_detection_is_replaced(machine: Machine) -> None:
    def play(connection: socket.socket) -> None:
        machine.service.play = None
        kill_sessions(machine.database)
        services.answer("1.1.1.1")(connection)

    machine.service.play = play
    assert_began_again(machine.ddns("run"))
    assert machine.database.versions() == [(1, "8.8.8.8"), (2, "1.1.1.1")]
    assert machine.service.requests == 2
    assert holder(machine.database) is None
    machine.statements_hold("1.1.1.1")


def test_a_session_that_ends_before_the_version_is_appended_appends_what_is_detected_then(machine: Machine) -> None:
    with services.running("127.0.0.2") as second:

        def play(connection: socket.socket) -> None:
            second.play, second.address = None, "8.8.4.4"
            machine.service.address = "8.8.4.4"
            kill_sessions(machine.database)
            services.answer("1.1.1.1")(connection)

        second.play = play
        sources = f"{machine.service.url},{second.url}"
        assert_began_again(machine.ddns("run", DDNS_IP_SOURCES=sources, DDNS_IP_AGREEMENT="required"))
    assert machine.database.versions() == [(1, "8.8.8.8"), (2, "8.8.4.4")]
    assert "1.1.1.1" not in "".join(machine.aws.bodies)
    machine.statements_hold("8.8.4.4")


@pytest.mark.parametrize(
    ("operation", "fault", "changes"),
    [
        ("ListResourceRecordSets", Call.pass_on, 1),  # the version is appended
        ("ChangeResourceRecordSets", Call.pass_on, 2),  # before the journal says `submitted`; an UPSERT can be repeated
        ("GetChange", faults.pending, 1),  # while the change is waited for
        ("GetChange", Call.pass_on, 1),  # before the journal says `verified`
    ],
)
def test_a_session_that_ends_while_route_53_is_asked_is_replaced(
    machine: Machine, operation: str, fault: Callable[[Call], bytes], changes: int
) -> None:
    machine.aws.fault(operation, then(fault, lambda: kill_sessions(machine.database)), times=1)
    done = machine.ddns("run")
    assert_began_again(done)
    assert done.out.startswith("updated: 1.1.1.1 (was 8.8.8.8) is version 2 of line; ")
    assert machine.database.versions() == [(1, "8.8.8.8"), (2, "1.1.1.1")]
    assert machine.database.states() == {"home.example.com": "verified"}
    assert machine.aws.address(machine.zone_id) == "1.1.1.1"
    assert machine.aws.count()["ChangeResourceRecordSets"] == changes
    assert holder(machine.database) is None
    machine.statements_hold("1.1.1.1")


def test_a_session_that_ends_twice_ends_the_run(machine: Machine) -> None:
    machine.aws.fault("GetChange", then(Call.pass_on, lambda: kill_sessions(machine.database)))
    done = machine.ddns("run")
    assert (done.status, done.out) == (1, "")
    again, failed = done.err.splitlines()
    assert again.endswith("; the run began again")
    assert "lost the connection to the database at " in failed
    assert failed.endswith("; the next run tries again")
    machine.statements_hold("1.1.1.1")


def test_with_two_families_both_begin_again(machine: Machine) -> None:
    """The session of both ends while the second one is published; what the first one recorded stays told."""
    files = {"v4": "8.8.8.8", "v6": "2001:4860:4860::8888"}
    machine.environment |= {
        "DDNS_IP_FAMILIES": "ipv4,ipv6",
        "DDNS_IP_SOURCES": ",".join(f"file:{machine.folder}/{each}" for each in files),
    }
    for name, address in files.items():
        (machine.folder / name).write_text(address)
    assert machine.ddns("init", "--name", "line").status == 0
    for name, address in {"v4": "1.1.1.1", "v6": "2606:4700:4700::1111"}.items():
        (machine.folder / name).write_text(address)
    fault = then(Call.pass_on, lambda: kill_sessions(machine.database))
    machine.aws.fault("ChangeResourceRecordSets", fault, times=1, containing="<Type>AAAA</Type>")
    done = machine.ddns("run", "--json")
    assert (done.status, len(done.json["warnings"])) == (0, 1)
    assert [(each["outcome"], each["version"], each["previous_address"]) for each in done.json["results"]] == [
        ("updated", 2, "8.8.8.8"),
        ("updated", 2, "2001:4860:4860::8888"),
    ]
    assert [address for _, address in machine.database.versions()] == [
        "8.8.8.8", "1.1.1.1", "2001:4860:4860::8888", "2606:4700:4700::1111",
    ]  # fmt: skip
    states = machine.database.sql("SELECT recordType, state FROM admin_dns_publication ORDER BY recordType")
    assert states == [("A", "verified"), ("AAAA", "verified")]
    assert machine.aws.address(machine.zone_id) == "1.1.1.1"
    assert machine.aws.address(machine.zone_id, kind="AAAA") == "2606:4700:4700::1111"


def what_another_run_did_is_read(machine: Machine, lose_lock: Callable[[], object]) -> str:
    """Do a run that has appended version 2 and loses its lock, while another one appends and publishes version 3.

    Assert that the first one sends nothing before it has read that; return its warning.
    """
    sent: list[str] = []

    def other_run() -> None:
        lose_lock()
        machine.service.address = "8.8.4.4"
        assert machine.process("run", "--json").json["outcome"] == "updated"
        sent.extend(machine.aws.bodies)

    machine.aws.fault("ListResourceRecordSets", then(Call.pass_on, other_run), times=1)
    done = machine.ddns("run", "--json")
    assert (done.status, done.json["results"][0]["version"]) == (0, 3)
    warning = str(done.json["warnings"][0])
    assert warning.endswith("; the run began again")
    assert machine.database.versions() == [(1, "8.8.8.8"), (2, "1.1.1.1"), (3, "8.8.4.4")]
    assert "1.1.1.1" not in "".join(machine.aws.bodies)
    assert machine.aws.bodies == sent  # nothing was sent after the other run
    machine.statements_hold("8.8.4.4")
    return warning


def test_what_another_run_did_meanwhile_is_read_before_anything_is_sent(machine: Machine) -> None:
    what_another_run_did_is_read(machine, lambda: kill_sessions(machine.database))


def test_a_run_whose_lock_another_one_has_taken_sends_nothing_more(machine: Machine) -> None:
    with closing(machine.database.connect()) as other:

        def take_lock() -> None:
            kill_sessions(machine.database)
            other.cursor().execute("SELECT GET_LOCK(%s, 0)", (lock_of(machine.database),))

        machine.aws.fault("ListResourceRecordSets", then(Call.pass_on, take_lock), times=1)
        other.cursor().execute("USE information_schema")  # so that it is not among those that are ended
        done = machine.ddns("run")
    assert (done.status, done.out) == (0, "skipped: another run of line is in progress\n")
    assert done.err.startswith(AGAIN)
    assert machine.aws.count()["ChangeResourceRecordSets"] == 0
    assert machine.database.versions() == [(1, "8.8.8.8"), (2, "1.1.1.1")]
    assert machine.database.states() == {}
    machine.statements_hold("1.1.1.1")


# A client that is gone


@pytest.mark.parametrize(
    "statement", ["INSERT INTO admin_ip_history", "INSERT INTO admin_dns_publication", "SELECT h.id"]
)
def test_the_lock_that_the_server_keeps_for_a_lost_session_is_taken_from_it(machine: Machine, statement: str) -> None:
    """The line dropped: the client knows, the server does not."""
    with closing(Proxy(urlsplit(machine.database.url).port or 0)) as proxy:
        proxy.keeps_server = True
        proxy.on(statement, "cut")
        done = machine.ddns("run", DDNS_DATABASE_URL=replace_port(machine.database.url, proxy.port))
    assert_began_again(done)
    assert done.out.startswith("updated: 1.1.1.1 ")
    assert machine.database.versions() == [(1, "8.8.8.8"), (2, "1.1.1.1")]
    machine.statements_hold("1.1.1.1")


def test_a_run_that_vanished_holds_its_lock_only_for_a_while(machine: Machine) -> None:
    """Killed, and the server does not learn of it: a run is skipped until the server gives up the session."""
    machine.service.play = services.hang
    with closing(Proxy(urlsplit(machine.database.url).port or 0)) as proxy:
        proxy.keeps_server = True
        said: list[bytes] = []
        proxy.fault = lambda piece: said.append(piece)
        through = replace_port(machine.database.url, proxy.port)
        vanished = machine.start("run", DDNS_DATABASE_URL=through, DDNS_RUN_TIMEOUT="30", DDNS_IP_TIMEOUT="29")
        while not machine.service.requests:
            assert vanished.poll() is None
        vanished.send_signal(signal.SIGKILL)
        assert finish(vanished).status == -signal.SIGKILL
        machine.service.play = None
        assert holder(machine.database) in sessions(machine.database)
        assert machine.ddns("run").out == "skipped: another run of line is in progress\n"
        assert b"SET SESSION wait_timeout = 40," in b"".join(said)
    kill_sessions(machine.database)
    machine.statements_hold("1.1.1.1")


def test_the_server_ends_a_session_that_says_nothing_for_its_time(machine: Machine) -> None:
    url = machine.database.settings().database
    assert isinstance(url, MySqlUrl)
    with closing(MySqlHistory(url, None, authorities=str, idle=1)) as history:  # type: ignore[arg-type] # no schema
        origin = only_origin(history)
        with history.lock(origin) as taken:
            assert taken
            assert holder(machine.database) in sessions(machine.database)
            time.sleep(1.5)
            assert (holder(machine.database), sessions(machine.database)) == (None, [])
            for _ in range(2):  # what the server says, and what PyMySQL says once it knows
                with pytest.raises(ConnectionLost):
                    history.latest(origin)


@pytest.mark.parametrize(("options", "seconds"), [({}, 70), ({"for_init": True}, 3600)])
def test_a_session_lasts_as_long_as_its_run(machine: Machine, options: dict[str, bool], seconds: int) -> None:
    settings = machine.database.settings(DDNS_RUN_TIMEOUT=60)
    with factories.open_history(settings, **options) as history:
        assert isinstance(history, MySqlHistory)
        assert history.execute("SELECT @@SESSION.wait_timeout").fetchone() == (seconds,)


def test_a_server_that_ends_idle_sessions_early_does_not_end_a_run_that_waits_for_dns(machine: Machine) -> None:
    machine.aws.fault("GetChange", faults.pending, times=2)
    ((before,),) = machine.database.sql("SELECT @@GLOBAL.wait_timeout")
    machine.database.sql("SET GLOBAL wait_timeout = 1")
    try:
        done = machine.ddns("run")
    finally:
        machine.database.sql(f"SET GLOBAL wait_timeout = {before}")
    assert (done.status, done.err) == (0, "")
    assert machine.aws.count()["GetChange"] == 3
    assert machine.database.states() == {"home.example.com": "verified"}
    assert machine.aws.count()["ListResourceRecordSets"] == 2


# SQLite, whose locks are files


def test_a_run_whose_lock_file_was_removed_begins_again(small_machine: Machine) -> None:
    small_machine.init("8.8.8.8")
    small_machine.service.address = "1.1.1.1"
    file = small_machine.database.file
    warning = what_another_run_did_is_read(small_machine, file.with_name(f"{file.name}.1.lock").unlink)
    assert warning.startswith("lost the lock file ")


def test_a_run_whose_file_was_replaced_begins_again_with_the_other_one(small_machine: Machine) -> None:
    small_machine.init("8.8.8.8")
    small_machine.service.address = "1.1.1.1"
    file = small_machine.database.file
    replaced = then(Call.pass_on, lambda: replace_by_its_copy(file))
    small_machine.aws.fault("ListResourceRecordSets", replaced, times=1)
    done = small_machine.ddns("run", "--json")
    assert (done.status, done.json["outcome"]) == (0, "updated")
    assert done.json["warnings"] == [f"the database {file} was moved or replaced; the run began again"]
    small_machine.statements_hold("1.1.1.1")


def replace_by_its_copy(file: Path) -> None:
    copy = file.with_name("copy")
    shutil.copy(file, copy)
    copy.replace(file)
