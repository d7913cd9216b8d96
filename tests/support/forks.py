"""Processes that begin with everything imported, which is most of what a process costs: one waits, and forks them.

A fork whose order names a place is killed with SIGKILL when a function of ddns_updater or yoyo is entered or left:
`call:Updater._record`, or `return:SqlHistory.append:2` for the second time. With `list` for a place nothing is killed,
and every place is written to the file that KILL_LIST names.
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
    server = _server()
    assert server.stdin
    assert server.stdout
    with TemporaryDirectory() as output:
        order = {"number": number, "arguments": arguments, "environment": environment, "place": place}
        print(json.dumps(order | {"folder": str(folder), "output": output}), file=server.stdin, flush=True)
        statuses = json.loads(server.stdout.readline())
        return [
            Finished(status, *(Path(output, f"{each}.{name}").read_text() for name in ("out", "err")))
            for each, status in enumerate(statuses)
        ]


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
    """Fork for each order on stdin, and answer with the exit statuses; in a fork, return as its command does."""
    _import_all()
    answers = os.dup(1)  # 1 itself becomes the output of a command
    while line := sys.stdin.readline():
        order = json.loads(line)
        begun = []
        for each in range(order["number"]):
            pid = os.fork()
            if pid == 0:
                _become(order, each)
                return
            begun.append(pid)
        statuses = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in begun]
        os.write(answers, f"{json.dumps(statuses)}\n".encode())


def _import_all() -> None:
    import boto3

    import ddns_updater.alerts.heartbeat
    import ddns_updater.alerts.webhooks
    import ddns_updater.app.runner
    import ddns_updater.cli.init
    import ddns_updater.cli.run
    import ddns_updater.dns.route53
    import ddns_updater.history.mysql
    import ddns_updater.history.schema
    import ddns_updater.history.sqlite
    import ddns_updater.output.metrics
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
