"""What the demo plays besides the program: the address service, AWS and the receiver of alerts, all on loopback."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, TypeVar

from ddns_updater.app import factories

if TYPE_CHECKING:
    from moto.server import ThreadedMotoServer

CREDENTIALS = {"AWS_ACCESS_KEY_ID": "demo", "AWS_SECRET_ACCESS_KEY": "demo", "AWS_DEFAULT_REGION": "us-east-1"}


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/"


S = TypeVar("S", bound=_Server)


@contextmanager
def serving(server: S) -> Iterator[S]:
    """Serve requests for the length of the block."""
    with server:
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server
        finally:
            server.shutdown()


class AddressService(_Server):
    """An HTTP server that answers every request with `address`, as ifconfig.me/ip does."""

    def __init__(self, address: str) -> None:
        super().__init__(("127.0.0.1", 0), _AddressAnswer)
        self.address = address


class AlertReceiver(_Server):
    """An HTTP server that gives the title and the text of each alert to `arrived`, in a thread of its own."""

    def __init__(self, arrived: Callable[[str, str], None]) -> None:
        super().__init__(("127.0.0.1", 0), _AlertAnswer)
        self.arrived = arrived


class _Answer(BaseHTTPRequestHandler):
    def answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Log nothing."""


class _AddressAnswer(_Answer):
    server: AddressService

    def do_GET(self) -> None:
        self.answer(self.server.address.encode())


class _AlertAnswer(_Answer):
    server: AlertReceiver

    def do_POST(self) -> None:
        event = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.arrived(event["title"], event["text"])
        self.answer(b"")


class Aws:
    """Moto's Route 53 with one hosted zone, which can stop and restart on the same port with its data."""

    def __init__(self, zone: str) -> None:
        self._port = 0
        self._server: ThreadedMotoServer | None = None
        self.start()
        self._client = factories.open_simulated_route53(self.url, CREDENTIALS)
        self._zone_id = self._client.create_hosted_zone(Name=zone, CallerReference="demo")["HostedZone"]["Id"]

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
        return next(str(each["ResourceRecords"][0]["Value"]) for each in sets if each["Type"] == "A")
