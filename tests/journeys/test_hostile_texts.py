"""Texts that others choose, and how they are shown: nothing that a terminal would obey gets out by any command."""

import csv
import io
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.support import terminal
from tests.support.aws import answering, refuse
from tests.support.machine import Machine
from tests.support.receivers import receiving
from tests.support.services import answer, send

# A title, a colour by a byte of C1, the begin of the line, the direction of writing, a line of our own making.
HOSTILE = "\x1b]0;owned\x07\x9b31m\x1b[5m\rall is well\u202e\u2028\x85\x7f"
SHOWN = r"\x1b]0;owned\x07\x9b31m\x1b[5m"  # up to what may be taken for white space
IN_XML = "\x9b31mall is well\u202e\x85"  # no other control character may stand there
SHOWN_IN_XML = r"\x9b31mall is well\u202e"
OBEYED = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u206f]")
COLOUR = re.compile(r"\x1b\[(?:3[0-7]|9[0-7]|0)m")  # of our own
PROGRESS = re.compile(r"\r +\r")  # of our own: what was awaited is erased
FORMS: tuple[tuple[str, ...], ...] = ((), ("-v",), ("-v", "--log-format", "json"))
COMMANDS: tuple[tuple[str, ...], ...] = (
    ("status",),  # first, before a run writes another error
    ("status", "--json"),
    ("run",),
    ("run", "--json"),
    ("run", "--dry-run"),
    ("history",),
    ("history", "--chart"),
    ("history", "--json"),
    ("history", "--csv"),
    ("history", "--summary"),
    ("doctor",),
    ("doctor", "--json"),
    ("notify", "--test"),
    ("init",),
    ("init", "--name", "other"),
    ("iam-policy",),
)


def shown(machine: Machine, columns: int, *arguments: str, **changes: Any) -> str:
    """Return what a command shows in a terminal, after checking that this holds nothing but text."""
    text = PROGRESS.sub("", COLOUR.sub("", terminal.shown(machine, columns, *arguments, **changes)))
    if "--csv" in arguments:
        text = text.replace("\r\n", "\n")  # RFC 4180
    assert not OBEYED.search(text), (arguments, text)
    return text


@pytest.fixture
def hostile(machine: Machine) -> Iterator[Machine]:
    with made_hostile(machine):
        yield machine


@pytest.fixture
def small_hostile(small_machine: Machine) -> Iterator[Machine]:
    with made_hostile(small_machine):
        yield small_machine


@contextmanager
def made_hostile(machine: Machine) -> Iterator[None]:
    """Let the table, address service, webhook, hosted zone and AWS of `machine` answer what they like."""
    machine.init()
    machine.run()
    database = machine.database
    database.sql("UPDATE admin_ip_history SET name = ?, note = ?", (f"line{HOSTILE}", f"note{HOSTILE}"))
    database.sql("UPDATE admin_dns_publication SET lastError = ?, drift = ?", (f"error{HOSTILE}", f"drift{HOSTILE}"))
    machine.aws.fault("ListResourceRecordSets", refuse("AccessDenied", f"refused{IN_XML}", 403))
    machine.environment |= {"DDNS_RECHECK_EVERY": "1", "DDNS_ALERT_AFTER": "1"}
    with receiving() as receiver:
        receiver.play = send(f"HTTP/1.1 500 {HOSTILE}\r\nRetry-After: {HOSTILE}\r\n\r\n{HOSTILE}".encode())
        machine.environment["DDNS_WEBHOOK_URLS"] = receiver.url
        yield


def test_no_command_shows_what_a_terminal_would_obey(hostile: Machine) -> None:
    texts = {command: shown(hostile, 200, *command) for command in COMMANDS}
    assert all(texts.values())
    assert f"note{SHOWN}" in texts[("history",)]
    assert f"line{SHOWN}" in texts[("status",)]
    assert SHOWN_IN_XML in texts[("run",)]
    assert f"error{SHOWN}" in texts[("status",)]


@pytest.mark.parametrize(("options", "columns"), [(FORMS[0], 40), (FORMS[1], 200), (FORMS[2], 200)])
def test_nor_does_it_in_a_narrow_terminal_or_in_its_log(
    small_hostile: Machine, options: tuple[str, ...], columns: int
) -> None:
    for command in COMMANDS:
        assert shown(small_hostile, columns, *options, *command), command


def test_an_address_in_the_table_that_is_none_stays_in_its_line(machine: Machine) -> None:
    machine.init()
    machine.database.sql("UPDATE admin_ip_history SET ip = ?", ("1\x1b[5m\nall\x9b",))
    for command in (("history",), ("history", "--chart"), ("status",), ("init", "--name", "line"), ("run",)):
        assert r"1\x1b[5m\nall\x9b" in shown(machine, 200, *command), command


@pytest.mark.parametrize(
    "play",
    [
        answer(HOSTILE),
        answer("2606:4700:4700::1111%\x1b[5mred"),
        answer("busy", f"503 {HOSTILE}"),
        send(f"HTTP/1.1 302 Found\r\nLocation: http://{HOSTILE}.example.com/\r\nContent-Length: 0\r\n\r\n".encode()),
        send(f"HTTP/1.1 302 Found\r\nLocation: http://{quote(HOSTILE)}/\r\nContent-Length: 0\r\n\r\n".encode()),
        send(f"HTTP/1.1 200 OK\r\nContent-Length: {HOSTILE}\r\n\r\n1.1.1.1".encode()),
        send(HOSTILE.encode()),
    ],
)
def test_an_address_service_cannot_either(small_machine: Machine, play: Any) -> None:
    small_machine.init()
    small_machine.service.play = play
    for options in FORMS:
        assert small_machine.service.url in shown(small_machine, 200, *options, "run")
    assert small_machine.service.url in shown(small_machine, 200, "doctor")


def test_what_someone_else_wrote_into_dns_is_shown_and_not_obeyed(small_machine: Machine) -> None:
    small_machine.init()
    value = f"9.9.9.9{IN_XML}"
    body = (
        '<?xml version="1.0"?><ListResourceRecordSetsResponse xmlns="https://route53.amazonaws.com/doc/2013-04-01/">'
        "<ResourceRecordSets><ResourceRecordSet><Name>home.example.com.</Name><Type>A</Type><TTL>60</TTL>"
        f"<ResourceRecords><ResourceRecord><Value>{value}</Value></ResourceRecord></ResourceRecords>"
        "</ResourceRecordSet></ResourceRecordSets><IsTruncated>false</IsTruncated><MaxItems>1</MaxItems>"
        "</ListResourceRecordSetsResponse>"
    )
    for options in FORMS:
        small_machine.aws.fault("ListResourceRecordSets", answering(body))
        text = shown(small_machine, 200, *options, "run")
        assert SHOWN_IN_XML in text.replace("\\\\", "\\"), text


def test_no_cell_of_a_csv_is_a_formula_and_numbers_stay_numbers(machine: Machine) -> None:
    machine.init()
    formulas = ["=1+1", "+1", "-1", "@SUM(1)", "\t=1", "\r=1", "\n=1", " =1", "\uff1d1", "1-1", "5"]
    origin = machine.database.sql("SELECT MAX(originId) FROM admin_ip_history")[0][0]
    for version, note in enumerate(formulas, 2):
        machine.database.sql(
            "INSERT INTO admin_ip_history (ip, name, version, originId, note) VALUES (?, 'line', ?, ?, ?)",
            ("192.0.2.7" if version > 2 else "=1", version, origin, note),
        )
    rows = list(csv.DictReader(io.StringIO(machine.ddns("history", "--csv", "--limit", "50").out)))
    cells = [row["note"] for row in reversed(rows)][1:]
    assert cells == ["'=1+1", "'+1", "'-1", "'@SUM(1)", r"'\t=1", r"'\r=1", "'\n=1", "' =1", "'\uff1d1", "1-1", "5"]
    assert rows[-2]["address"] == "'=1"
    assert all(int(row["version"]) and int(row["held_seconds"]) >= 0 for row in rows)


def test_in_json_a_note_stays_exactly_what_it_is(machine: Machine) -> None:
    machine.init()
    machine.database.sql("UPDATE admin_ip_history SET note = ?", (HOSTILE,))
    done = machine.ddns("history", "--json")
    assert done.out.isascii()
    assert not OBEYED.search(done.out)
    assert done.json[0]["note"] == HOSTILE


def test_alerts_pings_and_metrics_hold_nothing_that_would_be_obeyed(hostile: Machine) -> None:
    metrics = hostile.folder / "ddns.prom"
    with receiving() as web, receiving() as slack, receiving() as discord, receiving() as beat:
        hostile.environment |= {
            "DDNS_WEBHOOK_URLS": f"{web.url},slack+{slack.url},discord+{discord.url}",
            "DDNS_HEARTBEAT_URL": beat.url,
            "DDNS_METRICS_FILE": str(metrics),
        }
        assert hostile.ddns("run").status == 1
        sent = [each.body.decode() for each in (*web.got, *slack.got, *discord.got, *beat.got)]
        assert len(sent) == 4
        for body in (*sent[:3], json.dumps(sent[3])):
            assert not list(filter(OBEYED.search, _texts(json.loads(body)))), body
            assert "all is well" in body
        assert SHOWN_IN_XML in web.got[0].json["text"]
        assert web.got[0].json["title"].startswith(f"line{SHOWN}")
    _has_plain_labels(metrics, f"line{SHOWN}")


def _has_plain_labels(metrics: Path, name: str) -> None:
    text = metrics.read_text()
    assert not OBEYED.search(text)
    names = {sample.labels["name"] for family in text_string_to_metric_families(text) for sample in family.samples}
    (only,) = names
    assert only.startswith(name)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _texts(each)
