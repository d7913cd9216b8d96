"""`ddns init`."""

import click

from ddns_updater.app.init import initialise
from ddns_updater.cli.options import addresses_given, lines, name_option, note_given, settings
from ddns_updater.lib.humanize import counted
from ddns_updater.model import Address, Family


@click.command()
@name_option
@click.option(
    "--ip",
    "addresses",
    callback=addresses_given,
    multiple=True,
    help="The first address; once for each family. Default: what two address sources agree on.",
)
@click.option("--note", callback=note_given, help="A text to keep with the first version.")
@click.pass_context
def init(ctx: click.Context, name: str | None, addresses: dict[Family, Address], note: str | None) -> None:
    """Create or upgrade the tables, and seed the origin with its first address, in each of DDNS_IP_FAMILIES.

    A table admin_ip_history that exists already is adopted with its rows. Run again, this says so and changes nothing,
    unless an address family was added to the settings: it is seeded then.

    \b
    Example:
      ddns init --name ddokso-scrap --note "office line"
    """
    result = initialise(settings(ctx), name=name, addresses=addresses, note=note)
    for warning in result.warnings:
        lines(ctx).warning(warning)
    if result.migrations:
        lines(ctx).info(f"schema: {counted(result.migrations, 'migration')} applied")
    for each in result.seeded:
        version = each.version
        if each.created:
            lines(ctx).info(f"created origin {version.name}: version {version.version} is {version.ip}")
        else:
            lines(ctx).info(
                f"origin {version.name} exists already: version {version.version} is {version.ip}; nothing changed"
            )
