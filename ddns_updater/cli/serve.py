"""`ddns serve`."""

import logging
import traceback

import click

from ddns_updater.app.serve import serve as serve_hosts
from ddns_updater.cli.options import settings, terminal
from ddns_updater.cli.terminal import Terminal, flush_output

_AGAIN = 60.0  # seconds; while the database is away, each request would say so
_REMEMBERED = 1000  # texts


@click.command()
@click.pass_context
def serve(ctx: click.Context) -> None:
    """Answer updates from other hosts.

    The hosts of "ddns host add" keep their own names by HTTP requests, in dyndns2 or AWS's protocol. It listens on
    DDNS_SERVE_LISTEN, for a reverse proxy that does TLS. It reads the settings once, at the start. SIGTERM or SIGINT
    (Ctrl-C) ends it after it answered the requests in hand and sent what is due; a second signal ends it at once.

    Exit status: 0 after the first signal, 1 when it cannot start, 2 for usage or settings.

    \b
    Example:
      ddns serve
    """
    out = terminal(ctx)
    given = settings(ctx)
    _print_warnings(out)

    def started(place: str) -> None:
        out.info(f"listening on http://{place}", url=f"http://{place}")
        flush_output()
        if not given.serve_listen.address.is_loopback:
            out.warning(
                f"DDNS_SERVE_LISTEN={given.serve_listen} can be reached from other machines, without TLS; listen on"
                " 127.0.0.1:8245 behind a reverse proxy, unless only one can reach it"
            )

    def waits() -> None:
        out.notice("answering the requests in hand and sending what is due; Ctrl-C again stops at once")

    serve_hosts(given, started=started, waits=waits)
    flush_output()


def _print_warnings(out: Terminal) -> None:
    """Print what the program logs as a warning or worse, which comes from any thread; --verbose logs the rest."""
    logger = logging.getLogger("ddns_updater")
    for each in logger.handlers:
        each.addFilter(lambda record: record.levelno < logging.WARNING)
    logger.addHandler(_Printer(out))


class _Printer(logging.Handler):
    """Prints warnings, and faults of the program with their traceback; the same one at most once a minute."""

    def __init__(self, out: Terminal) -> None:
        super().__init__(logging.WARNING)
        self._out = out
        self._printed: dict[str, float] = {}  # when, by the text

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        self._printed = {each: at for each, at in self._printed.items() if 0 <= record.created - at < _AGAIN}
        if text in self._printed:
            return
        if len(self._printed) < _REMEMBERED:
            self._printed[text] = record.created
        if record.exc_info and record.exc_info[1]:
            error = record.exc_info[1]
            # Where it happened, not what the exception says: that may quote a request, with its secret.
            trace = "".join(traceback.format_tb(error.__traceback__))
            name = type(error).__name__
            self._out.fault(
                f"ddns has a bug: {text}: {name}; report it with its traceback",
                f"{text}:\nTraceback (most recent call last):\n{trace}{name}",
            )
        else:
            self._out.warning(text, **getattr(record, "facts", {}))
