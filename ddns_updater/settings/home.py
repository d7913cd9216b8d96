"""The per-user folder of this program, which lies in the home folder."""

import os
import sys
from pathlib import Path
from typing import NamedTuple

from ddns_updater.errors import SettingsError

APP_NAME = "ddns-updater"
_NOWHERE = Path(os.devnull) / APP_NAME  # below a device there is no folder, and none can be made


class UserFolder(NamedTuple):
    """The per-user folder, which may not exist; with a `problem` it is a path at which nothing can exist.

    `note` is what to know about a folder that was not chosen by the environment.
    """

    path: Path
    problem: SettingsError | None = None
    note: SettingsError | None = None


def forget_empty_home() -> None:
    """Remove an empty `HOME` from the environment: to this program and the SDK, `~/file` would be `/file`."""
    if os.environ.get("HOME") == "":
        del os.environ["HOME"]


def user_folder() -> UserFolder:
    """Return the folder that `XDG_CONFIG_HOME` or `HOME` leads to, as the platform has it.

    An empty `XDG_CONFIG_HOME` counts as unset (https://specifications.freedesktop.org/basedir-spec/latest/). Without
    `HOME`, the home folder is that of the user database.
    """
    is_mac = sys.platform == "darwin"
    if (config := os.environ.get("XDG_CONFIG_HOME")) and not is_mac:
        return _in("XDG_CONFIG_HOME", config, Path(config) / APP_NAME)
    place = Path("Library", "Application Support", APP_NAME) if is_mac else Path(".config", APP_NAME)
    if home := os.environ.get("HOME"):
        return _in("HOME", home, Path(home) / place)
    home = os.path.expanduser("~")  # noqa: PTH111 - it never raises
    if not Path(home).is_absolute():
        problem = "HOME is not set, so there is no folder for the settings, the database and the state of the runs"
        return UserFolder(_NOWHERE, SettingsError(problem, "set HOME to the home folder of the user who runs ddns"))
    path = Path(home) / place
    note = SettingsError(f"HOME is not set, so the per-user folder is {path}", "set HOME if it should be another")
    return UserFolder(path, note=note)


def _in(variable: str, value: str, path: Path) -> UserFolder:
    if path.is_absolute():
        return UserFolder(path)
    problem = SettingsError(f"{variable}={value!r} is not a full path", "set it to one, or remove it")
    return UserFolder(_NOWHERE, problem)
