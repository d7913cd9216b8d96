"""What several threads want at the same time is done at once, and each gets its own answer."""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event

import pytest

from ddns_updater.server.turns import Turns, Wanted


class Work:
    """Answers each question with its square; the first turn lasts until `go_on` is set."""

    def __init__(self) -> None:
        self.turns: list[list[int]] = []
        self.began, self.go_on = Event(), Event()

    def __call__(self, wanted: Sequence[Wanted[int, int]]) -> None:
        self.turns.append([each.question for each in wanted])
        self.began.set()
        assert self.go_on.wait(10)
        for each in wanted:
            if each.question < 0:
                each.error = ValueError(each.question)
            each.answer = 100 // each.question if each.question else each.question // 0


def _ask(turns: Turns[int, int], work: Work, *questions: int) -> list["Future[int]"]:
    """Ask the first question, and the others, one after the other, while it is being answered."""
    with ThreadPoolExecutor(len(questions)) as threads:
        asked = [threads.submit(turns.answer, questions[0])]
        assert work.began.wait(10)
        for number, each in enumerate(questions[1:], 1):
            asked.append(threads.submit(turns.answer, each))
            while len(turns._queue) < number:
                pass
        work.go_on.set()
    return asked


def test_those_that_come_meanwhile_share_the_next_turn() -> None:
    work = Work()
    asked = _ask(Turns(work), work, 1, 2, 4, 5)
    assert [each.result(10) for each in asked] == [100, 50, 25, 20]
    assert work.turns == [[1], [2, 4, 5]]


def test_no_more_than_fit_share_a_turn_and_the_next_one_goes_on() -> None:
    work = Work()
    asked = _ask(Turns(work, lambda _waiting: 2), work, 1, 2, 4, 5, 10)
    assert [each.result(10) for each in asked] == [100, 50, 25, 20, 10]
    assert work.turns == [[1], [2, 4], [5, 10]]


def test_an_error_is_for_the_one_that_has_it() -> None:
    work = Work()
    one, two, three = _ask(Turns(work), work, 1, -2, 4)
    assert one.result(10) == 100
    assert three.result(10) == 25
    with pytest.raises(ValueError, match="-2"):
        two.result(10)


def test_a_bug_fails_all_of_the_turn_and_none_after_it() -> None:
    work = Work()
    turns = Turns(work)
    first, *broken = _ask(turns, work, 1, 0, 4)
    assert first.result(10) == 100
    for each in broken:
        with pytest.raises(ZeroDivisionError):
            each.result(10)
    assert turns.answer(2) == 50


def test_one_after_the_other_each_has_its_own_turn() -> None:
    work = Work()
    work.go_on.set()
    turns = Turns(work)
    assert [turns.answer(each) for each in (1, 2, 4)] == [100, 50, 25]
    assert work.turns == [[1], [2], [4]]
