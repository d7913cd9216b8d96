"""The only reader of the environment and of `.env`; everything else gets one frozen `Settings`.

The environment wins over `.env` in the working directory, which wins over `.env` in the per-user folder. `AWS_…` lines
of those files are the SDK's and are handed to it as they are.
"""

import difflib
import os
import re
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

import click
from dotenv.parser import parse_stream

from ddns_updater.database_url import MySqlUrl, SqliteUrl, parse_database_url
from ddns_updater.errors import SettingsError
from ddns_updater.model import Agreement, Family, OnDrift, WantedRecord
from ddns_updater.record_forms import parse_record, parse_zone_id
from ddns_updater.source_forms import SEPARATOR, host_of, parse_source, without_secrets

_T = TypeVar("_T")
_E = TypeVar("_E", bound=StrEnum)

APP_NAME = "ddns-updater"
DEFAULT_SOURCES = ("https://ifconfig.me/ip", "https://icanhazip.com", "https://api64.ipify.org")
_COMMA = re.compile(",")
VARIABLES = (
    "DDNS_NAME",
    "DDNS_DATABASE_URL",
    "DDNS_DATABASE_URL_FILE",
    "DDNS_RECORDS",
    "DDNS_HOSTED_ZONE_ID",
    "DDNS_TTL",
    "DDNS_IP_SOURCES",
    "DDNS_IP_FAMILIES",
    "DDNS_IP_AGREEMENT",
    "DDNS_IP_TIMEOUT",
    "DDNS_IP_RETRIES",
    "DDNS_RUN_TIMEOUT",
    "DDNS_VERIFY_TIMEOUT",
    "DDNS_RECHECK_EVERY",
    "DDNS_ON_DRIFT",
    "DDNS_VERIFY_NAME_SERVERS",
)


@dataclass(frozen=True)
class Settings:
    """Everything a command needs to know; times in seconds. See `.env.example` for what each means."""

    name: str | None = None
    database: MySqlUrl | SqliteUrl = field(default_factory=lambda: SqliteUrl(user_folder() / "ddns.sqlite3"))
    records: tuple[WantedRecord, ...] = ()
    hosted_zone_ids: tuple[str, ...] = ()
    ttl: int | None = None
    ip_sources: tuple[str, ...] = field(default=DEFAULT_SOURCES, repr=False)  # a URL may hold a key
    ip_families: tuple[Family, ...] = (Family.IPV4,)
    ip_agreement: Agreement = Agreement.PREFERRED
    ip_timeout: int = 5
    ip_retries: int = 3
    run_timeout: int = 55
    verify_timeout: int = 45
    recheck_every: int = 3600
    on_drift: OnDrift = OnDrift.REPAIR
    verify_name_servers: bool = False
    aws: Mapping[str, str] = field(default_factory=dict, repr=False)


def user_folder() -> Path:
    """Return the per-user folder of this program; it need not exist."""
    return Path(click.get_app_dir(APP_NAME))


def load_settings(env_file: Path | None = None) -> Settings:
    """Read the environment and the `.env` files, or `env_file` in their place.

    Raises SettingsError that lists every bad value at once.
    """
    problems: list[str] = []
    files: dict[str, str] = {}
    for path in [env_file] if env_file else [user_folder() / ".env", Path(".env")]:
        files |= _read_env_file(path, problems, required=env_file is not None)
    values = files | os.environ
    known = {key: values[key] for key in VARIABLES if key in values}
    problems += _misspelt(values)
    aws = {key: value for key, value in files.items() if key.startswith("AWS_")}
    settings = _Reader(known, problems).settings(aws)
    if problems:
        raise SettingsError("\n".join(problems))
    return settings


def export_aws(settings: Settings) -> None:
    """Hand the `AWS_…` lines of `.env` to the SDK, which reads the environment; the environment wins."""
    for key, value in settings.aws.items():
        os.environ.setdefault(key, value)


def _read_env_file(path: Path, problems: list[str], *, required: bool) -> dict[str, str]:
    values: dict[str, str] = {}
    try:
        if not path.is_file():
            if required:
                problems.append(f"--env-file {str(path)!r} is not a file; name an existing one")
            return values
        with path.open(encoding="utf-8-sig") as stream:
            for binding in parse_stream(stream):
                if binding.error:  # the line itself is not shown, for it may hold a secret
                    text = binding.original.string
                    number = binding.original.line + text[: len(text) - len(text.lstrip())].count("\n")
                    problems.append(f"{path}, line {number} cannot be read; write NAME=value")
                elif binding.key is not None:
                    values[binding.key] = binding.value or ""
    except (OSError, UnicodeDecodeError) as error:
        cause = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        problems.append(f"cannot read {path}: {cause}; mend or remove it")
    return values


def _misspelt(values: Mapping[str, str]) -> list[str]:
    found = []
    for key in sorted(values):
        if key.startswith("DDNS_") and key not in VARIABLES:
            near = difflib.get_close_matches(key, VARIABLES, n=1, cutoff=0.85)
            if near:
                found.append(f"{key} is not a setting; did you mean {near[0]}?")
    return found


class _Reader:
    """Turns text into values, noting every problem instead of stopping at the first."""

    def __init__(self, values: Mapping[str, str], problems: list[str]) -> None:
        self._values = {key: value.strip() for key, value in values.items()}
        self._problems = problems
        self._bad: set[str] = set()

    def settings(self, aws: Mapping[str, str]) -> Settings:
        for key, value in self._values.items():
            if not value:
                self._problems.append(f"{key} is empty; give it a value or remove the line")
                self._bad.add(key)
        default = Settings()
        settings = Settings(
            name=self._get("DDNS_NAME", origin_name, default.name),
            database=self._get_secret("DDNS_DATABASE_URL", parse_database_url, default.database),
            records=self._list("DDNS_RECORDS", parse_record, default.records),
            hosted_zone_ids=self._list("DDNS_HOSTED_ZONE_ID", parse_zone_id, default.hosted_zone_ids),
            ttl=self._get("DDNS_TTL", _whole("DDNS_TTL", "seconds", 1, 2_147_483_647, 300), default.ttl),
            ip_sources=self._list(
                "DDNS_IP_SOURCES", parse_source, default.ip_sources, show=without_secrets, comma=SEPARATOR
            ),
            ip_families=self._list("DDNS_IP_FAMILIES", _family, default.ip_families),
            ip_agreement=self._choice("DDNS_IP_AGREEMENT", default.ip_agreement),
            ip_timeout=self._seconds("DDNS_IP_TIMEOUT", default.ip_timeout, 1, 60),
            ip_retries=self._get("DDNS_IP_RETRIES", _whole("DDNS_IP_RETRIES", "retries", 0, 10, 3), default.ip_retries),
            run_timeout=self._seconds("DDNS_RUN_TIMEOUT", default.run_timeout, 2, 3600),
            verify_timeout=self._seconds("DDNS_VERIFY_TIMEOUT", default.verify_timeout, 0, 3600),
            recheck_every=self._seconds("DDNS_RECHECK_EVERY", default.recheck_every, 0, 31_536_000),
            on_drift=self._choice("DDNS_ON_DRIFT", default.on_drift),
            verify_name_servers=self._get("DDNS_VERIFY_NAME_SERVERS", _switch, default.verify_name_servers),
            aws=aws,
        )
        self._problems += _contradictions(settings, self._bad)
        both_good = not self._bad & {"DDNS_VERIFY_TIMEOUT", "DDNS_RUN_TIMEOUT"}
        if "DDNS_VERIFY_TIMEOUT" in self._values and both_good and settings.verify_timeout > settings.run_timeout:
            self._problems.append(
                f"DDNS_VERIFY_TIMEOUT={settings.verify_timeout} is longer than"
                f" DDNS_RUN_TIMEOUT={settings.run_timeout}; make it shorter"
            )
        return settings

    def _get(self, key: str, parse: Callable[[str], _T], default: _T) -> _T:
        text = self._values.get(key)
        if not text:
            return default
        try:
            return parse(text)
        except ValueError as error:
            self._problems.append(f"{key}={text!r} {error}")
            self._bad.add(key)
            return default

    def _seconds(self, key: str, default: int, low: int, high: int) -> int:
        return self._get(key, _whole(key, "seconds", low, high, default), default)

    def _choice(self, key: str, default: _E) -> _E:
        def parse(text: str) -> _E:
            try:
                return type(default)(text.lower())
            except ValueError:
                words = " or ".join(", ".join(type(default)).rsplit(", ", 1))
                raise ValueError(f"is not {words}; write {key}={default}") from None

        return self._get(key, parse, default)

    def _list(
        self,
        key: str,
        parse: Callable[[str], _T],
        default: tuple[_T, ...],
        *,
        show: Callable[[str], str] = repr,
        comma: re.Pattern[str] = _COMMA,
    ) -> tuple[_T, ...]:
        def parse_list(text: str) -> tuple[_T, ...]:
            parsed: dict[_T, None] = {}  # keeps the order, drops what is named twice
            items = [item.strip() for item in comma.split(text) if item.strip(" ,")]
            if not items:
                raise ValueError("lists nothing; give it a value or remove the line")
            for item in items:
                try:
                    parsed[parse(item)] = None
                except ValueError as error:
                    self._problems.append(f"{key}: {show(item)} {error}")
                    self._bad.add(key)
            return tuple(parsed) or default

        return self._get(key, parse_list, default)

    def _get_secret(self, key: str, parse: Callable[[str], _T], default: _T) -> _T:
        """Read `key` or the file that `key`_FILE names; a problem never shows the value."""
        text, file = self._values.get(key), self._values.get(f"{key}_FILE")
        shown = key
        if text and file:
            self._problems.append(f"{key} and {key}_FILE are both set; keep one of them")
        elif file:
            shown = f"{key}_FILE={file!r}"
            try:
                text = Path(file).read_text(encoding="utf-8").strip()
            except (OSError, ValueError) as error:
                cause = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
                self._problems.append(f"{shown} cannot be read: {cause}; name a file that holds the value")
                return default
            if not text:
                self._problems.append(f"{shown} is an empty file; put the value into it")
        if not text:
            return default
        try:
            return parse(text)
        except ValueError as error:
            self._problems.append(f"{shown} {error}")
            return default


def origin_name(text: str) -> str:
    """Return `text` as the name of an origin; raises ValueError when it cannot be one."""
    name = text.strip()
    if not name or len(name) > 255 or not name.isprintable():
        raise ValueError("is not a name of 1 to 255 printable characters")
    return name


def _whole(key: str, unit: str, low: int, high: int, example: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not (text.isascii() and text.isdigit()):
            raise ValueError(f"is not a whole number of {unit}; write {key}={example}")
        if not low <= int(text) <= high:
            raise ValueError(f"is not between {low} and {high} {unit}; write {key}={example}")
        return int(text)

    return parse


def _family(text: str) -> Family:
    try:
        return Family(text.lower())
    except ValueError:
        raise ValueError("is not an address family; write ipv4, ipv6 or ipv4,ipv6") from None


def _switch(text: str) -> bool:
    if text not in ("0", "1"):
        raise ValueError("is not 0 or 1; write DDNS_VERIFY_NAME_SERVERS=1")
    return text == "1"


def _contradictions(settings: Settings, bad: Set[str]) -> list[str]:
    """Return what is good by itself but cannot be together; a bad value of `bad` settings is not compared."""
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
        problems.append("DDNS_IP_AGREEMENT=required needs a second source in DDNS_IP_SOURCES; add one of another host")
    return list(dict.fromkeys(problems))
