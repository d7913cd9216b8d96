"""Log lines as JSON objects, for log collectors: `time` (UTC), `level`, `message`, and what the line is about."""

import json
import logging
from datetime import UTC, datetime

from ddns_updater.lib.printable import printable


class JsonFormatter(logging.Formatter):
    """The form of log lines; what a line is about stands in `extra={"facts": {…}}`, as JSON values."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        facts = {"logger": record.name, **getattr(record, "facts", {})}
        return log_line(record.levelname.lower(), record.getMessage(), facts)


def log_line(level: str, text: str, facts: dict[str, object]) -> str:
    """Return one line, dated now."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    return json.dumps({"time": now, "level": level, "message": printable(text), **facts})
