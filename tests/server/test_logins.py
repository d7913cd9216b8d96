"""Logins: what a request gives, and whether it is right."""

import hmac
import logging
from base64 import b64encode
from ipaddress import IPv4Address

import hypothesis
import pytest
from hypothesis import strategies as st

from ddns_updater.hosts import Login, NewHost, digest
from ddns_updater.server.logins import Credentials, authenticate, credentials, new_secret
from ddns_updater.server.request import Caller, Request
from tests.support.fake_hosts import FakeRequests

CALLER = Caller(IPv4Address("9.9.9.9"))
SECRET = "7k3vq9m2x8c4r6t5w0y1z2n3b4d5f6g7"


def read(*authorization: str, fields: tuple[tuple[str, str], ...] = ()) -> Credentials | None:
    headers = tuple(("authorization", each) for each in authorization)
    return credentials(Request("GET", "/nic/update", "", headers, b"", "127.0.0.1"), fields)


def basic(text: bytes) -> str:
    return "Basic " + b64encode(text).decode()


def hosts() -> FakeRequests:
    return FakeRequests(
        NewHost("home.example.com", "home.example.com", SECRET),
        NewHost("nas.example.com", "home.example.com", None, takes_query=True),
        NewHost("plain.example.com", "plain.example.com", SECRET),
    )


def opened(requests: FakeRequests, login: str, secret: str, *, in_query: bool = False) -> list[str] | None:
    found = authenticate(requests, Credentials(login, secret, in_query), CALLER)
    return None if found is None else [host.name for host in found.hosts]


@pytest.mark.parametrize(
    ("text", "login", "secret"),
    [
        (b"home.example.com:s3cr3t", "home.example.com", "s3cr3t"),
        (b"Home.Example.COM:S3cr3t", "home.example.com", "S3cr3t"),
        (b"home:with:colons:", "home", "with:colons:"),
        (b"home:", "home", ""),
        ("home:schlüssel".encode(), "home", "schlüssel"),
        ("home:schlüssel".encode("latin-1"), "home", "schlüssel"),
        (b"home:\x00\n", "home", "\x00\n"),
    ],
)
def test_it_reads_what_the_header_holds(text: bytes, login: str, secret: str) -> None:
    assert read(basic(text)) == Credentials(login, secret)
    assert read("basic  " + b64encode(text).decode() + " ") == Credentials(login, secret)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Basic",
        "Basic ",
        "Basic !!!!",
        "Basic aG9t!ZTpz",
        "Basic aG9tZ",
        "Basic ü",
        "Bearer aG9tZTpz",
        "aG9tZTpz",
        "Digest username=home",
        basic(b"no colon"),
        basic(b""),
    ],
)
def test_it_takes_no_other_header(header: str) -> None:
    assert read(header) is None
    assert read(header, fields=(("username", "home"), ("password", "s3cr3t"))) is None


def test_it_takes_no_doubled_header() -> None:
    assert read(basic(b"home:a"), basic(b"home:b")) is None
    assert read(basic(b"home:a"), basic(b"home:a")) is None


def test_it_reads_the_fields_without_a_header() -> None:
    fields = (("username", "Home"), ("password", "s3:cr3t"), ("myip", ""))
    assert read(fields=fields) == Credentials("home", "s3:cr3t", in_query=True)
    assert read(basic(b"nas:other"), fields=fields) == Credentials("nas", "other")


@pytest.mark.parametrize(
    "fields",
    [
        (),
        (("username", "home"),),
        (("password", "s3cr3t"),),
        (("username", "home"), ("password", "a"), ("password", "b")),
        (("username", "home"), ("username", "nas"), ("password", "a")),
    ],
)
def test_it_takes_no_missing_or_doubled_fields(fields: tuple[tuple[str, str], ...]) -> None:
    assert read(fields=fields) is None


@hypothesis.given(st.text(), st.text())
def test_what_a_client_writes_is_read_back(login: str, secret: str) -> None:
    hypothesis.assume(":" not in login)
    assert read(basic(f"{login}:{secret}".encode())) == Credentials(login.lower(), secret)


@hypothesis.given(st.binary())
def test_any_bytes_are_read_or_refused(text: bytes) -> None:
    assert (read(basic(text)) is None) == (b":" not in text)


def test_a_new_secret_has_160_bits_and_nothing_that_is_escaped_or_confused() -> None:
    made = {new_secret() for _ in range(500)}
    assert len(made) == 500
    assert {len(each) for each in made} == {32}
    assert set("".join(made)) == set("0123456789abcdefghjkmnpqrstvwxyz")


def test_a_digest_is_sha256_of_the_text() -> None:
    assert digest("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert len(digest("\ud800")) == 64


def test_the_right_secret_opens_the_hosts_of_its_login() -> None:
    assert opened(hosts(), "home.example.com", SECRET) == ["home.example.com", "nas.example.com"]


@pytest.mark.parametrize("secret", ["", SECRET[:-1], SECRET + "x", SECRET.upper(), digest(SECRET), "0" * 64])
def test_another_secret_opens_none(secret: str) -> None:
    assert opened(hosts(), "home.example.com", secret) is None


def test_both_secrets_open_while_one_is_rotated() -> None:
    requests = hosts()
    requests.logins["home"] = Login("home", (digest("new"), digest("old")), (), ())
    assert [opened(requests, "home", each) for each in ("new", "old", "older")] == [[], [], None]


@pytest.mark.parametrize("login", ["nobody", "", "x" * 256, "home\n", "home\x00", "\ud800"])
def test_a_login_that_does_not_exist_opens_none(login: str) -> None:
    assert opened(hosts(), login, SECRET) is None


@pytest.mark.parametrize("login", ["", "x" * 256, "home\n", "home\x00", "\ud800"])
def test_the_database_is_not_asked_for_what_cannot_be_a_login(login: str) -> None:
    requests = hosts()
    opened(requests, login, SECRET)
    assert requests.asked == []


@pytest.mark.parametrize("login", ["nobody", "home.example.com", "rotated"])
@pytest.mark.parametrize("secret", [SECRET, "wrong"])
def test_the_work_is_the_same_whether_a_login_exists(login: str, secret: str, monkeypatch: pytest.MonkeyPatch) -> None:
    requests = hosts()
    requests.logins["rotated"] = Login("rotated", (digest(SECRET), digest("old")), (), ())
    compared = []

    def compare(given: bytes, known: bytes) -> bool:
        compared.append((len(given), len(known)))
        return hmac.compare_digest(given, known)

    monkeypatch.setattr("ddns_updater.server.logins.compare_digest", compare)
    opened(requests, login, secret)
    assert compared == [(64, 64), (64, 64)]
    assert requests.asked == [login]


def test_a_query_opens_only_the_hosts_that_were_added_for_it() -> None:
    assert opened(hosts(), "home.example.com", SECRET, in_query=True) == ["nas.example.com"]
    assert opened(hosts(), "plain.example.com", SECRET, in_query=True) is None
    assert opened(hosts(), "plain.example.com", "wrong", in_query=True) is None


def test_the_log_names_a_login_that_exists_and_nothing_else(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    opened(hosts(), SECRET, "wr0ng")
    opened(hosts(), "home.example.com", "wr0ng")
    opened(hosts(), "plain.example.com", SECRET, in_query=True)
    authenticate(hosts(), Credentials("home.example.com", "wr0ng"), Caller(None))
    assert caplog.messages == [
        "unknown login from 9.9.9.9",
        "wrong secret of home.example.com from 9.9.9.9",
        "login plain.example.com from 9.9.9.9: its secret may not stand in the query",
        "wrong secret of home.example.com from an unknown address",
    ]
