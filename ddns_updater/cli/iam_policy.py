"""`ddns iam-policy`."""

import click

from ddns_updater.app.iam_policy import PARTITIONS, policy_of, policy_text, remarks
from ddns_updater.cli.options import settings


@click.command("iam-policy")
@click.option(
    "--partition",
    type=click.Choice(PARTITIONS),
    default=PARTITIONS[0],
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
    policy = policy_of(configured, partition)
    for remark in remarks(configured, policy):
        click.echo(remark, err=True)
    click.echo(policy_text(policy))
