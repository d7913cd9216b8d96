"""`ddns run`."""

import click

from ddns_updater.app.runner import run_once
from ddns_updater.cli.options import name_option, settings, terminal
from ddns_updater.cli.terminal import Terminal
from ddns_updater.errors import DdnsError
from ddns_updater.model import Outcome, RunResult
from ddns_updater.output.run import run_facts, run_json, run_lines, run_warnings

_QUIET = (Outcome.UNCHANGED, Outcome.SKIPPED)


@click.command()
@name_option
@click.option("--dry-run", is_flag=True, help="Show what a run would do without writing anything.")
@click.option("--recheck", is_flag=True, help="Check all records in DNS now, and repair them.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON object.")
@click.option("-q", "--quiet", is_flag=True, help="Print only what changed or went wrong.")
@click.pass_context
def run(ctx: click.Context, name: str | None, dry_run: bool, recheck: bool, as_json: bool, quiet: bool) -> None:
    """Publish the public address if it changed.

    A run fetches the address, records a change, publishes it and verifies it in DNS. Start one every minute from cron:
    each run finishes what an earlier one left undone, and overlapping runs are harmless. A new address is held back
    while a second source contradicts it (DDNS_IP_AGREEMENT). Address families are independent; the worse outcome sets
    the exit status.

    \b
    Outcomes and exit status:
      unchanged, updated, pending, skipped    0
      failed, held                            1
      usage or settings                       2

    \b
    Example:
      ddns run --quiet
    """
    result = run_once(settings(ctx, quiet=quiet), name=name, dry_run=dry_run, recheck=recheck)
    show(terminal(ctx), result, as_json=as_json, quiet=quiet)
    if result.outcome.is_bad:
        ctx.exit(DdnsError.exit_code)


def show(out: Terminal, result: RunResult, *, as_json: bool, quiet: bool) -> None:
    """Print `result` and its warnings; `quiet` omits a result that changed nothing."""
    if as_json and not (quiet and result.outcome in _QUIET):
        click.echo(run_json(result))
    for warning, facts in run_warnings(result):
        out.warning(warning, name=result.name, **facts)
    for (outcome, line), facts in zip(run_lines(result), run_facts(result), strict=True):
        if outcome.is_bad:
            out.error(line, prefix="", outcome=outcome, name=result.name, **facts)
        elif not as_json and not (quiet and outcome in _QUIET):
            out.info(line, outcome=outcome, name=result.name, **facts)
