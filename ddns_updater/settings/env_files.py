"""The `.env` files: which of them are read, and who may have written what they set.

A source `command:` runs a program, and `AWS_…` variables choose an account. So a file counts only when nobody but this
user and root could write it. The one in the working directory may be another program's: it is read only when it sets a
variable of this program, and nothing about it is an error otherwise.
"""

import io
import os
import shlex
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from ddns_updater.errors import InvalidValue, SettingsError
from ddns_updater.lib.files import named_path
from ddns_updater.settings.home import user_folder, user_name
from ddns_updater.settings.variables import VARIABLES

_ABSENT, _EMPTY = "does not exist", "sets none"


class EnvFile(NamedTuple):
    """A settings file: what it sets, what cannot be read of it, and whether it is meant for this program."""

    path: Path
    texts: dict[str, str]
    problems: tuple[SettingsError, ...]
    is_ours: bool = True


class EnvFiles(NamedTuple):
    """The settings files in use, from the weakest to the strongest, the problems of all, and why one is ignored.

    `looked` are all paths where one was looked for, and what was found there if it sets nothing of this program.
    """

    used: tuple[EnvFile, ...]
    problems: tuple[SettingsError, ...]
    looked: Mapping[Path, str]
    ignored: SettingsError | None = None


def read_env_files(env_file: Path | None) -> EnvFiles:
    """Read `env_file`, or else the one of the per-user folder and the one of the working directory."""
    if env_file:
        return _read_required(env_file, option="--env-file ")
    found = _read_required(user_folder().path / ".env")
    try:
        here = Path.cwd() / ".env"
        if here in found.looked:
            return found
        exists = here.is_file()
    except OSError:  # the working directory was removed, or may not be searched
        return found
    local, ignored = _read_optional(here) if exists else (None, None)
    state = _ABSENT if not exists else "is ignored" if ignored else _EMPTY
    used, problems = ((local,), local.problems) if local else ((), ())
    return EnvFiles((*found.used, *used), (*found.problems, *problems), {here: state, **found.looked}, ignored)


def _read_required(path: Path, *, option: str = "") -> EnvFiles:
    """Read a file that is meant for this program; whatever is wrong with it is a problem."""
    try:
        path = named_path(str(path)).absolute()
    except InvalidValue as error:
        return EnvFiles((), (SettingsError(f"{option}{str(path)!r} {error.problem}", error.advice),), {path: _ABSENT})
    try:
        if not path.is_file():
            missing = SettingsError(f"{option}{str(path)!r} is not a file", "name an existing one")
            return EnvFiles((), (missing,) if option else (), {path: _ABSENT})
        content, status = _content(path)
    except OSError as error:
        problem = _unreadable(path, error.strerror)
        return EnvFiles((EnvFile(path, {}, (problem,)),), (problem,), {path: _EMPTY})
    if why := distrust(path, status, os.geteuid()):
        return EnvFiles((), (SettingsError(f"cannot use {path}: {why.problem}", why.advice),), {path: _EMPTY})
    file = _parsed(path, content)
    return EnvFiles((file,), file.problems, {path: _EMPTY})


def _read_optional(path: Path) -> tuple[EnvFile | None, SettingsError | None]:
    """Return the file if it is this program's, or else why it is ignored, None when that is of no interest."""
    try:
        content, status = _content(path)
    except OSError as error:
        return None, SettingsError(f"{path} is ignored: it cannot be read: {error.strerror}", "check who owns it")
    file = _parsed(path, content)
    if not file.is_ours:
        return None, None
    if why := distrust(path, status, os.geteuid()):
        return None, SettingsError(f"{path} is ignored: {why.problem}", why.advice)
    return file, None


def _content(path: Path) -> tuple[bytes, os.stat_result]:
    """Return what the file holds, and the status of that same file."""
    with path.open("rb") as file:
        return file.read(), os.fstat(file.fileno())


def distrust(path: Path, status: os.stat_result, user: int) -> SettingsError | None:
    """Return why another than `user` and root may have written the file, and what to do; None if that cannot be."""
    name = shlex.quote(str(path))
    if status.st_uid not in (user, 0):
        owner = user_name(status.st_uid)
        own = f"run ddns as that user: sudo -u {owner} -H ddns …" if owner and user == 0 else None
        chown = f"if you trust it, {'' if user == 0 else 'sudo '}chown {user_name(user) or user} {name}"
        return SettingsError(f"it belongs to {owner or f'user {status.st_uid}'}", own or chown)
    mode = stat.S_IMODE(status.st_mode)
    if mode & 0o022:
        sudo = "" if user in (status.st_uid, 0) else "sudo "
        found = f"other users may write it (mode {mode:03o})"
        return SettingsError(found, f"check what it sets, then {sudo}chmod go-w {name}")
    return None


def _parsed(path: Path, content: bytes) -> EnvFile:
    """Parse a file; the text of a line that cannot be read is not shown, because it may hold a secret."""
    try:
        text, is_text = content.decode("utf-8-sig"), True
    except UnicodeDecodeError:
        text, is_text = content.decode("utf-8-sig", "replace"), False
    from dotenv.parser import parse_stream  # 2.5 ms of every run, which only a file is worth

    texts: dict[str, str] = {}
    problems = []
    is_ours = False
    for binding in parse_stream(io.StringIO(text, newline=None)):
        if binding.error:
            line = binding.original.string
            number = binding.original.line + line[: len(line) - len(line.lstrip())].count("\n")
            problems.append(SettingsError(f"{path}, line {number} cannot be read", "write NAME=value"))
            is_ours |= any(variable in line for variable in VARIABLES)
        elif binding.key is not None:
            texts[binding.key] = binding.value or ""
            is_ours |= binding.key in VARIABLES
    if not is_text:
        return EnvFile(path, {}, (_unreadable(path, "it is not UTF-8 text"),), is_ours)
    return EnvFile(path, texts, tuple(problems), is_ours)


def _unreadable(path: Path, why: str | None) -> SettingsError:
    return SettingsError(f"cannot read {path}: {why}", "fix or remove it")
