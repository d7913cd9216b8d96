"""What the options of `ddns history` ask for."""

from datetime import UTC, datetime, timedelta

import click
import pytest

from ddns_updater.cli.history_request import MAX_LIMIT, Options, Output, Request, request_of
from ddns_updater.errors import SettingsError
from ddns_updater.model import Window

NOW = datetime(2026, 5, 3, 14, tzinfo=UTC)
MIDNIGHT = datetime(2026, 5, 3, tzinfo=UTC)
DAY = Window(MIDNIGHT, MIDNIGHT + timedelta(days=1))
SECOND = Window(MIDNIGHT, MIDNIGHT + timedelta(seconds=1))
ALWAYS = Window()


@pytest.mark.parametrize(
    ("options", "asked"),
    [
        (Options(), Request(Output.TABLE, ALWAYS, 20)),
        (Options(limit=5), Request(Output.TABLE, ALWAYS, 5)),
        (Options(chart=True), Request(Output.CHART, ALWAYS, 20)),
        (Options(json=True), Request(Output.JSON, ALWAYS, 20)),
        (Options(csv=True, limit=5), Request(Output.CSV, ALWAYS, 5)),
        (Options(summary=True), Request(Output.SUMMARY, ALWAYS, 0)),
        (Options(summary=True, json=True), Request(Output.SUMMARY_JSON, ALWAYS, 0)),
        (Options(since="2026-05-03", until="2026-05-03"), Request(Output.TABLE, DAY, MAX_LIMIT)),
        (Options(since="2026-05-03", limit=5), Request(Output.TABLE, Window(DAY.start), 5)),
        (Options(until="2026-05-03", chart=True), Request(Output.CHART, Window(None, DAY.end), MAX_LIMIT)),
        (Options(at="2026-05-03"), Request(Output.TABLE, SECOND, 1, True)),
        (
            Options(at="2026-05-03", csv=True),
            Request(Output.CSV, SECOND, 1, True),
        ),
    ],
)
def test_options_ask_for_versions_and_an_output(options: Options, asked: Request) -> None:
    assert request_of(options, NOW) == asked


@pytest.mark.parametrize(
    ("options", "pair"),
    [
        (Options(at="2026-05-03", since="2026-05-03"), "--at and --since"),
        (Options(at="2026-05-03", until=""), "--at and --until"),
        (Options(at="2026-05-03", limit=1), "--at and --limit"),
        (Options(at="2026-05-03", chart=True), "--at and --chart"),
        (Options(at="2026-05-03", summary=True), "--at and --summary"),
        (Options(summary=True, limit=1), "--summary and --limit"),
        (Options(summary=True, chart=True), "--summary and --chart"),
        (Options(summary=True, csv=True), "--summary and --csv"),
        (Options(chart=True, json=True), "--chart and --json"),
        (Options(chart=True, csv=True), "--chart and --csv"),
        (Options(csv=True, json=True), "--csv and --json"),
        (Options(at="", since="yesterday", chart=True, csv=True), "--at and --since"),
    ],
)
def test_options_that_contradict_each_other_are_named_before_anything_is_read(options: Options, pair: str) -> None:
    with pytest.raises(click.UsageError, match=f"^{pair} cannot be combined$"):
        request_of(options, NOW)


@pytest.mark.parametrize("options", [Options(since="2026-05-03T14:00:01"), Options(at="2026-05-03T14:00:01")])
def test_a_window_has_to_have_begun(options: Options) -> None:
    with pytest.raises(SettingsError, match="is in the future; write a past time"):
        request_of(options, NOW)
    request_of(options, NOW + timedelta(seconds=1))


def test_a_window_may_end_in_the_future() -> None:
    assert request_of(Options(until="2027-01-01"), NOW).window.end == datetime(2027, 1, 2, tzinfo=UTC)
