"""AWS's own protocol over real hosts, by a client that is written from its description."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import sha256
from ipaddress import ip_address
from typing import Any, NamedTuple
from urllib.parse import urlencode

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ddns_updater.app.factories import open_hosts
from ddns_updater.dns.names import normalize_name
from ddns_updater.hosts import Host, LastRequest, NewHost, Verdict
from ddns_updater.model import Family
from ddns_updater.server.failed_logins import FailedLogins
from ddns_updater.server.ports import HostStore
from ddns_updater.server.request import Caller, Request, Response
from ddns_updater.server.shared_secret import SharedSecret
from tests.support.database import Database

_NAME, _SECRET = "nas.example.com", "a9x4" * 8
_V4, _V6 = "8.8.4.4", "2001:4860:4860::8888"
_AT = datetime(2026, 5, 3, 14, tzinfo=UTC)
_ENDED_BY = re.compile("ok|good|true|updated|success|nochg", re.IGNORECASE)  # what inadyn takes for a success
_NO_MATCH = "Validation hashes do not match."
_NO_HASH = "You must pass a valid sha256 hash in the hash= argument."
_SAME = "Your IP address matches the current Route53 DNS record."
_NOT_NOW = "The request cannot be answered now; try again later."
_NOT_TOLD = "It cannot be told where this request came from."


def _hash(address: str, name: str = _NAME, secret: str = _SECRET) -> str:
    return sha256(f"{address}{name}{secret}".encode()).hexdigest()


class Endpoint(NamedTuple):
    """The protocol with what is behind it."""

    hosts: HostStore
    database: Database
    protocol: SharedSecret
    noted: list[tuple[Host, LastRequest]]

    def add(self, name: str = _NAME, secret: str = _SECRET, *, takes_aws: bool = True) -> Host:
        return self.hosts.add(NewHost(name, name, secret, takes_aws=takes_aws))

    def send(
        self, method: str, query: str = "", body: bytes = b"", *, caller: str | Caller = _V4, agent: str = "curl/7.88.1"
    ) -> Response:
        request = Request(method, "/", query, (("user-agent", agent),), body, "127.0.0.1")
        return self.protocol.answer(request, Caller(ip_address(caller)) if isinstance(caller, str) else caller)

    def post(self, document: object, *, caller: str | Caller = _V4) -> tuple[int, str, str]:
        """Return status, return_status and return_message of the answer to JSON."""
        return _read(self.send("POST", body=json.dumps(document).encode(), caller=caller))

    def set(
        self, name: object = _NAME, given: object = None, *, caller: str | Caller = _V4, **more: object
    ) -> tuple[int, str, str]:
        given = _hash(str(caller), str(name)) if given is None else given
        return self.post(
            {"execution_mode": "set", "ddns_hostname": name, "validation_hash": given} | more, caller=caller
        )

    def get(self, query: dict[str, str], *, caller: str | Caller = _V4) -> tuple[int, str, str]:
        return _read(self.send("GET", urlencode(query), caller=caller))

    def queried(self, name: str = _NAME, *, hashed: str | None = None, **more: str) -> tuple[int, str, str]:
        """Return the answer to the GET form of `set`; `hashed` is the name in the hash if it is another."""
        return self.get({"mode": "set", "hostname": name, "hash": _hash(_V4, hashed or name)} | more)

    def versions(self) -> list[str]:
        return [ip for _, ip in self.database.versions()]


def _read(response: Response) -> tuple[int, str, str]:
    assert response.content_type == "application/json"
    assert ("Access-Control-Allow-Origin", "*") in response.headers
    document: dict[str, Any] = json.loads(response.body)
    assert list(document) == ["return_status", "return_message"]
    assert document["return_status"] in ("success", "fail")
    assert document["return_status"] == "success" or not _ENDED_BY.search(response.body), response.body
    return response.status, document["return_status"], document["return_message"]


@pytest.fixture
def endpoint(sqlite: Database) -> Iterator[Endpoint]:
    sqlite.create_tables()
    with open_hosts(sqlite.settings()) as hosts:
        noted: list[tuple[Host, LastRequest]] = []
        protocol = SharedSecret(
            hosts,
            FailedLogins(lambda: 0.0),
            normalize=normalize_name,
            now=lambda: _AT,
            note=lambda host, request: noted.append((host, request)),
        )
        yield Endpoint(hosts, sqlite, protocol, noted)


def _dyndns_sh(endpoint: Endpoint, name: str, secret: str, caller: str) -> str:
    """Do what AWS's script does: ask for the address, hash it, set it; return what it prints."""
    asked = endpoint.send("POST", body=b'{"execution_mode":"get"}', caller=caller)
    (address,) = re.findall("[0-9a-f.:]{3,}", asked.body.partition("message")[2])
    given = sha256(f"{address}{name}{secret}".encode()).hexdigest()
    document = f'{{"execution_mode":"set","ddns_hostname":"{name}","validation_hash":"{given}"}}'
    answer = endpoint.send("POST", body=document.encode(), caller=caller)
    return f'{answer.body},{{"status_code":"{answer.status}"}}'


def test_awss_script_gets_its_address_and_sets_it(endpoint: Endpoint) -> None:
    endpoint.add()
    assert _dyndns_sh(endpoint, _NAME, _SECRET, _V4) == (
        '{"return_status": "success", "return_message": "nas.example.com has been updated to 8.8.4.4"}'
        ',{"status_code":"201"}'
    )
    assert _dyndns_sh(endpoint, _NAME, _SECRET, _V4) == (
        '{"return_status": "success", "return_message": "Your IP address matches the current Route53 DNS record."}'
        ',{"status_code":"200"}'
    )
    assert _dyndns_sh(endpoint, _NAME, _SECRET, "1.1.1.1").endswith('"201"}')
    assert endpoint.versions() == [_V4, "1.1.1.1"]


def test_an_ipv6_caller_sets_the_other_family(endpoint: Endpoint) -> None:
    endpoint.add()
    endpoint.set()
    assert _dyndns_sh(endpoint, _NAME, _SECRET, _V6).startswith('{"return_status": "success"')
    entry = endpoint.hosts.entry(_NAME)
    assert entry
    latest = {family: journal.version.address for family, journal in entry.journals.items()}
    assert latest == {Family.IPV4: ip_address(_V4), Family.IPV6: ip_address(_V6)}


@pytest.mark.parametrize(
    ("caller", "name", "secret", "given"),
    [
        (
            "11.12.13.14",
            "www.example.com",
            "SuP3R_5eCR3T",
            "0eb3fc760ddbd7dca1702ae359b8f990b8a145d719b9d1014da4aa866022dd70",
        ),
        (
            "2a00:23c4:8002:6901:99b0:6689:389f:63ed",
            "test.aws.com",
            "SHARED_SECRET_1",
            "5f2b2f36b14b3abfab0e6c885c9d367df12564045ef1ee850242951b1e08ebd0",
        ),
    ],
)
def test_awss_published_hashes_are_right(endpoint: Endpoint, caller: str, name: str, secret: str, given: str) -> None:
    endpoint.add(name, secret)
    assert endpoint.set(name, given, caller=caller) == (201, "success", f"{name} has been updated to {caller}")
    assert endpoint.set(name, given, caller="11.12.13.15") == (401, "fail", _NO_MATCH)


def test_the_answers_have_the_headers_that_awss_have(endpoint: Endpoint) -> None:
    assert endpoint.send("POST", body=b'{"execution_mode":"get"}') == Response(
        200,
        '{"return_status": "success", "return_message": "8.8.4.4"}',
        "application/json",
        (
            ("Access-Control-Allow-Origin", "*"),
            ("Access-Control-Allow-Headers", "Content-Type"),
            ("Access-Control-Allow-Methods", "GET"),
        ),
        ("aws", "get"),
    )


@pytest.mark.parametrize("typed", ["NAS.Example.com", "nas.example.com.", "nas。example.com", "nas.example.com"])
def test_the_hash_is_over_the_name_as_typed(endpoint: Endpoint, typed: str) -> None:
    endpoint.add()
    assert endpoint.set(typed, _hash(_V4, "nas.example.com.x")) == (401, "fail", _NO_MATCH)
    assert endpoint.set(typed) == (201, "success", f"{typed} has been updated to 8.8.4.4")


def test_a_hash_in_capitals_is_the_same(endpoint: Endpoint) -> None:
    endpoint.add()
    assert endpoint.set(given=_hash(_V4).upper())[:2] == (201, "success")


def test_both_secrets_are_valid_while_one_is_rotated(endpoint: Endpoint) -> None:
    host = endpoint.add()
    new = "b8y3" * 8
    endpoint.hosts.rotate(host, new)
    assert endpoint.set()[:2] == (201, "success")
    assert endpoint.set(given=_hash(_V4, secret=new)) == (200, "success", _SAME)
    endpoint.hosts.end_rotation(host)
    assert endpoint.set() == (401, "fail", _NO_MATCH)
    assert endpoint.set(given=_hash(_V4, secret=new)) == (200, "success", _SAME)


@pytest.mark.parametrize(
    ("name", "secret", "address"),
    [
        (_NAME, "wrong", _V4),
        (_NAME, "", _V4),
        (_NAME, _SECRET, "8.8.8.8"),
        ("other.example.com", _SECRET, _V4),
        ("cam.example.com", _SECRET, _V4),
        ("not a name", _SECRET, _V4),
        ("münchen.example.com", _SECRET, _V4),
        ("\ud800.example.com", "", _V4),
        ("nas.example.com\x00", "", _V4),
        ("x" * 10_000, _SECRET, _V4),
    ],
)
def test_a_wrong_hash_and_a_host_that_is_not_there_are_answered_alike(
    endpoint: Endpoint, name: str, secret: str, address: str
) -> None:
    endpoint.add()
    endpoint.add("cam.example.com", takes_aws=False)
    given = sha256(f"{address}{name}{secret}".encode("utf-8", "surrogatepass")).hexdigest()
    assert endpoint.set(name, given) == (401, "fail", _NO_MATCH)
    assert endpoint.versions() == []
    assert endpoint.noted == []


def test_a_host_without_the_protocol_is_refused_also_if_its_login_has_a_secret_for_it(endpoint: Endpoint) -> None:
    endpoint.add()
    endpoint.hosts.add(NewHost("cam.example.com", _NAME, None))
    assert endpoint.set("cam.example.com") == (401, "fail", _NO_MATCH)
    assert endpoint.set()[0] == 201


class _Hashing:
    """Counts the hashes that are made."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.lengths: list[int] = []
        monkeypatch.setattr("ddns_updater.server.shared_secret.sha256", self)

    def __call__(self, plain: bytes) -> Any:
        self.lengths.append(len(plain))
        return sha256(plain)


def test_the_work_is_the_same_whether_the_host_is_there_or_not(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint.hosts.rotate(endpoint.add(), "b8y3" * 8)
    endpoint.add("cam.example.com", takes_aws=False)
    work = []
    for name in (_NAME, "cam.example.com", "fax.example.com"):
        hashing = _Hashing(monkeypatch)
        endpoint.set(name, "0" * 64)
        endpoint.set(name)
        work.append(len(hashing.lengths))
    assert work == [8, 8, 8]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "The body must be a JSON object."),
        (b"execution_mode=get", "The body must be a JSON object."),
        (b"\xff\xfe\x00", "The body must be a JSON object."),
        (b"[" * 16_000, "The body must be a JSON object."),
        (b'{"a":' * 3_000, "The body must be a JSON object."),
        (b"1" * 16_000, "The body must be a JSON object."),
        (b'["execution_mode"]', "The body must be a JSON object."),
        (b'"get"', "The body must be a JSON object."),
        (b"null", "The body must be a JSON object."),
        (b"{}", 'execution_mode must be "get" or "set".'),
        (b'{"execution_mode":"delete"}', 'execution_mode must be "get" or "set".'),
        (b'{"execution_mode":"list_hosts"}', 'execution_mode must be "get" or "set".'),
        (b'{"execution_mode":["set"]}', 'execution_mode must be "get" or "set".'),
        (b'{"execution_mode":{"a":1}}', 'execution_mode must be "get" or "set".'),
        (b'{"execution_mode":"set"}', "ddns_hostname must be the name of the host."),
        (b'{"execution_mode":"set","ddns_hostname":7}', "ddns_hostname must be the name of the host."),
        (b'{"execution_mode":"set","ddns_hostname":""}', "ddns_hostname must be the name of the host."),
        (b'{"execution_mode":"set","ddns_hostname":"good.example.com"}', _NO_HASH),
    ],
)
def test_a_body_that_asks_for_nothing_clear_is_refused_with_the_reason(
    endpoint: Endpoint, body: bytes, reason: str
) -> None:
    endpoint.add()
    assert _read(endpoint.send("POST", body=body)) == (400, "fail", reason)
    assert endpoint.versions() == []


_RIGHT = _hash(_V4)


@pytest.mark.parametrize(
    "given",
    [
        "",
        _RIGHT[:-1],
        _RIGHT + "0",
        _RIGHT + "\n",
        _RIGHT + " tail",
        " " + _RIGHT,
        "g" * 64,
        "\uff10" * 64,
        7,
        [_RIGHT],
        {"hash": _RIGHT},
        True,
        _RIGHT.encode().hex(),
    ],
)
def test_a_hash_that_is_none_is_refused(endpoint: Endpoint, given: object) -> None:
    endpoint.add()
    assert endpoint.set(given=given) == (400, "fail", _NO_HASH)
    assert endpoint.versions() == []


def test_the_form_of_2015_with_a_final_dot_is_taken(endpoint: Endpoint) -> None:
    endpoint.add()
    assert endpoint.get({"mode": "get"}) == (200, "success", _V4)
    message = "Your hostname record nas.example.com. has been set to 8.8.4.4"
    assert endpoint.queried("nas.example.com.") == (200, "success", message)
    assert endpoint.queried("nas.example.com.") == (200, "success", _SAME)
    assert endpoint.versions() == [_V4]


def test_the_form_of_2018_that_hashes_an_added_dot_is_taken(endpoint: Endpoint) -> None:
    endpoint.add()
    message = "Your hostname record nas.example.com. has been set to 8.8.4.4"
    assert endpoint.queried(hashed="nas.example.com.") == (200, "success", message)
    assert endpoint.queried() == (200, "success", _SAME)
    assert endpoint.queried("nas.example.com.", hashed="nas.example.com")[2] == _NO_MATCH


def test_an_internal_address_is_taken_only_if_it_is_the_callers(endpoint: Endpoint) -> None:
    endpoint.add()
    for internal in ("10.0.0.5", "8.8.8.8", "x", "8.8.4.4/32"):
        assert endpoint.queried(internalIp=internal) == (
            200,
            "fail",
            "internalIp must be the address that the request comes from, or be left out.",
        )
    assert endpoint.versions() == []
    assert endpoint.queried(internalIp=_V4)[1] == "success"
    assert endpoint.queried(internalIp="")[1] == "success"


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("", "You must pass mode=get or mode=set arguments."),
        ("mode=", "You must pass mode=get or mode=set arguments."),
        ("mode=delete", "You must pass mode=get or mode=set arguments."),
        ("MODE=get", "You must pass mode=get or mode=set arguments."),
        (
            "mode=list_hosts&hash=" + _RIGHT,
            "mode=list_hosts does not exist here; you must pass mode=get or mode=set arguments.",
        ),
        ("mode=get&mode=set", "The query has an argument twice."),
        ("&".join(f"a{each}=" for each in range(30)), "The query has too many arguments."),
        ("mode=set", "hostname must be the name of the host."),
        ("mode=set&hostname=", "hostname must be the name of the host."),
        ("mode=set&hostname=updated.example.com", _NO_HASH),
        (f"mode=set&hostname={_NAME}&hash={_RIGHT}0", _NO_HASH),
        (f"mode=set&hostname=ok.example.com&hash={_RIGHT}", _NO_MATCH),
    ],
)
def test_a_query_that_is_wrong_fails_with_status_200_as_awss_did(endpoint: Endpoint, query: str, reason: str) -> None:
    endpoint.add()
    assert _read(endpoint.send("GET", query)) == (200, "fail", reason)
    assert endpoint.versions() == []


@pytest.mark.parametrize("caller", [Caller(None), Caller(ip_address("9.9.9.9"), is_proxy=True)])
def test_a_caller_that_cannot_be_told_gets_and_sets_nothing(endpoint: Endpoint, caller: Caller) -> None:
    endpoint.add()
    given = _hash("9.9.9.9")
    assert endpoint.set(given=given, caller=caller) == (503, "fail", _NOT_TOLD)
    assert endpoint.post({"execution_mode": "get"}, caller=caller) == (503, "fail", _NOT_TOLD)
    assert endpoint.get({"mode": "get"}, caller=caller) == (503, "fail", _NOT_TOLD)
    assert endpoint.versions() == []


@pytest.mark.parametrize("caller", ["10.0.0.1", "100.64.0.1", "127.0.0.1", "fe80::1"])
def test_an_address_that_is_not_public_is_not_set(endpoint: Endpoint, caller: str) -> None:
    endpoint.add()
    assert endpoint.set(caller=caller) == (503, "fail", _NOT_NOW)
    assert endpoint.versions() == []
    assert [request.verdict for _, request in endpoint.noted] == [Verdict.LATER]


def test_a_blocked_host_is_told_so_once_its_hash_is_right(endpoint: Endpoint) -> None:
    host = endpoint.add()
    endpoint.hosts.block(host, blocked=True)
    message = "The operator has blocked this host, update denied."
    assert endpoint.set() == (403, "fail", message)
    assert endpoint.queried() == (200, "fail", message)
    assert endpoint.set(given="0" * 64) == (401, "fail", _NO_MATCH)
    assert endpoint.versions() == []
    assert [request.verdict for _, request in endpoint.noted] == [Verdict.BLOCKED] * 2


def test_what_dns_refuses_is_to_be_tried_again_later(endpoint: Endpoint) -> None:
    endpoint.add()
    endpoint.set()
    endpoint.database.sql("UPDATE admin_dns_publication SET state = 'failed'")
    assert endpoint.set() == (503, "fail", _NOT_NOW)
    assert endpoint.queried() == (503, "fail", _NOT_NOW)
    answer = endpoint.send("GET", urlencode({"mode": "set", "hostname": _NAME, "hash": _RIGHT}))
    assert ("Retry-After", "300") in answer.headers


@pytest.mark.parametrize("table", ["admin_ddns_host", "admin_ip_history"])
def test_a_database_that_fails_is_temporary_in_every_form(endpoint: Endpoint, table: str) -> None:
    endpoint.add()
    endpoint.database.sql(f"DROP TABLE {table}")
    for answer in (
        endpoint.send("GET", urlencode({"mode": "set", "hostname": _NAME, "hash": _RIGHT})),
        endpoint.send(
            "POST",
            body=json.dumps({"execution_mode": "set", "ddns_hostname": _NAME, "validation_hash": _RIGHT}).encode(),
        ),
    ):
        assert _read(answer) == (503, "fail", _NOT_NOW)
        assert ("Retry-After", "60") in answer.headers
    assert endpoint.get({"mode": "get"}) == (200, "success", _V4)


def test_the_last_request_of_a_host_is_noted_with_its_client(endpoint: Endpoint) -> None:
    host = endpoint.add()
    query = urlencode({"mode": "set", "hostname": _NAME, "hash": _RIGHT})
    endpoint.send("GET", query, agent="curl\x1b[2J" + "x" * 300)
    endpoint.send("GET", query)
    first, second = endpoint.noted
    assert first == (host, LastRequest(_AT, ("curl\\x1b[2J" + "x" * 300)[:200], _V4, Verdict.GOOD))
    held = host._replace(held=frozenset({ip_address(_V4)}))
    assert second == (held, LastRequest(_AT, "curl/7.88.1", _V4, Verdict.NOCHG))


def test_ten_wrong_hashes_limit_this_host_from_this_address(endpoint: Endpoint) -> None:
    endpoint.add()
    endpoint.add("cam.example.com")
    for _ in range(5):
        assert endpoint.set(given="0" * 64)[0] == 401
        assert endpoint.queried("NAS.example.com.", hashed="wrong")[2] == _NO_MATCH
    body = json.dumps({"execution_mode": "set", "ddns_hostname": _NAME, "validation_hash": _RIGHT}).encode()
    endpoint.database.sql("ALTER TABLE admin_ddns_host RENAME TO elsewhere")  # it is not asked
    answer = endpoint.send("POST", body=body)
    assert (answer.status, answer.body, answer.counted) == (429, "", ("aws", "429"))
    assert endpoint.send("GET", urlencode({"mode": "set", "hostname": _NAME, "hash": _RIGHT})).status == 429
    endpoint.database.sql("ALTER TABLE elsewhere RENAME TO admin_ddns_host")
    assert endpoint.set("cam.example.com")[0] == 201
    assert endpoint.set(caller="8.8.8.8")[0] == 201


def test_a_hundred_wrong_hashes_for_what_is_no_name_limit_the_address(endpoint: Endpoint) -> None:
    endpoint.add()
    for number in range(100):
        assert endpoint.set(f"no name {number}", "0" * 64)[0] == 401
    body = json.dumps({"execution_mode": "set", "ddns_hostname": _NAME, "validation_hash": _RIGHT}).encode()
    assert endpoint.send("POST", body=body).status == 429


@pytest.mark.parametrize("method", ["HEAD", "PUT", "DELETE", "OPTIONS", "post"])
def test_other_methods_change_nothing(endpoint: Endpoint, method: str) -> None:
    endpoint.add()
    answer = endpoint.send(method, urlencode({"mode": "set", "hostname": _NAME, "hash": _RIGHT}))
    assert (answer.status, answer.body, answer.headers) == (405, "", (("Allow", "GET, POST"),))
    assert endpoint.versions() == []


def test_no_log_shows_a_secret_a_hash_or_a_name_that_is_no_hosts(
    endpoint: Endpoint, caplog: pytest.LogCaptureFixture
) -> None:
    endpoint.add()
    endpoint.add("cam.example.com", takes_aws=False)
    endpoint.set("s3cret-in-the-wrong-field", _RIGHT)
    endpoint.set("s3cret-in-the-wrong-field.example.com", _RIGHT)
    endpoint.set("cam.example.com", _RIGHT)
    endpoint.set(given=_RIGHT, caller="8.8.8.8")
    endpoint.set(given=_hash("10.0.0.1"), caller="10.0.0.1")
    assert caplog.messages == [
        "a hash for an unknown host from 8.8.4.4",
        "a hash for an unknown host from 8.8.4.4",
        "a hash, but AWS's protocol is not allowed, for cam.example.com from 8.8.4.4",
        "wrong hash for nas.example.com from 8.8.8.8",
        "nas.example.com: its request came from 10.0.0.1, which is not a public address",
    ]


_WORDS = st.sampled_from(["good", "OK.example.com", "true", "Updated.success", "nochg", _NAME, "set", "get", _RIGHT])
_VALUES = _WORDS | st.text() | st.none() | st.integers() | st.lists(st.text(), max_size=2)
_KEYS = st.sampled_from(
    ["execution_mode", "ddns_hostname", "validation_hash", "mode", "hostname", "hash", "internalIp"]
)
_CALLERS = st.sampled_from([Caller(ip_address("9.9.9.9")), Caller(None), Caller(ip_address("10.0.0.1"))])


@given(
    st.binary(max_size=300)
    | st.dictionaries(_KEYS, _VALUES).map(lambda each: json.dumps(each).encode())
    | st.builds(
        lambda name: json.dumps({"execution_mode": "set", "ddns_hostname": name, "validation_hash": _RIGHT}).encode(),
        _WORDS | st.text(),
    ),
    _CALLERS,
)
@example(b"[" * 100_000, Caller(None))
def test_no_body_raises_or_is_answered_with_a_word_that_a_client_takes_for_success(body: bytes, caller: Caller) -> None:
    _is_answered_well("POST", "", body, caller)


@given(
    st.text(max_size=300)
    | st.dictionaries(_KEYS, _VALUES).map(urlencode)
    | st.builds(lambda name: urlencode({"mode": "set", "hostname": name, "hash": _RIGHT}), _WORDS),
    _CALLERS,
)
def test_no_query_raises_or_is_answered_with_a_word_that_a_client_takes_for_success(query: str, caller: Caller) -> None:
    _is_answered_well("GET", query, b"", caller)


class _NoHosts:
    """Has no host, or no hosts that a random request could open."""

    def login_of(self, name: str) -> None:
        assert name == normalize_name(name)


def _is_answered_well(method: str, query: str, body: bytes, caller: Caller) -> None:
    protocol = SharedSecret(
        _NoHosts(),  # type: ignore[arg-type] # nothing else of it may be used
        FailedLogins(),
        normalize=normalize_name,
        now=lambda: _AT,
        note=lambda host, request: pytest.fail(f"{host} {request}"),
    )
    answer = protocol.answer(Request(method, "/", query, (), body, "127.0.0.1"), caller)
    status, return_status, message = _read(answer)
    assert status in (200, 400, 401, 503)
    assert return_status == "fail" or message == str(caller.address)
