"""The state file: what this machine remembers of its runs, outside the database, because that can be what is down.

One file holds all origins of one database: their run states and the outbox of undelivered alerts. A server has a file
of its own for its sweeps. It is read, changed and replaced under a lock that is held only briefly; the run that sends
alerts holds another lock, so that each alert is sent once. A kill before the file is replaced loses the count of this
run, a kill after it loses nothing.
"""

import hashlib
import json
import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from ddns_updater.errors import StateError
from ddns_updater.lib.files import NO_ROOM, flocked, replace_file
from ddns_updater.lib.trust import Distrusted, check_path, make_folder, open_own
from ddns_updater.state.content import PROGRAM, StateContent, content_of, content_text, damage

_HEAD = b'{"program": "ddns-updater"'  # the start of every state file
_LARGEST = 16_000_000  # bytes; it holds a few thousand
_ABLE = {"read": "readable", "write": "writable"}


class StateFile:
    """The state file of one database, in a folder that is created at the first write."""

    is_in_database = False

    def __init__(self, folder: Path, database: str, *, of: str = "run") -> None:
        """Take the folder, what tells the database from others, and of what the file remembers many."""
        self._of = of
        self.path = folder / f"{of}s-{hashlib.sha256(os.fsencode(database)).hexdigest()[:12]}.json"

    @property
    def place(self) -> str:
        """Return the path of the file."""
        return str(self.path)

    @property
    def busy(self) -> StateError:
        """Return the error of a use that takes too long."""
        return StateError(
            f"failed to write {self.path}: another program holds its lock", "find that program and end it"
        )

    def read(self) -> StateContent:
        """Return the content without waiting for a lock; raises StateError if it cannot be read."""
        with self._errors("read"):
            return self._load()

    @contextmanager
    def locked(self) -> Iterator[StateContent]:
        """Wait for the lock of the file, and yield the content that it has until `replace`; raises StateError."""
        with ExitStack() as stack:
            with self._errors("write"):
                stack.enter_context(self._lock("lock", wait=True))
                content = self._load()
            yield content

    def replace(self, content: StateContent) -> None:
        """Write `content`, which `locked` gave, inside its block; raises StateError and leaves the file as it was."""
        with self._errors("write"):
            replace_file(self.path, content_text(content).encode(), 0o600)

    @contextmanager
    def sending(self) -> Iterator[bool]:
        """Take the lock for sending alerts; False when another run holds it."""
        with ExitStack() as stack:
            with self._errors("write"):
                taken = stack.enter_context(self._lock("telling", wait=False))  # the name that earlier versions use
            yield taken

    @contextmanager
    def _lock(self, kind: str, *, wait: bool) -> Iterator[bool]:
        make_folder(self.path.parent)
        with flocked(open_own(self.path.with_suffix(f".{kind}")), wait=wait) as taken:
            yield taken

    @contextmanager
    def _errors(self, doing: str) -> Iterator[None]:
        try:
            yield
        except Distrusted as error:
            raise StateError(f"cannot use {self.path}: {error.problem}", error.advice) from error
        except OSError as error:
            advice = (
                "make room for it" if error.errno in NO_ROOM else f"make it {_ABLE[doing]}, or set DDNS_STATE_FOLDER"
            )
            raise StateError(f"failed to {doing} {self.path}: {error.strerror or error}", advice) from error

    def _load(self) -> StateContent:
        try:
            check_path(self.path)
            file = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK)  # does not block on a named pipe
        except FileNotFoundError:
            return StateContent()
        foreign = StateError(f"{self.path} is not a file of ddns-updater", "move it away, or set DDNS_STATE_FOLDER")
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
            loaded = json.loads(raw)
        except (ValueError, RecursionError):
            if not _is_truncated(raw):
                raise foreign from None
            return StateContent(damage=damage(self.place, self._of))
        if not isinstance(loaded, dict) or loaded.get("program") != PROGRAM:
            raise foreign
        return content_of(loaded, self.place, self._of, "upgrade, or move it away")


def _is_truncated(raw: bytes) -> bool:
    """Return whether an unreadable file was a state file: it starts like one, or a power loss emptied it."""
    left = raw.rstrip(b"\0")
    return left.startswith(_HEAD) or _HEAD.startswith(left)
