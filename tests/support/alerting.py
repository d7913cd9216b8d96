"""A machine with one webhook, and the time that passes for its state file."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ddns_updater.state.content import StateContent
from ddns_updater.state.ports import StateStore
from tests.support.machine import Machine
from tests.support.receivers import Receiver

HOUR, DAY = 3600, 86_400
BAD_ADDRESS = "10.0.0.1"  # no source may be believed that says so
_TIMES = ("since", "told_at", "last_success", "until", "recent", "ended", "behind", "moves", "printed")


@pytest.fixture
def alerting(small_machine: Machine, receiver: Receiver) -> Machine:
    """Give a seeded machine with one webhook and no records, whose runs are quick."""
    small_machine.environment |= {"DDNS_WEBHOOK_URLS": receiver.url}
    small_machine.environment.pop("DDNS_RECORDS")
    small_machine.init()
    return small_machine


def state_file(machine: Machine) -> Path:
    """Return the file in which the machine remembers its runs."""
    (path,) = (machine.folder / ".config" / "ddns-updater").glob("runs-*.json")
    return path


@contextmanager
def rewritten(store: StateStore) -> Iterator[StateContent]:
    """Yield the content of a state and write it back as the block leaves it."""
    with store.locked() as content:
        yield content
        store.replace(content)


def later(machine: Machine, seconds: float) -> None:
    """Let so much time pass for the state file, as on a machine that was off: its times are moved back."""

    def moved(value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            kept = {name: each for name, each in value.items() if name != "uptime"}
            return {name: moved(each, key if key in _TIMES else name) for name, each in kept.items()}
        if isinstance(value, list):
            return [moved(each, key) for each in value]
        return value - seconds if key in _TIMES and isinstance(value, float) else value

    content = json.loads(state_file(machine).read_text())
    state_file(machine).write_text(json.dumps(moved(content)))


def fail(machine: Machine, times: int, **changes: Any) -> None:
    machine.service.address = BAD_ADDRESS
    for _ in range(times):
        assert machine.ddns("run", **changes).status == 1


def recover(machine: Machine, **changes: Any) -> None:
    machine.service.address = "9.9.9.9"
    assert machine.ddns("run", **changes).status == 0
