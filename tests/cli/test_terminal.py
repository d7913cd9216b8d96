"""`--log-format json`: every message is one JSON object on a line of its own."""

import json
import signal
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.support.aws import refuse
from tests.support.command import finish
from tests.support.machine import Machine
from tests.support.services import answer


def objects(text: str) -> list[dict[str, Any]]:
    """Return the objects of the lines of `text`; each has a time in UTC, a level and a message."""
    found = [json.loads(line) for line in text.splitlines()]
    for each in found:
        assert datetime.fromisoformat(each["time"]).utcoffset() == timedelta(0)
        assert each["level"] in ("info", "warning", "error")
        assert each["message"]
    return found


def test_a_result_is_an_object_on_stdout(small_machine: Machine) -> None:
    small_machine.init()
    done = small_machine.ddns("--log-format", "json", "run")
    (line,) = objects(done.out)
    assert (line["level"], line["outcome"], line["name"], done.err) == ("info", "updated", "line", "")
    assert line["message"].startswith("updated: 9.9.9.9 is version 1 of line; ")


ABOUT = {"address": "9.9.9.9", "version": 1, "records": ["home.example.com A"]}


def about(line: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a line that say what it is about."""
    return {field: line[field] for field in ("address", "version", "records") if field in line}


def test_what_a_line_is_about_stands_in_fields_of_their_own(machine: Machine) -> None:
    machine.init()
    done = machine.ddns("-v", "--log-format", "json", "run")
    (result,) = objects(done.out)
    assert about(result) == ABOUT
    log = objects(done.err)
    assert [about(each) for each in log if each["message"].endswith(" says 9.9.9.9")] == [{"address": "9.9.9.9"}]
    latest = {"address": "9.9.9.9", "version": 1}
    assert [about(each) for each in log if each["message"].startswith("the latest version")] == [latest]
    of_record = [each for each in log if "home.example.com A" in each["message"]]
    assert len(of_record) >= 6
    assert all(about(each) == ABOUT for each in of_record)


def test_a_warning_and_a_failure_have_these_fields_too(small_machine: Machine) -> None:
    small_machine.init()
    small_machine.run()
    small_machine.aws.put_address(small_machine.zone_id, "home.example.com", "8.8.4.4")
    done = small_machine.ddns("--log-format", "json", "run", "--recheck")
    (warning,) = objects(done.err)
    assert warning["message"] == "home.example.com A held 8.8.4.4 with TTL 60; it is being repaired"
    assert (about(warning), warning["family"]) == (ABOUT, "ipv4")
    small_machine.aws.fault("ChangeResourceRecordSets", refuse("AccessDenied"))
    small_machine.service.address = "1.1.1.1"
    (failure,) = objects(small_machine.ddns("--log-format", "json", "run").err)
    assert (failure["level"], failure["outcome"]) == ("error", "failed")
    assert about(failure) == ABOUT | {"address": "1.1.1.1", "version": 2}


def test_a_failure_and_a_warning_are_objects_on_stderr(small_machine: Machine) -> None:
    small_machine.init()
    small_machine.service.play = answer("busy", "503 Service Unavailable")
    done = small_machine.ddns("--log-format", "json", "run", DDNS_STATE_FOLDER="/dev/null/here")
    warning, error = objects(done.err)
    assert (done.status, done.out) == (1, "")
    assert (warning["level"], error["level"], error["outcome"]) == ("warning", "error", "failed")
    assert warning["message"].startswith("failed to write /dev/null/here/")


@pytest.mark.parametrize(
    ("arguments", "changes", "count"),
    [
        (("run", "--nothing"), {}, 1),
        (("history", "--limit", "0"), {}, 1),
        (("run",), {"DDNS_TTL": "soon", "DDNS_RECORDS": "-"}, 2),
        (("history",), {}, 1),
    ],
)
def test_errors_are_objects_too_one_for_each(
    small_machine: Machine, arguments: tuple[str, ...], changes: dict[str, str], count: int
) -> None:
    done = small_machine.ddns("--log-format", "json", *arguments, **changes)
    found = objects(done.err)
    assert done.status in (1, 2)
    assert [each["level"] for each in found] == ["error"] * count
    assert not any(each["message"].startswith("error") for each in found)


def test_the_log_is_objects_that_name_their_logger(small_machine: Machine) -> None:
    small_machine.init()
    done = small_machine.ddns("-v", "--log-format", "json", "run")
    log = objects(done.err)
    assert {each["logger"].partition(".")[0] for each in log} == {"ddns_updater"}
    assert any(each["message"].endswith("says 9.9.9.9") for each in log)


def test_the_json_result_stays_the_same(small_machine: Machine) -> None:
    small_machine.init()
    done = small_machine.ddns("--log-format", "json", "run", "--json")
    assert done.json["results"][0]["outcome"] == "updated"


def test_a_watch_writes_an_object_after_each_run(small_machine: Machine) -> None:
    small_machine.init()
    process = small_machine.start("--log-format", "json", "watch", "--every", "1")
    assert process.stdout
    first, second = (objects(process.stdout.readline())[0] for _ in range(2))
    process.send_signal(signal.SIGTERM)
    assert finish(process).status == 0
    assert (first["outcome"], second["outcome"]) == ("updated", "unchanged")


def test_without_it_lines_are_text(small_machine: Machine) -> None:
    small_machine.init()
    assert small_machine.ddns("--log-format", "text", "run").out.startswith("updated: ")


def test_the_output_of_init_is_objects(small_machine: Machine) -> None:
    done = small_machine.ddns("--log-format", "json", "init", "--name", "line", "--ip", "9.9.9.9")
    place, schema, created = objects(done.out)
    assert place["message"] == f"database: {small_machine.database.file}"
    assert schema["message"].endswith(" migrations applied")
    assert created["message"] == "created origin line: version 1 is 9.9.9.9"
    assert (created["name"], created["address"], created["version"]) == ("line", "9.9.9.9", 1)
    (again,) = objects(small_machine.ddns("--log-format", "json", "init", "--name", "line").out)[1:]
    assert (again["name"], again["address"], again["version"]) == ("line", "9.9.9.9", 1)
