"""Processes that begin with everything imported, which is most of what a process costs: one waits, and forks them.

A fork whose order names a place is killed with SIGKILL when a function of ddns_updater or yoyo is entered or left:
`call:Updater._record`, or `return:SqlHistory.append:2` for the second time, of all threads together. With `list` for a
place nothing is killed, and every place is written to the file that KILL_LIST names.
"""

import atexit
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType
from typing import Any

from tests.support.command import Finished

_TOP = Path(__file__).parents[2]


def fork(
    number: int, arguments: Sequence[str], environment: Mapping[str, str], folder: Path, *, place: str | None = None
) -> list[Finished]:
    """Run a command in so many processes at once, and return how each ended."""
    with TemporaryDirectory() as output:
        order = {"number": number, "arguments": arguments, "environment": environment, "place": place}
        statuses = _ordered(order | {"folder": str(folder), "output": output})
        return [
            Finished(status, *(Path(output, f"{each}.{name}").read_text() for name in ("out", "err")))
            for each, status in enumerate(statuses)
        ]


class Forked:
    """A command in a process that runs beside the test; its output goes to files in `output`."""

    def __init__(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        folder: Path,
        output: Path,
        *,
        place: str | None = None,
    ) -> None:
        """Start it; with a place it is killed there."""
        self._output = output
        order = {"arguments": arguments, "environment": environment, "folder": str(folder), "output": str(output)}
        self.pid: int = _ordered(order | {"number": 0, "place": place})
        self.status: int | None = None

    @property
    def out(self) -> str:
        """Return what it has written to stdout so far."""
        return self._read("out")

    @property
    def err(self) -> str:
        """Return what it has written to stderr so far."""
        return self._read("err")

    def send_signal(self, number: int) -> None:
        """Send a signal, if it was not waited for yet."""
        if self.status is None:
            os.kill(self.pid, number)

    def has_ended(self) -> bool:
        """Return whether it has ended."""
        if self.status is None:
            self.status = _ordered({"ended": self.pid})
        return self.status is not None

    def _read(self, name: str) -> str:
        path = self._output / f"0.{name}"
        return path.read_text() if path.exists() else ""


def _ordered(order: Mapping[str, Any]) -> Any:
    server = _server()
    assert server.stdin
    assert server.stdout
    print(json.dumps(order), file=server.stdin, flush=True)
    return json.loads(server.stdout.readline())


@cache
def _server() -> "subprocess.Popen[str]":
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.forks"],
        env={"PATH": os.environ["PATH"], "PYTHONWARNINGS": "error", "PYTHONPATH": str(_TOP)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    atexit.register(process.communicate)
    return process


def _serve() -> None:
    """Fork for each order on stdin, and answer with the exit statuses; in a fork, return as its command does.

    With 0 for the number one is forked and not waited for: the answer is its process ID.
    """
    _import_all()
    answers = os.dup(1)  # 1 itself becomes the output of a command
    while line := sys.stdin.readline():
        order = json.loads(line)
        answer: Any
        if "ended" in order:
            answer = _ended(order["ended"])
        else:
            begun = []
            for each in range(order["number"] or 1):
                pid = os.fork()
                if pid == 0:
                    _become(order, each)
                    return
                begun.append(pid)
            answer = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in begun] if order["number"] else pid
        os.write(answers, f"{json.dumps(answer)}\n".encode())


def _ended(pid: int) -> int | None:
    """Return the exit status of a fork, None while it runs."""
    ended, status = os.waitpid(pid, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if ended else None


def _import_all() -> None:
    import boto3

    import ddns_updater.alerts.heartbeat
    import ddns_updater.alerts.webhooks
    import ddns_updater.app.runner
    import ddns_updater.cli.init
    import ddns_updater.cli.run
    import ddns_updater.cli.serve
    import ddns_updater.dns.route53
    import ddns_updater.history.hosts
    import ddns_updater.history.mysql
    import ddns_updater.history.schema
    import ddns_updater.history.sqlite
    import ddns_updater.output.metrics
    import ddns_updater.server.judgement
    import ddns_updater.server.sweep_report
    import ddns_updater.server.web_server
    import ddns_updater.sources.http  # noqa: F401
    from tests.support.sdk import read_service_descriptions_once

    read_service_descriptions_once()
    boto3.Session().client("route53", region_name="us-east-1")


def _become(order: dict[str, Any], number: int) -> None:
    os.environ.clear()
    os.environ.update(order["environment"])
    time.tzset()
    os.chdir(order["folder"])
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for descriptor, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(f"{order['output']}/{number}.{name}", os.O_WRONLY | os.O_CREAT), descriptor)
    sys.argv = ["ddns", *order["arguments"]]
    if order["place"]:
        kill_at(order["place"], os.environ.get("KILL_LIST"))


def kill_at(place: str, listing: str | None) -> None:
    """Kill this process at `place`, or write every place to the file `listing`."""
    event, _, rest = place.partition(":")
    function, _, number = rest.partition(":")
    left = int(number or 1)

    def profile(frame: FrameType, what: str, _argument: object) -> None:
        nonlocal left
        code = frame.f_code
        if what not in ("call", "return") or not ("/ddns_updater/" in code.co_filename or "/yoyo/" in code.co_filename):
            return
        if listing:
            with open(listing, "a") as file:  # noqa: PTH123 - a profiler should call as little as it can
                file.write(f"{what}:{code.co_qualname}\n")
        elif what == event and code.co_qualname == function:
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.setprofile(profile)
    threading.setprofile(profile)  # of the threads that send alerts


if __name__ == "__main__":
    from ddns_updater.cli.main import main

    _serve()
    if sys.argv[0] == "ddns":
        main()
