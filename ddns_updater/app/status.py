"""What `ddns status` does."""

from collections.abc import Mapping
from datetime import UTC, datetime

from ddns_updater.app import factories
from ddns_updater.app.database import answer_limit
from ddns_updater.errors import HistoryError, NotInitialised, StateError
from ddns_updater.model import Claim, Family, Journal, Origin, Publication, Record
from ddns_updater.run.claims import claims_since, rivalry, rivals, takeover, takeovers
from ddns_updater.run.origins import choose_origins, unseeded
from ddns_updater.run.ports import History
from ddns_updater.settings.settings import Settings
from ddns_updater.state.backlog import Backlog, backlogs
from ddns_updater.state.run_state import RunState
from ddns_updater.state.status import Status


def read_status(settings: Settings, *, name: str | None) -> Status:
    """Return the status of the origin; whatever cannot be read is among its errors. Raises SettingsError."""
    given = name or settings.name
    journals: dict[Family, Journal] = {}
    errors: list[str] = []
    claims: list[Claim] = []
    found = None
    hosts = None
    try:
        with answer_limit(settings), factories.open_hosts(settings) as host_store:
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
        content = factories.state_store(settings).read()
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


def _status_of_host(name: str, journals: Mapping[Family, Journal]) -> Status:
    records: dict[Family, list[tuple[Record, Publication | None]]] = {}
    for family, journal in journals.items():
        record = Record(name, family.record_type)
        records[family] = [(record, journal.publication(record))]
    return Status(name, datetime.now(UTC), journals, records, None, is_host=True)


def _rivals(history: History, origin: Origin, journal: Journal, settings: Settings) -> list[Claim]:
    records = [each for each in settings.record_sets if each.type == origin.family.record_type]
    checked = [each.checked_at for each in journal.publications if each.checked_at]
    since = min([claims_since(journal.read_at, settings.recheck_every), *checked])  # also where a claim has ended
    return rivals(origin, history.claims(records, since))
