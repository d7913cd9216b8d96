"""What is printed of a run, line by line: as text, or as JSON objects for those who collect logs."""

import json
import logging
import os
import shutil
import sys
from datetime import UTC, datetime
from typing import NamedTuple

import click


class Terminal(NamedTuple):
    """Prints lines; in JSON each has `time` (UTC), `level` and `message`, and the facts that are given with it."""

    as_json: bool = False

    def info(self, text: str, **facts: object) -> None:
        """Print a line of what was to be expected, on stdout."""
        click.echo(_object("info", text, facts) if self.as_json else text)

    def warning(self, text: str, **facts: object) -> None:
        """Print what did not stop the work but should be known."""
        click.echo(_object("warning", text, facts) if self.as_json else f"warning: {text}", err=True)

    def error(self, text: str, *, prefix: str = "error: ", **facts: object) -> None:
        """Print what went wrong."""
        click.echo(_object("error", text, facts) if self.as_json else f"{prefix}{text}", err=True)

    def formatter(self) -> logging.Formatter:
        """Return how the log is written."""
        return _JsonFormatter() if self.as_json else logging.Formatter("%(asctime)s %(message)s")


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return _object(record.levelname.lower(), record.getMessage(), {"logger": record.name})


def _object(level: str, text: str, facts: dict[str, object]) -> str:
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    return json.dumps({"time": now, "level": level, "message": text, **facts})


def terminal_width() -> int | None:
    """Return the width of the terminal that stdout is, None when it is none."""
    return shutil.get_terminal_size().columns if sys.stdout and sys.stdout.isatty() else None  # None when closed


def give_up_output() -> None:
    """Let what is still buffered go nowhere: it would fail once more when the process ends."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
