"""The phases detect and confirm: the public address of the line, and whether a second source confirms it."""

import logging
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ddns_updater.errors import Disagreement, NotRunning, SourceError
from ddns_updater.lib.deadline import Deadline, Limit
from ddns_updater.model import Address, Agreement, Family
from ddns_updater.run.ports import AddressSource

log = logging.getLogger(__name__)

_SHORTEST_SHARE = 0.1  # seconds for one source, so that each is asked whatever the one before took


class Detected(NamedTuple):
    """An address, and the source that gave it."""

    address: Address
    source: str
    host: str
    needs_confirmation: bool = True

    def __str__(self) -> str:
        return f"{self.source} says {self.address}"


class Detection:
    """Asks the sources in turn for one address family, each for its share of the time that is left."""

    def __init__(
        self,
        sources: Sequence[AddressSource],
        family: Family,
        deadline: Deadline,
        limit: Limit,
        then: str = "the next run asks again",
    ) -> None:
        self._waiting = list(sources)
        self._family = family
        self._deadline = deadline
        self._limit = limit
        self._then = then
        self._reasons: list[str] = []
        self._is_off = True  # until a source gives another reason

    def first(self) -> Detected:
        """Return the first answer.

        Raises SourceError with the reason of every source when there is none, NotRunning when that is the only reason.
        """
        found = next(self._answers(), None)
        if found:
            return found
        if self._is_off:
            raise NotRunning(f"{'; '.join(self._reasons)}, so nothing was changed")
        raise SourceError(f"no trustworthy {self._family} address, so nothing was changed: {'; '.join(self._reasons)}")

    def confirm(self, first: Detected, agreement: Agreement) -> tuple[Detected, str | None]:
        """Return the address that two sources on different hosts agree on, and a warning if none could confirm it.

        Asks sources until two agree, or one answers whose word needs no confirmation. Raises Disagreement when all were
        asked and no two agree.
        """
        if agreement is Agreement.OFF or not first.needs_confirmation:
            return first, None
        heard = [first]
        while self._waiting:
            self._waiting = [source for source in self._waiting if source.host not in {each.host for each in heard}]
            found = next(self._answers(), None)
            if found is None:
                break
            if not found.needs_confirmation or any(each.address == found.address for each in heard):
                return found, None
            heard.append(found)
        then = f"nothing was changed, {self._then}"
        if len(heard) > 1:
            raise Disagreement(" but ".join(map(str, heard)), then=then)
        reasons = "; ".join(self._reasons) or "no source on another host is configured"
        problem = f"{first}, but no second source confirms it ({reasons})"
        if agreement is Agreement.REQUIRED:
            raise Disagreement(problem, then=then)
        return first, problem

    def _answers(self) -> Iterator[Detected]:
        """Yield each answer, and note the reason of each source that gives none."""
        while self._waiting:
            share = max(self._deadline.share(len(self._waiting)), _SHORTEST_SHARE)
            source = self._waiting.pop(0)
            log.info("asking %s for the %s address, for at most %.1f s", source.name, self._family, share)
            try:
                with self._limit(share, SourceError(f"did not finish within its {round(share, 1):g} s")):
                    address = source.fetch(self._family)
            except SourceError as error:
                log.info("%s: %s", source.name, error)
                self._reasons.append(f"{source.name} {error}")
                self._is_off &= isinstance(error, NotRunning)
            else:
                log.info("%s says %s", source.name, address, extra={"facts": {"address": str(address)}})
                yield Detected(address, source.name, source.host, source.needs_confirmation)
