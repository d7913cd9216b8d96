"""Take measurements in turns (A B A B …), so that changes in the machine's speed affect all of them equally."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median, quantiles

Row = tuple[str, ...]
_PEAK = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""
HEADER: Row = ("measured", "ratio or count", "quartiles", "budget", "medians")


def take_turns(measures: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """Return the seconds of each measure in each of `rounds`, after a round that warms the caches."""
    times: dict[str, list[float]] = {name: [] for name in measures}
    for turn in range(rounds + 1):
        for name, measure in measures.items():
            seconds = measure()
            if turn:
                times[name].append(seconds)
    return times


def ratio(times: Mapping[str, Sequence[float]], name: str, base: str, budget: str = "") -> Row:
    """Return the median of `name` over `base`, compared within each round."""
    ratios = [one / other for one, other in zip(times[name], times[base], strict=True)]
    low, middle, high = quantiles(ratios, n=4)
    seconds = f"{median(times[name]) * 1000:.3g} / {median(times[base]) * 1000:.3g} ms"
    return f"{name} / {base}", f"{middle:.2f}", f"{low:.2f} to {high:.2f}", budget, seconds


def cpu(command: Sequence[str], environment: Mapping[str, str], folder: Path) -> float:
    """Run a command to its end and return its CPU seconds, user and system, including its child processes."""
    silent = subprocess.DEVNULL
    with subprocess.Popen(command, env=environment, cwd=folder, stdin=silent, stdout=silent) as child:
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with status {child.returncode}")
    return usage.ru_utime + usage.ru_stime


def peak(command: Sequence[str], environment: Mapping[str, str], folder: Path) -> int:
    """Run a command to its end and return the most memory that it held, in KiB."""
    # a small process starts it, because the kernel counts the memory of who starts a process as its own
    done = subprocess.run(
        [sys.executable, "-c", _PEAK, *command], env=environment, cwd=folder, stdout=subprocess.PIPE, check=True
    )
    return int(done.stdout)


def wall(call: Callable[[], object], times: int) -> float:
    """Return the mean wall time of `call` in seconds, over `times` calls, after one that warms the caches."""
    call()
    start = time.perf_counter()
    for _ in range(times):
        call()
    return (time.perf_counter() - start) / times
