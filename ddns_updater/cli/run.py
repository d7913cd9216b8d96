"""`ddns run`."""

from functools import partial

import click

from ddns_updater.alerts.event import Kind
from ddns_updater.app.runner import Runner
from ddns_updater.cli.options import load, name_option, terminal
from ddns_updater.cli.terminal import Terminal, stderr_is_terminal
from ddns_updater.errors import DdnsError
from ddns_updater.model import RunResult
from ddns_updater.output.run import alert_line, run_facts, run_json, run_lines, run_warnings
from ddns_updater.run.news import News


@click.command()
@name_option
@click.option("--dry-run", is_flag=True, help="Show what a run would do without writing anything.")
@click.option("--recheck", is_flag=True, help="Check all records in DNS now, and repair them.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON object.")
@click.option("-q", "--quiet", is_flag=True, help="Print only changes and lasting failures, for cron.")
@click.pass_context
def run(ctx: click.Context, name: str | None, dry_run: bool, recheck: bool, as_json: bool, quiet: bool) -> None:
    """Publish the public address if it changed.

    A run fetches the address, records a change, publishes it and verifies it in DNS. Start one every minute from cron:
    each run finishes what an earlier one left undone, and overlapping runs are harmless. A new address is held back
    while a second source contradicts it (DDNS_IP_AGREEMENT). Address families are independent; the worse outcome sets
    the exit status.

    With --quiet, cron mails what is new: a change, a failure once DDNS_ALERT_AFTER runs have failed, its reminders and
    its end, and a warning once a day. On a terminal, every failure and warning is printed. A run is skipped while
    another one is in progress, and fails when that goes on for more than three usual intervals.

    \b
    Outcomes and exit status:
      unchanged, updated, pending, skipped, off    0
      failed, held                                 1
      usage or settings                            2

    \b
    Example:
      ddns run --quiet
    """
    only_news = quiet and not stderr_is_terminal()
    loaded = load(ctx, quiet=quiet, hold_warnings=only_news)
    runner = Runner(
        loaded.valid(),
        name=name,
        dry_run=dry_run,
        recheck=recheck,
        quiet=only_news,
        remarks=[str(each) for each in loaded.warnings] if only_news else (),
        show=partial(show, terminal(ctx), as_json=as_json, quiet=quiet),
        last_words=terminal(ctx).last_words,
    )
    if runner.run_once().outcome.is_bad:
        ctx.exit(DdnsError.exit_code)


def show(out: Terminal, result: RunResult, news: News, *, as_json: bool, quiet: bool) -> None:
    """Print what is `news` of `result`; `quiet` omits a result that changed nothing, JSON has every other one."""
    if as_json and not (quiet and result.outcome.is_quiet):
        click.echo(run_json(result))
    if news.event:
        is_bad = news.event.kind is Kind.FAILING
        out.alert(
            alert_line(news.event), is_bad=is_bad, event=news.event.kind, outcome=result.outcome, name=result.name
        )
    facts_of = dict(run_warnings(result))
    for warning in news.warnings:
        out.warning(warning, name=result.name, **facts_of.get(warning, {}))
    for (outcome, line), facts in zip(run_lines(result), run_facts(result), strict=True):
        if outcome not in news.outcomes:
            continue
        if outcome.is_bad:
            out.error(line, prefix="", outcome=outcome, name=result.name, **facts)
        elif not as_json and not (quiet and outcome.is_quiet):
            out.info(line, outcome=outcome, name=result.name, **facts)
