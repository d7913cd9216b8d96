"""`ddns history`."""

import re
import sys
import textwrap
from collections.abc import Sequence
from datetime import UTC, datetime

import click
from click.core import ParameterSource

from ddns_updater.app.history import HistoryView, read_history, read_history_at
from ddns_updater.cli import times
from ddns_updater.cli.options import name_option, settings, terminal
from ddns_updater.cli.terminal import terminal_width
from ddns_updater.errors import DdnsError, SettingsError
from ddns_updater.lib.humanize import local_second
from ddns_updater.model import HistoryEntry, Window
from ddns_updater.output.history import history_csv, history_json, history_table
from ddns_updater.output.history_chart import history_chart
from ddns_updater.output.history_summary import summary_json, summary_lines

_DEFAULT_LIMIT, _MAX_LIMIT = 20, 1_000_000_000  # versions


@click.command()
@name_option
@click.option("--since", metavar="TIME", help="Show only versions current at TIME or later.")
@click.option("--until", metavar="TIME", help="Show only versions current at TIME or earlier.")
@click.option("--at", metavar="TIME", help="Show only the version of each family current at TIME.")
@click.option(
    "--limit",
    type=click.IntRange(1, _MAX_LIMIT),
    metavar="COUNT",
    help=f"Show at most this many versions (default: {_DEFAULT_LIMIT}).",
)
@click.option("--chart", "as_chart", is_flag=True, help="Draw a timeline instead of the table.")
@click.option("--summary", is_flag=True, help="Print only how often the address changed.")
@click.option("--json", "output_format", flag_value="json", help="Print a JSON array.")
@click.option("--csv", "output_format", flag_value="csv", help="Print CSV with a header.")
@click.pass_context
def history(
    ctx: click.Context,
    name: str | None,
    since: str | None,
    until: str | None,
    at: str | None,
    limit: int | None,
    as_chart: bool,
    summary: bool,
    output_format: str | None,
) -> None:
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
    given = {option for option in ctx.params if ctx.get_parameter_source(option) is not ParameterSource.DEFAULT}
    _refuse_combination(ctx, given, "at", "since", "until", "limit", "as_chart", "summary")
    _refuse_combination(ctx, given, "summary", "limit", "as_chart")
    if (as_chart and output_format) or (summary and output_format == "csv"):
        option = "chart" if as_chart else "summary"
        raise click.UsageError(f"--{option} and --{output_format} cannot be combined", ctx)
    if at is not None:
        _print_at(ctx, name, at, output_format)
        return
    window = _not_future("--since", since, times.window(since, until))
    maximum = limit or (_DEFAULT_LIMIT if since is None and until is None else _MAX_LIMIT)
    configured = settings(ctx)
    if output_format and not summary:
        entries = read_history(configured, name=name, limit=maximum + 1, window=window, counted=False).entries
        _print(entries[:maximum], output_format)
        if len(entries) > maximum and limit is None:
            terminal(ctx).warning(f"these are the newest {maximum} versions; use --limit or --since to see more")
        return
    view = read_history(configured, name=name, limit=0 if summary else maximum, window=window, counted=True)
    if summary and output_format:
        click.echo(summary_json(view.summaries))
    else:
        _print_text(view, window, maximum, as_chart=as_chart, summary=summary)


def _print_text(view: HistoryView, window: Window, limit: int, *, as_chart: bool, summary: bool) -> None:
    width = terminal_width()
    lines = summary_lines(view.summaries)
    if as_chart and view.entries:
        encoding = sys.stdout.encoding if sys.stdout else None  # stdout is None when closed
        click.echo(history_chart(view.entries, window, width, encoding) + "\n")
    elif not as_chart and not summary:
        click.echo(history_table(view.entries, width) + "\n")
    total = sum(each.versions for each in view.summaries)
    if not summary and total > limit:
        lines.append(f"the newest {limit} of {total} versions; --limit {total} shows all")
    for line in lines:
        click.echo(_wrap(line, width))


def _print_at(ctx: click.Context, name: str | None, at: str, output_format: str | None) -> None:
    second = _not_future("--at", at, times.second(at))
    view = read_history_at(settings(ctx), name=name, second=second)
    unknown = [
        f"{each.family}: no address is recorded for {local_second(second.start)}; the history starts at"
        f" {local_second(each.first_recorded_at)}"
        for each in view.summaries
        if second.start
    ]
    if view.entries or output_format:
        _print(view.entries, output_format)
    if not view.entries:
        raise DdnsError("\n".join(unknown))
    for line in unknown:
        terminal(ctx).warning(line)


def _print(entries: Sequence[HistoryEntry], output_format: str | None) -> None:
    if output_format == "json":
        click.echo(history_json(entries))
    elif output_format == "csv":
        click.echo(history_csv(entries), nl=False)
    else:
        click.echo(history_table(entries, terminal_width()))


def _not_future(option: str, text: str | None, window: Window) -> Window:
    """Return `window`; raises SettingsError when its start, given by `option` as `text`, is in the future."""
    if window.start and window.start > datetime.now(UTC):
        raise SettingsError(f"{option} {text!r} is in the future; write a past time")
    return window


def _wrap(line: str, width: int | None) -> str:
    """Return `line` wrapped at `width` columns, but never between a number and its unit."""
    if width is None:
        return line
    return textwrap.fill(re.sub(r"(?<=\d) ", "\N{NO-BREAK SPACE}", line), width).replace("\N{NO-BREAK SPACE}", " ")


def _refuse_combination(ctx: click.Context, given: set[str], option: str, *others: str) -> None:
    """Raise UsageError when `option` was given with one of `others`."""
    if option in given and (clash := [other for other in others if other in given]):
        raise click.UsageError(f"--{option} and --{clash[0].removeprefix('as_')} cannot be combined", ctx)
