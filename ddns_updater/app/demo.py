"""The demo: moto as Route 53 and a fake address service, both on loopback in this process.

Every command in it is the real program, run as a separate process with its settings in the environment.
"""

import logging
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

import boto3  # noqa: TID251 - the demo also plays AWS's part: it creates the hosted zone

from ddns_updater.app import factories
from ddns_updater.errors import DdnsError

if TYPE_CHECKING:
    from moto.server import ThreadedMotoServer

Echo = Callable[[str], None]

_NAME, _RECORD, _ZONE = "demo-line", "home.example.com", "example.com"
_FIRST, _SECOND, _THIRD = "9.9.9.9", "149.112.112.112", "1.1.1.1"  # of public resolvers: they must be public
_CREDENTIALS = {"AWS_ACCESS_KEY_ID": "demo", "AWS_SECRET_ACCESS_KEY": "demo", "AWS_DEFAULT_REGION": "us-east-1"}


def play(echo: Echo) -> None:
    """Run the demo and print it with `echo`; raises DdnsError when a step does not end as expected."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # moto's request log
    with tempfile.TemporaryDirectory(prefix="ddns-demo-") as folder, _AddressService.running() as service:
        aws = _Aws()
        try:
            _Demo(echo, service, aws, Path(folder)).play()
        finally:
            aws.stop()


class _AddressService(ThreadingHTTPServer):
    """An HTTP server that answers every request with `address`, as ifconfig.me/ip does."""

    daemon_threads = True
    address = _FIRST

    @classmethod
    @contextmanager
    def running(cls) -> Iterator["_AddressService"]:
        with cls(("127.0.0.1", 0), _AddressAnswer) as server:
            Thread(target=server.serve_forever, daemon=True).start()
            try:
                yield server
            finally:
                server.shutdown()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/ip"


class _AddressAnswer(BaseHTTPRequestHandler):
    server: _AddressService

    def do_GET(self) -> None:
        body = self.server.address.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Log nothing."""


class _Aws:
    """Moto's Route 53, which can stop and restart on the same port with its data."""

    def __init__(self) -> None:
        self._port = 0
        self._server: ThreadedMotoServer | None = None
        self.start()
        client = boto3.client(
            "route53",
            endpoint_url=self.url,
            aws_access_key_id=_CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=_CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
            region_name=_CREDENTIALS["AWS_DEFAULT_REGION"],
        )
        zone = client.create_hosted_zone(Name=_ZONE, CallerReference="demo")["HostedZone"]["Id"]
        self._zone_id, self._client = zone, client

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        self._server = factories.open_moto(self._port)
        self._server.start()
        self._port = self._server.get_host_and_port()[1]

    def stop(self) -> None:
        if self._server:
            self._server.stop()
            self._server = None

    def holds(self) -> str:
        """Return the address that the record holds."""
        sets = self._client.list_resource_record_sets(HostedZoneId=self._zone_id)["ResourceRecordSets"]
        return next(each["ResourceRecords"][0]["Value"] for each in sets if each["Type"] == "A")


class _Demo:
    def __init__(self, echo: Echo, service: _AddressService, aws: _Aws, folder: Path) -> None:
        self._echo = echo
        self._service = service
        self._aws = aws
        self._folder = folder

    def play(self) -> None:
        self._say("A line whose address changes, a name in Route 53, and a history in an SQLite file. The address")
        self._say("service and AWS are simulated on this machine; the program is the real one.")
        self._say(f"\n1. The line has {_FIRST}. Create the tables and record the first version, once:")
        self._ddns("init", "--name", _NAME, "--note", "the demo's line", expect=0)
        self._say("\n2. Cron starts the first run. It publishes the address and reads it back:")
        self._run(expect=0, published=_FIRST)
        self._say(f"\n3. The provider changes the address to {_SECOND}. The next run updates the record:")
        self._service.address = _SECOND
        self._run(expect=0, published=_SECOND)
        self._say("\n4. Nothing changed, as in most runs. AWS is not contacted at all:")
        self._run(expect=0, published=_SECOND)
        self._say(f"\n5. AWS goes down as the address changes to {_THIRD}. The run records the version and fails:")
        self._aws.stop()
        self._service.address = _THIRD
        self._run(expect=1)
        self._say("\n6. AWS is back. The address is the same, but its publication is still due:")
        self._aws.start()
        self._run(expect=0, published=_THIRD)
        self._say("\n7. Every address the line has had, and how DNS followed:")
        self._ddns("history", expect=0)
        self._say("\nDone. Nothing is left behind; the README explains the setup for your own line.")

    def _say(self, text: str) -> None:
        self._echo(text)

    def _run(self, *, expect: int, published: str | None = None) -> None:
        self._ddns("run", expect=expect)
        if published:
            holds = self._aws.holds()
            self._say(f"   Route 53 now holds {holds} for {_RECORD}")
            if holds != published:
                raise DdnsError(f"the demo failed: Route 53 does not hold {published}")

    def _ddns(self, *arguments: str, expect: int) -> None:
        """Run one command as an operator would, and print its output and exit status."""
        self._say("   $ ddns " + " ".join(f'"{each}"' if " " in each else each for each in arguments))
        environment = _CREDENTIALS | {
            "HOME": str(self._folder),  # keeps out the settings of the user who runs the demo
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ENDPOINT_URL": self._aws.url,
            "DDNS_DATABASE_URL": f"sqlite:///{self._folder}/ddns.sqlite3",
            "DDNS_IP_SOURCES": f"{self._service.url},{self._service.url.replace('127.0.0.1', 'localhost')}",
            "DDNS_RECORDS": _RECORD,
            "DDNS_RUN_TIMEOUT": "30",
        }
        done = subprocess.run(  # noqa: S603 - this program itself
            [sys.executable, "-m", "ddns_updater", *arguments],
            env=environment,
            cwd=self._folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        for line in done.stdout.splitlines():
            self._say(f"   {line}")
        self._say(f"   (exit status {done.returncode})")
        if done.returncode != expect:
            raise DdnsError(f"the demo failed: exit status {done.returncode} instead of {expect}")
