"""The workflow that publishes a version does so for the tag of that version alone, and with no more rights."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from ddns_updater import __version__

_TOP = Path(__file__).parents[2]
_TEXT = (_TOP / ".github" / "workflows" / "release.yml").read_text()
_WORKFLOW: dict[Any, Any] = yaml.safe_load(_TEXT)
_BUILD, _PUBLISH = _WORKFLOW["jobs"]["build"], _WORKFLOW["jobs"]["publish"]


def _named(name: str) -> dict[str, Any]:
    (step,) = [each for each in _BUILD["steps"] if each.get("name") == name]
    return dict(step)


def test_only_a_tag_of_a_version_starts_it() -> None:
    assert _WORKFLOW[True] == {"push": {"tags": ["v*"]}}  # YAML 1.1 takes `on` for true


def test_a_job_has_the_rights_that_it_needs_and_only_the_one_that_runs_no_code_of_ours_may_publish() -> None:
    assert _WORKFLOW["permissions"] == {}
    assert _BUILD["permissions"] == {"contents": "read"}
    assert _PUBLISH["permissions"] == {"id-token": "write"}
    assert (_PUBLISH["needs"], _PUBLISH["environment"]) == ("build", "pypi")
    assert not any("run" in step for step in _PUBLISH["steps"])
    assert "secrets." not in _TEXT  # trusted publishing needs none


def test_every_action_is_pinned_to_a_commit() -> None:
    used = [step["uses"] for job in (_BUILD, _PUBLISH) for step in job["steps"] if "uses" in step]
    assert len(used) == 5
    assert all(re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", each) for each in used)
    assert len(re.findall(r"@[0-9a-f]{40} # v\d+\.\d+\.\d+$", _TEXT, re.MULTILINE)) == len(used)


@pytest.mark.parametrize(
    ("tag", "status"), [(f"v{__version__}", 0), (f"v{__version__}rc1", 1), (__version__, 1), ("v$(id)", 1)]
)
def test_the_tag_has_to_be_the_version(tmp_path: Path, tag: str, status: int) -> None:
    step = _named("Compare the tag with the version")
    assert step["env"] == {"TAG": "${{ github.ref_name }}"}
    assert "${{" not in step["run"]  # a tag is no code
    (tmp_path / "python").symlink_to(sys.executable)
    done = subprocess.run(
        ["sh", "-e", "-c", step["run"]],
        cwd=_TOP,
        env={"TAG": tag, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (status, "")
    assert (f"::error::the tag is {tag}, but ddns_updater/__init__.py says {__version__}" in done.stdout) == bool(
        status
    )


def test_what_is_published_was_tested_built_and_checked_before() -> None:
    lines = "\n".join(step.get("run", step.get("uses", "")) for step in _BUILD["steps"])
    order = [
        "make check",
        "-m build",
        "twine check --strict dist/*",
        "check-wheel-contents dist/*.whl",
        "upload-artifact",
    ]
    places = [lines.index(each) for each in order]
    assert places == sorted(places)
    assert _PUBLISH["steps"][0]["uses"].startswith("actions/download-artifact@")


def test_the_tools_of_the_workflow_are_those_of_the_makefile() -> None:
    makefile = (_TOP / "Makefile").read_text()
    (made,) = re.findall(r"^\t(\S+)/bin/pip install --quiet build check-wheel-contents .*twine", makefile, re.MULTILINE)
    assert set(re.findall(r"(\S+)/bin/(?:python|twine|check-wheel-contents)", _TEXT)) == {made}
    assert re.search(r"^check: .*\n(\t.*\n)*\t.* systems$", makefile, re.MULTILINE)  # systems makes them
