"""The dyndns2 protocol, from a request to the addresses that are recorded and the response."""

import logging
from base64 import b64encode
from collections.abc import Mapping
from ipaddress import ip_address
from urllib.parse import parse_qsl, quote

import hypothesis
import pytest
from hypothesis import strategies as st

from ddns_updater.dns.names import normalize_name
from ddns_updater.errors import HistoryError
from ddns_updater.hosts import Host, LastRequest, NewHost, Result, Verdict
from ddns_updater.model import Address, Family
from ddns_updater.server.dyndns2 import Dyndns2
from ddns_updater.server.request import Caller, Request, Response
from tests.support.fake_hosts import NOW, FakeRequests
from tests.support.recorded_requests import CALLER, HOSTS, LOGIN, RECORDED, SECRET, Recorded, parsed

HOME, NAS, PI = "home.example.com", "nas.example.com", "pi.example.com"
INADYN_TAKES_FOR_SUCCESS = ("ok", "good", "true", "updated", "success", "nochg")
OTHER = NewHost("other.example.com", "other.example.com", "another s3cr3t")
V4, V6 = ip_address("8.8.4.4"), ip_address("2001:4860:4860::8844")


class Server:
    """The protocol with hosts in memory, and what it asked of its surroundings."""

    def __init__(self, *hosts: NewHost) -> None:
        self.requests = FakeRequests(*(hosts or (*HOSTS, OTHER)))
        self.notes: list[tuple[str, LastRequest]] = []
        self.failures: list[tuple[Caller, str | None]] = []
        self.limited: tuple[str | None, ...] = ()
        self._protocol = Dyndns2(self.requests, self, normalize=normalize_name, now=lambda: NOW, note=self._noted)

    def is_limited(self, _: Caller, login: str | None) -> bool:
        return login in self.limited

    def failed(self, caller: Caller, login: str | None) -> None:
        self.failures.append((caller, login))

    def _noted(self, host: Host, request: LastRequest) -> None:
        self.notes.append((host.name, request))

    def answer(self, request: Request, caller: str | None = CALLER) -> Response:
        return self._protocol.answer(request, Caller(None if caller is None else ip_address(caller)))

    def get(self, query: str, *, caller: str | None = CALLER, login: str = LOGIN, secret: str = SECRET) -> Response:
        return self.answer(asking(query, login=login, secret=secret), caller)

    @property
    def recorded(self) -> dict[str, Mapping[Family, Address]]:
        return {name: addresses for update in self.requests.updates for name, addresses in update.items()}


def asking(query: str, *, login: str = LOGIN, secret: str = SECRET, method: str = "GET", body: bytes = b"") -> Request:
    authorization = "Basic " + b64encode(f"{login}:{secret}".encode()).decode()
    headers = (("authorization", authorization), ("user-agent", "client/1.0"))
    return Request(method, "/nic/update", query, headers, body, "127.0.0.1")


def with_header(request: Request, name: str, value: str) -> Request:
    return request._replace(headers=(*request.headers, (name, value)))


@pytest.mark.parametrize("recorded", RECORDED, ids=[each.client for each in RECORDED])
def test_a_real_client_gets_what_it_understands(recorded: Recorded) -> None:
    response = Server().answer(parsed(recorded.raw))
    assert (response.status, response.body) == (recorded.status, recorded.body)


@pytest.mark.parametrize("recorded", RECORDED, ids=[each.client for each in RECORDED])
def test_the_same_request_again_changes_nothing(recorded: Recorded) -> None:
    server = Server()
    server.answer(parsed(recorded.raw))
    assert server.answer(parsed(recorded.raw)).body == recorded.body.replace("good", "nochg")


def test_every_host_of_a_request_is_updated_in_one_call() -> None:
    server = Server()
    response = server.get(f"hostname={NAS},{HOME}&myip=8.8.4.4,2001:4860:4860::8844")
    both = {Family.IPV4: V4, Family.IPV6: V6}
    assert server.requests.updates == [{NAS: both, HOME: both}]
    assert response == Response(
        200,
        "good 8.8.4.4,2001:4860:4860::8844\ngood 8.8.4.4,2001:4860:4860::8844",
        counted=("dyndns2", "good"),
    )


def test_each_name_is_answered_as_given_in_order() -> None:
    server = Server()
    server.get(f"hostname={HOME}&myip=8.8.4.4")
    names = f"{NAS},other.example.com,{HOME.upper()}.,nobody.example.com,{NAS},localhost"
    response = server.get(f"hostname={names}&myip=8.8.4.4")
    assert response.body.split("\n") == ["good 8.8.4.4", "nohost", "nochg 8.8.4.4", "nohost", "good 8.8.4.4", "notfqdn"]
    assert response.status == 200
    assert set(server.recorded) == {NAS, HOME}
    assert [list(each) for each in server.requests.updates] == [[HOME], [NAS, HOME]]


def test_a_family_that_is_not_given_stays_as_it_is() -> None:
    server = Server()
    server.get(f"hostname={HOME}&myip=8.8.4.4,2001:4860:4860::8844")
    assert server.get(f"hostname={HOME}&myip=2001:4860:4860::8888").body == "good 2001:4860:4860::8888"
    assert server.get(f"hostname={HOME}&myip=8.8.4.4").body == "nochg 8.8.4.4"


@pytest.mark.parametrize("query", ["", "hostname=", "hostname=,%20,", "myip=8.8.4.4"])
def test_without_a_name_it_is_that_of_the_login(query: str) -> None:
    server = Server()
    server.get(query)
    assert set(server.recorded) == {HOME}


def test_without_a_name_a_login_that_is_none_has_nothing_to_update() -> None:
    server = Server(NewHost(HOME, "me", SECRET))
    assert server.get("myip=8.8.4.4", login="ME").body == "notfqdn"
    assert server.get(f"hostname={HOME}&myip=8.8.4.4", login="ME").body == "good 8.8.4.4"


@pytest.mark.parametrize(
    "query",
    [
        "system=dyndns&wildcard=ON&mx=mail.example.com&backmx=YES&url=http://example.com&offline=NOCHG",
        "system=custom&wildcard=NOCHG&offline=no&offline=",
    ],
)
def test_what_has_no_meaning_here_is_passed_over(query: str) -> None:
    assert Server().get(f"{query}&hostname={HOME}&myip=8.8.4.4").body == "good 8.8.4.4"


@pytest.mark.parametrize(
    ("query", "body"),
    [
        (f"hostname={HOME}&myip=8.8.4.4&offline=YES", "!donator"),
        (f"hostname={HOME}&myip=8.8.4.4&offline=1", "!donator"),
        ("hostname=" + ",".join([HOME] * 21), "numhost"),
        ("hostname=YES", "notfqdn"),
        ("hostname=home", "notfqdn"),
        ("hostname=home.example.com:80", "notfqdn"),
        ("hostname=-.example.com", "notfqdn"),
        ("hostname=<domain>", "notfqdn"),
        ("hostname=__HOSTNAME__", "notfqdn"),
        ("hostname=%00", "notfqdn"),
        ("hostname=m%FCller.example.com", "notfqdn"),
        ("hostname=" + "a" * 5000, "notfqdn"),
        ("hostname=good.example.com", "nohost"),
        ("hostname=other.example.com", "nohost"),
        ("hostname=example.com", "nohost"),
        (f"hostname=x.{HOME}", "nohost"),
        ("hostname=m\xc3\xbcller.example.com", "notfqdn"),
        ("hostname=" + "&hostname=".join(["a.example.com"] * 21), "numhost"),
        ("&".join(["a=b"] * 101), "badagent"),
        pytest.param("hostname=\ud800", "notfqdn", id="surrogate"),  # which xdist cannot report
    ],
)
def test_what_the_owner_must_correct_is_200_with_the_bare_code(query: str, body: str) -> None:
    server = Server()
    response = server.get(query)
    assert (response.status, response.body, response.headers) == (200, body, ())
    assert server.recorded == {}


def test_twenty_names_are_answered() -> None:
    assert Server().get("hostname=" + ",".join([HOME] * 20)).body == "\n".join(["good 9.9.9.9"] * 20)


@pytest.mark.parametrize("name", ["m%C3%BCller.example.com", "xn--mller-kva.example.com", "M%C3%9CLLER.example.com."])
def test_an_umlaut_means_the_host_that_was_added_with_it(name: str) -> None:
    server = Server(NewHost(normalize_name("müller.example.com"), LOGIN, SECRET))
    assert server.get(f"hostname={name}&myip=8.8.4.4").body == "good 8.8.4.4"


@pytest.mark.parametrize(
    "query",
    [
        "myip=<ipaddr>",
        "myip=__MYIP__",
        "myip=8.8.4.4&myipv6=<ip6addr>",
        "myip=8.8.4.4&ip6lanprefix=<ip6lanprefix>",
        "myip=8.8.4.4,1.1.1.1",
        "myip=8.8.4.4&myip=1.1.1.1",
        "MyIP=10.0.0.1",
        "myip=100.64.1.1,2001:4860:4860::8844",
        "myip=::ffff:8.8.4.4",
        "myip=fe80::1%25eth0",
        "myip=8.8.4.4:80",
        "myip=[2001:4860:4860::8844]:443",
        "myip=2001:4860:4860::/64",
        "myip=0.0.0.0",
        "myip=127.0.0.1",
        "myip=%00",
        "myip=%FF",
        "myip=8.8.4.4%0d%0aSet-Cookie:x",
    ],
)
def test_a_doubtful_address_changes_nothing_and_the_client_tries_again(query: str) -> None:
    server = Server()
    response = server.get(f"hostname={HOME}&{query}")
    assert (response.status, response.body, response.headers) == (503, "911", (("Retry-After", "300"),))
    assert server.requests.updates == []
    assert [(name, noted.verdict) for name, noted in server.notes] == [(HOME, Verdict.LATER)]


@pytest.mark.parametrize("caller", [None, "127.0.0.1", "192.168.1.7", "100.64.0.1", "::1", "fe80::1"])
def test_a_caller_without_a_public_address_changes_nothing(caller: str | None) -> None:
    server = Server()
    assert server.get(f"hostname={HOME}&myip=", caller=caller).body == "911"
    assert server.get(f"hostname={HOME}&myip=8.8.4.4", caller=caller).body == "good 8.8.4.4"
    assert [noted.caller for _, noted in server.notes] == [caller or ""] * 2


def test_a_prefix_is_for_the_hosts_with_a_suffix_alone() -> None:
    server = Server()
    response = server.get(f"hostname={HOME},{PI}&ip6lanprefix=2001:4860:4860:100::/56")
    assert (response.status, response.body) == (503, "911\ngood 2001:4860:4860:100:21e:6ff:fe12:3456")
    assert set(server.recorded) == {PI}


def test_what_was_wrong_with_an_address_is_logged_without_the_secret(caplog: pytest.LogCaptureFixture) -> None:
    server = Server()
    server.get(f"hostname={HOME}&myip=<ipaddr>")
    server.get(f"hostname={HOME}&myip=x,{SECRET}")
    server.get(f"hostname={HOME}&myip={'y' * 60}{SECRET}")
    server.answer(asking(f"myip=__MYIP__&username={LOGIN}&password={SECRET}")._replace(headers=()))
    assert caplog.messages == [
        "home.example.com: its request gave '<ipaddr>', which is not one IP address",
        "home.example.com: its request gave its secret",
        "home.example.com: its request gave its secret",
        "home.example.com: its request gave '__MYIP__', which is not one IP address",
    ]


def test_a_host_that_must_wait_makes_the_whole_response_503_with_every_line() -> None:
    server = Server()
    server.requests.answered = {NAS: Result(Verdict.LATER, retry_after=600)}
    response = server.get(f"hostname={HOME},{NAS},localhost&myip=8.8.4.4")
    assert (response.status, response.body) == (503, "good 8.8.4.4\n911\nnotfqdn")
    assert response.headers == (("Retry-After", "600"),)
    assert response.counted == ("dyndns2", "911")


def test_a_client_may_try_again_when_the_first_host_need_not_wait_any_more() -> None:
    server = Server()
    server.requests.answered = {
        HOME: Result(Verdict.LATER, retry_after=600),
        NAS: Result(Verdict.LATER, retry_after=120),
    }
    assert server.get(f"hostname={HOME},{NAS}&myip=8.8.4.4").headers == (("Retry-After", "120"),)


def test_a_blocked_host_is_told_so() -> None:
    server = Server()
    server.requests.answered = {HOME: Result(Verdict.BLOCKED, (V4,))}
    response = server.get(f"hostname={HOME}&myip=8.8.4.4")
    assert (response.status, response.body) == (200, "abuse")


def test_a_form_is_read_like_a_query() -> None:
    server = Server()
    body = f"hostname={HOME}&myip=8.8.4.4".encode()
    assert server.answer(asking("", method="POST", body=body)).body == "good 8.8.4.4"
    typed = with_header(asking("", method="POST", body=body), "content-type", "Application/X-WWW-Form-URLencoded; a=b")
    assert server.answer(typed).body == "nochg 8.8.4.4"
    assert server.answer(asking(f"hostname={HOME}", method="POST", body=b"myip=8.8.8.8")).body == "good 8.8.8.8"
    assert server.answer(asking(f"hostname={HOME}&myip=1.1.1.1", method="POST", body=b"myip=8.8.8.8")).body == "911"
    assert server.answer(asking(f"hostname={HOME}&myip=1.1.1.1", method="POST")).body == "good 1.1.1.1"


def test_the_body_of_a_get_is_passed_over() -> None:
    request = asking(f"hostname={HOME}&myip=8.8.4.4", body=b"myip=1.1.1.1")
    assert Server().answer(request).body == "good 8.8.4.4"


@pytest.mark.parametrize("content_type", ["application/json", "multipart/form-data; boundary=x", "text/plain"])
def test_a_body_that_is_no_form_is_not_passed_over(content_type: str) -> None:
    server = Server()
    request = asking(f"hostname={HOME}", method="POST", body=b'{"myip": "8.8.4.4"}')
    response = server.answer(with_header(request, "content-type", content_type))
    assert (response.status, response.body) == (200, "badagent")
    assert server.recorded == {}


@pytest.mark.parametrize("method", ["HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "PRI", "get", ""])
def test_another_method_is_refused_and_changes_nothing(method: str) -> None:
    server = Server()
    response = server.answer(asking(f"hostname={HOME}&myip=8.8.4.4", method=method))
    assert (response.status, response.body, response.headers) == (405, "", (("Allow", "GET, POST"),))
    assert server.requests.asked == []
    assert server.recorded == {}


@pytest.mark.parametrize(
    "request_",
    [
        asking("hostname=good.example.com", secret="wrong"),
        asking("hostname=good.example.com", login="nobody"),
        asking("hostname=good.example.com", login="other.example.com"),
        asking("")._replace(headers=()),
        asking("")._replace(headers=(("authorization", "Basic good"),)),
        with_header(asking(""), "authorization", "Basic aG9tZTpz"),
        asking(f"username={LOGIN}&password=wrong")._replace(headers=()),
        asking(f"username={OTHER.login}&password={quote(OTHER.secret or '')}")._replace(headers=()),
    ],
)
def test_what_is_not_logged_in_gets_the_same_answer_with_a_challenge(request_: Request) -> None:
    server = Server()
    response = server.answer(request_)
    assert response == Response(
        401,
        "badauth",
        headers=(("WWW-Authenticate", 'Basic realm="ddns", charset="UTF-8"'),),
        counted=("dyndns2", "badauth"),
    )
    assert (server.recorded, server.notes) == ({}, [])


def test_a_wrong_secret_is_counted_and_a_request_without_one_is_not() -> None:
    server = Server()
    server.get("", secret="wrong", login="Nobody")
    server.get("")
    server.answer(asking("")._replace(headers=()))
    assert server.failures == [(Caller(ip_address(CALLER)), "nobody")]


def test_nobody_is_looked_up_for_a_caller_who_failed_too_often() -> None:
    server = Server()
    server.limited = (LOGIN, None)
    for request in (asking(f"hostname={HOME}"), asking("")._replace(headers=())):
        response = server.answer(request)
        assert (response.status, response.body) == (429, "")
    assert server.requests.asked == []
    assert server.failures == []


def test_a_secret_in_the_query_opens_the_hosts_that_were_added_for_it() -> None:
    query = f"hostname={HOME},{NAS}&myip=8.8.4.4&username={LOGIN}&password={SECRET}"
    server = Server()
    assert server.answer(asking(query)._replace(headers=())).body == "good 8.8.4.4\nnohost"
    assert set(server.recorded) == {HOME}


def test_a_database_that_does_not_answer_is_temporary(caplog: pytest.LogCaptureFixture) -> None:
    server = Server()
    server.requests.failing = HistoryError("cannot connect")
    response = server.get(f"hostname={HOME},{NAS},localhost&myip=8.8.4.4")
    assert (response.status, response.body) == (503, "911\n911\nnotfqdn")
    assert response.headers == (("Retry-After", "60"),)
    assert [(name, noted.verdict) for name, noted in server.notes] == [(HOME, Verdict.LATER), (NAS, Verdict.LATER)]
    assert caplog.messages == ["failed to record a request: cannot connect"]


def test_a_database_that_cannot_look_up_a_login_is_temporary(caplog: pytest.LogCaptureFixture) -> None:
    server = Server()
    server.requests.failing_login = HistoryError("cannot connect")
    response = server.get(f"hostname={HOME},{NAS}&myip=8.8.4.4")
    assert (response.status, response.body, response.headers) == (503, "911", (("Retry-After", "60"),))
    assert server.failures == []
    assert caplog.messages == ["failed to look a login up: cannot connect"]


def test_the_request_is_noted_for_each_host() -> None:
    server = Server()
    server.get(f"hostname={HOME},{NAS},{HOME},other.example.com&myip=8.8.4.4")
    noted = LastRequest(NOW, "client/1.0", CALLER, Verdict.GOOD)
    assert server.notes == [(HOME, noted), (NAS, noted)]


def test_the_client_is_noted_as_one_short_printable_line() -> None:
    server = Server()
    request = asking(f"hostname={HOME}")._replace(headers=asking("").headers[:1])
    server.answer(with_header(request, "user-agent", "\x1b[31m" + "x" * 300))
    server.answer(request)
    server.answer(with_header(with_header(request, "user-agent", "a"), "user-agent", "b"))
    assert [noted.client for _, noted in server.notes] == [r"\x1b[31m" + "x" * 192, "", ""]


HOSTILE = st.text(st.characters(exclude_categories=()), max_size=40)
NAMES = st.one_of(
    HOSTILE,
    st.sampled_from([f"{word}.example.com" for word in INADYN_TAKES_FOR_SUCCESS]),
    st.sampled_from([HOME, NAS, "other.example.com", "good", "*", "xn--", "xn--a", "\uff41.\uff42", "a\u3002b"]),
)


@hypothesis.given(st.lists(NAMES, max_size=3), st.sampled_from([LOGIN, "nobody", "ok.example.com"]), st.booleans())
def test_no_error_looks_like_a_success_to_inadyn(names: list[str], login: str, is_usable: bool) -> None:
    server = Server()
    server.requests.answered = {NAS: Result(Verdict.BLOCKED)}
    query = "hostname=" + quote(",".join(names), errors="replace") + "&myip=" + ("8.8.4.4" if is_usable else "good")
    response = server.get(query, login=login)
    lines = response.body.split("\n")
    assert set(lines) <= {"good 8.8.4.4", "abuse", "911", "nohost", "notfqdn", "numhost", "badagent", "badauth"}
    for line in lines:
        if line != "good 8.8.4.4":
            assert not any(word in line.lower() for word in INADYN_TAKES_FOR_SUCCESS)
    assert ("good 8.8.4.4" in lines) == bool(server.recorded.keys() - {NAS})


@hypothesis.given(
    st.sampled_from(["GET", "POST", "HEAD"]),
    HOSTILE,
    st.lists(st.tuples(st.sampled_from(["authorization", "content-type", "user-agent", "x"]), HOSTILE), max_size=4),
    st.binary(),
    st.booleans(),
)
def test_any_request_is_answered_and_nothing_of_it_is_recorded(
    method: str, query: str, headers: list[tuple[str, str]], body: bytes, is_logged_in: bool
) -> None:
    server = Server()
    own = asking("").headers[:1] if is_logged_in else ()
    response = server.answer(Request(method, "/nic/update", query, (*own, *headers), body, "peer"), None)
    assert response.status in (200, 401, 405, 503)
    assert server.recorded == {}


@hypothesis.given(st.lists(st.tuples(st.sampled_from(["hostname", "myip", "x"]), st.text()), max_size=5))
def test_a_query_and_a_form_that_say_the_same_get_the_same(fields: list[tuple[str, str]]) -> None:
    text = "&".join(f"{name}={quote(value)}" for name, value in fields)
    assert parse_qsl(text, keep_blank_values=True) == fields
    posted = asking("", method="POST", body=text.encode())
    assert Server().get(text) == Server().answer(posted)


def test_nothing_of_a_request_is_logged_but_the_names_of_hosts(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    server = Server()
    server.get(f"hostname=s3cr3t.example.com&myip=8.8.4.4&password={SECRET}", login=SECRET, secret="s3cr3t")
    server.get(f"hostname={HOME}&myip={SECRET}")
    server.requests.failing = HistoryError("cannot connect")
    server.get(f"hostname={HOME}&myip=8.8.4.4")
    assert SECRET not in caplog.text
    assert "s3cr3t" not in caplog.text
