"""What else is wrong with settings whose values are valid, and what an operator should know about them."""

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from ddns_updater.errors import SettingsError
from ddns_updater.history.url import SqliteUrl
from ddns_updater.settings.env_files import EnvFiles
from ddns_updater.settings.home import user_folder
from ddns_updater.settings.settings import Settings

_IN_USER_FOLDER = ("DDNS_DATABASE_URL", "DDNS_STATE_FOLDER")  # by default


class Remarks(NamedTuple):
    """Problems end a command, warnings are always printed, notes are kept back by a quiet run that went well."""

    problems: tuple[SettingsError, ...]
    warnings: tuple[SettingsError, ...]
    notes: tuple[SettingsError, ...]


def remarks_on(settings: Settings, given: Collection[str], found: EnvFiles, *, for_init: bool) -> Remarks:
    """Return the remarks on settings of which the variables `given` are set; `for_init` is stricter."""
    problems, notes = [], []
    folder = user_folder()
    in_folder = [each for each in _IN_USER_FOLDER if each not in given]
    if settings.state_folder is None:
        in_folder.remove("DDNS_STATE_FOLDER")
    if in_folder and folder.problem:
        problems.append(SettingsError(folder.problem.problem, folder.problem.advice, settings=in_folder))
    if in_folder and folder.note:
        notes.append(folder.note)
    if not (given or problems or found.problems):
        notes.append(_nothing_set(found.looked))
    for each in _movable(settings):
        (problems if for_init else notes).append(each)
    return Remarks(tuple(problems), (found.ignored,) if found.ignored else (), tuple(notes))


def _nothing_set(looked: Mapping[Path, str]) -> SettingsError:
    """Return that there are no settings at all, as when their file was lost, and where they were looked for."""
    places = ", ".join(["the environment sets none", *(f"{path} {found}" for path, found in looked.items())])
    advice = "write them into one of these files, or name another one with --env-file"
    return SettingsError(f"no settings were found, so each has its default: {places}", advice)


def _movable(settings: Settings) -> Iterator[SettingsError]:
    match settings.database:
        case SqliteUrl() as url if not url.path.is_absolute():
            problem = f"DDNS_DATABASE_URL names the file {str(url.path)!r} of whichever folder ddns is started in"
            advice = f"write DDNS_DATABASE_URL={url.full_url} (four slashes before a full path)"
            yield SettingsError(problem, advice, settings=("DDNS_DATABASE_URL",))
    if settings.state_folder and not settings.state_folder.is_absolute():
        folder = str(settings.state_folder)
        problem = f"DDNS_STATE_FOLDER names the folder {folder!r} of whichever folder ddns is started in"
        advice = f"write its full path, DDNS_STATE_FOLDER={settings.state_folder.absolute()}"
        yield SettingsError(problem, advice, settings=("DDNS_STATE_FOLDER",))
