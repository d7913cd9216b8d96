"""The places where the state of runs is kept, one after another: a file, and the table of DynamoDB."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from ddns_updater.state.file import StateFile
from ddns_updater.state.ports import StateStore
from ddns_updater.state.table import StateTable
from tests.support.aws import FakeAws
from tests.support.dynamodb import make_table

OpenStore = Callable[..., StateStore]  # takes of what it remembers many; each process has its own


@pytest.fixture
def open_table(aws: FakeAws, monkeypatch: pytest.MonkeyPatch) -> Callable[..., StateTable]:
    """Give what opens the state in one table."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws.url)
    return partial(StateTable, make_table(aws.url), "DynamoDB table ddns")


@pytest.fixture(params=["file", "table"])
def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> OpenStore:
    """Give what opens the state in one place, of each kind in turn."""
    opened: Any = partial(StateFile, tmp_path / "state", "test")
    return opened if request.param == "file" else request.getfixturevalue("open_table")  # type: ignore[no-any-return]


@pytest.fixture
def store(open_store: OpenStore) -> StateStore:
    """Give an empty state, in each kind of place in turn."""
    return open_store()
