"""The commands that look at how things stand, and never write."""

import click

from ddns_updater.app import doctor as examining
from ddns_updater.app import iam_policy as iam
from ddns_updater.app import init as app
from ddns_updater.cli.options import name_option, settings, terminal_width
from ddns_updater.errors import DdnsError, Stopped
from ddns_updater.output.status import status_json, status_text
from ddns_updater.settings.settings import read_settings, wants_colours


@click.command()
@name_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def status(ctx: click.Context, name: str | None, as_json: bool) -> None:
    """Tell how everything stands: the address, each record, the last run, and what is wrong.

    Nothing but the database is asked, and what this machine remembers of its runs. Exit status 1 when something is
    wrong, so that monitoring can call it: a record that is not verified, runs that fail or stay away.

    \b
    Example:
      ddns status
    """
    found = app.status(settings(ctx), name=name)
    click.echo(status_json(found) if as_json else status_text(found))
    if found.problems:
        ctx.exit(DdnsError.exit_code)


@click.command("iam-policy")
@click.option(
    "--partition",
    type=click.Choice(iam.PARTITIONS),
    default=iam.PARTITIONS[0],
    show_default=True,
    help="The part of AWS in which the zones lie.",
)
@click.pass_context
def iam_policy(ctx: click.Context, partition: str) -> None:
    """Print the IAM policy that these records and sources need, as JSON: enough for `run` and `doctor`, and no more.

    Nothing is asked of AWS or of the database. What is to be known about the policy goes to stderr. Where nothing of
    AWS is used there is no policy: exit status 2, and nothing is printed.

    \b
    Example:
      ddns iam-policy > policy.json
    """
    configured = settings(ctx)
    policy = iam.policy(configured, partition)
    for remark in iam.remarks(configured, policy):
        click.echo(remark, err=True)
    click.echo(iam.policy_text(policy))


@click.command()
@name_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def doctor(ctx: click.Context, name: str | None, as_json: bool) -> None:
    """Check everything that a run depends on, and say what to do about each thing that is wrong.

    Settings and files, the address sources, the database, AWS, and with the extra dns what name servers and resolvers
    answer. It never writes: whether AWS lets us is found out with a change that Route 53 can only refuse.
    Exit status: 0 when no check failed, 1 when one did, 2 for wrong usage.

    \b
    Example:
      ddns doctor
    """
    from ddns_updater.doctor.check import Check, State
    from ddns_updater.output import doctor as text  # no other command needs it

    def paint(words: str, colour: str) -> str:
        return click.style(words, fg=colour) if wants_colours() else words

    checks: list[Check] = []
    width = terminal_width()
    try:
        for check in examining.doctor(read_settings(ctx.obj.env_file), name=name):
            if not as_json and (not checks or checks[-1].group != check.group):
                click.echo(check.group)
            checks.append(check)
            if not as_json:
                click.echo(text.check_lines(check, width, paint))
    except KeyboardInterrupt:
        raise Stopped(f"stopped after {len(checks)} checks; nothing was changed") from None
    click.echo(text.checks_json(checks) if as_json else text.summary(checks))
    if any(check.state is State.FAILED for check in checks):
        ctx.exit(DdnsError.exit_code)
