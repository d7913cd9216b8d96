"""The routes of the endpoint."""

import logging
from ipaddress import ip_address

import pytest

from ddns_updater.server.endpoint import Endpoint
from ddns_updater.server.request import Caller, Request, Response


def get(path: str) -> Request:
    return Request("GET", path, "", (), b"", "127.0.0.1")


def nochg(*_: object) -> Response:
    return Response(200, "nochg", counted=("dyndns2", "nochg"))


def broken(*_: object) -> Response:
    raise KeyError("s3cr3t good")


def endpoint(counts: list[tuple[str, str, float]] | None = None) -> Endpoint:
    times = iter(range(100))
    return Endpoint(
        {
            "/ip": lambda request, caller: Response(200, f"{request.path} {caller.address}"),
            "/nic/update": nochg,
            "/broken": broken,
        },
        lambda request: Caller(ip_address(request.peer)),
        count=lambda *counted: counts.append(counted) if counts is not None else None,
        monotonic=lambda: float(next(times)),
    )


def test_a_path_is_answered_by_its_route() -> None:
    assert endpoint().answer(get("/ip")).body == "/ip 127.0.0.1"


@pytest.mark.parametrize(
    "path", ["", "/", "/IP", "/ip/", "//ip", "/ip/../ip", "/ip\n", "/nic", "/nic/update/", "*", "ü"]
)
def test_another_path_is_not_found(path: str) -> None:
    response = endpoint().answer(get(path))
    assert (response.status, response.body) == (404, "not found")
    assert not any(word in response.body for word in ("ok", "good", "true", "updated", "success", "nochg"))


def test_a_bug_is_logged_and_answered_as_temporary(caplog: pytest.LogCaptureFixture) -> None:
    response = endpoint().answer(get("/broken"))
    assert (response.status, response.body, response.headers) == (503, "911", (("Retry-After", "60"),))
    assert [(each.levelno, bool(each.exc_info)) for each in caplog.records] == [(logging.ERROR, True)]
    assert "KeyError" in caplog.text


def test_a_bug_in_finding_the_caller_is_answered_too() -> None:
    def no_caller(request: Request) -> Caller:
        raise ValueError(request.peer)

    assert Endpoint({"/nic/update": nochg}, no_caller).answer(get("/nic/update")).status == 503


def test_each_answer_is_counted_with_its_protocol_and_time() -> None:
    counts: list[tuple[str, str, float]] = []
    server = endpoint(counts)
    for path in ("/nic/update", "/ip", "/broken", "/s3cr3t"):
        server.answer(get(path))
    assert counts == [
        ("dyndns2", "nochg", 1.0),
        ("/ip", "200", 1.0),
        ("endpoint", "911", 1.0),
        ("endpoint", "404", 1.0),
    ]
