"""The pages of the operator from a real database: the status page, and the metrics as Prometheus reads them."""

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address

import pytest

from ddns_updater.app.factories import open_hosts
from ddns_updater.app.operator_pages import OperatorPages, operator_pages
from ddns_updater.hosts import NewHost
from ddns_updater.model import Family
from ddns_updater.output.status_page import content_security_policy
from ddns_updater.server.pool import Pool
from ddns_updater.settings.settings import Settings
from tests.output.test_metrics import Series, series
from tests.output.test_status_page import tables, verdict
from tests.support.database import Database
from tests.support.operator import CALLER, PASSWORD, request


@pytest.fixture
def settings(database: Database) -> Settings:
    database.create_tables()
    return database.settings(DDNS_SERVE_STATUS_PASSWORD=PASSWORD)


@pytest.fixture
def pages(settings: Settings) -> Iterator[OperatorPages]:
    pool = Pool(lambda: open_hosts(settings))
    yield operator_pages(settings, pool)
    pool.close()


def add_host(settings: Settings, name: str) -> None:
    """Add a host that has asked once."""
    with open_hosts(settings) as store:
        host = store.add(NewHost(name, name, "m" * 32))
        store.update([(host, {Family.IPV4: ip_address("192.0.2.1")})])


def metrics(pages: OperatorPages) -> Series:
    response = pages.routes["/metrics"](request("/metrics"), CALLER)
    assert (response.status, response.content_type) == (200, "text/plain; version=0.0.4; charset=utf-8")
    return series(response.body)


def value(found: Series, name: str, **labels: str) -> float:
    return found[name, frozenset(labels.items())]


def test_without_a_password_nothing_is_served(settings: Settings) -> None:
    without = settings._replace(serve_status_password=None)
    assert operator_pages(without, Pool(lambda: open_hosts(without))).routes == {}


def test_the_page_is_that_of_the_database(pages: OperatorPages, settings: Settings) -> None:
    add_host(settings, "nas.example.com")
    response = pages.routes["/status"](request("/status"), CALLER)
    assert response.status == 200
    assert [row[0] for rows in tables(response.body).values() for row in rows] == ["nas.example.com"]
    assert content_security_policy() in dict(response.headers)["Content-Security-Policy"]


def test_where_several_lines_are_kept_the_hosts_are_shown_all_the_same(
    pages: OperatorPages, settings: Settings, database: Database
) -> None:
    database.seed("9.9.9.9", "office")
    database.seed("1.1.1.1", "home")
    add_host(settings, "nas.example.com")
    page = pages.routes["/status"](request("/status"), CALLER).body
    assert verdict(page)[1].startswith("there is more than one origin (home, office)")
    assert [row[0] for rows in tables(page).values() for row in rows] == ["nas.example.com"]


def test_the_metrics_count_what_the_server_did(pages: OperatorPages, settings: Settings) -> None:
    add_host(settings, "nas.example.com")
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: pages.observe("dyndns2", "nochg", 0.003), range(400)))
    pages.observe("aws", "401", 0.7)
    pages.change_called()
    pages.failed_logins.failed(CALLER, "nas")
    assert pages.routes["/status"](request("/status", "wrong"), CALLER).status == 401
    found = metrics(pages)
    assert value(found, "ddns_endpoint_requests_total", protocol="dyndns2", answer="nochg") == 400
    assert value(found, "ddns_endpoint_requests_total", protocol="aws", answer="401") == 1
    assert value(found, "ddns_endpoint_answer_seconds_bucket", protocol="dyndns2", le="0.0025") == 0
    assert value(found, "ddns_endpoint_answer_seconds_bucket", protocol="dyndns2", le="0.005") == 400
    assert value(found, "ddns_endpoint_answer_seconds_count", protocol="aws") == 1
    assert value(found, "ddns_endpoint_change_calls_total") == 1
    assert value(found, "ddns_endpoint_failed_logins_total") == 2
    assert value(found, "ddns_endpoint_hosts") == 1
    assert value(found, "ddns_endpoint_due_publications") == 1
    assert value(found, "ddns_endpoint_database_up") == 1


def test_the_oldest_publication_that_is_due_has_an_age(
    pages: OperatorPages, settings: Settings, database: Database
) -> None:
    assert value(metrics(pages), "ddns_endpoint_oldest_due_age_seconds") == 0
    add_host(settings, "nas.example.com")
    database.sql("UPDATE admin_ddns_record SET dueSince = '2026-01-02 00:00:00'")
    assert value(metrics(pages), "ddns_endpoint_oldest_due_age_seconds") > 86_400


def test_a_failed_login_is_limited_for_both_pages_together(pages: OperatorPages) -> None:
    for _ in range(10):
        pages.routes["/metrics"](request("/metrics", "wrong"), CALLER)
    assert [answer(request(path), CALLER).status for path, answer in pages.routes.items()] == [429, 429]


def test_no_name_of_a_host_is_a_label(pages: OperatorPages, settings: Settings) -> None:
    add_host(settings, "nas.example.com")
    assert not [key for key in metrics(pages) if "nas" in str(key)]


def test_without_the_database_the_counts_are_there_and_that_it_is_away(sqlite: Database) -> None:
    settings = sqlite.settings(DDNS_SERVE_STATUS_PASSWORD=PASSWORD)
    pool = Pool(lambda: open_hosts(settings))
    pages = operator_pages(settings, pool)
    pages.observe("dyndns2", "good", 0.1)
    found = metrics(pages)
    assert value(found, "ddns_endpoint_database_up") == 0
    assert value(found, "ddns_endpoint_requests_total", protocol="dyndns2", answer="good") == 1
    assert not [key for key in found if key[0] == "ddns_endpoint_hosts"]


def test_without_the_extra_the_metrics_say_what_to_install(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "ddns_updater.output.endpoint_metrics", raising=False)
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    pool = Pool(lambda: open_hosts(settings))
    pages = operator_pages(settings, pool)
    pages.observe("dyndns2", "good", 0.1)
    response = pages.routes["/metrics"](request("/metrics"), CALLER)
    assert response.status == 503
    assert response.body.startswith("/metrics needs the extra metrics; in the checkout, run ")
    assert pages.routes["/metrics"](request("/metrics", "wrong"), CALLER).status == 401
    assert pages.routes["/status"](request("/status"), CALLER).status == 200
