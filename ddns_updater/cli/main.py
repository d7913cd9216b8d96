"""The commands: parse, call one function, print, exit. An exit status goes out here and nowhere else."""

import logging
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import closing, contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import Any

import click

from ddns_updater import __version__
from ddns_updater.app import init as app
from ddns_updater.app.runner import Runs
from ddns_updater.app.watch import watch as loop
from ddns_updater.cli.doctor import doctor, iam_policy, status
from ddns_updater.cli.history import history
from ddns_updater.cli.options import Invocation, addresses_given, lines, name_option, note_given, settings
from ddns_updater.cli.terminal import Lines
from ddns_updater.errors import DdnsError
from ddns_updater.lib.files import NO_ROOM
from ddns_updater.lib.humanize import counted
from ddns_updater.model import Address, Family, Outcome, RunResult
from ddns_updater.output import run as report

_QUIET = (Outcome.UNCHANGED, Outcome.SKIPPED)


class _Group(click.Group):
    """Turns every error of our tree, and every wrong use of a command, into one line and its exit status."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().main(*args, **kwargs)
        except OSError as error:
            if error.errno not in NO_ROOM:  # nothing but our output goes straight to a file
                raise
            _give_up_output()
            Lines().error(f"failed to write the output: {error.strerror}; make room for it")
            sys.exit(DdnsError.exit_code)

    def make_context(self, info_name: str | None, args: list[str], *more: Any, **extra: Any) -> click.Context:
        try:
            return super().make_context(info_name, args, *more, **extra)
        except click.UsageError as error:
            _complain(Lines(), error, info_name or "ddns")
            raise click.exceptions.Exit(error.exit_code) from error

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except DdnsError as error:
            for line in str(error).splitlines():
                lines(ctx).error(line)
            ctx.exit(error.exit_code)
        except click.UsageError as error:
            _complain(lines(ctx), error, f"{ctx.command_path} {ctx.invoked_subcommand}")
            ctx.exit(error.exit_code)


def _complain(out: Lines, error: click.UsageError, path: str) -> None:
    path = error.ctx.command_path if error.ctx else path
    out.error(f'{error.format_message().removesuffix(".")}; see "{path} --help"')


def _give_up_output() -> None:
    """Let what is still buffered go nowhere: it would fail once more when the process ends."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--env-file", type=click.Path(path_type=Path), help="Read this file in place of the .env files.")
@click.option("-v", "--verbose", is_flag=True, help="Tell on stderr what is being done.")
@click.option(
    "--log-format",
    type=click.Choice(["text", "json"]),
    default="text",
    help="How results of runs, warnings, errors and the log are written: as text, or one JSON object a line.",
)
@click.version_option(__version__, prog_name="ddns")
@click.pass_context
def main(ctx: click.Context, env_file: Path | None, verbose: bool, log_format: str) -> None:
    """Keep a machine without a fixed address reachable under its own name in AWS Route 53.

    Every address the line ever had is kept as a numbered version in MySQL or SQLite. Settings are the variables
    DDNS_*, from the environment, from .env in the working directory, and from .env in the per-user folder.

    \b
    Begin with:
      ddns demo                  the whole story, no account needed
      ddns init --name home      once
      ddns run                   each minute, from cron

    Exit status: 0 all is well (unchanged, updated, pending, skipped), 1 failed or held, 2 usage or settings.
    """
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # for a note that the terminal's encoding lacks
    logging.getLogger().addHandler(logging.NullHandler())  # keeps libraries from printing warnings of their own
    ctx.obj = Invocation(env_file, Lines(as_json=log_format == "json"))
    if verbose:
        handler = logging.StreamHandler()
        handler.setFormatter(ctx.obj.lines.formatter())
        logging.getLogger("ddns_updater").addHandler(handler)
        logging.getLogger("ddns_updater").setLevel(logging.INFO)


@main.command()
@name_option
@click.option(
    "--ip",
    "addresses",
    callback=addresses_given,
    multiple=True,
    help="The first address; once for each family. Default: what two address sources agree on.",
)
@click.option("--note", callback=note_given, help="A text to keep with the first version.")
@click.pass_context
def init(ctx: click.Context, name: str | None, addresses: dict[Family, Address], note: str | None) -> None:
    """Create or upgrade the tables, and seed the origin with its first address, in each of DDNS_IP_FAMILIES.

    A table admin_ip_history that exists already is adopted with its rows. Run again, this says so and changes nothing,
    unless an address family was added to the settings: it is seeded then.

    \b
    Example:
      ddns init --name ddokso-scrap --note "office line"
    """
    result = app.init(settings(ctx), name=name, addresses=addresses, note=note)
    for warning in result.warnings:
        lines(ctx).warning(warning)
    if result.migrations:
        lines(ctx).info(f"schema: {counted(result.migrations, 'migration')} applied")
    for each in result.seeded:
        version = each.version
        if each.created:
            lines(ctx).info(f"created origin {version.name}: version {version.version} is {version.ip}")
        else:
            lines(ctx).info(
                f"origin {version.name} exists already: version {version.version} is {version.ip}; nothing changed"
            )


@main.command()
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
    result = app.run(settings(ctx), name=name, dry_run=dry_run)
    _show(lines(ctx), result, as_json=as_json, quiet=quiet)
    if result.outcome.is_bad:
        ctx.exit(DdnsError.exit_code)


@main.command()
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
            _show(out, result, as_json=as_json, quiet=quiet)

    def crashed(error: Exception) -> None:
        trace = "" if isinstance(error, DdnsError) else "".join(traceback.format_exception(error))
        with _though_full():
            out.error(str(error) or type(error).__name__, **({"traceback": trace} if trace else {}))
            if trace and not out.as_json:
                click.echo(trace, err=True, nl=False)

    with closing(Runs(settings(ctx), name=name, stoppable=False)) as runs:
        loop(runs.run, every, ended=ended, crashed=crashed)
    _give_up_output()


@contextmanager
def _though_full() -> Iterator[None]:
    """Go on where there is no room for what is printed: DNS is to follow all the same."""
    try:
        yield
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise


@main.command()
def demo() -> None:
    """Play the whole story on embedded stand-ins for AWS and the internet; no account needed, nothing is left behind.

    \b
    Example:
      ddns demo
    """
    from ddns_updater.app import demo as story  # an extra; nothing else needs it

    story.play(click.echo)


def _show(out: Lines, result: RunResult, *, as_json: bool, quiet: bool) -> None:
    if as_json and not (quiet and result.outcome in _QUIET):
        click.echo(report.run_json(result))
    for warning in report.run_warnings(result):
        out.warning(warning, name=result.name)
    for outcome, line in report.run_lines(result):
        if outcome.is_bad:
            out.error(line, prefix="", outcome=outcome, name=result.name)
        elif not as_json and not (quiet and outcome in _QUIET):
            out.info(line, outcome=outcome, name=result.name)


for _command in (doctor, history, iam_policy, status):
    main.add_command(_command)
