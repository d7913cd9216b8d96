"""Another user of this machine, who may do harm."""

import os
import subprocess
from pathlib import Path

import pytest

NOBODY = 65534
_AS_NOBODY = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "sh", "-c")


def plant(folder: Path, script: str) -> None:
    """Run a shell script in `folder` as another user; only root can."""
    subprocess.run([*_AS_NOBODY, script], cwd=folder, check=True, timeout=10)


def everybody(folder: Path, mode: int = 0o1777) -> Path:
    """Make a folder in which every user may create files."""
    folder.mkdir(parents=True)
    folder.chmod(mode)
    return folder


def give_away(path: Path, patch: pytest.MonkeyPatch) -> None:
    """Make the file one of another user: root can give it away, and for anybody else this process is another user."""
    if os.geteuid() == 0:
        os.chown(path, NOBODY, NOBODY, follow_symlinks=False)
    else:
        patch.setattr(os, "geteuid", lambda: os.getuid() + 1)
