"""Hosts that send their addresses to real servers, and the three statements that hold whatever happens to these."""

import base64
import re
import signal
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from ddns_updater.app.factories import open_hosts
from ddns_updater.hosts import NewHost
from tests.support.command import Finished
from tests.support.dynamodb import TableDatabase
from tests.support.endpoint import SECRET
from tests.support.hosts import age
from tests.support.machine import Machine
from tests.support.web import Listening, exchange, split

_DEADLINE = 60.0  # seconds
_ZONE = "example.com"
_STATES = """
SELECT h.name, p.state FROM admin_ip_history h JOIN admin_dns_publication p ON p.historyId = h.id
WHERE h.version = (SELECT MAX(version) FROM admin_ip_history n WHERE n.originId = h.originId)
"""


def wait_until(true: Callable[[], object]) -> None:
    """Wait until something is true."""
    end = time.monotonic() + _DEADLINE
    while not true():
        assert time.monotonic() < end, true
        time.sleep(0.01)


class Answer:
    """What a client got: `status` and the first word of `body`, or 0 and "" when the server went away."""

    def __init__(self, raw: bytes) -> None:
        self.status, self.headers, body = split(raw) if raw else (0, {}, b"")
        self.body = body.decode()
        self.code = self.body.partition(" ")[0]


class Server:
    """`ddns serve` in a process of its own, which may be killed at a place (see tests/support/forks.py)."""

    def __init__(self, machine: Machine, number: int, place: str | None = None, **changes: Any) -> None:
        output = machine.folder / f"server-{number}"
        output.mkdir()
        changes = {"DDNS_SERVE_LISTEN": "127.0.0.1:0", "DDNS_RECORDS": "line.example.com"} | changes
        self._process = machine.forked(output, "serve", place=place, **changes)
        wait_until(lambda: self._listening() or self._process.has_ended())
        found = self._listening()
        self.host, self.port = (found[1], int(found[2])) if found else ("127.0.0.1", 0)

    def _listening(self) -> re.Match[str] | None:
        return re.search(r"http://(\S+):(\d+)\n", self._process.out)

    @property
    def is_alive(self) -> bool:
        return not self._process.has_ended()

    def signal(self, number: int = signal.SIGTERM) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def ended(self) -> Finished:
        """Wait until it ends."""
        wait_until(self._process.has_ended)
        assert self._process.status is not None
        return Finished(self._process.status, self._process.out, self._process.err)

    def stop(self) -> Finished:
        """End it as its operator does."""
        self.signal()
        return self.ended()


class Hosts:
    """Hosts of one database with their clients, and what these were told."""

    def __init__(self, machine: Machine, *names: str) -> None:
        self.machine = machine
        self.answered: dict[str, list[str]] = defaultdict(list)  # by name, the addresses that were answered good
        self._numbers = iter(range(10**6))
        if machine.database.is_empty():
            machine.database.create_tables()
        self.add(*names)

    def add(self, *names: str) -> None:
        """Add hosts, each with a login of its own."""
        with open_hosts(self.machine.database.settings()) as hosts:
            for name in names:
                hosts.add(NewHost(f"{name}.{_ZONE}", f"{name}.{_ZONE}", SECRET))

    @contextmanager
    def server(self, place: str | None = None, **changes: Any) -> Iterator[Server]:
        """Run a server for the length of the block."""
        server = Server(self.machine, next(self._numbers), place, **changes)
        try:
            yield server
        finally:
            server.signal(signal.SIGKILL)
            server.ended()

    def update(self, server: Listening, name: str, address: str, secret: str = SECRET) -> Answer:
        """Send an address as the client of a host does, and remember what was answered `good`."""
        login = base64.b64encode(f"{name}.{_ZONE}:{secret}".encode()).decode()
        answer = get(server, f"/nic/update?hostname={name}.{_ZONE}&myip={address}", f"Authorization: Basic {login}\r\n")
        if answer.code == "good":
            self.answered[name].append(address)
        return answer

    def update_all(self, servers: Sequence[Listening], addresses: Mapping[str, str]) -> list[Answer]:
        """Send an address of each host, all at once, to the servers in turn."""
        return self.at_once(servers, list(addresses.items()))

    def at_once(self, servers: Sequence[Listening], updates: Sequence[tuple[str, str]]) -> list[Answer]:
        """Send addresses, each with the name of its host, all at once, to the servers in turn."""
        with ThreadPoolExecutor(len(updates)) as clients:
            sent = [
                clients.submit(self.update, servers[number % len(servers)], *each)
                for number, each in enumerate(updates)
            ]
            return [each.result() for each in sent]

    def later(self, seconds: float) -> None:
        """Let time pass for the publisher."""
        age(self.machine.database, timedelta(seconds=seconds))

    def count_due(self) -> int:
        """Return how many records were not yet seen to hold the latest version."""
        with open_hosts(self.machine.database.settings()) as hosts:
            return hosts.count_due()[0]

    def settle(self, **changes: Any) -> None:
        """Let clean servers run, with time passing for them, until nothing is due."""
        for _ in range(6):
            with self.server(**changes) as server, open_hosts(self.machine.database.settings()) as hosts:
                wait_until(lambda: (at := hosts.next_look()) is None or at > hosts.now())
                self.later(300)
                ended = server.stop()  # which does what is due by then
                assert ended.status == 0, ended.err
            if self.count_due() == 0:
                return
        raise AssertionError(f"{self.count_due()} records are still due: {ended.err}")

    def versions(self) -> dict[str, list[str]]:
        """Return the addresses of each host in the order of its versions, which are contiguous in one origin each."""
        found: dict[str, list[str]] = {}
        origins: dict[str, object] = {}
        for name, origin, version, address in self._rows():
            addresses = found.setdefault(name.removesuffix(f".{_ZONE}"), [])
            addresses.append(address)
            assert (origins.setdefault(name, origin), len(addresses)) == (origin, version), name
        return found

    def _rows(self) -> Iterable[tuple[str, object, int, str]]:
        """Return name, origin, number and address of every version, in this order."""
        return self.machine.database.sql(
            "SELECT name, originId, version, ip FROM admin_ip_history ORDER BY name, originId, version"
        )

    def _states(self) -> Iterable[tuple[str, str]]:
        """Return the name and the state of each publication of a latest version."""
        return self.machine.database.sql(_STATES)

    def statements_hold(self, **changes: Any) -> dict[str, list[str]]:
        """Assert the three statements for every host, and return the versions.

        Versions are contiguous without duplicates; whatever was answered `good` is a version; after the next clean
        start DNS is verified to hold the latest one.
        """
        self.machine.aws.heal()
        before = self.versions()
        self.settle(**changes)
        versions = self.versions()
        assert versions == before
        for name, answered in self.answered.items():
            assert not Counter(answered) - Counter(versions[name]), (name, answered, versions[name])
        assert sorted(self._states()) == [(f"{name}.{_ZONE}", "verified") for name in sorted(versions)]
        held = {
            name.removesuffix(f".{_ZONE}"): each["ResourceRecords"][0]["Value"]
            for (name, kind), each in self.machine.aws.record_sets(self.machine.zone_id).items()
            if kind == "A"
        }
        assert held == {name: addresses[-1] for name, addresses in versions.items()}
        return versions


class TableHosts(Hosts):
    """Hosts in a table of DynamoDB."""

    @property
    def _table(self) -> TableDatabase:
        assert isinstance(self.machine.database, TableDatabase)
        return self.machine.database

    def later(self, seconds: float) -> None:
        """Let time pass for the publisher, also for the lease of one that was killed."""
        self._table.age(timedelta(seconds=seconds))

    def settle(self, **changes: Any) -> None:
        """Let clean servers run until nothing is due, after the lease of one that was killed has ended."""
        self.later(100)
        super().settle(**changes)

    def _versions(self) -> list[dict[str, Any]]:
        found = [each for each in self._table.items() if each["pk"]["S"].startswith("line#")]
        return sorted(found, key=lambda item: (item["pk"]["S"], item["sk"]["S"]))

    def _rows(self) -> Iterable[tuple[str, object, int, str]]:
        for item in self._versions():
            _, name, family = item["pk"]["S"].split("#")
            yield name, family, int(item["sk"]["S"].removeprefix("v#")), item["ip"]["S"]

    def _states(self) -> Iterable[tuple[str, str]]:
        latest = {item["pk"]["S"].split("#")[1]: item["pubs"]["M"] for item in self._versions()}
        return [(name, each["M"]["state"]["S"]) for name, pubs in latest.items() for each in pubs.values()]


def get(server: Listening, path: str, head: str = "") -> Answer:
    """Return the answer to a request, an empty one when the server goes away before it has answered."""
    raw = f"GET {path} HTTP/1.0\r\nX-Forwarded-For: 9.9.9.9\r\n{head}\r\n".encode()
    try:
        return Answer(exchange(server, raw))
    except ConnectionError:
        return Answer(b"")
