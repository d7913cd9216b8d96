"""Files that are replaced as a whole, so that a reader and a kill find the old one or the new one."""

import os
from contextlib import suppress
from pathlib import Path


def replace_file(path: Path, content: bytes, mode: int) -> None:
    """Put `content` at `path`, with the permissions `mode`; raises OSError, which leaves what was there.

    It is written beside it under one name, so only one process may do so at a time; what a killed one left is
    overwritten. Nothing is forced to the disk: after a loss of power the file may be empty.
    """
    beside = path.with_name(f".{path.name}.new")
    try:
        with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600), "wb") as file:  # noqa: PTH123 - of a descriptor
            os.fchmod(file.fileno(), mode)
            file.write(content)
        beside.replace(path)
    except BaseException:
        with suppress(OSError):
            beside.unlink()
        raise
