"""How many failed logins are answered, and how much of them is remembered."""

import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address

import pytest

from ddns_updater.server.failed_logins import FailedLogins
from ddns_updater.server.request import Caller

_NAS, _CAM = "nas.example.com", "cam.example.com"
_ONE, _TWO = Caller(ip_address("192.0.2.1")), Caller(ip_address("192.0.2.2"))


class _Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> _Clock:
    return _Clock()


@pytest.fixture
def failed_logins(clock: _Clock) -> FailedLogins:
    return FailedLogins(clock)


def _fail(failed_logins: FailedLogins, times: int, login: str | None = _NAS, caller: Caller = _ONE) -> None:
    for _ in range(times):
        failed_logins.failed(caller, login)


def test_ten_failed_logins_limit_this_login_from_this_address_alone(failed_logins: FailedLogins) -> None:
    _fail(failed_logins, 9)
    assert not failed_logins.is_limited(_ONE, _NAS)
    _fail(failed_logins, 1)
    assert failed_logins.is_limited(_ONE, _NAS)
    assert not failed_logins.is_limited(_ONE, _CAM), "a neighbour behind the same address"
    assert not failed_logins.is_limited(_ONE, None)
    assert not failed_logins.is_limited(_TWO, _NAS)


def test_a_hundred_failed_logins_limit_every_login_from_this_address(failed_logins: FailedLogins) -> None:
    for number in range(99):
        _fail(failed_logins, 1, f"{number}.example.com")
    assert not failed_logins.is_limited(_ONE, _NAS)
    _fail(failed_logins, 1, None)
    assert failed_logins.is_limited(_ONE, _NAS)
    assert failed_logins.is_limited(_ONE, None)
    assert not failed_logins.is_limited(_TWO, _NAS)


def test_what_is_no_login_counts_for_the_address_alone(failed_logins: FailedLogins) -> None:
    _fail(failed_logins, 99, None)
    assert not failed_logins.is_limited(_ONE, None)
    _fail(failed_logins, 1, None)
    assert failed_logins.is_limited(_ONE, None)


def test_a_failed_login_counts_for_a_minute(failed_logins: FailedLogins, clock: _Clock) -> None:
    _fail(failed_logins, 5)
    clock.now += 30
    _fail(failed_logins, 5)
    clock.now += 29.9
    assert failed_logins.is_limited(_ONE, _NAS)
    clock.now += 0.1
    assert not failed_logins.is_limited(_ONE, _NAS)
    _fail(failed_logins, 5)
    assert failed_logins.is_limited(_ONE, _NAS), "the five of half a minute ago count"


def test_who_goes_on_failing_stays_limited_and_more_are_not_kept(failed_logins: FailedLogins, clock: _Clock) -> None:
    for _ in range(3):
        _fail(failed_logins, 100)
        clock.now += 59
        assert failed_logins.is_limited(_ONE, _CAM)
    clock.now += 1
    assert not failed_logins.is_limited(_ONE, _CAM)


def test_all_addresses_of_an_ipv6_network_are_one(failed_logins: FailedLogins) -> None:
    for number in range(10):
        _fail(failed_logins, 1, caller=Caller(ip_address(f"2001:db8:0:1::{number}")))
    assert failed_logins.is_limited(Caller(ip_address("2001:db8:0:1:ffff::")), _NAS)
    assert not failed_logins.is_limited(Caller(ip_address("2001:db8:0:2::")), _NAS)


@pytest.mark.parametrize("caller", [Caller(None), Caller(ip_address("127.0.0.1"), is_proxy=True)])
def test_who_may_stand_for_anybody_is_never_limited(failed_logins: FailedLogins, caller: Caller) -> None:
    _fail(failed_logins, 200, caller=caller)
    assert not failed_logins.is_limited(caller, _NAS)
    assert not failed_logins.is_limited(Caller(ip_address("127.0.0.1")), _NAS)


def test_the_least_recent_of_ten_thousand_addresses_is_forgotten(failed_logins: FailedLogins) -> None:
    _fail(failed_logins, 9)
    _fail(failed_logins, 10, caller=_TWO)
    _fail(failed_logins, 1)  # more recent than the other one now
    first = int(ip_address("10.0.0.0"))
    for number in range(9_998):
        _fail(failed_logins, 1, caller=Caller(ip_address(first + number)))
    assert failed_logins.is_limited(_ONE, _NAS)
    assert failed_logins.is_limited(_TWO, _NAS)
    _fail(failed_logins, 1, caller=Caller(ip_address(first + 9_998)))
    assert failed_logins.is_limited(_ONE, _NAS)
    assert not failed_logins.is_limited(_TWO, _NAS)


def test_long_and_many_logins_take_little_memory(failed_logins: FailedLogins) -> None:
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for number in range(100):
            caller = Caller(ip_address(int(ip_address("10.0.0.0")) + number))
            for attempt in range(120):
                failed_logins.failed(caller, f"{number}.{attempt}" + "x" * 10_000)
        taken = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert taken < 100 * 2_500, "25 MB for 10,000 addresses"


@pytest.mark.parametrize("login", ["", "\ud800", "ü" * 5000, "\x00"])
def test_any_login_is_counted(failed_logins: FailedLogins, login: str) -> None:
    _fail(failed_logins, 10, login)
    assert failed_logins.is_limited(_ONE, login)
    assert not failed_logins.is_limited(_ONE, _NAS)


def test_threads_lose_no_failed_login() -> None:
    for _ in range(20):
        failed_logins = FailedLogins(lambda: 0.0)
        with ThreadPoolExecutor(10) as pool:
            list(pool.map(lambda _, each=failed_logins: each.failed(_ONE, _NAS), range(10)))
        assert failed_logins.is_limited(_ONE, _NAS)
