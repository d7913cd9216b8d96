"""A sweep of the hosts: how they are, once a minute."""

from ddns_updater.errors import HistoryError
from ddns_updater.hosts import Sweep
from ddns_updater.server.last_requests import LastRequests
from ddns_updater.server.pool import Pool

_EXAMPLES = 10  # failing records that a sweep names


def swept(pool: Pool, last_requests: LastRequests) -> Sweep:
    """Save the last requests and return how the hosts are; a database that fails is what the sweep then tells."""
    try:
        with pool.taken() as hosts:
            last_requests.save(hosts)
            number, examples = hosts.failing(_EXAMPLES)
            return Sweep(None, hosts.count(), number, tuple(examples), tuple(hosts.slowed()))
    except HistoryError as error:
        return Sweep(str(error))
