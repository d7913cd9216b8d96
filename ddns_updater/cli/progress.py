"""What is being waited for, shown on a terminal while it lasts."""

import signal
import sys
import threading
import time
from contextlib import suppress

from ddns_updater.lib.printable import printable

_EVERY = 1.0  # seconds between two looks; what takes less is not shown
_CTRL_C = len("^C")  # the terminal writes it behind the line


class Progress:
    """A line that names what is awaited and for how long; `clear` erases it before anything else is printed.

    It is as wide as the terminal at most, and uses no escape sequences. Without a width nothing is shown.
    """

    def __init__(self, width: int | None) -> None:
        self._width = width or 0
        self._name = ""
        self._since = 0.0
        self._shown = 0  # columns
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._repeat, daemon=True)

    def __enter__(self) -> "Progress":
        if self._width:
            self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._ended.set()
        if self._width:
            self._thread.join()
            if kind is KeyboardInterrupt:
                self._shown = max(self._shown, 1)  # so that the ^C is erased, also when nothing else was shown
        self.clear()

    def starts(self, name: str) -> None:
        """Show from now on that `name` is awaited."""
        name = printable(name)
        with self._lock:
            if name != self._name:
                self._name, self._since = name, time.monotonic()

    def clear(self) -> None:
        """Erase the line; nothing is awaited any more."""
        with self._lock:
            self._name = ""
            self._show("")

    def _repeat(self) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())  # they must interrupt the main thread
        while not self._ended.wait(_EVERY):
            with self._lock:
                if self._name and (seconds := int(time.monotonic() - self._since)):
                    self._show(self._line(f" ({seconds} s)"))

    def _line(self, took: str) -> str:
        begin, room = "  ...   ", self._width - 1 - len(took)
        whole = begin + self._name
        return (whole if len(whole) <= room else whole[: room - 3] + "...") + took

    def _show(self, text: str) -> None:
        if text or self._shown:
            with suppress(OSError):  # the terminal is gone; the next check tells
                blank = " " * min(self._shown + _CTRL_C, self._width - 1)
                sys.stdout.write(f"\r{blank}\r{text}")
                sys.stdout.flush()
            self._shown = len(text)
