"""Fakes of ports, 20 lines or fewer each."""

from ddns_updater.errors import DnsError
from ddns_updater.model import Record


class Clock:
    """A monotonic clock that only sleeping moves; `slept` has the pauses in seconds."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


class FakeNameServers:
    """An authority that returns, or raises, the given answers in turn; None says that a record is right."""

    def __init__(self, *answers: str | BaseException | None) -> None:
        self.asked: list[str] = []
        self._answers = iter(answers)

    def mismatch(self, record: Record, *_: object) -> DnsError | None:
        self.asked.append(record.name)
        answer = next(self._answers)
        if isinstance(answer, BaseException):
            raise answer
        return None if answer is None else DnsError(answer)
