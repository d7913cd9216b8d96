"""A command in a terminal of some width, as a person sees it."""

import os
import pty
import re
import sys
import termios
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from subprocess import DEVNULL, Popen
from typing import Any

from tests.support.machine import Machine


class Terminal:
    """A terminal of so many columns that runs `ddns`; the end of the block waits for it."""

    def __init__(
        self,
        machine: Machine,
        columns: int,
        *arguments: str,
        program: Sequence[str] = ("-m", "ddns_updater"),
        **changes: Any,
    ) -> None:
        ours, theirs = pty.openpty()
        termios.tcsetwinsize(theirs, (24, columns))
        self._ours = ours
        environment = machine.environment | {"TERM": "xterm"} | changes
        self.process: Popen[bytes] = Popen(
            [sys.executable, *program, *arguments],
            env={key: value for key, value in environment.items() if value is not None},
            cwd=machine.folder,
            stdin=DEVNULL,
            stdout=theirs,
            stderr=theirs,
        )
        os.close(theirs)

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.wait(30)
        os.close(self._ours)

    def read(self, until: Callable[[str], bool] = lambda _: False) -> str:
        """Return what is shown up to the end, or up to where `until` is true."""
        return _read(self._ours, until)


def shown(machine: Machine, columns: int, *arguments: str, **changes: Any) -> str:
    """Return what a command shows in a terminal; it runs in this process, which is ten times quicker."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, columns))
    with ThreadPoolExecutor(1) as reader:
        reading = reader.submit(_read, ours)
        with open(theirs, "w", buffering=1) as out, open(os.dup(theirs), "w", buffering=1) as err:  # noqa: PTH123
            machine.show(out, err, *arguments, TERM="xterm", **changes)
        return reading.result()


def _read(terminal: int, until: Callable[[str], bool] = lambda _: False) -> str:
    shown = b""
    with suppress(OSError):  # Linux reports the end of the output as an error
        while not until(shown.decode(errors="replace")) and (piece := os.read(terminal, 65536)):
            shown += piece
    return shown.decode().replace("\r\n", "\n")


def screen(machine: Machine, columns: int, *arguments: str, **changes: Any) -> list[str]:
    """Return the lines that a command shows in a terminal, without colours."""
    with Terminal(machine, columns, *arguments, **changes) as terminal:
        return re.sub(r"\x1b\[[\d;]*m", "", terminal.read()).splitlines()
