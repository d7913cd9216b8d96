"""Measure `ddns serve` with many hosts: requests a second, how long they take, and its memory.

Requests are compared with those to a bare application of the same web server, in turns. The load, the server, the
database and the simulated AWS share the machine.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median

from benchmarks.hosts import ADDRESS, OTHER, SECRET, fill, name_of
from benchmarks.interleaved import Row, ratio, take_turns
from benchmarks.load import Answered, Load
from ddns_updater.app.factories import open_hosts
from ddns_updater.history.hosts import SqlHosts
from tests.support.aws import FakeAws
from tests.support.database import Database
from tests.support.machine import AWS

_BARE = [sys.executable, str(Path(__file__).with_name("bare.py"))]
_LOAD = [sys.executable, str(Path(__file__).with_name("load.py"))]
_SERVE = [sys.executable, "-m", "ddns_updater", "serve"]
_SPREAD = 7919  # a prime: hosts that ask one after another lie far apart in the tables
_MEMORY = "100 MiB"
_FLOORS = {"nochg": 3000, "nochg, new connections": 3000, "change": 500}  # requests a second


class _Measure:
    """Sends requests to a server and returns the seconds of each; what is measured besides is kept."""

    def __init__(
        self,
        process: int,
        port: int,
        expected: str,
        path: str,
        names: Callable[[], list[str]],
        *,
        keep_alive: bool = True,
    ) -> None:
        self._process, self._names = process, names
        self._load = Load(port, [], path, SECRET, expected, keep_alive=keep_alive)
        self._answered: list[Answered] = []
        self._cpu: list[float] = []

    def __call__(self) -> float:
        load = self._load._replace(names=self._names())
        before = _cpu(self._process)
        done = subprocess.run(_LOAD, input=json.dumps(load._asdict()), stdout=subprocess.PIPE, text=True, check=True)
        answered = Answered(*json.loads(done.stdout))
        self._cpu.append((_cpu(self._process) - before) / answered.requests)
        self._answered.append(answered)
        return answered.each

    def told(self, aim: int) -> str:
        """Return the requests a second, how long one took, and the CPU time of the server for it."""
        of_round = self._answered[1:]  # the first round warms the caches
        rate = 1 / median(each.each for each in of_round)
        p50, p99 = (
            median(times) * 1000 for times in ([each.p50 for each in of_round], [each.p99 for each in of_round])
        )
        cpu = median(self._cpu[1:]) * 1000
        return f"{rate:,.0f}/s (aim {aim:,}), p50 {p50:.0f} ms, p99 {p99:.0f} ms, {cpu:.2f} ms CPU"


class Endpoint:
    """A server with 10**`digits` hosts."""

    def __init__(self, database: Database, aws: FakeAws, zone_id: str, folder: Path, digits: int) -> None:
        """Make the hosts."""
        self._database, self._aws, self._folder = database, aws, folder
        self._number = 10**digits
        database.create_tables()
        with open_hosts(database.settings()) as hosts:
            assert isinstance(hosts, SqlHosts)
            fill(hosts.history, digits, zone_id)
        self._changed = 0

    def rows(self, requests: int, rounds: int) -> Iterator[Row]:
        """Measure so many requests in each of the rounds, a fifth of them for changes, and yield the rows."""
        engine = self._database.engine
        names = self._unchanged(requests)
        with served(self._database, self._aws, self._folder) as (port, server), _started(_BARE) as (bare_port, bare):
            ask = partial(_Measure, server.pid, port)
            measures = {
                "bare answer": _Measure(bare.pid, bare_port, "ok", "/", lambda: ["ok"] * requests),
                "nochg": ask("nochg", update_path(ADDRESS), lambda: names),
                "change": ask("good", update_path(OTHER), lambda: self._changing(requests // 5)),
                "nochg, new connections": ask("nochg", update_path(ADDRESS), lambda: names, keep_alive=False),
            }
            started = _resident(server.pid)
            times = take_turns(measures, rounds)
            memory = _resident(server.pid)
        for name, measure in list(measures.items())[1:]:
            what, *ratios, _, _ = ratio(times, name, "bare answer")
            yield f"serve, {engine}, {what}", *ratios, "", measure.told(_FLOORS[name])
        hosts = f"{self._number:,} hosts"
        yield (
            f"serve, {engine}, memory at the end / at the start",
            f"{memory / started:.2f}",
            "",
            _MEMORY,
            (f"{memory / 1024:.0f} / {started / 1024:.0f} MiB, {hosts}"),
        )

    def _unchanged(self, number: int) -> list[str]:
        """Return hosts of the first half, which keep their addresses."""
        return [name_of(each * _SPREAD % (self._number // 2)) for each in range(number)]

    def _changing(self, number: int) -> list[str]:
        """Return hosts of the second half that have not changed yet."""
        half = self._number // 2
        start, self._changed = self._changed, self._changed + number
        assert self._changed <= half
        return [name_of(half + each * _SPREAD % half) for each in range(start, self._changed)]


@contextmanager
def served(database: Database, aws: FakeAws, folder: Path) -> Iterator[tuple[int, "subprocess.Popen[str]"]]:
    """Run `ddns serve`, and yield its port and its process."""
    environment = {
        **AWS,
        "HOME": str(folder),
        "TZ": "UTC",
        "AWS_ENDPOINT_URL": aws.url,
        "DDNS_DATABASE_URL": database.url,
        "DDNS_RECORDS": "line.example.com",
        "DDNS_SERVE_LISTEN": "127.0.0.1:0",
        "DDNS_SERVE_TRUSTED_PROXIES": "192.0.2.1",
    }
    with _started(_SERVE, env=environment, cwd=folder) as started:
        yield started


def update_path(address: str) -> str:
    """Return the path of an update, with a place for the name of the host."""
    return f"/nic/update?hostname={{name}}&myip={address}"


@contextmanager
def _started(command: list[str], **options: object) -> Iterator[tuple[int, "subprocess.Popen[str]"]]:
    """Run a server that prints its URL, and yield its port and its process."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **options) as process:  # type: ignore[call-overload]
        try:
            assert process.stdout
            found = re.search(r"http://\S+:(\d+)", process.stdout.readline())
            assert found
            yield int(found[1]), process
        finally:
            process.terminate()


def _resident(process: int) -> int:
    """Return the resident memory of a process in KiB (proc_pid_status(5))."""
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{process}/status").read_text())
    assert found
    return int(found[1])


def _cpu(process: int) -> float:
    """Return the CPU seconds of a process, user and system (proc_pid_stat(5))."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
