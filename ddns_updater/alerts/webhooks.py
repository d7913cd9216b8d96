"""Webhooks: which payload the service behind a URL expects."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from ddns_updater.alerts import discord, slack
from ddns_updater.alerts.channel import Channel, key_of
from ddns_updater.alerts.delivery import send
from ddns_updater.alerts.urls import host_of

Payload = Callable[[Mapping[str, Any]], Mapping[str, Any]]

_SLACK = ("hooks.slack.com", "hooks.slack-gov.com")
_DISCORD = ("discord.com", "discordapp.com")
_DISCORD_SUBDOMAINS = tuple(f".{host}" for host in _DISCORD)


def web_channel(url: str) -> Channel:
    """Return the channel of a webhook; `slack+` or `discord+` before a URL selects its form where the host does not."""
    form, _, plain = url.partition("+") if url.lower().startswith(("slack+", "discord+")) else ("", "", url)
    return Channel(key_of(url), host_of(plain), partial(_post, plain, _payload(form.lower(), plain)))


def _payload(form: str, url: str) -> Payload:
    parts = urlsplit(url)
    host = parts.hostname or ""
    if form == "slack" or host in _SLACK:
        return slack.payload
    if form == "discord" or host.endswith(_DISCORD_SUBDOMAINS) or host in _DISCORD:
        # below /slack, Discord accepts the payload of Slack
        return slack.payload if parts.path.endswith("/slack") else discord.payload
    return _plain_json


def _post(url: str, payload: Payload, event: Mapping[str, Any]) -> None:
    send("POST", url, json=payload(event))


def _plain_json(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the event in its documented JSON form."""
    return event
