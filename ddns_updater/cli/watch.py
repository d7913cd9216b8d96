"""`ddns watch`."""

import traceback
from collections.abc import Iterator
from contextlib import closing, contextmanager

import click

from ddns_updater.app.runner import Runner
from ddns_updater.app.watch import repeat
from ddns_updater.cli.options import lines, name_option, settings
from ddns_updater.cli.run import show
from ddns_updater.cli.terminal import give_up_output
from ddns_updater.errors import DdnsError
from ddns_updater.lib.files import NO_ROOM
from ddns_updater.model import RunResult


@click.command()
@name_option
@click.option(
    "--every",
    type=click.IntRange(1, 86_400),
    default=60,
    show_default=True,
    help="Seconds from one run to the next, give or take a tenth.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for each run, on a line of its own.")
@click.option("-q", "--quiet", is_flag=True, help="Print only what changed or went wrong.")
@click.pass_context
def watch(ctx: click.Context, name: str | None, every: int, as_json: bool, quiet: bool) -> None:
    """Do one run after the other in one process, in place of cron: for containers and service managers.

    SIGTERM and SIGINT (Ctrl-C) end it after the run in hand, with exit status 0; a second one at once. A run that fails
    does not end it. Settings are read once, at the start.

    \b
    Example:
      ddns watch --every 60 --quiet
    """
    out = lines(ctx)

    def ended(result: RunResult) -> None:
        with _though_full():
            show(out, result, as_json=as_json, quiet=quiet)

    def crashed(error: Exception) -> None:
        trace = "" if isinstance(error, DdnsError) else "".join(traceback.format_exception(error))
        with _though_full():
            out.error(str(error) or type(error).__name__, **({"traceback": trace} if trace else {}))
            if trace and not out.as_json:
                click.echo(trace, err=True, nl=False)

    with closing(Runner(settings(ctx), name=name, stoppable=False)) as runs:
        repeat(runs.run, every, ended=ended, crashed=crashed)
    give_up_output()


@contextmanager
def _though_full() -> Iterator[None]:
    """Go on where there is no room for what is printed: DNS is to follow all the same."""
    try:
        yield
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
