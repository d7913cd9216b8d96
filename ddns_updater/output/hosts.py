"""Hosts of the update endpoint as a table, text and JSON."""

import json
import shlex
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import NamedTuple

from ddns_updater.hosts import Host, HostEntry, LastRequest
from ddns_updater.lib.humanize import duration, listed, local_time
from ddns_updater.lib.printable import printable
from ddns_updater.model import Family, Journal, Publication, PublicationState
from ddns_updater.output.client_configs import Access
from ddns_updater.output.layout import wrapped
from ddns_updater.state.host_status import publication_of

_GAP = "  "
_NOTHING = "-"
_BATCH = 200  # hosts that are printed at once
_WIDEST_CLIENT = 30  # characters of it in the table
_MAX_NAMED = 10  # other hosts of a login

# From the best to the worst: of several records, the worst one is shown.
_STATES = (
    PublicationState.VERIFIED,
    PublicationState.SUBMITTED,
    PublicationState.PENDING,
    PublicationState.FAILED,
)


class HostView(NamedTuple):
    """A host with the other hosts of its login; `is_rotating` is whether two secrets of that are valid."""

    entry: HostEntry
    others: Sequence[str]
    is_rotating: bool


def host_table(entries: Iterable[HostEntry], width: int | None) -> Iterator[str]:
    """Yield the lines of a table of hosts, as they come; times are local.

    Where `width` columns are too few for the first hosts, each host has lines of its own.
    """
    rest = iter(entries)
    some = [_row(entry) for entry in islice(rest, _BATCH)]
    if not some:
        yield "there is no host"
        return
    titles = _Row("NAME", "ADDRESS", "SINCE", "DNS", "LAST REQUEST", "CLIENT", "STATE")
    widths = _widths([titles, *some])
    is_stacked = width is not None and sum(widths) + len(_GAP) * (len(widths) - 1) > width
    if not is_stacked:
        yield _aligned(titles, widths)
    while some:
        widths = _widths([_Row(*(" " * each for each in widths)), *some])
        for row in some:
            if is_stacked:
                yield from _stacked(row, width)
            else:
                yield _aligned(row, widths)
        some = [_row(entry) for entry in islice(rest, _BATCH)]


def hosts_json(entries: Iterable[HostEntry]) -> Iterator[str]:
    """Yield the parts of a JSON array of hosts, by name; times in UTC."""
    begin = "[\n"
    rest = iter(entries)
    while some := list(islice(rest, _BATCH)):
        yield begin + json.dumps([_entry_json(entry) for entry in some], indent=2)[2:-2]
        begin = ",\n"
    yield "[]\n" if begin == "[\n" else "\n]\n"


def host_text(view: HostView, url: str | None, width: int | None) -> str:
    """Return all that is known of a host as text; times are local. `url` is that of its updates, None when unknown."""
    entry, host = view.entry, view.entry.host
    lines = [f"{host.name}, login {printable(host.login)}, added {local_time(host.created_at)}"]
    for family, journal in entry.journals.items():
        version = journal.version
        held = f"since {local_time(version.created_at)} ({duration(journal.read_at - version.created_at)})"
        lines.append(f"{family}: {version.ip}, version {version.version}, {held}, DNS: {_dns(entry, family)}")
        known = _publication(entry, family)
        if known and known.error:
            lines.append(f"{family}: {known.error}")
    if not entry.journals:
        lines.append("no address yet: it has made no request that gave one")
    lines.append(f"last request: {_request_text(entry.last_request)}" if entry.last_request else "last request: none")
    lines += _remarks(host)
    if view.is_rotating:
        lines.append(f"two secrets are valid; end the older one with: ddns host rotate {host.name} --finish")
    if view.others:
        lines.append(f"other hosts of its login: {listed(view.others, _MAX_NAMED)}")
    if url:
        lines.append(f"URL: {url}")
    first, *more = lines
    return "\n".join([*wrapped(first, width), *(part for line in more for part in wrapped(line, width, _GAP, "    "))])


def host_json(view: HostView, url: str | None) -> str:
    """Return all that is known of a host as one JSON object; times in UTC. `url` is as for `host_text`."""
    more = {"is_rotating": view.is_rotating, "other_hosts": list(view.others), "url": url}
    return json.dumps(_entry_json(view.entry) | more, indent=2)


def access_text(access: Access, *, with_query: bool) -> str:
    """Return URL, login and secret of a host; `with_query` is whether they may stand in the query together."""
    lines = [f"URL:     {access.update_url}", f"login:   {access.login}", f"secret:  {access.secret}"]
    return "\n".join([*lines, f"or all in one URL:  {access.secret_url}"] if with_query else lines)


def access_json(access: Access, secret: str | None, names: Sequence[str] = ()) -> str:
    """Return how to reach a host as one JSON object; `secret` is None for one that was shown before."""
    found: dict[str, object] = {
        "name": access.name,
        "login": access.login,
        "secret": secret,
        "url": access.update_url,
    }
    return json.dumps(found | ({"names": list(names)} if names else {}), indent=2)


def removal_lines(entry: HostEntry, *, login_ended: bool) -> Iterator[str]:
    """Yield what became of a host that was removed, and what stays; `deletions` complete it."""
    name, login = entry.host.name, entry.host.login
    yield f"removed {name}{f', and with it its login {login}' if login_ended and login != name else ''}"
    if entry.journals:
        yield f"its history stays: ddns history --name {name}"
    published = _published(entry)
    for known, address in published:
        yield f"{known.record} stays in DNS as it is, with {address}, and nobody updates it now"
    if published:
        yield "to delete it, with AWS credentials that may do that:"


def deletions(entry: HostEntry) -> Iterator[str]:
    """Yield the commands of AWS's own program that delete the records of a host; AWS compares address and TTL."""
    for known, address in _published(entry):
        record_set = {
            "Name": known.record.name,
            "Type": known.record.type,
            "TTL": known.ttl,
            "ResourceRecords": [{"Value": address}],
        }
        batch = json.dumps({"Changes": [{"Action": "DELETE", "ResourceRecordSet": record_set}]}, separators=(",", ":"))
        zone = f"--hosted-zone-id {known.hosted_zone_id}"
        yield f"aws route53 change-resource-record-sets {zone} --change-batch {shlex.quote(batch)}"


def _published(entry: HostEntry) -> list[tuple[Publication, str]]:
    """Return the publications of a host that DNS may have been sent, each with its address."""
    found = [(_publication(entry, family), journal.version.ip) for family, journal in entry.journals.items()]
    return [(known, address) for known, address in found if known and known.sent]


class _Row(NamedTuple):
    """The cells of one host."""

    name: str
    address: str
    since: str
    dns: str
    last_request: str
    client: str
    state: str


def _row(entry: HostEntry) -> _Row:
    last = entry.last_request
    since = max((journal.version.created_at for journal in entry.journals.values()), default=None)
    client = printable(last.client) if last else ""
    return _Row(
        name=entry.host.name,
        address=", ".join(printable(journal.version.ip) for journal in entry.journals.values()) or _NOTHING,
        since=local_time(since) if since else _NOTHING,
        dns=_worst(entry) or _NOTHING,
        last_request=local_time(last.at) if last else _NOTHING,
        client=(client if len(client) <= _WIDEST_CLIENT else client[: _WIDEST_CLIENT - 1] + "…") or _NOTHING,
        state=_state(entry.host),
    )


def _state(host: Host) -> str:
    return "blocked" if host.blocked_at else "slowed" if host.slowed_at else ""


def _worst(entry: HostEntry) -> str:
    states = [each.state if each else PublicationState.PENDING for each in _publications(entry)]
    return str(max(states, key=_STATES.index)) if states else ""


def _publications(entry: HostEntry) -> list[Publication | None]:
    return [_publication(entry, family) for family in entry.journals]


def _publication(entry: HostEntry, family: Family) -> Publication | None:
    return publication_of(entry.host, family, entry.journals[family])


def _dns(entry: HostEntry, family: Family) -> str:
    known = _publication(entry, family)
    if known is None:
        return str(PublicationState.PENDING)
    if known.state is PublicationState.VERIFIED and known.checked_at:
        return f"verified, last seen at {local_time(known.checked_at)}"
    return str(known.state)


def _request_text(last: LastRequest) -> str:
    client = f" by {last.client}" if last.client else ""
    return f"{local_time(last.at)} from {last.caller or 'an unknown address'}{client}, answered {last.verdict}"


def _remarks(host: Host) -> Iterator[str]:
    if host.blocked_at:
        yield f"blocked since {local_time(host.blocked_at)}: its requests are answered abuse"
    if host.slowed_at:
        yield f"slowed down since {local_time(host.slowed_at)}, because its address changes too often"
    if host.takes_aws:
        yield "may use AWS's protocol; the database keeps its secret itself for that"
    if host.takes_query:
        yield "its secret may stand in the query of a URL"
    if host.is_apex:
        yield "its name may be that of the hosted zone itself"
    if host.suffix:
        yield f"suffix of its IPv6 address in a delegated prefix: {host.suffix}"


def _widths(rows: Iterable[_Row]) -> list[int]:
    return [max(map(len, column)) for column in zip(*rows, strict=True)]


def _aligned(row: _Row, widths: Sequence[int]) -> str:
    return _GAP.join(cell.ljust(wide) for cell, wide in zip(row, widths, strict=True)).rstrip()


def _stacked(row: _Row, width: int | None) -> Iterator[str]:
    yield from wrapped(f"{row.name}{f', {row.state}' if row.state else ''}", width)
    if row.address == _NOTHING:
        yield f"{_GAP}no address yet"
    else:
        yield from wrapped(f"{row.address} since {row.since}, DNS: {row.dns}", width, _GAP, _GAP)
    if row.last_request != _NOTHING:
        client = f" by {row.client}" if row.client != _NOTHING else ""
        yield from wrapped(f"last request: {row.last_request}{client}", width, _GAP, _GAP)


def _entry_json(entry: HostEntry) -> dict[str, object]:
    host, last = entry.host, entry.last_request
    return {
        "name": host.name,
        "login": host.login,
        "created_at": host.created_at.isoformat(),
        "dns": _worst(entry) or None,
        "families": [_family_json(entry, family, journal) for family, journal in entry.journals.items()],
        "last_request": {
            "at": last.at.isoformat(),
            "client": last.client,
            "caller": last.caller or None,
            "answer": last.verdict,
        }
        if last
        else None,
        "blocked_at": _iso(host.blocked_at),
        "slowed_at": _iso(host.slowed_at),
        "takes_aws": host.takes_aws,
        "takes_query_secret": host.takes_query,
        "is_apex": host.is_apex,
        "suffix": str(host.suffix) if host.suffix else None,
    }


def _family_json(entry: HostEntry, family: Family, journal: Journal) -> dict[str, object]:
    known = _publication(entry, family)
    return {
        "family": family,
        "address": journal.version.ip,
        "version": journal.version.version,
        "since": journal.version.created_at.isoformat(),
        "state": known.state if known else None,
        "verified_at": _iso(known.verified_at) if known else None,
        "checked_at": _iso(known.checked_at) if known else None,
        "error": known.error if known else None,
    }


def _iso(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat()
