"""Where the lines of a text break."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddns_updater.output.layout import wrapped

WORDS = st.sampled_from(
    ["a", "line", "longest", "2", "41", "d", "h", "s,", "min", "home.example.com", "A", "192.0.2.1", "Route", "53",
     "/home/me/.config/ddns/.env", "2026-05-03", "14:00", "UTC", '"ddns', 'init"', "chmod", "600", "-", "--json"]
)  # fmt: skip


@given(st.lists(WORDS, min_size=1, max_size=30).map(" ".join), st.integers(1, 100), st.sampled_from(["", "  ", "- "]))
def test_the_text_stays_whole_and_lines_are_no_wider_than_asked_for(text: str, width: int, rest: str) -> None:
    lines = wrapped(text, width, "> ", rest)
    assert lines[0].startswith("> ")
    assert all(line.startswith(rest) for line in lines[1:])
    bare = [lines[0].removeprefix("> "), *(line.removeprefix(rest) for line in lines[1:])]
    assert " ".join(bare) == text
    for line, words in zip(lines, bare, strict=True):
        assert len(line) <= width or " " not in words or _is_inseparable(words)


def _is_inseparable(line: str) -> bool:
    return bool(re.search(r"\d [a-z]|\d \d\d:|:00 UTC|Route 53|chmod ", line))


@pytest.mark.parametrize(
    ("text", "width", "lines"),
    [
        ("held for 41 d 2 h, at least", 16, ["held for", "41 d 2 h, at", "least"]),
        ("since 2026-05-03 14:00 UTC (3 h 20 min)", 27, ["since 2026-05-03 14:00 UTC", "(3 h 20 min)"]),
        ("since 2026-05-03 14:00:09 or so", 20, ["since", "2026-05-03 14:00:09", "or so"]),
        ("the version 1 is 9.9.9.9 of 30 runs", 30, ["the version 1 is 9.9.9.9 of", "30 runs"]),
        (
            "last run: 2026-05-03 14:00 UTC (12 s ago), failed",
            37,
            ["last run: 2026-05-03 14:00 UTC", "(12 s ago), failed"],
        ),
        ("it points Route 53 at home", 16, ["it points", "Route 53 at home"]),
        ('now run "ddns init --name NAME"', 27, ["now run", '"ddns init --name NAME"']),
        ('now run "ddns init --name NAME"', 20, ['now run "ddns init', '--name NAME"']),
        ("to do it now: ddns run --name x; or wait", 28, ["to do it now:", "ddns run --name x; or wait"]),
        ("add it: chmod 600 /home/me/a-long-name", 20, ["add it:", "chmod 600 /home/me/a-long-name"]),
        ("failed to change home.example.com A: no", 34, ["failed to change", "home.example.com A: no"]),
        ("user/ddns is not authorized to do that", 20, ["user/ddns is not", "authorized to do", "that"]),
        ("a well-known well-spelt --option", 15, ["a well-known", "well-spelt", "--option"]),
        ("", 20, []),
    ],
)
def test_lines_break_only_where_nothing_is_torn_apart(text: str, width: int, lines: list[str]) -> None:
    assert wrapped(text, width) == lines


def test_without_a_width_there_is_one_line() -> None:
    assert wrapped("since 2026-05-03 14:00 UTC " * 20, None, "- ", "  ") == ["- " + "since 2026-05-03 14:00 UTC " * 20]
