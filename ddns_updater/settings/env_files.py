"""The `.env` files: which of them are read, and who may have written what they set.

A source `command:` runs a program, and `AWS_…` variables choose an account. So a file counts only when nobody but this
user and root could write it or put another in its place. The one in the working directory may be another program's:
it is read only when it sets a variable of this program, and nothing about it is an error otherwise.
"""

import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from ddns_updater.errors import InvalidValue, SettingsError
from ddns_updater.lib.files import named_path
from ddns_updater.lib.trust import Distrusted, check_path, distrust
from ddns_updater.settings.home import user_folder
from ddns_updater.settings.variables import VARIABLES

_ABSENT, _NO_FILE, _EMPTY = "does not exist", "is not a file", "sets none"
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")  # how it begins


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
        absent = _absence(here)
    except OSError:  # the working directory was removed, or may not be searched
        return found
    local, ignored = (None, None) if absent else _read_optional(here)
    state = absent or ("is ignored" if ignored else _EMPTY)
    used, problems = ((local,), local.problems) if local else ((), ())
    return EnvFiles((*found.used, *used), (*found.problems, *problems), {here: state, **found.looked}, ignored)


def _read_required(path: Path, *, option: str = "") -> EnvFiles:
    """Read a file that is meant for this program; whatever is wrong with it is a problem."""
    try:
        path = named_path(str(path)).absolute()
    except InvalidValue as error:
        return EnvFiles((), (SettingsError(f"{option}{str(path)!r} {error.problem}", error.advice),), {path: _ABSENT})
    try:
        if absent := _absence(path):
            missing = SettingsError(f"{option}{str(path)!r} is not a file", "name an existing one")
            return EnvFiles((), (missing,) if option else (), {path: absent})
        content, status = _content(path)
    except OSError as error:
        problem = _unreadable(path, error.strerror)
        return EnvFiles((EnvFile(path, {}, (problem,)),), (problem,), {path: _EMPTY})
    if why := _distrust(path, status):
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
        return None, _misspelt(file)
    if why := _distrust(path, status):
        return None, SettingsError(f"{path} is ignored: {why.problem}", why.advice)
    return file, None


def _misspelt(file: EnvFile) -> SettingsError | None:
    """Return that a file which sets nothing of this program may have been meant to."""
    for variable in file.texts:
        if variable.startswith("DDNS_") and (near := nearest_variable(variable, cutoff=0.9)):
            return SettingsError(f"{file.path} is ignored: {variable} is not a setting", f"did you mean {near}?")
    return None


def nearest_variable(variable: str, *, cutoff: float) -> str | None:
    """Return the variable of this program that `variable` resembles most, None when none is as near as `cutoff`."""
    import difflib  # 0.5 ms of every run, which only a misspelt variable is worth

    return next(iter(difflib.get_close_matches(variable, VARIABLES, n=1, cutoff=cutoff)), None)


def _absence(path: Path) -> str | None:
    """Return why there is no file to read at `path`, None if there is one; raises OSError."""
    if path.is_file():
        return None
    return _NO_FILE if path.exists() else _ABSENT


def _content(path: Path) -> tuple[bytes, os.stat_result]:
    """Return what the file holds, and the status of that same file."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # does not block on a named pipe
    with os.fdopen(descriptor, "rb") as file:
        return file.read(), os.fstat(file.fileno())


def _distrust(path: Path, status: os.stat_result) -> Distrusted | None:
    """Return why another user could have written the file with this status, or another one to this place."""
    if why := distrust(path, status, os.geteuid()):
        return why
    try:
        check_path(path)
    except Distrusted as error:
        return error
    return None


def _parsed(path: Path, content: bytes) -> EnvFile:
    """Parse a file; the text of a line that cannot be read is not shown, because it may hold a secret."""
    try:
        text, is_text = content.decode("utf-8-sig"), content.count(b"\0") * 4 <= len(content)
    except UnicodeDecodeError:
        text, is_text = content.decode("utf-8-sig", "replace"), False
    if not is_text:
        if content.startswith(_UTF_16):
            text = content.decode("utf-16", "replace")
        text = text.replace("\0", "")  # UTF-16 without a mark
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
        return EnvFile(
            path, {}, (SettingsError(f"cannot read {path}: it is not UTF-8 text", "save it as UTF-8"),), is_ours
        )
    return EnvFile(path, texts, tuple(problems), is_ours)


def _unreadable(path: Path, why: str | None) -> SettingsError:
    return SettingsError(f"cannot read {path}: {why}", "fix or remove it")
