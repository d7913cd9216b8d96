"""Decide what a request may do to one record of its host.

A host whose address flaps would fill the history and keep DNS busy: after 200 versions within a day it gets one in ten
minutes. An address whose publication was refused is answered as a failure, so that the client tries again and its owner
sees it.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

from ddns_updater.hosts import Decision, Host, Verdict
from ddns_updater.model import Address, Journal

_MANY = 200  # versions
_DAY = timedelta(days=1)
_SLOWED = timedelta(minutes=10)
_REFUSED = 300  # seconds until a client should ask again about a record that DNS refuses; ddclient waits as long anyway


def judge(
    host: Host, address: Address, latest: Journal | None, recorded_at: Callable[[int], datetime | None]
) -> Decision:
    """Return what to do with `address`, which a request gives for a record of `host`.

    `latest` is its latest version, None without one; `recorded_at` returns when the version with a number was recorded,
    None when there is none.
    """
    if host.blocked_at:
        return Decision(Verdict.BLOCKED)
    if latest is None:
        return Decision(Verdict.GOOD)
    version, now = latest.version, latest.read_at
    if version.address == address:
        is_refused = any(each.is_refused for each in latest.publications)
        return Decision(Verdict.LATER, _REFUSED) if is_refused else Decision(Verdict.NOCHG)
    first = recorded_at(version.version - _MANY + 1) if version.version >= _MANY else None
    if first is None or now - first >= _DAY:
        return Decision(Verdict.GOOD)
    wait = _SLOWED - (now - version.created_at)
    if timedelta(0) < wait <= _SLOWED:  # a longer one is that of a clock that has gone back
        return Decision(Verdict.LATER, int(wait.total_seconds()), is_slowed=True)
    return Decision(Verdict.GOOD, is_slowed=True)
