"""A dead man's switch: it is pinged after every run, and sounds the alarm itself when the pings stay away."""

from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from ddns_updater.alerts.delivery import send
from ddns_updater.model import Outcome

_KUMA = "/api/push/"
_LONGEST = 200  # characters of a message in a URL


def ping(url: str, outcome: Outcome, message: str) -> None:
    """Say how the run ended; raises AlertError.

    Uptime Kuma's push monitors take `status` and `msg` in the query (https://uptime.kuma.pet); any other URL is taken
    for healthchecks.io's form: a failure is sent to `/fail` below it, the message is the body
    (https://healthchecks.io/docs/http_api/).
    """
    failed = outcome in (Outcome.FAILED, Outcome.HELD)
    parts = urlsplit(url)
    if _KUMA in parts.path:
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        query |= {"status": "down" if failed else "up", "msg": message[:_LONGEST]}
        send("GET", urlunsplit(parts._replace(query=urlencode(query))))
    else:
        path = parts.path.rstrip("/") + "/fail" if failed else parts.path
        send("POST", urlunsplit(parts._replace(path=path)), data=message.encode())
