"""An address source that is the metadata service of EC2: a loopback one that demands its token."""

import socket
from collections.abc import Callable, Iterator

import pytest

from ddns_updater.errors import SourceError
from ddns_updater.model import Family
from ddns_updater.sources.imds import ImdsSource
from ddns_updater.sources.spec import ImdsSpec
from tests.support.mysqld import free_port
from tests.support.services import AddressService, Flood, Play, answer, drip, hang, redirect, running, send
from tests.support.source_trial import Trial

TOKEN = "AQAEAHsecretTokenOfTheInstance0123456789abcdefghijklmnop=="
KNOWN = {"public-ipv4": "9.9.9.9", "ipv6": "2606:4700:4700::1111"}
HOP_LIMIT = "does not answer; in a container, raise the instance's metadata hop limit (HttpPutResponseHopLimit) to 2"
UNREACHABLE = "cannot be reached; is this an EC2 instance with its metadata service on?"


@pytest.fixture
def imds() -> Iterator[AddressService]:
    """Give the metadata service of an instance with an address in each family."""
    with running() as service:
        service.play = metadata(service)
        yield service


def metadata(service: AddressService, *, token: Play | None = None, address: Play | None = None) -> Play:
    """Answer as IMDSv2 does, except to the question for the token or the address, which the test answers."""

    def play(connection: socket.socket) -> None:
        head = service.heads[-1]
        method, path = head.split()[:2]
        if (method, path) == ("PUT", "/latest/api/token"):
            told = answer(TOKEN) if "x-aws-ec2-metadata-token-ttl-seconds: " in head.lower() else answer("", "400 Bad")
            (token or told)(connection)
        elif f"x-aws-ec2-metadata-token: {TOKEN}" not in head.replace("X-", "x-"):
            answer("", "401 Unauthorized")(connection)
        elif address:
            address(connection)
        else:
            known = KNOWN.get(path.removeprefix("/latest/meta-data/"))
            (answer(known) if known else answer("<html>", "404 Not Found"))(connection)

    return play


def source(imds: AddressService) -> str:
    return f"imds:{imds.url.removesuffix('/ip')}"


def test_it_fetches_a_token_and_then_the_address(trial: Trial, imds: AddressService) -> None:
    assert trial.address(source(imds)) == "9.9.9.9"
    asked = [head.split("\r\n")[0] for head in imds.heads]
    assert asked == ["PUT /latest/api/token HTTP/1.1", "GET /latest/meta-data/public-ipv4 HTTP/1.1"]
    assert "X-aws-ec2-metadata-token-ttl-seconds: 60" in imds.heads[0]
    assert TOKEN not in imds.heads[0]


def test_it_fetches_the_ipv6_address_of_the_instance(trial: Trial, imds: AddressService) -> None:
    assert trial.address(source(imds) + "/", Family.IPV6) == "2606:4700:4700::1111"


def test_it_passes_the_proxy_of_the_environment_by(
    trial: Trial, imds: AddressService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("NO_PROXY", "localhost")
    assert str(trial.run(source(imds), DDNS_RECORDS="home.example.com").address) == "9.9.9.9"


def test_the_real_command_takes_it_and_shows_no_token(trial: Trial, imds: AddressService) -> None:
    done = trial.machine.ddns("-v", "run", "--json", DDNS_IP_SOURCES=source(imds))
    family = done.json["results"][0]
    assert (done.status, family["address"], family["source"]) == (0, "9.9.9.9", source(imds))
    assert TOKEN not in done.out + done.err
    imds.play = metadata(imds, address=hang)
    done = trial.machine.ddns("run", DDNS_IP_SOURCES=source(imds))
    failed = f"failed: no trustworthy ipv4 address, so nothing was changed: {source(imds)} {HOP_LIMIT}\n"
    assert (done.status, done.out, done.err) == (1, "", failed)


def refused(status: int) -> str:
    return f"refused with status {status}; allow IMDSv2 in the instance's metadata options"


def head(*lines: str) -> bytes:
    return "\r\n".join(["HTTP/1.1 200 OK", *lines, "", ""]).encode()


@pytest.mark.parametrize(
    ("play", "reason"),
    [
        (answer("", "401 Unauthorized"), refused(401)),
        (answer("", "403 Forbidden"), refused(403)),
        (answer("<html>" * 999, "404 Not Found"), refused(404)),
        (answer("", "500 Internal Server Error"), refused(500)),
        (redirect("/latest/api/token"), refused(302)),
        (answer("of another one"), refused(401)),
        (hang, HOP_LIMIT),
        (send(b""), UNREACHABLE),
        (send(b"SSH-2.0-OpenSSH_9.6\r\n"), UNREACHABLE),
        (send(head("Content-Length: 99") + b"half"), UNREACHABLE),
        (answer("two\r\nX-Injected: lines"), UNREACHABLE),
        (answer("\xff"), UNREACHABLE),
        (lambda connection: hang(begun(connection)), HOP_LIMIT),
    ],
    ids=[
        "401",
        "403",
        "404",
        "500",
        "redirect",
        "another",
        "hang",
        "closed",
        "ssh",
        "cut",
        "injection",
        "bytes",
        "hang in the body",
    ],
)
def test_a_service_that_gives_no_good_token_is_a_reason(
    trial: Trial, imds: AddressService, play: Play, reason: str
) -> None:
    imds.play = metadata(imds, token=play)
    assert trial.refusal(source(imds)) == reason


def begun(connection: socket.socket) -> socket.socket:
    connection.sendall(head("Content-Length: 7") + b"9.9")
    return connection


@pytest.mark.parametrize(
    ("play", "reason"),
    [
        (answer("<html>" * 999, "404 Not Found"), "has no public ipv4 address for this instance; assign one to it"),
        (answer("", "401 Unauthorized"), refused(401)),
        (answer(""), "answered nothing, which is not one IP address"),
        (answer("<html>"), "answered '<html>', which is not one IP address"),
        (answer("172.31.0.5"), "answered 172.31.0.5, which is not a public address"),
        (answer("9.9.9.9" + " " * 121 + "8"), f"answered more than an address: '9.9.9.9{' ' * 33}'…"),
        (hang, HOP_LIMIT),
        (lambda connection: hang(begun(connection)), HOP_LIMIT),
        (send(head("Content-Length: 8") + b"9.9.9.9"), UNREACHABLE),
        (drip(head("Content-Length: 7") + b"9.9.9.9", pause=0.3), "did not finish within its 3 s"),
    ],
    ids=["404", "401", "empty", "html", "private", "long", "hang", "hang in the body", "cut", "drip"],
)
def test_a_service_that_gives_no_good_address_is_a_reason(
    trial: Trial, imds: AddressService, play: Play, reason: str
) -> None:
    imds.play = metadata(imds, address=play)
    assert trial.refusal(source(imds)) == reason


@pytest.mark.parametrize("which", ["token", "address"])
def test_it_does_not_read_a_huge_answer(trial: Trial, imds: AddressService, which: str) -> None:
    flood = Flood(head("Content-Length: 10000000"), 10_000_000)
    plays: dict[str, Play] = {which: flood}
    imds.play = metadata(imds, **plays)
    assert trial.refusal(source(imds)).startswith("answered more than an address: ")
    assert flood.was_refused()


def test_an_instance_without_an_ipv6_address_says_so(trial: Trial, imds: AddressService) -> None:
    imds.play = metadata(imds, address=answer("", "404 Not Found"))
    assert trial.refusal(source(imds), Family.IPV6) == "has no public ipv6 address for this instance; assign one to it"


def test_a_machine_that_is_no_instance_says_so(trial: Trial) -> None:
    assert trial.refusal(f"imds:http://127.0.0.1:{free_port()}") == UNREACHABLE


@pytest.mark.parametrize("endpoint", ["http://a..b", "http://127.0.0.1:99999", "http://[::1", "http://imds.invalid"])
def test_an_endpoint_that_cannot_be_asked_is_a_reason(endpoint: str) -> None:
    with pytest.raises(SourceError) as raised:
        ImdsSource(ImdsSpec(f"imds:{endpoint}")).fetch(Family.IPV4)
    assert str(raised.value) == UNREACHABLE


def test_every_spelling_of_the_service_is_one_host() -> None:
    hosts: Callable[[str], str] = lambda spec: ImdsSource(ImdsSpec(f"imds:{spec}")).host  # noqa: E731 - one line
    assert hosts("") == hosts("http://169.254.169.254") == hosts("http://[fd00:ec2::254]")
