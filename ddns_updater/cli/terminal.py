"""Output line by line, as text or as JSON objects for log collectors."""

import json
import logging
import os
import shutil
import sys
from contextlib import suppress
from datetime import UTC, datetime
from typing import NamedTuple

import click

from ddns_updater.settings.load import wants_colours


class Terminal(NamedTuple):
    """A printer of lines; a JSON line has `time` (UTC), `level`, `message` and the given facts."""

    as_json: bool = False

    def info(self, text: str, **facts: object) -> None:
        """Print a result to stdout."""
        click.echo(_object("info", text, facts) if self.as_json else text)

    def warning(self, text: str, **facts: object) -> None:
        """Print a warning to stderr."""
        click.echo(_object("warning", text, facts) if self.as_json else f"warning: {text}", err=True)

    def error(self, text: str, *, prefix: str = "error: ", **facts: object) -> None:
        """Print an error to stderr; `prefix` is for text only."""
        click.echo(_object("error", text, facts) if self.as_json else f"{prefix}{text}", err=True)

    def notice(self, text: str) -> None:
        """Print a remark to stderr; it can be called from a signal handler, also while something is being printed."""
        if not sys.stderr:  # closed
            return
        begin = "\n" if sys.stderr.isatty() and not self.as_json else ""  # the terminal has just shown ^C
        line = _object("info", text, {}) if self.as_json else text
        with suppress(OSError):
            os.write(sys.stderr.fileno(), f"{begin}{line}\n".encode())

    def formatter(self) -> logging.Formatter:
        """Return the formatter of log lines."""
        return _JsonFormatter() if self.as_json else logging.Formatter("%(asctime)s %(message)s")


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return _object(record.levelname.lower(), record.getMessage(), {"logger": record.name})


def _object(level: str, text: str, facts: dict[str, object]) -> str:
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    return json.dumps({"time": now, "level": level, "message": text, **facts})


def terminal_width() -> int | None:
    """Return the width of stdout in columns, None when it is not a terminal."""
    return shutil.get_terminal_size().columns if sys.stdout and sys.stdout.isatty() else None  # None when closed


def paint(text: str, colour: str) -> str:
    """Return `text` in a colour if the environment allows it; click removes colours from what is not a terminal."""
    return click.style(text, fg=colour) if wants_colours() else text


def flush_output() -> None:
    """Flush the output, and discard what cannot be written: it would fail again when the process ends."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
