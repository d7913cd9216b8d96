"""Output line by line, as text or as JSON objects for log collectors."""

import logging
import os
import shutil
import sys
from contextlib import suppress
from typing import TextIO

import click

from ddns_updater.lib.printable import printable, printable_lines
from ddns_updater.output.layout import wrapped
from ddns_updater.output.log_lines import JsonFormatter, log_line
from ddns_updater.settings.load import wants_colours


class Terminal:
    """A printer of lines; a JSON line has `time` (UTC), `level`, `message` and the given facts.

    What a terminal would obey in a text is escaped. A line of text is wrapped on a terminal.
    """

    def __init__(self, *, as_json: bool = False) -> None:
        self.as_json = as_json
        self._held: list[str] = []

    def hold(self, text: str) -> None:
        """Keep a warning back until another line is printed to stderr; without one it is never printed."""
        self._held.append(text)

    def info(self, text: str, **facts: object) -> None:
        """Print a result to stdout."""
        click.echo(log_line("info", text, facts) if self.as_json else _fitting(text, sys.stdout))

    def warning(self, text: str, **facts: object) -> None:
        """Print a warning to stderr, once if it was kept back."""
        self._held = [each for each in self._held if each != text]
        self._print_held()
        line = log_line("warning", text, facts) if self.as_json else _fitting(f"warning: {text}", sys.stderr)
        click.echo(line, err=True)

    def error(self, text: str, *, prefix: str = "error: ", **facts: object) -> None:
        """Print an error to stderr; `prefix` is for text only."""
        self._print_held()
        line = log_line("error", text, facts) if self.as_json else _fitting(f"{prefix}{text}", sys.stderr)
        click.echo(line, err=True)

    def alert(self, text: str, *, is_bad: bool, **facts: object) -> None:
        """Print an alert to stderr: that something is wrong, or no longer."""
        self._print_held()
        level = "error" if is_bad else "info"
        click.echo(log_line(level, text, facts) if self.as_json else _fitting(text, sys.stderr), err=True)

    def note(self, text: str) -> None:
        """Print a note to stderr."""
        self.alert(text if self.as_json else f"note: {text}", is_bad=False)

    def notice(self, text: str) -> None:
        """Print a remark to stderr; it can be called from a signal handler, also while something is being printed."""
        self._write("info", text, self._after_ctrl_c())

    def interrupted(self) -> None:
        """Print to stderr that Ctrl-C ended the command."""
        self._write("error", "stopped by SIGINT", self._after_ctrl_c(), prefix="error: ")

    def last_words(self, text: str) -> None:
        """Print an error to stderr from a thread that is about to end the process."""
        self._write("error", text)

    def fault(self, text: str, trace: str) -> None:
        """Print to stderr the traceback of a fault of the program itself; `text` says it in one line, for JSON."""
        with suppress(OSError):
            facts: dict[str, object] = {"traceback": trace}
            line = log_line("error", text, facts) if self.as_json else printable_lines(trace.rstrip("\n"))
            click.echo(line, err=True)

    def _after_ctrl_c(self) -> str:
        return "\n" if stderr_is_terminal() and not self.as_json else ""  # the terminal has just shown ^C

    def _write(self, level: str, text: str, begin: str = "", prefix: str = "") -> None:
        if sys.stderr:  # not closed
            line = log_line(level, text, {}) if self.as_json else prefix + printable(text)
            with suppress(OSError):
                os.write(sys.stderr.fileno(), f"{begin}{line}\n".encode())

    def _print_held(self) -> None:
        while self._held:
            held = self._held.pop(0)
            self.warning(held)

    def formatter(self) -> logging.Formatter:
        """Return the formatter of log lines."""
        return JsonFormatter() if self.as_json else _TextFormatter("%(asctime)s %(message)s")


class _TextFormatter(logging.Formatter):
    """The form of log lines as text."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the name is logging's
        record.message = printable(record.message)
        return super().formatMessage(record)


def _fitting(text: str, stream: TextIO) -> str:
    return "\n".join(wrapped(text, terminal_width(stream), rest="  "))


def stderr_is_terminal() -> bool:
    """Return whether somebody reads stderr as it is printed: it is a terminal."""
    return bool(sys.stderr) and sys.stderr.isatty()


def terminal_width(stream: TextIO | None = None) -> int | None:
    """Return the width of `stream`, without one of stdout, in columns; None when it is no terminal, or has none."""
    stream = stream or sys.stdout
    if not stream or not stream.isatty():  # None when closed
        return None
    return shutil.get_terminal_size(os.get_terminal_size(stream.fileno())).columns or None  # 0 on a serial console


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
