"""`ddns doctor`."""

import click

from ddns_updater.app.doctor import run_checks
from ddns_updater.cli.options import name_option
from ddns_updater.cli.progress import Progress
from ddns_updater.cli.terminal import paint, terminal_width
from ddns_updater.doctor.check import Check, State
from ddns_updater.errors import DdnsError, Stopped
from ddns_updater.output.doctor import check_lines, checks_json, summary
from ddns_updater.output.layout import wrapped
from ddns_updater.settings.load import read_settings


@click.command()
@name_option
@click.option("--json", "as_json", is_flag=True, help="Print the checks as one JSON object.")
@click.pass_context
def doctor(ctx: click.Context, name: str | None, as_json: bool) -> None:
    """Check everything a run depends on.

    It checks settings and files, the address sources, the database, AWS, and with the extra dns the answers of name
    servers and resolvers. Every problem comes with advice. It writes nothing: it tests the permission to change records
    with a change that Route 53 always rejects.

    Exit status: 0 when no check failed, 1 when a check failed, 2 for wrong usage.

    \b
    Example:
      ddns doctor
    """

    checks: list[Check] = []
    width = terminal_width()
    try:
        with Progress(None if as_json else width) as progress:
            for check in run_checks(read_settings(ctx.obj.env_file), name=name, starts=progress.starts):
                progress.clear()
                if not as_json and (not checks or checks[-1].group != check.group):
                    click.echo(check.group)
                checks.append(check)
                if not as_json:
                    click.echo(check_lines(check, width, paint))
    except KeyboardInterrupt:
        raise Stopped(f"stopped after {len(checks)} checks; nothing was changed") from None
    click.echo(checks_json(checks) if as_json else "\n".join(wrapped(summary(checks), width)))
    if any(check.state is State.FAILED for check in checks):
        ctx.exit(DdnsError.exit_code)
