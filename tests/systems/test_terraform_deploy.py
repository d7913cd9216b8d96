"""contrib/terraform/deploy, with a real but old provider, on a stand-in for AWS."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.support.aws import FakeAws
from tests.support.terraform import copied, make_old, needs_old_provider, on_path

pytestmark = needs_old_provider

INSTANCE, OTHER, ZONE, WEBHOOK = (
    "i-0123456789abcdef0",
    "i-0123456789abcdef1",
    "ZONE1",
    "https://hooks.example.com/the-secret",
)
INSTANCES = json.dumps({INSTANCE: ["home.example.com"]})
ANSWERS = (INSTANCE, "home.example.com", "", ZONE, WEBHOOK)


class Operator:
    """Somebody who deploys from a checkout."""

    def __init__(self, folder: Path, aws: FakeAws, zipped: Path, old_provider: str) -> None:
        self.module = copied(folder)
        self.aws = aws
        make_old(self.module, aws.url)
        (folder / "lambda").mkdir()
        self.build = folder / "lambda" / "build"
        self.build.write_text(f'#!/bin/sh\ncp {zipped} "$1"\n')  # it takes its time, and has tests of its own
        self.build.chmod(0o755)
        (folder / "rc").write_text(old_provider)
        self.environment = {
            "PATH": f"{on_path(folder / 'bin')}:{os.environ['PATH']}",
            "TF_CLI_CONFIG_FILE": str(folder / "rc"),
            "AWS_ENDPOINT_URL": aws.url,
            "AWS_REGION": "eu-west-1",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def deploys(self, *answers: str, **environment: str | None) -> tuple[int, str, str]:
        """Run it with these answers; returns its exit status, its output and its last line of errors."""
        done = subprocess.run(
            [sys.executable, self.module / "deploy"],
            input="".join(f"{each}\n" for each in answers),
            env={name: text for name, text in (self.environment | environment).items() if text is not None},
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
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
def operator(tmp_path: Path, aws: FakeAws, zipped: Path, old_provider: str) -> Operator:
    """Give somebody in a fresh checkout, with an empty account."""
    return Operator(tmp_path, aws, zipped, old_provider)


def test_it_asks_shows_and_applies_and_run_again_it_changes_nothing(operator: Operator) -> None:
    status, out, error = operator.deploys(*ANSWERS, "yes")
    assert (status, error) == (0, "")
    assert operator.functions() == ["ddns-follow"]
    assert "This is for account 123456789012 of AWS, in eu-west-1." in out
    function = operator.client("lambda").get_function_configuration(FunctionName="ddns-follow")
    assert json.loads(function["Environment"]["Variables"]["DDNS_INSTANCES"]) == {INSTANCE: ["home.example.com"]}
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


def test_several_instances_are_asked_for(operator: Operator) -> None:
    answers = (INSTANCE, "a.example.com, b.example.com", OTHER, "c.example.com", "", ZONE, "", "no")
    assert operator.deploys(*answers)[::2] == (1, "error: nothing was applied")
    kept = json.loads((operator.module / "deploy.auto.tfvars.json").read_text())
    assert kept["instances"] == {INSTANCE: ["a.example.com", "b.example.com"], OTHER: ["c.example.com"]}


def test_nothing_is_made_without_a_yes_however_much_the_environment_tells(operator: Operator) -> None:
    status, _, error = operator.deploys("", "y", DDNS_INSTANCES=INSTANCES, DDNS_HOSTED_ZONE_ID=ZONE)
    assert (status, error) == (1, "error: nothing was applied")
    assert operator.functions() == []
    assert operator.client("dynamodb").list_tables()["TableNames"] == []


def test_what_others_have_made_stays_as_it_is(operator: Operator) -> None:
    operator.client("iam").create_role(RoleName="ddns-follow", AssumeRolePolicyDocument="{}", Description="of another")
    told = {"DDNS_INSTANCES": INSTANCES, "DDNS_HOSTED_ZONE_ID": ZONE}
    assert operator.deploys("", "yes", **told)[::2] == (1, "error: terraform apply failed, see above")
    assert operator.client("iam").get_role(RoleName="ddns-follow")["Role"]["Description"] == "of another"

    # AWS would overwrite a rule.
    events = operator.client("events")
    events.put_rule(Name="ddns-follow-schedule", ScheduleExpression="rate(7 days)")
    status, _, error = operator.deploys("yes")
    assert status == 1
    assert error == (
        "error: a rule ddns-follow-schedule of somebody else is there: delete it, or write another name into"
        " deploy.auto.tfvars.json"
    )
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
        (("server",), "error: 'server' is no instance: write one such as i-0123456789abcdef0"),
        ((INSTANCE, "a.example.com."), "error: 'a.example.com.' is no record: write one such as home.example.com"),
        (
            (*ANSWERS[:3], "example.com"),
            "error: 'example.com' is no hosted zone: write one such as Z0123456789ABCDEFGHIJ",
        ),
        ((*ANSWERS[:4], "hook"), "error: the webhook is no URL: write one such as https://hooks.example.com/ddns"),
        (ANSWERS[:3], "error: no answer to: hosted zone (such as Z0123456789ABCDEFGHIJ):"),
    ],
)
def test_a_bad_answer_is_refused_in_one_line(operator: Operator, answers: tuple[str, ...], error: str) -> None:
    assert operator.deploys(*answers)[::2] == (1, error)
    assert not (operator.module / "deploy.auto.tfvars.json").exists()


@pytest.mark.parametrize("text", ["nonsense", "[]", '{"i-0123456789abcdef0": 1}', '{"i-0123456789abcdef0": [1]}'])
def test_wrong_instances_in_the_environment_are_refused_in_one_line(operator: Operator, text: str) -> None:
    assert operator.deploys(DDNS_INSTANCES=text)[::2] == (
        1,
        'error: DDNS_INSTANCES is wrong: write it like {"i-0123456789abcdef0": ["home.example.com"]}',
    )


@pytest.mark.parametrize(
    ("environment", "error"),
    [
        (
            {"PATH": "/nowhere"},
            "error: there is no terraform: install 1.7 or later, https://developer.hashicorp.com/terraform/install",
        ),
        ({"AWS_REGION": None}, "error: there is no region: set AWS_REGION, such as eu-west-1"),
        (
            {"AWS_ACCESS_KEY_ID": None},
            "error: there are no credentials of AWS: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
        ),
        (
            {"AWS_PROFILE": "none"},
            "error: AWS does not take the credentials: The config profile (none) could not be found",
        ),
    ],
)
def test_what_is_missing_is_told_in_one_line_before_anything_is_asked(
    operator: Operator, environment: dict[str, str | None], error: str
) -> None:
    assert operator.deploys(**environment) == (1, "", error)


def test_without_boto3_it_says_what_to_install(operator: Operator, tmp_path: Path) -> None:
    (tmp_path / "boto3.py").write_text("raise ImportError\n")
    assert operator.deploys(PYTHONPATH=str(tmp_path)) == (1, "", "error: there is no boto3: pip install boto3")


def test_after_ctrl_c_terraform_comes_to_its_end(operator: Operator, tmp_path: Path) -> None:
    """Terraform gets it too, and writes its state yet; a run that was killed would leave what nobody knows of."""
    ready, state = tmp_path / "ready", tmp_path / "state"
    (tmp_path / "bin" / "terraform").write_text(
        f"#!/bin/sh\ntrap 'sleep 1; touch {state}; exit 1' INT\n"
        f"touch {ready}\nfor _ in $(seq 200); do sleep 0.1; done\n"
    )
    environment = operator.environment | {"DDNS_INSTANCES": INSTANCES, "DDNS_HOSTED_ZONE_ID": ZONE}
    with (tmp_path / "errors").open("w") as errors:
        process = subprocess.Popen(
            [sys.executable, operator.module / "deploy"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            env=environment,
            text=True,
            start_new_session=True,
        )
    assert process.stdin is not None
    process.stdin.write("\n")  # no webhook
    process.stdin.flush()
    while not ready.exists():
        assert process.poll() is None
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(20) == 130
    assert state.exists()
    assert (tmp_path / "errors").read_text() == "\nerror: interrupted; run this again to go on\n"
    process.stdin.close()
