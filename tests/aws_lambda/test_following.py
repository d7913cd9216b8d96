"""The function that follows instances: what it publishes, creates and logs."""

import json
from functools import cache
from typing import Any

import boto3
import pytest

from ddns_updater.app.runner import Runner
from ddns_updater.aws_lambda import follow
from ddns_updater.lib.dynamodb import Table
from tests.aws_lambda.conftest import logged, restart
from tests.sources.test_ec2 import launch
from tests.support.aws import FakeAws, refuse
from tests.support.dynamodb import REGION

UNKNOWN = "i-0123456789abcdef0"


@cache  # moto's URL stays the same, and a client of EC2 takes half a second to make
def _client(url: str) -> Any:
    return boto3.client("ec2", endpoint_url=url, region_name=REGION)


@pytest.fixture
def ec2(table: Table, aws: FakeAws) -> Any:
    """Give a client of moto's EC2."""
    del table
    return _client(aws.url)


@pytest.fixture
def zone(aws: FakeAws) -> str:
    """Give the zone of the records."""
    return aws.zone()


@pytest.fixture
def instance(ec2: Any, zone: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Give an instance that runs, which the environment names."""
    name, _ = launch(ec2)
    monkeypatch.setenv("DDNS_IP_SOURCES", f"ec2:{name}")
    monkeypatch.setenv("DDNS_RECORDS", "home.example.com")
    del zone
    return name


def address_of(ec2: Any, instance: str) -> str:
    described = ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]
    address: str = described["PublicIpAddress"]
    return address


def test_the_first_run_creates_the_origin_publishes_and_logs_one_line(
    ec2: Any, instance: str, aws: FakeAws, zone: str, capsys: pytest.CaptureFixture[str]
) -> None:
    address = address_of(ec2, instance)
    assert follow({"source": "aws.events"}, None) == {"outcomes": {instance: "updated"}}
    assert aws.address(zone) == address
    [line] = logged(capsys)
    assert (line["level"], line["outcome"], line["name"]) == ("info", "updated", instance)
    assert line["results"][0]["address"] == address
    assert line["results"][0]["version"] == 1


def test_a_run_without_a_change_is_quiet_in_the_next_process_too(
    instance: str, aws: FakeAws, capsys: pytest.CaptureFixture[str]
) -> None:
    follow({}, None)
    logged(capsys)
    assert follow({}, None) == {"outcomes": {instance: "unchanged"}}
    restart()
    aws.calls.clear()
    assert follow({}, None) == {"outcomes": {instance: "unchanged"}}
    assert logged(capsys) == []
    assert "ChangeResourceRecordSets" not in aws.calls


def test_an_instance_that_was_stopped_and_started_is_followed(
    ec2: Any, instance: str, aws: FakeAws, zone: str, capsys: pytest.CaptureFixture[str]
) -> None:
    follow({}, None)
    before = address_of(ec2, instance)
    ec2.stop_instances(InstanceIds=[instance])
    logged(capsys)
    assert follow({}, None) == {"outcomes": {instance: "off"}}
    assert logged(capsys) == []
    ec2.start_instances(InstanceIds=[instance])
    after = address_of(ec2, instance)
    assert after != before
    assert follow({}, None) == {"outcomes": {instance: "updated"}}
    assert aws.address(zone) == after
    assert logged(capsys)[-1]["results"][0]["previous_address"] == before


def test_an_instance_that_is_off_at_first_is_followed_once_it_runs(
    ec2: Any, instance: str, aws: FakeAws, zone: str, capsys: pytest.CaptureFixture[str]
) -> None:
    ec2.stop_instances(InstanceIds=[instance])
    assert follow({}, None) == {"outcomes": {instance: "off"}}
    assert logged(capsys) == []
    ec2.start_instances(InstanceIds=[instance])
    assert follow({}, None) == {"outcomes": {instance: "updated"}}
    assert aws.address(zone) == address_of(ec2, instance)


def test_a_failure_is_one_line_each_time(instance: str, aws: FakeAws, capsys: pytest.CaptureFixture[str]) -> None:
    aws.fault("ChangeResourceRecordSets", refuse("InvalidChangeBatch"))
    for _ in range(2):
        assert follow({}, None) == {"outcomes": {instance: "failed"}}
        [line] = logged(capsys)
        assert (line["level"], line["outcome"]) == ("error", "failed")
        assert "InvalidChangeBatch" in line["message"]


def test_several_instances_have_origins_of_their_own_and_one_does_not_stop_another(
    ec2: Any, aws: FakeAws, zone: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    one, two = launch(ec2)[0], launch(ec2)[0]
    chosen = {UNKNOWN: ["none.example.com"], one: ["one.example.com", "www.example.com"], two: ["two.example.com"]}
    monkeypatch.setenv("DDNS_INSTANCES", json.dumps(chosen))
    assert follow({}, None) == {"outcomes": {UNKNOWN: "failed", one: "updated", two: "updated"}}
    assert aws.address(zone, "www.example.com") == address_of(ec2, one)
    assert aws.address(zone, "two.example.com") == address_of(ec2, two)
    assert [line["name"] for line in logged(capsys)] == [UNKNOWN, one, two]


def test_a_parameter_is_read_once_for_several_instances(
    ec2: Any, aws: FakeAws, zone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    del zone
    ssm = boto3.client("ssm", endpoint_url=aws.url, region_name=REGION)
    ssm.put_parameter(Name="hook", Value="https://hooks.example.com/secret", Type="SecureString")
    monkeypatch.setenv("DDNS_WEBHOOK_URLS_PARAMETER", "hook")
    instances = [launch(ec2)[0] for _ in range(2)]
    ec2.stop_instances(InstanceIds=instances)
    monkeypatch.setenv("DDNS_INSTANCES", json.dumps({each: [f"{each}.example.com"] for each in instances}))
    aws.calls.clear()
    assert set(follow({}, None)["outcomes"].values()) == {"off"}
    assert aws.calls.count("GetParameter") == 1


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("i-0123456789abcdef0", "DDNS_INSTANCES is not JSON"),
        ("[]", "DDNS_INSTANCES is not an object with the records of each instance"),
        ("{}", "DDNS_INSTANCES is not an object with the records of each instance"),
        ('{"i-0123456789abcdef0": "home.example.com"}', "DDNS_INSTANCES is not an object with the records"),
        ('{"home": ["home.example.com"]}', "'ec2:home' is not an address source"),
        ('{"i-0123456789abcdef0": ["*"]}', "DDNS_RECORDS"),
    ],
)
def test_wrong_instances_are_told_in_one_line_and_nothing_runs(
    table: Table,
    aws: FakeAws,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    text: str,
    problem: str,
) -> None:
    del table
    monkeypatch.setenv("DDNS_INSTANCES", text)
    aws.calls.clear()
    assert "error" in follow({}, None)
    [line] = logged(capsys)
    assert line["level"] == "error"
    assert problem in line["message"]
    assert aws.calls == []


def test_instances_beside_what_names_one_are_refused(
    instance: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DDNS_INSTANCES", json.dumps({instance: []}))
    assert "error" in follow({}, None)
    [line] = logged(capsys)
    assert line["message"] == "DDNS_INSTANCES and DDNS_IP_SOURCES are both set; remove DDNS_IP_SOURCES"


def test_without_one_instance_the_origin_needs_a_name(
    table: Table, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    del table
    monkeypatch.setenv("DDNS_IP_SOURCES", "https://ifconfig.me/ip")
    assert "error" in follow({}, None)
    assert [line["message"] for line in logged(capsys)] == ["the origin has no name; set DDNS_NAME"]


def test_a_bug_is_told_with_where_it_is_but_not_with_its_text(
    instance: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    secret = "-".join(["hunter", "2"])

    def broken(_self: Runner) -> None:
        raise RuntimeError(secret)

    monkeypatch.setattr(Runner, "run", broken)
    assert follow({}, None) == {"outcomes": {instance: "failed"}}
    [line] = logged(capsys)
    assert (line["error"], "broken" in line["traceback"], secret in str(line)) == ("RuntimeError", True, False)
