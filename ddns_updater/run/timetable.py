"""How the seconds of a run, DDNS_RUN_TIMEOUT, are divided; no other module decides that.

    work                 all but the report
      detect               half of it, an equal part for each family
      publish, verify      until 5 s before its end
      the last writes      those 5 s
    report               a quarter of the run, 10 s at most, and what the work left
      state, metrics       2 s for the lock of a file or 5 s for that of a table, as long to replace the state,
                           1.5 s to write the metrics
      heartbeat, alerts    equal parts of the rest
    10 s more              then the database gives up the session of a run that vanished, and its lock

What hangs is interrupted about a second before the work or the report ends (`run_limit`). The other commands give the
database as long as a run has, 20 s at most; to read a whole history five times and to build an index sixty times as
long as a run.
"""

from datetime import timedelta

from ddns_updater.lib.deadline import Deadline

LOCK_SECONDS = 2.0  # for the lock of the state, which others hold only briefly, and again to replace the state
LEASE_SECONDS = 5.0  # the same where the lock outlives its process by some seconds
METRICS_SECONDS = 1.5  # during which others wait for the state file

_LAST_WRITES = 5.0  # seconds to read records back and to write the journal
_AFTER_RUN = 10  # seconds
_ANSWER = 20.0  # seconds; monitoring waits for `ddns status`
_REPORT = 10.0  # seconds
_PATIENCE = 5.0  # seconds; most addresses come sooner
_MARGIN = 1.5  # seconds by which the report ends before it is interrupted
_USUAL_TRY = 5.0  # seconds; most services accept an alert in that time
_ARRIVAL = 60.0  # seconds that a change may be on its way after the run that sent it
_SHORTEST_TRY = 0.1  # seconds; with less, nothing is sent


def report_seconds(run_timeout: float) -> float:
    """Return the seconds of a run that are reserved for a report, if somebody gets one."""
    return min(_REPORT, run_timeout / 4)


def answer_seconds(run_timeout: float) -> float:
    """Return the seconds that the database has for what a command other than a run asks, if that is little."""
    return min(_ANSWER, run_timeout)


def reading_seconds(run_timeout: float) -> float:
    """Return the seconds that the database has to hand out a whole history."""
    return 5 * run_timeout


def building_seconds(run_timeout: float) -> float:
    """Return the seconds that the database has to build the tables, with the indexes of one that is adopted."""
    return 60 * run_timeout


def session_seconds(run_timeout: int) -> int:
    """Return the seconds without a statement after which the database ends the session of a run."""
    return run_timeout + _AFTER_RUN


def detection_seconds(work: float, families: int) -> float:
    """Return the seconds for the address of one of `families`; at least half of `work` is left to publish."""
    return work / 2 / families


def patience_seconds(run_timeout: float, families: int, sources: int) -> float:
    """Return the seconds that a source may wait for an address that is to come: a third of its part, if little."""
    part = detection_seconds(run_timeout - report_seconds(run_timeout), families) / sources
    return min(_PATIENCE, part / 3)


def latest_arrival(run_timeout: float) -> timedelta:
    """Return how long after a change was sent without an answer it may arrive: the run may have sent it again."""
    return timedelta(seconds=run_timeout + _ARRIVAL)


def verification(work: Deadline) -> Deadline:
    """Return the deadline of waiting for DNS."""
    return work.at_most(work.left() - _LAST_WRITES)


def report(rest: Deadline) -> Deadline:
    """Return the deadline that a report sets itself in the `rest` of a run."""
    return rest.at_most(rest.left() - min(_MARGIN, rest.share(3)))


def heartbeat_seconds(rest: Deadline, *, has_alerts: bool) -> float:
    """Return the seconds for the heartbeat in the `rest` of a report; alerts after it get the other half."""
    return max(rest.share(2 if has_alerts else 1), _SHORTEST_TRY)


def alert_seconds(rest: Deadline, waiting: int) -> float | None:
    """Return the seconds for the next of `waiting` alerts in the `rest` of a report; None when there is no time."""
    if rest.left() < _SHORTEST_TRY:
        return None
    return max(rest.share(waiting), min(rest.left(), _USUAL_TRY))
