"""The URLs of webhooks, Apprise services and the heartbeat; each is a secret and never shown in full."""

import hashlib
import re
from typing import Literal, NamedTuple
from urllib.parse import SplitResult, urlsplit

from ddns_updater.errors import InvalidValue

Form = Literal["json", "slack", "discord", "apprise", "healthchecks", "kuma"]

_SEPARATOR = r"[\s,]+(?=[A-Za-z][A-Za-z0-9+.-]*://)"  # a URL may contain commas
_EXAMPLE = "https://hooks.example.com/…"
_SLACK = ("hooks.slack.com", "hooks.slack-gov.com")
_DISCORD = ("discord.com", "discordapp.com")
_DISCORD_SUBDOMAINS = tuple(f".{host}" for host in _DISCORD)


class ChannelSpec(NamedTuple):
    """Where alerts or heartbeats are sent to, and the form in which the service there wants them.

    `url` is a secret. Messages show `name`; the state file holds `key`, from which the URL cannot be recovered.
    """

    form: Form
    url: str
    name: str
    key: str

    def __repr__(self) -> str:
        return f"<{self.form} {self.name}>"


def parse_webhooks(text: str) -> tuple[ChannelSpec, ...]:
    """Return the webhooks that `text` lists; raises InvalidValue for a bad one.

    `slack+` or `discord+` before a URL selects its form where the host does not.
    """
    found = []
    for number, written in enumerate(_listed(text), 1):
        form, plus, url = written.partition("+")
        form = form.lower()
        if not plus or form not in ("slack", "discord"):
            form, url = "", written
        parts = _web_url(url)
        if parts is None:
            raise InvalidValue(f"contains an invalid URL (number {number})", f"write {_EXAMPLE}, {_EXAMPLE}")
        found.append(ChannelSpec(_webhook_form(form, parts), url, _host(parts), _key(written)))
    return tuple(found)


def parse_apprise(text: str) -> tuple[ChannelSpec, ...]:
    """Return the services of the Apprise URLs that `text` lists; only their scheme is shown, as a host may be a token.

    Whether Apprise supports a service shows only when it is used.
    """
    found = []
    for number, url in enumerate(_listed(text), 1):
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s\ud800-\udfff]+", url):  # surrogates are not UTF-8
            raise InvalidValue(f"contains an invalid Apprise URL (number {number})", "write for example ntfy://TOPIC")
        found.append(ChannelSpec("apprise", url, f"{url.partition(':')[0]}://…", _key(url)))
    return tuple(found)


def parse_heartbeat(text: str) -> ChannelSpec:
    """Return the monitor at a URL: a push monitor of Uptime Kuma, or a check of healthchecks.io, like any other URL."""
    parts = _web_url(text)
    if parts is None:
        raise InvalidValue("is not a URL", f"write {_EXAMPLE}")
    return ChannelSpec("kuma" if "/api/push/" in parts.path else "healthchecks", text, _host(parts), _key(text))


def _listed(text: str) -> tuple[str, ...]:
    """Return the URLs that commas or line breaks separate, without duplicates."""
    return tuple(dict.fromkeys(re.split(_SEPARATOR, text.strip(" ,\n"))))


def _web_url(text: str) -> SplitResult | None:
    """Return the parts of an HTTP or HTTPS URL; None when `text` is not one."""
    try:
        url = urlsplit(text)
        text.encode()
        good = url.scheme in ("http", "https") and bool(url.hostname) and url.port != 0 and text.split() == [text]
    except ValueError:  # a bad host or port, or bytes that are not UTF-8
        return None
    return url if good else None


def _webhook_form(chosen: str, url: SplitResult) -> Form:
    host = url.hostname or ""
    if chosen == "slack" or host in _SLACK:
        return "slack"
    if chosen == "discord" or host.endswith(_DISCORD_SUBDOMAINS) or host in _DISCORD:
        return "slack" if url.path.endswith("/slack") else "discord"  # below /slack, Discord accepts Slack's payload
    return "json"


def _host(url: SplitResult) -> str:
    """Return the part of a URL that may be shown: scheme and host, as the rest is secret."""
    return f"{url.scheme}://{url.hostname}/…"


def _key(url: str) -> str:
    return hashlib.sha256(url.encode()).hexdigest()[:12]
