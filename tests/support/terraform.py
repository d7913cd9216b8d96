"""Terraform on a copy of contrib/terraform, from the environment of its own that `make .venv/terraform-tools` makes.

Its provider is either a stub that serves the schema of a new one, or, on Linux on x86_64, a real but old one.
"""

import json
import os
import platform
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

TOP = Path(__file__).parents[2]
MODULE = TOP / "contrib" / "terraform"
_TOOLS = TOP / "tests" / "systems" / "terraform"
_ENVIRONMENT = Path(sys.prefix) / "terraform"
_STATE = shutil.ignore_patterns(".terraform*", "terraform.tfstate*", "*.zip", "*.tfvars*")
_OLD = "terraform-provider-aws_3.39.0_linux_amd64.zip"
_NO_CHECKPOINT = "disable_checkpoint = true\n"

_MACHINE = sys.platform, platform.machine()
needs_terraform = pytest.mark.skipif(
    _MACHINE[0] == "linux" and _MACHINE[1] != "x86_64", reason="Terraform's library is not for Linux on this machine"
)
needs_old_provider = pytest.mark.skipif(
    _MACHINE != ("linux", "x86_64"), reason="the old provider is for Linux on x86_64"
)


class Terraform:
    """Terraform on the module in `folder`."""

    def __init__(self, folder: Path, configuration: str, **environment: str) -> None:
        self.folder = folder
        settings = folder.parent / f"{folder.name}.terraformrc"
        settings.write_text(_NO_CHECKPOINT + configuration)
        self.environment = {"PATH": os.environ["PATH"], "TF_CLI_CONFIG_FILE": str(settings), **environment}

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run a command of Terraform's."""
        return subprocess.run(
            [_ENVIRONMENT / "bin" / "python", _TOOLS / "terraform", f"-chdir={self.folder}", *arguments, "-no-color"],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    def do(self, *arguments: str) -> str:
        """Run a command that has to succeed, and return its output."""
        done = self.run(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def outputs(self, test: str) -> Any:
        """Return the outputs of the last run of a test, by name."""
        lines = [json.loads(line) for line in self.do("test", f"-filter={test}", "-json", "-verbose").splitlines()]
        (*_, state) = [each["test_state"] for each in lines if "test_state" in each]
        return {name: each.get("value") for name, each in state["outputs"].items()}


def on_path(folder: Path) -> Path:
    """Make a folder with a `terraform` for the PATH of a program that runs it."""
    folder.mkdir()
    script = folder / "terraform"
    script.write_text(f'#!/bin/sh\nexec {_ENVIRONMENT}/bin/python {_TOOLS}/terraform "$@"\n')
    script.chmod(0o755)
    return folder


def copied(folder: Path) -> Path:
    """Return a copy of the module below `folder`, without what a deployment has left in it."""
    shutil.copytree(MODULE, folder / "module", ignore=_STATE)
    return folder / "module"


@contextmanager
def stub_provider() -> Iterator[str]:
    """Serve the schema of provider 6.69; gives what Terraform needs to find it."""
    command = [_ENVIRONMENT / "bin" / "python", _TOOLS / "stub_provider", _TOOLS / "provider-aws-6.69.json"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield process.stdout.readline()
        finally:
            process.stdin.close()
            process.wait(20)


def unpack_old_provider(folder: Path) -> str:
    """Unpack provider 3.39 below `folder`, and return the configuration that has Terraform take it from there."""
    (packed,) = _ENVIRONMENT.glob(f"lib/python3*/site-packages/cloudrail/terraform_plugins/{_OLD}")
    place = folder / "registry.terraform.io/hashicorp/aws/3.39.0/linux_amd64"
    with zipfile.ZipFile(packed) as archive:
        archive.extractall(place)
    for each in place.iterdir():
        each.chmod(0o755)
    return f'provider_installation {{\n  filesystem_mirror {{\n    path = "{folder}"\n  }}\n}}\n'


def make_old(module: Path, aws: str) -> None:
    """Change the copy of a module to what provider 3.39 knows, and to an AWS at `aws`."""
    _edit(module / "table.tf", "  deletion_protection_enabled = var.deletion_protection\n", "")
    _edit(module / "policies.tf", "aws_region.current.region", "aws_region.current.name")
    _edit(module / "endpoint.tf", '  ip_address_type = "dualstack"\n', "")
    _edit(module / "outputs.tf", ", aws_lambda_function_url.endpoint[*].function_url", "")
    (module / "function_url.tf").unlink()
    function = (module / "function" / "main.tf").read_text()
    (logging,) = re.findall(r"^  logging_config \{.*?^  \}\n", function, re.DOTALL | re.MULTILINE)
    _edit(module / "function" / "main.tf", logging, "")
    required = (
        'terraform {\n  required_providers {\n    aws = { source = "hashicorp/aws", version = "3.39.0" }\n  }\n}\n'
    )
    services = ("apigateway", "dynamodb", "cloudwatchevents", "cloudwatchlogs", "ec2", "iam", "lambda", "sts")
    endpoints = "".join(f'    {each} = "{aws}"\n' for each in services)
    (module / "function" / "old_override.tf").write_text(
        required + 'resource "aws_lambda_function" "this" { runtime = "python3.8" }\n'
    )
    (module / "old_override.tf").write_text(
        required
        + f"""
provider "aws" {{
  region                      = "eu-west-1"
  access_key                  = "test"
  secret_key                  = "test"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = true
  skip_region_validation      = true
  skip_get_ec2_platforms      = true
  endpoints {{
{endpoints}  }}
}}
"""
    )


def _edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert text.count(old) == 1, f"{path.name} has not {old!r} once"
    path.write_text(text.replace(old, new))
