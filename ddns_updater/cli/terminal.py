"""Output line by line, as text or as JSON objects for log collectors."""

import json
import logging
import os
import shutil
import sys
from datetime import UTC, datetime

import click


class Terminal:
    """A printer of lines; a JSON line has `time` (UTC), `level`, `message` and the given facts."""

    def __init__(self, *, as_json: bool = False) -> None:
        self.as_json = as_json
        self._held: list[str] = []

    def hold(self, text: str) -> None:
        """Keep a warning back until another line is printed to stderr; without one it is never printed."""
        self._held.append(text)

    def info(self, text: str, **facts: object) -> None:
        """Print a result to stdout."""
        click.echo(_object("info", text, facts) if self.as_json else text)

    def warning(self, text: str, **facts: object) -> None:
        """Print a warning to stderr."""
        self._print_held()
        click.echo(_object("warning", text, facts) if self.as_json else f"warning: {text}", err=True)

    def error(self, text: str, *, prefix: str = "error: ", **facts: object) -> None:
        """Print an error to stderr; `prefix` is for text only."""
        self._print_held()
        click.echo(_object("error", text, facts) if self.as_json else f"{prefix}{text}", err=True)

    def _print_held(self) -> None:
        while self._held:
            text = self._held.pop(0)
            click.echo(_object("warning", text, {}) if self.as_json else f"warning: {text}", err=True)

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


def flush_output() -> None:
    """Flush the output, and discard what cannot be written: it would fail again when the process ends."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
