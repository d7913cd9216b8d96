"""The commands that look and never write."""

import click

from ddns_updater import app, iam, report
from ddns_updater.errors import DdnsError
from ddns_updater.options import name_option, settings, terminal_width
from ddns_updater.status import status_json, status_text


@click.command()
@name_option
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="At most so many versions.")
@click.option("--json", "form", flag_value="json", help="Print a JSON array.")
@click.option("--csv", "form", flag_value="csv", help="Print CSV with a header.")
@click.pass_context
def history(ctx: click.Context, name: str | None, limit: int, form: str | None) -> None:
    """List the versions, newest first: address, since when, how long it was held, and how DNS followed.

    \b
    Example:
      ddns history --limit 5
    """
    entries = app.history(settings(ctx), name=name, limit=limit)
    if form == "json":
        click.echo(report.history_json(entries))
    elif form == "csv":
        click.echo(report.history_csv(entries), nl=False)
    else:
        click.echo(report.history_table(entries, terminal_width()))


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
    """Print the IAM policy that a run needs for the configured records and sources, as JSON, and no more than that.

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
