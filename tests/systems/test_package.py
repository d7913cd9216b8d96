"""The package that is published: what is in it, what stays out, and that it runs where nothing else is."""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path
from site import getsitepackages
from typing import NamedTuple
from venv import EnvBuilder

import pytest

from ddns_updater import __version__
from tests.package.share import share

_TOP = Path(__file__).parents[2]
_TOOLS = Path(sys.prefix) / "tools" / "bin"  # `make .venv/package` makes it
_NAME = f"ddns53-{__version__}"
_OF_THE_REPOSITORY = {".ci/run"}  # files that are of no use without it
_IGNORED = shutil.ignore_patterns(".git", ".venv", ".*_cache", ".hypothesis", "__pycache__", "dist")
_STRAY = ("notes.txt", "ddns.sqlite3", ".env", ".env.production", "contrib/.env", "tests/__pycache__/old.pyc")


class Package(NamedTuple):
    """Both forms of the package."""

    sdist: Path
    wheel: Path

    @property
    def sources(self) -> set[str]:
        """Return the names of the files in the sdist."""
        with tarfile.open(self.sdist) as archive:
            return {each.name.removeprefix(f"{_NAME}/") for each in archive if each.isfile()}

    @property
    def installed(self) -> set[str]:
        """Return the names of the files in the wheel."""
        return set(zipfile.ZipFile(self.wheel).namelist())

    @property
    def metadata(self) -> Message:
        """Return what a package index shows."""
        return Parser().parsestr(zipfile.ZipFile(self.wheel).read(f"{_NAME}.dist-info/METADATA").decode())


def output(*command: str | Path, **environment: str) -> str:
    done = subprocess.run(
        command, env={"PATH": "/usr/bin:/bin", **environment}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> Package:
    """Give the package, built from a checkout in which other files lie about: the sdist, and the wheel from it."""
    folder = tmp_path_factory.mktemp("package")
    shutil.copytree(_TOP, folder / "checkout", ignore=_IGNORED)
    for each in _STRAY:
        path = folder / "checkout" / each
        path.parent.mkdir(exist_ok=True)
        path.write_text("DDNS_DATABASE_URL=mysql://ddns:secret@db.example.com/app\n")
    output(_TOOLS / "python", "-m", "build", "--no-isolation", "--outdir", folder, folder / "checkout")
    return Package(folder / f"{_NAME}.tar.gz", folder / f"{_NAME}-py3-none-any.whl")


@pytest.fixture(scope="session")
def environment(package: Package, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a fresh environment with the wheel; the libraries are those of the tests, so that no index is asked."""
    folder = tmp_path_factory.mktemp("environment")
    EnvBuilder(symlinks=True).create(folder)
    python = folder / "bin" / "python"
    output(sys.executable, "-m", "pip", "--python", python, "install", "--no-index", "--no-deps", package.wheel)
    (site,) = folder.glob("lib/python3*/site-packages")
    (site / "libraries.pth").write_text("\n".join(getsitepackages()))
    return folder


def _repository() -> list[Path]:
    """Return the files that are kept under version control; in an unpacked sdist, the files that came with it."""
    if (_TOP / ".git").exists():
        listed = output("git", "-C", _TOP, "ls-files", HOME=os.environ["HOME"]).splitlines()
        return [_TOP / each for each in listed if (_TOP / each).exists()]  # one may be about to be deleted
    unpacked = [each for each in _TOP.rglob("*.*") if each.is_file()]
    return [each for each in unpacked if not re.search(r"/(\.venv|__pycache__|\.\w+_cache|\.hypothesis)/", str(each))]


def test_the_checks_of_the_package_index_find_nothing(package: Package) -> None:
    output(_TOOLS / "twine", "check", "--strict", *package, NO_COLOR="1")
    output(_TOOLS / "check-wheel-contents", package.wheel)


def test_the_sdist_holds_the_repository_and_nothing_that_lies_about(package: Package) -> None:
    listed = {str(each.relative_to(_TOP)) for each in _repository()}
    assert listed - package.sources == _OF_THE_REPOSITORY & listed
    assert not package.sources & set(_STRAY)


def test_the_wheel_holds_the_program_and_nothing_else(package: Package) -> None:
    program = {str(each.relative_to(_TOP)) for each in (_TOP / "ddns_updater").rglob("*.py")}
    templates = {str(each.relative_to(_TOP)) for each in (_TOP / "ddns_updater" / "output" / "templates").iterdir()}
    migrations = {f"ddns_updater/{each.relative_to(_TOP)}" for each in (_TOP / "migrations").rglob("*.sql")}
    shared = {f"{_NAME}.data/data/share/{each}" for each in share()}
    info = {
        f"{_NAME}.dist-info/{each}" for each in ("METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE")
    }
    assert package.installed == {"ddns_updater/py.typed", *program, *templates, *migrations, *shared, *info}


def test_the_image_is_given_all_that_the_package_is_built_from(package: Package, tmp_path: Path) -> None:
    copied = re.findall(r"^COPY (?!--)(.+) \S+$", (_TOP / "contrib" / "Dockerfile").read_text(), re.MULTILINE)
    for name in " ".join(copied).split():
        (shutil.copytree if (_TOP / name).is_dir() else shutil.copy)(_TOP / name, tmp_path / name)
    output(
        sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "-w", tmp_path / "wheel", tmp_path
    )
    (wheel,) = (tmp_path / "wheel").iterdir()
    assert Package(package.sdist, wheel).installed == package.installed


def test_the_metadata_says_what_an_index_shows(package: Package) -> None:
    found = package.metadata
    with (_TOP / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)["project"]
    assert (found["Name"], found["Version"], found["License-Expression"]) == ("ddns53", __version__, "MIT")
    assert found["Metadata-Version"] == "2.4"  # tools that upload know no newer one
    assert found["Requires-Python"] == project["requires-python"]
    assert found["Summary"] == project["description"]
    assert found["Author"] in (_TOP / "LICENSE").read_text()
    assert found["Description-Content-Type"] == "text/markdown"
    assert found.get_payload() == (_TOP / "README.md").read_text()
    assert set(found.get_all("Classifier", [])) == set(project["classifiers"])
    needed = [each for each in found.get_all("Requires-Dist", []) if "extra ==" not in each]
    assert len(needed) == len(project["dependencies"])
    of_all = [each for each in found.get_all("Requires-Dist", []) if each.endswith("extra == 'all'")]
    assert {each.partition(">")[0] for each in of_all} == {
        *("apprise", "dnspython", "jinja2", "prometheus-client", "pyroute2", "waitress")
    }


def test_the_wheel_runs_where_there_is_no_checkout(environment: Path, tmp_path: Path) -> None:
    def ddns(*arguments: str) -> str:
        return output(environment / "bin" / "ddns", *arguments, HOME=str(tmp_path))

    assert ddns("--version") == f"ddns, version {__version__}\n"
    ddns("init", "--name", "home", "--ip", "9.9.9.9", "--note", "the first")
    assert "9.9.9.9" in ddns("history")
    page = environment / "bin" / "ddns", "status", "--html"
    done = subprocess.run(page, env={"HOME": str(tmp_path)}, capture_output=True, text=True, check=False)
    assert done.returncode == 1  # no run yet
    assert "9.9.9.9" in done.stdout
    where = output(environment / "bin" / "python", "-c", "import ddns_updater; print(ddns_updater.__file__)")
    assert where.startswith(str(environment))


def test_the_wheel_brings_its_manual_page_and_completion(environment: Path) -> None:
    for name, text in share().items():
        assert (environment / "share" / name).read_text() == text


def test_the_advice_for_an_extra_is_about_the_file_that_was_installed(environment: Path, package: Package) -> None:
    script = "from ddns_updater.lib.installation import installed_from; print(installed_from())"
    assert output(environment / "bin" / "python", "-c", script) == f"{package.wheel.as_uri()}\n"
