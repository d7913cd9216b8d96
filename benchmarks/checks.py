"""Run a number of quiet checks in one process, as `ddns watch` does, and print their cost as JSON.

Memory is read after a tenth of them, when everything is loaded, and at the end.
"""

import json
import os
import sys
import time
from contextlib import closing
from pathlib import Path

from ddns_updater.app.runner import Runner
from ddns_updater.model import Outcome
from ddns_updater.output import run as report
from ddns_updater.settings.load import read_settings


def main(checks: int) -> None:
    """Measure `checks` checks, and the first one apart, because it imports modules and makes clients."""
    with closing(Runner(read_settings().valid(), stoppable=False)) as runs:
        _check(runs, checks)


def _check(runs: Runner, checks: int) -> None:
    start = time.process_time()
    runs.run()
    first = time.process_time() - start
    start = time.process_time()
    for number in range(checks):
        result = runs.run().result
        assert result.outcome is Outcome.UNCHANGED, result.error
        assert report.run_lines(result)
        if number == checks // 10:
            early = _resident()
    seconds = time.process_time() - start
    cost = {"first_ms": first * 1000, "cpu_ms": seconds / checks * 1000}
    print(json.dumps(cost | {"early": early, "late": _resident()}))


def _resident() -> int:
    """Return the resident memory of this process in KiB (proc_pid_statm(5))."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024


main(int(sys.argv[1]))
