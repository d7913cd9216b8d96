"""DNS for the records of hosts: what a login could otherwise reach by a name that the operator gave it by mistake."""

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

from ddns_updater.errors import DnsError, NoHostedZone
from ddns_updater.model import Change, Record, RecordSet, Submission
from ddns_updater.run.ports import Dns

OR_ELSE = "remove the host with: ddns host remove NAME"
_FRESH = 300.0  # seconds for which what is known of the hosted zones is used again


class HostDns:
    """The port Dns for hosts: never a record of `reserved`, nor the apex of a zone unless the host was added as that.

    What is known of the hosted zones is kept for a few minutes, and until an error.
    """

    def __init__(
        self,
        open_dns: Callable[[], Dns],
        reserved: Collection[Record],
        monotonic: Callable[[], float] = time.monotonic,
        *,
        change_called: Callable[[], None] = lambda: None,
    ) -> None:
        """Take the function that opens DNS anew, the records that DDNS_RECORDS names, and what is told of each call."""
        self._change_called = change_called
        self._open_dns = open_dns
        self._reserved = reserved
        self._monotonic = monotonic
        self._dns: Dns | None = None
        self._opened_at = 0.0
        self._apexes: Collection[str] = ()

    def allow_apexes(self, names: Collection[str]) -> None:
        """Take the names of hosts that may be the apex of a zone."""
        self._apexes = names

    def zones_for(self, records: Mapping[Record, str | None]) -> Mapping[Record, str | DnsError]:
        """Return the hosted zone of each record, or the error that says why it has none or may not be changed."""
        dns = self._known()
        zones = dict(dns.zones_for(records))
        if any(isinstance(zone, DnsError) for zone in zones.values()):
            self._dns = None  # the zone may be made by the next time
        for record, zone in zones.items():
            if record in self._reserved:
                zones[record] = NoHostedZone(
                    f"failed to change {record}: DDNS_RECORDS names it, so it follows the line",
                    f"remove it there, or {OR_ELSE}",
                )
            elif isinstance(zone, DnsError):
                zones[record] = _for_hosts(zone)
            elif record.name not in self._apexes and dns.zone_name(zone) == record.name:
                zones[record] = NoHostedZone(
                    f"failed to change {record}: it is the apex of hosted zone {zone}",
                    "add the host with --apex if that is meant",
                )
        return zones

    def read(self, zone_id: str, records: Sequence[Record]) -> Mapping[Record, RecordSet | None]:
        """Return the existing record set of each of `records`."""
        return self._known().read(zone_id, records)

    def upsert(self, zone_id: str, changes: Sequence[Change]) -> Iterator[Submission]:
        """Send `changes` and yield each answer as it comes; a change that was not sent is in no answer."""
        for each in self._known().upsert(zone_id, changes):
            self._change_called()
            yield each

    def name_servers(self, zone_id: str) -> Sequence[str]:
        """Return the authoritative name servers of a zone."""
        return self._known().name_servers(zone_id)

    def zone_name(self, zone_id: str) -> str:
        """Return the name of a hosted zone."""
        return self._known().zone_name(zone_id)

    def in_sync(self, change_id: str) -> bool | None:
        """Return whether the change is INSYNC; None if Route 53 does not know it."""
        return self._known().in_sync(change_id)

    def _known(self) -> Dns:
        now = self._monotonic()
        if self._dns is None or now - self._opened_at > _FRESH:
            self._dns, self._opened_at = self._open_dns(), now
        return self._dns


def _for_hosts(error: DnsError) -> DnsError:
    """Return `error` with what to do about a host, which no setting names."""
    if error.advice and "DDNS_RECORDS" in error.advice:
        return type(error)(error.problem, f"set DDNS_HOSTED_ZONE_ID to the zone to use, or {OR_ELSE}")
    return error
