"""The phase detect: which public address the line has, by the first source that gives one that can be trusted."""

import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol

from ddns_updater.errors import DdnsError, SourceError
from ddns_updater.model import Address, Family

log = logging.getLogger(__name__)

Limit = Callable[[float, DdnsError], AbstractContextManager[None]]


class AddressSource(Protocol):
    """Something that knows the public address; `name` is how it is called in messages, without secrets."""

    name: str

    def fetch(self, family: Family) -> Address:
        """Return the public address; raises SourceError when it cannot be trusted."""


class Detected(NamedTuple):
    """An address, and the name of the source that gave it."""

    address: Address
    source: str


def detect(
    sources: Sequence[AddressSource],
    family: Family,
    seconds: float,
    limit: Limit,
    monotonic: Callable[[], float],
) -> Detected:
    """Ask `sources` in turn for at most `seconds`, each for its share of what is left of them.

    Raises SourceError that names every source with its own reason when none gives an address that can be trusted.
    """
    end = monotonic() + seconds
    reasons = []
    for place, source in enumerate(sources):
        share = max((end - monotonic()) / (len(sources) - place), 0.1)
        try:
            with limit(share, SourceError(f"did not finish within its {round(share, 1):g} s")):
                address = source.fetch(family)
        except SourceError as error:
            log.info("%s: %s", source.name, error)
            reasons.append(f"{source.name} {error}")
        else:
            log.info("%s says %s", source.name, address)
            return Detected(address, source.name)
    raise SourceError(f"no trustworthy {family} address, so nothing was changed: {'; '.join(reasons)}")
