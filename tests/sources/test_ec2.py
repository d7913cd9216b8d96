"""An address source that is EC2's DescribeInstances: moto's over HTTP, and answers of our own."""

from functools import cache
from typing import Any

import boto3
import pytest

from ddns_updater.errors import SourceError
from ddns_updater.lib.deadline import Deadline, time_limit
from ddns_updater.model import Family, Outcome
from ddns_updater.run.detection import Detection
from ddns_updater.sources.ec2 import Ec2Source
from ddns_updater.sources.spec import Ec2Spec
from tests.run.test_publishing import sockets_left_behind
from tests.support.fakes import Clock
from tests.support.mysqld import free_port
from tests.support.services import AddressService, Play, answer, hang, in_turn, send
from tests.support.source_trial import Trial

IMAGE = "ami-12c6146b"  # one that moto knows
ANSWERED = "cannot be described: AWS answered"
UNKNOWN = "i-0123456789abcdef0"


@pytest.fixture
def ec2(trial: Trial) -> Any:
    """Give a client of moto's EC2, in us-east-1."""
    return client(trial.machine.aws.url)


@cache  # moto's URL stays the same, and a client of EC2 takes half a second to make
def client(url: str, region: str = "us-east-1") -> Any:
    return boto3.client("ec2", endpoint_url=url, region_name=region)


def launch(ec2: Any, *, public: bool = True) -> tuple[str, str | None]:
    """Run an instance in a new subnet; return its ID and its public address."""
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
    interface = {"DeviceIndex": 0, "SubnetId": subnet, "AssociatePublicIpAddress": public}
    launched = ec2.run_instances(ImageId=IMAGE, MinCount=1, MaxCount=1, NetworkInterfaces=[interface])
    instance = launched["Instances"][0]["InstanceId"]
    described = ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]
    return instance, described.get("PublicIpAddress")


def test_it_takes_the_public_address_of_a_running_instance(trial: Trial, ec2: Any) -> None:
    instance, address = launch(ec2)
    assert address
    assert trial.address(f"ec2:{instance}") == address


def test_the_real_command_names_the_instance(trial: Trial, ec2: Any) -> None:
    instance, address = launch(ec2)
    done = trial.machine.ddns("run", "--json", DDNS_IP_SOURCES=f"ec2:{instance}")
    family = done.json["results"][0]
    assert (done.status, family["address"], family["source"]) == (0, address, f"ec2:{instance}")


def test_the_real_command_says_in_one_line_why_it_changed_nothing(trial: Trial, ec2: Any) -> None:
    instance, _ = launch(ec2)
    ec2.terminate_instances(InstanceIds=[instance])
    done = trial.machine.ddns("run", DDNS_IP_SOURCES=f"ec2:{instance}")
    assert done.err == (
        "failed: no trustworthy ipv4 address, so nothing was changed:"
        f" ec2:{instance} is terminated; its address is used only while it is running\n"
    )
    assert (done.status, done.out) == (1, "")


@pytest.mark.parametrize("family", [Family.IPV4, Family.IPV6])
def test_an_instance_that_was_terminated_is_a_reason(trial: Trial, ec2: Any, family: Family) -> None:
    instance, _ = launch(ec2)
    ec2.terminate_instances(InstanceIds=[instance])
    reason = trial.refusal(f"ec2:{instance}", family)
    assert reason == "is terminated; its address is used only while it is running"


@pytest.mark.parametrize("family", [Family.IPV4, Family.IPV6])
def test_an_instance_that_is_stopped_is_off(trial: Trial, ec2: Any, family: Family) -> None:
    instance, _ = launch(ec2)
    ec2.stop_instances(InstanceIds=[instance])
    result = trial.run(f"ec2:{instance}", family)
    assert (result.outcome, result.off) == (Outcome.OFF, f"ec2:{instance} is stopped, so nothing was changed")


@pytest.mark.parametrize("family", [Family.IPV4, Family.IPV6])
def test_an_instance_without_a_public_address_is_a_state(trial: Trial, ec2: Any, family: Family) -> None:
    instance, address = launch(ec2, public=False)
    assert address is None
    reason = trial.refusal(f"ec2:{instance}", family)
    assert reason == f"has no public {family} address; give it one in its subnet or network interface"


def test_the_region_is_that_of_the_source_or_of_the_settings(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    instance, address = launch(client(trial.machine.aws.url, "eu-west-1"))
    reason = trial.refusal(f"ec2:{instance}", DDNS_RUN_TIMEOUT="30")  # moto loads a region at its first call
    assert reason.startswith(f"{ANSWERED} InvalidInstanceID.NotFound: ")
    assert trial.address(f"ec2:{instance}?region=eu-west-1") == address
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    assert str(trial.run(f"ec2:{instance}").address) == address


def test_an_unknown_instance_is_a_reason(trial: Trial) -> None:
    assert trial.refusal(f"ec2:{UNKNOWN}").startswith(
        f"{ANSWERED} InvalidInstanceID.NotFound: The instance ID '{UNKNOWN}' does not exist; "
    )


def described(*instances: str) -> Play:
    """Answer as DescribeInstances does."""
    return answer(
        '<DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>r</requestId>'
        "<reservationSet><item><reservationId>r-1</reservationId><instancesSet>"
        + "".join(f"<item><instanceId>{UNKNOWN}</instanceId>{each}</item>" for each in instances)
        + "</instancesSet></item></reservationSet></DescribeInstancesResponse>",
        headers=["Content-Type: text/xml;charset=UTF-8"],
    )


def refusing(code: str, message: str, status: str) -> Play:
    return answer(
        f"<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors>"
        "<RequestID>r</RequestID></Response>",
        status,
    )


RUNNING = "<instanceState><code>16</code><name>running</name></instanceState>"


def interface(*addresses: str) -> str:
    items = "".join(f"<item><ipv6Address>{each}</ipv6Address></item>" for each in addresses)
    return f"<item><ipv6AddressesSet>{items}</ipv6AddressesSet></item>"


@pytest.fixture
def fake(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> AddressService:
    """Give what stands in place of EC2."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_EC2", trial.machine.service.url.removesuffix("/ip"))
    return trial.machine.service


@pytest.mark.parametrize(
    "interfaces",
    [
        interface("2606:4700:4700::1111"),
        interface() + interface("2606:4700:4700::1111"),
    ],
    ids=["one", "on the second interface"],
)
def test_it_takes_the_ipv6_address_of_the_instance(trial: Trial, fake: AddressService, interfaces: str) -> None:
    fake.play = described(f"{RUNNING}<networkInterfaceSet>{interfaces}</networkInterfaceSet>")
    assert trial.address(f"ec2:{UNKNOWN}", Family.IPV6) == "2606:4700:4700::1111"


def test_it_does_not_choose_between_two_ipv6_addresses(trial: Trial, fake: AddressService) -> None:
    both = interface("2606:4700:4700::1111", "2606:4700:4700::1001")
    fake.play = described(f"{RUNNING}<networkInterfaceSet>{both}</networkInterfaceSet>")
    said = trial.refusal(f"ec2:{UNKNOWN}", Family.IPV6)
    assert said == "has more than one ipv6 address: 2606:4700:4700::1001, 2606:4700:4700::1111"


@pytest.mark.parametrize(
    ("family", "then", "address"),
    [
        (Family.IPV4, "<ipAddress>8.8.8.8</ipAddress>", "8.8.8.8"),
        (
            Family.IPV6,
            f"<networkInterfaceSet>{interface('2606:4700:4700::1111')}</networkInterfaceSet>",
            "2606:4700:4700::1111",
        ),
    ],
)
def test_it_waits_for_the_address_of_an_instance_that_has_just_started(
    trial: Trial, fake: AddressService, family: Family, then: str, address: str
) -> None:
    fake.play = lambda connection: described(RUNNING + (then if fake.requests > 2 else ""))(connection)
    assert trial.address(f"ec2:{UNKNOWN}", family, DDNS_RUN_TIMEOUT="30") == address
    assert fake.requests >= 3


def test_a_running_instance_that_gets_no_address_is_a_reason_after_some_seconds(fake: AddressService) -> None:
    fake.play = described(RUNNING)
    clock = Clock()
    source = Ec2Source(Ec2Spec(f"ec2:{UNKNOWN}"), patience=3.5, sleep=clock.sleep, monotonic=clock.monotonic)
    with pytest.raises(SourceError, match=r"^has no public ipv4 address; give it one in its subnet"):
        source.fetch(Family.IPV4)
    assert (clock.slept, fake.requests) == ([1, 1, 1], 4)


def test_waiting_for_an_address_ends_within_the_limit_of_the_run(trial: Trial, fake: AddressService) -> None:
    fake.play = described(RUNNING)
    for timeout in ("6", "12"):
        reason = trial.refusal(f"ec2:{UNKNOWN}", DDNS_RUN_TIMEOUT=timeout)
        assert reason == "has no public ipv4 address; give it one in its subnet or network interface"


def test_an_instance_that_stops_while_its_address_is_awaited_is_off(trial: Trial, fake: AddressService) -> None:
    stopping = "<instanceState><code>64</code><name>stopping</name></instanceState>"
    fake.play = in_turn(described(RUNNING), described(stopping))
    assert trial.run(f"ec2:{UNKNOWN}", DDNS_RUN_TIMEOUT="30").outcome is Outcome.OFF


@pytest.mark.parametrize(
    ("play", "reason"),
    [
        (described(), "does not exist in this account and region"),
        (
            described("<instanceState><code>32</code><name>shutting-down</name></instanceState>"),
            "is shutting-down; its address is used only while it is running",
        ),
        (
            described(f"{RUNNING}<ipAddress>10.0.0.5</ipAddress>"),
            "answered 10.0.0.5, which is not a public address",
        ),
        (
            described(f"{RUNNING}<ipAddress>nonsense</ipAddress>"),
            "answered 'nonsense', which is not one IP address",
        ),
        (
            refusing("UnauthorizedOperation", "You are not authorized.", "403 Forbidden"),
            (
                f"{ANSWERED} UnauthorizedOperation: You are not authorized;"
                ' attach the policy that "ddns iam-policy" prints'
            ),
        ),
        (
            refusing("AuthFailure", "AWS was not able to validate them", "401 Unauthorized"),
            f"{ANSWERED} AuthFailure: AWS was not able to validate them; check the AWS credentials",
        ),
    ],
    ids=["none", "shutting down", "private", "garbage", "denied", "credentials"],
)
def test_it_refuses_what_is_no_public_address(trial: Trial, fake: AddressService, play: Play, reason: str) -> None:
    fake.play = play
    assert trial.refusal(f"ec2:{UNKNOWN}") == reason


@pytest.mark.parametrize(
    ("play", "reason"),
    [
        (answer("<html>a captive portal</html>"), "cannot be described: the answer is not from AWS; "),
        (answer("no XML"), "cannot be described: the answer is not from AWS; "),
        (answer(""), "cannot be described: "),
        (described("<nothing/>"), "cannot be described: the answer is not from AWS; "),
        (send(b""), "cannot be described: AWS did not answer: "),
    ],
    ids=["html", "text", "empty", "fields", "closed"],
)
def test_what_is_not_of_aws_is_a_reason(trial: Trial, fake: AddressService, play: Play, reason: str) -> None:
    fake.play = play
    assert trial.refusal(f"ec2:{UNKNOWN}", DDNS_RUN_TIMEOUT="12").startswith(reason)


def test_an_answer_that_never_comes_costs_a_share_of_the_run(fake: AddressService) -> None:
    fake.play = hang
    with sockets_left_behind(), pytest.raises(SourceError, match=f"ec2:{UNKNOWN} did not finish within its 1 s"):
        Detection([Ec2Source(Ec2Spec(f"ec2:{UNKNOWN}"), patience=1)], Family.IPV4, Deadline(1), time_limit).first()


def test_a_closed_endpoint_is_a_reason(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_EC2", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    assert trial.refusal(f"ec2:{UNKNOWN}", DDNS_RUN_TIMEOUT="12").startswith(
        "cannot be described: AWS did not answer: Could not connect to the endpoint URL"
    )


def test_missing_credentials_are_a_reason(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    assert trial.refusal(f"ec2:{UNKNOWN}") == (
        "cannot be described: there are no AWS credentials;"
        " set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
    )
