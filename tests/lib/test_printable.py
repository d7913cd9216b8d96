"""What is escaped in a text from outside, and what stays."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddns_updater.lib.printable import printable, printable_lines


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b]0;title\x07", r"\x1b]0;title\x07"),
        ("\x9b31mred", r"\x9b31mred"),
        ("a\r\nb\tc\x00\x7f\x85", r"a\r\nb\tc\x00\x7f\x85"),
        ("\u202egpj\u202c\u2066\u200f\u061c", r"\u202egpj\u202c\u2066\u200f\u061c"),
        ("a\u2028b\u2029c", r"a\u2028b\u2029c"),
        pytest.param("\udc9b\udcff", r"\udc9b\udcff", id="surrogates"),  # which xdist cannot report
        ("\ufeff", r"\ufeff"),
    ],
)
def test_what_a_terminal_would_obey_is_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "",
        "*.example.com A: 192.0.2.7; it's “fine”",
        "büro 中 नमस्ते",
        "👩\u200d💻",
        "\u0645\u06cc\u200c\u062e",
        "a\xa0b",
        "C:\\x1b",
    ],
)
def test_other_text_stays_as_it_is(text: str) -> None:
    assert printable(text) == text


def test_lines_stay_lines_where_they_are_ours() -> None:
    assert printable_lines("a\x1b\nb\r\n") == "a\\x1b\nb\\r\n"


@given(st.text())
def test_no_control_character_is_left(text: str) -> None:
    shown = printable(text)
    shown.encode()
    for each in shown:
        assert unicodedata.category(each) not in ("Cc", "Cs", "Zl", "Zp")
        assert unicodedata.bidirectional(each) not in ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")
    assert printable(shown) == shown
