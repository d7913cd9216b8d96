"""The update endpoint put together: what answers each path of the hosts, whatever brings the requests."""

import logging
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from ddns_updater.dns.names import normalize_name
from ddns_updater.server.caller import ProxyWarnings, caller_of
from ddns_updater.server.dyndns2 import Dyndns2
from ddns_updater.server.endpoint import Endpoint
from ddns_updater.server.failed_logins import FailedLogins
from ddns_updater.server.last_requests import LastRequests
from ddns_updater.server.plain import Health, answer_ip
from ddns_updater.server.pool import Pool
from ddns_updater.server.recorder import Recorder
from ddns_updater.server.request import Answer, Caller, Request
from ddns_updater.server.shared_secret import SharedSecret
from ddns_updater.settings.settings import Settings

log = logging.getLogger(__name__)


def host_endpoint(
    settings: Settings,
    pool: Pool,
    last_requests: LastRequests,
    *,
    recorded: Callable[[], None],
    failed_logins: FailedLogins,
    came_round_at: Callable[[], float] = time.monotonic,
    more_routes: Mapping[str, Answer] | None = None,
    observe: Callable[[str, str, float], None] = lambda protocol, answer, seconds: None,  # noqa: ARG005 - no metrics
) -> Endpoint:
    """Return the endpoint of the hosts in `pool`.

    `recorded` is called when something new was recorded. `came_round_at` tells when the publisher last came round, by
    the monotonic clock. `observe` is told the protocol, the answer and the seconds of every request.
    """
    requests = Recorder(pool, recorded)
    dyndns2 = Dyndns2(requests, failed_logins, normalize=normalize_name, now=_now, note=last_requests.note)
    shared = SharedSecret(requests, failed_logins, normalize=normalize_name, now=_now, note=last_requests.note)
    routes: dict[str, Answer] = {
        "/nic/update": dyndns2.answer,
        "/v3/update": dyndns2.answer,
        "/": shared.answer,
        "/ip": answer_ip,
        "/health": Health(pool.answers, came_round_at).answer,
    }

    def count(protocol: str, answer: str, seconds: float) -> None:
        observe(protocol, answer, seconds)
        log.info("%s: %s in %.1f ms", protocol, answer, seconds * 1000)

    return Endpoint({**routes, **(more_routes or {})}, _callers(settings), count=count)


def _callers(settings: Settings) -> Callable[[Request], Caller]:
    """Return what tells where a request came from."""
    warnings = ProxyWarnings(lambda text: log.warning("%s", text))

    def caller(request: Request) -> Caller:
        found = caller_of(request, settings.serve_trusted_proxies)
        warnings.check(request, found)
        return found

    return caller


def _now() -> datetime:
    return datetime.now(UTC)
