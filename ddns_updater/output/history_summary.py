"""How often the address changed, as text and JSON."""

import json
from collections.abc import Sequence

from ddns_updater.lib.humanize import duration, local_second
from ddns_updater.model import HistorySummary


def summary_lines(summaries: Sequence[HistorySummary]) -> list[str]:
    """Return one line for each address family; with several families each line names its own."""
    return [f"{each.family}: {_line(each)}" if len(summaries) > 1 else _line(each) for each in summaries]


def summary_json(summaries: Sequence[HistorySummary]) -> str:
    """Return a JSON array with one object for each address family; times in UTC.

    `longest_at_least` is true when the start or the end of the longest time is unknown.
    """
    return json.dumps(
        [
            {
                "family": each.family,
                "since": each.start.isoformat(),
                "until": each.end.isoformat(),
                "versions": each.versions,
                "changes": each.changes,
                "average_seconds": _seconds(each) // each.changes if each.changes > 1 else None,
                "longest_seconds": int(each.longest.total_seconds()) if each.versions else None,
                "longest_at_least": each.at_least if each.versions else None,
                "shortest_seconds": None if each.shortest is None else int(each.shortest.total_seconds()),
            }
            for each in summaries
        ],
        indent=2,
    )


def _line(summary: HistorySummary) -> str:
    if not summary.versions:
        return f"no address is recorded for that time; the history starts at {local_second(summary.first_recorded_at)}"
    time = duration(summary.end - summary.start)
    if not summary.changes:
        return f"no change in {time}"
    longest = f"longest held {'at least ' if summary.at_least else ''}{duration(summary.longest)}"
    if summary.changes == 1:
        text = f"1 change in {time}; {longest}"
    else:
        average = duration((summary.end - summary.start) / summary.changes)
        text = f"{summary.changes} changes in {time}, every {average} on average; {longest}"
    if summary.shortest is None or summary.shortest == summary.longest:
        return text
    return f"{text}, shortest {duration(summary.shortest)}"


def _seconds(summary: HistorySummary) -> int:
    return int((summary.end - summary.start).total_seconds())
