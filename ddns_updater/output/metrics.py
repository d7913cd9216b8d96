"""The metrics, as a file for the textfile collector of Prometheus' node exporter.

Unknown values are left out, not written as zero: the address when a run did not reach the database, and every count
while the state file cannot be read. Each series is labelled with the origin's name, because the node exporter merges
several such files and rejects duplicate series.
"""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector, CollectorRegistry

from ddns_updater import __version__
from ddns_updater.errors import StateError
from ddns_updater.lib.files import replace_file
from ddns_updater.lib.printable import printable
from ddns_updater.lib.trust import Distrusted, check_shared
from ddns_updater.model import Outcome, PublicationState, RunResult, propagation
from ddns_updater.state.run_state import RunState

_MODE = 0o644  # the node exporter is another user


def write_metrics(path: Path, result: RunResult, run_state: RunState, now: datetime) -> None:
    """Write the metrics of the run that ended with `result` at `now` to `path`; raises StateError.

    `run_state` includes this run; it has counted no run when the state file cannot be read.
    """
    registry = CollectorRegistry()
    registry.register(_Run(result, run_state, now))
    try:
        check_shared(path)
        replace_file(path, generate_latest(registry), _MODE)
    except Distrusted as error:
        raise StateError(f"cannot use DDNS_METRICS_FILE={path}: {error.problem}", error.advice) from error
    except OSError as error:
        raise StateError(
            f"failed to write the metrics {path}: {error.strerror or error}", "fix its folder, or set DDNS_METRICS_FILE"
        ) from error


class _Run(Collector):
    """The metric families of one run."""

    def __init__(self, result: RunResult, run_state: RunState, now: datetime) -> None:
        self._result = result
        self._run_state = run_state
        self._now = now
        self._name = printable(result.name or "")

    def collect(self) -> Iterator[Metric]:
        """Yield the families with a known value."""
        yield from self._last_run()
        if self._run_state.runs:
            yield from self._counts()
        yield from (family for family in (*self._address(), self._records()) if family.samples)

    def _last_run(self) -> Iterator[Metric]:
        info = _gauge("ddns_build_info", "1, labelled with the version of the program", "version")
        info.add_metric([self._name, __version__], 1)
        yield info
        yield self._single("ddns_last_run_timestamp_seconds", "When the last run ended", self._now.timestamp())
        outcomes = _gauge("ddns_last_run_outcome", "1 for the outcome of the last run, 0 for the others", "outcome")
        for outcome in Outcome:
            outcomes.add_metric([self._name, outcome.value], outcome is self._result.outcome)
        yield outcomes

    def _counts(self) -> Iterator[Metric]:
        runs = CounterMetricFamily("ddns_runs", "Runs that ended, by outcome", labels=("name", "outcome"))
        for outcome in Outcome:
            runs.add_metric([self._name, outcome.value], self._run_state.runs.get(outcome, 0))
        yield runs
        failures = CounterMetricFamily("ddns_run_failures", "Runs that failed or were held", labels=("name",))
        failures.add_metric(
            [self._name], sum(count for outcome, count in self._run_state.runs.items() if outcome.is_bad)
        )
        yield failures
        incident, success = self._run_state.incident, self._run_state.last_success
        yield self._single(
            "ddns_consecutive_failures",
            "Runs that failed or were held since the last success",
            incident.failed_runs if incident else 0,
        )
        if incident:
            yield self._single(
                "ddns_incident_start_timestamp_seconds",
                "When the first run of the open incident failed; absent without one",
                incident.since.timestamp(),
            )
        if success:
            yield self._single(
                "ddns_last_success_timestamp_seconds",
                "When the last successful run ended; absent before the first",
                success.timestamp(),
            )

    def _address(self) -> tuple[Metric, ...]:
        version = _gauge(
            "ddns_address_version", "The latest version; absent when the last run did not read it", "family"
        )
        age = _gauge("ddns_address_age_seconds", "Time since the address changed, at the end of the last run", "family")
        took = _gauge("ddns_dns_propagation_seconds", "Time that DNS took to follow the latest version", "family")
        for one in self._result.results:
            labels = [self._name, one.family.value]
            if one.version is not None:
                version.add_metric(labels, one.version)
            if one.since is not None:
                age.add_metric(labels, max((self._now - one.since).total_seconds(), 0))  # the clocks differ
            followed = propagation(one.publications)
            if followed is not None:
                took.add_metric(labels, followed.total_seconds())
        return version, age, took

    def _records(self) -> Metric:
        states = _gauge(
            "ddns_record_state",
            "1 for the state of the record for the latest version, 0 for the others",
            *("record", "type", "state"),
        )
        for one in self._result.results:
            for each in one.publications:
                for state in PublicationState:
                    labels = [self._name, each.record.name, each.record.type, state.value]
                    states.add_metric(labels, state is each.state)
        return states

    def _single(self, name: str, text: str, value: float) -> Metric:
        family = _gauge(name, text)
        family.add_metric([self._name], value)
        return family


def _gauge(name: str, text: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, labels=("name", *labels))
