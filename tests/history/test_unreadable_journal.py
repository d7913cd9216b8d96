"""A publication that means nothing to this version: one clear line, and the row stays as it is."""

from contextlib import closing

import pytest

from tests.support.database import Database
from tests.support.machine import Machine

ROW = "the publication of home.example.com A in version 1 of line"
CORRECT = "; correct that row of admin_dns_publication, or delete it (historyId 1) to publish the record again"
UPDATE = (
    ", which this version of ddns does not know; update ddns here if a newer one wrote that, else correct state in"
    " admin_dns_publication"
)


def alter(database: Database, assignments: str) -> None:
    """Change the only publication as somebody would by hand, and without MySQL's strict mode."""
    with closing(database.connect()) as connection:
        if database.engine == "mysql":
            connection.cursor().execute("SET sql_mode = ''")
        connection.cursor().execute(f"UPDATE admin_dns_publication SET {assignments}")
        connection.commit()


def rows(machine: Machine) -> object:
    return machine.database.sql("SELECT * FROM admin_dns_publication")


def says(machine: Machine, line: str) -> None:
    """Assert that each command ends with this one line, and that a run leaves the row and DNS alone."""
    before, sent = rows(machine), machine.aws.count()["ChangeResourceRecordSets"]
    run = machine.ddns("run", DDNS_RECHECK_EVERY="0")
    assert (run.status, run.err) == (1, f"failed: {line}\n")
    history = machine.ddns("history")
    assert (history.status, history.out, history.err) == (1, "", f"error: {line}\n")
    status = machine.ddns("status", "--json")
    assert (status.status, status.err) == (1, "")
    assert line.partition("; ")[0] in " ".join(status.json["problems"])
    doctor = machine.ddns("doctor", "--json")
    assert doctor.status == 1
    assert line in [f"{each['found']}; {each['advice']}" for each in doctor.json["checks"] if each["state"] == "failed"]
    assert rows(machine) == before
    assert machine.aws.count()["ChangeResourceRecordSets"] == sent


@pytest.mark.parametrize("state", ["leased", "", "VERIFIED", "pending?"])
def test_a_state_of_a_newer_version_is_not_overwritten(published: Machine, state: str) -> None:
    alter(published.database, f"state = '{state}'")
    says(published, f"{ROW} has the state {state!r}{UPDATE}")


@pytest.mark.parametrize(
    ("assignments", "found"),
    [
        ("address = 'garbage'", "address 'garbage', which is impossible"),
        ("address = ''", "address '', which is impossible"),
        ("address = 'fe80::1%eth0'", "address 'fe80::1%eth0', which is impossible"),
        ("address = NULL", "address NULL though it is verified, which is impossible"),
        ("attempts = -1", "attempts -1, which is impossible"),
        ("hostedZoneId = NULL", "hostedZoneId NULL though it is verified, which is impossible"),
        ("state = 'submitted', changeId = NULL", "changeId NULL though it is submitted, which is impossible"),
    ],
)
def test_a_value_that_cannot_be_is_named(published: Machine, assignments: str, found: str) -> None:
    alter(published.database, assignments)
    says(published, f"{ROW} has {found}{CORRECT}")


@pytest.mark.parametrize(
    ("assignments", "found"),
    [
        ("createdAt = 'soon'", "createdAt NULL"),
        ("createdAt = '-4000-01-01'", "createdAt -188395027200"),
        ("ttl = 'long'", "ttl 'long'"),
        ("ttl = -1", "ttl -1"),
        ("attempts = 'x'", "attempts 'x'"),
    ],
)
@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_so_is_one_that_only_sqlite_keeps(published: Machine, assignments: str, found: str) -> None:
    alter(published.database, assignments)
    says(published, f"{ROW} has {found}, which is impossible{CORRECT}")


@pytest.mark.parametrize("database", ["mysql"], indirect=True)
def test_a_zero_date_is_named_where_a_time_is_needed(published: Machine) -> None:
    alter(published.database, "createdAt = '0000-00-00 00:00:00'")
    says(published, f"{ROW} has createdAt NULL, which is impossible{CORRECT}")


@pytest.mark.parametrize(
    "assignments",
    [f"{column} = '0000-00-00 00:00:00'" for column in ("submittedAt", "verifiedAt", "checkedAt", "driftAt")]
    + ["recordType = 'MX'", "lastError = ''", "drift = '?'"],
)
def test_what_is_only_missing_stops_nothing(published: Machine, assignments: str) -> None:
    alter(published.database, assignments)
    assert [published.ddns("history", *more).status for more in ([], ["--json"], ["--csv"])] == [0, 0, 0]
    assert published.ddns("status").err == ""
    for _ in range(2):
        assert published.ddns("run").status == 0
    assert published.aws.address(published.zone_id) == "9.9.9.9"


def test_deleting_the_row_publishes_the_record_again(published: Machine) -> None:
    alter(published.database, "state = 'leased'")
    assert published.ddns("run").status == 1
    published.database.sql("DELETE FROM admin_dns_publication WHERE historyId = 1")
    assert published.run()["outcome"] == "updated"
    assert published.database.states() == {"home.example.com": "verified"}
