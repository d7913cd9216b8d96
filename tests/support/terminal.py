"""A command in a terminal of some width, as a person sees it."""

import os
import pty
import re
import sys
import termios
from collections.abc import Callable, Sequence
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
        shown = b""
        with suppress(OSError):  # Linux reports the end of the output as an error
            while not until(shown.decode(errors="replace")) and (piece := os.read(self._ours, 65536)):
                shown += piece
        return shown.decode().replace("\r\n", "\n")


def screen(machine: Machine, columns: int, *arguments: str, **changes: Any) -> list[str]:
    """Return the lines that a command shows in a terminal, without colours."""
    with Terminal(machine, columns, *arguments, **changes) as terminal:
        return re.sub(r"\x1b\[[\d;]*m", "", terminal.read()).splitlines()
