"""What `ddns status --html` and the page of the update endpoint do."""

from datetime import UTC, datetime, timedelta

from ddns_updater.app import factories
from ddns_updater.app.status import read_status
from ddns_updater.errors import HistoryError, NotInitialised, OriginError
from ddns_updater.run import timetable
from ddns_updater.server.ports import HostStore
from ddns_updater.settings.settings import Settings
from ddns_updater.state.host_status import HostsStatus, Overview

_TIMELINE = timedelta(days=30)
_MOST_HOSTS = 5000  # that are listed, so that the page stays of a size that a browser takes
_MOST_ADDRESSES = 40  # of a record; more bars than that cannot be told apart


def status_page(settings: Settings, *, name: str | None) -> tuple[str, Overview]:
    """Return the status of the origin and of all hosts as a page, and the facts in it.

    Raises SettingsError, also without the extra that the page needs.
    """
    render = factories.page_renderer()
    overview = read_overview(settings, name=name)
    return render(overview), overview


def read_overview(settings: Settings, *, name: str | None) -> Overview:
    """Return the status of the origin and of all hosts; whatever cannot be read is among its problems.

    Raises SettingsError.
    """
    line = read_status(settings, name=name)
    hosts, error = _read_hosts(settings)
    has_line = not (hosts and hosts.number) or bool(
        name or settings.name or settings.record_sets or line.journals or (line.run_state and line.run_state.recent)
    )
    return Overview(datetime.now(UTC), line if has_line else None, hosts, error)


def read_overview_of_server(settings: Settings) -> Overview:
    """Return the same for a server, whose hosts are shown also when it is not clear which origin is meant."""
    try:
        return read_overview(settings, name=None)
    except OriginError as error:
        hosts, failure = _read_hosts(settings)
        return Overview(datetime.now(UTC), None, hosts, failure or str(error))


def _read_hosts(settings: Settings) -> tuple[HostsStatus | None, str | None]:
    """Return the status of the hosts, None without their tables, and why it cannot be read."""
    try:
        seconds = timetable.answer_seconds(settings.run_timeout)
        with factories.database_limit(settings, seconds), factories.open_hosts(settings, read_only=True) as store:
            return (
                read_hosts(store) if store.overview() else None
            ), None  # who has no hosts need not grant their tables
    except NotInitialised:
        pass  # the status of the line says so, if anything but the tables of hosts is missing
    except HistoryError as failure:
        return None, str(failure)
    return None, None


def read_hosts(store: HostStore) -> HostsStatus:
    """Return the status of all hosts; raises HistoryError.

    Of more than can be listed, those come first that wait longest for DNS.
    """
    now, number = store.now(), store.count()
    due, due_since = store.count_due()
    waiting = list(store.due_entries(_MOST_HOSTS)) if number > _MOST_HOSTS else []
    listed = {each.host.name: each for each in waiting}
    after = ""
    while len(listed) < _MOST_HOSTS and (found := store.entries(after=after, limit=1000)):
        after = found[-1].host.name
        listed.update((each.host.name, each) for each in found[: _MOST_HOSTS - len(listed)])
    since = now - _TIMELINE
    return HostsStatus(
        now=now,
        number=number,
        entries=[listed[name] for name in sorted(listed)],
        states=store.states(),
        due=due,
        due_since=due_since,
        since=since,
        addresses=store.recent_addresses([each.host.id for each in listed.values()], since, _MOST_ADDRESSES),
        most=_MOST_ADDRESSES,
    )
