"""contrib/terraform with a real but old provider on a stand-in for AWS, and the zip with what was deployed."""

import hashlib
import json
import shutil
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.events.models import EventPattern

from ddns_updater.app import factories
from ddns_updater.hosts import NewHost
from ddns_updater.settings.load import read_settings
from tests.aws_lambda.test_answering import CALLER, SCHEDULED, request
from tests.sources.test_ec2 import launch
from tests.support.aws import FakeAws
from tests.support.dynamodb import REGION, dynamodb_environment
from tests.support.endpoint import LOGIN, SECRET
from tests.support.machine import AWS
from tests.support.policies import KEY, Asked, allows, asked_for, upsert
from tests.support.receivers import Receiver
from tests.support.runtime_api import RuntimeApi, running_function
from tests.support.terraform import Terraform, copied, make_old, needs_old_provider

PARAMETER, HOST = "/ddns/webhook-urls", "a.dyn.example.com"
_ACCOUNT = "123456789012"  # moto's

pytestmark = needs_old_provider


@cache
def _client(url: str, service: Any) -> Any:
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    return boto3.client(service, endpoint_url=url, region_name=REGION, **keys)  # type: ignore[call-overload]


class Deployment:
    """What Terraform made for two instances and the hosts below dyn.example.com."""

    def __init__(self, folder: Path, aws: FakeAws, zipped: Path, old_provider: str) -> None:
        """Deploy it; the webhooks are in a parameter."""
        self.aws = aws
        self.zone = aws.zone()
        self.instances = {launch(self.client("ec2"))[0]: [name] for name in ("home.example.com", "vpn.example.com")}
        module = copied(folder)
        make_old(module, aws.url)
        shutil.copy(zipped, module / "ddns.zip")
        variables = {
            "zip": "ddns.zip",
            "instances": self.instances,
            "endpoint": True,
            "host_names": ["*.dyn.example.com"],
            "hosted_zone_ids": [self.zone],
            "webhook_urls_parameter": PARAMETER,
        }
        (module / "it.auto.tfvars.json").write_text(json.dumps(variables))
        self.terraform = Terraform(module, old_provider, AWS_EC2_METADATA_DISABLED="true")
        self.terraform.do("init")
        self.terraform.do("apply", "-auto-approve", "-input=false")

    def client(self, service: str) -> Any:
        """Return a client of the stand-in."""
        return _client(self.aws.url, service)

    def address(self, instance: str) -> str:
        """Return the public address of an instance."""
        (found,) = self.client("ec2").describe_instances(InstanceIds=[instance])["Reservations"]
        address: str = found["Instances"][0]["PublicIpAddress"]
        return address

    def published(self, instance: str) -> str | None:
        """Return the address in the record of an instance."""
        return self.aws.address(self.zone, *self.instances[instance])

    def function(self, job: str) -> Any:
        """Return the configuration of a function."""
        return self.client("lambda").get_function_configuration(FunctionName=f"ddns-{job}")

    def policy(self, job: str) -> Any:
        """Return what a function may do, but for its logs."""
        return self.client("iam").get_role_policy(RoleName=f"ddns-{job}", PolicyName="ddns")["PolicyDocument"]

    @contextmanager
    def running(self, job: str, folder: Path) -> Iterator["Running"]:
        """Run the zip, unpacked in `folder`, as the function that was deployed."""
        configuration = self.function(job)
        environment = {**AWS, "AWS_ENDPOINT_URL": self.aws.url, **configuration["Environment"]["Variables"]}
        with (
            RuntimeApi(timeout=configuration["Timeout"]) as api,
            running_function(api, folder, configuration["Handler"], environment) as log,
        ):
            yield Running(self.aws, api, log)


class Running:
    """A function that runs; `asked` is what it asked AWS for, as IAM sees it."""

    def __init__(self, aws: FakeAws, api: RuntimeApi, log: Path) -> None:
        self._aws = aws
        self._api = api
        self._log = log
        self.asked: list[Asked] = []

    def invoke(self, event: Any) -> Any:
        """Hand it an event, and return its result."""
        for each in (self._aws.calls, self._aws.asked, self._aws.elsewhere):
            each.clear()
        returned = self._api.invoke(event)
        self.asked += [_asked(*each) for each in zip(self._aws.calls, self._aws.asked, strict=True)]
        self.asked += [Asked(each, "*") for each in self._aws.elsewhere]
        assert returned.kind == "response"
        return returned.value

    def logged(self) -> list[Any]:
        """Return all that it logged."""
        return [json.loads(line) for line in self._log.read_text().splitlines()]


def _asked(operation: str, asked: str) -> Asked:
    """Return a request to Route 53, DynamoDB or SSM as IAM sees it."""
    path, _, body = asked.split("\n", 2)
    if path != "/" or operation == "GetParameter":
        return asked_for(operation, asked)
    content = json.loads(body)
    index = f"/index/{content['IndexName']}" if "IndexName" in content else ""
    (table,) = content["RequestItems"] if "RequestItems" in content else [content["TableName"]]
    return Asked(f"dynamodb:{operation}", f"arn:aws:dynamodb:{REGION}:{_ACCOUNT}:table/{table}{index}")


def test_a_deployment_works_needs_nothing_more_and_is_taken_away(
    tmp_path: Path,
    aws: FakeAws,
    zipped: Path,
    old_provider: str,
    function: Path,
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for variable, text in dynamodb_environment(aws.url).items():
        monkeypatch.setenv(variable, text)
    deployment = Deployment(tmp_path, aws, zipped, old_provider)

    again = deployment.terraform.run("plan", "-detailed-exitcode", "-input=false")
    assert again.returncode == 0, again.stdout + again.stderr
    everything_is_as_it_was_described(deployment, zipped)
    the_policies_allow_the_names_of_the_job_alone(deployment)
    the_records_follow_the_instances(deployment, function, receiver)
    a_host_is_answered_and_swept(deployment, function)

    deployment.terraform.do("destroy", "-auto-approve", "-input=false")
    assert deployment.client("lambda").list_functions()["Functions"] == []
    assert deployment.client("dynamodb").list_tables()["TableNames"] == []
    assert deployment.client("events").list_rules()["Rules"] == []
    assert deployment.client("logs").describe_log_groups()["logGroups"] == []
    assert deployment.client("iam").list_roles()["Roles"] == []
    assert deployment.client("apigatewayv2").get_apis()["Items"] == []


def everything_is_as_it_was_described(deployment: Deployment, zipped: Path) -> None:
    events = deployment.client("events")
    rules = {each["Name"]: each for each in events.list_rules()["Rules"]}
    assert set(rules) == {"ddns-follow-running", "ddns-follow-schedule", "ddns-endpoint-schedule"}
    (api,) = deployment.client("apigatewayv2").get_apis()["Items"]
    for job, timeout in (("follow", 115), ("endpoint", 60)):
        function = deployment.function(job)
        assert (function["Handler"], function["Timeout"]) == (f"ddns_updater.aws_lambda.{job}", timeout)
        assert function["CodeSha256"] == b64encode(hashlib.sha256(zipped.read_bytes()).digest()).decode()
        own = [each for each in rules.values() if each["Name"].startswith(f"ddns-{job}-")]
        for rule in own:
            (target,) = events.list_targets_by_rule(Rule=rule["Name"])["Targets"]
            assert target["Arn"] == function["FunctionArn"]
        assert rules[f"ddns-{job}-schedule"]["ScheduleExpression"] == "rate(1 minute)"
        policy = json.loads(deployment.client("lambda").get_policy(FunctionName=f"ddns-{job}")["Policy"])
        sources = {each["Condition"]["ArnLike"]["AWS:SourceArn"].split(":", 5)[-1] for each in policy["Statement"]}
        door = [f"{api['ApiId']}/*"] if job == "endpoint" else []
        assert sources == {*(each["Arn"].split(":", 5)[-1] for each in own), *door}
        retries = deployment.client("lambda").get_function_event_invoke_config(FunctionName=f"ddns-{job}")
        assert (retries["MaximumRetryAttempts"], retries["MaximumEventAgeInSeconds"]) == (0, 60)
        (group,) = deployment.client("logs").describe_log_groups(logGroupNamePrefix=f"/aws/lambda/ddns-{job}")[
            "logGroups"
        ]
        assert group["retentionInDays"] == 1
        assert sorted(deployment.client("iam").list_role_policies(RoleName=f"ddns-{job}")["PolicyNames"]) == [
            "ddns",
            "logs",
        ]
    table = deployment.client("dynamodb").describe_table(TableName="ddns")["Table"]
    assert {each["AttributeName"]: each["KeyType"] for each in table["KeySchema"]} == {"pk": "HASH", "sk": "RANGE"}
    assert table["LocalSecondaryIndexes"][0]["IndexName"] == "byLook"
    (integration,) = deployment.client("apigatewayv2").get_integrations(ApiId=api["ApiId"])["Items"]
    assert (integration["PayloadFormatVersion"], integration["TimeoutInMillis"]) == ("2.0", 30000)


def the_policies_allow_the_names_of_the_job_alone(deployment: Deployment) -> None:
    for job, right, wrong in (
        ("follow", ["home.example.com", "vpn.example.com"], [HOST]),
        ("endpoint", [HOST, "b.dyn.example.com"], ["home.example.com"]),
    ):
        policy = deployment.policy(job)
        assert allows(policy, upsert(deployment.zone, right, ["A"]))
        assert not allows(policy, upsert(deployment.zone, [*right, *wrong], ["A"]))
        assert not allows(policy, upsert(deployment.zone, right, ["A"], action="DELETE"))
        assert not allows(policy, upsert(deployment.zone, right, ["TXT"]))
        assert not allows(policy, upsert("ZOTHER", right, ["A"]))


def the_records_follow_the_instances(deployment: Deployment, code: Path, receiver: Receiver) -> None:
    one, two = sorted(deployment.instances)  # as Terraform has them
    secret = {"Name": PARAMETER, "Value": receiver.url, "Type": "SecureString"}
    deployment.client("ssm").put_parameter(**secret)
    (pattern,) = [
        each["EventPattern"] for each in deployment.client("events").list_rules()["Rules"] if "EventPattern" in each
    ]
    rule: Any = EventPattern.load(pattern)
    assert [rule.matches_event(state_change(each, "running")) for each in (one, two, "i-00000000")] == [1, 1, 0]
    assert not rule.matches_event(state_change(one, "stopped"))

    with deployment.running("follow", code) as function:
        assert function.invoke(state_change(one, "running")) == {"outcomes": {one: "updated", two: "updated"}}
        for each in (one, two):
            assert deployment.published(each) == deployment.address(each)
        assert [each["name"] for each in function.logged()] == [one, two]

        before = deployment.address(one)
        deployment.client("ec2").stop_instances(InstanceIds=[one])
        deployment.client("ec2").start_instances(InstanceIds=[one])
        assert function.invoke(state_change(one, "running")) == {"outcomes": {one: "updated", two: "unchanged"}}
        assert deployment.published(one) == deployment.address(one) != before
        assert [each["name"] for each in function.logged()] == [one, two, one]
        assert receiver.events == ["changed"] * 3

        assert function.invoke(SCHEDULED) == {"outcomes": {one: "unchanged", two: "unchanged"}}
        assert len(function.logged()) == 3
    needs_no_more_than_it_may(deployment, "follow", function, "ec2:DescribeInstances", "ssm:GetParameter")


def a_host_is_answered_and_swept(deployment: Deployment, code: Path) -> None:
    with factories.open_hosts(read_settings().valid()) as hosts:
        hosts.add(NewHost(HOST, LOGIN, SECRET))
    with deployment.running("endpoint", code) as function:
        answer = function.invoke(request(query=f"hostname={HOST}"))
        assert (answer["statusCode"], answer["body"]) == (200, f"good {CALLER}")
        assert deployment.aws.address(deployment.zone, HOST) == CALLER
        assert len(function.logged()) == 1

        assert function.invoke(SCHEDULED) == {}
        assert len(function.logged()) == 1
    needs_no_more_than_it_may(deployment, "endpoint", function)


def needs_no_more_than_it_may(deployment: Deployment, job: str, function: Running, *actions: str) -> None:
    """Check what it asked for against the policy that was deployed, and that the most important was among it."""
    policy = deployment.policy(job)
    assert [each for each in function.asked if not allows(policy, each)] == []
    assert {KEY, "dynamodb:PutItem", *actions} <= {each.action for each in function.asked}


def state_change(instance: str, state: str) -> dict[str, Any]:
    """Return an event as EC2 sends it.

    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/monitoring-instance-state-changes.html
    """
    return {
        "version": "0",
        "id": "7bf73129-1428-4cd3-a780-95db273d1602",
        "detail-type": "EC2 Instance State-change Notification",
        "source": "aws.ec2",
        "account": _ACCOUNT,
        "time": "2026-01-01T00:00:00Z",
        "region": REGION,
        "resources": [f"arn:aws:ec2:{REGION}:{_ACCOUNT}:instance/{instance}"],
        "detail": {"instance-id": instance, "state": state},
    }
