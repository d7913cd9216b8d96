"""Doing the same for each of many at once."""

import time
from threading import Barrier, current_thread

import pytest

from ddns_updater.lib.at_once import at_once


def test_many_are_at_work_at_once_and_their_results_keep_their_order() -> None:
    meeting = Barrier(8)

    def work(number: int) -> int:
        meeting.wait(10)
        return number * 10

    assert at_once(work, range(8)) == [0, 10, 20, 30, 40, 50, 60, 70]


def test_a_few_need_no_threads() -> None:
    assert set(at_once(lambda _: current_thread(), range(3))) == {current_thread()}
    assert at_once(lambda _: 1, ()) == []


def test_the_first_error_is_raised_and_what_was_not_begun_is_left_undone() -> None:
    begun = []

    def work(number: int) -> None:
        begun.append(number)
        if number == 0:
            raise ValueError("the first")
        time.sleep(0.05)

    with pytest.raises(ValueError, match="the first"):
        at_once(work, range(1000))
    assert len(begun) < 500
