"""Publish without a thread of its own: whoever recorded something publishes, as in a function of AWS Lambda.

Many processes may record at the same time, and one of them publishes: the others find its lock and leave what they
recorded to it. So the one that publishes looks once more when it has given the lock back.
"""

import time
from collections.abc import Callable

from ddns_updater.lib.deadline import Deadline
from ddns_updater.server.pool import Pool
from ddns_updater.server.publishing import HostPublisher, Round

_WINDOW = 1.0  # seconds in which changes gather while they keep coming


def publish_due(
    publisher: HostPublisher, pool: Pool, deadline: Deadline, wait: Callable[[float], None] = time.sleep
) -> Round:
    """Do rounds until nothing is due, and return what they did together; raises HistoryError.

    No round begins after `deadline`: what is due then is left to the next one who calls this.
    """
    done = Round()
    while deadline.left():
        with publisher.turn() as do_round:
            if do_round is None:
                return done._replace(is_elsewhere=True)
            while deadline.left():
                done = _together(done, latest := do_round())
                if not _is_due(pool):
                    break
                if latest.sent:
                    wait(min(_WINDOW, deadline.left()))
        if not _is_due(pool):
            break
    return done


def _together(done: Round, latest: Round) -> Round:
    return latest._replace(
        sent=done.sent + latest.sent,
        verified=done.verified + latest.verified,
        failed=done.failed + latest.failed,
        error=done.error or latest.error,
    )


def _is_due(pool: Pool) -> bool:
    with pool.taken() as hosts:
        at = hosts.next_look()
        return at is not None and at <= hosts.now()
