"""How this program was installed, and so how an optional package is added to it."""

import shlex
import sys
from importlib.util import find_spec
from pathlib import Path

from ddns_updater.errors import SettingsError

_PACKAGES = {  # what each extra brings
    "demo": "moto",
    "dns": "dns",
    "interface": "pyroute2",
    "metrics": "prometheus_client",
    "notify": "apprise",
}


def missing_extra(what: str, extra: str) -> SettingsError:
    """Return the error for `what`, which needs an optional package that is not installed."""
    return SettingsError(f"{what} needs the extra {extra}", install_advice(extra))


def install_advice(extra: str) -> str:
    """Return how to add an extra to this installation; the package index has another program of this name."""
    installed = [each for each in _PACKAGES if is_installed(each)]
    return f"in the checkout, run {install_command(extra, installed, Path(sys.prefix))}"


def install_command(extra: str, installed: list[str], prefix: Path) -> str:
    """Return the command that adds an extra to the environment at `prefix` and keeps the `installed` ones.

    pipx and uv build the environment anew, from what is named. One that uv has made need not have pip.
    """
    whole = shlex.quote(f".[{','.join(sorted({extra, *installed}))}]")
    match prefix.parts[-3:]:
        case ("pipx", "venvs", _):
            return f"pipx install --force {whole}"
        case ("uv", "tools", _):
            return f"uv tool install --reinstall {whole}"
    added = shlex.quote(f".[{extra}]")
    if not (prefix / "bin" / "pip").exists():
        return f"uv pip install --python {shlex.quote(str(prefix))} {added}"
    return f"{shlex.quote(str(prefix / 'bin' / 'pip'))} install {added}"


def is_installed(extra: str) -> bool:
    """Return whether the package of an extra can be imported."""
    try:
        return find_spec(_PACKAGES[extra]) is not None
    except ValueError:  # it was imported without a spec
        return False
