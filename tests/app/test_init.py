"""`ddns init` where no origin is wanted; the origins it seeds are in tests/run and tests/history."""

import pytest

from tests.support.dynamodb import dynamodb_environment, make_table, sdk
from tests.support.machine import Machine


def test_it_makes_the_tables_alone_and_once(machine: Machine) -> None:
    first, second = (machine.ddns("init", "--tables-only") for _ in range(2))
    assert (first.status, second.status) == (0, 0)
    assert "migrations applied" in first.out
    assert second.out.endswith("schema: 0 migrations applied\n")
    assert machine.database.sql("SELECT COUNT(*) FROM admin_ip_history") == [(0,)]
    assert machine.database.sql("SELECT COUNT(*) FROM admin_ddns_host") == [(0,)]


def test_an_origin_is_not_seeded_by_half(small_machine: Machine) -> None:
    for option in (("--name", "home"), ("--ip", "9.9.9.9"), ("--note", "office")):
        done = small_machine.ddns("init", "--tables-only", *option)
        assert (done.status, done.out) == (2, "")
        assert "it takes no --name, --ip or --note" in done.err
    assert small_machine.database.is_empty()


def test_no_table_is_made_where_none_may_be(machine: Machine) -> None:
    done = machine.ddns("init", "--no-create", "--name", "home", "--ip", "9.9.9.9")
    assert done.status == 1
    assert done.err.endswith("; make it where the rest was made, or leave out --no-create\n")
    assert done.err.count("\n") == 1
    assert machine.database.is_empty()
    machine.database.create_tables()
    done = machine.ddns("init", "--no-create", "--name", "home", "--ip", "9.9.9.9")
    assert done.status == 0, done.err
    assert machine.database.versions() == [(1, "9.9.9.9")]


def test_a_table_of_dynamodb_that_terraform_made_is_seeded(small_machine: Machine) -> None:
    changes = dynamodb_environment(small_machine.aws.url)
    arguments = ("init", "--no-create", "--name", "home", "--ip", "9.9.9.9")
    missing = small_machine.ddns(*arguments, **changes)
    assert missing.status == 1
    assert missing.err == (
        "error: there is no table ddns in eu-west-1; make it where the rest was made, or leave out --no-create\n"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", small_machine.aws.url)
        make_table(small_machine.aws.url)
    lacking = small_machine.ddns(*arguments, **changes)
    assert "in eu-west-1 lacks point-in-time recovery; make it where" in lacking.err
    sdk(small_machine.aws.url).update_continuous_backups(
        TableName="ddns", PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
    )
    done = small_machine.ddns(*arguments, **changes)
    assert (done.status, done.err) == (0, "")
    assert done.out.endswith("created origin home: version 1 is 9.9.9.9\n")


def test_tables_alone_are_not_made_by_an_init_that_makes_none(small_machine: Machine) -> None:
    done = small_machine.ddns("init", "--tables-only", "--no-create")
    assert (done.status, done.out) == (2, "")
    assert "--tables-only makes tables and --no-create makes none, so leave out one" in done.err
