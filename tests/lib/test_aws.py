"""A kept client of AWS, and AWS's exceptions in our words: one line, no secret, no traceback."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from botocore.exceptions import ClientError

from ddns_updater.errors import DnsError
from ddns_updater.lib.aws import Client, errors
from tests.support.aws import NAMESPACE
from tests.support.fakes import Clock
from tests.support.machine import Machine

ZONES = f'<ListHostedZonesResponse xmlns="{NAMESPACE}"><HostedZones/></ListHostedZonesResponse>'


class Endpoint(ThreadingHTTPServer):
    """An endpoint of Route 53 that keeps connections, and notes the port and the access key of each call.

    It refuses the next call with `code`, if there is one, and says `said`.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.ports: list[int] = []
        self.keys: list[str] = []
        self.code = ""
        self.said = "no"


class _Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Endpoint

    def do_GET(self) -> None:
        self.server.ports.append(self.client_address[1])
        self.server.keys.append(self.headers["Authorization"].partition("Credential=")[2].partition("/")[0])
        code, self.server.code = self.server.code, ""
        error = (
            f"<ErrorResponse><Error><Code>{code}</Code><Message>{self.server.said}</Message></Error></ErrorResponse>"
        )
        body = (error if code else ZONES).encode()
        self.send_response(403 if code else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[Endpoint]:
    """Give an endpoint that the SDK uses."""
    with Endpoint() as server:
        Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
        yield server
        server.shutdown()


def list_zones(client: "Client[Any]") -> Any:
    """Ask for the hosted zones and return the SDK's client that asked."""
    with client.calling("failed to list") as made:
        made.list_hosted_zones()
    return made


def test_a_client_is_kept_with_its_connection(endpoint: Endpoint) -> None:
    client: Client[Any] = Client("route53", DnsError)
    assert list_zones(client) is list_zones(client)
    assert len(endpoint.ports) == 2
    assert len(set(endpoint.ports)) == 1


def test_a_connection_that_was_idle_is_not_used_again(endpoint: Endpoint) -> None:
    clock = Clock()
    client: Client[Any] = Client("route53", DnsError, monotonic=clock.monotonic)
    made = list_zones(client)
    clock.sleep(11)
    assert list_zones(client) is made
    assert len(set(endpoint.ports)) == 2


def test_a_refusal_that_is_not_about_credentials_keeps_the_client(endpoint: Endpoint) -> None:
    client: Client[Any] = Client("route53", DnsError)
    before = list_zones(client)
    endpoint.code = "AccessDenied"
    with pytest.raises(DnsError, match="AccessDenied"):
        list_zones(client)
    assert list_zones(client) is before


@pytest.mark.parametrize("code", ["ExpiredToken", "InvalidClientTokenId", "SignatureDoesNotMatch"])
def test_credentials_that_fail_are_read_anew(
    endpoint: Endpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    file = tmp_path / "credentials"
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    for key in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(key)
    client: Client[Any] = Client("route53", DnsError)
    file.write_text("[default]\naws_access_key_id = OLD\naws_secret_access_key = x\n")
    list_zones(client)
    file.write_text("[default]\naws_access_key_id = NEW\naws_secret_access_key = x\n")
    endpoint.code = code
    with pytest.raises(DnsError, match=code):
        list_zones(client)
    list_zones(client)
    assert endpoint.keys == ["OLD", "OLD", "NEW"]


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"AWS_ENDPOINT_URL": "http://user:sekret@127.0.0.1:9/?key=sekret"}, "AWS did not answer"),
        ({"AWS_ACCESS_KEY_ID": "sekret\nsekret"}, ""),
        ({"AWS_PROFILE": "process"}, "custom-process returned no AWS credentials"),
        ({"AWS_PROFILE": "nothing"}, "check the AWS settings of this machine"),
        ({"AWS_ROLE_ARN": "arn:aws:iam::1:role/r", "AWS_WEB_IDENTITY_TOKEN_FILE": "/nope/token"}, "No such file"),
    ],
)
def test_a_misconfigured_sdk_is_one_line_without_secrets(
    small_machine: Machine, environment: dict[str, str | None], said: str
) -> None:
    folder = small_machine.folder / ".aws"
    folder.mkdir()
    (folder / "config").write_text(
        "[profile process]\ncredential_process = sh -c 'echo sekret >&2; exit 1'\n"
        "[profile nothing]\ncredential_process = /no/such/program\n"
    )
    small_machine.init("8.8.8.8")
    if "AWS_ACCESS_KEY_ID" not in environment:
        environment = environment | {"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None}
        if "AWS_ENDPOINT_URL" in environment:
            environment |= {"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "key"}
    done = small_machine.ddns("run", **environment)
    assert done.status == 1
    assert done.err.count("\n") == 1
    assert "Traceback" not in done.err
    assert "sekret" not in done.err
    assert said in done.err
    ((stored,),) = small_machine.database.sql("SELECT lastError FROM admin_dns_publication")
    assert "sekret" not in stored


CANONICAL = (
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key"
    " and signing method.\n\nThe Canonical String for this request should have been\n'GET\n/2013-04-01/hostedzone\n\n"
    "host:route53.amazonaws.com\nx-amz-security-token:FwoGTOKEN99\n\nhost;x-amz-date'\n"
)


@pytest.mark.parametrize("said", [CANONICAL, "token FwoGTOKEN99, key a-SECRET-key"])
def test_what_aws_quotes_of_the_credentials_is_not_shown(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a-secret-key")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "FwoGTOKEN99")
    endpoint.code, endpoint.said = "SignatureDoesNotMatch", said
    with pytest.raises(DnsError, match="AWS answered SignatureDoesNotMatch: ") as refused:
        list_zones(Client("route53", DnsError))
    assert not [each for each in ("FwoGTOKEN99", "secret-key") if each in str(refused.value).lower()]
    assert "FwoGTOKEN99" not in str(refused.value)


@pytest.mark.parametrize("token", ["FwoGTOKEN99\n", "FwoG\nTOKEN99", "FwoGTOKEN99\udcff"])
def test_a_token_that_no_header_takes_is_refused_unseen(monkeypatch: pytest.MonkeyPatch, token: str) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", token)
    with pytest.raises(DnsError, match="holds a line break, or is not ASCII; correct AWS_SESSION_TOKEN") as refused:
        list_zones(Client("route53", DnsError))
    assert "TOKEN99" not in str(refused.value)


def test_an_error_page_is_not_from_aws() -> None:
    answer: Any = {"ResponseMetadata": {"HTTPStatusCode": 403}}
    error = ClientError(answer, "GetCallerIdentity")
    with pytest.raises(DnsError, match="the answer is not from AWS"), errors("failed", DnsError):
        raise error
