"""The table of the settings: for each its variable, how it is parsed, its default and what it means.

`.env.example` and `docs/settings.md` are made from it, by `make format`.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from ddns_updater.alerts.urls import parse_apprise, parse_heartbeat, parse_webhooks
from ddns_updater.dns.records import parse_record, parse_zone_id
from ddns_updater.history.url import SqliteUrl, parse_database_url
from ddns_updater.lib.files import named_path
from ddns_updater.model import Agreement, OnDrift
from ddns_updater.settings.home import user_folder
from ddns_updater.settings.settings import Settings
from ddns_updater.settings.values import (
    choice,
    family,
    items,
    listen,
    metrics_file,
    origin_name,
    status_password,
    switch,
    trusted_proxies,
    whole,
)
from ddns_updater.sources.spec import DEFAULT_SOURCES, SEPARATOR, parse_source, without_secrets


class Setting(NamedTuple):
    """One setting; a secret one can also be given by where it is kept.

    That is a file, by the variable with `_FILE`, or a SecureString of AWS Systems Manager, by that with `_PARAMETER`.

    `default` is the value without the variable, as one would write it; where it cannot be written (it is nothing, or
    depends on the user), it is a function that returns the value, and `example` is what to write instead.
    """

    variable: str
    field: str  # of `Settings`
    parse: Callable[[str], Any]
    help: str  # one paragraph a line
    default: str | Callable[[], Any] = lambda: None
    example: str | None = None
    is_secret: bool = False

    @property
    def variables(self) -> tuple[str, ...]:
        """Return the names under which it can be set."""
        twins = (f"{self.variable}_FILE", f"{self.variable}_PARAMETER") if self.is_secret else ()
        return (self.variable, *twins)

    @property
    def default_value(self) -> Any:
        """Return the value without the variable."""
        return self.parse(self.default) if isinstance(self.default, str) else self.default()


_SOURCES_HELP = """\
The sources of the public address, comma-separated, asked in this order (the default starts at a random one, to spread \
the load).
A source is one of
  https://ifconfig.me/ip                      a service that answers in plain text; http:// as well
  https://api.example.com/ip.json#/ip         one that answers in JSON, with a pointer to the field
  dns:opendns, dns:google, dns:cloudflare     the address that a resolver sees (extra dns)
  dns:myip.opendns.com@resolver1.opendns.com  the same with a name and a server; add ?type=TXT&class=CH if needed
  interface:eth0                              that of a Linux network interface (extra interface); ?temporary for IPv6
  ec2:i-0123456789abcdef0                     that of an EC2 instance; add ?region=eu-west-1 if needed
  imds:                                       that of the EC2 instance this runs on
  file:/run/router/address                    the content of a file
  command:ssh router show-ip                  the output of a program; commas may be in it, but not before a source"""

SETTINGS = (
    Setting(
        "DDNS_NAME",
        "name",
        origin_name,
        "The origin: the internet line to track, as named with `ddns init --name`. Default: the only one there is.",
        example="home",
    ),
    Setting(
        "DDNS_DATABASE_URL",
        "database",
        parse_database_url,
        "Where versions are kept: MySQL or MariaDB, with special characters of the password percent-encoded, an"
        " SQLite file, as sqlite:////var/lib/ddns-updater/ddns.sqlite3, or a table of DynamoDB, as"
        " dynamodb://TABLE?region=eu-west-1. Default: such a file beside this one.\n"
        "With ?ssl_mode=verify the connection must be encrypted and the server verified, with ?ssl_ca=FILE by an"
        " authority of your own (also ssl_cert, ssl_key, ssl_verify_identity=0); with ?ssl_mode=required it must only"
        " be encrypted. Without TLS, ?server_public_key=FILE pins the key that encrypts the password.",
        default=lambda: SqliteUrl(user_folder().path / "ddns.sqlite3"),
        example="mysql://ddns:change-me@db.example.com:3306/app?ssl_ca=/etc/ssl/certs/db-ca.pem",
        is_secret=True,
    ),
    Setting(
        "DDNS_RECORDS",
        "records",
        items(parse_record),
        "The records that follow the line, comma-separated; * may be the first label. Default: none, only the history"
        " is kept.\n"
        "NAME/A or NAME/AAAA restricts one to an address family, NAME=ZONEID pins it to a hosted zone where two cover"
        " the name.",
        default=tuple,
        example="home.example.com",
    ),
    Setting(
        "DDNS_HOSTED_ZONE_ID",
        "hosted_zone_ids",
        items(parse_zone_id),
        "The hosted zones to use, comma-separated. Default: for each record the longest public zone that covers it.",
        default=tuple,
        example="Z0123456789ABCDEFGHIJ",
    ),
    Setting(
        "DDNS_TTL",
        "ttl",
        whole("seconds", 1, 2_147_483_647, "write DDNS_TTL=300"),
        "Seconds that resolvers may keep an answer. Default: the TTL of the record set, else 60.",
        example="300",
    ),
    Setting(
        "DDNS_IP_SOURCES",
        "ip_sources",
        items(parse_source, show=without_secrets, separator=SEPARATOR),
        _SOURCES_HELP,
        default=lambda: DEFAULT_SOURCES,
        example=",".join(each.text for each in DEFAULT_SOURCES),
    ),
    Setting(
        "DDNS_IP_FAMILIES",
        "ip_families",
        items(family),
        "The address families to keep: ipv4 for A records, ipv6 for AAAA records, or ipv4,ipv6.\n"
        "Run `ddns init` again after adding one.",
        default="ipv4",
    ),
    Setting(
        "DDNS_IP_AGREEMENT",
        "ip_agreement",
        choice(Agreement, "write DDNS_IP_AGREEMENT=preferred"),
        "Whether a source on another host has to confirm a changed address before it is written: preferred (if none"
        " answers, the change goes through with a warning), required (it is held) or off (no second source is asked).\n"
        "What ec2: or imds: says needs no confirmation.",
        default="preferred",
    ),
    Setting(
        "DDNS_IP_TIMEOUT",
        "ip_timeout",
        whole("seconds", 1, 60, "write DDNS_IP_TIMEOUT=5"),
        "Seconds to wait for a source.",
        default="5",
    ),
    Setting(
        "DDNS_IP_RETRIES",
        "ip_retries",
        whole("retries", 0, 10, "write DDNS_IP_RETRIES=3"),
        "How many times to retry a service that does not answer.",
        default="3",
    ),
    Setting(
        "DDNS_RUN_TIMEOUT",
        "run_timeout",
        whole("seconds", 2, 3600, "write DDNS_RUN_TIMEOUT=55"),
        "Seconds after which a run is stopped.",
        default="55",
    ),
    Setting(
        "DDNS_VERIFY_TIMEOUT",
        "verify_timeout",
        whole("seconds", 0, 3600, "write DDNS_VERIFY_TIMEOUT=45"),
        "Seconds to wait until Route 53 reports a change on all of its name servers; the next run continues to wait.",
        default="45",
    ),
    Setting(
        "DDNS_RECHECK_EVERY",
        "recheck_every",
        whole("seconds", 0, 31_536_000, "write DDNS_RECHECK_EVERY=3600"),
        "Seconds after which a verified record is checked again for changes by others. 0 is never.",
        default="3600",
    ),
    Setting(
        "DDNS_ON_DRIFT",
        "on_drift",
        choice(OnDrift, "write DDNS_ON_DRIFT=repair"),
        "What to do about a record that somebody else changed: repair it, or report it, which fails the run until you"
        " correct it.",
        default="repair",
    ),
    Setting(
        "DDNS_VERIFY_NAME_SERVERS",
        "verify_name_servers",
        switch("write DDNS_VERIFY_NAME_SERVERS=1"),
        "1 to query every authoritative name server of the zone before a record counts as verified (extra dns).",
        default="0",
    ),
    Setting(
        "DDNS_WEBHOOK_URLS",
        "webhooks",
        parse_webhooks,
        "Webhooks for alerts: changed address, repaired record, failing runs, recovery. Comma-separated. Slack and"
        " Discord get their own format, as do URLs with slack+ or discord+ before them; any other gets JSON."
        " Default: none.",
        default=tuple,
        example="https://hooks.slack.com/services/T000/B000/change-me,https://hooks.example.com/ddns",
        is_secret=True,
    ),
    Setting(
        "DDNS_NOTIFY_URLS",
        "apprise",
        parse_apprise,
        "More channels for alerts, as Apprise URLs: mail, Telegram, ntfy, Matrix and more (extra notify).",
        default=tuple,
        example="ntfy://change-me,mailto://user:change-me@example.com",
        is_secret=True,
    ),
    Setting(
        "DDNS_ALERT_AFTER",
        "alert_after",
        whole("runs", 1, 1000, "write DDNS_ALERT_AFTER=3"),
        "How many runs in a row have to fail before an alert. Reminders follow after 1 h, 6 h, then daily.",
        default="3",
    ),
    Setting(
        "DDNS_HEARTBEAT_URL",
        "heartbeat",
        parse_heartbeat,
        "A dead man's switch, pinged at the end of every run: a check of healthchecks.io or a push monitor of Uptime"
        " Kuma.",
        example="https://hc-ping.com/00000000-0000-0000-0000-000000000000",
        is_secret=True,
    ),
    Setting(
        "DDNS_METRICS_FILE",
        "metrics_file",
        metrics_file,
        "A file for the textfile collector of Prometheus' node exporter, written after every run (extra metrics).",
        example="/var/lib/prometheus/node-exporter/ddns.prom",
    ),
    Setting(
        "DDNS_STATE_FOLDER",
        "state_folder",
        named_path,
        "The folder of the state file: the results of recent runs and undelivered alerts. Without it a DynamoDB table"
        " keeps them.",
        default=lambda: user_folder().path,
        example="~/.config/ddns-updater",
    ),
    Setting(
        "DDNS_SERVE_LISTEN",
        "serve_listen",
        listen,
        "The address and port of `ddns serve`, which speaks HTTP: a reverse proxy before it does TLS (extra serve).",
        default="127.0.0.1:8245",
    ),
    Setting(
        "DDNS_SERVE_TRUSTED_PROXIES",
        "serve_trusted_proxies",
        trusted_proxies,
        "The addresses or networks of the reverse proxies, comma-separated: their X-Forwarded-For says where a request"
        " of `ddns serve` came from.",
        default="127.0.0.1,::1",
    ),
    Setting(
        "DDNS_SERVE_STATUS_PASSWORD",
        "serve_status_password",
        status_password,
        "The password of /status and /metrics of `ddns serve`. Default: neither is served.",
        example="change-me",
        is_secret=True,
    ),
)
VARIABLES = tuple(variable for setting in SETTINGS for variable in setting.variables)


def default_settings() -> Settings:
    """Return the settings without any variable."""
    return Settings(**{each.field: each.default_value for each in SETTINGS}, parameters={}, aws={})
