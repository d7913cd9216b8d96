"""What this machine remembers of its runs, in a file that does without the database, for that may be what is down.

One file holds all origins of one database: how each stands, and what is still to be told. It is read, changed and
replaced under a lock, which is held for a moment only; another lock is held by the run that tells, so that one alert
is sent once. A kill before the file is replaced loses this run's part of the count, one after it loses nothing.
"""

import fcntl
import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ddns_updater.database_url import MySqlUrl, SqliteUrl
from ddns_updater.errors import StateError
from ddns_updater.files import replace_file
from ddns_updater.model import Family, Incident, Outcome
from ddns_updater.standing import Standing, Told

_PROGRAM, _FORMAT = "ddns-updater", 1
_LARGEST = 1_000_000  # bytes; it holds a few thousand
_UNNAMED = ""  # the origin of a run that had no name and could not look it up


@dataclass
class Page:
    """The open diary: what is changed here is written at the end of the block.

    `outbox` has what is still to be told, as JSON values; `warnings` what was found wrong with the file.
    """

    default: str | None = None
    origins: dict[str, Standing] = field(default_factory=dict)
    outbox: list[dict[str, Any]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def name_of(self, given: str | None, resolved: str | None) -> str:
        """Return the name under which a run is kept, which was `given` one or none, and found out `resolved` or not.

        While the database is down, the only origin there is goes by the name it had when it was last looked up.
        """
        if resolved is None:
            return given or self.default or _UNNAMED
        if given is None:
            self.default = resolved
        if _UNNAMED in self.origins:
            unnamed = self.origins.pop(_UNNAMED)
            self.origins.setdefault(resolved, unnamed)
        return resolved


class Diary:
    """The diary of one database, in a folder that is made when it is first written to."""

    def __init__(self, folder: Path, database: MySqlUrl | SqliteUrl) -> None:
        """Take the folder, and the database whose origins it is about."""
        if isinstance(database, SqliteUrl):
            place = f"sqlite:{os.path.realpath(database.path)}"
        else:
            place = f"mysql:{database.host}:{database.port}/{database.database}"
        self.path = folder / f"runs-{hashlib.sha256(place.encode()).hexdigest()[:12]}.json"

    def read(self) -> Page:
        """Return what is written, without waiting for anybody; raises StateError when it cannot be read."""
        with self._errors("read"):
            return self._load()

    @contextmanager
    def write(self, then: Callable[[], object] = lambda: None) -> Iterator[Page]:
        """Give what is written, and write what was made of it; raises StateError when that cannot be done.

        `then` is called when that is done or has failed, before anybody else may write.
        """
        with self._errors("write"), self._locked("lock", wait=True):
            page = self._load()
            yield page
            try:
                replace_file(self.path, _text(page).encode(), 0o600)
            finally:
                then()

    @contextmanager
    def telling(self) -> Iterator[bool]:
        """Take the right to tell what is in the outbox; False when another run has it."""
        with self._errors("write"), self._locked("telling", wait=False) as taken:
            yield taken

    @contextmanager
    def _locked(self, kind: str, *, wait: bool) -> Iterator[bool]:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self.path.with_suffix(f".{kind}")
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)  # it stays: removing it would open a race
        try:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
                taken = True
            except BlockingIOError:
                taken = False
            yield taken
        finally:
            os.close(file)

    @contextmanager
    def _errors(self, doing: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StateError(
                f"failed to {doing} {self.path}: {error.strerror or error}; make it writable, or set DDNS_STATE_FOLDER"
            ) from error

    def _load(self) -> Page:
        try:
            with self.path.open("rb") as file:
                raw = file.read(_LARGEST + 1)
        except FileNotFoundError:
            return Page()
        try:
            content = json.loads(raw)
        except (ValueError, RecursionError):
            return Page(warnings=[self._begun_anew()])
        if not isinstance(content, dict) or content.get("program") != _PROGRAM or len(raw) > _LARGEST:
            raise StateError(f"{self.path} is not a file of ddns-updater; move it away, or set DDNS_STATE_FOLDER")
        if content.get("format") != _FORMAT:
            raise StateError(f"{self.path} was written by another version of ddns-updater; upgrade, or move it away")
        try:
            return _page(content)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
            return Page(warnings=[self._begun_anew()])

    def _begun_anew(self) -> str:
        return f"{self.path} is damaged, so the runs are counted anew; an open incident is forgotten"


def _text(page: Page) -> str:
    return json.dumps(
        {
            "program": _PROGRAM,
            "format": _FORMAT,
            "default": page.default,
            "origins": {name: _standing_json(standing) for name, standing in page.origins.items()},
            "outbox": page.outbox,
        }
    )


def _page(content: Mapping[str, Any]) -> Page:
    origins = {str(name): _standing(each) for name, each in content["origins"].items()}
    outbox = [dict(each) for each in content["outbox"]]
    return Page(content["default"], origins, outbox)


def _standing_json(standing: Standing) -> dict[str, Any]:
    incident = standing.incident
    return {
        "runs": standing.runs,
        "recent": [_epoch(each) for each in standing.recent],
        "outcome": standing.outcome,
        "error": standing.error,
        "last_success": _epoch(standing.last_success),
        "incident": incident
        and {**incident._asdict(), "since": _epoch(incident.since), "told_at": _epoch(incident.told_at)},
        "told": {
            family: {**told._asdict(), "drift_at": _epoch(told.drift_at)} for family, told in standing.told.items()
        },
        "seen": {record: [address, _epoch(at)] for record, (address, at) in standing.seen.items()},
    }


def _standing(content: Mapping[str, Any]) -> Standing:
    incident = content["incident"]
    return Standing(
        runs={Outcome(outcome): int(number) for outcome, number in content["runs"].items()},
        recent=tuple(_instant(each) for each in content["recent"]),
        outcome=content["outcome"] and Outcome(content["outcome"]),
        error=content["error"],
        last_success=_time(content["last_success"]),
        incident=incident
        and Incident(
            _instant(incident["since"]),
            int(incident["failed_runs"]),
            str(incident["cause"]),
            int(incident["told"]),
            _time(incident["told_at"]),
        ),
        told={
            Family(family): Told(int(told["version"]), str(told["address"]), _time(told["drift_at"]))
            for family, told in content["told"].items()
        },
        seen={str(record): (str(address), _instant(at)) for record, (address, at) in content["seen"].items()},
    )


def _epoch(time: datetime | None) -> float | None:
    return None if time is None else time.timestamp()


def _instant(epoch: float) -> datetime:
    return datetime.fromtimestamp(epoch, UTC)


def _time(epoch: float | None) -> datetime | None:
    return None if epoch is None else _instant(epoch)
