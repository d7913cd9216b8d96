"""`ddns status`."""

import click

from ddns_updater.app.status import read_status
from ddns_updater.app.status_page import status_page
from ddns_updater.cli.options import name_option, settings
from ddns_updater.cli.terminal import paint, terminal_width
from ddns_updater.errors import DdnsError
from ddns_updater.output.status import status_json, status_text


@click.command()
@name_option
@click.option("--json", "as_json", is_flag=True, help="Print the status as one JSON object.")
@click.option("--html", "as_html", is_flag=True, help="Print the status and all hosts as a page.")
@click.pass_context
def status(ctx: click.Context, name: str | None, as_json: bool, as_html: bool) -> None:
    """Show the address, records and last run.

    It begins with the verdict and every problem, so that monitoring can call it: a record that is not verified, runs
    that fail, or no recent run. It reads only the database and this machine's state file.

    Exit status: 0 when there is no problem, 1 when there is one, 2 for usage or settings.

    \b
    Example:
      ddns status
    """
    if as_json and as_html:
        raise click.UsageError("--json and --html cannot be combined", ctx)
    if as_html:
        text, found = status_page(settings(ctx), name=name)
    else:
        found = read_status(settings(ctx), name=name)
        text = status_json(found) if as_json else status_text(found, terminal_width(), paint)
    click.echo(text)
    if found.problems:
        ctx.exit(DdnsError.exit_code)
