"""The publisher of hosts, made from the settings."""

from collections.abc import Callable
from functools import cache, partial

from ddns_updater.app import factories
from ddns_updater.app.server_factories import open_server_hosts
from ddns_updater.lib.budget import Budget
from ddns_updater.run import timetable
from ddns_updater.run.publisher import Publisher
from ddns_updater.run.steps import Policy
from ddns_updater.run.verifier import Verifier
from ddns_updater.server.host_dns import OR_ELSE, HostDns
from ddns_updater.server.pool import Pool
from ddns_updater.server.publishing import HostPublisher
from ddns_updater.settings.settings import Settings


def open_pool(settings: Settings) -> Pool:
    """Return the connections to the hosts; none is opened yet."""
    return Pool(partial(open_server_hosts, settings))


def host_publisher(
    settings: Settings, pool: Pool, *, change_called: Callable[[], None] = lambda: None
) -> HostPublisher:
    """Return what publishes the hosts that `pool` gives; AWS is used when the first of them is due.

    The authoritative name servers are not asked: a read-back of the zone is what makes a host's record verified.
    """
    client = cache(partial(factories.route53_client, settings, Budget()))
    dns = HostDns(lambda: factories.open_dns(settings, client()), settings.record_sets, change_called=change_called)
    policy = Policy(
        ttl=settings.ttl,
        recheck_every=settings.recheck_every,
        on_drift=settings.on_drift,
        hosted_zone_ids=settings.hosted_zone_ids,
        or_else=OR_ELSE,
    )
    return HostPublisher(
        pool,
        Publisher(policy, lambda: dns),
        Verifier(lambda: dns, timeout=0, arrival=timetable.latest_arrival(settings.run_timeout)),
        recheck_every=settings.recheck_every,
        reserved=settings.record_sets,
        allow_apexes=dns.allow_apexes,
    )
