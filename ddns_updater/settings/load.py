"""Read the settings from the environment and the `.env` files; nothing else reads the environment.

The environment overrides `.env` in the working directory, which overrides `.env` in the per-user folder. `AWS_…`
variables in those files are passed to the SDK unchanged.
"""

import difflib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from dotenv.parser import parse_stream

from ddns_updater.errors import SettingsError
from ddns_updater.model import Agreement, Family
from ddns_updater.settings.parse import Parser
from ddns_updater.settings.settings import Settings, user_folder
from ddns_updater.settings.variables import SETTINGS, VARIABLES
from ddns_updater.sources.spec import host_of


class LoadResult(NamedTuple):
    """The settings, the problems found in them, and the files that they come from.

    A setting with a problem has its default value. `env_files` has the names that each `.env` file sets;
    `secret_files` are the files that the program or the SDK reads secrets from, whether they exist or not.
    """

    settings: Settings
    problems: tuple[str, ...]
    env_files: Mapping[Path, tuple[str, ...]]
    secret_files: tuple[Path, ...]


def load_settings(env_file: Path | None = None) -> Settings:
    """Read the environment and the `.env` files, or only `env_file` instead of those.

    Raises a SettingsError that lists every problem.
    """
    loaded = read_settings(env_file)
    if loaded.problems:
        raise SettingsError("\n".join(loaded.problems))
    return loaded.settings


def read_settings(env_file: Path | None = None) -> LoadResult:
    """Read the same settings, but return the problems instead of raising."""
    problems: list[str] = []
    files: dict[Path, dict[str, str]] = {}
    for path in [env_file] if env_file else [user_folder() / ".env", Path(".env")]:
        found = _read_env_file(path, problems, required=env_file is not None)
        if found is not None:
            files[path] = found
    written = {key: value for found in files.values() for key, value in found.items()}
    values = written | os.environ
    known = {key: values[key] for key in VARIABLES if key in values}
    problems += _misspelt(values)
    aws = {key: value for key, value in written.items() if key.startswith("AWS_")}
    settings = _settings(Parser(known, problems), aws)
    secret_files = [known[each.variables[1]] for each in SETTINGS if each.is_secret and each.variables[1] in known]
    secret_files.append(values.get("AWS_SHARED_CREDENTIALS_FILE") or "~/.aws/credentials")
    return LoadResult(
        settings,
        tuple(problems),
        {path: tuple(found) for path, found in files.items()},
        tuple(Path(os.path.expanduser(each.strip())) for each in secret_files),  # noqa: PTH111 - it never raises
    )


def wants_colours() -> bool:
    """Return whether the environment allows colours on a terminal (https://no-color.org)."""
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def ca_bundle() -> str | None:
    """Return the file or folder of certificate authorities that the environment names, None without one.

    The variables are those of requests, which sends the alerts, and so all of HTTPS trusts the same.
    """
    return os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")


def export_aws(settings: Settings) -> None:
    """Add the `AWS_…` variables of `.env` to the environment, where the SDK reads them; those already set win."""
    for key, value in settings.aws.items():
        os.environ.setdefault(key, value)


def _read_env_file(path: Path, problems: list[str], *, required: bool) -> dict[str, str] | None:
    """Return the variables that the file sets; None when it does not exist."""
    values: dict[str, str] = {}
    try:
        if not path.is_file():
            if required:
                problems.append(f"--env-file {str(path)!r} is not a file; name an existing one")
            return None
        with path.open(encoding="utf-8-sig") as stream:
            for binding in parse_stream(stream):
                if binding.error:  # its text is not shown: it may hold a secret
                    text = binding.original.string
                    number = binding.original.line + text[: len(text) - len(text.lstrip())].count("\n")
                    problems.append(f"{path}, line {number} cannot be read; write NAME=value")
                elif binding.key is not None:
                    values[binding.key] = binding.value or ""
    except (OSError, UnicodeDecodeError) as error:
        cause = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        problems.append(f"cannot read {path}: {cause}; fix or remove it")
    return values


def _misspelt(values: Mapping[str, str]) -> list[str]:
    found = []
    for key in sorted(values):
        if key.startswith("DDNS_") and key not in VARIABLES:
            near = difflib.get_close_matches(key, VARIABLES, n=1, cutoff=0.85)
            if near:
                found.append(f"{key} is not a setting; did you mean {near[0]}?")
    return found


def _settings(parser: Parser, aws: Mapping[str, str]) -> Settings:
    default = Settings()
    values = {each.field: each.read(parser, each.variable, getattr(default, each.field)) for each in SETTINGS}
    settings = Settings(**values, aws=aws)
    parser.problems += _contradictions(settings, parser)
    return settings


def _contradictions(settings: Settings, parser: Parser) -> list[str]:
    """Return the problems of values that are valid alone but not together; a bad value is not compared."""
    problems = []
    bad = parser.bad
    pins: dict[tuple[str, Family], str] = {}
    for record in settings.records:
        for family in Family:
            zone_id = record.zone_id if record.family in (None, family) else None
            if zone_id and pins.setdefault((record.name, family), zone_id) != zone_id:
                problems.append(f"DDNS_RECORDS pins {record.name} to two hosted zones; keep one of them")
        if record.family and record.family not in settings.ip_families and "DDNS_IP_FAMILIES" not in bad:
            problems.append(
                f"DDNS_RECORDS names {record.name}/{record.family.record_type}, but {record.family} is not in"
                f" DDNS_IP_FAMILIES; write DDNS_IP_FAMILIES={','.join([*settings.ip_families, record.family])}"
            )
    required = settings.ip_agreement is Agreement.REQUIRED and "DDNS_IP_SOURCES" not in bad
    if required and len(set(map(host_of, settings.ip_sources))) < 2:
        problems.append("DDNS_IP_AGREEMENT=required needs a second source in DDNS_IP_SOURCES; add one on another host")
    both_valid = not bad & {"DDNS_VERIFY_TIMEOUT", "DDNS_RUN_TIMEOUT"}
    if "DDNS_VERIFY_TIMEOUT" in parser.values and both_valid and settings.verify_timeout > settings.run_timeout:
        problems.append(
            f"DDNS_VERIFY_TIMEOUT={settings.verify_timeout} is longer than"
            f" DDNS_RUN_TIMEOUT={settings.run_timeout}; make it shorter"
        )
    return list(dict.fromkeys(problems))
