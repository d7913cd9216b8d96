"""The status page of a server: who sees it, with which headers, and how often it is made."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from ddns_updater.server.operator_login import OperatorLogin
from ddns_updater.server.status_route import StatusRoute
from tests.support.operator import CALLER, PASSWORD, CountingLogins, request

_POLICY = "default-src 'none'; style-src 'sha256-x'"


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def _numbered() -> Callable[[], str]:
    numbers = iter(range(1, 100))
    return lambda: f"page {next(numbers)}"


@pytest.fixture
def logins() -> CountingLogins:
    return CountingLogins()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def route(logins: CountingLogins, clock: Clock) -> StatusRoute:
    return StatusRoute(OperatorLogin(PASSWORD, logins), _numbered(), _POLICY, monotonic=clock)


@pytest.mark.parametrize("user", ["", "admin", "ü"])
def test_the_password_opens_it_with_any_user_name(route: StatusRoute, user: str) -> None:
    response = route.answer(request("/status", user=user), CALLER)
    assert (response.status, response.body) == (200, "page 1")
    assert response.content_type == "text/html; charset=utf-8"
    assert dict(response.headers) == {
        "Content-Security-Policy": f"{_POLICY}; frame-ancestors 'none'",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
    }


@pytest.mark.parametrize("password", [None, "", "wrong", PASSWORD + "x", PASSWORD[:-1], PASSWORD.upper()])
def test_anything_else_is_asked_for_a_login(route: StatusRoute, password: str | None) -> None:
    response = route.answer(request("/status", password), CALLER)
    assert response.status == 401
    assert dict(response.headers)["WWW-Authenticate"].startswith('Basic realm="ddns status"')
    assert "page" not in response.body


def test_a_header_that_comes_twice_or_is_no_login_opens_nothing(route: StatusRoute, logins: CountingLogins) -> None:
    twice = request("/status")
    assert route.answer(twice._replace(headers=twice.headers * 2), CALLER).status == 401
    assert route.answer(twice._replace(headers=(("authorization", "Bearer x"),)), CALLER).status == 401
    assert sum(logins.failures.values()) == 2


def test_failed_logins_are_counted_under_one_name_and_then_limited(route: StatusRoute, logins: CountingLogins) -> None:
    for number in range(10):
        assert route.answer(request("/status", "wrong", user=str(number)), CALLER).status == 401
    assert list(logins.failures.values()) == [10]
    limited = route.answer(request("/status"), CALLER)
    assert (limited.status, dict(limited.headers)) == (429, {"Retry-After": "60"})


def test_a_browser_that_has_not_asked_yet_has_not_failed(route: StatusRoute, logins: CountingLogins) -> None:
    route.answer(request("/status", None), CALLER)
    assert not logins.failures


def test_only_reading_is_allowed(route: StatusRoute) -> None:
    response = route.answer(request("/status", method="POST"), CALLER)
    assert (response.status, dict(response.headers)) == (405, {"Allow": "GET, HEAD"})
    assert route.answer(request("/status", method="HEAD"), CALLER).status == 200


def test_a_page_is_shown_again_for_some_seconds(route: StatusRoute, clock: Clock) -> None:
    def page() -> str:
        return route.answer(request("/status"), CALLER).body

    assert [page(), page()] == ["page 1", "page 1"]
    clock.now += 4.9
    assert page() == "page 1"
    clock.now += 0.2
    assert page() == "page 2"


def test_a_page_that_took_long_is_shown_for_longer(logins: CountingLogins, clock: Clock) -> None:
    numbered = _numbered()

    def render() -> str:
        clock.now += 3
        return numbered()

    route = StatusRoute(OperatorLogin(PASSWORD, logins), render, _POLICY, monotonic=clock)
    pages = []
    for _ in range(4):
        pages.append(route.answer(request("/status"), CALLER).body)
        clock.now += 11
    assert pages == ["page 1", "page 1", "page 1", "page 2"]


@pytest.fixture
def slow(logins: CountingLogins, clock: Clock) -> Iterator[tuple[StatusRoute, threading.Event, list[str]]]:
    """Give a route whose page waits until it is let go, and the pages that were begun."""
    go, begun, numbered = threading.Event(), list[str](), _numbered()

    def render() -> str:
        begun.append("begun")
        assert go.wait(10)
        return numbered()

    yield StatusRoute(OperatorLogin(PASSWORD, logins), render, _POLICY, monotonic=clock), go, begun
    go.set()


def test_of_many_that_ask_at_once_one_makes_the_page(slow: tuple[StatusRoute, threading.Event, list[str]]) -> None:
    route, go, begun = slow
    with ThreadPoolExecutor(8) as threads:
        asked = [threads.submit(route.answer, request("/status"), CALLER) for _ in range(8)]
        time.sleep(0.2)
        go.set()
        assert {each.result().body for each in asked} == {"page 1"}
    assert len(begun) == 1


def test_while_a_page_is_made_the_last_one_is_shown(
    slow: tuple[StatusRoute, threading.Event, list[str]], clock: Clock
) -> None:
    route, go, begun = slow
    go.set()
    assert route.answer(request("/status"), CALLER).body == "page 1"
    go.clear()
    clock.now += 100
    with ThreadPoolExecutor(1) as threads:
        first = threads.submit(route.answer, request("/status"), CALLER)
        while len(begun) < 2:
            time.sleep(0.01)
        assert route.answer(request("/status"), CALLER).body == "page 1"
        go.set()
        assert first.result().body == "page 2"


def test_after_a_failure_the_next_one_tries_again(logins: CountingLogins) -> None:
    numbers = iter(range(2))

    def render() -> str:
        if next(numbers) == 0:
            raise RuntimeError
        return "page"

    route = StatusRoute(OperatorLogin(PASSWORD, logins), render, _POLICY)
    with pytest.raises(RuntimeError):
        route.answer(request("/status"), CALLER)
    assert route.answer(request("/status"), CALLER).body == "page"
