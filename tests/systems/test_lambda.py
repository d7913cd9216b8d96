"""The zip for AWS Lambda, and AWS's own runtime client that it is for."""

import subprocess
import sys
import zipfile
from pathlib import Path

from tests.support.runtime_api import Returned, RuntimeApi, running_function
from tests.support.zipped import BUILD, build

_PARTS = {"certifi", "charset_normalizer", "ddns_updater", "idna", "requests", "urllib3"}


def test_two_builds_give_the_same_bytes_and_tell_their_size(zipped: Path, tmp_path: Path) -> None:
    out = tmp_path / "again.zip"
    assert build(out).startswith(f"{out}: 0.")
    assert out.read_bytes() == zipped.read_bytes()


def test_the_zip_holds_pure_python_without_the_sdk_and_without_what_only_sql_needs(zipped: Path) -> None:
    names = zipfile.ZipFile(zipped).namelist()
    assert {each.split("/")[0] for each in names if ".dist-info/" not in each} == _PARTS
    assert [each for each in names if each.endswith((".so", ".pyd", ".pyc"))] == []
    assert all("Root-Is-Purelib: true" in _text(zipped, each) for each in names if each.endswith(".dist-info/WHEEL"))
    assert zipped.stat().st_size < 1_000_000


def test_without_the_name_of_a_zip_it_says_how_it_is_called(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, BUILD], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, "usage: contrib/lambda/build OUT.zip\n")


def test_a_function_runs_under_the_runtime_client_of_aws(tmp_path: Path) -> None:
    (tmp_path / "function.py").write_text(
        "def handler(event, context):\n"
        "    assert 0 < context.get_remaining_time_in_millis() <= 20_000\n"
        "    return {'doubled': 2 * event['number']}\n"
    )
    with RuntimeApi(timeout=20) as api, running_function(api, tmp_path, "function.handler", {}):
        assert api.invoke({"number": 21}) == Returned("response", {"doubled": 42})
        failed = api.invoke({})
        assert (failed.kind, failed.value["errorType"]) == ("error", "KeyError")


def _text(archive: Path, name: str) -> str:
    return zipfile.ZipFile(archive).read(name).decode()
