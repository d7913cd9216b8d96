"""The run in which nothing changed stays cheap."""

import subprocess
import sys

from tests.support.command import finish
from tests.support.machine import Machine
from tests.support.receivers import Receiver

_HEAVY = ("boto3", "botocore", "yoyo", "moto", "cryptography.x509", "prometheus_client")


def _imported(machine: Machine) -> tuple[str, set[str]]:
    script = (
        "import sys\nfrom ddns_updater.cli.main import main\ntry:\n    main(['run'])\n"
        "finally:\n    print(' '.join(sys.modules), file=sys.stderr)"
    )
    done = finish(machine.start(program=("-c", script)))
    return done.out, set(done.err.split())


def test_a_quiet_run_imports_no_sdk_and_no_migrations(machine: Machine) -> None:
    machine.init()
    machine.run()
    out, modules = _imported(machine)
    assert out.startswith("unchanged: ")
    assert not {module for module in _HEAVY if module in modules}
    assert "urllib3" in modules


def test_that_test_would_notice_them(small_machine: Machine) -> None:
    small_machine.init()
    out, modules = _imported(small_machine)
    assert out.startswith("updated: ")
    assert {"boto3", "botocore"} <= modules


def test_a_quiet_run_with_metrics_imports_nothing_more_than_those(small_machine: Machine) -> None:
    small_machine.environment["DDNS_METRICS_FILE"] = str(small_machine.folder / "ddns.prom")
    small_machine.init()
    small_machine.run()
    out, modules = _imported(small_machine)
    assert out.startswith("unchanged: ")
    assert {module for module in _HEAVY if module in modules} == {"prometheus_client"}


def test_a_quiet_run_asks_one_source_and_nothing_of_aws(machine: Machine) -> None:
    machine.init()
    machine.run()
    asked, calls = machine.service.requests, len(machine.aws.calls)
    assert machine.run()["outcome"] == "unchanged"
    assert machine.service.requests == asked + 1
    assert len(machine.aws.calls) == calls


def _uses_of_the_state_file(machine: Machine) -> tuple[int, int]:
    """Do one run; return how often it read and wrote its state file."""
    listing = machine.folder / "places"
    assert machine.killed("list", "run", KILL_LIST=str(listing)).status == 0
    places = listing.read_text().splitlines()
    listing.unlink()
    return places.count("call:StateFile._load"), places.count("call:replace_file")


def test_a_quiet_run_reads_and_writes_its_state_file_once(small_machine: Machine, receiver: Receiver) -> None:
    small_machine.environment |= {"DDNS_WEBHOOK_URLS": receiver.url, "DDNS_HEARTBEAT_URL": f"{receiver.base}/beat"}
    small_machine.init()
    small_machine.run()
    assert _uses_of_the_state_file(small_machine) == (1, 1)


def test_a_run_with_an_alert_reads_and_writes_it_once_more_for_each_delivery(
    small_machine: Machine, receiver: Receiver
) -> None:
    small_machine.environment["DDNS_WEBHOOK_URLS"] = f"{receiver.url},{receiver.url}/2"
    small_machine.init()
    small_machine.run()
    small_machine.service.address = "1.1.1.1"
    assert _uses_of_the_state_file(small_machine) == (3, 3)
    assert receiver.events == ["changed", "changed"]


def test_help_loads_neither_the_network_nor_a_database() -> None:
    program = "import sys; from ddns_updater import cli; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert not {"requests", "pymysql", "sqlite3", "boto3", "yoyo"} & set(done.stdout.split())
