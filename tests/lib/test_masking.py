"""Secrets within texts from outside are replaced, in the forms in which servers quote them."""

import pytest

from ddns_updater.lib.masking import masked


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("you sent hunter2!", "you sent …!"),
        ("HUNTER2, or HunTer2", "…, or …"),
        ("key=p%40ss%2Fword&x=1", "key=…&x=1"),
        ("b'FwoGTOKEN\\n'", "b'…\\n'"),
        ("nothing of ours", "nothing of ours"),
        ("short words stay: abc", "short words stay: abc"),
    ],
)
def test_a_secret_in_a_text_is_replaced(text: str, shown: str) -> None:
    assert masked(text, ["hunter2", "p@ss/word", "FwoGTOKEN\n", "abc", "", None]) == shown
