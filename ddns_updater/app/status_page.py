"""What `ddns status --html` and the page of the update endpoint do."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from ddns_updater.app import factories, server_factories
from ddns_updater.app.database import answer_limit
from ddns_updater.app.status import read_status
from ddns_updater.errors import HistoryError, NotInitialised, OriginError, StateError
from ddns_updater.server.ports import HostStore
from ddns_updater.settings.settings import Settings
from ddns_updater.state.host_status import HostsStatus
from ddns_updater.state.status import Status

Renderer = Callable[[Status, HostsStatus | None, str | None], str]

_TIMELINE = timedelta(days=30)
_MOST_HOSTS = 5000  # that are listed, so that the page stays of a size that a browser takes
_MOST_ADDRESSES = 40  # of a record; more bars than that cannot be told apart


def status_page(settings: Settings, *, name: str | None) -> tuple[str, Status]:
    """Return the status of the origin and of all hosts as a page, and that of the origin.

    Raises SettingsError, also without the extra that the page needs.
    """
    render = server_factories.page_renderer()
    line = read_status(settings, name=name)
    return render(line, *_read_hosts(settings)), line


def status_page_of_server(settings: Settings, render: Renderer) -> str:
    """Return the same page for a server: hosts are shown also when it is not clear which origin is meant."""
    hosts, error = _read_hosts(settings)
    try:
        line = read_status(settings, name=None)
    except OriginError as failure:
        overview = hosts.overview if hosts else None
        line = Status(None, datetime.now(UTC), {}, {}, None, hosts=overview, errors=(str(failure),))
    return render(line, hosts, error)


def _read_hosts(settings: Settings) -> tuple[HostsStatus | None, str | None]:
    """Return the status of the hosts, None without their tables, and why it cannot be read."""
    try:
        with answer_limit(settings), factories.open_hosts(settings, read_only=True) as store:
            hosts = read_hosts(store)
    except NotInitialised:
        return None, None  # the status of the line says so
    except HistoryError as error:
        return None, str(error)
    try:
        return hosts and hosts._replace(incident=server_factories.open_incident(settings)), None
    except StateError as error:
        return hosts, str(error)


def read_hosts(store: HostStore, most: int = _MOST_HOSTS) -> HostsStatus | None:
    """Return the status of all hosts, None without their tables; raises HistoryError.

    Of more than `most`, those come first that wait longest for DNS.
    """
    overview = store.overview()
    if overview is None:
        return None
    waiting = list(store.due_entries(most)) if overview.hosts > most else []
    listed = {each.host.name: each for each in waiting}
    after = ""
    while len(listed) < most and (found := store.entries(after=after, limit=1000)):
        after = found[-1].host.name
        listed.update((each.host.name, each) for each in found[: most - len(listed)])
    since = overview.read_at - _TIMELINE
    return HostsStatus(
        overview=overview,
        entries=[listed[name] for name in sorted(listed)],
        since=since,
        addresses=store.recent_addresses([each.host.id for each in listed.values()], since, _MOST_ADDRESSES),
        most=_MOST_ADDRESSES,
    )
