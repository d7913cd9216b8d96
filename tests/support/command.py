"""A command that ran to its end: in a process of its own, or in this one, which is ten times quicker."""

import io
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from ddns_updater.cli.main import main

_PROGRAM = "python -m ddns_updater"  # what click calls a program that is started so
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGALRM)


@dataclass
class Finished:
    """A command that ended."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def finish(process: subprocess.Popen[str], timeout: float = 60) -> Finished:
    """Wait for a command to end."""
    out, err = process.communicate(timeout=timeout)
    return Finished(process.returncode, out, err)


def call(arguments: Sequence[str], environment: Mapping[str, str], folder: Path, stdin: bytes = b"") -> Finished:
    """Run `ddns` in this process as in one of its own: with this environment and no other, its output into pipes.

    What only a process has is not for this: an encoding, the warnings of the interpreter, signals, a guard that ends
    it with `os._exit`, and a moto of its own.
    """
    out, err = _pipe("strict"), _pipe("backslashreplace")
    status = call_into(out, err, arguments, environment, folder, stdin)
    return Finished(status, _read(out), _read(err))


def call_into(
    out: TextIO,
    err: TextIO,
    arguments: Sequence[str],
    environment: Mapping[str, str],
    folder: Path,
    stdin: bytes = b"",
) -> int:
    """Do as `call` with these streams for its output, and return its exit status."""
    only_of_a_process = [key for key in environment if key.startswith(("PYTHON", "LC_", "LANG"))]
    assert only_of_a_process == ["PYTHONWARNINGS"], only_of_a_process
    assert environment["PYTHONWARNINGS"] == "error"
    assert "demo" not in arguments or "--help" in arguments  # its stand-in for AWS would be the one of the test
    with ExitStack() as stack:
        stack.enter_context(_environment(environment, folder, stdin))
        stack.enter_context(_fresh_logging())
        stack.enter_context(_same_signals())
        stack.enter_context(_same_hooks())
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("error")
        stack.enter_context(redirect_stdout(out))
        stack.enter_context(redirect_stderr(err))
        status = _status(arguments)
        out.flush()
        err.flush()
    return status


def _status(arguments: Sequence[str]) -> int:
    try:
        main.main(args=list(arguments), prog_name=_PROGRAM)
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
            return 1
        return end.code or 0
    except Exception:
        traceback.print_exc()
        return 1
    raise AssertionError("a command ends with an exit status")


def _pipe(errors: str) -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors=errors)


def _read(pipe: io.TextIOWrapper) -> str:
    assert isinstance(pipe.buffer, io.BytesIO)
    return io.TextIOWrapper(io.BytesIO(pipe.buffer.getvalue()), encoding="utf-8").read()


@contextmanager
def _environment(environment: Mapping[str, str], folder: Path, stdin: bytes) -> Iterator[None]:
    before, place = dict(os.environ), Path.cwd()
    outer = sys.stdin
    _become(environment)
    os.chdir(folder)
    try:
        with io.TextIOWrapper(io.BytesIO(stdin)) as sys.stdin:
            yield
    finally:
        sys.stdin = outer
        os.chdir(place)
        _become(before)


def _become(environment: Mapping[str, str]) -> None:
    for key in set(os.environ) - set(environment):
        del os.environ[key]
    os.environ.update(environment)
    time.tzset()


@contextmanager
def _fresh_logging() -> Iterator[None]:
    """Give the log of a process that has just begun, without the handlers of pytest."""
    fresh = {logging.getLogger(): logging.WARNING, logging.getLogger("ddns_updater"): logging.NOTSET}
    before = [(logger, logger.handlers, logger.level) for logger in fresh]
    for logger, level in fresh.items():
        logger.handlers = []
        logger.setLevel(level)
    try:
        yield
    finally:
        for logger, handlers, level in before:
            logger.handlers = handlers
            logger.setLevel(level)


@contextmanager
def _same_hooks() -> Iterator[None]:
    before = sys.excepthook, threading.excepthook, sys.unraisablehook
    try:
        yield
    finally:
        sys.excepthook, threading.excepthook, sys.unraisablehook = before


@contextmanager
def _same_signals() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in before.items():
            signal.signal(number, handler)
