"""`ddns demo`."""

import sys

import click

from ddns_updater.app.demo import Screen, play
from ddns_updater.cli.terminal import paint, terminal_width
from ddns_updater.settings.load import wants_colours

_WIDTH = 80  # columns, at most


@click.command()
def demo() -> None:
    """Run the demo, with AWS simulated locally.

    It shows the setup, address changes with their alerts, an outage of AWS, and the status after it. It needs no
    account and leaves nothing behind.

    Exit status: 0 when it ran to the end, 1 when it failed, 2 for usage or without the extra demo.

    \b
    Example:
      ddns demo
    """
    width = terminal_width()
    play(
        Screen(
            click.echo,
            paint,
            min(width or _WIDTH, _WIDTH),
            encoding=sys.stdout.encoding if sys.stdout else "utf-8",
            has_colours=width is not None and wants_colours(),
        )
    )
