"""What every protocol does with the addresses of hosts once their secret was right."""

import logging
from collections.abc import Mapping, Sequence

from ddns_updater.errors import HistoryError
from ddns_updater.hosts import Host, Result, Verdict
from ddns_updater.model import Address, Family
from ddns_updater.server.ports import Requests

log = logging.getLogger(__name__)

DATABASE_RETRY = 60  # seconds until a client should ask again while the database does not answer
ADDRESS_RETRY = 300  # seconds, where a request gives no address to use; most clients look for a new one as often


def record(requests: Requests, wanted: Sequence[tuple[Host, Mapping[Family, Address]]]) -> Sequence[Result]:
    """Record the addresses of hosts and return the result of each: LATER while the database does not answer."""
    try:
        return requests.update(wanted) if wanted else ()
    except HistoryError as error:
        log.warning("failed to record a request: %s", error)
        return [Result(Verdict.LATER, retry_after=DATABASE_RETRY)] * len(wanted)
