"""The whole story of an instance, told by the built function under AWS's runtime client, each time in a new process.

What the runs remember and owe is in the table, so an incident is told once although no process knows another.
"""

import json
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.sources.test_ec2 import launch
from tests.support.aws import FakeAws, refuse
from tests.support.dynamodb import REGION, dynamodb_environment, make_table
from tests.support.receivers import Receiver
from tests.support.runtime_api import RuntimeApi, running_function

_HANDLER = "ddns_updater.aws_lambda.follow"
_SCHEDULED = {"version": "0", "source": "aws.events", "detail-type": "Scheduled Event", "detail": {}}


@pytest.fixture
def ec2(aws: FakeAws) -> Any:
    """Give a client of moto's EC2, in the region of the function."""
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    return boto3.client("ec2", endpoint_url=aws.url, region_name=REGION, **keys)  # type: ignore[call-overload]


def address_of(ec2: Any, instance: str) -> str:
    described = ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]
    address: str = described["PublicIpAddress"]
    return address


def test_the_whole_story_of_an_instance(
    aws: FakeAws, ec2: Any, receiver: Receiver, function: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws.url)
    make_table(aws.url)
    zone = aws.zone()
    instance, first = launch(ec2)
    environment = dynamodb_environment(aws.url) | {
        "DDNS_IP_SOURCES": f"ec2:{instance}",
        "DDNS_RECORDS": "home.example.com",
        "DDNS_WEBHOOK_URLS": receiver.url,
        "DDNS_ALERT_AFTER": "2",
        "DDNS_RUN_TIMEOUT": "20",
    }

    def run(event: dict[str, Any] | None = None) -> tuple[str, int, list[str]]:
        """Start the function for one event; return the outcome, how many lines it logged, and the events it sent."""
        with RuntimeApi(timeout=60) as api, running_function(api, function, _HANDLER, environment) as log:
            returned = api.invoke(event or _SCHEDULED)
            lines = log.read_text().splitlines()
        assert returned.kind == "response", (returned, lines)
        for line in lines:
            assert {"time", "level", "message"} <= json.loads(line).keys()
        [outcome] = returned.value["outcomes"].values()
        sent = [each["event"] for each in receiver.take()]
        return outcome, len(lines), sent

    assert run() == ("updated", 1, ["changed"])
    assert aws.address(zone) == first
    assert run() == ("unchanged", 0, [])
    ec2.stop_instances(InstanceIds=[instance])
    assert run() == ("off", 0, [])
    assert run() == ("off", 0, [])
    ec2.start_instances(InstanceIds=[instance])
    second = address_of(ec2, instance)
    detail = {"instance-id": instance, "state": "running"}
    started = {"source": "aws.ec2", "detail-type": "EC2 Instance State-change Notification", "detail": detail}
    assert run(started) == ("updated", 1, ["changed"])
    assert aws.address(zone) == second != first
    assert run() == ("unchanged", 0, [])
    ec2.stop_instances(InstanceIds=[instance])
    ec2.start_instances(InstanceIds=[instance])
    aws.fault("ChangeResourceRecordSets", refuse("AccessDenied", status=403))
    told = [run() for _ in range(4)]
    assert [outcome for outcome, _, _ in told] == ["failed"] * 4
    assert [lines for _, lines, _ in told] == [1] * 4
    assert [sent for _, _, sent in told] == [[], ["failing"], [], []]
    aws.heal()
    assert run() == ("updated", 1, ["recovered", "changed"])
    assert aws.address(zone) == address_of(ec2, instance) != second
    assert run() == ("unchanged", 0, [])
    ec2.terminate_instances(InstanceIds=[instance])
    assert [run()[0], run()[2]] == ["failed", ["failing"]]
