"""The variables of the settings: for each the field of `Settings` that it fills, and how to read it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from ddns_updater.alerts.urls import notify_urls, web_url, web_urls
from ddns_updater.dns.records import parse_record, parse_zone_id
from ddns_updater.history.url import parse_database_url
from ddns_updater.model import Family
from ddns_updater.settings.parse import Parser, whole
from ddns_updater.sources.spec import SEPARATOR, parse_source, without_secrets

Read = Callable[[Parser, str, Any], Any]  # the variable and the default; returns the value


class Setting(NamedTuple):
    """One setting; a secret one can also be given as a file, by the variable with `_FILE`."""

    variable: str
    field: str
    read: Read
    is_secret: bool = False

    @property
    def variables(self) -> tuple[str, ...]:
        """Return the names under which it can be set."""
        return (self.variable, f"{self.variable}_FILE") if self.is_secret else (self.variable,)


def origin_name(text: str) -> str:
    """Return `text` as the name of an origin; raises ValueError when it is not a valid one."""
    name = text.strip()
    if not name or len(name) > 255 or not name.isprintable():
        raise ValueError("is not a name of 1 to 255 printable characters")
    return name


def _one(parse: Callable[[str], Any]) -> Read:
    return lambda parser, variable, default: parser.get(variable, parse, default)


def _number(unit: str, low: int, high: int, example: int) -> Read:
    return lambda parser, variable, default: parser.get(variable, whole(variable, unit, low, high, example), default)


def _secret(parse: Callable[[str], Any]) -> Read:
    return lambda parser, variable, default: parser.secret(variable, parse, default)


def _list(parse: Callable[[str], Any]) -> Read:
    return lambda parser, variable, default: parser.items(variable, parse, default)


def _sources(parser: Parser, variable: str, default: tuple[str, ...]) -> tuple[str, ...]:
    return parser.items(variable, parse_source, default, show=without_secrets, comma=SEPARATOR)


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


SETTINGS = (
    Setting("DDNS_NAME", "name", _one(origin_name)),
    Setting("DDNS_DATABASE_URL", "database", _secret(parse_database_url), is_secret=True),
    Setting("DDNS_RECORDS", "records", _list(parse_record)),
    Setting("DDNS_HOSTED_ZONE_ID", "hosted_zone_ids", _list(parse_zone_id)),
    Setting("DDNS_TTL", "ttl", _number("seconds", 1, 2_147_483_647, 300)),
    Setting("DDNS_IP_SOURCES", "ip_sources", _sources),
    Setting("DDNS_IP_FAMILIES", "ip_families", _list(_family)),
    Setting("DDNS_IP_AGREEMENT", "ip_agreement", Parser.choice),
    Setting("DDNS_IP_TIMEOUT", "ip_timeout", _number("seconds", 1, 60, 5)),
    Setting("DDNS_IP_RETRIES", "ip_retries", _number("retries", 0, 10, 3)),
    Setting("DDNS_RUN_TIMEOUT", "run_timeout", _number("seconds", 2, 3600, 55)),
    Setting("DDNS_VERIFY_TIMEOUT", "verify_timeout", _number("seconds", 0, 3600, 45)),
    Setting("DDNS_RECHECK_EVERY", "recheck_every", _number("seconds", 0, 31_536_000, 3600)),
    Setting("DDNS_ON_DRIFT", "on_drift", Parser.choice),
    Setting("DDNS_VERIFY_NAME_SERVERS", "verify_name_servers", _one(_switch)),
    Setting("DDNS_WEBHOOK_URLS", "webhook_urls", _secret(web_urls), is_secret=True),
    Setting("DDNS_NOTIFY_URLS", "notify_urls", _secret(notify_urls), is_secret=True),
    Setting("DDNS_ALERT_AFTER", "alert_after", _number("runs", 1, 1000, 3)),
    Setting("DDNS_HEARTBEAT_URL", "heartbeat_url", _secret(web_url), is_secret=True),
    Setting("DDNS_METRICS_FILE", "metrics_file", _one(_metrics_file)),
    Setting("DDNS_STATE_FOLDER", "state_folder", _one(_folder)),
)
VARIABLES = tuple(variable for setting in SETTINGS for variable in setting.variables)
