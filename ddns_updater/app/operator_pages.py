"""What `ddns serve` has for its operator: the status page and the metrics, made from the settings."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from ddns_updater.app import server_factories
from ddns_updater.app.status_page import status_page_of_server
from ddns_updater.errors import SettingsError
from ddns_updater.server.failed_logins import FailedLogins
from ddns_updater.server.metrics_route import MetricsRoute, NoMetrics
from ddns_updater.server.operator_login import OperatorLogin
from ddns_updater.server.pool import Pool
from ddns_updater.server.request import Answer
from ddns_updater.server.status_route import StatusRoute
from ddns_updater.settings.settings import Settings
from ddns_updater.state.host_status import HostNumbers


class OperatorPages(NamedTuple):
    """What answers each path, and what is to be told of the work of the server.

    `observe` is told the protocol, the answer and the seconds of every request, `change_called` of every call that
    changes records; the logins of hosts have to use `failed_logins`.
    """

    routes: Mapping[str, Answer]
    failed_logins: FailedLogins
    observe: Callable[[str, str, float], None]
    change_called: Callable[[], None]


def operator_pages(settings: Settings, pool: Pool) -> OperatorPages:
    """Return the pages of the operator, none without a password; raises SettingsError without the extra serve."""
    password = settings.serve_status_password
    if password is None:
        return OperatorPages({}, FailedLogins(), _ignore, _ignore)
    render = server_factories.page_renderer()
    metrics, missing = None, ""
    try:
        metrics = server_factories.endpoint_metrics(lambda: _numbers(pool))
    except SettingsError as error:
        missing = str(error)
    failed_logins = FailedLogins(count=metrics.login_failed) if metrics else FailedLogins()
    login = OperatorLogin(password, failed_logins)
    status = StatusRoute(login, lambda: status_page_of_server(settings, render), server_factories.page_policy())
    numbers = MetricsRoute(login, metrics.text) if metrics else NoMetrics(login, missing)
    return OperatorPages(
        routes={"/status": status.answer, "/metrics": numbers.answer},
        failed_logins=failed_logins,
        observe=metrics.observe if metrics else _ignore,
        change_called=metrics.change_called if metrics else _ignore,
    )


def _numbers(pool: Pool) -> HostNumbers:
    with pool.taken() as hosts:
        return HostNumbers(hosts.count(), *hosts.count_due(), hosts.now())


def _ignore(*_told: object) -> None:
    """Count nothing: nobody could ask for it."""
