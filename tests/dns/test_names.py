"""Domain names as they are compared."""

import re

import hypothesis
import pytest
from hypothesis import strategies as st

from ddns_updater.dns.names import covers, normalize_name

LONGEST = ".".join(["a" * 63] * 3 + ["b" * 61])


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("home.example.com", "home.example.com"),
        ("Home.EXAMPLE.com.", "home.example.com"),
        ("  home.example.com\n", "home.example.com"),
        ("*.example.com", "*.example.com"),
        ("_acme-challenge.example.com", "_acme-challenge.example.com"),
        ("4-2.xn--bcher-kva.example.com", "4-2.xn--bcher-kva.example.com"),
        ("example.com", "example.com"),
        (LONGEST, LONGEST),
        (LONGEST + ".", LONGEST),
    ],
)
def test_it_writes_a_name_in_lower_case_without_the_final_dot(text: str, name: str) -> None:
    assert normalize_name(text) == name


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "is not a full domain name such as home.example.com"),
        (".", "is not a full domain name such as home.example.com"),
        ("home", "is not a full domain name such as home.example.com"),
        ("*", "is not a full domain name such as home.example.com"),
        ("home..example.com", "has the label '', which is not a valid DNS label"),
        ("home.example.com..", "has the label '', which is not a valid DNS label"),
        (".example.com", "has the label '', which is not a valid DNS label"),
        ("-home.example.com", "has the label '-home', which is not a valid DNS label"),
        ("home-.example.com", "has the label 'home-', which is not a valid DNS label"),
        ("ho me.example.com", "has the label 'ho me', which is not a valid DNS label"),
        ("home.*.example.com", "has the label '*', which is not a valid DNS label"),
        ("a*.example.com", "has the label 'a*', which is not a valid DNS label"),
        ("home.example.com:80", "has the label 'com:80', which is not a valid DNS label"),
        ("a" * 64 + ".example.com", f"has the label '{'a' * 64}', which is not a valid DNS label"),
        (LONGEST + "b", "is longer than 253 characters"),
    ],
)
def test_it_says_what_is_wrong_with_what_is_no_name(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(problem)}$"):
        normalize_name(text)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("bücher.example.com", "xn--bcher-kva.example.com"),
        ("*.BÜCHER.example.com.", "*.xn--bcher-kva.example.com"),
        ("bu\u0308cher.example.com", "xn--bcher-kva.example.com"),
        ("straße.example.com", "xn--strae-oqa.example.com"),  # not strasse: IDNA 2008 keeps the sharp s
        ("_dmarc.straße.example.com", "_dmarc.xn--strae-oqa.example.com"),
        ("中文.example.com", "xn--fiq228c.example.com"),
        ("ホーム。example。com。", "xn--ydkk7f.example.com"),
        ("\uff48\uff4f\uff4d\uff45.example.com", "home.example.com"),
        ("doм.example.com", "xn--do-9lc.example.com"),  # a registry may refuse mixed scripts, IDNA does not
        ("ü" * 57 + ".example.com", "xn--td" + "a" * 57 + ".example.com"),
    ],
)
def test_it_writes_an_internationalised_name_as_dns_holds_it(text: str, name: str) -> None:
    assert normalize_name(text) == name
    assert normalize_name(name) == name


@pytest.mark.parametrize(
    "label",
    ["💩", "ü💩", "ü" * 58, "-ü", "ü-", "ab--ü", "xn--bücher", "_bücher", "b ü", "*ü", "\u0627ab",
     "\u00ad", "\u200b", "\udcff"],
    ids=ascii,
)  # fmt: skip
def test_it_names_the_label_that_idna_does_not_know(label: str) -> None:
    problem = f"has the label {label!r}, which is not a valid internationalised label"
    with pytest.raises(ValueError, match=f"^{re.escape(problem)}$"):
        normalize_name(f"home.{label}.example.com")


def test_an_internationalised_name_may_become_too_long() -> None:
    text = ".".join(["ü" * 40] * 6)
    assert len(text) < 253
    with pytest.raises(ValueError, match=r"^is longer than 253 characters$"):
        normalize_name(text)


@hypothesis.given(st.text(st.one_of(st.characters(), st.sampled_from("abcABC019.-_*üß。")), max_size=80))
@hypothesis.settings(max_examples=500, deadline=None)
def test_any_text_is_a_name_that_stays_as_it_is_or_no_name(text: str) -> None:
    try:
        name = normalize_name(text)
    except ValueError as error:
        hypothesis.note(error)
        return
    assert normalize_name(name) == name
    assert normalize_name(f"{name}.") == name
    assert name.isascii()
    assert name == name.lower()


@pytest.mark.parametrize(
    ("zone", "name", "inside"),
    [
        ("example.com", "example.com", True),
        ("example.com", "home.example.com", True),
        ("example.com", "a.b.example.com", True),
        ("example.com", "*.example.com", True),
        ("example.com", "badexample.com", False),
        ("example.com", "example.com.example.net", False),
        ("home.example.com", "example.com", False),
        ("home.example.com", "myhome.example.com", False),
    ],
)
def test_a_zone_covers_whole_labels_only(zone: str, name: str, inside: bool) -> None:
    assert covers(zone, name) is inside
