"""The adapters of the update endpoint and of its pages; each is imported when it is first needed."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from ddns_updater.app import factories
from ddns_updater.errors import NotInitialised
from ddns_updater.lib.installation import missing_extra
from ddns_updater.model import Incident
from ddns_updater.server.sweep_report import HOSTS, SweepReporter
from ddns_updater.settings.settings import Settings
from ddns_updater.state.run_state import RunState

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

    from ddns_updater.output.endpoint_metrics import EndpointMetrics
    from ddns_updater.server.ports import HostStore
    from ddns_updater.server.web_server import WebServer
    from ddns_updater.state.host_status import HostNumbers, HostsStatus
    from ddns_updater.state.status import Status


@contextmanager
def open_server_hosts(settings: Settings) -> "Iterator[HostStore]":
    """Open the hosts for the server and its operator; raises NotInitialised, which says how to make their tables."""
    try:
        with factories.open_hosts(settings) as hosts:
            yield hosts
    except NotInitialised as error:
        raise NotInitialised(error.problem, 'run "ddns init --tables-only"') from error


def web_server(settings: Settings, application: "WSGIApplication") -> "WebServer":
    """Return the web server, which listens already; raises SettingsError without the extra serve, and ServerError."""
    try:
        from ddns_updater.server.web_server import WebServer
    except ImportError as error:
        raise missing_extra("ddns serve", "serve") from error
    return WebServer(application, str(settings.serve_listen.address), settings.serve_listen.port)


def endpoint_metrics(read: "Callable[[], HostNumbers]") -> "EndpointMetrics":
    """Return the metrics of the update endpoint; raises SettingsError without the extra metrics."""
    try:
        from ddns_updater.output.endpoint_metrics import EndpointMetrics
    except ImportError as error:
        raise missing_extra("/metrics", "metrics") from error
    return EndpointMetrics(read)


def page_policy() -> str:
    """Return the Content-Security-Policy of the status page; it needs the extra serve."""
    from ddns_updater.output.status_page import content_security_policy

    return content_security_policy()


def page_renderer() -> "Callable[[Status, HostsStatus | None, str | None], str]":
    """Return the function that renders the status page; raises SettingsError without the extra serve."""
    try:
        from ddns_updater.output.status_page import status_page
    except ImportError as error:
        raise missing_extra("the status page", "serve") from error
    return status_page


def sweep_reporter(settings: Settings) -> SweepReporter:
    """Return what reports the sweeps of a server, with a state of its own beside that of the runs."""
    store = factories.state_store(settings, of="sweep")
    keys = [spec.key for spec in settings.channels]
    return SweepReporter(store, keys, partial(factories.channels, settings), alert_after=settings.alert_after)


def open_incident(settings: Settings) -> Incident | None:
    """Return the open incident of the server; raises StateError when its state cannot be read."""
    return factories.state_store(settings, of="sweep").read().origins.get(HOSTS, RunState()).incident
