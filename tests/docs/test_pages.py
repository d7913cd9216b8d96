"""Every page of the documentation is true: its commands run, its samples are what they print, its links lead on."""

import re
import shlex
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import click
import pytest

from ddns_updater.cli.main import main
from tests.docs.pages import OTHERS, PAGES, TOP, Block, anchors, inline, links, prose, steps, text_of
from tests.docs.world import KINDS, World
from tests.doctor.test_name_servers import world as world_of_name_servers
from tests.support.aws import FakeAws

INSTALLING = ("README.md", "docs/deploy.md")  # the others begin with the program installed

name_servers = world_of_name_servers  # a fixture


@pytest.fixture
def world(tmp_path: Path, aws: FakeAws, request: pytest.FixtureRequest) -> Iterator[World]:
    """Give a machine on which nothing is installed yet."""
    with ExitStack() as stack:
        page = request.node.callspec.params["page"]
        yield World(tmp_path, aws, request.getfixturevalue, stack, is_installed=page not in INSTALLING)


@pytest.mark.parametrize("page", PAGES)
def test_every_block_is_of_a_kind_that_is_executed_or_compared(page: str) -> None:
    for step in steps(text_of(page)):
        if isinstance(step, Block):
            known = step.language in KINDS or (step.argument and (TOP / step.argument).is_file())
            assert known, f"{page}, line {step.line}: {step.language!r} {step.argument!r}"
    assert not re.search(r"^(```|~~~)", re.sub(r"^```.*\n(?:.*\n)*?^```$", "", text_of(page), flags=re.MULTILINE))


@pytest.mark.parametrize(
    "page", [page for page in PAGES if any(isinstance(each, Block) for each in steps(text_of(page)))]
)
def test_the_commands_of_a_page_run_and_its_samples_are_what_they_print(page: str, world: World) -> None:
    for step in steps(text_of(page)):
        try:
            world.play(step)
        except AssertionError as error:
            raise AssertionError(f"{page}, line {step.line}: {error}") from error


@pytest.mark.parametrize("page", [*PAGES, *OTHERS])
def test_every_link_leads_somewhere(page: str) -> None:
    folder = (TOP / page).parent
    for link in links(text_of(page)):
        if link.startswith("https://"):
            continue
        target, _, anchor = link.partition("#")
        path = (folder / target).resolve() if target else TOP / page
        assert path.exists(), link
        assert path.is_relative_to(TOP), link
        if anchor:
            assert anchor in anchors(path.read_text()), link


def test_the_readme_leads_to_every_page() -> None:
    led = {link.partition("#")[0] for link in links(text_of("README.md"))}
    assert {page for page in PAGES if page != "README.md"} <= led


def test_the_readme_is_short() -> None:
    assert len(text_of("README.md").splitlines()) <= 150


@pytest.mark.parametrize("page", [page for page in PAGES if page != "README.md"])
def test_a_page_begins_with_what_its_reader_wants_to_do(page: str) -> None:
    title, first = prose(text_of(page)).split("\n\n")[:2]
    assert title.startswith("# ")
    assert first.startswith("You want to ")


@pytest.mark.parametrize("page", PAGES)
def test_every_command_within_a_sentence_exists_with_its_options(page: str) -> None:
    for text in inline(text_of(page)):
        words = [word.strip("[]") for word in text.replace("…", "").split()]
        if words[:1] == ["ddns"] and len(words) > 1:
            _check(shlex.split(" ".join(words))[1:], text)


def _check(words: list[str], text: str) -> None:
    """Assert that these are a command and its options, after options of `ddns` itself."""
    command: click.Command = main
    context = click.Context(main, info_name="ddns")
    rest = iter(words)
    for word in rest:
        if word.startswith("-"):
            known = [each for each in command.get_params(context) if word in each.opts]
            assert known, text
            if isinstance(known[0], click.Option) and not known[0].is_flag:
                next(rest, None)
        elif isinstance(command, click.Group):
            found = command.get_command(context, word)
            assert found, text
            command = found
