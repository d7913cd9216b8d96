"""What the interpreter itself prints to stderr, as lines of our own: a fault of the program, a warning of a library.

Its hooks stay until the process ends: a thread, a destructor or the last flush may fail after the command has ended.
"""

import sys
import threading
import traceback
import warnings
from types import TracebackType
from typing import Any, TextIO

from ddns_updater.cli.terminal import Terminal


def print_faults(out: Terminal) -> None:
    """Print from now on to `out` what the interpreter would print to stderr in its own form."""

    def raised(_kind: type[BaseException], error: BaseException, _trace: TracebackType | None) -> None:
        if isinstance(error, KeyboardInterrupt):  # before the command began, or after it ended
            out.interrupted()
        else:
            print_fault(out, error)

    def in_thread(found: threading.ExceptHookArgs) -> None:
        if found.exc_type is not SystemExit:
            name = found.thread.name if found.thread else "a thread"
            print_fault(out, found.exc_value or found.exc_type(), f"exception in {name}")

    def ignored(found: Any) -> None:  # sys.UnraisableHookArgs exists for type checkers only
        where = f"{found.err_msg or 'exception ignored in'} {found.object!r}"
        print_fault(out, found.exc_value or found.exc_type(), where)

    def warned(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,  # noqa: ARG001 - the form of warnings.showwarning
        line: str | None = None,  # noqa: ARG001 - as above
    ) -> None:
        out.warning(f"{category.__name__}: {message}", file=filename, line=lineno)

    sys.excepthook, threading.excepthook, sys.unraisablehook = raised, in_thread, ignored
    if out.as_json:
        warnings.showwarning = warned


def print_fault(out: Terminal, error: BaseException, where: str = "") -> None:
    """Print an exception that is a fault of the program, with its traceback."""
    cause = "".join(traceback.format_exception_only(error)).strip()
    trace = "".join(traceback.format_exception(error))
    begin, header = (f"{where}: ", f"{where}:\n") if where else ("", "")
    out.fault(f"ddns has a bug: {begin}{cause}; report it with its traceback", header + trace)
