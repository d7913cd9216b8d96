"""What the options of `ddns history` ask for."""

from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

import click

from ddns_updater.cli import times
from ddns_updater.errors import SettingsError
from ddns_updater.model import Window

DEFAULT_LIMIT, MAX_LIMIT = 20, 1_000_000_000  # versions

_CONTRADICTIONS = (
    *(("at", other) for other in ("since", "until", "limit", "chart", "summary")),
    *(("summary", other) for other in ("limit", "chart")),
    *(("chart", other) for other in ("json", "csv")),
    ("summary", "csv"),
    ("csv", "json"),
)


class Options(NamedTuple):
    """The options as they were typed; None or False when not given."""

    name: str | None = None
    since: str | None = None
    until: str | None = None
    at: str | None = None
    limit: int | None = None
    chart: bool = False
    summary: bool = False
    json: bool = False
    csv: bool = False


class Output(StrEnum):
    """What to print."""

    TABLE = "table"
    CHART = "chart"
    SUMMARY = "summary"
    JSON = "json"
    CSV = "csv"
    SUMMARY_JSON = "summary json"


class Request(NamedTuple):
    """The versions that were current within `window`, newest first and at most `limit` of them; 0 for a summary alone.

    With `is_at`, `window` is one second, and of each family only the version at its end is asked for.
    """

    output: Output
    window: Window
    limit: int
    is_at: bool = False


def request_of(options: Options, now: datetime) -> Request:
    """Return what was asked for.

    Raises UsageError when options contradict each other, and SettingsError when a time cannot be used.
    """
    given = {option for option, value in options._asdict().items() if value not in (None, False)}
    for one, other in _CONTRADICTIONS:
        if {one, other} <= given:
            raise click.UsageError(f"--{one} and --{other} cannot be combined")
    output = _output(options)
    if options.at is not None:
        return Request(output, _begun("--at", options.at, times.second(options.at), now), 1, is_at=True)
    window = _begun("--since", options.since, times.window(options.since, options.until), now)
    if options.summary:
        return Request(output, window, 0)
    is_open = options.since is None and options.until is None
    return Request(output, window, options.limit or (DEFAULT_LIMIT if is_open else MAX_LIMIT))


def _output(options: Options) -> Output:
    if options.summary:
        return Output.SUMMARY_JSON if options.json else Output.SUMMARY
    chosen = ((options.chart, Output.CHART), (options.json, Output.JSON), (options.csv, Output.CSV))
    return next((output for is_wanted, output in chosen if is_wanted), Output.TABLE)


def _begun(option: str, text: str | None, window: Window, now: datetime) -> Window:
    """Return `window`; raises SettingsError when its start, given by `option` as `text`, is in the future."""
    if window.start and window.start > now:
        raise SettingsError(f"{option} {text!r} is in the future", "write a past time")
    return window
