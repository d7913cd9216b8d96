"""`ddns history`: the versions that were."""

import re
import sys
import textwrap
from collections.abc import Sequence
from datetime import UTC, datetime

import click
from click.core import ParameterSource

from ddns_updater.app.history import HistoryView, read_history, read_history_at
from ddns_updater.cli import times
from ddns_updater.cli.options import lines, name_option, settings
from ddns_updater.cli.terminal import terminal_width
from ddns_updater.errors import DdnsError, SettingsError
from ddns_updater.lib.humanize import local_second
from ddns_updater.model import HistoryEntry, Window
from ddns_updater.output.history import history_csv, history_json, history_table
from ddns_updater.output.history_chart import history_chart
from ddns_updater.output.history_summary import summary_json, summary_lines

_USUAL, _MOST = 20, 1_000_000_000  # versions


@click.command()
@name_option
@click.option("--since", metavar="TIME", help="Only versions that were current then or later.")
@click.option("--until", metavar="TIME", help="Only versions that were current then or earlier.")
@click.option("--at", metavar="TIME", help="Only the version that was current then, of each address family.")
@click.option(
    "--limit",
    type=click.IntRange(1, _MOST),
    help=f"At most so many versions. Default: {_USUAL}; all with --since or --until.",
)
@click.option("--chart", "as_chart", is_flag=True, help="Draw how long each address was held.")
@click.option("--summary", is_flag=True, help="Tell only how often the address changed.")
@click.option("--json", "form", flag_value="json", help="Print a JSON array.")
@click.option("--csv", "form", flag_value="csv", help="Print CSV with a header.")
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
    form: str | None,
) -> None:
    """List the versions, newest first: address, since when, how long it was held, and how DNS followed.

    Below stands how often the address changed, in all or between --since and --until. When the first address was given
    and how long the last will be held is not known: neither counts as the shortest, and the longest of them is "at
    least". Times held are whole, also where --since or --until cut them.

    A TIME is a date (2026-05-03) or a date and time (2026-05-03T14:00), local unless it bears an offset or Z. A date is
    the whole day, and with --at its begin. "Which address did I have then?" is answered by --at 2026-05-03T14:00; the
    exit status is 1 when that was before the first version.

    \b
    Example:
      ddns history --since 2026-01-01 --chart
    """
    given = {option for option in ctx.params if ctx.get_parameter_source(option) is not ParameterSource.DEFAULT}
    _refuse(ctx, given, "at", "since", "until", "limit", "as_chart", "summary")
    _refuse(ctx, given, "summary", "limit", "as_chart")
    if (as_chart and form) or (summary and form == "csv"):
        raise click.UsageError(f"{'--chart' if as_chart else '--summary'} has no form in {form.upper()}", ctx)
    if at is not None:
        _print_at(ctx, name, at, form)
        return
    window = _past("--since", since, times.window(since, until))
    most = limit or (_USUAL if since is None and until is None else _MOST)
    configured = settings(ctx)
    if form and not summary:
        entries = read_history(configured, name=name, limit=most + 1, window=window, counted=False).entries
        _print(entries[:most], form)
        if len(entries) > most and limit is None:
            lines(ctx).warning(f"these are the newest {most} versions; --limit or --since gives more")
        return
    past = read_history(configured, name=name, limit=0 if summary else most, window=window, counted=True)
    if summary and form:
        click.echo(summary_json(past.summaries))
    else:
        _print_for_people(past, window, most, as_chart=as_chart, summary=summary)


def _print_for_people(past: HistoryView, window: Window, limit: int, *, as_chart: bool, summary: bool) -> None:
    width = terminal_width()
    told = summary_lines(past.summaries)
    if as_chart and past.entries:
        encoding = sys.stdout.encoding if sys.stdout else None  # None when closed
        click.echo(history_chart(past.entries, window, width, encoding) + "\n")
    elif not as_chart and not summary:
        click.echo(history_table(past.entries, width) + "\n")
    there = sum(each.versions for each in past.summaries)
    if not summary and there > limit:
        told.append(f"the newest {limit} of {there} versions; --limit {there} shows all")
    for line in told:
        click.echo(_wrapped(line, width))


def _print_at(ctx: click.Context, name: str | None, at: str, form: str | None) -> None:
    second = _past("--at", at, times.second(at))
    past = read_history_at(settings(ctx), name=name, second=second)
    unknown = [
        f"{each.family}: nothing is known of {local_second(second.begin)}; the history begins at"
        f" {local_second(each.began)}"
        for each in past.summaries
        if second.begin
    ]
    if past.entries or form:
        _print(past.entries, form)
    if not past.entries:
        raise DdnsError("\n".join(unknown))
    for line in unknown:
        lines(ctx).warning(line)


def _print(entries: Sequence[HistoryEntry], form: str | None) -> None:
    if form == "json":
        click.echo(history_json(entries))
    elif form == "csv":
        click.echo(history_csv(entries), nl=False)
    else:
        click.echo(history_table(entries, terminal_width()))


def _past(option: str, text: str | None, window: Window) -> Window:
    """Return `window`, unless its begin, which `option` gave as `text`, is still to come."""
    if window.begin and window.begin > datetime.now(UTC):
        raise SettingsError(f"{option} {text!r} lies in the future; write a time that has been")
    return window


def _wrapped(line: str, width: int | None) -> str:
    """Return a line broken to fit the terminal, but not between a number and its unit."""
    if width is None:
        return line
    return textwrap.fill(re.sub(r"(?<=\d) ", "\N{NO-BREAK SPACE}", line), width).replace("\N{NO-BREAK SPACE}", " ")


def _refuse(ctx: click.Context, given: set[str], option: str, *others: str) -> None:
    """Raise UsageError when `option` was given with one of `others`."""
    if option in given and (clash := [other for other in others if other in given]):
        raise click.UsageError(f"--{option} and --{clash[0].removeprefix('as_')} exclude each other", ctx)
