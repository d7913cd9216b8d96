"""The pages of the documentation, taken apart: what a test can execute, compare or follow."""

import re
from pathlib import Path
from typing import NamedTuple

TOP = Path(__file__).parents[2]
PAGES = {str(path.relative_to(TOP)): path for path in [TOP / "README.md", *sorted((TOP / "docs").glob("*.md"))]}
OTHERS = ("CONTRIBUTING.md", "CHANGELOG.md")  # whose links are followed as well

_FENCE = re.compile(r"^```(.*)\n((?:.*\n)*?)^```$|^<!-- test: (.+) -->$", re.MULTILINE)
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)


class Block(NamedTuple):
    """A fenced block; `language` is the first word behind the fence, `argument` the rest."""

    language: str
    argument: str
    text: str
    line: int


class Scene(NamedTuple):
    """What happens between two blocks, as a comment says that no reader sees: `<!-- test: ... -->`."""

    words: str
    line: int


def text_of(name: str) -> str:
    """Return the text of a page."""
    return (TOP / name).read_text()


def steps(text: str) -> list[Block | Scene]:
    """Return the blocks of a page and what happens between them, in order."""
    found: list[Block | Scene] = []
    for match in _FENCE.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        if match[3]:
            found.append(Scene(match[3], line))
        else:
            language, _, argument = match[1].partition(" ")
            found.append(Block(language, argument, match[2], line))
    return found


def blocks(text: str) -> list[Block]:
    """Return the blocks of a page."""
    return [each for each in steps(text) if isinstance(each, Block)]


def prose(text: str) -> str:
    """Return a page without its blocks and comments."""
    return _COMMENT.sub("", _FENCE.sub("", text))


def inline(text: str) -> list[str]:
    """Return what stands between backquotes outside of the blocks."""
    return re.findall(r"`([^`\n]+)`", prose(text))


def anchors(text: str) -> set[str]:
    """Return the anchors of the headings, as GitHub makes them."""
    titles = re.findall(r"^#+ (.+)$", prose(text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def links(text: str) -> list[str]:
    """Return the targets of all links outside of the blocks."""
    return re.findall(r"\]\(([^)\s]+)\)", prose(text))
