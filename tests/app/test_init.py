"""`ddns init` where no origin is wanted; the origins it seeds are in tests/run and tests/history."""

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
