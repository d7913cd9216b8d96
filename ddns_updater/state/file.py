"""What this machine remembers of its runs, in a file that does without the database, for that may be what is down.

One file holds all origins of one database: how each stands, and what is still to be told. It is read, changed and
replaced under a lock, which is held for a moment only; another lock is held by the run that tells, so that one alert
is sent once. A kill before the file is replaced loses this run's part of the count, one after it loses nothing.
"""

import hashlib
import json
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ddns_updater.errors import StateError
from ddns_updater.history.url import MySqlUrl, SqliteUrl
from ddns_updater.lib.files import NO_ROOM, flocked, replace_file
from ddns_updater.state.content import FORMAT, MALFORMED, PROGRAM, StateContent, content_text, parse_content

_HEAD = b'{"program": "ddns-updater"'  # how every file of ours begins
_LARGEST = 16_000_000  # bytes; it holds a few thousand
_ABLE = {"read": "readable", "write": "writable"}


class StateFile:
    """The diary of one database, in a folder that is made when it is first written to."""

    def __init__(self, folder: Path, database: MySqlUrl | SqliteUrl) -> None:
        """Take the folder, and the database whose origins it is about."""
        if isinstance(database, SqliteUrl):
            place = f"sqlite:{os.path.realpath(database.path)}"
        else:
            place = f"mysql:{database.host}:{database.port}/{database.database}"
        self.path = folder / f"runs-{hashlib.sha256(os.fsencode(place)).hexdigest()[:12]}.json"

    def read(self) -> StateContent:
        """Return what is written, without waiting for anybody; raises StateError when it cannot be read."""
        with self._errors("read"):
            return self._load()

    @contextmanager
    def write(self, then: Callable[[], object] = lambda: None) -> Iterator[StateContent]:
        """Give what is written, and write what was made of it; raises StateError when that cannot be done.

        `then` is called when that is done or has failed, before anybody else may write.
        """
        with self._errors("write"), self._locked("lock", wait=True):
            page = self._load()
            yield page
            try:
                replace_file(self.path, content_text(page).encode(), 0o600)
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
        with flocked(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600), wait=wait) as taken:
            yield taken

    @contextmanager
    def _errors(self, doing: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            mend = "make room for it" if error.errno in NO_ROOM else f"make it {_ABLE[doing]}, or set DDNS_STATE_FOLDER"
            raise StateError(f"failed to {doing} {self.path}: {error.strerror or error}; {mend}") from error

    def _load(self) -> StateContent:
        try:
            file = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK)  # which waits for nobody at a named pipe
        except FileNotFoundError:
            return StateContent()
        foreign = StateError(f"{self.path} is not a file of ddns-updater; move it away, or set DDNS_STATE_FOLDER")
        try:
            if not stat.S_ISREG(os.fstat(file).st_mode):
                raise foreign
            with open(file, "rb", closefd=False) as stream:
                raw = stream.read(_LARGEST + 1)
        finally:
            os.close(file)
        if len(raw) > _LARGEST:
            raise foreign
        try:
            content = json.loads(raw)
        except (ValueError, RecursionError):
            if not _is_a_piece(raw):
                raise foreign from None
            return StateContent(warnings=[self._begun_anew()])
        if not isinstance(content, dict) or content.get("program") != PROGRAM:
            raise foreign
        if content.get("format") != FORMAT:
            raise StateError(f"{self.path} was written by another version of ddns-updater; upgrade, or move it away")
        try:
            return parse_content(content)
        except MALFORMED:
            return StateContent(warnings=[self._begun_anew()])

    def _begun_anew(self) -> str:
        return f"{self.path} is damaged, so the runs are counted anew; an open incident is forgotten"


def _is_a_piece(raw: bytes) -> bool:
    """Return whether a file that cannot be read was ours: it begins like one, or a loss of power emptied it."""
    left = raw.rstrip(b"\0")
    return left.startswith(_HEAD) or _HEAD.startswith(left)
