"""Do together what several threads want at the same time: the first one does it for all that came meanwhile."""

from collections.abc import Callable, Sequence
from threading import Event, Lock
from typing import Generic, TypeVar

_Q = TypeVar("_Q")
_A = TypeVar("_A")


class Wanted(Generic[_Q, _A]):
    """What one thread wants, and what became of it: `answer` or `error` is set once it is done."""

    def __init__(self, question: _Q) -> None:
        """Take what is wanted."""
        self.question = question
        self.answer: _A | None = None
        self.error: Exception | None = None
        self.is_done = False
        self.woken = Event()


class Turns(Generic[_Q, _A]):
    """Lets one thread at a time work, for itself and for those that wait; it wakes one of the others to go on.

    A transaction or a query for many costs little more than one for a single request. Nobody waits for company: who
    comes alone begins at once.
    """

    def __init__(
        self,
        work: Callable[[Sequence[Wanted[_Q, _A]]], None],
        fitting: Callable[[Sequence[_Q]], int] = len,
    ) -> None:
        """Take what sets the answer or the error of each, and how many of those that wait it takes, at least one."""
        self._work = work
        self._fitting = fitting
        self._queue: list[Wanted[_Q, _A]] = []
        self._is_led = False
        self._guard = Lock()

    def answer(self, question: _Q) -> _A:
        """Return the answer to `question`, or raise its error."""
        mine: Wanted[_Q, _A] = Wanted(question)
        with self._guard:
            self._queue.append(mine)
            waits, self._is_led = self._is_led, True
        if waits:
            mine.woken.wait()
        if not mine.is_done:
            self._lead()
        if mine.error:
            raise mine.error
        return mine.answer  # type: ignore[return-value] # None is an answer, too

    def _lead(self) -> None:
        """Work for the first in the queue and those that fit, and hand over to the next."""
        with self._guard:
            number = self._fitting([each.question for each in self._queue])
            taken, self._queue = self._queue[:number], self._queue[number:]
        try:
            self._work(taken)
        except Exception as error:  # a bug: the others must not wait for ever
            for each in taken:
                each.error = each.error or error
        for each in taken:
            each.is_done = True
            each.woken.set()
        with self._guard:
            self._is_led = bool(self._queue)
            if self._queue:
                self._queue[0].woken.set()
