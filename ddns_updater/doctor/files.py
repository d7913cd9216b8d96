"""Settings, their files, who can read those, and the extras that are needed."""

import os
import stat
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from ddns_updater.doctor.check import Check, Checker, State
from ddns_updater.errors import DdnsError
from ddns_updater.history.url import SqliteUrl
from ddns_updater.lib.installation import is_installed, missing_extra
from ddns_updater.lib.trust import Distrusted, check_path, check_shared
from ddns_updater.settings.load import LoadResult
from ddns_updater.settings.settings import Settings
from ddns_updater.settings.variables import SETTINGS

_AWS_SECRETS = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")


def check_settings(check: Checker, loaded: LoadResult, check_channels: Callable[[], None]) -> Iterator[Check]:
    """Check the values, who can read the files they are in, and the extras they need.

    `check_channels` raises DdnsError when the URL of a channel cannot be used.
    """
    for problem in loaded.problems:
        yield check.error("settings", problem)
    for warning in (*loaded.warnings, *loaded.notes):
        yield check.error("settings", warning, State.WARNING)
    if not loaded.problems:
        yield check.ok("settings", "all values are valid")
    if not loaded.env_files:
        yield check.ok(".env files", "none; only the environment is used")
    secret = _secret_variables(loaded.settings)
    for file in loaded.env_files:
        secrets = [variable for variable in file.texts if variable in secret]
        if file.problems:  # which may hold a secret
            secrets.append("unreadable lines")
        yield _privacy(check, "settings file", file.path, secret=", ".join(secrets))
    for path in loaded.secret_files:
        if _exists(path):
            yield _privacy(check, "secret file", path, secret="a secret")  # noqa: S106 - a word, not a password
    yield from _extras(check, loaded.settings)
    try:
        check.attempt("alerts", check_channels)
    except DdnsError as error:
        yield check.error("alerts", error)
    else:
        yield _channels(check, loaded.settings)


def check_places(check: Checker, settings: Settings) -> Iterator[Check]:
    """Check that a run can write its files, without writing any."""
    match settings.database:
        case SqliteUrl() as url if _exists(url.file):
            yield _database_file(check, url)
    if settings.state_folder:
        folder = settings.state_folder
        yield _folder(check, "state folder", folder, partial(check_path, folder), may_create=True)
    if settings.metrics_file:
        judge = partial(check_shared, settings.metrics_file)
        yield _folder(check, "folder of DDNS_METRICS_FILE", settings.metrics_file.parent, judge, may_create=False)
        if _is_folder(settings.metrics_file):
            yield check.failed("DDNS_METRICS_FILE", f"{settings.metrics_file} is a folder", "name a file in it")


def _secret_variables(settings: Settings) -> set[str]:
    """Return the variables that hold a secret: a URL may contain one, the path of an SQLite file does not."""
    found = {setting.variable for setting in SETTINGS if setting.is_secret}
    if not settings.database.holds_secret:
        found.remove("DDNS_DATABASE_URL")
    if any(spec.holds_secret for spec in settings.ip_sources):
        found.add("DDNS_IP_SOURCES")
    return found.union(_AWS_SECRETS)


def _privacy(check: Checker, name: str, path: Path, *, secret: str) -> Check:
    path = path.absolute()
    try:
        status = path.stat()
    except OSError as error:
        return check.failed(name, f"cannot check {path}: {error.strerror}", "check who owns the file and its folder")
    try:
        check_path(path, given=True)
    except Distrusted as error:
        return check.warning(name, f"{path} cannot be trusted: {error.problem}", error.advice)
    mode = stat.S_IMODE(status.st_mode)
    if not secret or not mode & 0o077:
        return check.ok(name, f"{path}, {'without secrets' if not secret else 'open to its owner only'}")
    found = f"{path} is open to other users (mode {mode:03o}) and holds {secret}"
    if status.st_uid == os.getuid():
        return check.warning(name, found, f"chmod 600 {path}")
    return check.note(name, f"{found}; it belongs to another user", "check that this is intended")


def _database_file(check: Checker, url: SqliteUrl) -> Check:
    file = url.file
    if _is_folder(file):
        return check.failed("database file", f"{file} is a folder", "name a file in DDNS_DATABASE_URL")
    try:
        url.check()
    except Distrusted as error:
        return check.failed("database file", f"{file} cannot be trusted: {error.problem}", error.advice)
    locks = sorted(each for each in file.parent.glob("*.lock") if each.name.startswith(f"{file.name}."))
    for place in (file, file.parent, *locks):  # SQLite writes its journal beside the file
        if not os.access(place, os.R_OK | os.W_OK | (os.X_OK if place.is_dir() else 0)):
            return check.failed("database file", f"{place} cannot be written", "check who owns it")
    return check.ok("database file", f"{file} can be written")


def _folder(check: Checker, name: str, folder: Path, judge: Callable[[], object], *, may_create: bool) -> Check:
    nearest = next(each for each in (folder.absolute(), *folder.absolute().parents) if _exists(each))
    if not nearest.is_dir():
        return check.failed(name, f"{nearest} is not a folder", "choose another folder")
    if nearest != folder.absolute() and not may_create:
        return check.failed(name, f"{folder} does not exist", f"mkdir -p {folder}")
    try:
        judge()
    except Distrusted as error:
        return check.failed(name, f"{folder} cannot be trusted: {error.problem}", error.advice)
    except OSError:  # it does not exist yet
        pass
    if not os.access(nearest, os.W_OK | os.X_OK):
        return check.failed(
            name,
            f"{nearest} cannot be written",
            "make it writable for the user who runs ddns, or choose another folder",
        )
    return check.ok(name, f"{folder} can be written" if nearest == folder.absolute() else f"{folder} can be created")


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # no permission to search the folder, or a name that is too long
        return False


def _is_folder(path: Path) -> bool:
    return _exists(path) and path.is_dir()


def _extras(check: Checker, settings: Settings) -> Iterator[Check]:
    wanted = {spec.extra: f"the source {spec.kind}:" for spec in settings.ip_sources if spec.extra}
    if settings.verify_name_servers:
        wanted["dns"] = "DDNS_VERIFY_NAME_SERVERS"
    if settings.metrics_file:
        wanted["metrics"] = "DDNS_METRICS_FILE"
    if settings.apprise:
        wanted["notify"] = "DDNS_NOTIFY_URLS"
    missing = [extra for extra in sorted(wanted) if not is_installed(extra)]
    for extra in missing:
        yield check.error(f"extra {extra}", missing_extra(wanted[extra], extra))
    if not missing:
        yield check.ok("extras", f"{', '.join(sorted(wanted))} installed" if wanted else "none needed")


def _channels(check: Checker, settings: Settings) -> Check:
    names = [spec.name for spec in settings.channels]
    if settings.heartbeat:
        names.append(f"heartbeat {settings.heartbeat.name}")
    return check.ok(
        "alerts", f"to {', '.join(names)} (nothing was sent)" if names else "no channel, except cron's mail"
    )
