"""Read the settings from the environment and the `.env` files; nothing else reads the environment.

The environment overrides `.env` in the working directory, which overrides `.env` in the per-user folder. `AWS_…`
variables in those files are passed to the SDK unchanged.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ddns_updater.errors import SettingsError
from ddns_updater.history.url import DynamoDbUrl
from ddns_updater.settings.contradictions import contradictions
from ddns_updater.settings.env_files import EnvFile, nearest_variable, read_env_files
from ddns_updater.settings.home import forget_empty_home
from ddns_updater.settings.parse import Parser
from ddns_updater.settings.remarks import remarks_on
from ddns_updater.settings.settings import Settings
from ddns_updater.settings.variables import SETTINGS, VARIABLES, default_settings

if TYPE_CHECKING:
    from ddns_updater.settings.parameters import Parameters

_exported: set[str] = set()  # the variables that `export_aws` has added


class LoadResult(NamedTuple):
    """The settings, the problems found in them, and the files that they come from.

    A setting with a problem has its default value. `warnings` and `notes` are about valid ones (see `Remarks`).
    `secret_files` are the files that the program or the SDK reads secrets from, whether they exist or not.
    """

    settings: Settings
    problems: tuple[SettingsError, ...]
    warnings: tuple[SettingsError, ...]
    notes: tuple[SettingsError, ...]
    env_files: tuple[EnvFile, ...]
    secret_files: tuple[Path, ...]

    def valid(self) -> Settings:
        """Return the settings; raises a SettingsError that lists every problem in a line of its own."""
        if self.problems:
            variables = [variable for problem in self.problems for variable in problem.settings]
            raise SettingsError("\n".join(map(str, self.problems)), settings=variables)
        return self.settings


def read_settings(
    env_file: Path | None = None,
    *,
    for_init: bool = False,
    with_parameters: bool = True,
    given: Mapping[str, str] | None = None,
    read_parameter: Callable[[str], str] | None = None,
) -> LoadResult:
    """Read the environment and the `.env` files, or only `env_file` instead of those; `given` overrides both.

    `for_init` refuses a database file whose place depends on where the program is started. Without `with_parameters`
    AWS is not asked, and a setting that a parameter holds has its default value. `read_parameter` is what
    `parameter_reader` returned, where settings are read more than once.
    """
    forget_empty_home()
    found = read_env_files(env_file)
    written: dict[str, str] = {}
    set_in: dict[str, Path] = {}  # the file of each variable that the environment does not set
    for file in found.used:
        written |= file.texts
        set_in |= {variable: file.path for variable in file.texts if variable not in os.environ}
    texts = written | os.environ | dict(given or {})
    known = {variable: texts[variable] for variable in VARIABLES if variable in texts}
    aws = {key: value for key, value in written.items() if key.startswith("AWS_")}
    parser = Parser(known, SETTINGS, (read_parameter or parameter_reader(aws)) if with_parameters else None)
    settings = default_settings()._replace(**parser.values, parameters=parser.parameters, aws=aws)
    if isinstance(settings.database, DynamoDbUrl) and "state_folder" not in parser.values:
        settings = settings._replace(state_folder=None)
    remarks = remarks_on(settings, parser.given | parser.bad, found, for_init=for_init)
    wrong = [*parser.problems, *contradictions(settings, parser.given, parser.bad), *remarks.problems]
    secret_files = [known[each.variables[1]] for each in SETTINGS if each.is_secret and each.variables[1] in known]
    secret_files.append(texts.get("AWS_SHARED_CREDENTIALS_FILE") or "~/.aws/credentials")
    return LoadResult(
        settings,
        problems=(*found.problems, *_misspelt(texts, set_in), *(_located(problem, set_in) for problem in wrong)),
        warnings=remarks.warnings,
        notes=tuple(_located(note, set_in) for note in remarks.notes),
        env_files=found.used,
        secret_files=tuple(Path(os.path.expanduser(each.strip())) for each in secret_files),  # noqa: PTH111 - it never raises
    )


def parameter_reader(aws: Mapping[str, str]) -> Callable[[str], str]:
    """Return what reads each parameter once, with the `AWS_…` variables of the `.env` files as well."""

    @cache
    def parameters() -> "Parameters":
        _export(aws)
        from ddns_updater.settings.parameters import Parameters  # imports boto3, which only a parameter is worth

        return Parameters()

    return cache(lambda name: parameters().read(name))


def environment_text(variable: str) -> str:
    """Return the text of an environment variable without the blanks around it, empty when it is not set."""
    return os.environ.get(variable, "").strip()


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
    _export(settings.aws)


def _export(aws: Mapping[str, str]) -> None:
    for key, value in aws.items():
        if key not in os.environ:
            os.environ[key] = value
            _exported.add(key)


def environment_of_programs() -> dict[str, str]:
    """Return the environment that this program was started with, without the secrets of its own settings."""
    secrets = {each.variable for each in SETTINGS if each.is_secret} | {"DDNS_IP_SOURCES"}  # may hold passwords
    return {key: value for key, value in os.environ.items() if key not in secrets | _exported}


def _misspelt(texts: Mapping[str, str], set_in: Mapping[str, Path]) -> Iterator[SettingsError]:
    for variable in sorted(each for each in texts if each.startswith("DDNS_") and each not in VARIABLES):
        if near := nearest_variable(variable, cutoff=0.85):
            where = f" (in {set_in[variable]})" if variable in set_in else ""
            yield SettingsError(f"{variable} is not a setting{where}", f"did you mean {near}?", settings=(near,))


def _located(problem: SettingsError, set_in: Mapping[str, Path]) -> SettingsError:
    """Return `problem` with the files that set the variables at fault; those of the environment need none."""
    places: dict[Path, list[str]] = {}
    for setting in SETTINGS:
        if setting.variable in problem.settings:
            for variable in setting.variables:
                if variable in set_in:
                    places.setdefault(set_in[variable], []).append(variable)
    if not places:
        return problem
    parts = [f"{' and '.join(variables)} in {path}" for path, variables in places.items()]
    where = f"set in {next(iter(places))}" if len(problem.settings) == 1 and len(places) == 1 else ", ".join(parts)
    return SettingsError(f"{problem.problem} ({where})", problem.advice, settings=problem.settings)
