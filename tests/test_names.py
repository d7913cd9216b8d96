"""Domain names as they are compared."""

import re

import pytest

from ddns_updater.names import covers, normalize_name

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
        ("bücher.example.com", "has the label 'bücher', which is not a valid DNS label"),
        ("home.example.com:80", "has the label 'com:80', which is not a valid DNS label"),
        ("a" * 64 + ".example.com", f"has the label '{'a' * 64}', which is not a valid DNS label"),
        (LONGEST + "b", "is longer than 253 characters"),
    ],
)
def test_it_says_what_is_wrong_with_what_is_no_name(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(problem)}$"):
        normalize_name(text)


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
