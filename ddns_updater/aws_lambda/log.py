"""What the functions log: one JSON line for what changed or failed, on stdout, which is where Lambda takes it from."""

import json
import logging
import sys
import traceback

from ddns_updater.errors import DdnsError
from ddns_updater.output.log_lines import JsonFormatter, log_line


class _Lines(JsonFormatter):
    """Lines for warnings and faults; of an exception it says where it happened, not its text, which may be hostile."""

    def format(self, record: logging.LogRecord) -> str:
        line = super().format(record)
        if record.exc_info and record.exc_info[1]:
            error = record.exc_info[1]
            trace = "".join(traceback.format_tb(error.__traceback__))
            return json.dumps(json.loads(line) | {"error": type(error).__name__, "traceback": trace})
        return line


def log_warnings() -> None:
    """Log what the program warns of."""
    logger = logging.getLogger("ddns_updater")
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(_Lines())
    handler.setLevel(logging.WARNING)
    logger.handlers, logger.propagate = [handler], False  # Lambda's own handler would print it again


def log_problem(error: DdnsError) -> None:
    """Log an error that ends the work on an event, in a line for each problem."""
    for line in str(error).splitlines():
        say("error", line, {})


def say(level: str, text: str, facts: dict[str, object]) -> None:
    """Log one line."""
    print(log_line(level, text, facts), flush=True)
