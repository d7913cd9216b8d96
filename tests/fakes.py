"""Fakes of ports, 20 lines or fewer each."""


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
