"""Requests of real clients, byte for byte, over a socket to the web server."""

import re
from contextlib import closing
from datetime import UTC, datetime
from ipaddress import ip_address

import pytest

from ddns_updater.dns.names import normalize_name
from ddns_updater.server.dyndns2 import Dyndns2
from ddns_updater.server.endpoint import Endpoint
from ddns_updater.server.failed_logins import FailedLogins
from ddns_updater.server.request import Caller
from tests.support.fake_hosts import FakeRequests
from tests.support.recorded_requests import CALLER, HOSTS, RECORDED, Recorded
from tests.support.web import connect, received, serving, split

LOGS_OUT = re.compile(rb"HTTP/1\.0\r\n|Connection: close", re.IGNORECASE)


@pytest.mark.parametrize("recorded", RECORDED, ids=[each.client for each in RECORDED])
def test_each_client_gets_its_answer(recorded: Recorded) -> None:
    dyndns2 = Dyndns2(
        FakeRequests(*HOSTS),
        FailedLogins(),
        normalize=normalize_name,
        now=lambda: datetime.now(UTC),
        note=lambda _host, _request: None,
    )
    routes = {"/nic/update": dyndns2.answer, "/v3/update": dyndns2.answer}
    endpoint = Endpoint(routes, lambda _request: Caller(ip_address(CALLER)))
    with serving(endpoint.answer) as server, closing(connect(server)) as client:
        client.sendall(recorded.raw)
        raw = client.recv(65_536)
        if LOGS_OUT.search(recorded.raw):
            assert received(client) == b""  # the server closes the connection
    status, headers, body = split(raw)
    assert (status, body.decode()) == (recorded.status, recorded.body)
    assert headers["content-length"] == str(len(body))
    assert not {"transfer-encoding", "content-encoding", "location"} & set(headers)
    assert ("www-authenticate" in headers) == (status == 401)
