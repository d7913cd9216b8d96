"""The function that answers hosts: payloads, publishing without a thread, and sweeps."""

from base64 import b64encode
from datetime import timedelta
from ipaddress import ip_address
from typing import Any

import pytest

from ddns_updater.app import factories
from ddns_updater.aws_lambda import endpoint
from ddns_updater.history.dynamodb_host_items import HostItems
from ddns_updater.history.dynamodb_versions import now
from ddns_updater.hosts import NewHost
from ddns_updater.lib.dynamodb import Table
from ddns_updater.model import Family
from ddns_updater.settings.load import read_settings
from tests.aws_lambda.conftest import logged, restart
from tests.support.aws import FakeAws, refuse, refuse_item
from tests.support.endpoint import LOGIN, NAMES, SECRET
from tests.support.receivers import Receiver

CALLER = "9.9.9.9"
SCHEDULED = {"version": "0", "source": "aws.events", "detail-type": "Scheduled Event", "detail": {}}


@pytest.fixture
def zone(table: Table, aws: FakeAws) -> str:
    """Give the zone of the hosts, which are in the table."""
    del table
    zone = aws.zone()
    with factories.open_hosts(read_settings().valid()) as hosts:
        for number, name in enumerate(NAMES):
            hosts.add(NewHost(name, LOGIN, None if number else SECRET))
    aws.calls.clear()
    return zone


def request(
    path: str = "/nic/update",
    query: str = "",
    *,
    method: str = "GET",
    login: str | None = f"{LOGIN}:{SECRET}",
    peer: str = CALLER,
    body: str | None = None,
    encoded: bool = False,
    **headers: str,
) -> dict[str, Any]:
    """Return an event as an HTTP API makes it."""
    if login is not None:
        headers["authorization"] = f"Basic {b64encode(login.encode()).decode()}"
    http = {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": peer, "userAgent": "curl/8.5.0"}
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "headers": {"host": "abc.execute-api.eu-west-1.amazonaws.com", "user-agent": "curl/8.5.0", **headers},
        "requestContext": {"http": http, "stage": "$default"},
        "isBase64Encoded": encoded,
        **({} if body is None else {"body": body}),
    }


def answered(event: dict[str, Any]) -> tuple[int, str]:
    response = endpoint(event, None)
    return response["statusCode"], response["body"]


def test_a_changed_address_is_sent_before_the_answer_and_logged_in_one_line(
    zone: str, aws: FakeAws, capsys: pytest.CaptureFixture[str]
) -> None:
    assert answered(request(query=f"hostname={NAMES[0]}")) == (200, f"good {CALLER}")
    assert aws.address(zone) == CALLER
    [line] = logged(capsys)
    assert (line["level"], line["sent"]) == ("info", 1)


def test_an_unchanged_address_is_answered_without_a_lock_a_line_or_route_53(
    zone: str, aws: FakeAws, capsys: pytest.CaptureFixture[str]
) -> None:
    del zone
    answered(request(query=f"hostname={NAMES[0]}"))
    answered(request(query=f"hostname={NAMES[0]}"))  # saves the last request of this process
    logged(capsys)
    aws.calls.clear()
    assert answered(request(query=f"hostname={NAMES[0]}")) == (200, f"nochg {CALLER}")
    assert set(aws.calls) <= {"GetItem", "Query"}
    assert logged(capsys) == []


def test_an_ipv6_caller_gets_an_aaaa_record(zone: str, aws: FakeAws) -> None:
    assert answered(request(query=f"hostname={NAMES[0]}", peer="2620:fe::fe")) == (200, "good 2620:fe::fe")
    assert aws.address(zone, kind="AAAA") == "2620:fe::fe"


@pytest.mark.parametrize("encoded", [False, True])
def test_a_body_comes_as_text_or_in_base64(zone: str, aws: FakeAws, encoded: bool) -> None:
    text = f"hostname={NAMES[0]}&myip=8.8.4.4"
    body = b64encode(text.encode()).decode() if encoded else text
    form = {"content-type": "application/x-www-form-urlencoded"}
    assert answered(request(method="POST", body=body, encoded=encoded, **form)) == (200, "good 8.8.4.4")
    assert aws.address(zone) == "8.8.4.4"


@pytest.mark.parametrize(
    ("event", "status", "body"),
    [
        (request(login=f"{LOGIN}:wrong", query=f"hostname={NAMES[0]}"), 401, "badauth"),
        (request(login=None, query=f"hostname={NAMES[0]}"), 401, "badauth"),
        (request(login=None, query=f"hostname={NAMES[0]}", authorization="Basic YQ==,Basic Yg=="), 401, "badauth"),
        (request("/nowhere"), 404, "not found"),
        (request("/ip", login=None, peer="2620:fe::fe"), 200, "2620:fe::fe\n"),
        (request("/%69p", login=None), 200, f"{CALLER}\n"),
        (request("/ip", login=None, method="HEAD"), 200, ""),
        (request("/health", login=None), 200, "ok\n"),
        (request(method="POST", body="%%%", encoded=True, query=f"hostname={NAMES[0]}", login="a:b"), 401, "badauth"),
    ],
)
def test_it_answers_as_the_server_does(zone: str, event: dict[str, Any], status: int, body: str) -> None:
    del zone
    assert answered(event) == (status, body)


def test_a_failed_login_says_how_to_log_in(zone: str) -> None:
    del zone
    response = endpoint(request(login=None), None)
    assert {name.lower() for name in response["headers"]} >= {"www-authenticate", "content-type", "cache-control"}


def test_an_event_of_another_payload_format_is_refused_in_one_line(
    zone: str, capsys: pytest.CaptureFixture[str]
) -> None:
    del zone
    old = {"version": "1.0", "httpMethod": "GET", "path": "/ip", "requestContext": {"identity": {}}}
    assert answered(old) == (503, "911")
    [line] = logged(capsys)
    assert line["message"] == "the event is not of payload format 2.0; set it in the integration of the API"


def test_who_finds_that_another_publishes_answers_at_once_and_a_sweep_sends_it(
    zone: str, aws: FakeAws, capsys: pytest.CaptureFixture[str]
) -> None:
    with factories.open_hosts(read_settings().valid()) as other, other.lock_publisher() as is_theirs:
        assert is_theirs
        assert answered(request(query=f"hostname={NAMES[0]}")) == (200, f"good {CALLER}")
        assert "ChangeResourceRecordSets" not in aws.calls
        assert logged(capsys) == []
    assert endpoint(SCHEDULED, None) == {}
    assert aws.address(zone) == CALLER


def test_what_was_recorded_while_it_published_is_sent_too(
    zone: str, aws: FakeAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ddns_updater.server.rounds._WINDOW", 0.0)
    later: list[int] = []

    def record_another(call: Any) -> bytes:
        """Record an address of the other host while the change of the first one is on its way."""
        if not later:
            later.append(1)
            with factories.open_hosts(read_settings().valid()) as hosts:
                login = hosts.login(LOGIN)
                assert login
                [other] = [host for host in login.hosts if host.name == NAMES[1]]
                hosts.update([(other, {Family.IPV4: ip_address("8.8.4.4")})])
        return bytes(call.pass_on())

    aws.fault("ChangeResourceRecordSets", record_another)
    answered(request(query=f"hostname={NAMES[0]}"))
    assert (aws.address(zone), aws.address(zone, NAMES[1])) == (CALLER, "8.8.4.4")


def test_a_change_that_fails_is_answered_as_recorded_and_logged_in_one_line(
    zone: str, aws: FakeAws, capsys: pytest.CaptureFixture[str]
) -> None:
    aws.fault("ChangeResourceRecordSets", refuse("InvalidChangeBatch"))
    assert answered(request(query=f"hostname={NAMES[0]}")) == (200, f"good {CALLER}")
    assert aws.address(zone) is None
    [line] = logged(capsys)
    assert (line["level"], line["failed"]) == ("error", 1)
    assert line["message"].startswith("failed to publish 1 record: ")
    assert "InvalidChangeBatch" in line["message"]


def test_a_round_that_hangs_is_given_up_and_the_request_answered(
    zone: str, aws: FakeAws, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("ddns_updater.aws_lambda.answering._REQUEST", (1.0, 1.0))
    aws.fault("ChangeResourceRecordSets", aws.hang)
    assert answered(request(query=f"hostname={NAMES[0]}")) == (200, f"good {CALLER}")
    [line] = logged(capsys)
    assert line["message"] == "publishing took more than 1 s; the next sweep continues"
    del zone


def test_a_table_that_fails_is_a_503_and_nothing_is_lost(zone: str, aws: FakeAws) -> None:
    aws.fault("Query", refuse_item("AccessDeniedException"))
    response = endpoint(request(query=f"hostname={NAMES[0]}"), None)
    assert (response["statusCode"], response["body"]) == (503, "911")
    assert "Retry-After" in response["headers"]
    aws.heal()
    assert answered(request(query=f"hostname={NAMES[0]}")) == (200, f"good {CALLER}")
    assert aws.address(zone) == CALLER


def test_the_last_requests_are_saved_before_the_process_is_forgotten(zone: str) -> None:
    del zone
    answered(request(query=f"hostname={NAMES[0]}"))
    with factories.open_hosts(read_settings().valid()) as hosts:
        [entry] = [each for each in hosts.entries() if each.host.name == NAMES[0]]
    assert entry.last_request
    assert entry.last_request.client == "curl/8.5.0"


def test_a_sweep_verifies_what_was_sent_and_is_quiet(
    zone: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    del zone
    answered(request(query=f"hostname={NAMES[0]}"))
    restart()
    logged(capsys)
    assert _due() == 1
    monkeypatch.setattr(HostItems, "now", lambda _self: now() + timedelta(seconds=10))
    assert endpoint(SCHEDULED, None) == {}
    assert _due() == 0
    assert logged(capsys) == []


def test_a_sweep_whose_reading_hangs_ends_and_reports_no_failure(
    zone: str, aws: FakeAws, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], receiver: Receiver
) -> None:
    del zone
    monkeypatch.setenv("DDNS_WEBHOOK_URLS", receiver.url)
    monkeypatch.setenv("DDNS_ALERT_AFTER", "1")
    monkeypatch.setattr("ddns_updater.aws_lambda.answering._SWEEP", (0.0, 1.0))
    monkeypatch.setattr("ddns_updater.aws_lambda.answering._READING", 1.0)
    aws.fault("Query", aws.hang)
    assert endpoint(SCHEDULED, None) == {}
    [line] = logged(capsys)
    assert line["message"] == "reading how the hosts are took more than 1 s; the next sweep tells it"
    assert receiver.got == []


@pytest.mark.parametrize("event", [request(query=f"hostname={NAMES[0]}"), SCHEDULED])
def test_wrong_settings_are_told_in_a_line_each(
    zone: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], event: dict[str, Any]
) -> None:
    del zone
    monkeypatch.setenv("DDNS_TTL", "none")
    monkeypatch.setenv("DDNS_RUN_TIMEOUT", "none")
    response = endpoint(event, None)
    assert response.get("statusCode", 503) == 503
    assert [line["level"] for line in logged(capsys)] == ["error", "error"]


def _due() -> int:
    """Return how many records are due: sent or not, they were not seen to hold."""
    with factories.open_hosts(read_settings().valid()) as hosts:
        return hosts.count_due()[0]
