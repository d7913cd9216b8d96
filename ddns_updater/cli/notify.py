"""`ddns notify`."""

import json
from collections.abc import Iterable

import click

from ddns_updater.app.notify import Tested, send_tests
from ddns_updater.cli.options import settings, terminal
from ddns_updater.cli.progress import Progress
from ddns_updater.cli.terminal import Terminal, terminal_width
from ddns_updater.errors import DdnsError, Stopped
from ddns_updater.lib.humanize import counted


@click.command()
@click.option("--test", is_flag=True, help="Send the test message.")
@click.option("--json", "as_json", is_flag=True, help="Print the results as one JSON object.")
@click.pass_context
def notify(ctx: click.Context, test: bool, as_json: bool) -> None:
    """Send a test message to every channel.

    It reports for each webhook and each Apprise service whether it accepted the message. The heartbeat is not pinged,
    because its service would take that for a run. Neither the database nor AWS is contacted.

    Exit status: 0 when every channel accepted it, 1 when one did not, 2 for usage or settings, or without a channel.

    \b
    Example:
      ddns notify --test
    """
    if not test:
        raise click.UsageError("ddns notify sends only a test message; add --test", ctx)
    configured = settings(ctx)
    out = terminal(ctx)
    results: list[Tested] = []
    try:
        with Progress(None if as_json else terminal_width()) as progress:
            for each in send_tests(configured, starts=progress.starts):
                progress.clear()
                results.append(each)
                if not as_json:
                    _show(out, each)
    except KeyboardInterrupt:
        raise Stopped(f"stopped after {counted(len(results), 'channel')}") from None
    if as_json:
        click.echo(_json(results))
    elif configured.heartbeat:
        out.info(f"DDNS_HEARTBEAT_URL: {configured.heartbeat.name} is pinged by runs only")
    if any(each.error for each in results):
        ctx.exit(DdnsError.exit_code)


def _show(out: Terminal, each: Tested) -> None:
    where = f"{each.variable}, number {each.number}"
    if each.error:
        out.error(f"{where}: {each.error}", setting=each.variable, number=each.number)
    else:
        out.info(f"{where}: {each.name} accepted the message", setting=each.variable, number=each.number)


def _json(results: Iterable[Tested]) -> str:
    channels = [
        {
            "setting": each.variable,
            "number": each.number,
            "name": each.name,
            "accepted": each.error is None,
            "error": each.error and str(each.error),
        }
        for each in results
    ]
    return json.dumps({"ok": all(each["accepted"] for each in channels), "channels": channels}, indent=2)
