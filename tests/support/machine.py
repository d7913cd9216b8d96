"""One machine that is kept up to date, with everything around it, driven by the real command line."""

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from tests.support.aws import FakeAws
from tests.support.command import Finished, call, call_into, finish
from tests.support.database import Database
from tests.support.forks import Forked, fork
from tests.support.services import AddressService

AWS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "a-secret-of-aws",
    "AWS_EC2_METADATA_DISABLED": "true",
}


@dataclass
class Machine:
    """One origin on one database, one address service and one Route 53, driven by the real command line."""

    database: Database
    service: AddressService
    aws: FakeAws
    folder: Path
    zone_id: str
    environment: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.environment = {
            **AWS,
            "HOME": str(self.folder),
            "TZ": "UTC",
            "PATH": os.environ["PATH"],
            "AWS_ENDPOINT_URL": self.aws.url,
            "DDNS_DATABASE_URL": self.database.url,
            "DDNS_IP_SOURCES": self.service.url,
            "DDNS_IP_RETRIES": "0",
            "DDNS_IP_AGREEMENT": "off",
            "DDNS_IP_TIMEOUT": "2",
            "DDNS_RECORDS": "home.example.com",
            "PYTHONWARNINGS": "error",
        }

    def start(
        self, *arguments: str, program: Sequence[str] = ("-m", "ddns_updater"), **changes: Any
    ) -> subprocess.Popen[str]:
        """Start one command in a process of its own."""
        return subprocess.Popen(
            [sys.executable, *program, *arguments],
            env=self._environment(changes),
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def process(self, *arguments: str, **changes: Any) -> Finished:
        """Run one command to its end in a process of its own, for what only a process has."""
        return finish(self.start(*arguments, **changes))

    def ddns(self, *arguments: str, **changes: Any) -> Finished:
        """Run one command to its end, in this process."""
        return self.fed(b"", *arguments, **changes)

    def fed(self, stdin: bytes, *arguments: str, **changes: Any) -> Finished:
        """Run one command to its end, in this process, with this on its stdin."""
        return call(arguments, self._environment(changes), self.folder, stdin)

    def show(self, out: TextIO, err: TextIO, *arguments: str, **changes: Any) -> int:
        """Run one command to its end, in this process, with these streams for its output; return its exit status."""
        return call_into(out, err, arguments, self._environment(changes), self.folder)

    def killed(self, place: str, *arguments: str, **changes: Any) -> Finished:
        """Run one command in a process that is killed at a place (see tests/support/forks.py)."""
        (done,) = fork(1, arguments, self._environment(changes), self.folder, place=place)
        return done

    def forked(self, output: Path, *arguments: str, place: str | None = None, **changes: Any) -> Forked:
        """Start one command that runs beside the test, with its output in a folder; with a place it is killed there."""
        return Forked(arguments, self._environment(changes), self.folder, output, place=place)

    def at_once(self, number: int, *arguments: str, **changes: Any) -> list[Finished]:
        """Run one command in so many processes at once."""
        return fork(number, arguments, self._environment(changes), self.folder)

    def run(self, *arguments: str, **changes: Any) -> Any:
        """Do one run and return its JSON."""
        done = self.ddns("run", "--json", *arguments, **changes)
        assert done.out, done.err
        return done.json

    def init(self, ip: str = "9.9.9.9", name: str = "line") -> None:
        """Seed an origin; where the database is not the machine's own or has tables, `ddns init` itself does it."""
        if self.environment["DDNS_DATABASE_URL"] == self.database.url and self.database.is_empty():
            self.database.seed(ip, name)
            return
        done = self.ddns("init", "--name", name, "--ip", ip)
        assert done.status == 0, done.err

    def statements_hold(self, address: str) -> None:
        """Assert the three statements: versions contiguous, nothing lost, the next clean run verified on `address`."""
        self.aws.heal()
        before = self.database.versions()
        result = self.run(DDNS_RECHECK_EVERY="3600")
        assert result["outcome"] in ("unchanged", "updated"), result
        after = self.database.versions()
        assert [version for version, _ in after] == list(range(1, len(after) + 1))
        assert after[: len(before)] == before
        assert after[-1][1] == address
        assert set(self.database.states().values()) == {"verified"}
        assert self.aws.address(self.zone_id) == address

    def _environment(self, changes: dict[str, Any]) -> dict[str, str]:
        return {key: value for key, value in (self.environment | changes).items() if value is not None}
