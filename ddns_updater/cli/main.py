"""The commands: parse, call one function, print, exit. An exit status goes out here and nowhere else."""

import logging
import sys
from importlib import import_module
from io import TextIOWrapper
from pathlib import Path
from typing import Any

import click

from ddns_updater import __version__
from ddns_updater.cli.options import Invocation, lines
from ddns_updater.cli.terminal import Terminal, give_up_output
from ddns_updater.errors import DdnsError
from ddns_updater.lib.files import NO_ROOM

_COMMANDS = {  # in the order of the help; `ddns COMMAND --help` has the rest
    "demo": "Play the whole story on stand-ins for AWS",
    "init": "Create the tables and seed the origin",
    "run": "Publish the public address if it changed",
    "watch": "Run in a loop, in place of cron",
    "status": "Show the address, its records and the last run",
    "history": "List the addresses of the past",
    "doctor": "Check everything that a run depends on",
    "iam-policy": "Print the AWS permissions that a run needs",
}


class _Group(click.Group):
    """Imports a command when it is called, and turns what goes wrong into one line and its exit status."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:  # noqa: ARG002 - as above
        if name not in _COMMANDS:
            return None
        word = name.replace("-", "_")
        command = getattr(import_module(f"ddns_updater.cli.{word}"), word)
        return command if isinstance(command, click.Command) else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - as above
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))

    def main(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().main(*args, **kwargs)
        except OSError as error:
            if error.errno not in NO_ROOM:  # nothing but our output goes straight to a file
                raise
            give_up_output()
            Terminal().error(f"failed to write the output: {error.strerror}; make room for it")
            sys.exit(DdnsError.exit_code)

    def make_context(self, info_name: str | None, args: list[str], *more: Any, **extra: Any) -> click.Context:
        if not args:  # click prints the help
            return super().make_context(info_name, args, *more, **extra)
        try:
            return super().make_context(info_name, args, *more, **extra)
        except click.UsageError as error:
            _complain(Terminal(), error, info_name or "ddns")
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


def _complain(out: Terminal, error: click.UsageError, path: str) -> None:
    path = error.ctx.command_path if error.ctx else path
    out.error(f'{error.format_message().removesuffix(".")}; see "{path} --help"')


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
    ctx.obj = Invocation(env_file, Terminal(as_json=log_format == "json"))
    if verbose:
        handler = logging.StreamHandler()
        handler.setFormatter(ctx.obj.lines.formatter())
        logging.getLogger("ddns_updater").addHandler(handler)
        logging.getLogger("ddns_updater").setLevel(logging.INFO)
