"""What `ddns status` does."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

from ddns_updater.app import factories
from ddns_updater.errors import HistoryError, NotInitialised, OriginError, StateError
from ddns_updater.model import Claim, Family, Journal, Origin, Publication, Record
from ddns_updater.run import timetable
from ddns_updater.run.claims import claims_since, rivalry, rivals, takeover, takeovers
from ddns_updater.run.origins import choose_origins, unseeded
from ddns_updater.run.ports import History
from ddns_updater.server.ports import HostStore
from ddns_updater.settings.settings import Settings
from ddns_updater.state.backlog import Backlog, backlogs
from ddns_updater.state.host_status import HostsStatus
from ddns_updater.state.run_state import RunState
from ddns_updater.state.status import Status

Renderer = Callable[[Status, HostsStatus | None, str | None], str]

_TIMELINE = timedelta(days=30)
_MOST_HOSTS = 5000  # that are listed, so that the page stays of a size that a browser takes
_MOST_ADDRESSES = 40  # of a record; more bars than that cannot be told apart


def read_status(settings: Settings, *, name: str | None) -> Status:
    """Return the status of the origin; whatever cannot be read is among its errors. Raises SettingsError."""
    given = name or settings.name
    journals: dict[Family, Journal] = {}
    errors: list[str] = []
    claims: list[Claim] = []
    found = None
    hosts = None
    try:
        seconds = timetable.answer_seconds(settings.run_timeout)
        with factories.database_limit(settings, seconds), factories.open_hosts(settings) as host_store:
            history = host_store.history
            if name is None:
                hosts = host_store.overview()
            origins = choose_origins(history, given, settings.ip_families, with_hosts=True)
            journals = {family: history.latest(origin) for family, origin in origins.items()}
            if given is not None and history.has_host(given):
                return _status_of_host(given, journals)
            for family, origin in origins.items():
                rival = _rivals(history, origin, journals[family], settings)
                taken = takeovers(journals[family], rival)
                errors += [str(takeover(each)) for each in taken]
                claims += [each for each in rival if each not in taken]
            found = next(iter(origins.values())).name
    except NotInitialised as error:
        if hosts and hosts.hosts and given is None:  # a server of hosts alone
            return Status(None, datetime.now(UTC), {}, {}, None, hosts=hosts)
        errors.append(str(error))
    except HistoryError as error:
        errors.append(str(error))
    run_state = None
    waiting: tuple[Backlog, ...] = ()
    try:
        content = factories.state_file(settings).read()
        errors += [content.damage] if content.damage else []
        kept = content.name_of(given, found)
        run_state = content.origins.get(kept, RunState())
        waiting = backlogs(content.outbox, kept, settings.channel_names)
    except StateError as error:
        errors.append(str(error))
    known = {family: {each.record: each for each in journal.publications} for family, journal in journals.items()}
    return Status(
        name=found or given,
        now=datetime.now(UTC),
        journals=journals,
        records={
            family: [
                (record, known.get(family, {}).get(record))
                for record in settings.record_sets
                if record.type == family.record_type
            ]
            for family in settings.ip_families
        },
        run_state=run_state,
        backlogs=waiting,
        rivals=tuple("; ".join(rivalry(each)) for each in claims),
        hosts=hosts,
        errors=(
            *errors,
            *(str(unseeded(found, family)) for family in settings.ip_families if found and family not in journals),
        ),
    )


def status_page(settings: Settings, *, name: str | None) -> tuple[str, Status]:
    """Return the status of the origin and of all hosts as a page, and that of the origin.

    Raises SettingsError, also without the extra that the page needs.
    """
    render = factories.page_renderer()
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
        seconds = timetable.answer_seconds(settings.run_timeout)
        with factories.database_limit(settings, seconds), factories.open_hosts(settings, read_only=True) as store:
            return read_hosts(store), None
    except NotInitialised:
        return None, None  # the status of the line says so
    except HistoryError as error:
        return None, str(error)


def read_hosts(store: HostStore) -> HostsStatus | None:
    """Return the status of all hosts, None without their tables; raises HistoryError.

    Of more than can be listed, those come first that wait longest for DNS.
    """
    overview = store.overview()
    if overview is None:
        return None
    waiting = list(store.due_entries(_MOST_HOSTS)) if overview.hosts > _MOST_HOSTS else []
    listed = {each.host.name: each for each in waiting}
    after = ""
    while len(listed) < _MOST_HOSTS and (found := store.entries(after=after, limit=1000)):
        after = found[-1].host.name
        listed.update((each.host.name, each) for each in found[: _MOST_HOSTS - len(listed)])
    since = overview.read_at - _TIMELINE
    return HostsStatus(
        overview=overview,
        entries=[listed[name] for name in sorted(listed)],
        since=since,
        addresses=store.recent_addresses([each.host.id for each in listed.values()], since, _MOST_ADDRESSES),
        most=_MOST_ADDRESSES,
    )


def _status_of_host(name: str, journals: Mapping[Family, Journal]) -> Status:
    records: dict[Family, list[tuple[Record, Publication | None]]] = {}
    for family, journal in journals.items():
        record = Record(name, family.record_type)
        known = next((each for each in journal.publications if each.record == record), None)
        records[family] = [(record, known)]
    return Status(name, datetime.now(UTC), journals, records, None, is_host=True)


def _rivals(history: History, origin: Origin, journal: Journal, settings: Settings) -> list[Claim]:
    records = [each for each in settings.record_sets if each.type == origin.family.record_type]
    checked = [each.checked_at for each in journal.publications if each.checked_at]
    since = min([claims_since(journal.read_at, settings.recheck_every), *checked])  # also where a claim has ended
    return rivals(origin, history.claims(records, since))
