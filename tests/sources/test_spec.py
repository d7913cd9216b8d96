"""The grammar of address sources: each text becomes a value with its parts, and shows no secret."""

from pathlib import Path
from typing import Any

import pytest

from ddns_updater.errors import InvalidValue
from ddns_updater.sources.spec import (
    CommandSpec,
    DnsSpec,
    Ec2Spec,
    FileSpec,
    HttpSpec,
    ImdsSpec,
    InterfaceSpec,
    SourceSpec,
    parse_source,
    without_secrets,
)
from tests.support.machine import Machine

SECRET = "hunter2"


@pytest.mark.parametrize(
    ("text", "kind", "parts"),
    [
        ("https://a.example.com/ip", HttpSpec, {"url": "https://a.example.com/ip", "pointer": ""}),
        ("http://a.example.com/ip?k=1,2#/a/0", HttpSpec, {"url": "http://a.example.com/ip?k=1,2", "pointer": "/a/0"}),
        (
            "dns:myip.example.com@NS.example.com",
            DnsSpec,
            {"question": "myip.example.com", "server": "ns.example.com", "port": 53, "type": None, "class_": "IN"},
        ),
        (
            "dns:whoami.example@[2001:db8::1]:5353?class=CH&type=TXT",
            DnsSpec,
            {"question": "whoami.example", "server": "2001:db8::1", "port": 5353, "type": "TXT", "class_": "CH"},
        ),
        ("dns:google", DnsSpec, {"question": "o-o.myaddr.l.google.com", "server": "ns1.google.com", "type": "TXT"}),
        ("interface:eth0", InterfaceSpec, {"interface": "eth0", "temporary": False}),
        ("interface:eth0?temporary", InterfaceSpec, {"interface": "eth0", "temporary": True}),
        ("ec2:i-0123456789abcdef0", Ec2Spec, {"instance": "i-0123456789abcdef0", "region": None}),
        ("ec2:i-01234567?region=eu-west-1", Ec2Spec, {"instance": "i-01234567", "region": "eu-west-1"}),
        ("imds:", ImdsSpec, {"endpoint": None}),
        ("imds:http://127.0.0.1:8080/", ImdsSpec, {"endpoint": "http://127.0.0.1:8080"}),
        ("file:/run/a b", FileSpec, {"path": Path("/run/a b")}),
        ("command:ssh router 'show ip'", CommandSpec, {"words": ("ssh", "router", "show ip")}),
    ],
)
def test_a_source_is_taken_apart_once(text: str, kind: type[SourceSpec], parts: dict[str, Any]) -> None:
    spec = parse_source(text)
    assert type(spec) is kind
    assert spec.text == text
    assert {name: getattr(spec, name) for name in parts} == parts


@pytest.mark.parametrize(
    ("text", "name", "holds_secret"),
    [
        ("https://a.example.com:8443/ip", "https://a.example.com:8443/ip", False),
        (f"https://me:{SECRET}@a.example.com/ip", "https://a.example.com/ip", True),
        (f"https://a.example.com/ip?key={SECRET}#/ip", "https://a.example.com/ip", True),
        (f"https://a.example.com/v2/{SECRET}/ip.json", "https://a.example.com/…/…/ip.json", True),
        ("https://a.example.com/cdn-cgi/my_ip/ipv4/", "https://a.example.com/cdn-cgi/my_ip/ipv4/", False),
        ("https://a.example.com/abcdefghijklmnop", "https://a.example.com/…", True),  # may be a key as well
        (f"command:router --password={SECRET}", "command:router", False),  # most arguments are none
        ("dns:google", "dns:google", False),
        ("ec2:i-01234567?region=eu-west-1", "ec2:i-01234567?region=eu-west-1", False),
        ("imds:", "imds:", False),
    ],
)
def test_a_source_is_shown_without_its_secret(text: str, name: str, holds_secret: bool) -> None:
    spec = parse_source(text)
    assert (spec.name, spec.holds_secret) == (name, holds_secret)
    assert SECRET not in f"{spec} {spec!r} {(spec,)}"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"htps://a.example.com/u/{SECRET}/ip", "'htps://a.example.com/u/…/ip'"),
        (f"a.example.com/{SECRET}", "'a.example.com/…'"),
        (f"https://me:{SECRET}@/{SECRET}", "'/…'"),
        ("file:folder/Address", "'file:folder/Address'"),
    ],
)
def test_a_text_that_is_no_source_is_shown_without_a_key(text: str, shown: str) -> None:
    assert without_secrets(text) == shown


def test_sources_are_equal_when_they_are_written_in_the_same_way() -> None:
    assert parse_source("IMDS:") == parse_source("imds:")
    assert len({parse_source("dns:google"), parse_source("DNS:google"), parse_source("dns:opendns")}) == 2


@pytest.mark.parametrize("text", ["dns:a..b@192.0.2.1", "dns:a.example.com@192.0.2.1:99999", "dns:a@[2001:db8::1"])
def test_a_dns_source_is_checked_with_the_other_settings(small_machine: Machine, text: str) -> None:
    done = small_machine.ddns("status", DDNS_IP_SOURCES=text, DDNS_TTL="5m")
    (ttl, source) = done.err.splitlines()
    assert "DDNS_TTL='5m'" in ttl
    assert source.startswith(f"error: DDNS_IP_SOURCES: '{text}' is not an address source; write dns:opendns, ")
    assert done.status == 2


@pytest.mark.parametrize(
    "text", ["file:/a\0b", "imds:/", "dns:bücher.example.com@192.0.2.1", "https://a.example.com/#a"]
)
def test_a_text_of_no_form_is_refused(text: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        parse_source(text)
    assert refused.value.problem == "is not an address source"
    assert (refused.value.advice or "").startswith("write ")
