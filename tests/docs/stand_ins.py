"""Stand-ins for the programs that install things on a machine, below a folder that plays the machine's root.

Each is this file under the name of its program. It refuses what the real one would refuse, and does what a later
command of the same page needs: `pipx` and `pip` leave a `ddns` that is the real program, `systemctl` starts what a
unit says, `docker run` runs the real program in the volume that it was given.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT, PYTHON = Path(os.environ["STAND_IN_ROOT"]), os.environ["STAND_IN_PYTHON"]
_KEPT = ROOT / ".machine"  # what a machine keeps elsewhere: users, running units, images
_UNITS = ROOT / "etc" / "systemd" / "system"


def main(program: str, arguments: list[str]) -> None:
    play = globals().get(f"_{program}")
    if play is None:
        sys.exit(f"{program}: there is no stand-in for it")
    play(arguments)


# Packages


def _pipx(arguments: list[str]) -> None:
    home = Path(os.environ["HOME"])
    match [each for each in arguments if each != "--force"]:
        case ["install", package]:
            if (home / ".local/bin/ddns").exists() and "--force" not in arguments:
                sys.exit("pipx: already installed")
            _install_program(home / ".local/bin", package)
        case ["uninstall", name] if name == _name():
            (home / ".local/bin/ddns").unlink()
        case _:
            sys.exit(f"pipx: {arguments}")


def _uv(arguments: list[str]) -> None:
    match arguments:
        case ["tool", "install", *options, package] if set(options) <= {"--reinstall"}:
            _install_program(Path(os.environ["HOME"]) / ".local/bin", package)
        case ["tool", "uninstall", name] if name == _name():
            (Path(os.environ["HOME"]) / ".local/bin/ddns").unlink()
        case _:
            sys.exit(f"uv: {arguments}")


def _python3(arguments: list[str]) -> None:
    match arguments:
        case ["-m", "venv", folder]:
            (Path(folder) / "bin").mkdir(parents=True)
            (Path(folder) / "bin" / "pip").symlink_to(ROOT.parent / "stand-ins" / "pip")
        case _:
            sys.exit(f"python3: {arguments}")


def _pip(arguments: list[str]) -> None:
    match arguments:
        case ["install", *options, package] if set(options) <= {"--upgrade"}:
            _install_program(Path(sys.argv[1]).parent, package)
        case _:
            sys.exit(f"pip: {arguments}")


def _name() -> str:
    """Return the name of the distribution."""
    (name,) = re.findall(r'^name = "(.+)"$', Path("pyproject.toml").read_text(), re.MULTILINE)
    return str(name)


def _install_program(folder: Path, package: str) -> None:
    """Leave a `ddns` in `folder`; the package is the checkout, with extras that exist."""
    form = re.fullmatch(r"\.(?:\[([\w,]+)\])?", package)
    if not form or not Path("pyproject.toml").is_file():
        sys.exit(f"install: {package!r} is not the checkout")
    known = re.findall(r"^(\w+) = \[", Path("pyproject.toml").read_text(), re.MULTILINE)
    if form[1] and not set(form[1].split(",")) <= set(known):
        sys.exit(f"install: {form[1]} is no extra")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "ddns").write_text(f'#!/bin/sh\nexec {PYTHON} -m ddns_updater "$@"\n')
    (folder / "ddns").chmod(0o755)


def _make(arguments: list[str]) -> None:
    (target,) = arguments
    if not re.search(rf"^{target}:", Path("Makefile").read_text(), re.MULTILINE):
        sys.exit(f"make: {arguments}")
    if target == "demo":
        os.execv(PYTHON, [PYTHON, "-m", "ddns_updater", "demo"])


# Users and files


def _useradd(arguments: list[str]) -> None:
    options = dict(zip(arguments, [*arguments[1:], ""], strict=True))
    name = arguments[-1]
    if {"--system", "--user-group", "--create-home", "--home-dir", "--shell"} - set(options):
        sys.exit(f"useradd: {arguments}")
    home = Path(options["--home-dir"])
    home.mkdir(parents=True)
    _keep("users", name, str(home))


def _userdel(arguments: list[str]) -> None:
    *options, name = arguments
    home = _kept("users", name)
    _forget("users", name)
    if options == ["--remove"]:
        shutil.rmtree(home)


def _install(arguments: list[str]) -> None:
    rest = iter(arguments)
    kept = []
    for each in rest:
        if each in ("-o", "-g"):
            _kept("users", next(rest))
        else:
            kept.append(each)
    target = Path(kept[-1])
    if "-D" not in kept:  # on a machine, these are there
        (target if target.name in ("system", "LaunchDaemons", "bin") else target.parent).mkdir(
            parents=True, exist_ok=True
        )
    subprocess.run(["/usr/bin/install", *kept], check=True)


def _sudo(arguments: list[str]) -> None:
    match arguments:
        case ["-H", "-u", user, *command]:
            os.environ["HOME"] = _kept("users", user)
        case command:
            pass
    os.execvp(command[0], command)


def _sqlite3(arguments: list[str]) -> None:
    import sqlite3

    file, command = arguments
    word, target = command.split()
    assert word == ".backup"
    assert Path(file).is_file()
    sqlite3.connect(file).backup(sqlite3.connect(target))


# systemd


def _systemctl(arguments: list[str]) -> None:
    match arguments:
        case ["daemon-reload"]:
            pass
        case ["enable", "--now", unit]:
            text = (_UNITS / unit).read_text()
            assert "[Install]" in text
            service = _UNITS / unit.replace(".timer", ".service")
            command = re.findall(r"^ExecStart=(.+)$", service.read_text(), re.MULTILINE)[-1]
            user = re.findall(r"^User=(.+)$", service.read_text(), re.MULTILINE)[-1]
            os.environ["HOME"] = _kept("users", user)
            if " run " in command:
                words = shlex.split(command)
                subprocess.run([f"{ROOT}{word}" if word[0] == "/" else word for word in words], check=True)
            _keep("units", unit, "enabled")
        case ["disable", "--now", unit]:
            _forget("units", unit)
        case ["restart" | "status", unit]:
            _kept("units", unit)
        case _:
            sys.exit(f"systemctl: {arguments}")


def _journalctl(arguments: list[str]) -> None:
    match arguments:
        case ["-u", unit]:
            (_UNITS / f"{unit}.service").read_text()
        case _:
            sys.exit(f"journalctl: {arguments}")


# launchd


def _launchctl(arguments: list[str]) -> None:
    match arguments:
        case ["bootstrap", "system", path]:
            _keep("units", Path(path).name.removesuffix(".plist"), Path(path).read_text())
        case ["bootout", target]:
            _forget("units", target.removeprefix("system/"))
        case _:
            sys.exit(f"launchctl: {arguments}")


# AWS


def _aws(arguments: list[str]) -> None:
    match arguments:
        case ["iam", "create-policy", "--policy-name", _, "--policy-document", text]:
            assert json.loads(text)["Statement"]
        case _:
            sys.exit(f"aws: {arguments}")


# The reverse proxy


def _curl(arguments: list[str]) -> None:
    """Send with the real curl what the reverse proxy would send to `ddns serve`, for a client at 9.9.9.9."""
    server = os.environ["STAND_IN_SERVER"]
    here = []
    for each in arguments:
        if each.endswith(".curl"):
            copy = Path(each).with_suffix(".here")
            copy.write_text(Path(each).read_text().replace("https://ddns.example.com", server))
            each = str(copy)
        here.append(each.replace("https://ddns.example.com", server))
    os.execv("/usr/bin/curl", ["curl", *here, "--header", "X-Forwarded-For: 9.9.9.9"])


# Docker


def _docker(arguments: list[str]) -> None:
    match arguments:
        case ["build", "-f", file, "-t", tag, "."]:
            _keep("images", tag, Path(file).read_text())
        case ["run", *rest]:
            _docker_run(rest)
        case ["exec", name, "ddns", *command]:
            _as_in_container(json.loads(_kept("containers", name)), command)
        case ["logs", name]:
            _kept("containers", name)
        case ["stop", name]:
            _kept("containers", name)
        case ["rm", name]:
            _forget("containers", name)
        case ["volume", "rm", name]:
            shutil.rmtree(_KEPT / "volumes" / name)
        case ["image", "rm", tag]:
            _forget("images", tag)
        case _:
            sys.exit(f"docker: {arguments}")


_WITH_VALUE = ("--tmpfs", "-v", "--env-file", "--restart", "--stop-timeout", "--cap-drop", "--security-opt", "--name")
_ALONE = ("--rm", "--read-only", "-d")


def _docker_run(arguments: list[str]) -> None:
    rest = iter(arguments)
    options: dict[str, str] = {}
    for each in rest:
        if each in _WITH_VALUE:
            options[each] = next(rest)
        elif each in _ALONE:
            options[each] = ""
        else:
            image = each
            break
    command = list(rest)
    assert "CMD" in _kept("images", image)
    assert {"--read-only", "--tmpfs", "-v", "--env-file"} <= set(options)
    (_KEPT / "volumes" / options["-v"].partition(":")[0]).mkdir(parents=True, exist_ok=True)
    if "-d" in options:
        assert not command
        _keep("containers", options["--name"], json.dumps(options))
        command = ["run"]  # one of those that its `watch` would do
    _as_in_container(options, command)


def _as_in_container(options: dict[str, str], command: list[str]) -> None:
    os.environ["HOME"] = str(_KEPT / "volumes" / options["-v"].partition(":")[0])
    for line in Path(options["--env-file"]).read_text().splitlines():
        if line and not line.startswith("#"):
            key, _, value = line.partition("=")
            os.environ[key] = value
    os.execv(PYTHON, [PYTHON, "-m", "ddns_updater", *command])


# What a machine keeps


def _keep(kind: str, name: str, text: str) -> None:
    (_KEPT / kind).mkdir(parents=True, exist_ok=True)
    (_KEPT / kind / name).write_text(text)


def _kept(kind: str, name: str) -> str:
    if not (_KEPT / kind / name).exists():
        sys.exit(f"{Path(sys.argv[1]).name}: {name} is none of the {kind}: {list(_all(kind))}")
    return (_KEPT / kind / name).read_text()


def _forget(kind: str, name: str) -> None:
    _kept(kind, name)
    (_KEPT / kind / name).unlink()


def _all(kind: str) -> Iterator[str]:
    if (_KEPT / kind).exists():
        yield from (each.name for each in (_KEPT / kind).iterdir())


if __name__ == "__main__":
    main(Path(sys.argv[1]).name, sys.argv[2:])
