"""The run in which nothing changed stays cheap."""

import subprocess
import sys

from tests.support.command import finish
from tests.support.machine import Machine

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


def test_help_loads_neither_the_network_nor_a_database() -> None:
    program = "import sys; from ddns_updater import cli; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert not {"requests", "pymysql", "sqlite3", "boto3", "yoyo"} & set(done.stdout.split())
