"""`ddns demo`."""

import click

from ddns_updater.app.demo import play


@click.command()
def demo() -> None:
    """Run the demo, with AWS simulated locally.

    It shows the setup, address changes and an outage of AWS. It needs no account and leaves nothing behind.

    Exit status: 0 when it ran to the end, 1 when it failed, 2 for usage or without the extra demo.

    \b
    Example:
      ddns demo
    """
    play(click.echo)
