"""How this program was installed, and so how an optional package is added to it."""

import json
import shlex
import sys
from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import find_spec
from pathlib import Path

from ddns_updater.errors import SettingsError

DISTRIBUTION = "ddns53"  # as pyproject.toml has it

_PACKAGES = {  # what each extra brings
    "demo": "moto",
    "dns": "dns",
    "interface": "pyroute2",
    "metrics": "prometheus_client",
    "notify": "apprise",
    "serve": "waitress",
}


def missing_extra(what: str, extra: str) -> SettingsError:
    """Return the error for `what`, which needs an optional package that is not installed."""
    return SettingsError(f"{what} needs the extra {extra}", install_advice(extra))


def install_advice(extra: str) -> str:
    """Return how to add an extra to this installation, from where it was installed."""
    installed = [each for each in _PACKAGES if is_installed(each)]
    place = installed_from()
    command = install_command(extra, installed, Path(sys.prefix), place)
    return f"in the checkout, run {command}" if place is None else f"run {command}"


def install_command(extra: str, installed: list[str], prefix: Path, place: str | None) -> str:
    """Return the command that adds an extra to the environment at `prefix` and keeps the `installed` ones.

    `place` is as `installed_from` returns it. pipx and uv build the environment anew, from what is named. One that uv
    has made need not have pip.
    """
    whole = _requirement({extra, *installed}, place)
    match prefix.parts[-3:]:
        case ("pipx", "venvs", _):
            return f"pipx install --force {whole}"
        case ("uv", "tools", _):
            return f"uv tool install --reinstall {whole}"
    added = _requirement({extra}, place)
    if not (prefix / "bin" / "pip").exists():
        return f"uv pip install --python {shlex.quote(str(prefix))} {added}"
    return f"{shlex.quote(str(prefix / 'bin' / 'pip'))} install {added}"


def installed_from() -> str | None:
    """Return the URL that was installed, as pip writes it, "" for a package index, or None for a checkout.

    https://packaging.python.org/en/latest/specifications/direct-url/
    """
    try:
        record = distribution(DISTRIBUTION).read_text("direct_url.json")
    except PackageNotFoundError:  # it runs in a checkout that is not installed
        return None
    if record is None:
        return ""
    match json.loads(record):
        case {"url": str(url), "archive_info": _}:
            return url
        case {"url": str(url), "vcs_info": {"vcs": str(vcs), "commit_id": str(commit)}}:
            return f"{vcs}+{url}@{commit}"
    return None


def _requirement(extras: set[str], place: str | None) -> str:
    listed = f"[{','.join(sorted(extras))}]"
    if place is None:
        return shlex.quote(f".{listed}")
    return shlex.quote(f"{DISTRIBUTION}{listed} @ {place}" if place else DISTRIBUTION + listed)


def is_installed(extra: str) -> bool:
    """Return whether the package of an extra can be imported."""
    try:
        return find_spec(_PACKAGES[extra]) is not None
    except ValueError:  # it was imported without a spec
        return False
