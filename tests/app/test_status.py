"""`ddns status`: one screen from the database and the state file alone, and exit status 1 when something is wrong."""

import fcntl
import json
import os
import re
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ddns_updater.lib.humanize import counted, local_time
from ddns_updater.model import Family, FamilyResult, Outcome, RunResult
from ddns_updater.run.incidents import advance
from ddns_updater.state.run_state import RunState
from ddns_updater.state.status import run_problems
from tests.support.alerting import later
from tests.support.aws import pending, refuse
from tests.support.machine import Machine
from tests.support.receivers import SECRET, Receiver
from tests.support.services import answer
from tests.support.terminal import Terminal, screen


def change_unreported(small_machine: Machine, receiver: Receiver) -> None:
    """Let the address change while the only channel accepts nothing."""
    small_machine.environment["DDNS_WEBHOOK_URLS"] = receiver.url
    small_machine.init()
    small_machine.run()
    receiver.play = answer("", "500 No")
    small_machine.service.address = "1.1.1.1"
    small_machine.run()


def _undelivered(machine: Machine) -> list[Any]:
    """Return what the state file holds of undelivered alerts."""
    found: list[Any] = json.loads(state_file(machine).read_text())["owed"]
    return found


NOW = datetime(2026, 5, 3, 14, 0, tzinfo=UTC)


def files(machine: Machine) -> dict[Path, tuple[int, bytes]]:
    """Return everything below the home folder and the database's."""
    found = [each for each in machine.folder.parent.rglob("*") if each.is_file()]
    return {file: (file.stat().st_mtime_ns, file.read_bytes()) for file in found}


def state_file(machine: Machine) -> Path:
    (file,) = (machine.folder / ".config" / "ddns-updater").glob("runs-*.json")
    return file


def shift(machine: Machine, seconds: float) -> None:
    """Let the runs that are remembered lie so much further back."""
    content = json.loads(state_file(machine).read_text())
    for run_state in content["origins"].values():
        run_state["recent"] = [each - seconds for each in run_state["recent"]]
        run_state["ended"] -= seconds
        del run_state["uptime"]
    state_file(machine).write_text(json.dumps(content))


def test_all_is_well_after_a_run(machine: Machine) -> None:
    machine.init()
    machine.run()
    done = machine.ddns("status")
    lines = done.out.splitlines()
    assert (done.status, done.err) == (0, "")
    assert lines[0] == "all is well"
    assert lines[1].startswith("line, ipv4: 9.9.9.9, version 1, since 20")
    assert lines[2].startswith("  home.example.com A  verified, last seen with 9.9.9.9 at 20")
    assert lines[3].startswith("last run: 20")
    assert lines[3].endswith(" s ago), updated")


def test_it_reads_only_the_database_and_writes_nothing(small_machine: Machine) -> None:
    small_machine.init()
    small_machine.run()
    before, asked, calls = files(small_machine), small_machine.service.requests, len(small_machine.aws.calls)
    for arguments in ((), ("--json",)):
        assert small_machine.ddns("status", *arguments).status == 0
    assert files(small_machine) == before
    assert (small_machine.service.requests, len(small_machine.aws.calls)) == (asked, calls)


def test_its_json_says_the_same(machine: Machine) -> None:
    machine.init()
    machine.run()
    found = machine.ddns("status", "--json").json
    (family,) = found["families"]
    (record,) = family["records"]
    assert (found["ok"], found["problems"], found["name"], found["incident"]) == (True, [], "line", None)
    assert (family["family"], family["address"], family["version"]) == ("ipv4", "9.9.9.9", 1)
    assert (record["name"], record["type"], record["state"], record["error"]) == (
        "home.example.com", "A", "verified", None,
    )  # fmt: skip
    assert found["last_run"]["outcome"] == "updated"
    for text in (family["since"], record["verified_at"], found["last_run"]["time"], found["last_success"]):
        assert datetime.fromisoformat(text).utcoffset() == timedelta(0)


def problems(machine: Machine, **changes: Any) -> list[str]:
    """Return what is wrong, said alike by the text and the JSON."""
    done = machine.ddns("status", "--json", **changes)
    text = machine.ddns("status", **changes)
    found: list[str] = done.json["problems"]
    assert done.json["ok"] is not bool(found)
    assert done.status == text.status == (1 if found else 0)
    verdict, *lines = text.out.splitlines()
    said = [line.removeprefix("- ") for line in lines if line.startswith("- ")]
    assert verdict == (counted(len(found), "problem") if found else "all is well")
    assert lines[: len(said)] == [f"- {line}" for line in said]  # before anything else
    assert [line.partition(" ago")[0] for line in said] == [line.partition(" ago")[0] for line in found]
    return found


def test_an_open_incident_is_wrong_from_its_first_run_on_and_right_again_after_it(small_machine: Machine) -> None:
    small_machine.init()
    small_machine.run()
    small_machine.service.play = answer("busy", "503 Service Unavailable")
    small_machine.run()
    (problem,) = problems(small_machine)
    assert problem.startswith("failing since 20")
    assert ", 1 run: no trustworthy ipv4 address" in problem
    incident = small_machine.ddns("status", "--json").json["incident"]
    assert (incident["failed_runs"], incident["told"]) == (1, 0)
    small_machine.service.play = None
    small_machine.run()
    assert problems(small_machine) == []


def test_a_refused_record_is_wrong_with_its_reason(small_machine: Machine) -> None:
    small_machine.init()
    small_machine.aws.fault("ChangeResourceRecordSets", refuse("AccessDenied"))
    small_machine.run()
    (problem,) = problems(small_machine)
    assert problem.startswith("failing since 20")
    assert ", 1 run: failed to change home.example.com A: AWS answered AccessDenied" in problem
    text = small_machine.ddns("status").out
    assert "  home.example.com A  failed\n" in text
    assert text.count("AccessDenied") == 1


def test_a_line_that_changes_before_dns_follows_is_wrong(machine: Machine) -> None:
    machine.init()
    machine.run()
    machine.aws.fault("GetChange", pending)
    for number in range(1, 4):
        machine.service.address = f"1.1.1.{number}"
        assert machine.run(DDNS_VERIFY_TIMEOUT="0")["outcome"] == "pending"
        later(machine, 240)
        wrong = problems(machine)
        assert bool(wrong) is (number == 3)
    assert wrong == ["home.example.com A is not verified for version 4, 1.1.1.3; the next run tries again"]
    machine.aws.heal()
    machine.run()
    assert problems(machine) == []


def test_a_change_under_way_is_not_wrong_yet_but_is_when_it_does_not_end(machine: Machine) -> None:
    machine.init()
    machine.aws.fault("GetChange", pending)
    machine.run(DDNS_VERIFY_TIMEOUT="0")
    assert problems(machine) == []
    back = "datetime({}, '-11 minutes')" if machine.database.engine == "sqlite" else "{} - INTERVAL 11 MINUTE"
    machine.database.sql(f"UPDATE admin_ip_history SET createdAt = {back.format('createdAt')}")
    assert problems(machine) == []  # it may be due only since its TTL or its zone was changed
    machine.database.sql(
        f"UPDATE admin_dns_publication SET createdAt = {back.format('createdAt')},"
        f" submittedAt = {back.format('submittedAt')}"
    )
    assert problems(machine) == ["home.example.com A is not verified for version 1, 9.9.9.9; the next run tries again"]


def test_a_record_that_was_never_published_is_wrong_in_time(small_machine: Machine) -> None:
    small_machine.init()
    small_machine.run()
    small_machine.database.sql("UPDATE admin_ip_history SET createdAt = datetime(createdAt, '-11 minutes')")
    (problem,) = problems(small_machine, DDNS_RECORDS="home.example.com,new.example.com")
    assert problem.startswith("new.example.com A is not verified")
    assert (
        "new.example.com A   not published yet"
        in small_machine.ddns("status", DDNS_RECORDS="home.example.com,new.example.com").out
    )


def test_runs_that_stopped_coming_are_a_problem(small_machine: Machine) -> None:
    small_machine.init()
    assert problems(small_machine) == ["no run is recorded on this machine; schedule `ddns run` in this user's crontab"]
    small_machine.run()
    shift(small_machine, 3600)
    (problem,) = problems(small_machine)
    assert problem.startswith("the last run was 1 h 0 min ago; check that cron")


@pytest.mark.parametrize(
    ("interval", "age", "wrong"), [(60, 299, 0), (60, 301, 1), (3600, 10_700, 0), (3600, 10_900, 1)]
)
def test_runs_stay_away_when_three_usual_intervals_and_five_minutes_are_over(
    interval: int, age: int, wrong: int
) -> None:
    recent = tuple(NOW - timedelta(seconds=age + interval * back) for back in (4, 3, 2, 1, 0))
    assert len(run_problems(RunState(recent=recent, ended=recent[-1], outcome=Outcome.UNCHANGED), NOW)) == wrong


def test_the_database_may_be_down(small_machine: Machine) -> None:
    small_machine.init()
    small_machine.run()
    file = Path(small_machine.database.url.removeprefix("sqlite:///"))
    file.rename(file.with_suffix(".away"))
    small_machine.run()
    (problem,) = problems(small_machine)
    assert problem.startswith("failing since ")
    assert ": there is no database at " in problem
    found = small_machine.ddns("status", "--json").json
    assert (found["families"], found["last_run"]["outcome"]) == ([], "failed")


def test_an_unreadable_state_file_is_a_problem_and_the_rest_is_shown(small_machine: Machine) -> None:
    small_machine.init()
    small_machine.run()
    state_file(small_machine).write_text('{"program": "another"}')
    done = small_machine.ddns("status")
    assert done.status == 1
    verdict, problem, version, *_ = done.out.splitlines()
    assert verdict == "1 problem"
    assert "is not a file of ddns-updater; move it away" in problem
    assert version.startswith("line, ipv4: 9.9.9.9, version 1")


def test_an_edited_version_is_not_taken_for_verified(small_machine: Machine) -> None:
    small_machine.init()
    small_machine.run()
    small_machine.database.sql("UPDATE admin_ip_history SET ip = '1.1.1.1', createdAt = '2026-01-01'")
    small_machine.database.sql("UPDATE admin_dns_publication SET createdAt = '2026-01-01', submittedAt = '2026-01-01'")
    assert problems(small_machine) == [
        "home.example.com A is not verified for version 1, 1.1.1.1; the next run tries again"
    ]


def test_without_records_it_shows_the_address_alone(small_machine: Machine) -> None:
    small_machine.init()
    small_machine.run(DDNS_RECORDS=None)
    done = small_machine.ddns("status", DDNS_RECORDS=None)
    assert (done.status, done.out.splitlines()[1]) == (0, "no record follows the line: DDNS_RECORDS is not set")


def test_both_families_are_shown_and_one_that_is_not_seeded_is_a_problem(small_machine: Machine) -> None:
    small_machine.init()
    small_machine.run()
    (problem,) = problems(small_machine, DDNS_IP_FAMILIES="ipv4,ipv6")
    assert problem == 'there is no ipv6 origin line; run "ddns init --name line"'
    done = small_machine.ddns("init", "--name", "line", "--ip", "2620:fe::fe", DDNS_IP_FAMILIES="ipv4,ipv6")
    assert done.status == 0, done.err
    families = small_machine.ddns("status", "--json", DDNS_IP_FAMILIES="ipv4,ipv6").json["families"]
    assert [each["address"] for each in families] == ["9.9.9.9", "2620:fe::fe"]


def test_it_needs_no_right_to_write(small_machine: Machine) -> None:
    small_machine.init()
    small_machine.run()
    path = small_machine.database.url.removeprefix("sqlite:///")
    os.chmod(path, 0o400)  # noqa: PTH101 - of the text at hand
    with sqlite3.connect(path) as held:
        held.execute("BEGIN IMMEDIATE")  # another program writes meanwhile
        assert small_machine.ddns("status").status == 0
        held.rollback()
    held.close()


def test_many_records_are_counted_and_those_that_are_not_well_are_listed(small_machine: Machine) -> None:
    small_machine.init()
    names = [f"host{number}.example.com" for number in range(12)]
    small_machine.aws.put(
        small_machine.zone_id,
        {
            "Name": "host3.example.com",
            "Type": "A",
            "AliasTarget": {"HostedZoneId": "Z2", "DNSName": "elb.example.com", "EvaluateTargetHealth": False},
        },
    )
    small_machine.run(DDNS_RECORDS=",".join(names))
    lines = small_machine.ddns("status", DDNS_RECORDS=",".join(names)).out.splitlines()
    assert lines[0] == "1 problem"
    assert lines[3:5] == ["  host3.example.com A  failed", "  11 records have no problem; --json lists them"]


def test_of_many_problems_the_first_are_told_and_the_others_counted(small_machine: Machine) -> None:
    small_machine.init()
    small_machine.run()
    names = ",".join(f"host{number}.example.com" for number in range(15))
    small_machine.database.sql("UPDATE admin_ip_history SET createdAt = datetime(createdAt, '-11 minutes')")
    done = small_machine.ddns("status", DDNS_RECORDS=names)
    lines = done.out.splitlines()
    assert (done.status, lines[0]) == (1, "15 problems")
    assert lines[1].startswith("- host0.example.com A is not verified for version 1")
    assert lines[6] == "- 10 more problems; --json lists them"
    assert lines[8] == "  host0.example.com A  not published yet"
    assert lines[18] == "  5 more with a problem; --json lists them"
    assert len(small_machine.ddns("status", "--json", DDNS_RECORDS=names).json["problems"]) == 15


def test_skipped_runs_are_shown_and_become_a_problem_in_time(small_machine: Machine) -> None:
    small_machine.init()
    small_machine.run()
    with Path(f"{small_machine.database.url.removeprefix('sqlite:///')}.1.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert small_machine.run()["outcome"] == "skipped"
        assert small_machine.ddns("status").out.splitlines()[3].endswith(" ago), skipped")
        assert problems(small_machine) == []
        shift(small_machine, 3600)
        assert small_machine.run()["outcome"] == "skipped"
        (problem,) = problems(small_machine)
    assert problem.startswith("every run since 20")
    assert problem.endswith(" was skipped; find the other run, here or on another machine, that holds the lock")
    assert small_machine.ddns("status", "--json").json["last_run"]["outcome"] == "skipped"


def test_runs_by_hand_do_not_make_the_usual_interval_shorter() -> None:
    run_state = RunState()
    result = RunResult("line", (FamilyResult(Family.IPV4, Outcome.UNCHANGED),))
    for minutes in (0, 15, 30, 45):
        run_state, _ = advance(run_state, result, NOW + timedelta(minutes=minutes), None)
    for seconds in range(8):
        run_state, _ = advance(run_state, result, NOW + timedelta(minutes=46, seconds=seconds), None)
    assert run_state.interval == timedelta(minutes=15)
    assert run_state.recent[-1] == run_state.ended == NOW + timedelta(minutes=46, seconds=7)


def test_a_family_that_is_not_configured_is_named_as_such(small_machine: Machine) -> None:
    small_machine.ddns("init", "--name", "line", "--ip", "9.9.9.9", "--ip", "2600::1")
    small_machine.run()
    assert "  ipv4 is not in DDNS_IP_FAMILIES" in small_machine.ddns("status", DDNS_IP_FAMILIES="ipv6").out


# Undelivered alerts


def test_undelivered_alerts_are_shown_and_become_a_problem_in_time(small_machine: Machine, receiver: Receiver) -> None:
    change_unreported(small_machine, receiver)
    since = local_time(datetime.fromtimestamp(_undelivered(small_machine)[0]["since"], UTC))
    text = f"1 alert (changed) has been undelivered to http://127.0.0.1/… since {since}"
    done = small_machine.ddns("status")
    assert (done.status, done.out.splitlines()[:2]) == (0, ["all is well", text])
    assert small_machine.ddns("status", "--json").json["notes"] == [text]
    later(small_machine, 660)
    small_machine.run(DDNS_RECHECK_EVERY="0")
    (problem,) = problems(small_machine)
    assert problem.startswith("1 alert (changed) has been undelivered to http://127.0.0.1/… since 20")
    assert problem.endswith('; "ddns notify --test" shows why')
    receiver.play = None
    later(small_machine, 3600)
    small_machine.run()
    assert _undelivered(small_machine) == []
    assert problems(small_machine) == []


def test_its_json_lists_each_undelivered_alert_and_no_secret(small_machine: Machine, receiver: Receiver) -> None:
    change_unreported(small_machine, receiver)
    secret = f"{receiver.base.replace('://', f'://me:{SECRET}@')}/{SECRET}?key={SECRET}"
    done = small_machine.ddns("status", "--json", DDNS_WEBHOOK_URLS=secret)
    (backlog,) = done.json["undelivered"]
    assert backlog["channel"] is None  # the key is that of another URL
    (alert,) = backlog["alerts"]
    assert (alert["event"], alert["title"]) == ("changed", "line: address changed to 1.1.1.1")
    assert datetime.fromisoformat(alert["since"]).utcoffset() == timedelta(0)
    assert backlog["since"] == alert["since"]
    later(small_machine, 660)
    small_machine.run(DDNS_WEBHOOK_URLS=None)
    assert problems(small_machine, DDNS_WEBHOOK_URLS=None) == []  # of a channel that was removed
    for found in (small_machine.ddns("status", *arguments) for arguments in ((), ("--json",))):
        assert "http://127.0.0.1/…" in found.out or "http://127.0.0.1/\\u2026" in found.out
        assert SECRET not in found.out + found.err
    assert SECRET not in done.out + done.err


def test_channels_on_one_host_are_told_apart(small_machine: Machine, receiver: Receiver) -> None:
    change_unreported(small_machine, receiver)
    small_machine.environment["DDNS_WEBHOOK_URLS"] += f",{receiver.url}/2"
    small_machine.service.address = "8.8.8.8"
    small_machine.run()
    channels = [each["channel"] for each in small_machine.ddns("status", "--json").json["undelivered"]]
    assert channels == [f"http://127.0.0.1/… (DDNS_WEBHOOK_URLS, number {number})" for number in (1, 2)]


# In a terminal


@pytest.mark.parametrize(("changes", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)])
def test_the_verdict_is_coloured_on_a_terminal_unless_that_is_disabled(
    small_machine: Machine, changes: dict[str, str], coloured: bool
) -> None:
    small_machine.init()
    for run, colour, verdict in ((False, 31, "1 problem"), (True, 32, "all is well")):
        if run:
            small_machine.run()
        with Terminal(small_machine, 80, "status", **changes) as terminal:
            shown = terminal.read()
        assert shown.startswith(f"\x1b[{colour}m{verdict}\x1b[0m\n" if coloured else f"{verdict}\n")
        assert ("\x1b" in shown) is coloured
    assert "\x1b" not in small_machine.ddns("status").out


@pytest.mark.parametrize("columns", [40, 80])
def test_lines_break_between_words_and_the_text_stays_whole(small_machine: Machine, columns: int) -> None:
    small_machine.init()
    small_machine.aws.fault("ChangeResourceRecordSets", refuse("AccessDenied", "you may not do that", 403))
    names = "home.example.com,a-longer-name-of-a-host.example.com"
    small_machine.run(DDNS_RECORDS=names)
    shown = screen(small_machine, columns, "status", DDNS_RECORDS=names)
    whole = small_machine.ddns("status", DDNS_RECORDS=names).out
    assert all(len(line) <= columns for line in shown)
    assert re.sub(r"\d+ s\b", "", " ".join(" ".join(shown).split())) == re.sub(r"\d+ s\b", "", " ".join(whole.split()))
    assert not any(re.search(r"(?<!\S)\d+$", line) for line in shown)  # without its unit
    assert whole.count("you may not do that") == 2  # one for each record, which are two errors


@pytest.mark.parametrize(
    "arguments", [("status",), ("history",), ("history", "--chart"), ("run",), ("doctor", "--help")]
)
def test_a_terminal_that_does_not_know_its_width_gets_whole_lines(
    small_machine: Machine, arguments: tuple[str, ...]
) -> None:
    small_machine.init()
    small_machine.run()
    shown = screen(small_machine, 0, *arguments)
    assert shown
    assert not any("Traceback" in line for line in shown)
