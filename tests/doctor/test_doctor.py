"""`ddns doctor` as a command: what it finds on a whole machine, how it shows it, and that it never writes."""

import json
import os
import re
import signal
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from ddns_updater.app import factories
from ddns_updater.doctor.check import Check, State
from ddns_updater.doctor.examine import Tools, examine
from ddns_updater.errors import DdnsError
from ddns_updater.lib.deadline import time_limit
from ddns_updater.lib.installation import install_advice
from ddns_updater.settings.load import read_settings
from tests.dns.test_name_servers import delegated_to, may_mount
from tests.doctor.test_name_servers import referral
from tests.sources.test_ec2 import client, launch
from tests.support import services
from tests.support.alerting import later
from tests.support.aws import refuse
from tests.support.command import Finished, finish
from tests.support.database import Database
from tests.support.machine import Machine
from tests.support.nameserver import name_server
from tests.support.receivers import Receiver
from tests.support.services import AddressService, answer, running
from tests.support.terminal import Terminal

WITHOUT_DNS = "import runpy, sys; sys.modules['dns'] = None; runpy.run_module('ddns_updater', run_name='__main__')"
MODULES_WITH_EXTRAS = (
    "dns.lookup",
    "dns.name_servers",
    "sources.dns",
    "sources.interface",
    "output.metrics",
    "alerts.apprise",
)
# The extra dns is installed, but nothing outside loopback can be reached.
ON_LOOPBACK = """
import errno, runpy, socket
def guarded(method):
    def call(self, *arguments):
        where = arguments[-1]
        if self.family != socket.AF_UNIX and not str(where[0]).startswith("127."):
            raise OSError(errno.ENETUNREACH, "Network is unreachable")
        return method(self, *arguments)
    return call
for name in ("connect", "sendto"):
    setattr(socket.socket, name, guarded(getattr(socket.socket, name)))
runpy.run_module("ddns_updater", run_name="__main__")
"""


@pytest.fixture
def impatient_sqlite(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have SQLite wait a fifth of a second for a lock in this process."""
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *given, **options: connect(*given, **options | {"timeout": 0.2}))


@contextmanager
def unavailable(*libraries: str) -> Iterator[None]:
    """Make these libraries unavailable within the block, also to modules that imported them before."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [*libraries, *(each for each in sys.modules if each.partition(".")[0] in libraries)]:
            patch.setitem(sys.modules, name, None)
        for name in MODULES_WITH_EXTRAS:
            patch.delitem(sys.modules, f"ddns_updater.{name}", raising=False)
        yield


def doctor(machine: Machine, *arguments: str, program: str | None = None, **changes: Any) -> Finished:
    """Run `ddns doctor` without the extra dns in this process, or `program` in a process of its own."""
    if program:
        return finish(machine.start(*(arguments or ("doctor",)), program=("-c", program), **changes))
    with unavailable("dns"):
        return machine.ddns(*(arguments or ("doctor",)), **changes)


def found(machine: Machine, *before: str, **changes: Any) -> dict[str, dict[str, str]]:
    """Return the checks by name; each further one of the same name gets an apostrophe."""
    done = doctor(machine, *before, "doctor", "--json", **changes)
    assert done.err == ""
    content = done.json
    assert content["ok"] is not any(each["state"] == "failed" for each in content["checks"])
    assert done.status == (0 if content["ok"] else 1)
    checks: dict[str, dict[str, str]] = {}
    for each in content["checks"]:
        assert set(each) == {"group", "name", "state", "found", "advice"}
        name = each["name"]
        while name in checks:
            name += "'"
        checks[name] = each
    return checks


def states(checks: dict[str, dict[str, str]]) -> dict[str, str]:
    return {name: each["state"] for name, each in checks.items() if each["state"] != "ok"}


@pytest.fixture
def healthy(machine: Machine) -> Machine:
    """Give a machine on which some runs succeeded, on each engine in turn."""
    run_successfully(machine)
    return machine


def run_successfully(machine: Machine) -> None:
    machine.init()
    for _ in range(3):
        machine.run()
        later(machine, 60)
    machine.run()


# A healthy machine


def test_a_healthy_machine_passes(healthy: Machine) -> None:
    done = doctor(healthy)
    assert (done.status, done.err) == (0, "")
    lines = done.out.splitlines()
    assert re.fullmatch(r"\d+ checks: \d+ ok, 1 note, 2 skipped", lines[-1])
    assert int(lines[-1].split()[0]) == len(re.findall(r"^  (?:ok  |note|skip)  ", done.out, re.MULTILINE))
    groups = [line for line in lines[:-1] if not line.startswith(" ")]
    assert groups == ["settings and files", "address", "database", "AWS", "DNS", "runs"]
    for said in (
        "  note  carrier-grade NAT: sources outside the line cannot detect it\n",
        "  ok    schema: up to date\n",
        "  ok    ipv4 origin: line, version 1: 9.9.9.9 since ",
        "  ok    identity: arn:aws:",
        "  ok    home.example.com A: holds 9.9.9.9, TTL 60 s, the latest version\n",
        f"  skip  write permission in {healthy.zone_id}: tested only on AWS itself, not on 127.0.0.1\n",
        f"  skip  name servers: DNS checks need the extra dns\n        -> {install_advice('dns')}\n",
        "  ok    schedule: runs come every ",
    ):
        assert said in done.out
    assert "\x1b" not in done.out


def test_it_never_writes(healthy: Machine, tmp_path: Path) -> None:
    def everything() -> object:
        rows = [
            healthy.database.sql(f"SELECT * FROM {table} ORDER BY id")
            for table in ("admin_ip_history", "admin_dns_publication")
        ]
        return rows, files(tmp_path), healthy.aws.record_sets(healthy.zone_id)

    healthy.environment |= {"DDNS_METRICS_FILE": f"{tmp_path}/ddns.prom", "DDNS_HEARTBEAT_URL": healthy.service.url}
    before, asked = everything(), healthy.service.requests
    healthy.aws.calls.clear()
    assert doctor(healthy).status == 0
    assert doctor(healthy, "doctor", "--json").status == 0
    assert everything() == before
    assert "ChangeResourceRecordSets" not in healthy.aws.calls
    assert healthy.service.requests == asked + 2  # as an address source, and not as the heartbeat


def test_it_creates_nothing_on_a_machine_without_anything(small_machine: Machine, tmp_path: Path) -> None:
    before = files(tmp_path)
    checks = found(small_machine)
    assert states(checks) == {
        "carrier-grade NAT": "note",
        "database": "failed",
        "schema": "skipped",
        "origin": "skipped",
        "home.example.com A": "note",
        f"write permission in {small_machine.zone_id}": "skipped",
        "name servers": "skipped",
        "last run": "note",
    }
    assert checks["database"]["advice"] == 'run "ddns init --name NAME"'
    assert files(tmp_path) == before


def files(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Return time and content of every file."""
    return {
        str(path): (path.stat().st_mtime_ns, path.read_bytes() if path.is_file() else b"")
        for path in sorted(folder.rglob("*"))
    }


IN_A_NAMESPACE = (
    "import os, sys; os.execvp('unshare', ['unshare', '-m', 'sh', '-c', 'mount --bind \"$0\" /etc/resolv.conf"
    " && exec \"$@\"', os.environ['RESOLV_CONF'], sys.executable, '-c', os.environ['PROGRAM'], *sys.argv[1:]])"
)

if may_mount():  # without these rights, test_name_servers.py covers the parts one by one

    def test_with_the_extra_it_checks_dns_from_outside(small_machine: Machine, tmp_path: Path) -> None:
        run_successfully(small_machine)
        resolv_conf = tmp_path / "resolv.conf"
        resolv_conf.write_text("nameserver 127.0.0.53\n")
        small_machine.environment |= {"RESOLV_CONF": str(resolv_conf), "PROGRAM": ON_LOOPBACK}
        small_machine.aws.fault("GetHostedZone", delegated_to("ns1.example.net", "ns2.example.net"))
        with ExitStack() as stack:
            resolver, parent, first, second = (
                stack.enter_context(name_server(f"127.0.0.{n}", 53)) for n in (53, 56, 54, 55)
            )
            resolver.answers = {
                ("com", "NS"): ["a.example.net."],
                ("a.example.net", "A"): ["127.0.0.56"],
                ("ns1.example.net", "A"): ["127.0.0.54"],
                ("ns2.example.net", "A"): ["127.0.0.55"],
                ("example.com", "CAA"): ['0 issue "letsencrypt.org"'],
            }
            parent.answers = {("example.com", "NS"): ["ns1.example.net.", "ns2.example.net."]}
            parent.fault = referral
            first.answers = second.answers = {("home.example.com", "A"): ["9.9.9.9"]}
            checks = found(small_machine, program=IN_A_NAMESPACE)
            assert states(checks) == {
                "carrier-grade NAT": "note",
                f"write permission in {small_machine.zone_id}": "skipped",
                **{f"home.example.com A at resolver {each}": "note" for each in ("1.1.1.1", "8.8.8.8", "9.9.9.9")},
            }
            assert checks["home.example.com A at ns2.example.net"]["found"].startswith("says 9.9.9.9 (")
            assert checks["CAA of home.example.com"]["found"] == '0 issue "letsencrypt.org" (at example.com)'
            parent.answers = {("example.com", "NS"): ["ns3.example.net."]}
            assert states(found(small_machine, program=IN_A_NAMESPACE))["delegation of example.com"] == "failed"


def test_nothing_fails_when_no_name_server_can_be_reached(small_machine: Machine) -> None:
    small_machine.init()
    small_machine.run()
    checks = found(small_machine, program=ON_LOOPBACK)
    of_dns = {name: each for name, each in checks.items() if each["group"] == "DNS"}
    assert len(of_dns) == 9
    assert {each["state"] for each in of_dns.values()} == {"warning", "note"}


# Settings


def test_each_broken_setting_is_a_failed_check_and_only_what_needs_it_is_skipped(small_machine: Machine) -> None:
    small_machine.init()
    small_machine.run()
    checks = found(small_machine, DDNS_TTL="5m", DDNS_IP_SOURCES="nonsense", DDNS_RECORD="home.example.com")
    assert [(each["state"], each["found"], each["advice"]) for name, each in checks.items() if "settings" in name] == [
        ("failed", "DDNS_RECORD is not a setting", "did you mean DDNS_RECORDS?"),
        ("failed", "DDNS_TTL='5m' is not a whole number of seconds", "write DDNS_TTL=300"),
        (
            "failed",
            "DDNS_IP_SOURCES: 'nonsense' is not an address source",
            "write a URL such as https://ifconfig.me/ip, or see .env.example for the other kinds",
        ),
    ]
    assert checks["address sources"]["state"] == "skipped"
    assert checks["records"]["state"] == "skipped"
    assert checks["schema"]["state"] == checks["last run"]["state"] == "ok"


def test_an_invalid_database_url_is_not_replaced_by_the_default(small_machine: Machine) -> None:
    checks = found(small_machine, DDNS_DATABASE_URL="mysql://me:a-secret@/")
    assert checks["database"]["state"] == "skipped"
    assert "there is no database" not in str(checks)
    assert "a-secret" not in str(checks)


def test_a_settings_file_that_cannot_be_read_skips_the_other_checks(small_machine: Machine) -> None:
    checks = found(small_machine, "--env-file", "missing")
    assert checks["settings"]["found"] == f"--env-file '{small_machine.folder}/missing' is not a file"
    assert {checks[name]["state"] for name in ("address sources", "database", "records", "last run")} == {"skipped"}


def test_wrong_usage_is_status_2(small_machine: Machine) -> None:
    done = doctor(small_machine, "doctor", "--fast")
    assert (done.status, done.out) == (2, "")


# Files


def per_user_env(machine: Machine) -> Path:
    """Return where the per-user settings file is, in a folder that exists."""
    folder = machine.folder / ".config" / "ddns-updater"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / ".env"


def test_a_file_with_secrets_that_others_may_read_is_a_warning_with_the_command(small_machine: Machine) -> None:
    small_machine.init()
    env, local = per_user_env(small_machine), small_machine.folder / ".env"
    env.write_text("DDNS_HEARTBEAT_URL=https://hc-ping.example.com/a-ping-secret\n")
    local.write_text("DDNS_TTL=60\n")
    for file in (env, local):
        file.chmod(0o644)
    secret = small_machine.folder / "hooks"
    secret.write_text("https://hooks.example.com/a-hook-secret\n")
    secret.chmod(0o640)
    credentials = small_machine.folder / ".aws" / "credentials"
    credentials.parent.mkdir()
    credentials.write_text("[default]\n")
    credentials.chmod(0o600)
    checks = found(small_machine, DDNS_WEBHOOK_URLS_FILE=str(secret))
    assert (checks["settings file"]["state"], checks["settings file"]["advice"]) == ("warning", f"chmod 600 {env}")
    assert checks["settings file"]["found"] == (f"{env} is open to other users (mode 644) and holds DDNS_HEARTBEAT_URL")
    assert checks["settings file'"]["found"] == f"{local}, without secrets"
    assert (checks["secret file"]["state"], checks["secret file"]["advice"]) == ("warning", f"chmod 600 {secret}")
    assert checks["secret file'"]["found"] == f"{credentials}, open to its owner only"
    assert checks["alerts"]["found"] == (
        "to https://hooks.example.com/…, heartbeat https://hc-ping.example.com/… (nothing was sent)"
    )
    assert "-secret" not in str(checks)


@pytest.mark.parametrize(
    ("line", "state"),
    [
        ("DDNS_DATABASE_URL=sqlite:////tmp/nothing.sqlite3", "ok"),
        ("DDNS_DATABASE_URL=mysql://me:secret@127.0.0.1:9/app", "warning"),
        ("DDNS_IP_SOURCES=http://127.0.0.1:9/ip", "ok"),
        ("DDNS_IP_SOURCES=http://127.0.0.1:9/ip?key=secret", "warning"),
        ("AWS_PROFILE=default", "ok"),
        ("AWS_SECRET_ACCESS_KEY=secret", "warning"),
    ],
)
def test_only_a_settings_file_with_a_secret_has_to_be_private(small_machine: Machine, line: str, state: str) -> None:
    env = per_user_env(small_machine)
    env.write_text(f"{line}\n")
    env.chmod(0o644)
    name = line.partition("=")[0]
    checks = found(small_machine, DDNS_RECORDS=None, **{name: None})
    assert checks["settings file"]["state"] == state
    assert "=secret" not in str(checks)


def test_undelivered_alerts_are_a_warning_with_the_host_of_the_channel_alone(
    small_machine: Machine, receiver: Receiver
) -> None:
    small_machine.environment["DDNS_WEBHOOK_URLS"] = receiver.url
    small_machine.init()
    small_machine.run()
    assert found(small_machine)["undelivered alerts"]["state"] == "ok"
    receiver.play = answer("", "500 No")
    small_machine.service.address = "1.1.1.1"
    small_machine.run()
    told = found(small_machine)["undelivered alerts"]
    assert (told["state"], told["advice"]) == ("warning", "ddns notify --test shows why")
    assert told["found"].startswith("1 alert (changed) has been undelivered to http://127.0.0.1/… since 20")


def of_channels(machine: Machine, urls: str) -> dict[str, str]:
    """Return the check of Apprise URLs; Apprise itself warns of a module that Python deprecates."""
    return found(machine, program=ON_LOOPBACK, PYTHONWARNINGS=None, DDNS_NOTIFY_URLS=urls)["alerts"]


def test_a_channel_that_apprise_does_not_know_is_a_failure(small_machine: Machine) -> None:
    check = of_channels(small_machine, "ntfy://a-topic,bogus://a-token")
    assert (check["state"], check["found"], check["advice"]) == (
        "failed",
        "bogus://… is not a valid Apprise URL",
        "correct DDNS_NOTIFY_URLS",
    )


def test_the_token_in_an_apprise_url_is_not_shown(small_machine: Machine) -> None:
    check = of_channels(small_machine, "tgram://123:a-token/chat,ntfy://a-topic")
    assert check["found"] == "to tgram://…, ntfy://… (nothing was sent)"


def test_folders_that_cannot_be_written_are_failures(small_machine: Machine, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    checks = found(small_machine, DDNS_STATE_FOLDER=f"{file}/state", DDNS_METRICS_FILE=f"{tmp_path}/missing/ddns.prom")
    assert checks["state folder"]["found"] == f"{file} is not a folder"
    assert checks["folder of DDNS_METRICS_FILE"]["found"] == f"{tmp_path}/missing does not exist"
    assert checks["folder of DDNS_METRICS_FILE"]["advice"] == f"mkdir -p {tmp_path}/missing"


def test_a_folder_in_place_of_a_file_is_a_failure(small_machine: Machine, tmp_path: Path) -> None:
    for name in ("db.sqlite3", "ddns.prom"):
        (tmp_path / name).mkdir()
    checks = found(
        small_machine,
        DDNS_DATABASE_URL=f"sqlite:///{tmp_path}/db.sqlite3",
        DDNS_METRICS_FILE=f"{tmp_path}/ddns.prom",
    )
    for name, file in (("database file", "db.sqlite3"), ("DDNS_METRICS_FILE", "ddns.prom")):
        assert (checks[name]["state"], checks[name]["found"]) == ("failed", f"{tmp_path}/{file} is a folder")


@pytest.mark.parametrize("content", [b"a line that is none\n", b"DDNS_TTL=\xff\n"])
def test_a_settings_file_that_cannot_be_read_may_hold_secrets(small_machine: Machine, content: bytes) -> None:
    env = per_user_env(small_machine)
    env.write_bytes(content)
    env.chmod(0o644)
    check = found(small_machine)["settings file"]
    assert check["state"] == "warning"
    assert check["found"].endswith("/.env is open to other users (mode 644) and holds unreadable lines")
    env.chmod(0o600)
    assert found(small_machine)["settings file"]["found"].endswith("open to its owner only")


def test_a_path_that_cannot_be_examined_causes_no_traceback(small_machine: Machine, tmp_path: Path) -> None:
    long = f"{tmp_path}/{'x' * 300}"
    checks = found(
        small_machine,
        DDNS_STATE_FOLDER=long,
        DDNS_DATABASE_URL=f"sqlite:///{long}",
        AWS_SHARED_CREDENTIALS_FILE=long,
    )
    assert checks["database"]["state"] == checks["last run"]["state"] == "failed"
    assert "File name too long" in checks["database"]["found"]


def test_an_sqlite_file_that_others_may_write_is_a_failure(small_machine: Machine, tmp_path: Path) -> None:
    small_machine.init()
    file = tmp_path / "ddns.sqlite3"
    file.chmod(0o666)
    check = found(small_machine)["database file"]
    assert (check["state"], check["found"], check["advice"]) == (
        "failed",
        f"{file} cannot be trusted: other users may write it (mode 666)",
        f"check what it holds, then chmod go-w {file}",
    )


def test_each_missing_extra_that_the_settings_need_is_named(small_machine: Machine, tmp_path: Path) -> None:
    wanted = {
        "DDNS_IP_SOURCES": f"{small_machine.service.url},dns:opendns,interface:lo",
        "DDNS_METRICS_FILE": f"{tmp_path}/ddns.prom",
        "DDNS_NOTIFY_URLS": "ntfy://topic",
    }
    with unavailable("dns", "pyroute2", "prometheus_client", "apprise"):
        checks = found(small_machine, **wanted)
    missing = {name: each for name, each in checks.items() if name.startswith("extra ")}
    assert set(missing) == {"extra dns", "extra interface", "extra metrics", "extra notify"}
    assert {each["state"] for each in missing.values()} == {"failed"}
    assert checks["dns:opendns"]["found"] == "the address source dns: needs the extra dns"
    assert missing["extra metrics"]["found"] == "DDNS_METRICS_FILE needs the extra metrics"
    assert "'.[notify]'" in missing["extra notify"]["advice"]
    assert checks[small_machine.service.url]["state"] == "ok"  # the other sources are still asked


# Addresses


@pytest.fixture
def other() -> Iterator[AddressService]:
    """Give an address service of another host than the machine's own."""
    with running("127.0.0.2") as each:
        yield each


def test_sources_that_agree_are_ok_and_sources_that_disagree_fail(
    small_machine: Machine, other: AddressService
) -> None:
    changes = {"DDNS_IP_SOURCES": f"{small_machine.service.url},{other.url}", "DDNS_IP_AGREEMENT": "required"}
    checks = found(small_machine, **changes)
    assert checks["ipv4 address"]["found"] == "9.9.9.9, 2 hosts agree"
    other.address = "1.1.1.1"
    said = f"{small_machine.service.url} says 9.9.9.9 but {other.url} says 1.1.1.1; "
    check = found(small_machine, **changes)["ipv4 address"]
    assert (check["state"], check["found"]) == ("failed", f"{said}a change is held until two agree")
    check = found(small_machine, **changes | {"DDNS_IP_AGREEMENT": "off"})["ipv4 address"]
    assert check["state"] == "warning"
    assert check["found"].startswith(said)


def test_the_source_of_an_instance_needs_no_second_one(small_machine: Machine) -> None:
    instance, address = launch(client(small_machine.aws.url))
    own = f"ec2:{instance}"
    check = found(small_machine, DDNS_IP_SOURCES=own, DDNS_IP_AGREEMENT="required")["ipv4 address"]
    assert (check["state"], check["found"]) == ("ok", f"{address}; {own} needs no second source")
    sources = f"{small_machine.service.url},{own}"
    check = found(small_machine, DDNS_IP_SOURCES=sources, DDNS_IP_AGREEMENT="required")["ipv4 address"]
    assert (check["state"], check["found"]) == (
        "warning",
        f"{small_machine.service.url} says 9.9.9.9 but {own} says {address}; a change needs only what {own} says",
    )


@pytest.mark.parametrize(("agreement", "state"), [("off", "ok"), ("preferred", "warning"), ("required", "failed")])
def test_two_sources_on_one_host_count_as_one(small_machine: Machine, agreement: str, state: str) -> None:
    url = small_machine.service.url
    if agreement == "required":  # the settings name two hosts, but one is down
        with running("127.0.0.2") as gone:
            url += f",{gone.url}"
    checks = found(small_machine, DDNS_IP_SOURCES=f"{url},{small_machine.service.url}/2", DDNS_IP_AGREEMENT=agreement)
    assert checks["ipv4 address"]["state"] == state
    assert checks["address sources"]["state"] == "note"


def test_carrier_grade_nat_is_a_failure_that_says_what_to_ask_for(small_machine: Machine) -> None:
    small_machine.service.address = "100.64.0.9"
    checks = found(small_machine)
    check = checks[small_machine.service.url]
    assert check["state"] == checks["ipv4 address"]["state"] == "failed"
    assert "a carrier-grade NAT address: this line has no public IPv4 address" in check["found"]
    assert check["advice"] == "ask the provider for one"
    assert "carrier-grade NAT" not in checks


@pytest.mark.parametrize("kind", ["file", "command"])
def test_a_source_that_can_read_the_router_rules_out_carrier_grade_nat(
    small_machine: Machine, tmp_path: Path, kind: str
) -> None:
    (tmp_path / "address").write_text("9.9.9.9\n")
    source = f"{kind}:{'' if kind == 'file' else 'cat '}{tmp_path}/address"
    check = found(small_machine, DDNS_IP_SOURCES=f"{small_machine.service.url},{source}")["carrier-grade NAT"]
    assert check["state"] == "ok"
    assert check["found"].startswith(f"no, if {kind}:")


def test_services_outside_cannot_detect_carrier_grade_nat(small_machine: Machine) -> None:
    check = found(small_machine)["carrier-grade NAT"]
    assert check["state"] == "note"
    assert "compare 9.9.9.9 with the WAN address that your router shows" in check["advice"]


def test_the_answer_of_a_source_is_never_taken_for_advice(small_machine: Machine, tmp_path: Path) -> None:
    (tmp_path / "address").write_text("9.9.9.9;x; do rm -rf")
    checks = found(small_machine, DDNS_IP_SOURCES=f"file:{tmp_path}/address", DDNS_RECORDS="a; b.example.com")
    of_source = checks[f"file:{tmp_path}/address, ipv4"]
    assert of_source["found"] == "answered '9.9.9.9;x; do rm -rf', which is not one IP address"
    assert of_source["advice"] == "check that file and what writes it"
    assert checks["settings"]["found"].startswith("DDNS_RECORDS: 'a; b.example.com' has the label 'a; b', which is ")
    assert checks["settings"]["advice"] is None


@pytest.mark.parametrize(
    ("source", "advice", "of_all"),
    [
        ("http://127.0.0.1:9/ip", "try again, or use another one in DDNS_IP_SOURCES", "is this machine online? "),
        ("file:/missing/address", "check that file and what writes it", ""),
        ("command:false", "run that command yourself, as the user who runs ddns", ""),
    ],
)
def test_the_advice_for_the_only_source_fits_its_kind(
    small_machine: Machine, source: str, advice: str, of_all: str
) -> None:
    checks = found(small_machine, DDNS_IP_SOURCES=source, DDNS_IP_RETRIES="0")
    assert checks[f"{source}, ipv4"]["advice"] == advice
    assert checks["ipv4 address"]["advice"] == f"{of_all}see each source above"


def test_a_source_without_an_answer_is_a_warning_while_another_answers(
    small_machine: Machine, other: AddressService
) -> None:
    other.play = answer("no", "503 Service Unavailable")
    checks = found(small_machine, DDNS_IP_SOURCES=f"{small_machine.service.url},{other.url}")
    assert checks[f"{other.url}, ipv4"]["found"] == "answered with status 503"
    assert states(checks)[f"{other.url}, ipv4"] == "warning"
    assert checks["ipv4 address"]["state"] == "ok"


def test_an_address_that_is_not_the_latest_version_is_a_note(small_machine: Machine) -> None:
    small_machine.init()
    small_machine.service.address = "1.1.1.1"
    check = found(small_machine)["ipv4 origin'"]
    assert (check["state"], check["found"]) == ("note", "the line has 1.1.1.1 now, but version 1 is 9.9.9.9")


# Database


# Root without the capability that makes it blind to the mode of a file.
_WITHOUT_OVERRIDE = (
    "import os, sys; os.execvp('setpriv', ['setpriv', '--bounding-set', '-dac_override', sys.executable,"
    " '-m', 'ddns_updater', *sys.argv[1:]])"
)


@pytest.mark.parametrize("place", ["file", "folder", "lock"])
def test_an_sqlite_database_that_may_only_be_read_fails_the_check(small_machine: Machine, place: str) -> None:
    """The check says what a run that changes the address does."""
    folder = small_machine.folder / "data"
    file = folder / "ddns.sqlite3"
    small_machine.environment["DDNS_DATABASE_URL"] = f"sqlite:///{file}"
    small_machine.init()
    small_machine.run()
    program = ("-c", _WITHOUT_OVERRIDE) if os.geteuid() == 0 else ("-m", "ddns_updater")
    small_machine.service.address = "1.1.1.1"
    target, mode = {"file": (file, 0o444), "folder": (folder, 0o555), "lock": (Path(f"{file}.1.lock"), 0o444)}[place]
    before, usual = file.read_bytes(), target.stat().st_mode
    if place == "folder":
        Path(f"{file}.1.lock").unlink()
    target.chmod(mode)
    try:
        done = finish(small_machine.start("doctor", "--json", program=program))
        run = finish(small_machine.start("run", program=program))
    finally:
        target.chmod(usual)
    (check,) = [each for each in done.json["checks"] if each["name"] == "database file"]
    assert (done.status, check["state"], check["found"]) == (1, "failed", f"{target} cannot be written")
    assert (run.status, run.out, run.err.count("\n")) == (1, "", 1)
    assert f"{file}" in run.err
    assert file.read_bytes() == before


@pytest.fixture
def account(small_machine: Machine, mysql: Database) -> Iterator[str]:
    """Give the name of an account on the machine's database, which lets it only log in."""
    name = mysql.url.rpartition("/")[2]
    user = f"{name}_d"
    small_machine.database = mysql
    small_machine.environment["DDNS_DATABASE_URL"] = mysql.url
    small_machine.init()
    small_machine.run()
    mysql.sql(f"CREATE USER {user}@'%' IDENTIFIED BY 'x'")
    small_machine.environment["DDNS_DATABASE_URL"] = f"mysql://{user}:x@{mysql.url.partition('@')[2]}"
    yield user
    mysql.sql(f"DROP USER {user}@'%'")


_COLUMNS_TO_INSERT = "INSERT (ip, name, version, originId, note)"


@pytest.mark.parametrize(
    ("history", "publication", "denied"),
    [
        ("SELECT", "SELECT", "INSERT"),
        ("SELECT, INSERT", "SELECT", "INSERT"),
        ("SELECT, INSERT", "SELECT, INSERT", "UPDATE"),
        ("SELECT, INSERT (ip, name, version)", "SELECT, INSERT, UPDATE", "INSERT"),
        (f"SELECT, {_COLUMNS_TO_INSERT}", "SELECT, INSERT, UPDATE (state)", "UPDATE"),
        ("SELECT, INSERT", "SELECT, INSERT, UPDATE", None),
        (f"SELECT, {_COLUMNS_TO_INSERT}", "SELECT, INSERT, UPDATE", None),
    ],
)
@pytest.mark.parametrize("by_role", [False, True])
def test_an_account_that_may_not_write_what_a_run_writes_fails_the_check(
    small_machine: Machine, account: str, history: str, publication: str, denied: str | None, by_role: bool
) -> None:
    """What the check says is what a run that changes the address does; roles and single columns count."""
    database, name = small_machine.database, small_machine.database.url.rpartition("/")[2]
    holder = f"{account[-12:]}_r" if by_role else f"{account}@'%'"
    if by_role:
        database.sql(f"CREATE ROLE {holder}")
        database.sql(f"GRANT {holder} TO {account}@'%'")
        database.sql(f"SET DEFAULT ROLE {holder} FOR {account}@'%'")
    try:
        database.sql(f"GRANT {history} ON {name}.admin_ip_history TO {holder}")
        database.sql(f"GRANT {publication} ON {name}.admin_dns_publication TO {holder}")
        before = {
            table: database.sql(f"SELECT * FROM {table}") for table in ("admin_ip_history", "admin_dns_publication")
        }
        done = small_machine.ddns("doctor", "--json")
        checks = {each["name"]: each for each in done.json["checks"]}
        assert before == {table: database.sql(f"SELECT * FROM {table}") for table in before}
        small_machine.service.address = "1.1.1.1"
        run = small_machine.ddns("run")
        if denied is None:
            assert "grants" not in checks
            assert (run.status, run.err) == (0, "")
        else:
            assert (done.status, checks["grants"]["state"]) == (1, "failed")
            assert denied in checks["grants"]["found"].partition("denied access: ")[2]
            assert checks["ipv4 origin"]["state"] == "ok"
            assert run.status == 1
            assert " denied access: " in run.err
    finally:
        if by_role:
            database.sql(f"DROP ROLE {holder}")


@pytest.mark.parametrize(
    ("variable", "advice"),
    [
        ("read_only", "use the primary server"),
        ("tx_read_only", "turn transaction_read_only (on MariaDB tx_read_only) off for it"),
    ],
)
def test_a_server_that_only_reads_fails_the_check(
    small_machine: Machine, account: str, variable: str, advice: str
) -> None:
    database = small_machine.database
    database.sql(f"GRANT ALL ON {database.url.rpartition('/')[2]}.* TO {account}@'%'")
    database.sql(f"SET GLOBAL {variable} = 1")
    try:
        done = small_machine.ddns("doctor", "--json")
        small_machine.service.address = "1.1.1.1"
        run = small_machine.ddns("run")
    finally:
        with closing(database.connect()) as connection:
            connection.cursor().execute("SET SESSION TRANSACTION READ WRITE")
            connection.cursor().execute(f"SET GLOBAL {variable} = 0")
    (check,) = [each for each in done.json["checks"] if each["name"] == "grants"]
    assert (done.status, check["state"], check["advice"]) == (1, "failed", advice)
    assert " is read-only" in check["found"]
    assert (run.status, run.out, run.err.count("\n")) == (1, "", 1)
    assert run.err.endswith(f"; {advice}\n")
    assert database.versions() == [(1, "9.9.9.9")]
    small_machine.statements_hold("1.1.1.1")


def test_an_account_with_the_grants_of_the_readme_is_ok(small_machine: Machine, mysql: Database) -> None:
    database = mysql
    small_machine.environment["DDNS_DATABASE_URL"] = database.url
    small_machine.init()
    name, user = database.url.rpartition("/")[2], f"{database.url.rpartition('/')[2]}_small"
    database.sql("CREATE USER ?@? IDENTIFIED BY 'small-secret'", (user, "%"))
    try:
        database.sql(f"GRANT SELECT, INSERT ON {name}.admin_ip_history TO ?@?", (user, "%"))
        database.sql(f"GRANT SELECT, INSERT ON {name}.admin_dns_publication TO ?@?", (user, "%"))
        url = urlsplit(database.url)
        small_machine.environment["DDNS_DATABASE_URL"] = f"mysql://{user}:small-secret@{url.hostname}:{url.port}/{name}"
        checks = found(small_machine)
        assert checks["schema"]["found"] == "up to date"
        assert checks["grants"]["state"] == "failed"
        assert " denied access: UPDATE command denied to user " in checks["grants"]["found"]
        assert checks["grants"]["advice"] == "give the account the grants in docs/mysql.md"
        database.sql(f"GRANT UPDATE ON {name}.admin_dns_publication TO ?@?", (user, "%"))
        assert "grants" not in found(small_machine)
        database.sql("DROP INDEX admin_ip_history_name_origin_version ON admin_ip_history")
        checks = found(small_machine)
        assert checks["schema"]["found"] == "lacks index admin_ip_history_name_origin_version"
        assert "small-secret" not in str(checks)
    finally:
        database.sql("DROP USER ?@?", (user, "%"))


def test_a_schema_that_lacks_a_migration_is_a_failure(machine: Machine) -> None:
    machine.init()
    last = machine.database.sql("SELECT MAX(migration_id) FROM admin_ddns_migration")[0][0]
    machine.database.sql("DELETE FROM admin_ddns_migration WHERE migration_id = ?", (last,))
    check = found(machine)["schema"]
    assert (check["state"], check["found"]) == ("failed", f"lacks migration {last}")
    assert check["advice"] == 'run "ddns init --name NAME"'


def test_a_table_that_was_dropped_is_a_failure(machine: Machine) -> None:
    machine.init()
    machine.database.sql("DROP TABLE admin_dns_publication")
    checks = found(machine)
    assert checks["schema"]["found"] == "lacks table admin_dns_publication"
    assert checks["origin"]["state"] == "skipped"


def test_a_database_that_is_down_does_not_stop_the_other_checks(small_machine: Machine) -> None:
    small_machine.init()
    small_machine.run()
    checks = found(small_machine, DDNS_DATABASE_URL="mysql://me:a-secret@127.0.0.1:9/app")
    assert checks["database"]["state"] == "failed"
    assert "Connection refused" in checks["database"]["found"]
    assert checks["home.example.com A"]["found"] == ("holds 9.9.9.9, TTL 60 s; there is no version to compare it with")
    assert "a-secret" not in str(checks)


@pytest.mark.usefixtures("impatient_sqlite")
def test_a_locked_database_is_one_failed_check(small_machine: Machine) -> None:
    small_machine.init()
    other = sqlite3.connect(small_machine.database.url.removeprefix("sqlite:///"), isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    try:
        checks = found(small_machine)
    finally:
        other.close()
    assert (checks["schema"]["state"], checks["schema"]["advice"]) == ("failed", "try again later")
    assert checks["origin"]["state"] == "skipped"


def test_a_family_without_an_origin_is_a_failure_that_names_the_command(small_machine: Machine) -> None:
    small_machine.init()
    check = found(small_machine, DDNS_IP_FAMILIES="ipv4,ipv6")["ipv6 origin"]
    assert (check["state"], check["advice"]) == ("failed", "create it with: ddns init --name line")


def test_an_origin_that_does_not_exist_is_a_failure(small_machine: Machine) -> None:
    small_machine.init()
    checks = found(small_machine, DDNS_NAME="another")
    assert checks["origin"]["found"] == "there is no origin 'another', only line"


def test_a_publication_that_failed_is_a_warning_with_its_reason(small_machine: Machine) -> None:
    small_machine.init()
    small_machine.aws.fault("ChangeResourceRecordSets", refuse("AccessDenied", "you may not", 403))
    small_machine.ddns("run")
    checks = found(small_machine)
    check = checks["last publication of home.example.com A"]
    assert check["state"] == "warning"
    assert "AccessDenied" in check["found"]
    assert check["advice"] == '"ddns run" tries it now'
    assert checks["last run"]["state"] == "failed"
    assert "ended failed: " in checks["last run"]["found"]


# Output


def doctor_in_terminal(machine: Machine, columns: int, **changes: str) -> Terminal:
    """Run `ddns doctor` without the extra dns in a terminal of this width."""
    return Terminal(machine, columns, "doctor", program=("-c", WITHOUT_DNS), **changes)


def seen(shown: str, columns: int) -> list[str]:
    """Return what stands in the terminal in the end: after `\\r` a line is written over."""
    lines = []
    for line in shown.split("\n"):
        cells = [" "] * columns
        for piece in line.split("\r"):
            cells[: len(piece)] = piece
        lines.append("".join(cells).rstrip())
    return lines


@pytest.mark.parametrize(
    ("changes", "coloured"),
    [({}, True), ({"NO_COLOR": ""}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)],
)
def test_a_terminal_shows_colours_unless_they_are_disabled(
    small_machine: Machine, changes: dict[str, str], coloured: bool
) -> None:
    small_machine.init()
    changes = changes | {"DDNS_RECORDS": "-"}  # without AWS, which takes the most time
    with doctor_in_terminal(small_machine, 80, **changes) as terminal:
        shown = terminal.read()
    assert ("\x1b[32mok  \x1b[0m" in shown) is coloured
    assert ("\x1b" in shown) is coloured


def test_lines_are_wrapped_in_a_narrow_terminal(small_machine: Machine) -> None:
    small_machine.init()
    with doctor_in_terminal(small_machine, 40, NO_COLOR="1") as terminal:
        lines = seen(terminal.read(), 40)
    long = [line for line in lines if len(line) > 40]
    assert all(
        line.count(" ", 8) == 0 or "/pip install " in line for line in long
    )  # a path or a command is not wrapped
    assert all(re.match(r"(?:  (?:ok|note|warn|skip|FAIL) +| {8})\S", line) for line in lines if line.startswith(" "))
    assert terminal.process.returncode == 0


def test_checks_are_shown_as_they_end_and_ctrl_c_stops_with_one_line(small_machine: Machine) -> None:
    small_machine.init()
    small_machine.service.play = services.hang
    with doctor_in_terminal(small_machine, 200, NO_COLOR="1", DDNS_IP_TIMEOUT="20") as terminal:
        shown = terminal.read(lambda text: "state folder: " in text)
        assert "  ok    settings: all values are valid" in shown
        while not small_machine.service.requests:
            time.sleep(0.05)
        terminal.process.send_signal(signal.SIGINT)
        assert re.search(r"error: stopped after \d+ checks; nothing was changed\n$", terminal.read())
    assert terminal.process.returncode == 1


@pytest.mark.parametrize("columns", [40, 200])
def test_a_check_that_hangs_is_named_on_a_terminal_until_it_ends(small_machine: Machine, columns: int) -> None:
    small_machine.init()
    small_machine.service.play = services.hang
    changes = {"NO_COLOR": "1", "DDNS_RECORDS": "-"}
    awaited = f"  ...   {small_machine.service.url} (1 s)"
    with doctor_in_terminal(small_machine, columns, **changes) as terminal:
        shown = terminal.read(lambda text: " (1 s)" in text)
        assert shown.rpartition("\r")[2] == awaited
        assert "\x1b" not in shown
        shown += terminal.read()
    assert all(len(piece) <= columns or piece.count(" ", 8) == 0 for piece in re.split("[\r\n]", shown))
    assert not any(line.startswith("  ...") for line in seen(shown, 200))
    assert any(line.startswith(f"  warn  {small_machine.service.url}, ipv4:") for line in seen(shown, 200))


def test_nothing_is_shown_of_a_check_that_hangs_in_a_pipe_or_with_json(small_machine: Machine) -> None:
    small_machine.init()
    small_machine.service.play = services.hang
    changes = {"NO_COLOR": "1", "DDNS_RECORDS": "-"}
    assert not re.search(r"\.\.\.|\r", doctor(small_machine, **changes).out)
    with Terminal(small_machine, 80, "doctor", "--json", program=("-c", WITHOUT_DNS), **changes) as terminal:
        assert json.loads(terminal.read())["ok"] is False


def test_a_source_that_hangs_costs_a_bounded_time(small_machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    small_machine.init()
    small_machine.service.play = services.drip(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 100, 0.05)
    for key, value in small_machine.environment.items():
        monkeypatch.setenv(key, value)
    loaded = read_settings()
    sources = [(each, partial(factories.source, loaded.settings, each)) for each in loaded.settings.ip_sources]

    def tenth(seconds: float, error: DdnsError) -> time_limit:
        return time_limit(seconds / 10, error)

    def unused() -> Any:
        raise AssertionError("the checks after the database must not be reached")

    open_read_only = partial(factories.open_history, loaded.settings, read_only=True)
    now = partial(datetime.now, UTC)
    tools = Tools(
        sources=sources,
        open_history=open_read_only,
        open_hosts=unused,
        open_probe=unused,
        open_dns=unused,
        open_lookup=unused,
        missing_serve=unused,
        check_channels=lambda: None,
        read_state=unused,
        limit=tenth,
        starts=print,
        now=now,
        monotonic=time.monotonic,
    )
    start = time.monotonic()
    checks: dict[str, Check] = {}
    for check in examine(loaded, tools, None):
        checks[check.name] = check
        if check.name == "schema":
            break
    assert time.monotonic() - start < 5
    assert checks[f"{small_machine.service.url}, ipv4"].found == "did not finish within 7 s"
    assert checks["schema"].state is State.OK
