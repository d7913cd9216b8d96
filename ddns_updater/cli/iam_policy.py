"""`ddns iam-policy`."""

import click

from ddns_updater.app.iam_policy import PARTITIONS, host_names, policy_of, policy_text, remarks
from ddns_updater.cli.options import settings, terminal


@click.command("iam-policy")
@click.option(
    "--partition",
    type=click.Choice(PARTITIONS),
    default=PARTITIONS[0],
    show_default=True,
    help="Write the ARNs for this AWS partition.",
)
@click.pass_context
def iam_policy(ctx: click.Context, partition: str) -> None:
    """Print the least-privilege IAM policy.

    The policy is JSON. It allows what `run`, `serve` and `doctor` need for the configured records, the hosts in the
    database, the address sources and the secrets in parameters, and nothing more. AWS is not contacted. Notes on the
    policy go to stderr.

    Exit status: 0 when printed, 2 for usage or settings, or when no AWS permission is needed.

    \b
    Example:
      ddns iam-policy > policy.json
    """
    configured = settings(ctx, with_parameters=False)  # the policy says who may read them
    hosts, unknown = host_names(configured)
    policy = policy_of(configured, partition, hosts)
    found = remarks(configured, policy, hosts)
    if unknown:
        terminal(ctx).warning(unknown)
    for note in found.notes:
        terminal(ctx).note(note)
    for warning in found.warnings:
        terminal(ctx).warning(warning)
    click.echo(policy_text(policy))
