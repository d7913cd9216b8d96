"""Read the settings from the environment and the `.env` files; nothing else reads the environment.

The environment overrides `.env` in the working directory, which overrides `.env` in the per-user folder. `AWS_…`
variables in those files are passed to the SDK unchanged.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from ddns_updater.errors import SettingsError
from ddns_updater.settings.contradictions import contradictions
from ddns_updater.settings.parse import Parser
from ddns_updater.settings.settings import Settings
from ddns_updater.settings.variables import SETTINGS, VARIABLES, default_settings, user_folder


class EnvFile(NamedTuple):
    """A `.env` file, with the names that it sets, and whether some of its lines cannot be read."""

    path: Path
    variables: tuple[str, ...]
    has_unreadable_lines: bool


class LoadResult(NamedTuple):
    """The settings, the problems found in them, and the files that they come from.

    A setting with a problem has its default value. `secret_files` are the files that the program or the SDK reads
    secrets from, whether they exist or not.
    """

    settings: Settings
    problems: tuple[SettingsError, ...]
    env_files: tuple[EnvFile, ...]
    secret_files: tuple[Path, ...]


def load_settings(env_file: Path | None = None) -> Settings:
    """Read the environment and the `.env` files, or only `env_file` instead of those.

    Raises a SettingsError that lists every problem in a line of its own.
    """
    loaded = read_settings(env_file)
    if loaded.problems:
        variables = [variable for problem in loaded.problems for variable in problem.settings]
        raise SettingsError("\n".join(map(str, loaded.problems)), settings=variables)
    return loaded.settings


def read_settings(env_file: Path | None = None) -> LoadResult:
    """Read the same settings, but return the problems instead of raising."""
    problems: list[SettingsError] = []
    written: dict[str, str] = {}
    env_files = []
    for path in [env_file] if env_file else [user_folder() / ".env", Path(".env")]:
        found, unreadable = _read_env_file(path, required=env_file is not None)
        problems += unreadable
        if found is not None:
            written |= found
            env_files.append(EnvFile(path, tuple(found), bool(unreadable)))
    texts = written | os.environ
    known = {variable: texts[variable] for variable in VARIABLES if variable in texts}
    problems += _misspelt(texts)
    parser = Parser(known, SETTINGS)
    aws = {key: value for key, value in written.items() if key.startswith("AWS_")}
    settings = default_settings()._replace(**parser.values, aws=aws)
    problems += [*parser.problems, *contradictions(settings, parser.given, parser.bad)]
    secret_files = [known[each.variables[1]] for each in SETTINGS if each.is_secret and each.variables[1] in known]
    secret_files.append(texts.get("AWS_SHARED_CREDENTIALS_FILE") or "~/.aws/credentials")
    return LoadResult(
        settings,
        tuple(problems),
        tuple(env_files),
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


def _read_env_file(path: Path, *, required: bool) -> tuple[dict[str, str] | None, list[SettingsError]]:
    """Return the variables that the file sets, None when it does not exist, and what cannot be read."""
    texts: dict[str, str] = {}
    problems = []
    try:
        if not path.is_file():
            missing = SettingsError(f"--env-file {str(path)!r} is not a file", "name an existing one")
            return None, [missing] if required else []
        from dotenv.parser import parse_stream  # 2.5 ms of every run, which only a file is worth

        with path.open(encoding="utf-8-sig") as stream:
            for binding in parse_stream(stream):
                if binding.error:  # its text is not shown: it may hold a secret
                    text = binding.original.string
                    number = binding.original.line + text[: len(text) - len(text.lstrip())].count("\n")
                    problems.append(SettingsError(f"{path}, line {number} cannot be read", "write NAME=value"))
                elif binding.key is not None:
                    texts[binding.key] = binding.value or ""
    except (OSError, UnicodeDecodeError) as error:
        cause = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        problems.append(SettingsError(f"cannot read {path}: {cause}", "fix or remove it"))
    return texts, problems


def _misspelt(texts: Mapping[str, str]) -> Iterator[SettingsError]:
    unknown = sorted(each for each in texts if each.startswith("DDNS_") and each not in VARIABLES)
    if not unknown:
        return
    import difflib  # 0.5 ms of every run, which nearly none needs

    for variable in unknown:
        near = difflib.get_close_matches(variable, VARIABLES, n=1, cutoff=0.85)
        if near:
            yield SettingsError(f"{variable} is not a setting", f"did you mean {near[0]}?", settings=near)
