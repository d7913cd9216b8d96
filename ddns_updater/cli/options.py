"""What several commands share: options, their values, and the terminal."""

from pathlib import Path
from typing import NamedTuple

import click

from ddns_updater.cli.terminal import Terminal
from ddns_updater.errors import SettingsError, SourceError
from ddns_updater.model import Address, Family
from ddns_updater.settings.load import load_settings
from ddns_updater.settings.settings import Settings
from ddns_updater.settings.table import origin_name
from ddns_updater.sources.address import public_address


class Invocation(NamedTuple):
    """What the options before the command say."""

    env_file: Path | None
    lines: Terminal


def _name(_ctx: click.Context, _param: click.Parameter, value: str | None) -> str | None:
    try:
        return None if value is None else origin_name(value)
    except ValueError as error:
        raise SettingsError(f"--name {value!r} {error}") from None


def note_given(_ctx: click.Context, _param: click.Parameter, value: str | None) -> str | None:
    """Check the text of --note."""
    try:
        return value and value.encode().decode()
    except UnicodeEncodeError:
        raise SettingsError(f"--note {value!r} is not UTF-8 text; write it in plain letters") from None


def addresses_given(_ctx: click.Context, _param: click.Parameter, values: tuple[str, ...]) -> dict[Family, Address]:
    """Check the addresses of --ip and sort them by family."""
    found: dict[Family, Address] = {}
    for value in values:
        family = Family.IPV6 if ":" in value else Family.IPV4
        try:
            address = public_address(value, family)
        except SourceError as error:
            raise SettingsError(f"--ip cannot be {str(error).removeprefix('answered ')}") from None
        if found.setdefault(family, address) != address:
            raise SettingsError(f"--ip {found[family]} and --ip {address} are of one family; give one of them")
    return found


name_option = click.option(
    "--name",
    callback=_name,
    help="The origin: the line being tracked. Default: DDNS_NAME, else the only one there is.",
)


def settings(ctx: click.Context) -> Settings:
    """Load the settings of the file that --env-file names, or of the usual ones."""
    return load_settings(ctx.obj.env_file)


def lines(ctx: click.Context) -> Terminal:
    """Return how lines are printed; as text where the options were not understood."""
    return ctx.obj.lines if ctx.obj else Terminal()
