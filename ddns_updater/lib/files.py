"""Files that are replaced as a whole, so that a reader and a kill find the old one or the new one, and their locks."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from errno import EDQUOT, EFBIG, ENOSPC
from pathlib import Path

NO_ROOM = (ENOSPC, EDQUOT, EFBIG)  # the errors of a write for which there is no room


def replace_file(path: Path, content: bytes, mode: int) -> None:
    """Put `content` at `path`, with the permissions `mode`; raises OSError, which leaves what was there.

    It is written beside it under one name, by one process after the other; what a killed one left is overwritten.
    Nothing is forced to the disk: after a loss of power the file may be empty.
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
    """Open the file at `path` for this process alone; one that got another name or none while waiting is another's."""
    while True:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if _is_at(descriptor, path):
                yield descriptor
                return
        finally:
            os.close(descriptor)


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.lstat())
    except FileNotFoundError:
        return False


@contextmanager
def flocked(descriptor: int, *, wait: bool) -> Iterator[bool]:
    """Hold the kernel's lock on an open file, and close it in the end; False when somebody has it.

    The kernel drops it when the process ends; the file stays, for removing it would open a race.
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
