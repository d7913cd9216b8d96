"""AWS's exceptions in our words: one line, no secret, no traceback."""

import pytest

from tests.support.machine import Machine


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
