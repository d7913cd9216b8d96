"""Runs of one set of settings, one after the other, each with what follows it."""

from collections.abc import Callable
from contextlib import closing, nullcontext
from datetime import UTC, datetime
from functools import cache, partial
from time import monotonic

from ddns_updater.app import factories
from ddns_updater.dns.records import record_sets
from ddns_updater.errors import SettingsError, Stopped
from ddns_updater.history.keepalive import KeepAliveHistory
from ddns_updater.lib.deadline import run_limit, time_limit
from ddns_updater.model import (
    FamilyResult,
    Outcome,
    RunResult,
)
from ddns_updater.output.run import run_lines
from ddns_updater.run.publisher import Policy, Publisher
from ddns_updater.run.report import Reporter
from ddns_updater.run.updater import Plan, Updater
from ddns_updater.run.verifier import Verifier
from ddns_updater.settings.settings import Settings
from ddns_updater.state.file import StateFile

_TELLING = 10.0  # seconds of a run that are kept for telling of it, a quarter of it at most


class Runner:
    """One run after the other of the same settings; what is costly to make is made once."""

    def __init__(
        self, settings: Settings, *, name: str | None = None, dry_run: bool = False, stoppable: bool = True
    ) -> None:
        """Take the settings; runs that are not `stoppable` leave SIGTERM and SIGINT to the caller."""
        self._settings = settings
        self._given = name or settings.name
        self._stoppable = stoppable
        self._sources = factories.sources(settings)
        self._authority = factories.authority(settings)
        self._history = KeepAliveHistory(partial(factories.open_history, settings))
        destinations = factories.destinations(settings)
        self._reporter = Reporter(
            StateFile(settings.state_folder, settings.database.identity),
            destinations,
            alert_after=settings.alert_after,
            limit=time_limit,
        )
        heard = not dry_run and bool(destinations.keys or destinations.ping)
        self._to_tell = min(_TELLING, settings.run_timeout / 4) if heard else 0
        wanted = record_sets(settings.records, settings.ip_families)
        self._plan = Plan(
            name=self._given,
            families=settings.ip_families,
            records=tuple(wanted),
            run_timeout=settings.run_timeout - self._to_tell,
            agreement=settings.ip_agreement,
            dry_run=dry_run,
        )
        self._policy = Policy(
            ttl=settings.ttl,
            recheck_every=settings.recheck_every,
            on_drift=settings.on_drift,
            hosted_zone_ids=settings.hosted_zone_ids,
            pins={record: zone_id for record, zone_id in wanted.items() if zone_id},
        )

    def run(self) -> RunResult:
        """Do one run, and what follows it within the run's time; raises SettingsError, and what is a fault of ours."""
        end = monotonic() + self._settings.run_timeout
        try:
            result = self._updater().run()
        except SettingsError:
            self._history.close()
            raise
        except Exception as error:
            self._history.close()
            fault = f"ddns met a fault of its own: {type(error).__name__}; see its traceback, and report it"
            if not self._plan.dry_run:
                self._follow(self._failure(fault), end)
            raise
        if not result.outcome.is_good:  # it may have been cut off in the middle of a statement, or be the wrong server
            self._history.close()
        return result if self._plan.dry_run else self._follow(result, end)

    def close(self) -> None:
        """Give back what is kept between the runs."""
        self._history.close()

    def _updater(self) -> Updater:
        open_dns = cache(partial(factories.open_dns, self._settings))  # when it is first needed, once a run
        return Updater(
            self._plan,
            sources=self._sources,
            open_history=self._history.open,
            publisher=Publisher(self._policy, open_dns),
            verifier=Verifier(open_dns, timeout=self._settings.verify_timeout, authority=self._authority),
            whole_run=partial(self._limit, self._plan.run_timeout, self._cut_off),
            limit=time_limit,
        )

    def _follow(self, result: RunResult, end: float) -> RunResult:
        """Return `result` with the warnings of the phase report."""
        seconds = max(end - monotonic(), 0.1)
        to_tell = seconds - min(1.5, seconds / 3)  # it ends by itself before the run's limit ends it
        warnings: list[str] = []
        try:
            with self._limit(seconds) if self._to_tell else nullcontext():  # the diary has a limit of its own
                self._tell(result, to_tell, warnings)
        except Stopped as error:
            warnings.append(f"not everybody was told how the run ended: {error}")
        return result._replace(warnings=tuple(warnings))

    def _cut_off(self, error: str) -> None:
        """Follow up on a run that nothing but the end of the process can stop; it ends when this returns."""
        if not self._plan.dry_run:
            self._tell(self._failure(error), self._to_tell, [])

    def _failure(self, error: str) -> RunResult:
        """Return the result of a run that came to no result of its own."""
        results = tuple(FamilyResult(family, Outcome.FAILED, error=error) for family in self._plan.families)
        return RunResult(self._given, results)

    def _tell(self, result: RunResult, seconds: float, warnings: list[str]) -> None:
        line = " / ".join(line for _, line in run_lines(result))
        self._reporter.report(result, self._given, line, seconds, warnings, datetime.now(UTC))

    def _limit(self, seconds: float, last: Callable[[str], None] | None = None) -> run_limit:
        setting = f"DDNS_RUN_TIMEOUT={self._settings.run_timeout}"
        return run_limit(seconds, setting, stoppable=self._stoppable, last=last, grace=self._to_tell)


def run_once(settings: Settings, *, name: str | None = None, dry_run: bool = False) -> RunResult:
    """Do one run and tell of it; raises SettingsError for what has to be mended first, and nothing else of our tree."""
    with closing(Runner(settings, name=name, dry_run=dry_run)) as runs:
        return runs.run()
