"""Options, their checks and the terminal, shared by several commands."""

import logging
from pathlib import Path
from typing import NamedTuple

import click

from ddns_updater.cli.terminal import Terminal
from ddns_updater.errors import InvalidValue, SettingsError, UnusableAnswer
from ddns_updater.model import Address, Family
from ddns_updater.settings.load import LoadResult, read_settings
from ddns_updater.settings.settings import Settings
from ddns_updater.settings.values import origin_name
from ddns_updater.sources.address import public_address

log = logging.getLogger(__name__)


class Invocation(NamedTuple):
    """The options given before the command."""

    env_file: Path | None
    terminal: Terminal


def _name(_ctx: click.Context, _param: click.Parameter, value: str | None) -> str | None:
    try:
        return None if value is None else origin_name(value)
    except InvalidValue as error:
        raise SettingsError(f"--name {value!r} {error.problem}", error.advice) from None


def note_given(_ctx: click.Context, _param: click.Parameter, value: str | None) -> str | None:
    """Return the text of --note; raises SettingsError when it is not UTF-8."""
    try:
        return value and value.encode().decode()
    except UnicodeEncodeError:
        raise SettingsError(f"--note {value!r} is not UTF-8 text", "write it in UTF-8 or ASCII") from None


def addresses_given(_ctx: click.Context, _param: click.Parameter, values: tuple[str, ...]) -> dict[Family, Address]:
    """Return the addresses of --ip by family; raises SettingsError for a bad one, or two of one family."""
    found: dict[Family, Address] = {}
    for value in values:
        family = Family.IPV6 if ":" in value else Family.IPV4
        try:
            address = public_address(value, family)
        except UnusableAnswer as error:
            raise SettingsError(f"--ip cannot be {error.answer}", error.advice) from None
        if found.setdefault(family, address) != address:
            raise SettingsError(
                f"--ip {found[family]} and --ip {address} are both {family} addresses", "give one of them"
            )
    return found


name_option = click.option(
    "--name",
    callback=_name,
    help="Use this origin (default: DDNS_NAME, or the only one).",
)


def settings(
    ctx: click.Context, *, quiet: bool = False, for_init: bool = False, with_parameters: bool = True
) -> Settings:
    """Load the settings, from the file of --env-file when it was given, and print the warnings about them.

    With `quiet` the notes wait until something is wrong; `for_init` also refuses what is only good for a first try.
    Without `with_parameters` a setting that a parameter of AWS holds is left out.
    """
    return load(ctx, quiet=quiet, for_init=for_init, with_parameters=with_parameters).valid()


def load(
    ctx: click.Context,
    *,
    quiet: bool = False,
    hold_warnings: bool = False,
    for_init: bool = False,
    with_parameters: bool = True,
) -> LoadResult:
    """Load the settings as `settings` does; with `hold_warnings` those wait too, until another line is printed."""
    out = terminal(ctx)
    loaded = read_settings(ctx.obj.env_file, for_init=for_init, with_parameters=with_parameters)
    files = ", ".join(str(file.path) for file in loaded.env_files) or "none"
    log.info("settings files: %s; %s", files, loaded.settings)
    for warning in loaded.warnings:
        out.hold(str(warning)) if hold_warnings else out.warning(str(warning))
    for note in loaded.notes:
        out.hold(str(note)) if quiet else out.warning(str(note))
    return loaded


def terminal(ctx: click.Context) -> Terminal:
    """Return the terminal to print to."""
    out: Terminal = ctx.obj.terminal
    return out
