"""The metrics of the update endpoint, which Prometheus fetches.

No series has the name of a host or anything else from a request, so that their number stays small whoever asks.
"""

from collections.abc import Callable, Iterator

from prometheus_client import Counter, Histogram
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector, CollectorRegistry

from ddns_updater import __version__
from ddns_updater.errors import HistoryError
from ddns_updater.state.host_status import HostNumbers

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)  # seconds


class EndpointMetrics:
    """Counts what the endpoint does, in every thread."""

    def __init__(self, read: Callable[[], HostNumbers]) -> None:
        """Take what reads the numbers of the database; it may raise HistoryError."""
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "ddns_endpoint_requests",
            "Requests, by protocol and answer",
            ("protocol", "answer"),
            registry=self._registry,
        )
        self._seconds = Histogram(
            "ddns_endpoint_answer_seconds",
            "Time to answer a request",
            ("protocol",),
            buckets=_BUCKETS,
            registry=self._registry,
        )
        self._failed_logins = Counter("ddns_endpoint_failed_logins", "Logins that failed", registry=self._registry)
        self._change_calls = Counter(
            "ddns_endpoint_change_calls", "Calls to Route 53 that change records", registry=self._registry
        )
        self._registry.register(_Database(read))

    def observe(self, protocol: str, answer: str, seconds: float) -> None:
        """Count a request that took so many seconds; `protocol` and `answer` are words of this program."""
        self._requests.labels(protocol, answer).inc()
        self._seconds.labels(protocol).observe(seconds)

    def login_failed(self) -> None:
        """Count a failed login."""
        self._failed_logins.inc()

    def change_called(self) -> None:
        """Count a call that changes records."""
        self._change_calls.inc()

    def text(self) -> str:
        """Return all of them in Prometheus' text format."""
        return generate_latest(self._registry).decode()


class _Database(Collector):
    """What the database counts; without an answer of it, only that there is none."""

    def __init__(self, read: Callable[[], HostNumbers]) -> None:
        self._read = read

    def describe(self) -> list[Metric]:
        """Return nothing: to register this must not ask the database."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics."""
        info = GaugeMetricFamily("ddns_endpoint_build_info", "1, labelled with the version", labels=("version",))
        info.add_metric([__version__], 1)
        yield info
        try:
            found = self._read()
        except HistoryError:
            found = None
        yield _gauge("ddns_endpoint_database_up", "Whether the database answers", found is not None)
        if found is None:
            return
        oldest = (found.now - found.due_since).total_seconds() if found.due_since else 0
        yield _gauge("ddns_endpoint_hosts", "Hosts", found.hosts)
        yield _gauge(
            "ddns_endpoint_due_publications", "Records not yet seen to hold the latest version of their host", found.due
        )
        yield _gauge(
            "ddns_endpoint_oldest_due_age_seconds", "How long the oldest of these is due; 0 without one", max(oldest, 0)
        )


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, value=value)
