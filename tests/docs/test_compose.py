"""The example for Docker Compose has its form, says the same as the Dockerfile, and its secrets are settings."""

import re
import shlex
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
import yaml

from ddns_updater.settings.variables import SETTINGS, default_settings
from tests.docs.test_contrib import NOBODY, STATE, last_stage
from tests.docs.test_contrib import SETTINGS as ENV_FILE
from tests.support.database import load_settings_with

_CONTRIB = Path(__file__).parents[2] / "contrib"
_TEXT = (_CONTRIB / "compose.yaml").read_text()
_OFFERED = re.sub(
    r"^( +)#(?=\S)", r"\1", re.sub(r"^( +)#(?=  \S)", r"\1", _TEXT, flags=re.MULTILINE), flags=re.MULTILINE
)
_DOCKERFILE = (_CONTRIB / "Dockerfile").read_text()

# The form of each key, as the Compose Specification has it; other keys are not used here.
_TOP_LEVEL = {"name": str, "services": dict, "volumes": dict, "secrets": dict}
_SERVICE = {
    "image": str,
    "build": dict,
    "restart": str,
    "stop_grace_period": str,
    "env_file": str,
    "environment": dict,
    "secrets": list,
    "volumes": list,
    "read_only": bool,
    "tmpfs": str,
    "user": str,
    "cap_drop": list,
    "security_opt": list,
}

both = pytest.mark.parametrize("text", [_TEXT, _OFFERED], ids=["as it is", "with all that is offered"])


def _service(text: str) -> dict[str, Any]:
    service: dict[str, Any] = yaml.safe_load(text)["services"]["ddns"]
    return service


@both
def test_every_key_has_the_form_of_the_specification(text: str) -> None:
    whole = yaml.safe_load(text)
    assert {key: type(value) for key, value in whole.items()} == _TOP_LEVEL
    assert {key: type(value) for key, value in _service(text).items()} == _SERVICE
    assert list(whole["services"]) == ["ddns"]
    assert all(isinstance(each, str) for each in _service(text)["environment"].values())
    assert all(set(each) == {"file"} for each in whole["secrets"].values())


def test_the_container_has_no_right_that_it_does_not_need_and_keeps_its_state() -> None:
    service, image = _service(_TEXT), last_stage()
    assert service["user"] == image["USER"] == f"{NOBODY}:{NOBODY}"
    assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
    assert service["security_opt"] == ["no-new-privileges:true"]
    (volume,) = service["volumes"]
    assert volume.partition(":")[2] == image["VOLUME"] == STATE
    assert list(yaml.safe_load(_TEXT)["volumes"]) == [volume.partition(":")[0]]
    assert not {"entrypoint", "command", "privileged", "network_mode"} & set(service)  # those of the image


def test_it_is_started_and_stopped_as_the_dockerfile_says() -> None:
    service = _service(_TEXT)
    (line,) = re.findall(r"^#   docker run (.*)$", _DOCKERFILE, re.MULTILINE)
    words = shlex.split(line)
    assert "--read-only" in words
    for option, value in (
        ("--tmpfs", service["tmpfs"]),
        ("--cap-drop", service["cap_drop"][0]),
        ("-v", service["volumes"][0]),
    ):
        assert words[words.index(option) + 1] == value
    assert words[-1] == service["image"]
    assert f"docker stop --time {service['stop_grace_period'].removesuffix('s')}`" in _DOCKERFILE
    assert int(service["stop_grace_period"].removesuffix("s")) > default_settings().run_timeout


@both
def test_it_is_built_from_the_checkout(text: str) -> None:
    build = _service(text)["build"]
    context = (_CONTRIB / build["context"]).resolve()
    assert (context / build["dockerfile"]).samefile(_CONTRIB / "Dockerfile")
    assert set(build.get("args", {})) <= set(re.findall(r"^ARG (\w+)=", _DOCKERFILE, re.MULTILINE))
    assert _service(text)["env_file"] == ENV_FILE


@both
def test_every_secret_is_declared_given_and_read_by_a_setting(text: str) -> None:
    service, declared = _service(text), yaml.safe_load(text)["secrets"]
    assert list(declared) == service["secrets"]
    read = {str(PurePosixPath(path).relative_to("/run/secrets")): name for name, path in service["environment"].items()}
    assert list(read) == service["secrets"]
    known = {f"{each.variable}_FILE" for each in SETTINGS if each.is_secret} | {"AWS_SHARED_CREDENTIALS_FILE"}
    assert set(read.values()) <= known
    for secret in declared.values():
        assert PurePosixPath(secret["file"]).parent == PurePosixPath(ENV_FILE).parent
    assert len(declared) == (3 if text == _OFFERED else 1)


def test_a_secret_of_the_container_is_a_setting(tmp_path: Path) -> None:
    examples = {f"{each.variable}_FILE": each.example for each in SETTINGS if each.is_secret}
    examples["DDNS_DATABASE_URL_FILE"] = "mysql://ddns:secret@db.example.com:3306/app"
    for name, path in _service(_OFFERED)["environment"].items():
        if name.startswith("DDNS_"):
            file = tmp_path / PurePosixPath(path).name
            file.write_text(f"{examples[name]}\n")
            file.chmod(0o400)
            given = load_settings_with({name: str(file)})
            assert given == load_settings_with({name.removesuffix("_FILE"): examples[name]})
            assert given != default_settings()


def test_the_file_of_a_secret_is_one_that_nobody_can_read() -> None:
    (words,) = [shlex.split(line) for line in re.findall(r"^#   (install .*)$", _TEXT, re.MULTILINE)]
    assert words[:-2] == ["install", "-m", "400", "-o", NOBODY, "-g", NOBODY]
    assert words[-1] == yaml.safe_load(_TEXT)["secrets"]["aws"]["file"]
