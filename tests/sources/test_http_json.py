"""A URL that answers JSON, with a pointer to the address."""

import json
from urllib.parse import quote

import pytest

from ddns_updater.model import Family
from tests.support.services import Flood, answer, hang, send
from tests.support.source_trial import Trial

NEW = "9.9.9.9"
NOT_JSON = "answered something that is not JSON"


@pytest.mark.parametrize(
    ("document", "pointer"),
    [
        ({"ip": NEW}, "/ip"),
        ({"ip": f" {NEW}\n", "other": "1.1.1.1"}, "/ip"),
        ({"client": {"addresses": [{"v4": "1.1.1.1"}, {"v4": NEW}]}}, "/client/addresses/1/v4"),
        ([NEW], "/0"),
        ({"a/b": NEW, "a": {"b": "1.1.1.1"}}, "/a~1b"),
        ({"m~n": NEW}, "/m~0n"),
        ({"~1": NEW, "/": "1.1.1.1"}, "/~01"),
        ({"my ip": NEW}, "/my%20ip"),
        ({"a,b": NEW}, "/a%2Cb"),
        ({"ä#%": NEW}, "/%C3%A4%23%25"),
        ({"": NEW}, "/"),
        ({"": {"": NEW}}, "//"),
        ({"0": NEW}, "/0"),
        ({"-": NEW}, "/-"),
    ],
)
def test_it_finds_the_address_where_the_pointer_leads(trial: Trial, document: object, pointer: str) -> None:
    service = trial.machine.service
    service.play = answer(json.dumps(document), headers=["Content-Type: application/json"])
    assert trial.address(f"{service.url}#{pointer}") == NEW


def test_it_asks_for_json_and_keeps_the_pointer_to_itself(trial: Trial) -> None:
    service = trial.machine.service
    service.play = answer('{"ip": "9.9.9.9"}')
    source = f"{service.url}?format=json#/ip"
    done = trial.machine.ddns("run", "--json", "--name", "line", DDNS_IP_SOURCES=source)
    assert (done.status, done.json["results"][0]["source"]) == (0, service.url)
    lines = service.heads[0].split("\r\n")
    assert lines[0] == "GET /ip?format=json HTTP/1.1"
    assert "Accept: application/json" in lines


def test_it_refuses_an_address_of_the_other_family(trial: Trial) -> None:
    service = trial.machine.service
    service.play = answer('{"ip": "2606:4700:4700::1111"}')
    assert trial.refusal(f"{service.url}#/ip", name=service.url) == (
        "answered 2606:4700:4700::1111, which is not an IPv4 address"
    )


@pytest.mark.parametrize(
    "body",
    [
        "",
        NEW,
        f"<html>{NEW}</html>",
        '{"ip": "9.9.9.9"',
        '{"ip": "9.9.9.9"} {"ip": "9.9.9.9"}',
        "{'ip': '9.9.9.9'}",
        b'\xff{"ip": "9.9.9.9"}',
        b'{"ip": "9.9.9.9\xff"}',
        "[" * 16_000,
        '{"ip":' * 2_600 + '"9.9.9.9"' + "}" * 500,
    ],
    ids=["empty", "text", "html", "open", "two", "quotes", "bytes", "inner-bytes", "deep", "deeper"],
)
def test_it_refuses_what_is_not_json(trial: Trial, body: str | bytes) -> None:
    service = trial.machine.service
    service.play = answer(body)
    assert trial.refusal(f"{service.url}#/ip", name=service.url) == NOT_JSON


@pytest.mark.parametrize(
    ("document", "pointer"),
    [
        ({}, "/ip"),
        ({"IP": NEW}, "/ip"),
        ({"ip": None}, "/ip"),
        ({"ip": 9.9}, "/ip"),
        ({"ip": 151587081}, "/ip"),
        ({"ip": True}, "/ip"),
        ({"ip": [NEW]}, "/ip"),
        ({"ip": {"v4": NEW}}, "/ip"),
        ({"ip": NEW}, "/ip/0"),
        ({"ip": NEW}, "/ip/"),
        ([NEW], "/1"),
        ([NEW], "/00"),
        ([NEW], "/-"),
        ([NEW], "/-1"),
        ([NEW], "/+0"),
        ([NEW], "/%C2%B2"),
        ([NEW], f"/{'1' * 5000}"),
        (NEW, "/ip"),
        (None, "/ip"),
        ({"a/b": NEW}, "/a/b"),
        ({"a b": NEW}, "/a+b"),
        ({"a\x1b[2J": 1}, "/a%1B[2J"),
        ({"a\nb": 1}, "/a%0Ab"),
    ],
)
def test_it_refuses_a_pointer_that_leads_to_no_text(trial: Trial, document: object, pointer: str) -> None:
    service = trial.machine.service
    service.play = answer(json.dumps(document))
    reason = trial.refusal(f"{service.url}#{pointer}", name=service.url)
    assert reason == f"has no text at {pointer} in its answer"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "answered nothing, which is not one IP address"),
        ("unknown", "answered 'unknown', which is not one IP address"),
        ("9.9.9.9, 1.1.1.1", "answered '9.9.9.9, 1.1.1.1', which is not one IP address"),
        ("192.168.1.1", "answered 192.168.1.1, which is not a public address"),
        ("\ud800", "answered '\\ud800', which is not one IP address"),
        ("9" * 10_000, f"answered '{'9' * 60}…', which is not one IP address"),
    ],
)
def test_it_refuses_a_text_that_is_not_one_public_address(trial: Trial, text: str, reason: str) -> None:
    service = trial.machine.service
    service.play = answer(json.dumps({"ip": text}))
    assert trial.refusal(f"{service.url}#/ip", name=service.url) == reason


def test_it_takes_a_document_that_is_deep_but_small(trial: Trial) -> None:
    service = trial.machine.service
    service.play = answer('{"a":' * 100 + '"9.9.9.9"' + "}" * 100)
    assert trial.address(f"{service.url}#{'/a' * 100}") == NEW


def test_it_refuses_a_document_that_is_too_large_and_does_not_read_it(trial: Trial) -> None:
    service = trial.machine.service
    body = json.dumps({"ip": NEW, "more": "x" * 16_384})
    service.play = answer(body)
    reason = trial.refusal(f"{service.url}#/ip", name=service.url)
    assert reason == f"answered more than an address: {body[:40]!r}…"
    service.play = flood = Flood(b'HTTP/1.1 200 OK\r\n\r\n{"ip": "9.9.9.9", "more": "', 10_000_000)
    assert trial.refusal(f"{service.url}#/ip", name=service.url).startswith("answered more than an address: ")
    assert flood.was_refused()


def test_it_refuses_a_document_that_was_cut_off_or_never_comes(trial: Trial) -> None:
    service = trial.machine.service
    source = f"{service.url}#/ip"
    service.play = send(b'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"ip": "9.9.9.9"}')
    assert trial.refusal(source, name=service.url) == "sent an incomplete answer"
    service.play = hang
    assert trial.refusal(source, name=service.url) == "timed out after 1 s"
    service.play = answer('{"ip": "9.9.9.9"}', "404 Not Found")
    assert trial.refusal(source, name=service.url) == "answered with status 404"


def test_a_run_whose_json_is_none_says_so_in_one_line(trial: Trial) -> None:
    service = trial.machine.service
    service.play = answer("<html>")
    done = trial.machine.ddns("run", DDNS_IP_SOURCES=f"{service.url}#/ip")
    failed = f"failed: no trustworthy ipv4 address, so nothing was changed: {service.url} {NOT_JSON}\n"
    assert (done.status, done.out, done.err) == (1, "", failed)


def test_quote_and_pointer_are_inverse_for_any_key(trial: Trial) -> None:
    key = 'a/b~c d%e#f?g,h\\"é'
    pointer = "/" + quote(key.replace("~", "~0").replace("/", "~1"), safe="~")
    service = trial.machine.service
    service.play = answer(json.dumps({key: NEW}))
    assert trial.address(f"{service.url}#{pointer}", Family.IPV4) == NEW
