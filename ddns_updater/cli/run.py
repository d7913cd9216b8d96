"""`ddns run`."""

import click

from ddns_updater.app.runner import run_once
from ddns_updater.cli.options import lines, name_option, settings
from ddns_updater.cli.terminal import Terminal
from ddns_updater.errors import DdnsError
from ddns_updater.model import Outcome, RunResult
from ddns_updater.output.run import run_json, run_lines, run_warnings

_QUIET = (Outcome.UNCHANGED, Outcome.SKIPPED)


@click.command()
@name_option
@click.option("--dry-run", is_flag=True, help="Ask and compare, tell what would be done, write nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("-q", "--quiet", is_flag=True, help="Print only what changed or went wrong.")
@click.pass_context
def run(ctx: click.Context, name: str | None, dry_run: bool, as_json: bool, quiet: bool) -> None:
    """Do one run: fetch the public address, record a change, publish it, see it hold.

    Made for cron, each minute. What an earlier run left unfinished is gone on with; overlapping runs are harmless.
    A changed address is held back when a second source says otherwise (DDNS_IP_AGREEMENT). Address families do not
    hold back one another; the exit status is that of the worse.

    \b
    Outcomes and exit status:
      unchanged, updated, pending, skipped    0
      failed, held                            1
      usage or settings                       2

    \b
    Example:
      ddns run --quiet
    """
    result = run_once(settings(ctx), name=name, dry_run=dry_run)
    show(lines(ctx), result, as_json=as_json, quiet=quiet)
    if result.outcome.is_bad:
        ctx.exit(DdnsError.exit_code)


def show(out: Terminal, result: RunResult, *, as_json: bool, quiet: bool) -> None:
    if as_json and not (quiet and result.outcome in _QUIET):
        click.echo(run_json(result))
    for warning in run_warnings(result):
        out.warning(warning, name=result.name)
    for outcome, line in run_lines(result):
        if outcome.is_bad:
            out.error(line, prefix="", outcome=outcome, name=result.name)
        elif not as_json and not (quiet and outcome in _QUIET):
            out.info(line, outcome=outcome, name=result.name)
