"""A secret setting by the name of a SecureString: moto's Systems Manager over HTTP, and faults before it."""

from pathlib import Path
from typing import Any

import boto3
import pytest

from ddns_updater.settings.variables import SETTINGS
from tests.settings.test_named_files import VALUES
from tests.support.aws import answering, cut, refuse_item
from tests.support.database import load_settings_with
from tests.support.machine import Machine
from tests.support.mysqld import free_port
from tests.support.receivers import Receiver

SECRET = "a-secret-that-nobody-may-see"
NAME = "/ddns-updater/webhook-urls"
HOOK = f"https://hooks.example.com/{SECRET}"


def put(machine: Machine, name: str, value: str, kind: Any = "SecureString", region: str = "us-east-1") -> str:
    """Store a parameter and return its ARN."""
    ssm = boto3.client("ssm", endpoint_url=machine.aws.url, region_name=region)
    ssm.put_parameter(Name=name, Value=value, Type=kind)
    return str(ssm.get_parameter(Name=name)["Parameter"]["ARN"])


@pytest.fixture
def shared(small_machine: Machine, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """Give a machine whose AWS this process uses too."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", small_machine.aws.url)
    return small_machine


def problem(machine: Machine, **changes: Any) -> str:
    """Return the one line with which a run refuses a parameter; no line has the secret, also none of the log."""
    done = machine.ddns("run", DDNS_WEBHOOK_URLS_PARAMETER=NAME, **changes)
    assert (done.status, done.out, done.err.count("\n")) == (2, "", 1)
    assert SECRET not in machine.ddns("-v", "run", DDNS_WEBHOOK_URLS_PARAMETER=NAME, **changes).err
    return done.err


@pytest.mark.parametrize("variable", [each.variable for each in SETTINGS if each.is_secret])
def test_each_secret_setting_can_be_a_parameter(shared: Machine, variable: str) -> None:
    put(shared, "secret", f"{VALUES[variable]}\n")
    found = load_settings_with({f"{variable}_PARAMETER": "secret"})
    assert found == load_settings_with({variable: VALUES[variable]})._replace(parameters={variable: "secret"})


def test_a_run_reads_it_and_shows_it_nowhere(small_machine: Machine, receiver: Receiver) -> None:
    put(small_machine, NAME, receiver.url)
    small_machine.init("1.1.1.1")
    done = small_machine.ddns("-v", "run", DDNS_WEBHOOK_URLS_PARAMETER=NAME)
    assert done.status == 0
    assert receiver.events == ["changed"]
    assert "ssm answered GetParameter" in done.err.replace("SSM", "ssm")
    assert "Parameter.Value=…" in done.err
    assert receiver.url.rpartition("/")[2] not in done.out + done.err


def test_an_arn_names_the_region(shared: Machine) -> None:
    arn = put(shared, NAME, HOOK, region="eu-west-1")
    assert arn == f"arn:aws:ssm:eu-west-1:123456789012:parameter{NAME}"
    assert [each.url for each in load_settings_with({"DDNS_WEBHOOK_URLS_PARAMETER": arn}).webhooks] == [HOOK]


def test_the_credentials_may_be_in_the_settings_file(small_machine: Machine) -> None:
    put(small_machine, NAME, HOOK)
    file = small_machine.folder / "settings"
    file.write_text(f"AWS_ACCESS_KEY_ID=test\nAWS_SECRET_ACCESS_KEY=test\nDDNS_WEBHOOK_URLS_PARAMETER={NAME}\n")
    file.chmod(0o600)
    none = dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"))
    small_machine.init()
    done = small_machine.ddns("--env-file", str(file), "notify", "--test", **none)
    assert "hooks.example.com" in done.out + done.err, done


def test_a_missing_parameter_is_one_line(small_machine: Machine) -> None:
    assert problem(small_machine) == (
        f"error: DDNS_WEBHOOK_URLS_PARAMETER='{NAME}' cannot be read: AWS answered ParameterNotFound:"
        f" Parameter {NAME} not found; correct the name, or set AWS_DEFAULT_REGION\n"
    )


@pytest.mark.parametrize("kind", ["String", "StringList"])
def test_a_parameter_that_is_not_encrypted_is_one_line(small_machine: Machine, kind: str) -> None:
    put(small_machine, NAME, HOOK, kind)
    assert problem(small_machine) == (
        f"error: DDNS_WEBHOOK_URLS_PARAMETER='{NAME}' is a {kind}, which is not encrypted; make it a SecureString\n"
    )


def test_a_missing_permission_is_one_line(small_machine: Machine) -> None:
    small_machine.aws.fault("GetParameter", refuse_item("AccessDeniedException"))
    assert problem(small_machine) == (
        f"error: DDNS_WEBHOOK_URLS_PARAMETER='{NAME}' cannot be read: AWS answered AccessDeniedException: no;"
        ' attach the policy that "ddns iam-policy" prints\n'
    )


def test_an_answer_of_something_else_is_one_line(small_machine: Machine) -> None:
    small_machine.aws.fault("GetParameter", answering(f'{{"Parameter": "{SECRET}"}}'))
    assert problem(small_machine).endswith(" check AWS_ENDPOINT_URL and the proxy settings\n")


def test_no_network_is_one_line(small_machine: Machine) -> None:
    gone = {"AWS_ENDPOINT_URL_SSM": f"http://127.0.0.1:{free_port()}", "AWS_MAX_ATTEMPTS": "1"}
    said = problem(small_machine, **gone)
    assert said.startswith(f"error: DDNS_WEBHOOK_URLS_PARAMETER='{NAME}' cannot be read: AWS did not answer: ")
    assert said.endswith("; the next run tries again\n")
    small_machine.aws.fault("GetParameter", cut)
    assert "cannot be read: AWS did not answer: " in problem(small_machine)


def test_an_answer_that_never_comes_ends_after_a_while(small_machine: Machine) -> None:
    small_machine.aws.fault("GetParameter", small_machine.aws.hang)
    done = small_machine.ddns("run", DDNS_WEBHOOK_URLS_PARAMETER=NAME)
    assert done.err == (
        f"error: DDNS_WEBHOOK_URLS_PARAMETER='{NAME}' cannot be read: AWS did not answer within 20 s;"
        " the next run tries again\n"
    )
    assert done.status == 2


def test_missing_credentials_are_one_line(small_machine: Machine) -> None:
    none = dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"))
    assert "cannot be read: there are no AWS credentials; set AWS_PROFILE" in problem(small_machine, **none)


def test_a_value_that_cannot_be_used_is_one_line_without_it(small_machine: Machine) -> None:
    put(small_machine, NAME, f"no-url-{SECRET}")
    assert problem(small_machine).startswith(f"error: DDNS_WEBHOOK_URLS_PARAMETER='{NAME}' ")


def test_a_blank_value_is_one_line(small_machine: Machine) -> None:
    put(small_machine, NAME, " \n")
    assert problem(small_machine).endswith(f"='{NAME}' holds nothing; put the value in it\n")


@pytest.mark.parametrize("text", [HOOK, f"{SECRET} and more", "arn:aws:secretsmanager:eu-west-1:123456789012:secret:x"])
def test_what_is_no_name_of_a_parameter_is_not_shown_and_not_asked_for(small_machine: Machine, text: str) -> None:
    done = small_machine.ddns("run", DDNS_WEBHOOK_URLS_PARAMETER=text)
    assert done.err == (
        "error: DDNS_WEBHOOK_URLS_PARAMETER is not the name of a parameter; write one such as"
        " /ddns-updater/webhook-urls, or its ARN\n"
    )
    assert small_machine.aws.calls == []


def test_a_setting_is_given_once(small_machine: Machine, tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(HOOK)
    for other, value in (("DDNS_WEBHOOK_URLS", HOOK), ("DDNS_WEBHOOK_URLS_FILE", str(file))):
        assert problem(small_machine, **{other: value}) == (
            f"error: {other} and DDNS_WEBHOOK_URLS_PARAMETER are both set; keep one of them\n"
        )
    assert small_machine.aws.calls == []


def test_the_doctor_names_a_parameter_that_cannot_be_read(small_machine: Machine) -> None:
    checks = small_machine.ddns("doctor", "--json", DDNS_WEBHOOK_URLS_PARAMETER=NAME).json["checks"]
    (found,) = [each for each in checks if each["name"] == "settings"]
    assert (found["state"], "ParameterNotFound" in found["found"]) == ("failed", True)
