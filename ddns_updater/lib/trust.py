"""Who else on this machine could have written a file, or could put another one in its place.

Only this user and root may. A path is followed from the root down, as sshd's StrictModes does: in a folder that only
they may write, nobody else can exchange what is there, neither before nor after it was looked at. In a folder of
everybody's with the sticky bit, such as /tmp, anybody may have come first, but only its owner can exchange a file.
"""

import os
import pwd
import shlex
import stat
from contextlib import suppress
from errno import EACCES, ELOOP, ENOTDIR
from pathlib import Path

_MAX_LINKS = 40  # as the kernel's


class Distrusted(PermissionError):
    """Say how another user could change a file; `problem` continues a sentence that starts with the file."""

    def __init__(self, problem: str, advice: str) -> None:
        super().__init__(EACCES, problem)
        self.problem, self.advice = problem, advice


def check_path(path: Path, *, given: bool = False) -> os.stat_result:
    """Return the status of the file or folder at `path`; raises Distrusted, or OSError when there is none.

    With `given`, it is a place that the operator shares with another user on purpose: its owner and its group may
    write it, but nobody else.
    """
    owners = set()
    if given:
        status = path.stat()
        owners.add(status.st_uid)
    try:
        return _follow(path, owners, given=given, create=False)
    except FileNotFoundError:
        if not given or not path.exists():
            raise
        return status  # an open file or pipe of this process, such as /dev/fd/63, whose link names nothing


def check_alone(folder: Path) -> None:
    """Raise Distrusted when another user may create a file in `folder`, even if they could not replace one."""
    if _others_may_write(check_path(folder), {os.geteuid(), 0}, given=False):
        raise Distrusted(f"other users may create files in the folder {folder}", "choose a folder of your own")


def check_shared(path: Path) -> None:
    """Judge where a file is put for other users to read; raises Distrusted and OSError.

    The folder may belong to one of them, but where everybody may write, another may have taken the name before.
    """
    if check_path(path.parent, given=True).st_mode & stat.S_IWOTH:
        with suppress(FileNotFoundError):
            _check_owner(path, path.lstat())


def make_folder(folder: Path) -> None:
    """Create `folder` and those above it that are missing, for this user alone; raises Distrusted and OSError."""
    if not stat.S_ISDIR(_follow(folder, set(), given=False, create=True).st_mode):
        raise NotADirectoryError(ENOTDIR, os.strerror(ENOTDIR), str(folder))


def open_own(path: Path) -> int:
    """Open the regular file at `path` to read and write, or create it for this user alone; returns the descriptor.

    Raises Distrusted when another user put there what is there, and OSError. No link is followed.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK  # does not wait at a named pipe
    try:
        descriptor = os.open(path, flags, 0o600)
    except OSError:
        with suppress(FileNotFoundError, NotADirectoryError):
            _check_own(path, path.lstat())  # says more than "permission denied"
        raise
    try:
        _check_own(path, os.fstat(descriptor))
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def distrust(path: Path, status: os.stat_result, user: int) -> Distrusted | None:
    """Return why another than `user` and root may have written the file, and what to do; None if that cannot be."""
    if status.st_uid not in (user, 0):
        return _foreign("it", path, status.st_uid, user)
    return _writable("it", path, status, user) if _others_may_write(status, {user, 0}, given=False) else None


def user_name(user: int) -> str | None:
    """Return the name of the user with this ID, None if there is none."""
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return None


def _check_own(path: Path, status: os.stat_result) -> None:
    _check_owner(path, status)
    if stat.S_ISREG(status.st_mode):
        if _others_may_write(status, {os.geteuid(), 0}, given=False):
            raise _writable(str(path), path, status, os.geteuid())
    elif not stat.S_ISLNK(status.st_mode):
        raise Distrusted(f"{path} is not a regular file", "move it away")


def _check_owner(path: Path, status: os.stat_result) -> None:
    if status.st_uid not in (os.geteuid(), 0):
        raise Distrusted(f"{path} belongs to {_named(status.st_uid)}", f"remove it: rm {shlex.quote(str(path))}")


def _follow(path: Path, others: set[int], *, given: bool, create: bool) -> os.stat_result:
    """Judge every folder and link on the way to `path` and what is there; return its status.

    `others` own it beside this user and root; with `given`, groups may write it; `create` makes missing folders.
    """
    user = os.geteuid()
    here, status = "/", os.lstat("/")
    owners = {user, 0, status.st_uid} | others  # in a user namespace, root is whoever owns the root folder
    names, links = [*path.absolute().parts[:0:-1]], 0
    while names:
        if not stat.S_ISDIR(status.st_mode):
            raise NotADirectoryError(ENOTDIR, os.strerror(ENOTDIR), str(path))
        is_shared = _others_may_write(status, owners, given=given)
        if is_shared and not status.st_mode & stat.S_ISVTX:
            raise _writable(f"the folder {here}", Path(here), status, user)
        place = os.path.normpath(os.path.join(here, names.pop()))  # noqa: PTH118 - no link is in `here`, so ".." is the folder above
        found = _status(place, create=create)
        is_link = stat.S_ISLNK(found.st_mode)
        if found.st_uid not in ({user, 0} if is_shared else owners):
            what = f"the link {place}" if is_link else f"the folder {place}" if names else "it"
            raise _foreign(what, Path(place), found.st_uid, user)
        if not is_link:
            here, status = place, found
            continue
        links += 1
        if links > _MAX_LINKS:
            raise OSError(ELOOP, os.strerror(ELOOP), str(path))
        target = Path(place).readlink()
        if target.is_absolute():
            here, status = "/", os.lstat("/")
        names += [each for each in reversed(target.parts) if each != "/"]
    if stat.S_ISCHR(status.st_mode) or (stat.S_ISDIR(status.st_mode) and status.st_mode & stat.S_ISVTX):
        return status
    if _others_may_write(status, owners, given=given):
        raise _writable("it", Path(here), status, user)
    return status


def _status(place: str, *, create: bool) -> os.stat_result:
    try:
        return os.lstat(place)
    except FileNotFoundError:
        if not create:
            raise
    with suppress(FileExistsError):  # then it is judged as any other
        Path(place).mkdir(0o700)
    return os.lstat(place)


def _others_may_write(status: os.stat_result, owners: set[int], *, given: bool) -> bool:
    """Return whether more than `owners` may write a file or folder; a private group (umask 002) is its owner alone."""
    if status.st_mode & stat.S_IWOTH:
        return True
    return bool(status.st_mode & stat.S_IWGRP) and not given and not _is_private(status.st_gid, owners)


def _is_private(group: int, owners: set[int]) -> bool:
    """Return whether only `owners` are in a group; nobody is in one that only a container or an fsGroup knows.

    A directory service such as LDAP may not list its users. The group of such a user is private only if it has the
    same name.
    """
    import grp  # 0.4 ms of every run, which only what a group may write is worth

    members = {each.pw_uid for each in pwd.getpwall() if each.pw_gid == group}
    with suppress(KeyError):
        known = grp.getgrgid(group)
        for name in known.gr_mem:
            with suppress(KeyError):
                members.add(pwd.getpwnam(name).pw_uid)
        user = pwd.getpwuid(os.geteuid())
        if user.pw_gid == group and user.pw_uid not in members and user.pw_name != known.gr_name:
            return False
    return members <= owners


def _foreign(what: str, path: Path, owner: int, user: int) -> Distrusted:
    name = user_name(owner)
    if name and user == 0:
        advice = f"run ddns as that user: sudo -u {name} -H ddns …"
    elif what == "it":
        sudo = "" if user == 0 else "sudo "
        advice = f"if you trust it, {sudo}chown {user_name(user) or user} {shlex.quote(str(path))}"
    else:
        advice = "choose another place"
    return Distrusted(f"{what} belongs to {_named(owner)}", advice)


def _writable(what: str, path: Path, status: os.stat_result, user: int) -> Distrusted:
    sudo = "" if user in (status.st_uid, 0) else "sudo "
    problem = f"other users may write {what} (mode {stat.S_IMODE(status.st_mode):03o})"
    return Distrusted(problem, f"check what it holds, then {sudo}chmod go-w {shlex.quote(str(path))}")


def _named(user: int) -> str:
    return user_name(user) or f"user {user}"
