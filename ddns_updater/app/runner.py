"""Runs with the same settings, one after another; each run is followed by its report."""

from collections.abc import Callable, Sequence
from contextlib import closing, nullcontext
from datetime import UTC, datetime
from functools import cache, partial

from ddns_updater.app import factories
from ddns_updater.errors import SettingsError, StateError, Stopped
from ddns_updater.history.keepalive import KeepAliveHistory
from ddns_updater.lib.deadline import Deadline, run_limit, time_limit
from ddns_updater.model import FamilyResult, Outcome, Record, RunResult
from ddns_updater.output.run import run_warnings
from ddns_updater.run import timetable
from ddns_updater.run.news import News
from ddns_updater.run.publisher import Publisher
from ddns_updater.run.report import Report, Reporter
from ddns_updater.run.steps import Policy
from ddns_updater.run.updater import Plan, Updater
from ddns_updater.run.verifier import Verifier
from ddns_updater.settings.settings import Settings
from ddns_updater.state.run_state import RunState

Show = Callable[[RunResult, News], None]


class Runner:
    """A sequence of runs with the same settings; what is costly to build is built once."""

    def __init__(
        self,
        settings: Settings,
        *,
        name: str | None = None,
        dry_run: bool = False,
        recheck: bool = False,
        quiet: bool = False,
        remarks: Sequence[str] = (),
        show: Show | None = None,
        last_words: Callable[[str], None] | None = None,
        stoppable: bool = True,
        seeds: bool = False,
    ) -> None:
        """Build what every run needs; runs that are not `stoppable` leave SIGTERM and SIGINT to the caller.

        With `seeds` a run creates the origin `name` when there is none.
        `show` prints a result, of `quiet` runs only what is news; `remarks` are warnings that come with every run.
        `last_words` prints why the process is about to end, in place of a result.
        """
        self._settings = settings
        self._name = name or settings.name
        self._quiet = quiet
        self._remarks = remarks
        self._show = show
        self._last_words = last_words
        self._stoppable = stoppable
        self._sources = factories.sources(settings)
        self._authority = factories.authority(settings)
        self._missing = factories.missing_channel(settings)
        self._history = KeepAliveHistory(partial(factories.open_history, settings))
        self._route53 = cache(partial(factories.route53_client, settings))  # when first needed, then kept
        destinations = factories.destinations(settings)
        self._store = factories.state_store(settings)
        self._reporter = Reporter(
            self._store,
            destinations,
            alert_after=settings.alert_after,
            run_timeout=settings.run_timeout,
            quiet=quiet,
            limit=time_limit,
        )
        reports = not dry_run and bool(destinations.keys or destinations.ping or self._store.is_in_database)
        self._report_time = timetable.report_seconds(settings.run_timeout) if reports else 0
        wanted = settings.record_sets
        self._plan = Plan(
            name=self._name,
            families=settings.ip_families,
            records=tuple(wanted),
            run_timeout=settings.run_timeout - self._report_time,
            agreement=settings.ip_agreement,
            dry_run=dry_run,
            seeds=seeds,
        )
        self._policy = Policy(
            ttl=settings.ttl,
            recheck_every=settings.recheck_every,
            recheck=recheck,
            on_drift=settings.on_drift,
            hosted_zone_ids=settings.hosted_zone_ids,
            pins={record: zone_id for record, zone_id in wanted.items() if zone_id},
        )

    def run(self) -> Report:
        """Do one run and report it within the same time limit; raises SettingsError, and whatever a bug raises."""
        deadline = Deadline(self._settings.run_timeout)
        try:
            result = self._updater().run()
        except SettingsError:
            self._history.close()
            raise
        except Exception as error:
            self._history.close()
            message = f"ddns has a bug: {type(error).__name__}; report it with the traceback on stderr"
            if not self._plan.dry_run:
                self._with_report(self._failure(message), deadline)
            raise
        if not (
            result.outcome.is_good or result.outcome is Outcome.OFF
        ):  # the connection may be inside a statement, or to the wrong server
            self._history.close()
        report = Report(result) if self._plan.dry_run else self._with_report(result, deadline)
        missing = self._missing and str(self._missing)
        if missing and not any(missing in each for each in report.result.warnings):  # an alert has told it
            report.warn(missing)
        return report

    def run_once(self) -> RunResult:
        """Do one run, show it and close; raises no DdnsError but SettingsError."""
        with closing(self):
            report = self.run()
            self.show(report)
        return report.result

    def show(self, report: Report) -> None:
        """Show the result of a run with its warnings."""
        if self._show:
            warnings = [text for text, _ in run_warnings(report.result)]
            with self._reporter.news(report, [*self._remarks, *warnings]) as news:
                self._show(report.result, news)

    def close(self) -> None:
        """Close the connection kept between runs."""
        self._history.close()

    def _updater(self) -> Updater:
        open_dns = cache(lambda: factories.open_dns(self._settings, self._route53()))  # when first needed, once a run
        return Updater(
            self._plan,
            sources=self._sources,
            open_history=self._history.open,
            publisher=Publisher(self._policy, open_dns, cache(self._seen_at)),
            verifier=Verifier(
                open_dns,
                timeout=self._settings.verify_timeout,
                arrival=timetable.latest_arrival(self._settings.run_timeout),
                authority=self._authority,
            ),
            whole_run=self._limit_run,
            limit=time_limit,
        )

    def _seen_at(self) -> dict[Record, datetime]:
        """Return when each record was last seen to hold its address, as far as that is remembered.

        It shows that a backup of the database was restored, which what is in the database cannot.
        """
        if self._store.is_in_database:
            return {}
        try:
            content = self._store.read()
        except StateError:  # the report tells it
            return {}
        run_state = content.origins.get(content.name_of(self._name, None), RunState())
        return {record: each.at for record, each in run_state.seen.items()}

    def _with_report(self, result: RunResult, deadline: Deadline) -> Report:
        """Report `result` and return the report, also one that was stopped."""
        rest = deadline.at_least(0.1)
        report = Report(result)
        try:
            limit = run_limit(rest.left(), self._run_timeout, stoppable=self._stoppable, last_words=self._last_words)
            with limit if self._report_time else nullcontext():  # a file has a limit of its own
                self._report(report, timetable.report(rest))
        except Stopped as error:
            report.warn(f"failed to finish the report of the run: {error}")
        return report

    def _cut_off(self, error: str) -> None:
        """Report a run that only the end of the process can stop; the process ends when this returns."""
        report = Report(self._failure(error))
        if not self._plan.dry_run:
            self._report(report, Deadline(self._report_time))
        if self._quiet:  # else the last words are printed
            self.show(report)

    def _failure(self, error: str) -> RunResult:
        """Return the result of a run that ended without one."""
        results = tuple(FamilyResult(family, Outcome.FAILED, error=error) for family in self._plan.families)
        return RunResult(self._name, results)

    def _report(self, report: Report, deadline: Deadline) -> None:
        self._reporter.report(report, self._name, datetime.now(UTC), deadline)

    def _limit_run(self) -> run_limit:
        return run_limit(
            self._plan.run_timeout,
            self._run_timeout,
            stoppable=self._stoppable,
            last=self._cut_off,
            grace=self._report_time,
            last_words=None if self._quiet else self._last_words,
        )

    @property
    def _run_timeout(self) -> str:
        return f"DDNS_RUN_TIMEOUT={self._settings.run_timeout}"
