"""Who could have written a file or could exchange it: each folder and link on the way to it counts."""

import grp
import os
import pwd
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ddns_updater.lib.files import replace_file
from ddns_updater.lib.trust import Distrusted, check_alone, check_path, check_shared, distrust, make_folder, open_own
from tests.support.neighbour import everybody, give_away


def refusal(judge: Callable[..., object], *arguments: Any, **options: Any) -> str:
    with pytest.raises(Distrusted) as refused:
        judge(*arguments, **options)
    return refused.value.problem


def written(path: Path, mode: int = 0o600) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("x")
    path.chmod(mode)
    return path


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


# The way to a file


@pytest.mark.parametrize("given", [False, True])
def test_nobody_else_may_write_any_folder_on_the_way(tmp_path: Path, given: bool) -> None:
    file = written(tmp_path / "open" / "inner" / "file")
    assert check_path(file, given=given).st_ino == file.stat().st_ino
    (tmp_path / "open").chmod(0o777)
    assert refusal(check_path, file, given=given) == f"other users may write the folder {tmp_path}/open (mode 777)"


@pytest.mark.parametrize("target", ["open/file", "{top}/open/file", "inner/../open/file", "open/./inner/../file"])
def test_a_link_is_followed_through_folders_that_count_as_well(tmp_path: Path, target: str) -> None:
    file = written(tmp_path / "open" / "file")
    written(tmp_path / "inner" / "x")
    written(tmp_path / "open" / "inner" / "x")
    link = tmp_path / "link"
    link.symlink_to(target.format(top=tmp_path))
    assert check_path(link).st_ino == file.stat().st_ino
    (tmp_path / "open").chmod(0o777)
    assert refusal(check_path, link) == f"other users may write the folder {tmp_path}/open (mode 777)"


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("link")
    with pytest.raises(OSError, match="Too many levels of symbolic links"):
        check_path(tmp_path / "link")


def test_a_folder_of_everybody_keeps_what_is_ours(tmp_path: Path) -> None:
    file = written(everybody(tmp_path / "tmp") / "file")
    assert check_path(file)


@pytest.mark.parametrize("given", [False, True])
def test_but_what_another_user_put_there_first_is_refused(
    tmp_path: Path, given: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = everybody(tmp_path / "tmp")
    file, link, inner = written(shared / "file"), shared / "link", written(shared / "inner" / "file")
    link.symlink_to(written(tmp_path / "mine"))
    for each in (file, link, inner.parent):
        give_away(each, monkeypatch)
    for path in (file, link, inner):
        assert " belongs to " in refusal(check_path, path, given=given)


def test_a_file_of_another_user_is_taken_only_where_the_operator_gave_it_to_him(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = written(tmp_path / "address", 0o664)
    give_away(file, monkeypatch)
    assert " belongs to " in refusal(check_path, file)
    assert check_path(file, given=True)
    file.chmod(0o666)
    assert refusal(check_path, file, given=True) == "other users may write it (mode 666)"


def test_what_is_roots_is_trusted_and_what_does_not_exist_is_missing(tmp_path: Path) -> None:
    assert check_path(Path("/etc/passwd"))
    for given in (False, True):
        with pytest.raises(FileNotFoundError):
            check_path(tmp_path / "missing" / "file", given=given)
    with pytest.raises(NotADirectoryError):
        check_path(Path("/dev/null/file"))


def test_an_open_pipe_of_this_process_is_given() -> None:
    ours, theirs = os.pipe()
    try:
        assert stat.S_ISFIFO(check_path(Path(f"/dev/fd/{ours}"), given=True).st_mode)
    finally:
        os.close(ours)
        os.close(theirs)


def test_a_secret_of_kubernetes_is_reached_by_its_links(tmp_path: Path) -> None:
    written(tmp_path / "..2026_01_01" / "password", 0o444)
    (tmp_path / "..data").symlink_to("..2026_01_01")
    (tmp_path / "password").symlink_to("..data/password")
    tmp_path.chmod(0o1777)  # as its tmpfs has it
    assert check_path(tmp_path / "password", given=True)


def test_a_private_group_is_its_user(tmp_path: Path) -> None:
    """As with umask 002; a group that no user is in is that of a container."""
    folder = tmp_path / "folder"
    file = written(folder / "file")
    if os.geteuid() == 0:
        os.chown(folder, 0, 4_000_000)
    folder.chmod(0o2775)
    file.chmod(0o664)
    assert check_path(file)
    check_alone(folder)
    os.close(open_own(file))


def test_the_group_of_a_user_whom_a_directory_service_does_not_list_is_private_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = written(tmp_path / "file", 0o664)
    monkeypatch.setattr(pwd, "getpwall", list)
    mine = pwd.getpwuid(os.geteuid()).pw_name
    for name, is_private in ((mine, True), ("domain users", False)):
        listed = grp.struct_group((name, "x", file.stat().st_gid, []))
        monkeypatch.setattr(grp, "getgrgid", lambda _group, listed=listed: listed)
        if is_private:
            assert check_path(file)
        else:
            assert refusal(check_path, file) == "other users may write it (mode 664)"


if os.geteuid() == 0:  # only root can give a folder away

    def test_a_group_with_others_in_it_is_not(tmp_path: Path) -> None:
        folder = tmp_path / "folder"
        file = written(folder / "file")
        os.chown(folder, 0, 65534)  # the one of nobody
        folder.chmod(0o775)
        assert refusal(check_path, file) == f"other users may write the folder {folder} (mode 775)"
        assert refusal(check_path, folder) == "other users may write it (mode 775)"
        folder.chmod(0o1775)
        assert check_path(file)
        assert refusal(check_alone, folder) == f"other users may create files in the folder {folder}"
        assert check_path(file, given=True)
        os.chown(file, 0, 65534)
        file.chmod(0o664)
        assert refusal(open_own, file) == f"other users may write {file} (mode 664)"
        assert distrust(file, file.stat(), 0)

    def test_a_folder_that_another_user_makes_in_between_is_refused(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        shared = everybody(tmp_path / "tmp")
        make = Path.mkdir

        def late(self: Path, *arguments: Any, **options: Any) -> None:
            make(self)
            give_away(self, monkeypatch)
            make(self, *arguments, **options)

        monkeypatch.setattr(Path, "mkdir", late)
        assert f"{shared}/state belongs to " in refusal(make_folder, shared / "state" / "runs")
        assert list((shared / "state").iterdir()) == []


# What is created


@pytest.mark.parametrize("mask", [0, 0o002, 0o022, 0o077])
def test_what_is_created_is_for_this_user_alone_whatever_the_umask(tmp_path: Path, mask: int) -> None:
    with umask(mask):
        make_folder(tmp_path / "a" / "b" / "c")
        os.close(open_own(tmp_path / "a" / "lock"))
        replace_file(tmp_path / "a" / "state", b"x", 0o600)
        replace_file(tmp_path / "a" / "metrics", b"x", 0o644)
    found = {path.name: mode(path) for path in (tmp_path / "a").rglob("*")}
    assert found == {"b": 0o700, "c": 0o700, "lock": 0o600, "state": 0o600, "metrics": 0o644}
    assert mode(tmp_path / "a") == 0o700


def test_a_folder_is_made_through_a_link_and_not_in_a_folder_of_others(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    make_folder(tmp_path / "link" / "x" / ".." / "y")
    assert sorted(each.name for each in (tmp_path / "real").iterdir()) == ["x", "y"]
    (tmp_path / "real").chmod(0o777)
    assert "other users may write the folder" in refusal(make_folder, tmp_path / "link" / "z")
    assert sorted(each.name for each in (tmp_path / "real").iterdir()) == ["x", "y"]


def planted(kind: str, path: Path, victim: Path) -> None:
    match kind:
        case "file":
            written(path, 0o666)
        case "link":
            path.symlink_to(victim)
        case "folder":
            path.mkdir()
        case "pipe":
            os.mkfifo(path, 0o666)


@pytest.mark.parametrize("kind", ["file", "link", "folder", "pipe"])
@pytest.mark.parametrize("when", ["before", "in between"])
def test_what_another_user_put_in_the_place_of_a_file_is_left_alone(
    tmp_path: Path, kind: str, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In between is after the folder was judged, and before the file is opened."""
    victim = written(tmp_path / "victim")
    shared = everybody(tmp_path / "tmp")
    path = shared / "file"
    opened = os.open

    def put() -> None:
        planted(kind, path, victim)
        give_away(path, monkeypatch)

    def late(name: Any, *arguments: Any) -> int:
        if not os.path.lexists(path):
            put()
        return opened(name, *arguments)

    assert check_path(shared)
    if when == "before":
        put()
    else:
        monkeypatch.setattr(os, "open", late)
    assert refusal(open_own, path).startswith(f"{path} belongs to ")
    assert victim.read_text() == "x"
    assert stat.S_IFMT(path.lstat().st_mode) != stat.S_IFREG or path.read_text() == "x"


def test_a_file_of_ours_that_another_user_linked_to_the_new_one_is_not_overwritten(tmp_path: Path) -> None:
    victim = written(tmp_path / "victim")
    shared = everybody(tmp_path / "tmp")
    (shared / ".metrics.new").hardlink_to(victim)
    replace_file(shared / "metrics", b"ours", 0o644)
    assert (victim.read_text(), mode(victim)) == ("x", 0o600)
    assert [each.read_bytes() for each in shared.iterdir()] == [b"ours"]


def test_a_file_of_ours_that_others_may_write_is_no_lock(tmp_path: Path) -> None:
    lock = written(tmp_path / "lock", 0o666)
    assert refusal(open_own, lock) == f"other users may write {lock} (mode 666)"


def test_a_file_for_others_may_be_in_their_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "textfile"
    folder.mkdir()
    folder.chmod(0o775)
    give_away(folder, monkeypatch)
    check_shared(folder / "ddns.prom")
    folder.chmod(0o777)
    assert refusal(check_shared, folder / "ddns.prom") == "other users may write it (mode 777)"


def test_where_everybody_may_write_its_name_may_be_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = everybody(tmp_path / "tmp") / "ddns.prom"
    check_shared(file)
    written(file, 0o644)
    check_shared(file)
    give_away(file, monkeypatch)
    assert refusal(check_shared, file).startswith(f"{file} belongs to ")
