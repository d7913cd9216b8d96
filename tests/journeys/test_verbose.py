"""`ddns -v run`: enough for a debug session by mail, and no secret in any line."""

import json
import re
import sys
from collections import Counter
from typing import Any

import pytest

from ddns_updater import __version__
from tests.support.aws import cut, pending, refuse
from tests.support.machine import AWS, Machine
from tests.support.receivers import SECRET, Receiver, receiving
from tests.support.services import answer


def log(machine: Machine, *arguments: str, **changes: Any) -> list[str]:
    """Return the log of a run without the times of its lines."""
    return logged(machine.ddns("-v", "run", *arguments, **changes).err)


def logged(text: str) -> list[str]:
    lines = text.splitlines()
    return [line.split(" ", 2)[2] for line in lines if re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} ", line)]


def test_it_begins_with_the_program_and_its_settings(small_machine: Machine) -> None:
    small_machine.init()
    (small_machine.folder / ".env").write_text("DDNS_TTL=77\n")
    program, settings, *_ = log(small_machine)
    assert program == f"ddns {__version__} on Python {sys.version.partition(' ')[0]}, {sys.platform}"
    assert settings.startswith(f"settings files: {small_machine.folder}/.env; ")
    assert "ttl=77" in settings


def test_each_request_to_route_53_and_its_answer_is_a_line(machine: Machine) -> None:
    machine.init()
    lines = log(machine)
    asked = Counter(found[1] for line in lines if (found := re.match(r"asking Route 53: (\w+)\(", line)))
    answered = Counter(
        found[1] for line in lines if (found := re.match(r"Route 53 answered (\w+) after \d+ ms: ", line))
    )
    assert asked == answered == machine.aws.count()
    assert set(asked) == {"ListHostedZones", "ListResourceRecordSets", "ChangeResourceRecordSets", "GetChange"}
    text = "\n".join(lines)
    assert f"1 HostedZones (/hostedzone/{machine.zone_id} example.com.)" in text
    assert f"ListResourceRecordSets(HostedZoneId={machine.zone_id}, StartRecordName=home.example.com, " in text
    assert "ChangeInfo.Status=INSYNC" in text


def test_each_change_is_a_line(machine: Machine) -> None:
    machine.init()
    machine.run()
    machine.service.address = "1.1.1.1"
    change = machine.aws.next_change_id
    lines = log(machine)
    steps = [
        "the latest version of line is 1, 9.9.9.9",
        "the recorded version of line is 2, 1.1.1.1",
        "due to be published: home.example.com A",
        f"home.example.com A in hosted zone {machine.zone_id} holds 9.9.9.9 with TTL 60",
        "home.example.com A is pending",
        f"home.example.com A in hosted zone {machine.zone_id} is being set to 1.1.1.1, TTL 60",
        f"home.example.com A is submitted (change {change})",
        f"change {change} is in sync",
        f"home.example.com A in hosted zone {machine.zone_id} holds 1.1.1.1 with TTL 60",
        f"home.example.com A is verified (change {change})",
    ]
    assert [line for line in lines if line in steps] == steps
    assert machine.database.versions() == [(1, "9.9.9.9"), (2, "1.1.1.1")]
    assert machine.aws.address(machine.zone_id) == "1.1.1.1"


def test_a_dry_run_says_what_would_be_set(small_machine: Machine) -> None:
    small_machine.init()
    lines = log(small_machine, "--dry-run")
    assert f"home.example.com A in hosted zone {small_machine.zone_id} would be set to 9.9.9.9, TTL 60" in lines
    assert small_machine.aws.address(small_machine.zone_id) is None


def test_each_wait_is_a_line(small_machine: Machine) -> None:
    small_machine.init()
    small_machine.aws.fault("GetChange", pending, times=1)
    change = small_machine.aws.next_change_id
    assert log(small_machine).count(f"waiting 1 s for change {change} to be in sync") == 1
    small_machine.aws.fault("GetChange", pending)
    small_machine.service.address = "1.1.1.1"
    change = small_machine.aws.next_change_id
    lines = log(small_machine, DDNS_VERIFY_TIMEOUT="0")
    assert f"there is no time left to wait for change {change} to be in sync" in lines


def test_a_source_is_named_before_it_is_asked_and_after_it_failed(small_machine: Machine) -> None:
    small_machine.init()
    small_machine.service.play = answer("busy", "503 Service Unavailable")
    lines = log(small_machine)
    asking = next(place for place, line in enumerate(lines) if line.startswith(f"asking {small_machine.service.url} "))
    assert lines[asking + 1].startswith(f"{small_machine.service.url}: ")


def test_a_try_that_failed_and_a_refusal_are_lines_with_their_codes(small_machine: Machine) -> None:
    small_machine.init()
    small_machine.aws.fault("ListHostedZones", cut, times=1)
    small_machine.aws.fault("ListResourceRecordSets", refuse("Throttling", status=400), times=1)
    small_machine.aws.fault("ChangeResourceRecordSets", refuse("AccessDenied", "not you", 403))
    text = "\n".join(log(small_machine))
    assert "try 1 of ListHostedZones failed: ConnectionClosedError" in text
    assert "try 1 of ListResourceRecordSets failed: Throttling" in text
    assert re.search(r"Route 53 answered ChangeResourceRecordSets after \d+ ms: status 403, AccessDenied", text)
    assert (
        "home.example.com A is failed: failed to change home.example.com A: AWS answered AccessDenied: not you" in text
    )


def test_aws_that_does_not_answer_is_a_line(small_machine: Machine) -> None:
    small_machine.init()
    small_machine.aws.fault("ListHostedZones", cut)
    lines = log(small_machine)
    assert any(re.fullmatch(r"no answer after \d+ ms: ConnectionClosedError", line) for line in lines)
    assert [line for line in lines if line.startswith("try ")] == [
        f"try {number} of ListHostedZones failed: ConnectionClosedError" for number in (1, 2, 3)
    ]


def test_each_alert_and_ping_is_a_line(small_machine: Machine, receiver: Receiver) -> None:
    small_machine.init()
    small_machine.run()
    small_machine.service.address = "1.1.1.1"
    with receiving() as service:
        done = small_machine.process(
            "-v",
            "run",
            DDNS_WEBHOOK_URLS=receiver.url,
            DDNS_NOTIFY_URLS=service.url.replace("http", "json"),
            DDNS_HEARTBEAT_URL=receiver.url,
            PYTHONWARNINGS="error,ignore::DeprecationWarning",  # apprise looks for a module that is on its way out
        )
    lines = logged(done.err)
    ours = ["sending a POST request to http://127.0.0.1/…", "http://127.0.0.1/… answered with status 200"]
    assert [line for line in lines if "127.0.0.1/…" in line and "settings" not in line] == [*ours, *ours]
    assert lines[-2:] == ["sending to json://…", "json://… accepted it"]


@pytest.mark.parametrize("arguments", [("run",), ("run", "--json"), ("--log-format", "json", "run")])
@pytest.mark.parametrize("play", [None, answer("", "500 No")])
def test_no_line_holds_a_secret(
    small_machine: Machine, receiver: Receiver, arguments: tuple[str, ...], play: Any
) -> None:
    machine = small_machine
    with_login = receiver.base.replace("://", f"://me:{SECRET}@")
    machine.environment |= {
        "AWS_SESSION_TOKEN": SECRET,
        "DDNS_IP_SOURCES": machine.service.url.replace("://", f"://me:{SECRET}@") + f"?key={SECRET}",
        "DDNS_WEBHOOK_URLS": f"{with_login}/{SECRET}?key={SECRET},slack+{with_login}/{SECRET}",
        "DDNS_NOTIFY_URLS": f"{with_login.replace('http', 'json')}/{SECRET}",
        "DDNS_HEARTBEAT_URL": f"{receiver.base}/{SECRET}?key={SECRET}",
        "PYTHONWARNINGS": "error,ignore::DeprecationWarning",  # as above
    }
    machine.database.seed("9.9.9.9")
    (machine.folder / ".env").write_text(f"AWS_SECRET_ACCESS_KEY={SECRET}\n")
    receiver.play = play
    shown = ""
    for address, fault in (
        ("9.9.9.9", None),
        ("1.1.1.1", None),
        ("8.8.8.8", refuse("SignatureDoesNotMatch", "no", 403)),
    ):
        machine.service.address = address
        if fault:
            machine.aws.fault("ChangeResourceRecordSets", fault)
        done = machine.process("-v", *arguments)
        shown += done.out + done.err
    assert "asking Route 53: " in shown
    assert "sending to json://" in shown
    assert shown.count("sending a POST request") >= 3
    assert SECRET not in shown
    assert AWS["AWS_SECRET_ACCESS_KEY"] not in shown
    if "--log-format" in arguments:
        assert all(json.loads(line)["message"] for line in shown.splitlines())


def test_without_the_option_nothing_is_logged(small_machine: Machine) -> None:
    small_machine.init()
    assert small_machine.ddns("run").err == ""
