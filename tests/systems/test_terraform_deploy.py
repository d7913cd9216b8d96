"""contrib/terraform/deploy, with a real but old provider, on a stand-in for AWS."""

import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.support.aws import FakeAws
from tests.support.terraform import copied, make_old, old_provider, on_path

pytestmark = pytest.mark.skipif(
    (sys.platform, platform.machine()) != ("linux", "x86_64"), reason="the old provider is for Linux on x86_64"
)

INSTANCE, ZONE, WEBHOOK = "i-0123456789abcdef0", "ZONE1", "https://hooks.example.com/the-secret"
ANSWERS = (INSTANCE, ZONE, "home.example.com", WEBHOOK)
BUILD = '#!/bin/sh\necho "the code" >"$1"\n'  # the zip has tests of its own


class Operator:
    """Somebody who deploys from a checkout."""

    def __init__(self, folder: Path, aws: FakeAws) -> None:
        self.module = copied(folder)
        self.aws = aws
        make_old(self.module, aws.url)
        (folder / "lambda").mkdir()
        (folder / "lambda" / "build").write_text(BUILD)
        (folder / "lambda" / "build").chmod(0o755)
        (folder / "rc").write_text(old_provider(folder / "mirror"))
        self.environment = {
            "PATH": f"{on_path(folder / 'bin')}:{os.environ['PATH']}",
            "TF_CLI_CONFIG_FILE": str(folder / "rc"),
            "AWS_ENDPOINT_URL": aws.url,
            "AWS_REGION": "eu-west-1",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def deploys(self, *answers: str, arguments: tuple[str, ...] = (), **environment: str) -> tuple[int, str, str]:
        """Run it with these answers; returns its exit status, its output and its last line of errors."""
        done = subprocess.run(
            [sys.executable, self.module / "deploy", *arguments],
            input="".join(f"{each}\n" for each in answers),
            env=self.environment | environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=180,
        )
        assert "Traceback" not in done.stderr
        return done.returncode, done.stdout, (done.stderr.splitlines() or [""])[-1]

    def functions(self) -> list[str]:
        """Return the names of the functions that are there."""
        return [each["FunctionName"] for each in self.client("lambda").list_functions()["Functions"]]

    def client(self, service: Any) -> Any:
        """Return a client of the same AWS."""
        return boto3.client(
            service,
            endpoint_url=self.aws.url,
            region_name="eu-west-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )


@pytest.fixture
def operator(tmp_path: Path, aws: FakeAws) -> Operator:
    """Give somebody in a fresh checkout, with an empty account."""
    return Operator(tmp_path, aws)


def test_it_asks_shows_and_applies_and_run_again_it_changes_nothing(operator: Operator) -> None:
    status, out, error = operator.deploys(*ANSWERS, "yes")
    assert (status, error) == (0, "")
    assert operator.functions() == ["ddns-follow"]
    kept = operator.client("ssm").get_parameter(Name="/ddns/webhook-urls", WithDecryption=True)["Parameter"]
    assert (kept["Type"], kept["Value"]) == ("SecureString", WEBHOOK)
    for path in operator.module.rglob("*"):
        assert path.is_symlink() or not path.is_file() or b"the-secret" not in path.read_bytes(), path
    assert "the-secret" not in out
    for name in ("deploy.auto.tfvars.json", "terraform.tfstate"):
        assert (operator.module / name).stat().st_mode & 0o777 == 0o600

    again = operator.deploys(DDNS_WEBHOOK_URLS=WEBHOOK)
    assert (again[0], again[2]) == (0, "")
    assert again[1].endswith("Nothing has changed.\n")

    # What would delete something is left to the operator.
    answers = operator.module / "deploy.auto.tfvars.json"
    answers.write_text(json.dumps(json.loads(answers.read_text()) | {"name": "other"}))
    status, _, error = operator.deploys("yes")
    assert status == 1
    assert error.startswith("error: this would delete ")
    assert operator.functions() == ["ddns-follow"]


def test_nothing_is_made_without_a_yes(operator: Operator) -> None:
    arguments = ("--instance", INSTANCE, "--zone", ZONE, "--record", "a.example.com,b.example.com")
    assert operator.deploys("", "y", arguments=arguments)[::2] == (1, "error: nothing was applied")
    assert operator.functions() == []
    assert operator.client("dynamodb").list_tables()["TableNames"] == []


def test_a_rule_of_the_same_name_as_a_function_of_somebody_else_stays_as_it_is(operator: Operator) -> None:
    operator.client("iam").create_role(RoleName="ddns-follow", AssumeRolePolicyDocument="{}", Description="of another")
    events = operator.client("events")
    events.put_rule(Name="ddns-follow-schedule", ScheduleExpression="rate(7 days)")
    assert operator.deploys(*ANSWERS[:3], "", "yes")[::2] == (1, "error: terraform apply failed, see above")
    assert operator.client("iam").get_role(RoleName="ddns-follow")["Role"]["Description"] == "of another"
    assert events.describe_rule(Name="ddns-follow-schedule")["ScheduleExpression"] == "rate(7 days)"


def test_a_parameter_with_another_value_stays_as_it_is(operator: Operator) -> None:
    operator.client("ssm").put_parameter(Name="/ddns/webhook-urls", Value="of another", Type="SecureString")
    status, _, error = operator.deploys(*ANSWERS, "yes")
    assert (status, error) == (
        1,
        "error: the parameter /ddns/webhook-urls has another value: change or delete it in SSM, and run this again",
    )
    kept = operator.client("ssm").get_parameter(Name="/ddns/webhook-urls", WithDecryption=True)["Parameter"]
    assert kept["Value"] == "of another"
    assert operator.functions() == []


@pytest.mark.parametrize(
    ("answers", "error"),
    [
        (("server",), "error: 'server' is no EC2 instance: write one such as i-0123456789abcdef0"),
        ((INSTANCE, "example.com"), "error: 'example.com' is no hosted zone: write one such as Z0123456789ABCDEFGHIJ"),
        (
            (INSTANCE, ZONE, "a.example.com."),
            "error: 'a.example.com.' is no record: write one such as home.example.com",
        ),
        ((*ANSWERS[:3], "hook"), "error: the webhook is no URL: write one such as https://hooks.example.com/ddns"),
        ((INSTANCE,), "error: no answer to: hosted zone (such as Z0123456789ABCDEFGHIJ):"),
    ],
)
def test_a_bad_answer_is_refused_in_one_line(operator: Operator, answers: tuple[str, ...], error: str) -> None:
    assert operator.deploys(*answers)[::2] == (1, error)
    assert not (operator.module / "deploy.auto.tfvars.json").exists()


def test_without_terraform_it_says_where_to_get_it(operator: Operator) -> None:
    status, _, error = operator.deploys(*ANSWERS, PATH="/nowhere")
    assert (status, error) == (
        1,
        "error: there is no terraform: install 1.7 or later, https://developer.hashicorp.com/terraform/install",
    )
