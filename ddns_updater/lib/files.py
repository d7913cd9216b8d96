"""Paths as operators write them; files that are replaced at once, so that a reader never sees half of one; locks."""

import fcntl
import os
import select
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from errno import EDQUOT, EFBIG, ENOSPC, ETIMEDOUT
from pathlib import Path

from ddns_updater.errors import InvalidValue
from ddns_updater.lib.trust import open_own

_LONGEST = 65_536  # bytes of a file with a setting
_PIPE_SECONDS = 10
NO_ROOM = (ENOSPC, EDQUOT, EFBIG)  # errno of a write for which there is no room


def named_path(text: str) -> Path:
    """Return the path that `text` names, in which a leading `~` is a home folder; raises InvalidValue."""
    try:
        path = os.path.expanduser(text)  # noqa: PTH111 - the other one takes a relative HOME for a folder
    except ValueError:  # the name of the user holds a null character
        path = text
    if text.startswith("~") and not path.startswith("/"):
        raise InvalidValue("begins with the home folder of an unknown user", "write the full path")
    return Path(path)


def replace_file(path: Path, content: bytes, mode: int) -> None:
    """Replace the file at `path` with `content` and permissions `mode`; on OSError the old file is unchanged.

    The new file is written beside the old one, by one process at a time; the remains of a killed process are
    overwritten, but nothing that another user put there: that raises Distrusted. Nothing is synced to the disk: after
    a power loss the file may be empty.
    """
    beside = path.with_name(f".{path.name}.new")
    with _held(beside) as descriptor:
        try:
            os.ftruncate(descriptor, 0)
            os.fchmod(descriptor, mode)
            with open(descriptor, "wb", closefd=False) as file:
                file.write(content)
            beside.replace(path)
        except BaseException:
            with suppress(OSError):
                beside.unlink()
            raise


@contextmanager
def _held(path: Path) -> Iterator[int]:
    """Open and lock the file at `path`; start again when it was renamed or removed while waiting for the lock.

    A file with a second name is removed: another user can link a file of ours to this place, to have it overwritten.
    """
    while True:
        descriptor = open_own(path)
        with flocked(descriptor, wait=True):
            if not is_at(descriptor, path):
                continue
            if os.fstat(descriptor).st_nlink == 1:
                yield descriptor
                return
            path.unlink()


def is_at(descriptor: int, path: Path) -> bool:
    """Return whether an open file is still the one at `path`."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.lstat())
    except FileNotFoundError:
        return False


def read_given(path: Path) -> str:
    """Return the text of a file or pipe that the operator names, without white space around it.

    A pipe has ten seconds for each part. Raises OSError, also for one that is too long, and ValueError for one that is
    not UTF-8.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # does not wait for who writes a named pipe
    try:
        content = b""
        while len(content) <= _LONGEST:
            if not select.select([descriptor], [], [], _PIPE_SECONDS)[0]:
                raise OSError(ETIMEDOUT, "nobody writes to that pipe")
            piece = os.read(descriptor, _LONGEST)
            if not piece:
                return content.decode("utf-8-sig").strip()
            content += piece
    finally:
        os.close(descriptor)
    raise OSError(EFBIG, "it is too long for a setting")


@contextmanager
def flocked(descriptor: int, *, wait: bool) -> Iterator[bool]:
    """Hold the kernel's lock on an open file and close the file at the end; yield False when the lock is taken.

    The kernel releases the lock when the process ends. The file stays, because removing it would allow a race.
    """
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            taken = True
        except BlockingIOError:
            taken = False
        yield taken
    finally:
        os.close(descriptor)
