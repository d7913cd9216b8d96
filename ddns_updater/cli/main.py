"""The entry point: the global options, the table of commands, and every exit status after an error."""

import logging
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from io import TextIOWrapper
from pathlib import Path
from typing import Any

import click

from ddns_updater import __version__
from ddns_updater.cli.faults import print_faults
from ddns_updater.cli.options import Invocation, terminal
from ddns_updater.cli.terminal import Terminal, flush_output
from ddns_updater.errors import DdnsError
from ddns_updater.lib.files import NO_ROOM

_COMMANDS = {  # in the order of the help; each summary is also the first sentence of the command's docstring
    "demo": "Run the demo, with AWS simulated locally",
    "init": "Create the tables and seed the origin",
    "run": "Publish the public address if it changed",
    "watch": "Run in a loop, instead of cron",
    "serve": "Answer updates from other hosts",
    "status": "Show the address, records and last run",
    "history": "List the address history",
    "host": "Manage hosts that update themselves",
    "notify": "Send a test message to every channel",
    "doctor": "Check everything a run depends on",
    "iam-policy": "Print the least-privilege IAM policy",
}


class _Context(click.Context):
    """A context that imports the form of the help when help is wanted."""

    def make_formatter(self) -> click.HelpFormatter:
        formatter: click.HelpFormatter = import_module("ddns_updater.cli.help").Formatter()
        return formatter


class _Group(click.Group):
    """A group that imports a command when it is called and turns an error into one line and an exit status."""

    context_class = _Context

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:  # noqa: ARG002 - as above
        if name not in _COMMANDS:
            return None
        module = name.replace("-", "_")
        command: click.Command = getattr(import_module(f"ddns_updater.cli.{module}"), module)
        for each in (command, *(command.commands.values() if isinstance(command, click.Group) else ())):
            each.context_class = _Context
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> Any:
        """Complete from the table, because click would import every command for its summary."""
        item = import_module("click.shell_completion").CompletionItem
        commands = [item(name, help=text) for name, text in _COMMANDS.items() if name.startswith(incomplete)]
        return commands + click.Command.shell_complete(self, ctx, incomplete)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - as above
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))

    def main(self, args: Sequence[str] | None = None, *more: Any, **extra: Any) -> Any:
        args = list(sys.argv[1:] if args is None else args)
        out = Terminal(as_json=_wants_json(args))
        print_faults(out)
        try:
            return super().main(args, *more, obj=Invocation(None, out), **extra)
        except OSError as error:
            if error.errno not in NO_ROOM:  # every other write handles OSError itself
                raise
            # a full disk is no bug, and cron should mail one line in place of a traceback
            flush_output()
            out.error(f"failed to write the output: {error.strerror}; make room for it")
            sys.exit(DdnsError.exit_code)

    def make_context(self, info_name: str | None, args: list[str], *more: Any, **extra: Any) -> click.Context:
        if not args:  # click prints the help
            return super().make_context(info_name, args, *more, **extra)
        with _printed(extra["obj"].terminal, info_name or "ddns"):
            return super().make_context(info_name, args, *more, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        with _printed(terminal(ctx), ctx):
            return super().invoke(ctx)


@contextmanager
def _printed(out: Terminal, where: click.Context | str) -> Iterator[None]:
    """Print an error of the block in one line, and end with its exit status."""
    try:
        yield
    except DdnsError as error:
        for line in str(error).split("\n"):
            out.error(line)
        raise click.exceptions.Exit(error.exit_code) from error
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        raise click.exceptions.Exit(error.exit_code) from error
    except click.UsageError as error:
        path = where if isinstance(where, str) else f"{where.command_path} {where.invoked_subcommand}"
        _print_usage_error(out, error, path)
        raise click.exceptions.Exit(error.exit_code) from error
    except KeyboardInterrupt as error:
        out.interrupted()
        raise click.exceptions.Exit(DdnsError.exit_code) from error


def _wants_json(args: Sequence[str]) -> bool:
    """Return whether the options before the command choose JSON; this is known before they are parsed, or refused."""
    chosen = ""
    rest = iter(args)
    for each in rest:
        option, equals, value = each.partition("=")
        if not each.startswith("-") or each == "--":
            break
        if option in ("--log-format", "--env-file"):
            value = value if equals else next(rest, "")
            chosen = value if value and option == "--log-format" else chosen
    return chosen == "json"


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
    expose_value=False,  # _wants_json has read it
    type=click.Choice(["text", "json"]),
    default="text",
    help="Write results, messages and the log in this format.",
)
@click.version_option(__version__, prog_name="ddns")
@click.pass_context
def main(ctx: click.Context, env_file: Path | None, verbose: bool) -> None:
    """Keep a DNS name in AWS Route 53 pointing to a machine whose public address changes.

    Every address is kept as a numbered version in MySQL or SQLite. Settings are DDNS_* variables, read from the
    environment, then .env in the working directory, then .env in the per-user folder.

    \b
    Get started:
      ddns demo              see it work, no account needed
      ddns init --name home  once
      ddns run               every minute, from cron

    Exit status: 0 for unchanged, updated, pending, skipped or off, 1 for failed or held, 2 for usage or settings.
    """
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # for notes that the terminal's encoding cannot show
    logging.getLogger().addHandler(logging.NullHandler())  # keeps libraries from printing their warnings
    ctx.obj = ctx.obj._replace(env_file=env_file)
    if verbose:
        handler = logging.StreamHandler()
        handler.setFormatter(ctx.obj.terminal.formatter())
        logging.getLogger("ddns_updater").addHandler(handler)
        logging.getLogger("ddns_updater").setLevel(logging.INFO)
        version = sys.version.partition(" ")[0]
        logging.getLogger(__name__).info("ddns %s on Python %s, %s", __version__, version, sys.platform)
