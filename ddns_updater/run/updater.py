"""The run: lock, detect, compare, confirm, record, publish, verify, report.

The rule that everything serves: a record is due not when the address changed but when the latest version is not yet
verified in DNS. Every phase can be cut off at any instant: what was not written is done again by the next run, and
what is done again does no harm. An unknown address changes nothing.
"""

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from typing import NamedTuple

from ddns_updater.errors import DdnsError, Disagreement, NotInitialised, SettingsError, Stopped, VersionTaken
from ddns_updater.lib.deadline import Limit, Monotonic
from ddns_updater.model import (
    Agreement,
    Family,
    FamilyResult,
    Journal,
    Origin,
    Outcome,
    PublicationState,
    Record,
    RunResult,
    same_address,
)
from ddns_updater.run.detection import Detected, Detection
from ddns_updater.run.journal import JournalWriter
from ddns_updater.run.origins import choose_origins, unseeded
from ddns_updater.run.ports import AddressSource, History
from ddns_updater.run.publisher import Publisher

log = logging.getLogger(__name__)

_LAST_WRITES = 5.0  # seconds of a run in which nothing is waited for any more: the re-read, the journal, the end


class Plan(NamedTuple):
    """What a run is asked to do; `run_timeout` in seconds."""

    name: str | None
    families: tuple[Family, ...]
    records: tuple[Record, ...]
    run_timeout: float
    agreement: Agreement = Agreement.PREFERRED
    dry_run: bool = False


@dataclass
class _FamilyRun:
    """What the run knows so far of the line in one address family; it runs on until it has an outcome."""

    family: Family
    detection: Detection | None = None
    found: Detected | None = None
    previous_ip: str | None = None
    recorded: bool = False
    journal: JournalWriter | None = None
    outcome: Outcome | None = None
    warnings: list[str] = field(default_factory=list)
    error: str | None = None

    def fail(self, error: DdnsError) -> None:
        self.outcome = Outcome.HELD if isinstance(error, Disagreement) else Outcome.FAILED
        self.error = str(error)


class Updater:
    """One run over the ports it is given."""

    def __init__(
        self,
        plan: Plan,
        *,
        sources: Sequence[AddressSource],
        open_history: Callable[[], AbstractContextManager[History]],
        publisher: Publisher,
        whole_run: Callable[[], AbstractContextManager[None]],
        limit: Limit,
        monotonic: Monotonic = time.monotonic,
    ) -> None:
        """Take the ports; `whole_run` bounds the run and raises Stopped, `limit` a block and raises its error."""
        self._plan = plan
        self._sources = sources
        self._open_history = open_history
        self._publisher = publisher
        self._whole_run = whole_run
        self._limit = limit
        self._monotonic = monotonic

    def run(self) -> RunResult:
        """Do one run and return what happened; raises only SettingsError."""
        end = self._monotonic() + self._plan.run_timeout
        lines = [_FamilyRun(family) for family in self._plan.families]
        name = self._plan.name
        try:
            with self._whole_run(), self._open_history() as history, ExitStack() as locks:
                origins = choose_origins(history.origins, name)
                name = next(iter(origins.values())).name
                for line in lines:
                    self._begin(line, history, name, origins.get(line.family), locks)
                if not self._plan.dry_run:
                    self._verify([line for line in lines if line.outcome is None], end)
        except SettingsError:
            raise
        except DdnsError as error:
            for line in lines:
                if line.outcome is None:
                    line.fail(error)
        return RunResult(name, tuple(self._report(line) for line in lines), self._plan.dry_run)

    def _begin(self, line: _FamilyRun, history: History, name: str, origin: Origin | None, locks: ExitStack) -> None:
        """Go through the phases up to publish; what fails in one family does not hold back another."""
        try:
            if origin is None:
                raise NotInitialised(unseeded(name, line.family))
            if not locks.enter_context(history.lock(str(origin.id))):
                line.outcome = Outcome.SKIPPED
                return
            self._detect(line)
            journal = self._compare(line, history, origin)
            self._confirm(line, journal)
            journal = self._record(line, history, origin, journal)
            self._publish(line, history, journal)
        except VersionTaken as error:
            log.info("%s", error)
            line.outcome = Outcome.SKIPPED
        except (Stopped, SettingsError):
            raise
        except DdnsError as error:
            line.fail(error)

    def _detect(self, line: _FamilyRun) -> None:
        """Ask the sources in turn; together they get half of the run, so that there is time to publish."""
        seconds = self._plan.run_timeout / 2 / len(self._plan.families)
        line.detection = Detection(self._sources, line.family, seconds, self._limit, self._monotonic)
        line.found = line.detection.first()

    def _compare(self, line: _FamilyRun, history: History, origin: Origin) -> Journal:
        journal = history.latest(origin)
        line.journal = self._journal(history, journal)
        line.previous_ip = journal.version.ip
        log.info("the latest version of %s is %d, %s", origin.name, journal.version.version, journal.version.ip)
        return journal

    def _confirm(self, line: _FamilyRun, journal: Journal) -> None:
        """Have a second source say the same before a change is believed; a quiet run does not ask."""
        if line.detection and line.found and not same_address(journal.version.ip, str(line.found.address)):
            line.found, warning = line.detection.confirm(line.found, self._plan.agreement)
            line.warnings += [warning] if warning else []

    def _record(self, line: _FamilyRun, history: History, origin: Origin, journal: Journal) -> Journal:
        """Append a version when the address is not that of the latest one."""
        if line.found is None or same_address(journal.version.ip, str(line.found.address)):
            return journal
        ip = str(line.found.address)
        if self._plan.dry_run:
            version = journal.version._replace(version=journal.version.version + 1, ip=ip)
            journal = Journal(version, (), journal.read_at)
        else:
            journal = history.append(origin, journal.version, ip)
        line.recorded = True
        return journal

    def _publish(self, line: _FamilyRun, history: History, journal: Journal) -> None:
        line.journal = self._journal(history, journal)
        self._publisher.publish(line.journal, self._records(line))

    def _verify(self, lines: Sequence[_FamilyRun], end: float) -> None:
        self._publisher.verify(
            [(line.journal, self._records(line)) for line in lines if line.journal], end - _LAST_WRITES
        )

    def _report(self, line: _FamilyRun) -> FamilyResult:
        """Return the result of `line`, its outcome from the states of its publications where it got that far."""
        journal = line.journal
        publications = tuple(journal.get(record) for record in self._records(line)) if journal else ()
        errors = [each.error for each in publications if each.error]
        states = {each.state for each in publications}
        if line.outcome:
            outcome = line.outcome
        elif errors or PublicationState.FAILED in states:
            outcome = Outcome.FAILED
        elif PublicationState.SUBMITTED in states or (PublicationState.PENDING in states and not self._plan.dry_run):
            outcome = Outcome.PENDING
        elif line.recorded or (journal and journal.touched):
            outcome = Outcome.UPDATED
        else:
            outcome = Outcome.UNCHANGED
        found = None if outcome is Outcome.HELD else line.found  # what is in doubt is not given out as the address
        return FamilyResult(
            family=line.family,
            outcome=outcome,
            address=str(found.address) if found else None,
            previous_address=line.previous_ip,
            version=journal.version.version if journal else None,
            since=journal.version.created_at if journal else None,
            source=found.source if found else None,
            recorded=line.recorded,
            publications=publications,
            warnings=(*line.warnings, *(journal.warnings if journal else ())),
            error=line.error or (_summary(errors) if errors else None),
        )

    def _journal(self, history: History, journal: Journal) -> JournalWriter:
        return JournalWriter(history, journal, self._monotonic, dry_run=self._plan.dry_run)

    def _records(self, line: _FamilyRun) -> list[Record]:
        return [record for record in self._plan.records if record.type == line.family.record_type]


def _summary(errors: Sequence[str]) -> str:
    shown = list(dict.fromkeys(errors))
    more = f" (and {len(shown) - 3} more)" if len(shown) > 3 else ""
    return " | ".join(shown[:3]) + more
