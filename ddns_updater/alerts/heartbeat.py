"""The heartbeat, a dead man's switch: a monitor is pinged after every run and raises the alarm without pings."""

from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from ddns_updater.alerts.delivery import send
from ddns_updater.alerts.urls import ChannelSpec
from ddns_updater.errors import AlertError
from ddns_updater.lib.printable import printable
from ddns_updater.model import Outcome

_LONGEST = 200  # characters of the message in a URL
_UNKNOWN = b"OK (not found)"  # what healthchecks.io answers with status 200 for an unknown check


def ping(spec: ChannelSpec, outcome: Outcome, message: str) -> None:
    """Report how the run ended; raises AlertError.

    Uptime Kuma's push monitors get `status` and `msg` in the query (https://uptime.kuma.pet). healthchecks.io gets a
    POST request: a failure goes to `/fail` below it, and the message is the body
    (https://healthchecks.io/docs/http_api/).
    """
    message = printable(message)
    parts = urlsplit(spec.url)
    if spec.form == "kuma":
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        query |= {"status": "down" if outcome.is_bad else "up", "msg": message[:_LONGEST]}
        send("GET", urlunsplit(parts._replace(query=urlencode(query))), name=spec.name)
        return
    path = parts.path.rstrip("/") + "/fail" if outcome.is_bad else parts.path
    pinged = urlunsplit(parts._replace(path=path))
    answer = send("POST", pinged, name=spec.name, read=len(_UNKNOWN), data=message.encode())
    if answer == _UNKNOWN:
        raise AlertError(f"{spec.name} has no such check", "correct DDNS_HEARTBEAT_URL", again=False)
