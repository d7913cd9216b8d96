"""The text of `docs/settings.md`, made from the table of the settings; `make format` writes it."""

import textwrap

from ddns_updater.settings.variables import SETTINGS, Setting

_WIDTH = 120
DEFAULTS = ("DDNS_IP_SOURCES", "DDNS_STATE_FOLDER")  # their examples are their defaults too
_MORE = {  # the page that says more
    "DDNS_NAME": ("Two lines and failover", "two-lines.md"),
    "DDNS_DATABASE_URL": ("MySQL and MariaDB", "mysql.md#the-url"),
    "DDNS_RECORDS": ("Records and zones", "records.md"),
    "DDNS_HOSTED_ZONE_ID": ("Which zone is used", "records.md#which-zone-is-used"),
    "DDNS_IP_SOURCES": ("The kinds of source", "sources.md"),
    "DDNS_IP_FAMILIES": ("IPv6", "sources.md#ipv6"),
    "DDNS_IP_AGREEMENT": ("A second source confirms a change", "sources.md#a-second-source-confirms-a-change"),
    "DDNS_RECHECK_EVERY": ("When somebody else edits a record", "records.md#when-somebody-else-edits-a-record"),
    "DDNS_ON_DRIFT": ("When somebody else edits a record", "records.md#when-somebody-else-edits-a-record"),
    "DDNS_VERIFY_NAME_SERVERS": ("Ask every name server", "records.md#ask-every-name-server"),
    "DDNS_WEBHOOK_URLS": ("Channels", "alerts.md#channels"),
    "DDNS_NOTIFY_URLS": ("Channels", "alerts.md#channels"),
    "DDNS_ALERT_AFTER": ("When runs fail", "alerts.md#when-runs-fail"),
    "DDNS_HEARTBEAT_URL": ("When nothing runs at all", "alerts.md#when-nothing-runs-at-all"),
    "DDNS_METRICS_FILE": ("Metrics for Prometheus", "metrics.md"),
    "DDNS_STATE_FOLDER": ("Files", "data.md#files"),
}
_HEAD = """\
# Settings

You want to look up a setting. Every one is optional. Write it in [the settings file](deploy.md#the-settings-file) or in
the environment, which wins. A name with `_FILE` reads a secret from a file instead, such as a Docker or systemd
credential, a name with `_PARAMETER` from a SecureString of AWS Systems Manager, by its name or ARN; set only one of the
three. Where a file or folder is named, a leading `~` is the home folder.

`AWS_…` variables are passed to the AWS SDK unchanged; its own files (`~/.aws`) work as well.
"""


def settings_page() -> str:
    """Return the whole page."""
    return "\n".join([_HEAD, *map(_section, SETTINGS)])


def _section(setting: Setting) -> str:
    texts = [line for line in setting.help.splitlines() if not line.startswith(("  ", "A source is one of"))]
    paragraphs = [
        textwrap.fill(each.replace("*", r"\*"), _WIDTH, break_on_hyphens=False, break_long_words=False)
        for each in texts
    ]
    if setting.is_secret:
        _, file, parameter = setting.variables
        paragraphs.append(
            textwrap.fill(
                f"`{file}` names a file that holds it, `{parameter}` a SecureString of AWS Systems Manager.",
                _WIDTH,
                break_on_hyphens=False,
            )
        )
    if setting.variable in _MORE:
        paragraphs.append("More: [{}]({}).".format(*_MORE[setting.variable]))
    has_default = isinstance(setting.default, str) or setting.variable in DEFAULTS
    line = f"{setting.variable}={setting.example or setting.default}"
    paragraphs.append(f"{'Default' if has_default else 'Example'}:\n\n```ini\n{line}\n```")
    return "\n\n".join([f"## {setting.variable}", *paragraphs]) + "\n"


if __name__ == "__main__":
    print(settings_page(), end="")
