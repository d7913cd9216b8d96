"""The functions in this process, over a table and the simulated AWS."""

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from ddns_updater.aws_lambda import answering, following
from ddns_updater.lib.dynamodb import Table
from tests.support.aws import FakeAws
from tests.support.dynamodb import REGION, dynamodb_environment, make_table

_CACHES = (following._runners, answering._server)


@pytest.fixture
def table(aws: FakeAws, monkeypatch: pytest.MonkeyPatch) -> Iterator[Table]:
    """Give an empty table, in an environment that leads to it, for functions that have just started."""
    for variable, text in dynamodb_environment(aws.url).items():
        monkeypatch.setenv(variable, text)
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    logger = logging.getLogger("ddns_updater")
    handlers, propagate = logger.handlers, logger.propagate
    yield make_table(aws.url)
    logger.handlers, logger.propagate = handlers, propagate
    restart()


def restart() -> None:
    """Forget what a function keeps, as when Lambda starts a new process."""
    for each in _CACHES:
        each.cache_clear()


def logged(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """Return the lines that were logged since this was last called."""
    captured = capsys.readouterr()
    assert captured.err == ""
    return [json.loads(line) for line in captured.out.splitlines()]
