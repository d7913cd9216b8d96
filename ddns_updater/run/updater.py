"""The run: lock, detect, compare, confirm, record, publish, verify. The report phase follows, in report.py.

The rule behind it all: a record is due until the latest version is verified in DNS, however long ago the address
changed. Any phase can be cut off at any moment. The next run repeats what is missing, and repeating a step is safe.
An unknown address changes nothing. Neither does an origin that is off: what is due stays due, because the address may
be somebody else's meanwhile.

The lock ends with the database session. A run that loses its session begins again, once: it takes the lock anew and
reads everything again, so nothing is written or sent on the ground of what was read under the lost lock.
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from typing import NamedTuple

from ddns_updater.errors import (
    ConnectionLost,
    DdnsError,
    Disagreement,
    HistoryError,
    NotRunning,
    SettingsError,
    Stopped,
    VersionTaken,
)
from ddns_updater.lib.deadline import Deadline, Limit, Monotonic
from ddns_updater.model import (
    Address,
    Agreement,
    Family,
    FamilyResult,
    Journal,
    Origin,
    Outcome,
    Publication,
    PublicationState,
    Record,
    RunResult,
    Version,
)
from ddns_updater.run import timetable
from ddns_updater.run.detection import Detected, Detection
from ddns_updater.run.journal import JournalWriter
from ddns_updater.run.origins import choose_origins, misfit, unseeded
from ddns_updater.run.ports import AddressSource, History
from ddns_updater.run.publisher import Publisher
from ddns_updater.run.verifier import Verifier

log = logging.getLogger(__name__)


class Plan(NamedTuple):
    """What to do in a run; `run_timeout` in seconds. With `seeds` it creates the origin `name` when there is none."""

    name: str | None
    families: tuple[Family, ...]
    records: tuple[Record, ...]
    run_timeout: float
    agreement: Agreement = Agreement.PREFERRED
    dry_run: bool = False
    seeds: bool = False


class _FamilyRun:
    """The run of one address family so far; it goes on until it has an outcome."""

    def __init__(self, family: Family) -> None:
        self.family = family
        self.found: Detected | None = None
        self.previous_address: Address | None = None
        self.recorded = False
        self.touched = False  # before the run began again
        self.begun_at: int | None = None  # the latest version when it first read
        self.journal: JournalWriter | None = None
        self.outcome: Outcome | None = None
        self.warnings: list[str] = []
        self.error: str | None = None
        self.off: str | None = None

    def begin_again(self) -> None:
        """Forget what was read; what was done stays."""
        if self.journal:
            self.touched |= self.journal.touched
            self.warnings += self.journal.warnings
        self.found = self.journal = None

    def fail(self, error: DdnsError) -> None:
        if isinstance(error, NotRunning):
            self.outcome, self.off = Outcome.OFF, str(error)
            return
        self.outcome = Outcome.HELD if isinstance(error, Disagreement) else Outcome.FAILED
        self.error = str(error)


class Updater:
    """Does one run, over the ports it is given."""

    def __init__(
        self,
        plan: Plan,
        *,
        sources: Sequence[AddressSource],
        open_history: Callable[[], AbstractContextManager[History]],
        publisher: Publisher,
        verifier: Verifier,
        whole_run: Callable[[], AbstractContextManager[None]],
        limit: Limit,
        monotonic: Monotonic = time.monotonic,
    ) -> None:
        """Take the ports; `whole_run` limits the run and raises Stopped, `limit` limits one block."""
        self._plan = plan
        self._sources = sources
        self._open_history = open_history
        self._publisher = publisher
        self._verifier = verifier
        self._whole_run = whole_run
        self._limit = limit
        self._monotonic = monotonic

    def run(self) -> RunResult:
        """Do one run and return what happened; raises only SettingsError."""
        deadline = Deadline(self._plan.run_timeout, self._monotonic)
        runs = [_FamilyRun(family) for family in self._plan.families]
        name = self._plan.name
        warnings: list[str] = []
        try:
            with self._whole_run(), self._open_history() as history:
                for is_last in (False, True):
                    try:
                        origins = choose_origins(history, name, self._plan.families, or_none=self._plan.seeds)
                        name = next((each.name for each in origins.values()), name or "")
                        self._do(runs, history, name, origins, deadline)
                        break
                    except ConnectionLost as error:
                        if is_last or not _is_reconnected(history):
                            raise
                        warnings.append(str(ConnectionLost(error.problem, then="the run began again")))
                        for run in runs:
                            if run.outcome is None:
                                run.begin_again()
        except SettingsError:
            raise
        except DdnsError as error:
            for run in runs:
                if run.outcome is None:
                    run.fail(error)
        return RunResult(name, tuple(self._result(run) for run in runs), self._plan.dry_run, tuple(warnings))

    def _do(
        self,
        runs: Sequence[_FamilyRun],
        history: History,
        name: str,
        origins: Mapping[Family, Origin],
        deadline: Deadline,
    ) -> None:
        """Do the phases for the families that have no outcome yet."""
        seconds = timetable.detection_seconds(deadline.left(), len(runs))
        with ExitStack() as locks:
            for run in runs:
                if run.outcome is None:
                    self._run_family(run, history, name, origins.get(run.family), locks, seconds)
            if not self._plan.dry_run:
                self._verify([run for run in runs if run.outcome is None], deadline)

    def _run_family(
        self,
        run: _FamilyRun,
        history: History,
        name: str,
        origin: Origin | None,
        locks: ExitStack,
        detection_seconds: float,
    ) -> None:
        """Do the phases up to publish; a failure in one family does not stop the other."""
        try:
            if origin is None:
                origin = self._seed(run, history, name, detection_seconds)
            if not locks.enter_context(history.lock(origin)):
                log.info("another run of %s, %s, is in progress", origin.name, origin.family)
                run.outcome = Outcome.SKIPPED
                return
            detection, found = self._detect(run, detection_seconds)
            journal = self._compare(run, history, origin)
            if journal.version.address != found.address:
                found = self._confirm(run, detection, found)
                journal = self._append_version(run, history, origin, journal, found)
            self._publisher.publish([(journal, self._records_of(run))])
        except VersionTaken as error:
            log.info("%s", error)
            run.outcome = Outcome.SKIPPED
        except (ConnectionLost, Stopped, SettingsError):
            raise
        except DdnsError as error:
            run.fail(error)

    def _seed(self, run: _FamilyRun, history: History, name: str, seconds: float) -> Origin:
        """Create the origin that is missing, with an address that a second source confirmed."""
        if not self._plan.seeds:
            raise unseeded(name, run.family)
        detection, found = self._detect(run, seconds)
        found = self._confirm(run, detection, found)
        with history.lock_init() as is_locked:
            if not is_locked:
                raise VersionTaken(f"another run is creating the origin {name}")
            origins = choose_origins(history, name, self._plan.families, or_none=True)
            if run.family not in origins:
                run.begun_at = 0  # so that version 1 is what this run recorded, over no address
                return history.seed(name, run.family, found.address, None)
            return origins[run.family]

    def _detect(self, run: _FamilyRun, seconds: float) -> tuple[Detection, Detected]:
        detection = Detection(self._sources, run.family, Deadline(seconds, self._monotonic), self._limit)
        run.found = detection.first()
        return detection, run.found

    def _compare(self, run: _FamilyRun, history: History, origin: Origin) -> JournalWriter:
        latest = history.latest(origin)
        _log_version("the latest version", latest.version)
        if run.begun_at is None:
            run.begun_at, run.previous_address = latest.version.version, latest.version.address
        run.recorded |= latest.version.version > run.begun_at  # the answer may have been lost with the session
        wrong = misfit(latest.version, run.family)
        run.warnings += [wrong] if wrong else []
        run.journal = self._journal(history, origin, latest)
        return run.journal

    def _confirm(self, run: _FamilyRun, detection: Detection, first: Detected) -> Detected:
        """Ask a second source before a changed address is recorded; a run without a change does not ask."""
        run.found, warning = detection.confirm(first, self._plan.agreement)
        run.warnings += [warning] if warning else []
        return run.found

    def _append_version(
        self, run: _FamilyRun, history: History, origin: Origin, journal: JournalWriter, found: Detected
    ) -> JournalWriter:
        """Append a version with the address found; a confirmation can lead back to the latest one."""
        previous, address = journal.version, found.address
        if previous.address == address:
            return journal
        if self._plan.dry_run:
            history.examine(origin.name, [origin.family])
            version = previous._replace(version=previous.version + 1, ip=str(address), address=address)
            latest = Journal(version, (), journal.now())
        else:
            latest = history.append(origin, previous, address)
        _log_version("the next version" if self._plan.dry_run else "the recorded version", latest.version)
        run.recorded = True
        run.journal = self._journal(history, origin, latest)
        return run.journal

    def _verify(self, runs: Sequence[_FamilyRun], deadline: Deadline) -> None:
        journals = [(run.journal, self._records_of(run)) for run in runs if run.journal]
        self._verifier.verify(journals, timetable.verification(deadline))

    def _result(self, run: _FamilyRun) -> FamilyResult:
        """Return the result; where the run reached publish, its outcome follows from the states of the publications."""
        journal = run.journal
        publications = tuple(journal.get(record) for record in self._records_of(run)) if journal else ()
        errors = [] if run.outcome else [each.error for each in publications if each.error]
        outcome = run.outcome or self._outcome(run, publications)
        found = None if outcome is Outcome.HELD else run.found  # a doubtful address is not reported as the address
        return FamilyResult(
            family=run.family,
            outcome=outcome,
            address=found.address if found else None,
            previous_address=run.previous_address,
            version=journal.version.version if journal else None,
            since=journal.version.created_at if journal else None,
            source=found.source if found else None,
            recorded=run.recorded,
            publications=publications,
            warnings=tuple(dict.fromkeys([*run.warnings, *(journal.warnings if journal else ())])),
            error=run.error or (_summary(errors) if errors else None),
            off=run.off,
        )

    def _outcome(self, run: _FamilyRun, publications: Sequence[Publication]) -> Outcome:
        states = {each.state for each in publications}
        if PublicationState.FAILED in states or any(each.error for each in publications):
            return Outcome.FAILED
        if PublicationState.SUBMITTED in states or (PublicationState.PENDING in states and not self._plan.dry_run):
            return Outcome.PENDING
        touched = run.touched or (run.journal and run.journal.touched)
        return Outcome.UPDATED if run.recorded or touched else Outcome.UNCHANGED

    def _journal(self, history: History, origin: Origin, latest: Journal) -> JournalWriter:
        return JournalWriter(history, origin, latest, self._monotonic, dry_run=self._plan.dry_run)

    def _records_of(self, run: _FamilyRun) -> list[Record]:
        return [record for record in self._plan.records if record.type == run.family.record_type]


def _log_version(which: str, version: Version) -> None:
    facts = {"address": version.ip, "version": version.version}
    log.info("%s of %s is %d, %s", which, version.name, version.version, version.ip, extra={"facts": facts})


def _is_reconnected(history: History) -> bool:
    try:
        history.reconnect()
    except HistoryError as error:
        log.info("%s", error)
        return False
    return True


def _summary(errors: Sequence[str]) -> str:
    shown = list(dict.fromkeys(errors))
    more = f" (and {len(shown) - 3} more)" if len(shown) > 3 else ""
    return " | ".join(shown[:3]) + more
