"""contrib/terraform: its form, and its policies."""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ddns_updater.app import iam_policy as iam
from ddns_updater.settings.settings import Settings
from tests.support.database import load_settings_with
from tests.support.policies import listed
from tests.support.terraform import MODULE, Terraform, copied, needs_terraform, stub_provider
from tests.support.zipped import BUILD

pytestmark = needs_terraform

INSTANCE, OTHER, ZONE = "i-0123456789abcdef0", "i-0123456789abcdef1", "ZONE1"
DATABASE = "dynamodb://ddns?region=eu-west-1"


@pytest.fixture(scope="module")
def stub() -> Iterator[str]:
    """Give the address of a provider that is a schema and nothing else."""
    with stub_provider() as address:
        yield address


@pytest.fixture
def module(stub: str, tmp_path: Path) -> Terraform:
    """Give Terraform on a copy of the module, with the schema of a new provider."""
    terraform = Terraform(copied(tmp_path), "", TF_REATTACH_PROVIDERS=stub)
    terraform.do("init")
    return terraform


def statements(policy: Any) -> list[str]:
    """Return the statements of a policy in a form and order that can be compared."""
    return sorted(
        json.dumps(
            {key: sorted(listed(each[key])) if key in ("Action", "Resource") else each[key] for key in each},
            sort_keys=True,
        )
        for each in policy["Statement"]
    )


def settings_for(instances: dict[str, list[str]], **settings: str) -> Settings:
    """Return the settings with which `ddns iam-policy` knows all that one function follows."""
    return load_settings_with(
        {
            "DDNS_DATABASE_URL": DATABASE,
            "DDNS_IP_SOURCES": ",".join(f"ec2:{each}" for each in instances),
            "DDNS_RECORDS": ",".join(name for names in instances.values() for name in names),
            **settings,
        }
    )


def deployed(module: Terraform, job: str, **variables: Any) -> Any:
    """Return the policy of a function with these variables."""
    test = module.folder / "tests" / "one.tftest.hcl"
    begin = (MODULE / "tests" / f"{job}.tftest.hcl").read_text().split("variables {")[0]
    values = "".join(f"  {name} = {json.dumps(value)}\n" for name, value in variables.items())
    test.write_text(f'{begin}variables {{\n  zip = "versions.tf"\n{values}}}\nrun "it" {{}}\n')
    return json.loads(module.outputs("tests/one.tftest.hcl")[f"{job}_policy"])


def test_every_file_is_formatted_as_terraform_does_it(tmp_path: Path) -> None:
    assert Terraform(copied(tmp_path), "").do("fmt", "-check", "-recursive") == ""


def test_the_module_and_its_examples_are_valid_with_a_new_provider(module: Terraform) -> None:
    assert "is valid" in module.do("validate")
    for job in ("follow", "endpoint"):
        example = Terraform(module.folder / "examples" / job, "", **module.environment)
        shutil.copy(module.folder / "versions.tf", example.folder / "ddns.zip")
        example.do("init")
        assert "is valid" in example.do("validate")


@pytest.mark.parametrize("job", ["follow", "endpoint"])
def test_an_example_says_how_its_zip_is_built(job: str) -> None:
    example = MODULE / "examples" / job
    text = (example / "main.tf").read_text()
    (command, out) = re.findall(r"# Build the zip first: (\S+) (\S+)\n", text)[0]
    assert (example / command).resolve() == BUILD
    assert f'"${{path.module}}/{out}"' in text


def test_an_argument_that_the_provider_does_not_know_is_found(module: Terraform) -> None:
    table = module.folder / "table.tf"
    table.write_text(table.read_text().replace("deletion_protection_enabled", "deletion_protection_on"))
    done = module.run("validate")
    assert done.returncode == 1
    assert '"deletion_protection_on" is not expected here' in done.stdout + done.stderr


def test_the_tests_of_the_module_pass(module: Terraform) -> None:
    assert "0 failed" in module.do("test")


@pytest.mark.parametrize(
    ("instances", "families", "zones"),
    [
        ({INSTANCE: ["home.example.com"]}, ["ipv4"], [ZONE]),
        (
            {OTHER: ["www.example.com", "*.example.com"], INSTANCE: ["_x.example.com", "a.example.com"]},
            ["ipv4", "ipv6"],
            [ZONE, "ZONE2"],
        ),
    ],
)
def test_the_function_that_follows_may_do_what_the_program_says_it_needs(
    module: Terraform, instances: dict[str, list[str]], families: list[str], zones: list[str]
) -> None:
    settings = settings_for(instances, DDNS_IP_FAMILIES=",".join(families), DDNS_HOSTED_ZONE_ID=",".join(zones))
    policy = deployed(module, "follow", instances=instances, ip_families=families, hosted_zone_ids=zones)
    assert statements(policy) == statements(iam.policy_of(settings))


@pytest.mark.parametrize("names", [["*.dyn.example.com", "a.example.com"], ["a.example.com", "b.example.com"]])
def test_the_endpoint_may_do_what_the_program_says_it_needs(module: Terraform, names: list[str]) -> None:
    settings = load_settings_with({"DDNS_DATABASE_URL": DATABASE, "DDNS_HOSTED_ZONE_ID": ZONE})
    policy = deployed(module, "endpoint", endpoint=True, host_names=names, hosted_zone_ids=[ZONE])
    assert statements(policy) == statements(iam.policy_of(settings, hosts=names))


def test_a_function_may_read_the_parameters_that_are_named_as_the_program_says_it_needs(module: Terraform) -> None:
    names = {"webhook_urls_parameter": "/ddns/webhook-urls", "heartbeat_url_parameter": "ping"}
    instances = {INSTANCE: ["home.example.com"]}
    policy = deployed(module, "follow", instances=instances, hosted_zone_ids=[ZONE], **names)
    named = {name.removesuffix("_parameter"): value for name, value in names.items()}
    settings = settings_for(instances, DDNS_HOSTED_ZONE_ID=ZONE)._replace(parameters=named)
    assert statements(policy) == statements(iam.policy_of(settings))
