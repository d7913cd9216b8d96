"""Apprise: mail, Telegram, ntfy, Matrix and more. Needs apprise, the extra `notify`."""

import logging

import apprise

from ddns_updater.alerts.event import Event, Kind
from ddns_updater.alerts.mentions import without_mentions
from ddns_updater.alerts.urls import ChannelSpec
from ddns_updater.errors import AlertError

log = logging.getLogger(__name__)

_KINDS = {
    Kind.CHANGED: apprise.NotifyType.INFO,
    Kind.REPAIRED: apprise.NotifyType.WARNING,
    Kind.FAILING: apprise.NotifyType.FAILURE,
    Kind.RECOVERED: apprise.NotifyType.SUCCESS,
    Kind.HOSTS_FAILING: apprise.NotifyType.FAILURE,
    Kind.HOSTS_RECOVERED: apprise.NotifyType.SUCCESS,
    Kind.HOSTS_SLOWED: apprise.NotifyType.WARNING,
    Kind.TEST: apprise.NotifyType.INFO,
}


def open_service(spec: ChannelSpec) -> apprise.Apprise:
    """Return the service of an Apprise URL; raises AlertError when Apprise does not know it."""
    service = apprise.Apprise(asset=apprise.AppriseAsset(http_redirects=False))  # its URL may hold a secret
    if not service.add(spec.url):
        raise AlertError(f"{spec.name} is not a valid Apprise URL", "correct DDNS_NOTIFY_URLS", again=False)
    return service


def notify(spec: ChannelSpec, event: Event) -> None:
    """Send `event` to the service of an Apprise URL; raises AlertError."""
    try:
        service = open_service(spec)
        log.info("sending to %s", spec.name)
        accepted = service.notify(
            title=without_mentions(event.title),
            body=without_mentions(event.text),
            notify_type=_KINDS[event.kind],
            body_format=apprise.NotifyFormat.TEXT,
        )
    except AlertError:
        raise
    except Exception as error:  # a plugin of Apprise may raise anything, and must not end the run
        raise AlertError(f"{spec.name} failed with {type(error).__name__}") from error
    log.info("%s %s it", spec.name, "accepted" if accepted else "did not accept")
    if not accepted:
        raise AlertError(f"{spec.name} did not accept it", _about_login(service))


def _about_login(service: apprise.Apprise) -> str | None:
    """Return that Apprise may be unable to send the login; it says so only in its own log."""
    logins = [str(getattr(each, part, None) or "") for each in service for part in ("user", "password")]
    if all(each.isascii() for each in logins):
        return None
    return "its user or password is not ASCII, which Apprise does not send to every service; choose another"
