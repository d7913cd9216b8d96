"""`ddns status --html`: the page of the line and all hosts, from a real database on both engines."""

from datetime import timedelta
from ipaddress import ip_address

from ddns_updater.app.factories import open_hosts
from ddns_updater.app.server_factories import sweep_reporter
from ddns_updater.app.status_page import read_hosts, status_page
from ddns_updater.hosts import Looked, NewHost, Sweep
from ddns_updater.lib.installation import install_advice
from ddns_updater.model import Family, PublicationState
from tests.output.test_status_page import parsed, tables, text_of, verdict
from tests.support.command import finish
from tests.support.database import Database
from tests.support.machine import Machine
from tests.support.receivers import Receiver

_ONE, _TWO, _SIX = ip_address("192.0.2.1"), ip_address("192.0.2.2"), ip_address("2001:db8::1")


def _add_hosts(database: Database, *names: str) -> None:
    """Add hosts that have asked with one address and then with another."""
    with open_hosts(database.settings()) as store:
        for name in names:
            host = store.add(NewHost(name, name, "m" * 32))
            store.update([(host, {Family.IPV4: _ONE})])
            store.update([(host, {Family.IPV4: _TWO, Family.IPV6: _SIX})])


def _set_states(database: Database, state: PublicationState) -> None:
    database.sql(
        "UPDATE admin_dns_publication SET state = ?, address = ?, hostedZoneId = 'Z1', changeId = 'C1'"
        " WHERE address IS NULL",
        (state.value, str(_TWO)),
    )


def test_the_page_has_the_line_and_every_host(published: Machine) -> None:
    _add_hosts(published.database, "nas.example.com", "cam.example.com")
    _set_states(published.database, PublicationState.VERIFIED)
    done = published.ddns("status", "--html")
    assert (done.status, done.err) == (0, "")
    found = tables(done.out)
    assert list(found) == ["Records that follow the line", "2 hosts without a problem"]
    assert [(row[0], row[1]) for row in found["Records that follow the line"]] == [("home.example.com A", "verified")]
    rows = found["2 hosts without a problem"]
    assert [each[0] for each in rows] == ["cam.example.com", "2001:db8::1", "nas.example.com", "2001:db8::1"]
    assert rows[0][1] == "192.0.2.2"
    assert rows[0][4].startswith("1 change192.0.2.2 since 20")
    assert verdict(done.out) == ["All is well"]


def test_a_host_with_a_problem_is_the_verdict_and_the_exit_status(published: Machine) -> None:
    _add_hosts(published.database, "nas.example.com")
    _set_states(published.database, PublicationState.FAILED)
    done = published.ddns("status", "--html")
    assert (done.status, done.err) == (1, "")
    assert verdict(done.out) == ["1 problem", "2 records of hosts cannot be published; ddns doctor names them"]
    assert published.ddns("status").status == 1


def test_the_open_incident_that_the_server_alerts_of_is_in_the_page(database: Database, receiver: Receiver) -> None:
    database.create_tables()
    _add_hosts(database, "nas.example.com")
    settings = database.settings(DDNS_WEBHOOK_URLS=receiver.url, DDNS_ALERT_AFTER="1")
    assert "Open incident" not in status_page(settings, name=None)[0]
    sweep_reporter(settings).report(Sweep("the database is away"))
    assert "1 sweep failed, 1 alert sent: the database is away" in status_page(settings, name=None)[0]


def test_a_problem_of_the_line_is_in_the_page_and_the_exit_status_as_without_it(machine: Machine) -> None:
    machine.init()
    plain, page = machine.ddns("status"), machine.ddns("status", "--html")
    assert (plain.status, page.status) == (1, 1)
    assert verdict(page.out)[1].startswith("no run is recorded on this machine")


def test_a_database_with_hosts_alone_has_no_line_that_fails(database: Database, small_machine: Machine) -> None:
    database.create_tables()
    _add_hosts(database, "nas.example.com")
    _set_states(database, PublicationState.VERIFIED)
    small_machine.environment["DDNS_DATABASE_URL"] = database.url
    del small_machine.environment["DDNS_RECORDS"]
    done = small_machine.ddns("status", "--html")
    assert (done.status, done.err) == (0, "")
    assert verdict(done.out) == ["All is well"]
    assert "This machine" not in text_of(parsed(done.out))


def test_the_page_of_a_line_needs_no_tables_of_hosts(published: Machine) -> None:
    for table in ("record", "host", "login"):
        published.database.sql(f"DROP TABLE admin_ddns_{table}")
    done = published.ddns("status", "--html")
    assert (done.status, done.err) == (0, "")
    assert list(tables(done.out)) == ["Records that follow the line"]


def test_a_database_that_cannot_be_reached_is_a_problem_in_the_page(small_machine: Machine) -> None:
    small_machine.init()
    small_machine.database.file.write_bytes(b"no database at all, but long enough to be read as one" * 100)
    done = small_machine.ddns("status", "--html")
    assert (done.status, done.err) == (1, "")
    problems = [each for each in verdict(done.out) if "is not an SQLite database" in each]
    assert len(problems) == 1


def test_without_the_extra_there_is_one_line_and_no_page(small_machine: Machine) -> None:
    small_machine.init()
    without = "import runpy, sys; sys.modules['jinja2'] = None; runpy.run_module('ddns_updater', run_name='__main__')"
    done = finish(small_machine.start("status", "--html", program=("-c", without)))
    assert (done.status, done.out) == (2, "")
    assert done.err == f"error: the status page needs the extra serve; {install_advice('serve')}\n"


def test_one_form_is_enough(small_machine: Machine) -> None:
    done = small_machine.ddns("status", "--html", "--json")
    assert done.status == 2
    assert "--json and --html cannot be combined" in done.err


def test_of_more_hosts_than_the_page_takes_those_that_wait_for_dns_are_listed(database: Database) -> None:
    database.create_tables()
    _add_hosts(database, "a.example.com", "b.example.com", "z.example.com")
    with open_hosts(database.settings()) as store:
        later = store.now() + timedelta(days=1)
        seen = [each for each in store.due(9) if each.host.name != "z.example.com"]
        store.looked([Looked(each, is_done=True, look_at=later) for each in seen])
        found = read_hosts(store, most=2)
    assert found
    assert (found.overview.hosts, found.overview.due) == (3, 2)
    assert [each.host.name for each in found.entries] == ["a.example.com", "z.example.com"]
    assert len(found.addresses) == 4
