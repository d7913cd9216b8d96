"""The caller's address and the health of the server, in plain text."""

from ipaddress import ip_address

import pytest

from ddns_updater.server.plain import Health, answer_ip
from ddns_updater.server.request import Answer, Caller, Request, Response

_CALLER = Caller(ip_address("8.8.4.4"))


def _request(method: str = "GET", path: str = "/ip") -> Request:
    return Request(method, path, "", (), b"", "127.0.0.1")


@pytest.mark.parametrize("text", ["8.8.4.4", "2001:4860:4860::8888", "127.0.0.1", "10.0.0.1"])
def test_the_callers_address_is_a_line_of_text_public_or_not(text: str) -> None:
    assert answer_ip(_request(), Caller(ip_address(text))) == Response(200, f"{text}\n")


def test_who_asks_on_this_machine_gets_its_loopback_address() -> None:
    assert answer_ip(_request(), Caller(ip_address("127.0.0.1"), is_proxy=True)) == Response(200, "127.0.0.1\n")


@pytest.mark.parametrize("caller", [Caller(None), Caller(ip_address("9.9.9.9"), is_proxy=True)])
def test_an_address_that_cannot_be_told_is_no_answer_and_never_the_proxys(caller: Caller) -> None:
    response = answer_ip(_request(), caller)
    assert response.status == 503
    assert response.headers == (("Retry-After", "60"),)
    assert response.body == "cannot tell where this request came from: the proxy in front does not say so\n"


def _health(came_round_at: float = 1000.0, *, now: float = 1000.0, answers: bool = True) -> Response:
    return Health(lambda: answers, lambda: came_round_at, lambda: now).answer(_request(path="/health"), _CALLER)


@pytest.mark.parametrize("now", [1000.0, 1060.0])
def test_the_server_is_healthy_while_database_and_publisher_work(now: float) -> None:
    assert _health(now=now) == Response(200, "ok\n")


@pytest.mark.parametrize(
    ("came_round_at", "now", "answers", "problems"),
    [
        (1000.0, 1000.0, False, "the database does not answer\n"),
        (1000.0, 1060.6, True, "the publisher last came round 61 s ago\n"),
        (0.0, 1000.0, False, "the database does not answer\nthe publisher last came round 1000 s ago\n"),
    ],
)
def test_an_unhealthy_server_says_what_is_wrong(came_round_at: float, now: float, answers: bool, problems: str) -> None:
    response = _health(came_round_at, now=now, answers=answers)
    assert response == Response(503, problems, headers=(("Retry-After", "60"),))


@pytest.mark.parametrize("answer", [answer_ip, Health(lambda: True, lambda: 0.0, lambda: 0.0).answer])
@pytest.mark.parametrize(("method", "status"), [("GET", 200), ("HEAD", 200), ("POST", 405), ("PUT", 405), ("get", 405)])
def test_only_get_and_head_are_allowed(answer: Answer, method: str, status: int) -> None:
    response = answer(_request(method), _CALLER)
    assert response.status == status
    assert response.headers == ((("Allow", "GET, HEAD"),) if status == 405 else ())
