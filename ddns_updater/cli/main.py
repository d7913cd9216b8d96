"""The entry point: the global options, the table of commands, and every exit status after an error."""

import logging
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from io import TextIOWrapper
from pathlib import Path
from typing import Any

import click

from ddns_updater import __version__
from ddns_updater.cli.options import Invocation, terminal
from ddns_updater.cli.terminal import Terminal, flush_output, stderr_is_terminal
from ddns_updater.errors import DdnsError, Stopped
from ddns_updater.lib.files import NO_ROOM

_COMMANDS = {  # in the order of the help; each summary is also the first sentence of the command's docstring
    "demo": "Run the demo, with AWS simulated locally",
    "init": "Create the tables and seed the origin",
    "run": "Publish the public address if it changed",
    "watch": "Run in a loop, instead of cron",
    "status": "Show the address, records and last run",
    "history": "List the address history",
    "notify": "Send a test message to every channel",
    "doctor": "Check everything a run depends on",
    "iam-policy": "Print the least-privilege IAM policy",
}


class _Context(click.Context):
    """A context that imports the form of the help when help is wanted, and says how Ctrl-C ended a command."""

    def make_formatter(self) -> click.HelpFormatter:
        formatter: click.HelpFormatter = import_module("ddns_updater.cli.help").Formatter()
        return formatter

    def invoke(self, *args: Any, **kwargs: Any) -> Any:
        with _interruptible(self):
            return super().invoke(*args, **kwargs)


class _Group(click.Group):
    """A group that imports a command when it is called and turns an error into one line and an exit status."""

    context_class = _Context

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(_COMMANDS)

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        with _interruptible(ctx):  # imports may take a second
            return super().resolve_command(ctx, args)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:  # noqa: ARG002 - as above
        if name not in _COMMANDS:
            return None
        module = name.replace("-", "_")
        command: click.Command = getattr(import_module(f"ddns_updater.cli.{module}"), module)
        command.context_class = _Context
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> Any:
        """Complete from the table, because click would import every command for its summary."""
        item = import_module("click.shell_completion").CompletionItem
        commands = [item(name, help=text) for name, text in _COMMANDS.items() if name.startswith(incomplete)]
        return commands + click.Command.shell_complete(self, ctx, incomplete)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - as above
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))

    def main(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().main(*args, **kwargs)
        except OSError as error:
            if error.errno not in NO_ROOM:  # every other write handles OSError itself
                raise
            # a full disk is no bug, and cron should mail one line in place of a traceback
            flush_output()
            Terminal().error(f"failed to write the output: {error.strerror}; make room for it")
            sys.exit(DdnsError.exit_code)

    def make_context(self, info_name: str | None, args: list[str], *more: Any, **extra: Any) -> click.Context:
        if not args:  # click prints the help
            return super().make_context(info_name, args, *more, **extra)
        try:
            return super().make_context(info_name, args, *more, **extra)
        except click.UsageError as error:
            _print_usage_error(Terminal(), error, info_name or "ddns")
            raise click.exceptions.Exit(error.exit_code) from error

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except DdnsError as error:
            for line in str(error).splitlines():
                terminal(ctx).error(line)
            ctx.exit(error.exit_code)
        except click.UsageError as error:
            _print_usage_error(terminal(ctx), error, f"{ctx.command_path} {ctx.invoked_subcommand}")
            ctx.exit(error.exit_code)


@contextmanager
def _interruptible(ctx: click.Context) -> Iterator[None]:
    """Make an error of Ctrl-C in the block."""
    try:
        yield
    except KeyboardInterrupt:
        if stderr_is_terminal() and not terminal(ctx).as_json:
            click.echo(err=True)  # the terminal has just shown ^C
        raise Stopped("stopped by SIGINT") from None


def _print_usage_error(out: Terminal, error: click.UsageError, path: str) -> None:
    path = error.ctx.command_path if error.ctx else path
    message = re.sub(r"\. \(?Did you mean (.*)\?\)?$", r" (did you mean \1?)", error.format_message())
    out.error(f'{message.removesuffix(".")}; see "{path} --help"')


_NAMES = {name: click.Command(name) for name in _COMMANDS}  # for "did you mean"; the commands themselves come later


@click.group(cls=_Group, commands=_NAMES, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--env-file", type=click.Path(path_type=Path), help="Read this file instead of the .env files.")
@click.option("-v", "--verbose", is_flag=True, help="Log progress to stderr.")
@click.option(
    "--log-format",
    type=click.Choice(["text", "json"]),
    default="text",
    help="Write results, messages and the log in this format.",
)
@click.version_option(__version__, prog_name="ddns")
@click.pass_context
def main(ctx: click.Context, env_file: Path | None, verbose: bool, log_format: str) -> None:
    """Keep a DNS name in AWS Route 53 pointing to a machine whose public address changes.

    Every address is kept as a numbered version in MySQL or SQLite. Settings are DDNS_* variables, read from the
    environment, then .env in the working directory, then .env in the per-user folder.

    \b
    Get started:
      ddns demo              see it work, no account needed
      ddns init --name home  once
      ddns run               every minute, from cron

    Exit status: 0 for unchanged, updated, pending or skipped, 1 for failed or held, 2 for usage or settings.
    """
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # for notes that the terminal's encoding cannot show
    logging.getLogger().addHandler(logging.NullHandler())  # keeps libraries from printing their warnings
    ctx.obj = Invocation(env_file, Terminal(as_json=log_format == "json"))
    if verbose:
        handler = logging.StreamHandler()
        handler.setFormatter(ctx.obj.terminal.formatter())
        logging.getLogger("ddns_updater").addHandler(handler)
        logging.getLogger("ddns_updater").setLevel(logging.INFO)
        version = sys.version.partition(" ")[0]
        logging.getLogger(__name__).info("ddns %s on Python %s, %s", __version__, version, sys.platform)
