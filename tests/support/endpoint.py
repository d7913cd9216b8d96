"""`ddns serve` in a process of its own, with hosts in its database."""

import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ddns_updater.app.factories import open_hosts
from ddns_updater.hosts import NewHost
from tests.support.command import Finished, finish
from tests.support.machine import Machine

SECRET = "7k3vq9m2x8c4r6t5w0y1z2n3b4d5f6g7"
LOGIN = "home.example.com"
NAMES = ("home.example.com", "nas.example.com")


def add_hosts(machine: Machine, *names: str) -> None:
    """Add hosts with one login."""
    if machine.database.is_empty():
        machine.database.create_tables()
    with open_hosts(machine.database.settings()) as hosts:
        for number, name in enumerate(names or NAMES):
            hosts.add(NewHost(name, LOGIN, None if number else SECRET))


class Serving:
    """A running server."""

    def __init__(self, machine: Machine, process: subprocess.Popen[str]) -> None:
        self.machine = machine
        self.process = process
        assert process.stdout
        found = re.search(r"http://(\S+):(\d+)", line := process.stdout.readline())
        assert found, line + str(finish(process) if not line else "")
        self.host, self.port = found[1], int(found[2])

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    def stop(self, number: int = signal.SIGTERM) -> Finished:
        """Send a signal and wait for the end."""
        self.process.send_signal(number)
        return finish(self.process)


@contextmanager
def served(machine: Machine, *options: str, **changes: Any) -> Iterator[Serving]:
    """Run `ddns serve` for the length of the block."""
    changes = {"DDNS_SERVE_LISTEN": "127.0.0.1:0", "DDNS_RECORDS": "line.example.com"} | changes
    process = machine.start(*options, "serve", **changes)
    try:
        yield Serving(machine, process)
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()
