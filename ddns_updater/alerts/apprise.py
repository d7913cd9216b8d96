"""Everything that Apprise knows: mail, Telegram, ntfy, Matrix and more. Needs apprise, the extra `notify`."""

from collections.abc import Mapping
from typing import Any

import apprise

from ddns_updater.alerts.urls import service_of
from ddns_updater.errors import AlertError

_KINDS = {
    "changed": apprise.NotifyType.INFO,
    "repaired": apprise.NotifyType.WARNING,
    "failing": apprise.NotifyType.FAILURE,
    "recovered": apprise.NotifyType.SUCCESS,
}


def notify(url: str, event: Mapping[str, Any]) -> None:
    """Tell `event` to the service of one Apprise URL; raises AlertError, which shows of the URL its scheme alone."""
    shown = service_of(url)
    service = apprise.Apprise()
    try:
        if not service.add(url):
            raise AlertError(f"{shown} is no URL that Apprise knows; correct DDNS_NOTIFY_URLS", again=False)
        taken = service.notify(
            title=event["title"],
            body=event["text"],
            notify_type=_KINDS[event["event"]],
            body_format=apprise.NotifyFormat.TEXT,
        )
    except AlertError:
        raise
    except Exception as error:  # each of its services raises what it likes, and a run may not end by that
        raise AlertError(f"{shown} could not be used: {type(error).__name__}") from error
    if not taken:
        raise AlertError(f"{shown} did not take it")
