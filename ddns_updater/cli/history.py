"""`ddns history`."""

import sys
from collections.abc import Iterable
from contextlib import closing
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import click

from ddns_updater.app.history import HistoryView, read_history, read_history_at, stream_history
from ddns_updater.cli.history_request import DEFAULT_LIMIT, MAX_LIMIT, Options, Output, Request, request_of
from ddns_updater.cli.options import name_option, settings, terminal
from ddns_updater.cli.terminal import Terminal, terminal_width
from ddns_updater.errors import DdnsError
from ddns_updater.lib.humanize import local_second
from ddns_updater.model import HistoryEntry
from ddns_updater.output.history import history_csv, history_json, history_table
from ddns_updater.output.history_chart import history_chart
from ddns_updater.output.history_summary import summary_json, summary_lines
from ddns_updater.output.layout import wrapped


@click.command()
@name_option
@click.option("--since", metavar="TIME", help="Show only versions current at TIME or later.")
@click.option("--until", metavar="TIME", help="Show only versions current at TIME or earlier.")
@click.option("--at", metavar="TIME", help="Show only the version of each family current at TIME.")
@click.option(
    "--limit",
    type=click.IntRange(1, MAX_LIMIT),
    metavar="COUNT",
    help=f"Show at most this many versions (default: {DEFAULT_LIMIT}).",
)
@click.option("--chart", is_flag=True, help="Draw a timeline instead of the table.")
@click.option("--summary", is_flag=True, help="Print only how often the address changed.")
@click.option("--json", is_flag=True, help="Print a JSON array.")
@click.option("--csv", is_flag=True, help="Print CSV with a header.")
@click.pass_context
def history(ctx: click.Context, /, **options: Any) -> None:
    """List the address history.

    Each version, newest first, has its address, its start, how long it was held, and the state of DNS. A summary below
    shows how often the address changed, in total or between --since and --until. With either of these all versions are
    listed unless --limit is given.

    When the first version really started and when the current one will end is unknown: neither counts as the shortest,
    and as the longest it is shown as "at least". Durations include the time outside --since and --until.

    TIME is a date (2026-05-03) or a date and time (2026-05-03T14:00), local unless it has an offset or Z. A date is the
    whole day; for --at it is its first second.

    Exit status: 0 when listed, 1 when it failed or --at is before the first version, 2 for usage or settings.

    \b
    Example:
      ddns history --since 2026-01-01 --chart
    """
    given = Options(**options)
    request = request_of(given, datetime.now(UTC))
    name, window, limit = given.name, request.window, request.limit
    if request.is_at:
        _print_at(terminal(ctx), request, read_history_at(settings(ctx), name=name, second=window))
    elif request.output in (Output.JSON, Output.CSV):
        with closing(stream_history(settings(ctx), name=name, limit=limit + 1, window=window)) as entries:
            _print_versions(request.output, islice(entries, limit))
            if given.limit is None and next(entries, None):
                terminal(ctx).warning(f"these are the newest {limit} versions; use --limit or --since to see more")
    else:
        _print_counted(request, read_history(settings(ctx), name=name, limit=limit, window=window))


def _print_counted(request: Request, view: HistoryView) -> None:
    """Print the table or the chart, and the summary below it; or only that."""
    if request.output is Output.SUMMARY_JSON:
        click.echo(summary_json(view.summaries))
        return
    width = terminal_width()
    if request.output is Output.TABLE:
        click.echo(history_table(view.entries, width) + "\n")
    elif request.output is Output.CHART and view.entries:
        encoding = sys.stdout.encoding if sys.stdout else None  # stdout is None when closed
        click.echo(history_chart(view.entries, request.window, width, encoding) + "\n")
    lines = summary_lines(view.summaries)
    if view.has_more and request.output is not Output.SUMMARY:
        total = sum(each.versions for each in view.summaries)
        lines.append(f"the newest {request.limit} of {total} versions; --limit {total} shows all")
    click.echo("\n".join(part for line in lines for part in wrapped(line, width)))


def _print_at(out: Terminal, request: Request, view: HistoryView) -> None:
    """Print the version of each family at a time; raises DdnsError when there is none, else names those without."""
    at = request.window.start
    assert at
    unknown = [
        f"{each.family}: no address is recorded for {local_second(at)}; the history starts at"
        f" {local_second(each.first_recorded_at)}"
        for each in view.summaries
    ]
    if view.entries or request.output is not Output.TABLE:
        _print_versions(request.output, view.entries)
    if not view.entries:
        raise DdnsError("\n".join(unknown))
    for line in unknown:
        out.warning(line)


def _print_versions(output: Output, entries: Iterable[HistoryEntry]) -> None:
    if output is Output.TABLE:
        click.echo(history_table(list(entries), terminal_width()))
        return
    for part in (history_json if output is Output.JSON else history_csv)(entries):
        click.echo(part, nl=False)
