"""Deliveries of alerts and heartbeats: each in a thread of its own, at most one left behind per receiver.

A thread, because a resolver that hangs is a call into C that nothing can interrupt. One that is not over in time is
left behind and told to end: SystemExit is raised in it as soon as it executes Python code again, and no library's
`except Exception` catches that. So it ends even when the answer never does, be it a byte a second or headers without
end. A silent receiver is left to the timeouts of the library that waits for it.
"""

from collections.abc import Callable
from threading import Thread

from ddns_updater.errors import AlertError
from ddns_updater.lib.deadline import Deadline


class Delivery:
    """One delivery, which begins at once and has so many `seconds`; messages show `receiver`."""

    def __init__(self, send: Callable[[], None], receiver: str, seconds: float) -> None:
        self._send = send
        self._receiver = receiver
        self._seconds = seconds
        self._deadline = Deadline(seconds)
        self._ended: list[BaseException | None] = []
        self._thread = Thread(target=self._work, daemon=True)
        self._thread.start()

    @property
    def hangs(self) -> bool:
        """Return whether it is still going on."""
        return self._thread.is_alive() and not self._ended

    def outcome(self) -> AlertError | None:
        """Wait for it and return its error, None if it succeeded in time; any other exception is a bug and is raised.

        When its time is over, it is left behind.
        """
        self._thread.join(self._deadline.left())
        if not self._ended:
            self.interrupt()
            return AlertError(f"{self._receiver} did not answer within {self._seconds:.1f} s")
        if self._ended[0] is None or isinstance(self._ended[0], AlertError):
            return self._ended[0]
        raise self._ended[0]

    def interrupt(self) -> None:
        """Tell it to end."""
        import ctypes  # takes as long as all of a heartbeat, and nearly none hangs

        # https://docs.python.org/3/c-api/threads.html#c.PyThreadState_SetAsyncExc
        thread = ctypes.c_ulong(self._thread.ident or 0)
        ctypes.pythonapi.PyThreadState_SetAsyncExc(thread, ctypes.py_object(SystemExit))

    def _work(self) -> None:
        try:
            self._send()
        except SystemExit:
            self._ended.append(SystemExit())  # a new one: the frames of that one hold the connection open
        except BaseException as error:
            self._ended.append(error)
        else:
            self._ended.append(None)


class Deliveries:
    """The deliveries of one run after another; while one to a receiver hangs, no other to it begins."""

    def __init__(self) -> None:
        self._last: dict[str, Delivery] = {}  # by key of the receiver

    def hangs(self, key: str) -> bool:
        """Return whether the last delivery to `key` was left behind and still hangs; it is told again to end."""
        last = self._last.get(key)
        if last is None or not last.hangs:
            return False
        last.interrupt()
        return True

    def deliver(self, key: str, send: Callable[[], None], receiver: str, seconds: float) -> AlertError | None:
        """Call `send` for at most so many `seconds`; return its error, None if it succeeded in time."""
        if self.hangs(key):
            return AlertError(f"{receiver} still has not answered an earlier one")
        self._last[key] = Delivery(send, receiver, seconds)
        return self._last[key].outcome()
