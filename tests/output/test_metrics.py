"""What a run leaves for Prometheus: the file of DDNS_METRICS_FILE, by the real command line."""

import fcntl
import math
import os
import re
import signal
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from prometheus_client.parser import text_string_to_metric_families

from ddns_updater import __version__
from ddns_updater.lib.files import replace_file
from ddns_updater.lib.installation import install_advice
from ddns_updater.model import Family, FamilyResult, Outcome, PublicationState, RunResult
from ddns_updater.output.metrics import write_metrics
from ddns_updater.state.run_state import RunState
from tests.support import services
from tests.support.aws import FakeAws, pending
from tests.support.command import finish
from tests.support.database import Database, replace_port
from tests.support.machine import Machine
from tests.support.proxy import Proxy
from tests.support.services import AddressService, answer, running

_TOP = Path(__file__).parents[2]
_AS_A_MODULE = "import runpy; runpy.run_module('ddns_updater', run_name='__main__')"
_RESERVED = ("_total", "_count", "_sum", "_bucket", "_created")
_NOT_A_BASE_UNIT = ("_ms", "_milliseconds", "_minutes", "_hours", "_days", "_percent")

Series = dict[tuple[str, frozenset[tuple[str, str]]], float]


def series(text: str) -> Series:
    """Return the value of every series of the text format, which must hold none twice."""
    samples = [each for family in text_string_to_metric_families(text) for each in family.samples]
    found = {(each.name, frozenset(each.labels.items())): each.value for each in samples}
    assert len(found) == len(samples)
    return found


def metrics_file(machine: Machine) -> Path:
    """Have the runs write metrics; return the file, in a folder of its own."""
    folder = machine.folder / "textfile"
    folder.mkdir(exist_ok=True)
    machine.environment["DDNS_METRICS_FILE"] = str(folder / "ddns.prom")
    return folder / "ddns.prom"


class Metrics:
    """What stands in a metrics file now, by metric and labels; `name` is the origin's."""

    def __init__(self, path: Path, name: str = "line") -> None:
        self._series = series(path.read_text())
        self._name = name

    def value(self, metric: str, **labels: str) -> float | None:
        return self._series.get((metric, frozenset({"name": self._name, **labels}.items())))

    def counts(self) -> dict[str, int]:
        """Return how many runs ended with each outcome, but those that none did."""
        counted = {outcome.value: int(self.value("ddns_runs_total", outcome=outcome) or 0) for outcome in Outcome}
        return {outcome: number for outcome, number in counted.items() if number}

    def outcome(self) -> str:
        """Return the only outcome that is said to be the last run's."""
        states = {outcome.value: self.value("ddns_last_run_outcome", outcome=outcome) for outcome in Outcome}
        assert set(states.values()) == {0, 1}
        (outcome,) = [outcome for outcome, state in states.items() if state == 1]
        return outcome

    def state(self, record: str = "home.example.com", kind: str = "A") -> str | None:
        """Return the only state that is said to be the record's; None when nothing is said of it."""
        labels = {"record": record, "type": kind}
        states = {each.value: self.value("ddns_record_state", **labels, state=each) for each in PublicationState}
        if set(states.values()) == {None}:
            return None
        assert set(states.values()) == {0, 1}
        (state,) = [state for state, value in states.items() if value == 1]
        return state

    def names(self) -> set[str]:
        return {name for name, _ in self._series}


def down() -> dict[str, str]:
    """Return the changes to the environment under which the address source is down."""
    with running() as gone:
        pass
    return {"DDNS_IP_SOURCES": gone.url}


# What is written.


def test_a_run_exports_what_it_knows(machine: Machine) -> None:
    file = metrics_file(machine)
    machine.init("8.8.8.8")
    begin = time.time()
    assert machine.run()["outcome"] == "updated"
    metrics = Metrics(file)
    assert metrics.outcome() == "updated"
    assert metrics.value("ddns_build_info", version=__version__) == 1
    for when in ("ddns_last_run_timestamp_seconds", "ddns_last_success_timestamp_seconds"):
        assert begin <= (metrics.value(when) or 0) <= time.time()
    assert metrics.value("ddns_address_version", family="ipv4") == 2
    assert 0 <= (metrics.value("ddns_address_age_seconds", family="ipv4") or 0) < 60
    assert 0 <= (metrics.value("ddns_dns_propagation_seconds", family="ipv4") or 0) < 60
    assert metrics.state() == "verified"
    assert metrics.value("ddns_consecutive_failures") == 0
    assert metrics.value("ddns_incident_start_timestamp_seconds") is None


def test_runs_and_failures_are_counted_across_processes(machine: Machine) -> None:
    def outcome_of(**changes: str) -> Any:
        (done,) = machine.at_once(1, "run", "--json", **changes)
        return done.json["outcome"]

    file = metrics_file(machine)
    machine.init()
    outcomes = [outcome_of() for _ in range(3)]
    assert outcomes == ["updated", "unchanged", "unchanged"]
    success = Metrics(file).value("ddns_last_success_timestamp_seconds")
    assert [outcome_of(**down()) for _ in range(2)] == ["failed", "failed"]
    metrics = Metrics(file)
    assert metrics.counts() == {"updated": 1, "unchanged": 2, "failed": 2}
    assert metrics.value("ddns_run_failures_total") == metrics.value("ddns_consecutive_failures") == 2
    assert metrics.value("ddns_last_success_timestamp_seconds") == success
    assert (success or 0) <= (metrics.value("ddns_incident_start_timestamp_seconds") or 0) <= time.time()
    assert metrics.outcome() == "failed"
    assert outcome_of() == "unchanged"
    metrics = Metrics(file)
    assert metrics.counts() == {"updated": 1, "unchanged": 3, "failed": 2}
    assert (metrics.value("ddns_run_failures_total"), metrics.value("ddns_consecutive_failures")) == (2, 0)
    assert metrics.value("ddns_incident_start_timestamp_seconds") is None


def test_a_run_that_is_held_counts_as_a_failure_and_keeps_the_version(small_machine: Machine) -> None:
    file = metrics_file(small_machine)
    small_machine.init()
    small_machine.run()
    with running("127.0.0.2") as other:
        small_machine.service.address, other.address = "1.1.1.1", "8.8.8.8"
        held = small_machine.run(
            DDNS_IP_SOURCES=f"{small_machine.service.url},{other.url}", DDNS_IP_AGREEMENT="required"
        )
    assert held["outcome"] == "held"
    metrics = Metrics(file)
    assert (metrics.outcome(), metrics.counts()) == ("held", {"updated": 1, "held": 1})
    assert metrics.value("ddns_run_failures_total") == 1
    assert metrics.value("ddns_address_version", family="ipv4") == 1


def test_a_change_that_is_not_in_sync_is_neither_a_success_nor_a_failure(small_machine: Machine) -> None:
    file = metrics_file(small_machine)
    small_machine.init()
    small_machine.aws.fault("GetChange", pending)
    small_machine.run(DDNS_VERIFY_TIMEOUT="0")
    metrics = Metrics(file)
    assert (metrics.outcome(), metrics.state()) == ("pending", "submitted")
    assert metrics.value("ddns_run_failures_total") == 0
    assert metrics.value("ddns_last_success_timestamp_seconds") is None
    assert metrics.value("ddns_dns_propagation_seconds", family="ipv4") is None


def test_each_family_and_each_record_has_its_series(small_machine: Machine) -> None:
    file = metrics_file(small_machine)
    (small_machine.folder / "v4").write_text("9.9.9.9")
    (small_machine.folder / "v6").write_text("2620:fe::fe")
    small_machine.environment |= {
        "DDNS_IP_SOURCES": f"file:{small_machine.folder}/v4,file:{small_machine.folder}/v6",
        "DDNS_IP_FAMILIES": "ipv4,ipv6",
        "DDNS_RECORDS": "home.example.com,*.example.com/A,other.example.net",
    }
    assert small_machine.ddns("init", "--name", "line").status == 0
    assert small_machine.run()["outcome"] == "failed"  # no hosted zone covers example.net
    metrics = Metrics(file)
    assert [metrics.value("ddns_address_version", family=family) for family in Family] == [1, 1]
    assert [metrics.state(kind=kind) for kind in ("A", "AAAA")] == ["verified", "verified"]
    assert [metrics.state("*.example.com", kind) for kind in ("A", "AAAA")] == ["verified", None]
    assert metrics.state("other.example.net") in ("pending", "failed")


def test_while_the_database_is_down_nothing_is_said_of_the_address(
    mysql: Database, aws: FakeAws, service: AddressService, tmp_path: Path
) -> None:
    machine = Machine(mysql, service, aws, tmp_path / "home", aws.zone())
    file = metrics_file(machine)
    machine.init()
    with closing(Proxy(urlsplit(mysql.url).port or 0)) as proxy:
        machine.environment["DDNS_DATABASE_URL"] = replace_port(mysql.url, proxy.port)
        machine.run()
        assert Metrics(file).state() == "verified"
    assert machine.run()["outcome"] == "failed"
    metrics = Metrics(file)  # under the name that it had while the database was there
    assert metrics.counts() == {"updated": 1, "failed": 1}
    assert metrics.state() is None
    assert not {name for name in metrics.names() if name.startswith(("ddns_address", "ddns_dns", "ddns_record"))}
    assert metrics.value("ddns_last_success_timestamp_seconds") is not None


def test_a_skipped_run_is_counted_and_says_nothing_of_the_address(small_machine: Machine) -> None:
    file = metrics_file(small_machine)
    small_machine.init()
    small_machine.service.play = services.hang
    first = small_machine.start("run", DDNS_IP_TIMEOUT="30")
    while not small_machine.service.requests:
        assert first.poll() is None
    assert small_machine.run()["outcome"] == "skipped"
    metrics = Metrics(file)
    assert (metrics.outcome(), metrics.counts()) == ("skipped", {"skipped": 1})
    assert metrics.value("ddns_address_version", family="ipv4") is None
    first.send_signal(signal.SIGTERM)
    finish(first)
    assert Metrics(file).counts() == {"skipped": 1, "failed": 1}


def test_a_dry_run_writes_none(small_machine: Machine) -> None:
    file = metrics_file(small_machine)
    small_machine.init()
    small_machine.run("--dry-run")
    assert list(file.parent.iterdir()) == []


def test_an_age_by_two_clocks_is_never_negative(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    one = FamilyResult(Family.IPV4, Outcome.UNCHANGED, version=1, since=now + timedelta(seconds=9))
    write_metrics(tmp_path / "ddns.prom", RunResult("line", (one,)), RunState(), now)
    assert Metrics(tmp_path / "ddns.prom").value("ddns_address_age_seconds", family="ipv4") == 0


# The form.


@pytest.mark.parametrize("name", ['a "quoted" \\n \\', "{name='x'},=#", "büro 家", "'; rm"])
def test_any_name_of_an_origin_is_written_so_that_it_is_read_back(small_machine: Machine, name: str) -> None:
    file = metrics_file(small_machine)
    small_machine.init(name=name)
    assert small_machine.run()["outcome"] == "updated"
    assert Metrics(file, name).counts() == {"updated": 1}


def test_the_text_keeps_the_rules_that_promtool_checks(small_machine: Machine) -> None:
    for text in everything_written(small_machine):
        assert text.endswith("\n")
        for family in text_string_to_metric_families(text):
            assert re.fullmatch(r"ddns(_[a-z]+)+", family.name)
            assert family.documentation
            assert f"# HELP {family.name}" in text
            assert text.count(f"# TYPE {family.name}") == text.count(f"# TYPE {family.name}_total") + (
                family.type == "gauge"
            )
            assert family.samples
            for sample in family.samples:
                assert sample.timestamp is None  # the node exporter refuses a file with any
                assert math.isfinite(sample.value)
                assert sample.labels["name"] == "line"
                assert not {"le", "quantile", "instance", "job"} & set(sample.labels)
            assert family.type in ("gauge", "counter")
            if family.type == "gauge":
                assert not family.name.endswith((*_RESERVED, *_NOT_A_BASE_UNIT))
                assert {sample.name for sample in family.samples} == {family.name}
            else:
                assert {sample.name for sample in family.samples} == {f"{family.name}_total"}
            assert not re.search("gauge|counter|histogram|summary", family.name)


def test_the_table_of_the_page_has_just_what_is_written(small_machine: Machine) -> None:
    written: dict[str, set[str]] = {}
    for text in everything_written(small_machine):
        for name, labels in series(text):
            written.setdefault(name, set()).update(label for label, _ in labels)
    table = (_TOP / "docs" / "metrics.md").read_text().partition("| metric | labels |")[2].partition("\n\n")[0]
    rows = [[cell.strip() for cell in line.split("|")[1:3]] for line in table.splitlines()[2:]]
    documented = {name.strip("`"): {"name", *re.findall(r"`(\w+)`", labels)} for name, labels in rows}
    assert documented == written


def everything_written(machine: Machine) -> Iterator[str]:
    """Give the text after a run that found all well, and after one that failed."""
    file = metrics_file(machine)
    machine.init()
    machine.run()
    yield file.read_text()
    machine.run(**down())
    yield file.read_text()


# The file.


def test_others_may_read_the_file_whatever_the_umask(small_machine: Machine) -> None:
    file = metrics_file(small_machine)
    small_machine.init()
    finish(small_machine.start("run", program=("-c", f"import os; os.umask(0o077); {_AS_A_MODULE}")))
    assert stat.S_IMODE(file.stat().st_mode) == 0o644
    assert list(file.parent.iterdir()) == [file]


@contextmanager
def watched(file: Path) -> Iterator[list[Series]]:
    """Read the file again and again for the length of the block; give at its end what stood in it."""
    texts: list[str] = []
    seen: list[Series] = []
    over = threading.Event()

    def read() -> None:
        while not over.wait(0.001):  # gives the servers here time to answer the runs
            text = file.read_text()
            if text not in texts[-1:]:
                texts.append(text)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        yield seen
    finally:
        over.set()
        reader.join()
        seen += map(series, texts)


def test_overlapping_runs_are_all_counted_and_no_count_goes_back(machine: Machine) -> None:
    file = metrics_file(machine)
    machine.init()
    machine.run()
    with watched(file) as seen:
        ended = machine.at_once(12, "run", "--json", DDNS_IP_TIMEOUT="20")
    assert {(each.status, each.err) for each in ended} == {(0, "")}
    totals = [sum(value for (name, _), value in each.items() if name == "ddns_runs_total") for each in seen]
    assert totals == sorted(totals)
    assert sum(Metrics(file).counts().values()) == 13


def test_no_other_run_is_counted_until_the_metrics_of_a_run_are_written(small_machine: Machine) -> None:
    file = metrics_file(small_machine)
    small_machine.init()
    small_machine.run()
    (state_file,) = (small_machine.folder / ".config" / "ddns-updater").glob("runs-*.json")
    before = state_file.read_bytes()
    os.mkfifo(file.with_name(".ddns.prom.new"))  # opening it waits for a reader
    run = small_machine.start("run")
    while state_file.read_bytes() == before:
        assert run.poll() is None
    with state_file.with_suffix(".lock").open() as lock, pytest.raises(BlockingIOError):
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    assert finish(run).status == 0


def test_overlapping_runs_leave_the_file_whole_without_the_lock_of_the_state_file(small_machine: Machine) -> None:
    file = metrics_file(small_machine)
    (small_machine.folder / "state").write_text("")
    small_machine.environment["DDNS_STATE_FOLDER"] = str(small_machine.folder / "state")
    small_machine.init()
    small_machine.run()
    with watched(file) as seen:
        ended = small_machine.at_once(8, "run", DDNS_IP_TIMEOUT="20")
    assert {each.status for each in ended} == {0}
    assert not [each for each in ended if "metrics" in each.err]
    assert all(("ddns_last_run_timestamp_seconds", frozenset({("name", "line")})) in each for each in seen)
    assert list(file.parent.iterdir()) == [file]


def test_a_file_that_many_replace_at_once_is_always_one_of_theirs(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "file"
    path.parent.mkdir()
    contents = [str(number).encode() * 5000 for number in range(8)]
    failures: list[OSError] = []

    def replace(content: bytes) -> None:
        for _ in range(200):
            try:
                replace_file(path, content, 0o600)
            except OSError as error:
                failures.append(error)

    replace_file(path, contents[0], 0o600)
    writers = [threading.Thread(target=replace, args=[content]) for content in contents]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        assert path.read_bytes() in contents
    assert failures == []
    assert list(path.parent.iterdir()) == [path]


_PLACES = [
    "call:replace_file",  # the state file's
    "return:replace_file",
    "call:write_metrics",
    "call:replace_file:2",
    "call:is_at:2",  # the file beside it is there, and empty
    "return:_held:3",  # what stood there was replaced
    "return:replace_file:2",
    "return:write_metrics",
]


@pytest.mark.parametrize("place", _PLACES)
def test_a_run_killed_while_it_writes_leaves_the_old_file_or_the_new_one(small_machine: Machine, place: str) -> None:
    file = metrics_file(small_machine)
    small_machine.init()
    small_machine.run()
    assert small_machine.killed(place, "run").status == -signal.SIGKILL
    assert Metrics(file).counts() in ({"updated": 1}, {"updated": 1, "unchanged": 1})
    done = small_machine.ddns("run")
    assert (done.status, done.err) == (0, "")
    assert Metrics(file).counts()["unchanged"] == (1 if place == "call:replace_file" else 2)
    assert list(file.parent.iterdir()) == [file]


# What cannot be written.


@pytest.mark.parametrize(
    ("path", "cause"),
    [
        ("a-file/ddns.prom", "Not a directory"),
        ("missing/ddns.prom", "No such file or directory"),
        ("folder.prom", "Is a directory"),
        ("n" * 300 + ".prom", "File name too long"),
    ],
)
def test_a_place_that_cannot_be_written_is_a_warning(small_machine: Machine, path: str, cause: str) -> None:
    (small_machine.folder / "a-file").write_text("")
    (small_machine.folder / "folder.prom").mkdir()
    small_machine.init()
    small_machine.run()
    there = small_machine.folder / path
    done = small_machine.ddns("run", DDNS_METRICS_FILE=str(there))
    assert (done.status, done.out) == (0, "unchanged: 9.9.9.9 is version 1 of line; home.example.com A verified\n")
    warning = f"failed to write the metrics {there}: {cause}; fix its folder, or set DDNS_METRICS_FILE"
    assert done.err == f"warning: {warning}\n"
    assert small_machine.run(DDNS_METRICS_FILE=str(there))["warnings"] == [warning]
    small_machine.run()
    file = metrics_file(small_machine)
    small_machine.run()
    assert Metrics(file).counts() == {"updated": 1, "unchanged": 4}  # those were counted


def test_a_failed_run_stays_the_failure_it_is(small_machine: Machine) -> None:
    small_machine.init()
    done = small_machine.ddns("run", DDNS_METRICS_FILE="/dev/null/ddns.prom", **down())
    assert done.status == 1
    first, second = done.err.splitlines()
    assert {first.partition(":")[0], second.partition(":")[0]} == {"failed", "warning"}


def test_a_full_disk_leaves_the_old_file(small_machine: Machine) -> None:
    file = metrics_file(small_machine)
    small_machine.init()
    small_machine.run()
    before = file.read_text()
    full = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (1500, 1500)); {_AS_A_MODULE}"
    done = finish(small_machine.start("run", program=("-c", full)))
    assert (done.status, done.out.partition(":")[0]) == (0, "unchanged")
    assert done.err == (
        f"warning: failed to write the metrics {file}: File too large; fix its folder, or set DDNS_METRICS_FILE\n"
    )
    assert file.read_text() == before
    assert list(file.parent.iterdir()) == [file]
    small_machine.run()
    assert Metrics(file).counts() == {"updated": 1, "unchanged": 2}


def test_a_disk_that_hangs_is_left_alone_after_a_moment(small_machine: Machine) -> None:
    file = metrics_file(small_machine)
    small_machine.init()
    beside = file.with_name(".ddns.prom.new")
    descriptor = os.open(beside, os.O_CREAT | os.O_WRONLY, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX)  # as another run whose write hangs
    done = small_machine.ddns("run")
    os.close(descriptor)
    assert (done.status, done.err) == (
        0,
        "warning: failed to write the metrics: it took longer than 1.5 s; check that disk\n",
    )
    small_machine.run()
    assert Metrics(file).counts() == {"updated": 1, "unchanged": 1}


def test_without_the_extra_the_run_is_as_good_and_says_which_one_is_missing(small_machine: Machine) -> None:
    file = metrics_file(small_machine)
    small_machine.init()
    without = f"import sys; sys.modules['prometheus_client'] = None; {_AS_A_MODULE}"
    done = finish(small_machine.start("run", program=("-c", without)))
    assert (done.status, done.out.partition(":")[0]) == (0, "updated")
    assert done.err == (f"warning: DDNS_METRICS_FILE needs the extra metrics; {install_advice('metrics')}\n")
    small_machine.run()
    assert Metrics(file).counts() == {"updated": 1, "unchanged": 1}


def test_without_a_state_file_only_the_counts_are_missing(small_machine: Machine) -> None:
    file = metrics_file(small_machine)
    (small_machine.folder / "state").write_text("")
    small_machine.init()
    done = small_machine.ddns("run", DDNS_STATE_FOLDER=str(small_machine.folder / "state"))
    assert done.status == 0
    assert len(done.err.splitlines()) == 1
    metrics = Metrics(file)
    assert (metrics.outcome(), metrics.state()) == ("updated", "verified")
    assert metrics.value("ddns_last_run_timestamp_seconds") is not None
    counted = {"ddns_runs_total", "ddns_run_failures_total", "ddns_consecutive_failures"}
    assert not counted & metrics.names()


def test_a_state_file_that_cannot_be_replaced_does_not_hold_back_the_metrics(small_machine: Machine) -> None:
    file = metrics_file(small_machine)
    small_machine.init()
    small_machine.run()
    (state_file,) = (small_machine.folder / ".config" / "ddns-updater").glob("runs-*.json")
    state_file.with_name(f".{state_file.name}.new").mkdir()
    for _ in range(2):  # what could not be kept is not counted on
        done = small_machine.ddns("run")
        assert (done.status, len(done.err.splitlines())) == (0, 1)
        assert Metrics(file).counts() == {"updated": 1, "unchanged": 1}


def test_an_answer_that_is_no_address_leaves_the_series_of_the_address_out(small_machine: Machine) -> None:
    file = metrics_file(small_machine)
    small_machine.init()
    small_machine.service.play = answer("<html>")
    assert small_machine.run()["outcome"] == "failed"
    assert Metrics(file).value("ddns_address_version", family="ipv4") is None
