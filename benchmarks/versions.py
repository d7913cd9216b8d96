"""Append a version to the origin NAME and read the latest one, often: versions.py NAME COUNT.

Prints the CPU time of each in this process, in ms; that of the simulated AWS is spent in another one.
"""

import json
import sys
import time
from collections.abc import Callable
from ipaddress import ip_address

from ddns_updater.app.factories import open_history
from ddns_updater.model import Family
from ddns_updater.settings.load import read_settings

_ADDRESS = ip_address("192.0.2.8")


def main() -> None:
    """Do what the arguments say."""
    name, count = sys.argv[1], int(sys.argv[2])
    with open_history(read_settings().valid()) as history:
        origin = history.origins(name)[0].of(Family.IPV4)
        latest = history.latest(origin).version

        def append() -> None:
            nonlocal latest
            latest = history.append(origin, latest, _ADDRESS).version

        figures = {"latest": _ms(lambda: history.latest(origin), count), "append": _ms(append, count)}
    print(json.dumps(figures))


def _ms(call: Callable[[], object], count: int) -> float:
    call()
    start = time.process_time()
    for _ in range(count):
        call()
    return (time.process_time() - start) / count * 1000


if __name__ == "__main__":
    main()
