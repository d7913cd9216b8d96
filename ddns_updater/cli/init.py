"""`ddns init`."""

import click

from ddns_updater.app.init import create_tables, initialise
from ddns_updater.cli.options import addresses_given, name_option, note_given, settings, terminal
from ddns_updater.cli.progress import Progress
from ddns_updater.cli.terminal import terminal_width
from ddns_updater.errors import Stopped
from ddns_updater.lib.humanize import counted
from ddns_updater.model import Address, Family


@click.command()
@name_option
@click.option(
    "--ip",
    "addresses",
    callback=addresses_given,
    multiple=True,
    help="Seed with this address (once per address family).",
)
@click.option("--note", callback=note_given, help="Store this note with the first version.")
@click.option("--tables-only", is_flag=True, help="Seed no origin, as for a server of hosts alone.")
@click.option(
    "--no-create", is_flag=True, help="Make no table, as for one of Terraform's: fail when it is missing or old."
)
@click.pass_context
def init(
    ctx: click.Context,
    name: str | None,
    addresses: dict[Family, Address],
    note: str | None,
    tables_only: bool,
    no_create: bool,
) -> None:
    """Create the tables and seed the origin.

    It seeds each family of DDNS_IP_FAMILIES with its first address: the one given with --ip, or else the one that two
    address sources agree on. It upgrades old tables, and adopts an existing table admin_ip_history with its rows.
    Running it again changes nothing, except that it seeds families added to the settings.

    Exit status: 0 when done or nothing to do, 1 when it failed, 2 for usage or settings.

    \b
    Example:
      ddns init --name home --note "office line"
    """
    if tables_only and (name or addresses or note):
        raise click.UsageError("--tables-only seeds no origin, so it takes no --name, --ip or --note", ctx)
    if tables_only and no_create:
        raise click.UsageError("--tables-only makes tables and --no-create makes none, so leave out one", ctx)
    configured = settings(ctx, for_init=True)
    try:
        with Progress(None if terminal(ctx).as_json else terminal_width()) as progress:
            result = (
                create_tables(configured, starts=progress.starts)
                if tables_only
                else initialise(
                    configured,
                    name=name,
                    addresses=addresses,
                    note=note,
                    creates=not no_create,
                    starts=progress.starts,
                )
            )
    except KeyboardInterrupt:
        raise Stopped("stopped by SIGINT", "run init again: it goes on from there") from None
    for warning in result.warnings:
        terminal(ctx).warning(warning)
    terminal(ctx).info(f"database: {configured.database.place}")
    if result.migrations or tables_only:
        terminal(ctx).info(f"schema: {counted(result.migrations, 'migration')} applied")
    for each in result.seeded:
        version = each.version
        ip = version.ip if version.ip.isprintable() and version.ip else repr(version.ip)
        known = f"version {version.version} is {ip}"
        line = (
            f"created origin {version.name}: {known}"
            if each.created
            else f"origin {version.name} already exists: {known}; nothing changed"
        )
        terminal(ctx).info(line, name=version.name, address=version.ip, version=version.version)
