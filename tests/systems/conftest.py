"""Tests that need programs beyond the database, such as a name server or a container: `make systems` runs them.

They are left out of `make test`, which needs nothing but Python and a MySQL-compatible server. Each group of programs
has a target of its own in the Makefile, and each server is started once, by a fixture of the session.
"""

import zipfile
from pathlib import Path

import pytest

from tests.support.terraform import unpack_old_provider
from tests.support.zipped import build


@pytest.fixture(scope="session")
def zipped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the zip for AWS Lambda."""
    out = tmp_path_factory.mktemp("lambda") / "ddns.zip"
    build(out)
    return out


@pytest.fixture(scope="session")
def old_provider(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Give the configuration of Terraform for a real provider, which is old and only for Linux on x86_64."""
    return unpack_old_provider(tmp_path_factory.mktemp("provider"))


@pytest.fixture
def function(zipped: Path, tmp_path: Path) -> Path:
    """Give the folder of a function: the zip, unpacked as Lambda does."""
    folder = tmp_path / "function" / "task"
    with zipfile.ZipFile(zipped) as archive:
        archive.extractall(folder)
    return folder
