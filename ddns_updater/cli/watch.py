"""`ddns watch`."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial

import click

from ddns_updater.app.runner import Runner
from ddns_updater.app.watch import repeat
from ddns_updater.cli.faults import print_fault
from ddns_updater.cli.options import name_option, settings, terminal
from ddns_updater.cli.run import show
from ddns_updater.cli.terminal import flush_output, stderr_is_terminal
from ddns_updater.errors import DdnsError
from ddns_updater.lib.files import NO_ROOM
from ddns_updater.run.report import Report


@click.command()
@name_option
@click.option(
    "--every",
    type=click.IntRange(1, 86_400),
    default=60,
    show_default=True,
    metavar="SECONDS",
    help="Start a run this often, give or take a tenth.",
)
@click.option("--json", "as_json", is_flag=True, help="Print each result as JSON on one line.")
@click.option("-q", "--quiet", is_flag=True, help="Print only changes and lasting failures, as run does.")
@click.pass_context
def watch(ctx: click.Context, name: str | None, every: int, as_json: bool, quiet: bool) -> None:
    """Run in a loop, instead of cron.

    It is for containers and service managers. It reads the settings once, at the start. A failed run does not end it.
    SIGTERM or SIGINT (Ctrl-C) ends it after the current run; a second signal ends it at once.

    Exit status: 0 after the first signal, 1 when a run hangs, 2 for usage or settings.

    \b
    Example:
      ddns watch --every 60 --quiet
    """
    out = terminal(ctx)

    def ended(report: Report) -> None:
        with _despite_full_disk():
            runs.show(report)

    def crashed(error: Exception) -> None:
        with _despite_full_disk():
            if isinstance(error, DdnsError):
                out.error(str(error))
            else:
                print_fault(out, error)

    def waits() -> None:
        out.notice("waiting for the run in progress to end; Ctrl-C again stops at once")

    runs = Runner(
        settings(ctx, quiet=quiet),
        name=name,
        quiet=quiet and not stderr_is_terminal(),
        show=partial(show, out, as_json=as_json, quiet=quiet),
        last_words=out.last_words,
        stoppable=False,
    )
    with closing(runs):
        repeat(runs.run, every, ended=ended, crashed=crashed, waits=waits)
    flush_output()


@contextmanager
def _despite_full_disk() -> Iterator[None]:
    """Ignore a full disk behind the output: DNS must be updated anyway."""
    try:
        yield
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
