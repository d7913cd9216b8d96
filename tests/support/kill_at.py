"""Run `ddns` and kill this process with SIGKILL when a function of ddns_updater or yoyo is entered or left.

`python tests/kill_at.py PLACE ARGUMENT…`, where PLACE is `call:Updater._record` or `return:SqlHistory.append:2` (the
second time). With `list` for PLACE nothing is killed, and every place is written to the file that KILL_LIST names.
"""

import os
import signal
import sys
import threading
from types import FrameType

# Imported before anything is watched, for a profiler makes an import take three times as long.
import ddns_updater.alerts.heartbeat
import ddns_updater.alerts.webhooks
import ddns_updater.dns.route53
import ddns_updater.history.mysql
import ddns_updater.history.schema
import ddns_updater.history.sqlite
import ddns_updater.output.metrics
import ddns_updater.sources.http  # noqa: F401
from ddns_updater.cli.main import main

place, listing = sys.argv[1], os.environ.get("KILL_LIST")
event, _, rest = place.partition(":")
function, _, number = rest.partition(":")
left = int(number or 1)


def profile(frame: FrameType, what: str, _argument: object) -> None:
    global left
    code = frame.f_code
    if what not in ("call", "return") or not ("/ddns_updater/" in code.co_filename or "/yoyo/" in code.co_filename):
        return
    if listing:
        with open(listing, "a") as file:  # noqa: PTH123 - a profiler should call as little as it can
            file.write(f"{what}:{code.co_qualname}\n")
    elif what == event and code.co_qualname == function:
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


sys.argv = ["ddns", *sys.argv[2:]]
sys.setprofile(profile)
threading.setprofile(profile)  # of the threads in which something is told
main()
