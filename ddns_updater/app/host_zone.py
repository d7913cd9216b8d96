"""Whether Route 53 has a hosted zone for a host that is about to be added."""

from ddns_updater.app import factories
from ddns_updater.errors import DnsError, HostError, NoHostedZone
from ddns_updater.lib.deadline import time_limit
from ddns_updater.model import Family, Record
from ddns_updater.settings.settings import Settings

_SECONDS = 20.0


def check_zone(settings: Settings, name: str, *, is_apex: bool) -> str | None:
    """Raise HostError when no hosted zone takes the host `name`, or when it is a zone's own name and not `is_apex`.

    Return a warning when AWS did not tell, None when it did.
    """
    try:
        with time_limit(_SECONDS, DnsError(f"AWS did not answer within {_SECONDS:g} s")):
            zone_name = _zone_name(settings, name)
    except NoHostedZone as error:
        where = "create that zone, or " if not settings.hosted_zone_ids else ""
        raise HostError(error.problem, f"{where}set DDNS_HOSTED_ZONE_ID to the zone of {name}") from error
    except DnsError as error:
        return f"the hosted zone of {name} was not checked: {error.problem}"
    if name == zone_name and not is_apex:
        raise HostError(f"{name} is the name of the hosted zone itself", "add it with --apex, if that is what you want")
    if name != zone_name and is_apex:
        raise HostError(f"{name} is not the name of a hosted zone, but below {zone_name}", "leave out --apex")
    return None


def _zone_name(settings: Settings, name: str) -> str:
    """Return the name of the hosted zone that takes `name`; raises DnsError."""
    record = Record(name, Family.IPV4.record_type)
    zone = factories.open_dns(settings, factories.route53_client(settings)).zones_for({record: None})[record]
    if isinstance(zone, DnsError):
        raise zone
    return factories.open_probe(settings).zone(zone).name
