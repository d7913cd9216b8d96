"""How often the address changed, as text and JSON."""

import json
from collections.abc import Sequence

from ddns_updater.lib.humanize import duration, local_second
from ddns_updater.model import Figures


def frequency_lines(figures: Sequence[Figures]) -> list[str]:
    """Return one line for each address family, which is named where there are several."""
    return [f"{each.family}: {_line(each)}" if len(figures) > 1 else _line(each) for each in figures]


def frequency_json(figures: Sequence[Figures]) -> str:
    """Return an array of one object for each address family; times in UTC.

    `longest_at_least` is true when the begin or the end of the longest time was not seen.
    """
    return json.dumps(
        [
            {
                "family": each.family,
                "since": each.begin.isoformat(),
                "until": each.end.isoformat(),
                "versions": each.versions,
                "changes": each.changes,
                "average_seconds": _seconds(each) // each.changes if each.changes > 1 else None,
                "longest_seconds": int(each.longest.total_seconds()) if each.versions else None,
                "longest_at_least": each.at_least if each.versions else None,
                "shortest_seconds": None if each.shortest is None else int(each.shortest.total_seconds()),
            }
            for each in figures
        ],
        indent=2,
    )


def _line(figures: Figures) -> str:
    if not figures.versions:
        return f"nothing is known of that time; the history begins at {local_second(figures.began)}"
    time = duration(figures.end - figures.begin)
    if not figures.changes:
        return f"no change in {time}"
    longest = f"longest held {'at least ' if figures.at_least else ''}{duration(figures.longest)}"
    if figures.changes == 1:
        text = f"1 change in {time}; {longest}"
    else:
        average = duration((figures.end - figures.begin) / figures.changes)
        text = f"{figures.changes} changes in {time}, every {average} on average; {longest}"
    if figures.shortest is None or figures.shortest == figures.longest:
        return text
    return f"{text}, shortest {duration(figures.shortest)}"


def _seconds(figures: Figures) -> int:
    return int((figures.end - figures.begin).total_seconds())
