"""`ddns demo`."""

import click

from ddns_updater.app.demo import play


@click.command()
def demo() -> None:
    """Play the whole story on embedded stand-ins for AWS and the internet; no account needed, nothing is left behind.

    \b
    Example:
      ddns demo
    """
    play(click.echo)
