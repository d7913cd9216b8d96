"""The machine on which the blocks of a page are executed: everything around the program is simulated on loopback."""

import json
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import certifi
import dotenv

from ddns_updater.model import Outcome
from ddns_updater.output.doctor import check_lines
from tests.docs.pages import TOP, Block, Scene
from tests.docs.samples import commands, compare
from tests.doctor.test_doctor import unavailable
from tests.doctor.test_name_servers import World as NameServers
from tests.doctor.test_name_servers import Zone
from tests.support.aws import FakeAws, pending, refuse
from tests.support.database import Database, load_settings_with
from tests.support.endpoint import Serving, served
from tests.support.machine import Machine
from tests.support.mysqld import MySqlServer
from tests.support.receivers import receiving
from tests.support.services import running

PROGRAMS = (
    *("pipx", "uv", "python3", "pip", "useradd", "userdel", "install", "sudo"),
    *("systemctl", "journalctl", "launchctl", "docker", "aws", "make", "sqlite3", "curl"),
)
CHECKOUT = ("pyproject.toml", "Makefile", ".env.example", "crontab.example", "contrib", "migrations")
_OF_THE_ROOT = r"(?<![\w.~/}-])(?=/(?:etc/(?!ssl)|opt/|var/|Library/))"
_SIMPLE = re.compile(r"ddns(?: [^$|;&<>()`]*)?")


class World:
    """One machine with the checkout, a home, a root, two address services and Route 53.

    `shown` are what is different here and what a page calls it. What a page says in `sh`, `sql` and `ini` is put in
    the words of this machine before it is used, and what a command prints in those of the page before it is compared.
    """

    def __init__(
        self, folder: Path, aws: FakeAws, fixture: Callable[[str], object], stack: ExitStack, *, is_installed: bool
    ) -> None:
        self._fixture, self._stack = fixture, stack
        self.root, self.checkout, home = folder / "root", folder / "checkout", folder / "me"
        for each in (self.root, self.checkout, home):
            each.mkdir()
        for name in CHECKOUT:
            copy = shutil.copytree if (TOP / name).is_dir() else shutil.copy
            copy(TOP / name, self.checkout / name)
        self.env_file = home / ".config" / "ddns-updater" / ".env"
        first, second = (stack.enter_context(running()) for _ in range(2))
        self.services = (first, second)
        database = Database("sqlite", f"sqlite:///{self.env_file.parent}/ddns.sqlite3")
        self.machine = Machine(database, first, aws, home, aws.zone())
        self.receiver = stack.enter_context(receiving())
        second_url = second.url.replace("127.0.0.1", "localhost")
        for variable in ("DDNS_DATABASE_URL", "DDNS_RECORDS", "DDNS_IP_AGREEMENT"):
            del self.machine.environment[variable]
        self.machine.environment |= {
            "DDNS_IP_SOURCES": f"{first.url},{second_url}",
            "PATH": f"{home}/.local/bin:{self._stand_ins(folder)}:/usr/bin:/bin",
            "STAND_IN_ROOT": str(self.root),
            "STAND_IN_PYTHON": sys.executable,
        }
        self.shown = [
            (certifi.where(), "/etc/ssl/certs/db-ca.pem"),
            (first.url, "https://ifconfig.me/ip"),
            (second_url, "https://icanhazip.com"),
            (str(home), "/home/me"),
            (self.machine.zone_id, "Z0123456789ABCDEFGHIJ"),
            (f"Sent by {socket.gethostname()}", "Sent by server"),
            (f'"host": "{socket.gethostname()}"', '"host": "server"'),
        ]
        self._admin: Database | None = None
        self._sql_names: tuple[str, str] | None = None
        self.typed = ""
        self._serving: Serving | None = None
        if is_installed:
            self._shell("pipx install .", 0)

    def _stand_ins(self, folder: Path) -> Path:
        programs = folder / "stand-ins"
        programs.mkdir()
        for name in PROGRAMS:
            (programs / name).write_text(
                f'#!/bin/sh\nexec {sys.executable} -S {Path(__file__).parent}/stand_ins.py "$0" "$@"\n'
            )
            (programs / name).chmod(0o755)
        return programs

    # What a block does

    def play(self, step: Block | Scene) -> None:
        """Do what a block or a scene says; raises AssertionError when it is not true."""
        if isinstance(step, Scene):
            self.scene(step.words)
        elif (TOP / step.argument).is_file() and step.argument:
            assert step.text in (TOP / step.argument).read_text(), f"{step.argument} does not say so"
        else:
            KINDS[step.language](self, step)

    def bash(self, block: Block) -> None:
        """Check commands that need an account of AWS: their syntax, and that each script of ours is there."""
        done = subprocess.run(["bash", "-n"], input=block.text, capture_output=True, text=True, check=False)
        assert done.returncode == 0, (block.text, done.stderr)
        for script in re.findall(r"[\w./-]*\b(?:lambda/build|terraform/deploy)\b", block.text):
            assert (TOP / "contrib" / "/".join(script.split("/")[-2:])).is_file(), script

    def sh(self, block: Block) -> None:
        """Execute commands, of which nothing is shown."""
        lines = block.text.splitlines()
        if all(_SIMPLE.fullmatch(line) for line in lines):
            for line in lines:
                self._call(line, 0)
        else:
            self._shell(block.text, 0)

    def console(self, block: Block) -> None:
        """Execute each command and compare what it prints; the argument is their exit status if it is not 0."""
        for command, expected in commands(block.text):
            status = int(block.argument or 0)
            if _SIMPLE.fullmatch(command) and not re.search(r" -v\b|--verbose|--log-format|demo", command):
                printed = self._call(command, status)
            else:
                printed = self._shell(command, status)
            compare(expected, self._as_shown(printed), command)

    def sql(self, block: Block) -> None:
        """Execute statements as the one who owns the database."""
        for statement in re.split(r";\s*\n", block.text.strip().removesuffix(";") + "\n"):
            if statement.strip():
                (self._admin or self.machine.database).sql(self._as_here(statement))

    def ini(self, block: Block) -> None:
        """Read settings; with the argument `.env` they are also those of the next commands."""
        text = self._as_here(block.text)
        given = {key: value for key, value in _dotenv(text).items() if key.startswith("DDNS_")}
        assert given
        assert set(_dotenv(text)) == {*given, *(key for key in _dotenv(text) if key.startswith("AWS_"))}
        load_settings_with(given)
        if block.argument == ".env":
            self.settings(text)

    def crontab(self, block: Block) -> None:
        """Start the command of each line as cron would."""
        for line in block.text.splitlines():
            assert line in (TOP / "crontab.example").read_text() or re.match(r"(\*|\*/5) \* \* \* \* ", line), line
            if ">" in line:
                self._shell(line.split(maxsplit=5)[5].replace("/home/you", str(self.machine.folder)), 0)
                continue
            words = shlex.split(line.split(maxsplit=5)[5])
            place = next(number for number, word in enumerate(words) if word.endswith("/bin/ddns"))
            assert self.machine.ddns(*words[place + 1 :]).status == 0

    def json(self, block: Block) -> None:
        """Compare with the last event of the kind in the argument that a webhook got."""
        got = [each for each in self.receiver.got if each.json["event"] == block.argument][-1]
        printed = json.dumps(got.json, indent=2)
        compare(json.dumps(json.loads(block.text), indent=2), self._as_shown(printed), block.argument)

    def mermaid(self, block: Block) -> None:
        """Compare the steps of a picture with the phases that the run names itself."""
        from ddns_updater.run import updater

        phases = re.findall(r"[a-z]+", (updater.__doc__ or "").partition(".")[0].partition(":")[2])
        named = re.findall(r"<b>(\w+)</b>", block.text)
        assert named == [*phases, "report"]
        assert set(re.findall(r"\(\[(\w+)\]\)", block.text)) == set(Outcome)

    def text(self, block: Block) -> None:
        """Compare with what `ddns doctor` finds at name servers on loopback."""
        assert block.argument == "doctor-dns"
        compare(block.text, self._as_shown(doctor_dns(self._fixture("name_servers"))), block.argument)

    # What happens between two blocks

    def scene(self, words: str) -> None:
        """Let happen what a comment says."""
        for pattern, play in SCENES:
            if found := re.fullmatch(pattern, words):
                play(self, *found.groups())
                return
        raise AssertionError(f"nothing is known of {words!r}")

    def settings(self, text: str) -> None:
        """Write the settings file."""
        self.env_file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.env_file.write_text(text)
        self.env_file.chmod(0o600)

    def address_is(self, address: str) -> None:
        for each in self.services:
            each.address = address

    def runs(self, text: str = "DDNS_RECORDS=home.example.com\n") -> None:
        self.settings(text)
        self._call("ddns init --name home", 0)
        self._call("ddns run", 0)

    def first_source_says(self, address: str) -> None:
        self.services[0].address = address

    def has_history(self) -> None:
        """Leave versions with the times of 2025, which DNS followed after half a minute."""
        self.machine.environment["DDNS_RECORDS"] = "home.example.com"
        times = ("2025-04-28 09:00:00", "2025-05-03 14:20:55", "2025-05-11 04:10:02", "2025-05-20 04:12:31")
        addresses = ("8.8.8.8", "1.1.1.1", "149.112.112.112", "9.9.9.9")
        self.address_is(addresses[0])
        self._call("ddns init --name home --note 'office line'", 0)
        for version, (at, address) in enumerate(zip(times, addresses, strict=True), 1):
            self.address_is(address)
            self._call("ddns run", 0)
            self.machine.database.sql("UPDATE admin_ip_history SET createdAt = ? WHERE version = ?", (at, version))
        self.machine.database.sql(
            "UPDATE admin_dns_publication SET verifiedAt = ("
            "SELECT datetime(createdAt, '+34 seconds') FROM admin_ip_history WHERE id = historyId)"
        )

    def leave_open(self) -> None:
        """Let others read the settings file, which holds a secret."""
        with self.env_file.open("a") as file:
            file.write("DDNS_HEARTBEAT_URL=https://hc-ping.com/00000000-0000-0000-0000-000000000000\n")
        self.env_file.chmod(0o644)

    def serve(self) -> None:
        """Start `ddns serve` with the settings of the page; the stand-in for curl is the reverse proxy before it."""
        self._serving = self._stack.enter_context(served(self.machine, DDNS_RECORDS=None))
        self.machine.environment["STAND_IN_SERVER"] = self._serving.url

    def wait_for(self, name: str) -> None:
        """Wait until a host is seen in DNS."""
        while json.loads(self._call(f"ddns host show {name} --json", 0))["dns"] != "verified":
            time.sleep(0.1)

    def stop_serving(self) -> None:
        """End the server, after it sent what is due; it had nothing to complain of."""
        assert self._serving
        done = self._serving.stop()
        assert (done.status, done.err) == (0, "")

    def use_mysql(self) -> None:
        """Have a database server with certificates in place of the SQLite file; its account may do everything."""
        admin, server = self._fixture("private_mysql"), self._fixture("private_server")
        assert isinstance(admin, Database)
        assert isinstance(server, MySqlServer)
        url = urlsplit(admin.url)
        self.shown[0:1] = [
            (f"127.0.0.1:{url.port}{url.path}", "db.example.com:3306/app"),
            (f"{server.folder}/ca.pem", "/etc/ssl/certs/db-ca.pem"),
        ]
        self._admin = admin
        name = url.path.removeprefix("/")
        self._sql_names = (r"\bapp\b", name)
        admin.sql("DROP USER IF EXISTS ddns@'%', ddns_init@'%'")

    def nothing_left(self) -> None:
        """Assert that nothing of what a page installed is on the machine."""
        left = [path for path in self.root.rglob("*") if not path.is_dir()]
        assert left == []
        assert not (self.machine.folder / ".local/bin/ddns").exists()
        assert not self.env_file.parent.exists()
        shutil.rmtree(self.root)
        self.root.mkdir()

    # Commands

    def _call(self, command: str, status: int) -> str:
        words = shlex.split(self._as_here(command), comments=True)[1:]
        with unavailable(*(["dns"] if "doctor" in words else [])):
            done = self.machine.fed(self.typed.encode(), *words)
        assert done.status == status, (command, done.out, done.err)
        return done.out + done.err

    def _shell(self, text: str, status: int) -> str:
        here = re.sub(_OF_THE_ROOT, str(self.root), self._as_here(text))
        done = subprocess.run(
            ["bash", "-euc", here],
            cwd=self.checkout,
            env=self.machine.environment,
            input=self.typed,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=60,
            umask=0o002,  # that of a user on Ubuntu
        )
        assert done.returncode == status, (text, done.stdout)
        return done.stdout

    def _as_here(self, text: str) -> str:
        for here, shown in self.shown:
            text = text.replace(shown, here)
        if self._sql_names and re.match(r"(CREATE|GRANT|REVOKE|DROP|SELECT|UPDATE)\b", text):
            text = re.sub(*self._sql_names, text)
        return text

    def _as_shown(self, text: str) -> str:
        for here, shown in self.shown:
            text = text.replace(here, shown)
        return text.replace("http://127.0.0.1/", "https://hooks.example.com/").replace(str(self.root), "")


def _dotenv(text: str) -> dict[str, str]:
    import io

    return {key: value or "" for key, value in dotenv.dotenv_values(stream=io.StringIO(text)).items()}


def doctor_dns(servers: object) -> str:
    """Return the lines of `ddns doctor` for a record whose old value one resolver still has."""
    assert isinstance(servers, NameServers)
    servers.resolver.answers["home.example.com", "A"] = ["8.8.8.8"]
    checks = servers.checks(zone=Zone(id="Z0123456789ABCDEFGHIJ"))
    lines = [check_lines(each, None, lambda text, _: text) for each in checks.values()]
    return "\n".join(["DNS", *lines]).replace(f"resolver {servers.resolver.host}", "resolver 1.1.1.1")


KINDS: dict[str, Callable[[World, Block], None]] = {
    "sh": World.sh,
    "bash": World.bash,
    "console": World.console,
    "sql": World.sql,
    "ini": World.ini,
    "crontab": World.crontab,
    "json": World.json,
    "mermaid": World.mermaid,
    "text": World.text,
}

SCENES: Sequence[tuple[str, Callable[..., None]]] = (
    (r"home runs", World.runs),
    (r"the address is ([\d.]+)", World.address_is),
    (r"the first source says ([\d.]+)", World.first_source_says),
    (r"home had addresses in 2025", World.has_history),
    (r"the settings file is open to others and holds a secret", World.leave_open),
    (r"no source answers", lambda world: world.address_is("")),
    (
        r"somebody sets ([\w.]+) to ([\d.]+)",
        lambda world, name, to: world.machine.aws.put_address(world.machine.zone_id, name, to),
    ),
    (r"AWS refuses (\w+)", lambda world, what: world.machine.aws.fault(what, refuse("AccessDenied", "no", 403))),
    (r"AWS is slow", lambda world: world.machine.aws.fault("GetChange", pending)),
    (r"AWS works again", lambda world: world.machine.aws.heal()),
    (r"there is a webhook", lambda world: world.machine.environment.update(DDNS_WEBHOOK_URLS=world.receiver.url)),
    (r"there is a MySQL server", World.use_mysql),
    (r"typed: (.+)", lambda world, text: setattr(world, "typed", world._as_here(text) + "\n")),
    (r"set (DDNS_\w+)=(.*)", lambda world, key, value: world.machine.environment.update({key: value})),
    (r"run (.+)", lambda world, command: world._shell(command, 0)),
    (r"nothing is left", World.nothing_left),
    (r"ddns serve runs", World.serve),
    (r"([\w.]+) is verified", World.wait_for),
    (r"ddns serve ends", World.stop_serving),
)
