"""The run in which nothing changed stays cheap: it imports what it uses, asks one source, and nothing of AWS."""

import sys
from typing import NamedTuple

from tests.support.command import finish
from tests.support.machine import Machine
from tests.support.receivers import Receiver

# The modules of this program that a quiet run may import, by folder; beside them the one for its database.
_OURS = {
    "alerts": "channel event urls",
    "app": "factories runner",
    "cli": "faults main options run terminal",
    "dns": "names records",
    "history": "keepalive queries rows sql sql_connection sql_origins url",
    "lib": "deadline files http_errors humanize masking printable trust uptime",
    "output": "layout log_lines run",
    "run": (
        "claims deliveries detection flapping incidents journal news origins ports publisher report sending skips steps"
        " timetable updater verifier"
    ),
    "settings": "contradictions env_files home load parse remarks settings values variables",
    "sources": "address http spec",
    "state": "clock content file outbox run_state",
}
_ENGINES = {
    "sqlite": {"history.sqlite"},
    "mysql": {
        "lib.authorities",
        "history.mysql",
        "history.mysql_connection",
        "history.mysql_errors",
        "history.mysql_tls",
    },
}
_OTHERS: dict[str, set[str]] = {  # the packages of others, by database
    "sqlite": {"click", "urllib3"},
    "mysql": {"click", "urllib3", "pymysql", "cryptography"},
}
_SCRIPT = """
import sys
before = set(sys.modules)
from ddns_updater.cli.main import main
try:
    main(sys.argv[1:])
finally:
    print(*set(sys.modules) - before, file=sys.stderr)
"""


class Imported(NamedTuple):
    """What a command printed and imported."""

    out: str
    modules: set[str]

    @property
    def ours(self) -> set[str]:
        """Return the modules of this program, without its name."""
        return {each.partition(".")[2] for each in self.modules if each.startswith("ddns_updater.")}

    @property
    def others(self) -> set[str]:
        """Return the packages of others."""
        packages = {each.partition(".")[0] for each in self.modules} - {"ddns_updater", *sys.stdlib_module_names}
        return {each for each in packages if not each.startswith("_")}


def imported(machine: Machine, *arguments: str) -> Imported:
    """Run a command in a process of its own."""
    done = finish(machine.start(*arguments, program=("-c", _SCRIPT)))
    return Imported(done.out, set(done.err.split()))


def test_a_quiet_run_imports_these_modules_and_no_others(machine: Machine) -> None:
    machine.init()
    machine.run()
    run = imported(machine, "run")
    assert run.out.startswith("unchanged: ")
    engine = machine.database.engine
    allowed = {f"{folder}.{module}" for folder, modules in _OURS.items() for module in modules.split()}
    allowed |= {*_OURS, "errors", "model", *_ENGINES[engine]}
    added, left_out = sorted(run.ours - allowed), sorted(allowed - run.ours)
    assert not added, f"each minute now pays for {', '.join(added)}: import that in app/factories.py, when it is needed"
    assert not left_out, f"a quiet run needs {', '.join(left_out)} no longer: strike that off the list"
    assert run.others == _OTHERS[engine]


def test_a_quiet_run_defines_no_dataclass(
    small_machine: Machine,
) -> None:  # it takes ten times as long as another class
    small_machine.init()
    small_machine.run()
    assert not imported(small_machine, "run").modules & {"dataclasses", "difflib"}


def test_a_changing_run_imports_the_sdk(small_machine: Machine) -> None:
    small_machine.init()
    run = imported(small_machine, "run")
    assert run.out.startswith("updated: ")
    assert {"boto3", "botocore"} <= run.others
    assert {"dns.route53", "lib.aws"} <= run.ours


def test_a_quiet_run_with_metrics_imports_nothing_more_than_those(small_machine: Machine) -> None:
    small_machine.environment["DDNS_METRICS_FILE"] = str(small_machine.folder / "ddns.prom")
    small_machine.init()
    small_machine.run()
    run = imported(small_machine, "run")
    assert run.out.startswith("unchanged: ")
    assert run.others == _OTHERS["sqlite"] | {"prometheus_client"}


def test_a_quiet_run_imports_the_readers_of_rare_values_only_for_those(small_machine: Machine) -> None:
    small_machine.environment["DDNS_RECORDS"] = "home.bücher.example"
    small_machine.aws.zone("xn--bcher-kva.example")
    (small_machine.folder / ".env").write_text("DDNS_NAME=line\n")
    small_machine.init()
    small_machine.run()
    run = imported(small_machine, "run")
    assert run.out.startswith("unchanged: ")
    assert run.others == _OTHERS["sqlite"] | {"dotenv", "idna"}


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


def test_a_quiet_run_reads_its_state_file_before_and_after_and_writes_it_once(
    small_machine: Machine, receiver: Receiver
) -> None:
    small_machine.environment |= {"DDNS_WEBHOOK_URLS": receiver.url, "DDNS_HEARTBEAT_URL": f"{receiver.base}/beat"}
    small_machine.init()
    small_machine.run()
    assert _uses_of_the_state_file(small_machine) == (2, 1)


def test_a_run_with_an_alert_reads_and_writes_it_once_more_for_each_delivery(
    small_machine: Machine, receiver: Receiver
) -> None:
    small_machine.environment["DDNS_WEBHOOK_URLS"] = f"{receiver.url},{receiver.url}/2"
    small_machine.init()
    small_machine.run()
    small_machine.service.address = "1.1.1.1"
    assert _uses_of_the_state_file(small_machine) == (3, 3)
    assert receiver.events == ["changed", "changed"]


def test_help_loads_neither_the_network_nor_a_database(small_machine: Machine) -> None:
    help_text = imported(small_machine, "--help")
    assert help_text.out.startswith("Usage: ")
    assert not {each for each in help_text.ours if each.startswith(("app.", "run.", "history.sql", "sources.http"))}
    assert help_text.others == {"click"}
