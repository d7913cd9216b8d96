"""Do the same for each of many, several at a time: for calls that wait for a network, not for this machine."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

_Given = TypeVar("_Given")
_Result = TypeVar("_Result")

_THREADS = 16
_FEW = 4  # for so many, threads are not worth their start


def at_once(work: Callable[[_Given], _Result], given: Iterable[_Given]) -> list[_Result]:
    """Return the result of `work` for each of `given`, in their order; raises the error of the first that has one.

    What was not begun by then is left undone.
    """
    each = list(given)
    if len(each) <= _FEW:
        return [work(one) for one in each]
    with ThreadPoolExecutor(_THREADS) as threads:
        return list(threads.map(work, each))
