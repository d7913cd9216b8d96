"""The parsers over whatever hypothesis thinks of: round trips, and no exception outside the tree."""

import ipaddress
import json
import shlex
from collections.abc import Callable
from functools import partial
from pathlib import Path
from ssl import create_default_context
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddns_updater.dns.names import normalize_name
from ddns_updater.dns.route53 import plain
from ddns_updater.errors import InvalidValue, SettingsError, UnusableAnswer
from ddns_updater.model import Family
from ddns_updater.settings.load import read_settings
from ddns_updater.settings.variables import VARIABLES
from ddns_updater.sources.address import public_address
from ddns_updater.sources.command import CommandSource
from ddns_updater.sources.dns import DnsSource
from ddns_updater.sources.http import HttpSource, _pointed_at
from ddns_updater.sources.spec import CommandSpec, DnsSpec, HttpSpec, parse_source

LABEL = st.from_regex(r"[a-zA-Z0-9_]([a-zA-Z0-9_-]{0,20}[a-zA-Z0-9_])?", fullmatch=True)
NAME = st.lists(LABEL, min_size=2, max_size=6).map(".".join)
FAMILY = st.sampled_from(Family)
ADDRESS = st.ip_addresses()
ANYTHING = (
    st.text() | NAME | st.text(alphabet="*.-_aZ0é。ß𝒳\u0000\u200d\N{ARABIC-INDIC DIGIT ONE} ") | NAME.map("*.{}".format)
)


def tried(kind: type[Exception], parse: Callable[..., Any], *arguments: Any) -> tuple[Any, str]:
    """Return what `parse` makes of its arguments, or why it refused them with just this `kind`."""
    try:
        return parse(*arguments), ""
    except kind as error:
        return None, str(error) if type(error) is kind else f"{error!r}\n"


@given(ANYTHING)
def test_a_name_is_normal_after_it_was_normalised_or_refused_with_a_reason(text: str) -> None:
    name, reason = tried(InvalidValue, normalize_name, text)
    assert reason.isprintable()
    if reason:
        return
    assert normalize_name(name) == name
    assert normalize_name(f"{name}.") == name
    assert name.isascii()
    assert name == name.lower()
    assert len(name) <= 253
    assert all(0 < len(label) <= 63 for label in name.split("."))


@given(NAME)
def test_a_plain_name_changes_in_case_only(name: str) -> None:
    assert normalize_name(name) == name.lower()


@given(ADDRESS, FAMILY)
def test_an_address_is_taken_if_it_is_global_and_of_the_family(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address, family: Family
) -> None:
    taken, reason = tried(UnusableAnswer, public_address, f" {address}\n", family)
    if reason:
        assert str(address) in reason
        return
    assert taken == address
    assert taken.is_global
    assert not taken.is_multicast
    assert taken.version == (4 if family is Family.IPV4 else 6)


@given(st.text() | st.text(alphabet="0123456789abcdef.:%/ ") | ADDRESS.map(str), FAMILY)
def test_any_text_is_a_public_address_or_refused_in_one_short_line(text: str, family: Family) -> None:
    taken, reason = tried(UnusableAnswer, public_address, text, family)
    assert reason.isprintable()
    assert len(reason) < 800
    assert reason or taken == ipaddress.ip_address(text.strip())


@given(NAME, st.booleans(), st.booleans())
def test_route_53s_escapes_are_undone(name: str, wild: bool, dot: bool) -> None:
    name = f"*.{name}" if wild else name
    stored = "".join(each if each in ".-_" or each.isalnum() else f"\\{ord(each):03o}" for each in name)
    assert plain(stored + "." * dot) == name.lower()


@given(st.text(alphabet=st.characters(max_codepoint=255)))
def test_every_character_that_route_53_escapes_comes_back(text: str) -> None:
    escaped = "".join(f"\\{ord(each):03o}" for each in text)
    assert plain(f"x{escaped}x") == f"x{text}x".lower()


@given(st.text() | st.text(alphabet="\\01234567.a*"))
def test_no_name_of_route_53s_raises(text: str) -> None:
    assert isinstance(plain(text), str)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def places(document: Any, pointer: str = "") -> list[tuple[str, Any]]:
    """Return the pointer to everything in a document."""
    inner = (
        document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    )
    found = [(pointer, document)]
    for key, value in inner:
        found += places(value, f"{pointer}/{str(key).replace('~', '~0').replace('/', '~1')}")
    return found


@given(JSON)
def test_a_pointer_to_each_place_in_a_document_leads_there(document: Any) -> None:
    for pointer, value in places(document):
        assert _pointed_at(document, pointer) is value


@given(JSON, st.text() | st.text(alphabet="/~01-a²9").map("/{}".format))
def test_no_pointer_into_any_document_raises(document: Any, pointer: str) -> None:
    found = _pointed_at(document, pointer)
    assert found is None or json.dumps(found) in json.dumps(document)


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_a_pointer_survives_the_url_it_is_written_in(key: str) -> None:
    pointer = "/" + quote(key.replace("~", "~0").replace("/", "~1"))
    source = HttpSource(
        HttpSpec(f"https://a.example.com/ip#{pointer}"), timeout=1, retries=0, open_tls=create_default_context
    )
    assert source.name == "https://a.example.com/ip"


WORD = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12)


@given(st.lists(WORD, min_size=1, max_size=5))
def test_a_command_is_split_as_it_was_joined(words: list[str]) -> None:
    source = CommandSource(CommandSpec(f"command:{shlex.join(words)}"), timeout=1, environment=dict)
    assert source.name == f"command:{words[0]}"


SPEC = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    st.builds(
        "{}{}{}".format,
        st.sampled_from(["https://", "http://[", "dns:", "interface:", "ec2:i-", "imds:", "file:/", "command:", ""]),
        st.text(alphabet="ab01.@:/?#[]%'\"\\ ,=é&", max_size=20),
        st.sampled_from(["", "?type=TXT", "#/ip", "?temporary", "?region=eu-west-1"]),
    ),
)


@given(SPEC)
def test_no_form_of_a_dns_source_or_a_command_raises_outside_the_tree(spec: str) -> None:
    for kind, source in ((DnsSpec, DnsSource), (CommandSpec, partial(CommandSource, environment=dict))):
        parsed, reason = tried(InvalidValue, parse_source, f"{kind.kind}:{spec}")
        assert reason.startswith("is not an address source; write ") if reason else source(parsed, timeout=1).host


PIECE = st.sampled_from(
    [
        "http://127.0.0.1/ip?a=1,2",
        "https://a.example.com/ip.json#/a%2Cb",
        "dns:google",
        "interface:eth0?temporary",
        "ec2:i-0123456789abcdef0",
        "imds:",
        "file:/var/run/ip, old",
    ]
) | st.lists(st.text(alphabet="abc ,'-", min_size=1).map(shlex.quote), min_size=1, max_size=3).map(
    lambda words: "command:" + " ".join(["router", *words, "x"])
)


@given(st.lists(PIECE, min_size=1, max_size=5, unique=True), st.sampled_from([",", " , ", ",\t"]))
def test_a_list_of_sources_comes_apart_where_it_was_put_together(pieces: list[str], comma: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DDNS_IP_SOURCES", comma.join(pieces))
        assert read_settings().valid().ip_sources == tuple(map(parse_source, pieces))


VALUE = st.one_of(
    SPEC,
    ANYTHING.filter(lambda text: "\0" not in text),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    st.integers().map(str),
    st.text(alphabet="0123456789\N{ARABIC-INDIC DIGIT ONE}²", max_size=6000),
    st.binary().filter(lambda raw: b"\0" not in raw).map(lambda raw: raw.decode("utf-8", "surrogateescape")),
    st.sampled_from(
        ["ipv4,ipv6", "required", "off", "a.example.com/A=Z1", "mysql://u:p@h/d", "sqlite:////x", ",", " "]
    ),
)


@given(st.dictionaries(st.sampled_from(VARIABLES), VALUE, max_size=5))
def test_settings_of_any_environment_load_or_say_what_to_fix(environment: dict[str, str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        for key, value in environment.items():
            patch.setenv(key, value)
        loaded, reason = tried(SettingsError, read_settings().valid)
        assert loaded or all(reason.splitlines())


@given(st.dictionaries(st.sampled_from(VARIABLES), VALUE | st.text(), max_size=4), st.text())
def test_settings_of_any_file_load_or_say_what_to_fix(values: dict[str, str], rest: str) -> None:
    text = "".join(f"{key}='{value}'\n" for key, value in values.items()) + rest
    file = Path("any.env")
    file.write_bytes(text.encode("utf-8", "surrogatepass"))
    loaded, reason = tried(SettingsError, read_settings(file).valid)
    assert loaded or all(reason.splitlines())
