"""Webhooks: the alert as a POST request, with the payload that the service expects."""

from collections.abc import Callable, Mapping
from typing import Any

from ddns_updater.alerts import discord, slack
from ddns_updater.alerts.delivery import send
from ddns_updater.alerts.event import Event
from ddns_updater.alerts.urls import ChannelSpec, Form

Payload = Callable[[Event], Mapping[str, Any]]

_PAYLOADS: Mapping[Form, Payload] = {
    "json": Event.json,
    "slack": slack.payload,
    "discord": discord.payload,
}


def post(spec: ChannelSpec, event: Event) -> None:
    """Send `event` to a webhook; raises AlertError."""
    send("POST", spec.url, name=spec.name, json=_PAYLOADS[spec.form](event))
