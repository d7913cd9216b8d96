"""The last request of each host, which is written down once a minute: a write for each would cost more than it says."""

from collections.abc import Hashable
from threading import Lock

from ddns_updater.errors import HistoryError
from ddns_updater.hosts import Host, LastRequest
from ddns_updater.server.ports import HostStore


class LastRequests:
    """Collects the last request of each host until it is saved."""

    def __init__(self) -> None:
        self._noted: dict[Hashable, LastRequest] = {}
        self._guard = Lock()

    def note(self, host: Host, request: LastRequest) -> None:
        """Remember the last request of a host."""
        with self._guard:
            self._noted[host.id] = request

    def save(self, hosts: HostStore) -> None:
        """Save what was noted; what cannot be saved is kept for the next time. Raises HistoryError."""
        with self._guard:
            noted, self._noted = self._noted, {}
        try:
            if noted:
                hosts.note_requests(noted)
        except HistoryError:
            with self._guard:
                self._noted = noted | self._noted
            raise
