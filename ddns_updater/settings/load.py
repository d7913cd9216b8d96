"""Read the settings from the environment and the `.env` files; nothing else reads the environment.

The environment overrides `.env` in the working directory, which overrides `.env` in the per-user folder. `AWS_…`
variables in those files are passed to the SDK unchanged.
"""

import difflib
import os
from collections.abc import Mapping, Set
from pathlib import Path
from typing import NamedTuple

from dotenv.parser import parse_stream

from ddns_updater.alerts.urls import notify_urls, web_url, web_urls
from ddns_updater.dns.records import parse_record, parse_zone_id
from ddns_updater.errors import SettingsError
from ddns_updater.history.url import parse_database_url
from ddns_updater.model import Agreement, Family
from ddns_updater.settings.parse import Parser, whole
from ddns_updater.settings.settings import VARIABLES, Settings, user_folder
from ddns_updater.sources.spec import SEPARATOR, host_of, parse_source, without_secrets


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
    secret_files = [
        value for key, value in known.items() if key.endswith("_FILE") and key.removesuffix("_FILE") in VARIABLES
    ]
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
    settings = Settings(
        name=parser.get("DDNS_NAME", origin_name, default.name),
        database=parser.secret("DDNS_DATABASE_URL", parse_database_url, default.database),
        records=parser.items("DDNS_RECORDS", parse_record, default.records),
        hosted_zone_ids=parser.items("DDNS_HOSTED_ZONE_ID", parse_zone_id, default.hosted_zone_ids),
        ttl=parser.get("DDNS_TTL", whole("DDNS_TTL", "seconds", 1, 2_147_483_647, 300), default.ttl),
        ip_sources=parser.items(
            "DDNS_IP_SOURCES", parse_source, default.ip_sources, show=without_secrets, comma=SEPARATOR
        ),
        ip_families=parser.items("DDNS_IP_FAMILIES", _family, default.ip_families),
        ip_agreement=parser.choice("DDNS_IP_AGREEMENT", default.ip_agreement),
        ip_timeout=parser.seconds("DDNS_IP_TIMEOUT", default.ip_timeout, 1, 60),
        ip_retries=parser.get("DDNS_IP_RETRIES", whole("DDNS_IP_RETRIES", "retries", 0, 10, 3), default.ip_retries),
        run_timeout=parser.seconds("DDNS_RUN_TIMEOUT", default.run_timeout, 2, 3600),
        verify_timeout=parser.seconds("DDNS_VERIFY_TIMEOUT", default.verify_timeout, 0, 3600),
        recheck_every=parser.seconds("DDNS_RECHECK_EVERY", default.recheck_every, 0, 31_536_000),
        on_drift=parser.choice("DDNS_ON_DRIFT", default.on_drift),
        verify_name_servers=parser.get("DDNS_VERIFY_NAME_SERVERS", _switch, default.verify_name_servers),
        webhook_urls=parser.secret("DDNS_WEBHOOK_URLS", web_urls, default.webhook_urls),
        notify_urls=parser.secret("DDNS_NOTIFY_URLS", notify_urls, default.notify_urls),
        alert_after=parser.get("DDNS_ALERT_AFTER", whole("DDNS_ALERT_AFTER", "runs", 1, 1000, 3), default.alert_after),
        heartbeat_url=parser.secret("DDNS_HEARTBEAT_URL", web_url, default.heartbeat_url),
        metrics_file=parser.get("DDNS_METRICS_FILE", _metrics_file, default.metrics_file),
        state_folder=parser.get("DDNS_STATE_FOLDER", _folder, default.state_folder),
        aws=aws,
    )
    parser.problems += _contradictions(settings, parser.bad)
    both_valid = not parser.bad & {"DDNS_VERIFY_TIMEOUT", "DDNS_RUN_TIMEOUT"}
    if "DDNS_VERIFY_TIMEOUT" in parser.values and both_valid and settings.verify_timeout > settings.run_timeout:
        parser.problems.append(
            f"DDNS_VERIFY_TIMEOUT={settings.verify_timeout} is longer than"
            f" DDNS_RUN_TIMEOUT={settings.run_timeout}; make it shorter"
        )
    return settings


def origin_name(text: str) -> str:
    """Return `text` as the name of an origin; raises ValueError when it is not a valid one."""
    name = text.strip()
    if not name or len(name) > 255 or not name.isprintable():
        raise ValueError("is not a name of 1 to 255 printable characters")
    return name


def _family(text: str) -> Family:
    try:
        return Family(text.lower())
    except ValueError:
        raise ValueError("is not an address family; write ipv4, ipv6 or ipv4,ipv6") from None


def _switch(text: str) -> bool:
    if text not in ("0", "1"):
        raise ValueError("is not 0 or 1; write DDNS_VERIFY_NAME_SERVERS=1")
    return text == "1"


def _metrics_file(text: str) -> Path:
    if not text.endswith(".prom"):
        raise ValueError("does not end in .prom, so the node exporter would not read it; rename it")
    return _folder(text)


def _folder(text: str) -> Path:
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise ValueError("begins with the home folder of an unknown user; write the full path") from None


def _contradictions(settings: Settings, bad: Set[str]) -> list[str]:
    """Return the problems of values that are valid alone but not together; settings in `bad` are not compared."""
    problems = []
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
    return list(dict.fromkeys(problems))
